"""Which interaction orders are learned when, and does dropout slow the learning of high ones?

The paper's Fig 7: spectra of networks over training. `released` follows the published notebook:
generators 1 and 2 (the second on inputs 2 and 3), 1125 samples, noise of standard deviation 2, two
ReLU layers of 32, dropout on the inputs and after each layer, Adam on batches of 32; boosted trees
on 5000 fresh points. `text` has the article's three generators on inputs 0, 1, 2. Their names,
main effect, pair and three-way, are not their orders (`interactions.planted.paper_generator`).

`controlled` has effects that are of one order, each of variance 1, alone and all three together,
and data of its own for every repeat, few inputs and enough samples to learn all three without
dropout. What a network holds of an effect F is its amplitude <g, F> / <F, F>.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from interactions import Inputs, MLPEnsemble, Samples, Uniform, fit, order_spectrum
from interactions.networks import member_seed
from interactions.planted import Planted, SumOfProducts, Term, paper_generator

from ..running.context import Context
from ..tasks import (
    amplitudes,
    answers,
    dropout_at,
    long_by_order,
    members_of,
    of_members,
    planted_data,
    pure_effects,
    shares_and_variances,
    sum_of,
    tree_shares,
    with_trees_if_possible,
)

QUESTION = "Which orders are learned when, and does dropout slow the learning of high orders?"
LEARNED = 0.05
"""Amplitude that counts as having learned an effect at all."""
TARGETS = (
    *("generator 1", "generator 2", "generator 2 on inputs 2, 3", "generator 3"),
    *("pure 1", "pure 2", "pure 3", "mixture"),
)


@dataclass(frozen=True)
class Settings:
    """`epochs` are those after which networks are measured; the last ends training.

    Boosted trees are fit after `tree_epochs`, at `query_points` fresh points, on which the test
    error is taken as well.
    """

    targets: tuple[str, ...] = field(
        default=("generator 1", "generator 2 on inputs 2, 3"), metadata={"among": TARGETS}
    )
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5)
    repeats: int = 3
    dim: int = 25
    samples: int = 1125
    noise: float = 2.0
    shared_data: bool = True
    width: int = 32
    depth: int = 2
    batch_size: int = 32
    learning_rate: float = 1e-3
    epochs: tuple[int, ...] = field(
        default=(*range(0, 50, 5), *range(50, 500, 25)), metadata={"range": "[0, 1e7]"}
    )
    tree_epochs: tuple[int, ...] = field(
        default=(*range(0, 50, 5), *range(50, 500, 25)),
        metadata={"range": "[0, 1e7]", "empty": True},
    )
    query_points: int = 5000
    max_order: int = 3
    tolerance: float = 0.03
    budget: int = 2**18

    def __post_init__(self) -> None:
        if self.max_order > self.dim:
            raise ValueError(f"max_order must be at most the number of inputs, {self.dim}")
        if extra := set(self.tree_epochs) - set(self.epochs):
            raise ValueError(f"tree_epochs {sorted(extra)} are not among the epochs")


RELEASED = Settings()
TEXT = replace(RELEASED, targets=("generator 1", "generator 2", "generator 3"))
CONTROLLED = Settings(
    targets=("pure 1", "pure 2", "pure 3", "mixture"),
    repeats=6,
    dim=10,
    samples=2000,
    noise=0.5,
    shared_data=False,
    width=64,
    epochs=(0, 1, 2, 4, 6, 8, 11, 16, 23, 32, 45, 64, 91, 128),
    tree_epochs=(),
    query_points=2**14,
    budget=2**17,
)
SHORT = {
    "rates": (0.0, 0.25, 0.5),
    "repeats": 2,
    "epochs": (0, 10, 25, 50, 100),
    "tree_epochs": (0, 25, 100),
}
TINY = {
    "rates": (0.0, 0.5),
    "repeats": 2,
    "samples": 64,
    "epochs": (0, 1, 2),
    "tree_epochs": (),
    "query_points": 64,
    "max_order": 2,
    "tolerance": 1.0,
    "budget": 2**16,
}
FEWER = {"tree_epochs": (0, 10, 50, 200, 475)}
PRESETS = {
    ("released", "tiny"): replace(RELEASED, **TINY),
    ("released", "quick"): replace(RELEASED, **SHORT),
    ("released", "paper"): replace(RELEASED, **FEWER),
    ("text", "tiny"): replace(TEXT, **TINY),
    ("text", "quick"): replace(TEXT, **SHORT),
    ("text", "paper"): replace(TEXT, tree_epochs=(0, 25, 100, 475)),
    ("controlled", "tiny"): replace(CONTROLLED, **TINY),
    ("controlled", "quick"): replace(
        CONTROLLED,
        rates=(0.0, 0.25, 0.5),
        repeats=3,
        epochs=(0, 1, 2, 4, 8, 16, 32, 64),
    ),
    ("controlled", "paper"): CONTROLLED,
}


def shards(settings: Settings) -> list[Settings]:
    """A target each."""
    s = with_trees_if_possible(settings, "tree_epochs")
    return [replace(s, targets=(t,)) for t in s.targets]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: target, rate, repeat, epoch, quantity, order, value, standard_error.

    Quantities: train_mse; test_mse, on fresh points, with the noise's variance added exactly;
    variance and share, unbiased; tree_share, as released; amplitude of the effect of an order.
    """
    s = settings
    tables: list[pd.DataFrame] = []
    total = len(s.targets) * max(s.epochs) * _steps_per_epoch(s)
    with context.progress(total, "training networks") as advance:
        for name in s.targets:
            tables += _of_target(name, s, context, advance)
    columns = ["target", "rate", "repeat", "epoch", "quantity", "order", "value", "standard_error"]
    return pd.concat(tables, ignore_index=True)[columns]


