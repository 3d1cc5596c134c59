"""Does the uncertainty that dropout reports grow with the order of the effect?

The paper's Fig 9: classifiers of a label that depends on k of 4 inputs; what they predict, and the
spread of their answers over 100 masks at r = .25, or over 10 networks without dropout.

`released` follows the notebook. Its label is 1 where k inputs all exceed a threshold, set so that
half the labels are 1; most of its variance is main effects at every k. Its network
without dropout has a linear layer of 250 and four ReLU layers of 250; in its dropout network every
layer starts again from the first one, so only linear 250, dropout and the sigmoid output are left:
it cannot hold an interaction, with or without dropout. `controlled` gives both the same network of
ReLU layers, dropout after each, the same number of points and steps for every order, and real
bootstrap samples; its second label is the sign of the product of k inputs, purely of order k.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from interactions import Dropout, MLPEnsemble, Samples, Uniform, fit
from interactions.networks import member_seed
from interactions.planted import Factor, Product

from ..running.context import Context

QUESTION = "Does the uncertainty that dropout reports grow with the order of the effect?"
LABELS = ("and", "sign")
GRID = np.linspace(0.0, 1.0, 201)
"""Where densities are computed, as parts of the axis; a quarter of it where none is published."""


@dataclass(frozen=True)
class Settings:
    """`samples` are those of order 1; `per_order` gives order k k times as many, as released.

    `as_released` trains the notebook's networks on `repeats` splits; otherwise every repeat is a
    data set with one dropout network and `bootstraps` networks without, read after every number
    of `steps`. Densities of the uncertainty reach up to `widest`.
    """

    labels: tuple[str, ...] = field(default=("and",), metadata={"among": LABELS})
    orders: tuple[int, ...] = field(default=(1, 2, 3, 4), metadata={"range": "[1, 4]"})
    as_released: bool = True
    rate: float = 0.25
    repeats: int = 10
    samples: int = 10_000
    per_order: bool = True
    width: int = 250
    depth: int = 5
    batch_size: int = 32
    learning_rate: float = 1e-4
    epochs: tuple[int, int] = (50, 10)
    steps: tuple[int, ...] = ()
    bootstraps: int = 10
    masks: int = 100
    test_points: int = 1000
    widest: float = field(default=0.04, metadata={"range": "(0, 1]"})

    def __post_init__(self) -> None:
        if not self.as_released and not self.steps:
            raise ValueError("name the steps after which networks are read, such as steps=1000")


RELEASED = Settings()
CONTROLLED = Settings(
    labels=LABELS,
    as_released=False,
    repeats=5,
    per_order=False,
    width=64,
    depth=3,
    batch_size=128,
    learning_rate=1e-3,
    steps=(1000, 4000),
    bootstraps=8,
    widest=0.5,
)
TINY = {"orders": (1, 2), "repeats": 2, "samples": 200, "width": 8, "masks": 3, "test_points": 20}
PRESETS = {
    ("released", "tiny"): replace(RELEASED, **TINY, epochs=(2, 1)),
    ("released", "quick"): replace(RELEASED, repeats=2, samples=5000, width=100),
    ("released", "paper"): RELEASED,
    ("controlled", "tiny"): replace(CONTROLLED, **TINY, bootstraps=2, steps=(2, 4)),
    ("controlled", "quick"): replace(CONTROLLED, repeats=2, bootstraps=3, steps=(800,)),
    ("controlled", "paper"): CONTROLLED,
}


def label(kind: str, order: int) -> Product:
    """1 where all of k inputs of U(-1, 1) exceed a threshold ("and"), or their product is positive.

    Either is 1 half of the time. "sign" gives -1 and 1: its variance is all of order k.
    """
    edge = 1 - 2 * 0.5 ** (1 / order) if kind == "and" else 0.0
    low = 0.0 if kind == "and" else -1.0
    step = Factor(lambda x: torch.where(x > edge, 1.0, low).to(x), kinks=(edge,))
    return Product(tuple(range(order)), factor=step)


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: label, order, regime, steps, repeat, quantity, x (of densities), value."""
    s = settings
    train = _released if s.as_released else _controlled
    rows: list[dict[str, object]] = []
    with context.progress(len(s.labels) * sum(s.orders), "training and dropping out") as advance:
        for kind in s.labels:
            for order in s.orders:
                for cell in train(kind, order, s, context):
                    rows.append({"label": kind, "order": order} | cell)
                advance(order)
    return pd.DataFrame(rows)


def _labelled(kind: str, order: int, n: int, seed: int, inputs: Uniform) -> tuple[Tensor, Tensor]:
    x = inputs.sample(n, generator=seed, dtype=torch.float32)
    return x, (label(kind, order)(x) > 0).to(x)


def _spectrum_rows(kind: str, order: int, inputs: Uniform) -> Iterator[dict[str, object]]:
    for k, share in enumerate(label(kind, order).spectrum(inputs, inputs.dim - 1).share, 1):
        yield {"regime": "label", "repeat": 0, "quantity": "share", "x": k, "value": share}


Predict = Callable[[Tensor], Tensor]
"""Maps points [E, n, d] to probabilities [E, n], with fresh masks where the network drops."""


