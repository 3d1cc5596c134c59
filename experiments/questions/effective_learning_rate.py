"""How far does one step under dropout move the test-time answer along a planted effect?

The paper calls (1-r)^k the effective learning rate of an effect of order k. One batch, one step,
many draws of masks: the mean change of the test-time answer, projected on the planted effect F
(<change, F> / <F, F>), over that of the same step without dropout. Parts of the table:

    start      the first step, from starting weights
    training   the same from weights along training without dropout, inverted dropout only
    norm       what Fig 2 measured (protocol `released`): the norm of the whole change after one
               Adam step under activation dropout, over that of another network without dropout,
               on several data sets: a product of three or four inputs is drowned in one by what
               its sample holds of lower orders by chance

For models linear in products of inputs the law is exact (`interactions.theory.step_scale`).
Networks are measured beside the step along their own expected gradient, averaged over all masks.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pandas as pd
import torch
from torch import Tensor

from interactions import Dropout, MLPEnsemble, Samples, Stream, Uniform, fit
from interactions.planted import Product
from interactions.theory import Masked, step_scale, survival

from ..running.context import Context
from ..tasks import answers, dropout_at

QUESTION = "How far does one step under dropout move the answer along an effect of order k?"
OPTIMIZERS = ("sgd", "adam")
MEASURES = ("moves", "norm")
SMALL = 1e-5
"""Learning rate of the one step: small enough that the answer changes linearly."""


@dataclass(frozen=True)
class Settings:
    """Networks of `dim` inputs; the norm is measured as released, on five, for fewer repeats.

    `norm_repeats` are networks per rate and data set, of which there are `norm_data`.
    """

    measures: tuple[str, ...] = field(default=("moves",), metadata={"among": MEASURES})
    orders: tuple[int, ...] = (1, 2, 3, 4)
    rates: tuple[float, ...] = (0.125, 0.25, 0.5, 0.75)
    depths: tuple[int, ...] = (1, 2)
    starts: int = field(default=3, metadata={"range": "[2, 1e4]"})
    draws: int = field(default=32, metadata={"range": "[2, 1e4]"})
    dim: int = field(default=4, metadata={"range": "[1, 12]"})
    width: int = 64
    points: int = 64
    scale: float = field(default=10.0, metadata={"range": "(0, 1e6]"})
    training_rate: float = 0.25
    training_steps: int = 600
    norm_rates: tuple[float, ...] = (0.1, 0.25, 0.5)
    norm_data: int = 5
    norm_repeats: int = field(default=4, metadata={"range": "[2, 1e4]"})
    norm_points: int = 1000
    norm_width: int = 200
    norm_depth: int = 6

    def __post_init__(self) -> None:
        if max(self.orders) > min(self.dim, 5):
            raise ValueError(f"orders must be at most 5 and the number of inputs, {self.dim}")


RELEASED = Settings(measures=("norm",))
PRESETS = {
    ("controlled", "tiny"): Settings(
        orders=(1, 2),
        rates=(0.25, 0.5),
        starts=2,
        draws=16,
        width=8,
        points=4,
        training_steps=20,
    ),
    ("controlled", "quick"): Settings(),
    ("controlled", "paper"): Settings(
        rates=(0.125, 0.25, 0.375, 0.5, 0.625, 0.75),
        starts=8,
        draws=64,
        training_steps=1500,
    ),
    ("released", "tiny"): replace(
        RELEASED, orders=(1, 2), norm_data=2, norm_repeats=3, norm_points=32, norm_width=8
    ),
    ("released", "quick"): RELEASED,
    ("released", "paper"): replace(RELEASED, norm_data=10, norm_repeats=10, norm_points=10_000),
}


def shards(settings: Settings) -> list[Settings]:
    """An order each."""
    return [replace(settings, orders=(k,)) for k in settings.orders]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per cell and starting point: `moved` and `expected`, both relative to r = 0.

    Columns: part, placement, model ("products" or "depth 2", ..), kind, optimizer, order, rate,
    repeat; moved and its standard_error over masks; expected, by averaging over all masks, where
    that can be done; law, that of models linear in products; amplitude, what the network held
    of the effect beforehand. The norm has `norm` alone, and the data_set it was measured on.
    """
    s = settings
    rows: list[dict[str, object]] = []
    work = {
        "moves": s.starts * len(s.depths) + 1,
        "norm": s.norm_data * s.norm_repeats * (1 + len(s.norm_rates)),
    }
    total = len(s.orders) * sum(work[measure] for measure in s.measures)
    with context.progress(total, "single steps under dropout") as advance:
        for order in s.orders:
            if "moves" in s.measures:
                rows += _from_start(order, s, context, advance)
                rows += _along_training(order, s, context)
                advance(1)
            if "norm" in s.measures:
                rows += _norms(order, s, context, advance)
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class _Task:
    """One training batch for an effect F of order k, and points to test the answer at.

    Points come in all reflections, so that in the batch itself the effect averages to zero over
    every one of its inputs.
    """

    order: int
    s: Settings
    context: Context

    @property
    def target(self) -> Product:
        return Product(tuple(range(self.order)), scale=self.s.scale * 3 ** (self.order / 2))

    def batch(self, purpose: int) -> tuple[Tensor, Tensor]:
        signs = itertools.product([-1.0, 1.0], repeat=self.s.dim)
        signs = torch.tensor(list(signs), dtype=torch.float64)
        seed = 2 * self.context.seed + purpose
        x = Uniform(-1.0, 1.0, dim=self.s.dim).sample(self.s.points, generator=seed)
        x = (x[:, None] * signs).flatten(0, 1).to(self.context.device)
        return x, self.target(x)

    def network(self, weights: Tensor, depth: int, dropout: Dropout, draws: int) -> MLPEnsemble:
        """The network of these weights `draws` times, each with masks of its own."""
        ensemble = MLPEnsemble(
            (self.s.dim, *[self.s.width] * depth, 1),
            seeds=self.context.seeds(draws),
            dropout=dropout,
            dtype=torch.float64,
            device=self.context.device,
        )
        ensemble.flat.data.copy_(weights.expand_as(ensemble.flat))
        return ensemble

    def amplitudes(self, ensemble: MLPEnsemble) -> Tensor:
        """<g, F> / <F, F> of every member at test time; in the batch F has mean 0 as it is."""
        x, f = self.batch(1)
        ensemble.eval()
        with torch.no_grad():
            return f @ ensemble(x) / (f @ f)

    def moved(self, ensemble: MLPEnsemble, gradient: Tensor) -> dict[str, Tensor]:
        """Change of the amplitude of every member after one step, by optimizer."""
        start, before = ensemble.flat.detach().clone(), self.amplitudes(ensemble)
        changes = {}
        for optimizer in OPTIMIZERS:
            # Adam's first step: the running means, freed of bias, are g and g^2.
            step = gradient if optimizer == "sgd" else gradient / (gradient.abs() + 1e-8)
            ensemble.flat.data.copy_(start - SMALL * step)
            changes[optimizer] = self.amplitudes(ensemble) - before
        ensemble.flat.data.copy_(start)
        return changes

    def drawn(self, ensemble: MLPEnsemble) -> Tensor:
        """Gradient of every member, each under its own masks, [E, P]."""
        x, y = self.batch(0)
        ensemble.train()
        loss = (ensemble.outputs(x).squeeze(-1) - y).square().mean(dim=1).sum()
        return torch.autograd.grad(loss, ensemble.flat)[0]

    def expected(self, network: MLPEnsemble, placement: str, rate: float, kind: str) -> Tensor:
        """Gradient of the loss averaged over all masks, [1, P], for a network with one member.

        Masks of the inputs are enumerated. Masks before the last layer of a network with one
        hidden layer, h, and last weights v, add r/(1-r) sum_i v_i^2 E h_i^2 to the loss of the
        mean answer.
        """
        x, y = self.batch(0)
        weights = network.flat.detach()
        plain = self.network(weights, len(network.sizes) - 2, Dropout(), 1).train()
        if placement == "input":

            def loss(z: Tensor) -> Tensor:
                return (plain.outputs(z)[0, :, 0] - y).square()

            scale = 1 / (1 - rate) if kind == "inverted" else 1.0
            total = Masked(loss, rate, scale)(x).mean()
        else:
            (first, bias), (last, offset) = plain.layers()
            keep = 1 - rate if kind == "classic" else 1.0
            units, v = torch.relu(x @ first[0] + bias[0]), keep * last[0, :, 0]
            penalty = rate / (1 - rate) * (v.square() * units.square().mean(dim=0)).sum()
            total = (units @ v + offset[0, 0] - y).square().mean() + penalty
        return torch.autograd.grad(total, plain.flat)[0]