def _steps_per_epoch(s: Settings) -> int:
    return -(-s.samples // s.batch_size)


def _of_target(
    name: str, s: Settings, context: Context, advance: Callable[[int], None]
) -> Iterator[pd.DataFrame]:
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    members = members_of(["target", "rate"], [(name, rate) for rate in s.rates], s.repeats)
    x, y = _data(name, s, inputs, context)
    ensemble = MLPEnsemble(
        (s.dim, *[s.width] * s.depth, 1),
        seeds=context.seeds(s.repeats) * len(s.rates),
        dropout=[dropout_at("both", rate) for rate in members["rate"]],
        device=context.device,
    )
    steps = [epoch * _steps_per_epoch(s) for epoch in s.epochs]
    result = fit(
        ensemble,
        Samples(x, y, batch_size=s.batch_size),
        steps=max(steps),
        learning_rate=s.learning_rate,
        snapshots=steps,
        progress=advance,
    )
    # From here on, a network at one look is a network of its own.
    then = ensemble.with_parameters(torch.stack([result.snapshots[step] for step in steps]))
    members = pd.concat([members.assign(epoch=e) for e in s.epochs], ignore_index=True)
    # One sample measures every network at every epoch.
    spectrum = order_spectrum(
        then,
        inputs,
        max_order=s.max_order,
        tolerance=s.tolerance,
        budget=s.budget,
        seed=member_seed(context.seed, "spectrum"),
    )
    yield of_members(shares_and_variances(spectrum), members)
    query = _query(s, inputs, context)
    yield from _errors(members, name, then, (x, y), query, s, inputs)
    if s.tree_epochs:
        yield _trees(members, name, then, query, s, context)


def target(name: str, inputs: Inputs) -> Planted:
    """The function that networks are to learn, without noise."""
    if parts := pure_effects(name, inputs):
        return sum_of(parts)
    generator = paper_generator(int(name[10]))
    if name.endswith("inputs 2, 3"):
        moved = [
            Term(t.coefficient, {j + 2: h for j, h in t.factors.items()}) for t in generator.terms
        ]
        return SumOfProducts(tuple(moved))
    return generator


def _data(name: str, s: Settings, inputs: Inputs, context: Context) -> tuple[Tensor, Tensor]:
    """Points and noisy targets, [n, d] and [n] shared by all, or every network's own.

    The same repeat has the same data at every rate.
    """
    seeds = context.seeds(1 if s.shared_data else s.repeats)
    targets = [target(name, inputs)] * len(seeds)
    x, y = planted_data(targets, inputs, seeds, samples=s.samples, noise=s.noise)
    if s.shared_data:
        return x[0], y[0]
    return x.repeat(len(s.rates), 1, 1), y.repeat(len(s.rates), 1)


def _query(s: Settings, inputs: Inputs, context: Context) -> Tensor:
    """Fresh points, the same for all networks."""
    generator = torch.Generator().manual_seed(context.seeds(s.repeats + 1)[-1])
    points = inputs.sample(s.query_points, generator=generator, dtype=torch.float32)
    return points.to(context.device)


def _errors(
    members: pd.DataFrame,
    name: str,
    then: MLPEnsemble,
    data: tuple[Tensor, Tensor],
    query: Tensor,
    s: Settings,
    inputs: Inputs,
) -> Iterator[pd.DataFrame]:
    """Test and train error of every network, and what it holds of the target's effects."""
    learned, truth = answers(then, query).double(), target(name, inputs)(query.double())
    errors = (learned - truth[:, None]).square().mean(dim=0) + s.noise**2
    yield members.assign(quantity="test_mse", value=errors.tolist())
    x, y = (part.to(then.flat) for part in data)
    fitted = []
    for first in range(0, then.members, len(s.rates) * s.repeats):
        some = then.select(range(first, first + len(s.rates) * s.repeats))
        with torch.no_grad():
            fitted.append((some.outputs(x).squeeze(-1) - y).double().square().mean(dim=1))
    yield members.assign(quantity="train_mse", value=torch.cat(fitted).tolist())
    for order, effect in pure_effects(name, inputs).items():
        held = amplitudes(learned, effect(query.double())).tolist()
        yield members.assign(quantity="amplitude", order=str(order), value=held)


def _trees(
    members: pd.DataFrame,
    name: str,
    then: MLPEnsemble,
    query: Tensor,
    s: Settings,
    context: Context,
) -> pd.DataFrame:
    """Shares of V_1 + V_2 + V_3 by boosted trees, as released."""
    which = np.flatnonzero(members["epoch"].isin(s.tree_epochs)).tolist()
    shares = []
    with context.progress(len(which), f"boosted trees, {name}") as advance:
        for i in which:
            shares.append(tree_shares(then.select([i]), query))
            advance(1)
    rows = long_by_order(np.stack(shares), ("1", "2", "3"), which)
    return of_members(rows.assign(quantity="tree_share"), members)


def half_epochs(table: pd.DataFrame) -> pd.DataFrame:
    """When a network holds half of what it will ever hold of an effect, a row per network.

    Columns target, order, rate, repeat, epoch (interpolated between looks; NaN where it never
    holds LEARNED of the effect) and most, the largest amplitude of all looks.
    """
    rows = []
    held = table[table["quantity"] == "amplitude"]
    keys = ["target", "order", "rate", "repeat"]
    for key, rows_of in held.groupby(keys, sort=False):
        epoch, amplitude = (rows_of[c].to_numpy(dtype=float) for c in ("epoch", "value"))
        most = amplitude.max()
        when = np.nan
        if most >= LEARNED:
            after = int(np.argmax(amplitude >= most / 2))
            near = slice(max(after - 1, 0), after + 1)
            when = np.interp(most / 2, amplitude[near], epoch[near])
        rows.append({**dict(zip(keys, key, strict=True)), "epoch": when, "most": most})
    return pd.DataFrame(rows, columns=[*keys, "epoch", "most"])


def kept(table: pd.DataFrame) -> pd.DataFrame:
    """What dropout leaves of an effect early and at the end of training, a row per network.

    The amplitude over that of the same repeat without dropout: `early` at the look nearest to
    the mean half epoch (see `half_epochs`) of networks without dropout, `last` at the last look.
    """
    half = half_epochs(table)
    half = half[half["rate"] == 0].groupby(["target", "order"])["epoch"].mean()
    held = table[table["quantity"] == "amplitude"]
    rows = []
    for (target_, order), cell in held.groupby(["target", "order"], sort=False):
        looks = cell.pivot_table("value", ["rate", "repeat"], "epoch", sort=False)
        if 0.0 not in set(cell["rate"]) or np.isnan(half[target_, order]):
            continue
        distance = (looks.columns.to_series() - half[target_, order]).abs()
        # The first look is before training.
        chosen = {"early": distance[distance.index > 0].idxmin(), "last": looks.columns.max()}
        ratio = looks / looks.loc[0.0].reindex(looks.index, level="repeat")
        for (rate, repeat), values in ratio.iterrows():
            key = {"target": target_, "order": order, "rate": rate, "repeat": repeat}
            rows.append(key | {name: values[epoch] for name, epoch in chosen.items()})
    return pd.DataFrame(rows, columns=["target", "order", "rate", "repeat", "early", "last"])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By target, rate and order: shares at the end, and what is learned when.

    `half_epoch` and `most` are those of `half_epochs`, `kept_early` and `kept_last` those of
    `kept`; `best_mse` and `best_epoch` are where the mean test error is least, `last_mse` is that
    at the end.
    """
    keys = ["target", "rate", "order"]
    last = table[table["epoch"] == table["epoch"].max()]
    shares = last[last["quantity"] == "share"].groupby(keys, sort=False)["value"]
    out = pd.DataFrame({"share": shares.mean(), "share_error": shares.sem()})
    for groups, columns in (
        (half_epochs(table).groupby(keys, sort=False), {"epoch": "half_epoch", "most": "most"}),
        (kept(table).groupby(keys, sort=False), {"early": "kept_early", "last": "kept_last"}),
    ):
        for column, name in columns.items() if len(groups) else ():
            out[name], out[f"{name}_error"] = groups[column].mean(), groups[column].sem()
    errors = table[table["quantity"] == "test_mse"]
    curves = errors.pivot_table("value", ["target", "rate"], "epoch", sort=False)
    for column, values in {
        "best_mse": curves.min(axis=1),
        "best_epoch": curves.idxmin(axis=1),
        "last_mse": curves[curves.columns.max()],
    }.items():
        out[column] = values.reindex(out.index.droplevel("order")).to_numpy()
    return out.reset_index()