def _readings(predict: Predict, x: Tensor, y: Tensor, masks: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean answer, its spread over masks, both [E, n], and the error of single answers [E]."""
    answers = torch.stack([predict(x) for _ in range(masks)]).double()
    error = (answers - y).square().mean(dim=(0, 2))
    return answers.mean(dim=0), answers.std(dim=0, correction=0), error


def _densities(grid: np.ndarray, values: np.ndarray, pooled: int) -> Iterator[tuple[float, float]]:
    """The notebook's density curve: normal kernels, a tenth of Scott's bandwidth for all points."""
    bandwidth = max(0.1 * values.std() * pooled**-0.2, 1e-9)
    # On a grid ten times finer than the kernel counting comes to the same and is quick.
    edges = np.arange(-1, 11 * len(grid)) * (grid[1] / 10)
    counts, _ = np.histogram(values, edges)
    middle = (edges[:-1] + edges[1:]) / 2
    density = np.zeros(len(grid))
    for start in range(0, len(grid), 50):
        some = grid[start : start + 50]
        kernel = np.exp(-(((some[:, None] - middle) / bandwidth) ** 2) / 2)
        density[start : start + 50] = kernel @ counts
    density /= len(values) * bandwidth * math.sqrt(2 * math.pi)
    yield from zip(grid, density, strict=True)


def _rows(
    mean: Tensor, spread: Tensor, error: Tensor, pooled: int, widest: float, grid: np.ndarray
) -> Iterator[dict[str, object]]:
    """What is kept of one network's answers at n points: mean and spread [n], error, densities."""
    yield {"quantity": "test_mse", "value": float(error)}
    yield {"quantity": "uncertainty", "value": float(spread.mean())}
    for quantity, values, end in (("prediction", mean, 1.0), ("uncertainty", spread, widest)):
        for x, density in _densities(end * grid, values.cpu().numpy(), pooled):
            yield {"quantity": f"density of {quantity}", "x": x, "value": density}


def _controlled(
    kind: str, order: int, s: Settings, context: Context
) -> Iterator[dict[str, object]]:
    inputs = Uniform(-1.0, 1.0, dim=4)
    yield from _spectrum_rows(kind, order, inputs)
    seeds = context.seeds(s.repeats)
    n = s.samples * (order if s.per_order else 1)
    xs, ys = [], []
    for seed in seeds:
        x, y = _labelled(kind, order, n, seed, inputs)
        draws = torch.randint(n, (s.bootstraps, n), generator=torch.Generator().manual_seed(seed))
        rows = torch.cat([torch.arange(n)[None], draws])
        xs.append(x[rows])
        ys.append(y[rows])
    each = 1 + s.bootstraps
    ensemble = MLPEnsemble(
        (4, *[s.width] * s.depth, 1),
        seeds=[each * seed + b for seed in seeds for b in range(each)],
        dropout=[Dropout(hidden=s.rate if b == 0 else 0.0) for _ in seeds for b in range(each)],
        device=context.device,
    )
    result = fit(
        ensemble,
        Samples(torch.cat(xs), torch.cat(ys), batch_size=s.batch_size),
        steps=max(s.steps),
        loss="binary",
        learning_rate=s.learning_rate,
        snapshots=s.steps,
    )
    for steps in s.steps:
        then = ensemble.with_parameters(result.snapshots[steps])
        for repeat, seed in enumerate(seeds):
            test_seed = member_seed(seed, "fresh points")
            x, y = (
                t.to(context.device)
                for t in _labelled(kind, order, s.test_points, test_seed, inputs)
            )
            dropped = then.select([repeat * each]).train()
            others = then.select(range(repeat * each + 1, (repeat + 1) * each))
            with torch.no_grad():
                mean, spread, error = _readings(
                    lambda x, e=dropped: torch.sigmoid(e.outputs(x)[..., 0]), x, y, s.masks
                )
                apart = torch.sigmoid(others.outputs(x)[..., 0]).double()
            pooled = s.test_points * s.repeats
            between = apart.std(dim=0, correction=0), (apart - y).square().mean()
            for regime, (answer, spread_, error_) in {
                "dropout": (mean[0], spread[0], error[0]),
                "none": (apart.mean(dim=0), *between),
            }.items():
                cell = {"regime": regime, "repeat": repeat, "steps": steps}
                for row in _rows(answer, spread_, error_, pooled, s.widest, GRID[::4]):
                    yield cell | row


def _released(kind: str, order: int, s: Settings, context: Context) -> Iterator[dict[str, object]]:
    inputs = Uniform(-1.0, 1.0, dim=4)
    yield from _spectrum_rows(kind, order, inputs)
    n = s.samples * (order if s.per_order else 1)
    x, y = _labelled(kind, order, n, context.seed, inputs)
    generator = torch.Generator().manual_seed(context.seed)
    rows = torch.stack([torch.randperm(n, generator=generator) for _ in range(s.repeats)])
    held = round(0.3 * n)
    test, train = rows[:, :held][:, : s.test_points], rows[:, held:]
    x, y = x.to(context.device), y.to(context.device)
    linear_then_relu = (s.width,) * s.depth
    for regime, widths, rate, epochs in (
        ("dropout", (s.width,), s.rate, s.epochs[0]),
        ("none", linear_then_relu, 0.0, s.epochs[1]),
    ):
        networks = _AsReleased(s.repeats, 4, widths, rate, context)
        taken = networks.fit(x[train], y[train], epochs, s)
        with torch.no_grad():
            masks = s.masks if rate > 0 else 1
            mean, spread, error = _readings(networks, x[test], y[test], masks)
            if rate == 0:
                # All networks at the first one's test points, which others have seen: as released.
                shared = networks(x[test[:1]].expand(s.repeats, -1, -1)).double()
                spread = shared.std(dim=0, correction=0).expand_as(mean)
        pooled = held * s.repeats if rate > 0 else held
        for repeat in range(s.repeats):
            cell = {"regime": regime, "repeat": repeat, "steps": float(taken[repeat])}
            for row in _rows(mean[repeat], spread[repeat], error[repeat], pooled, s.widest, GRID):
                # The spread of ten networks is one number for all of them.
                if rate > 0 or repeat == 0 or "uncertainty" not in row["quantity"]:
                    yield cell | row


class _AsReleased(nn.Module):
    """The notebook's networks, one per split: a first linear layer, ReLU layers, a sigmoid output.

    With dropout it drops before the output, always, as the notebook's does. Squared error of the
    probability; not a shape the library has, hence here.
    """

    def __init__(
        self, members: int, dim: int, widths: tuple[int, ...], rate: float, context: Context
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(context.seed + 1)
        self.masks = torch.Generator(context.device).manual_seed(context.seed)
        self.order = torch.Generator().manual_seed(context.seed)
        self.rate, sizes = rate, (dim, *widths, 1)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for fan_in, fan_out in itertools.pairwise(sizes):
            bound = math.sqrt(6 / (fan_in + fan_out))
            weight = bound * (2 * torch.rand(members, fan_in, fan_out, generator=generator) - 1)
            self.weights.append(nn.Parameter(weight.to(context.device)))
            zeros = torch.zeros(members, 1, fan_out, device=context.device)
            self.biases.append(nn.Parameter(zeros))

    def forward(self, x: Tensor) -> Tensor:
        h = torch.baddbmm(self.biases[0], x, self.weights[0])
        for weight, bias in list(zip(self.weights, self.biases, strict=True))[1:-1]:
            h = torch.relu(torch.baddbmm(bias, h, weight))
        if self.rate > 0:
            kept = torch.rand(h.shape, generator=self.masks, device=h.device) >= self.rate
            h = h * kept / (1 - self.rate)
        return torch.sigmoid(torch.baddbmm(self.biases[-1], h, self.weights[-1]))[..., 0]

    def fit(self, x: Tensor, y: Tensor, epochs: int, s: Settings) -> Tensor:
        """Adam until an epoch does not improve the validation loss; returns epochs taken [E].

        The validation set is the last quarter; the weights kept are the best epoch's.
        """
        inside = round(0.75 * x.shape[1])
        members = len(x)
        optimizer = torch.optim.Adam(self.parameters(), lr=s.learning_rate, eps=1e-7)
        best = torch.full((members,), math.inf, device=x.device)
        kept = [p.detach().clone() for p in self.parameters()]
        taken = torch.zeros(members, dtype=torch.long, device=x.device)
        running = torch.ones(members, dtype=torch.bool, device=x.device)
        row = torch.arange(members)[:, None]
        for _ in range(epochs):
            order = torch.stack(
                [torch.randperm(inside, generator=self.order) for _ in range(members)]
            )
            for some in order.split(s.batch_size, dim=1):
                error = self(x[row, some]) - y[row, some]
                loss = error.square().mean(dim=1).sum()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            taken += running
            with torch.no_grad():
                held = (self(x[:, inside:]) - y[:, inside:]).square().mean(dim=1)
                better = running & (held < best)
                best = torch.where(better, held, best)
                for copy, parameter in zip(kept, self.parameters(), strict=True):
                    copy[better] = parameter[better]
            running = better
            if not running.any():
                break
        with torch.no_grad():
            for copy, parameter in zip(kept, self.parameters(), strict=True):
                parameter.copy_(copy)
        return taken


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per label, order and regime: main-effect share, error, mean uncertainty, standard errors."""
    label_rows = table[table["regime"] == "label"]
    mains = label_rows[label_rows["x"] == 1].set_index(["label", "order"])["value"]
    rows = table[table["quantity"].isin(["test_mse", "uncertainty"])]
    keys = ["label", "regime", "order"]
    # As released a network stops when it will; otherwise all were read after the same steps.
    if rows.groupby([*keys, "repeat"])["steps"].nunique().gt(1).any():
        keys.append("steps")
    groups = rows.groupby([*keys, "quantity"])["value"]
    out = groups.mean().unstack()
    errors = groups.sem().unstack().add_suffix("_error")
    out = out.join(errors).join(mains.rename("main_effects_of_label"))
    return out.sort_index().reset_index()