def _from_start(
    order: int, s: Settings, context: Context, advance: Callable[[int], None]
) -> Iterator[dict[str, object]]:
    task = _Task(order, s, context)
    for rate, kind in itertools.product(s.rates, ("classic", "inverted")):
        yield from _product_model(task, rate, kind)
    for depth, repeat in itertools.product(s.depths, range(s.starts)):
        seed = context.seeds(s.starts)[repeat]
        sizes = (s.dim, *[s.width] * depth, 1)
        weights = MLPEnsemble(sizes, seeds=[seed], device=context.device).flat.detach().double()
        for placement in ("input", "activation"):
            for rate, kind in itertools.product(s.rates, ("classic", "inverted")):
                for row in _step(task, weights, depth, placement, rate, kind):
                    yield {"part": "start", "repeat": repeat, **row}
            advance(1)


def _along_training(order: int, s: Settings, context: Context) -> Iterator[dict[str, object]]:
    """Steps under inverted input dropout from snapshots of training without dropout."""
    task = _Task(order, s, context)
    depth = max(s.depths)
    sizes = (s.dim, *[s.width] * depth, 1)
    ensemble = MLPEnsemble(sizes, seeds=context.seeds(s.starts), device=context.device)
    steps = sorted({round(s.training_steps ** (i / 40)) for i in range(41)} | {0})
    data = Stream(Uniform(-1.0, 1.0, dim=s.dim), task.target, 512)
    done = fit(ensemble, data, steps=s.training_steps, learning_rate=5e-3, snapshots=steps)
    for repeat in range(s.starts):
        wanted = iter([0.0, 0.2, 0.4, 0.6, 0.8, 0.9])
        due = next(wanted)
        for step in steps:
            weights = done.snapshots[step][repeat : repeat + 1].double()
            held = task.amplitudes(task.network(weights, depth, Dropout(), 1)).item()
            # From .95 on there is too little left to learn to compare with.
            if step > 0 and not due <= held < 0.95:
                continue
            for row in _step(task, weights, depth, "input", s.training_rate, "inverted"):
                if row["optimizer"] == "sgd":
                    law = (1 - held / survival(s.training_rate, order)) / (1 - held)
                    yield {"part": "training", "repeat": repeat, **row, "law": law}
            due = next((w for w in wanted if w > held), math.inf)


def _step(
    task: _Task, weights: Tensor, depth: int, placement: str, rate: float, kind: str
) -> Iterator[dict[str, object]]:
    """The step of one network under dropout over the same without, one row per optimizer."""
    plain = task.network(weights, depth, Dropout(), 1)
    without = {o: m.item() for o, m in task.moved(plain, task.drawn(plain)).items()}
    dropout = replace(dropout_at(placement, rate), kind=kind)
    ensemble = task.network(weights, depth, dropout, task.s.draws)
    measured = task.moved(ensemble, task.drawn(ensemble))
    expected = dict.fromkeys(OPTIMIZERS, math.nan)
    if placement == "input" or depth == 1:
        one = task.network(weights, depth, dropout, 1)
        gradient = task.expected(one, placement, rate, kind)
        expected = {o: m.item() for o, m in task.moved(one, gradient).items()}
    for optimizer in OPTIMIZERS:
        moved = measured[optimizer] / without[optimizer]
        law = step_scale(rate, task.order, kind=kind, optimizer=optimizer)
        yield {
            "placement": placement,
            "model": f"depth {depth}",
            "kind": kind,
            "optimizer": optimizer,
            "order": task.order,
            "rate": rate,
            "moved": moved.mean().item(),
            "standard_error": moved.std().item() / math.sqrt(len(moved)),
            "expected": expected[optimizer] / without[optimizer],
            "law": law if placement == "input" else math.nan,
            "amplitude": task.amplitudes(plain).item(),
        }


def _product_model(task: _Task, rate: float, kind: str) -> Iterator[dict[str, object]]:
    """The same for a model that is one weight times the product of the effect's inputs."""
    x, y = task.batch(0)
    feature = Product(tuple(range(task.order)))
    generator = torch.Generator(x.device).manual_seed(task.context.seed)
    before = (y @ feature(x) / len(y)).item()
    gradients = []
    for _ in range(task.s.draws):
        u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
        z = x * (u >= rate) / (1 - rate if kind == "inverted" else 1.0)
        gradients.append((y @ feature(z) / len(y)).item())
    at_test = survival(rate, task.order) if kind == "classic" else 1.0
    for optimizer in OPTIMIZERS:
        steps = torch.tensor(gradients, dtype=torch.float64) / before
        moved = at_test * (steps if optimizer == "sgd" else steps.sign())
        law = step_scale(rate, task.order, kind=kind, optimizer=optimizer)
        yield {
            "part": "start",
            "repeat": 0,
            "placement": "input",
            "model": "products",
            "kind": kind,
            "optimizer": optimizer,
            "order": task.order,
            "rate": rate,
            "moved": moved.mean().item(),
            "standard_error": moved.std().item() / math.sqrt(len(moved)),
            "expected": law,
            "law": law,
            "amplitude": 0.0,
        }


def _norms(
    order: int, s: Settings, context: Context, advance: Callable[[int], None]
) -> Iterator[dict[str, object]]:
    """Fig 2 as released: activation dropout, one full-batch Adam step, norm of the change.

    In float64, in five inputs, on data sets that networks of all rates share. Every network has
    starting weights of its own: the notebook means those under dropout to share one start, but
    asks for the weights of a network that is not built yet, of which there are none.
    """
    inputs, target = Uniform(-1.0, 1.0, dim=5), Product(tuple(range(order)), scale=10.0**order)
    networks = s.norm_repeats * (1 + len(s.norm_rates))
    seeds = iter(context.seeds(s.norm_data * (1 + networks)))

    def change(data: Samples, rate: float) -> float:
        """Norm of what one step changes of the test-time answers of one network."""
        network = MLPEnsemble(
            (5, *[s.norm_width] * s.norm_depth, 1),
            seeds=[next(seeds)],
            dropout=Dropout(hidden=rate),
            dtype=data.x.dtype,
            device=context.device,
        ).eval()
        before = answers(network, data.x, chunk=len(data.x))
        fit(network, data, steps=1, learning_rate=1e-4)
        advance(1)
        return (answers(network, data.x, chunk=len(data.x)) - before).norm().item()

    for data_set in range(s.norm_data):
        generator = torch.Generator().manual_seed(next(seeds))
        x = inputs.sample(s.norm_points, generator=generator)
        y = target(x) + 0.001 * torch.randn(len(x), generator=generator, dtype=x.dtype)
        data = Samples(x.to(context.device), y.to(context.device))
        plain = [change(data, 0.0) for _ in range(s.norm_repeats)]
        for rate, repeat in itertools.product(s.norm_rates, range(s.norm_repeats)):
            yield {
                "part": "norm",
                "placement": "activation",
                "model": f"depth {s.norm_depth}",
                "kind": "inverted",
                "optimizer": "adam",
                "order": order,
                "rate": rate,
                "data_set": data_set,
                "repeat": repeat,
                "norm": change(data, rate) / plain[repeat],
            }


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over starting weights at the first step, and medians of the norms."""
    keys = ["part", "placement", "model", "kind", "optimizer", "order", "rate"]
    found = []
    for part, columns, how in (
        ("start", ["law", "expected", "moved"], "mean"),
        ("norm", ["norm"], "median"),
    ):
        rows = table[table["part"] == part]
        if len(rows):
            found.append(rows.groupby(keys, sort=False)[columns].agg(how))
    return pd.concat(found).reset_index()
