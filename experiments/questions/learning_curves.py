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

import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from interactions import Dropout, Inputs, MLPEnsemble, Samples, Uniform, fit, order_spectrum
from interactions.anova import released_distillation
from interactions.planted import (
    Planted,
    SumOfProducts,
    Term,
    covariance,
    paper_generator,
)
from paper_results import published

from ..running.context import Context

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
    error is taken as well; without any, or without XGBoost, there are none.
    """

    targets: tuple[str, ...] = ("generator 1", "generator 2 on inputs 2, 3")
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
    epochs: tuple[int, ...] = (*range(0, 50, 5), *range(50, 500, 25))
    tree_epochs: tuple[int, ...] = (*range(0, 50, 5), *range(50, 500, 25))
    query_points: int = 5000
    max_order: int = 3
    tolerance: float = 0.03
    budget: int = 2**18

    def __post_init__(self) -> None:
        if unknown := set(self.targets) - set(TARGETS):
            raise ValueError(f"unknown targets {sorted(unknown)}: choose from {TARGETS}")
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
FEWER = {"tree_epochs": (0, 10, 50, 200, 475)}
PRESETS = {
    ("released", "quick"): replace(RELEASED, **SHORT),
    ("released", "paper"): replace(RELEASED, **FEWER),
    ("text", "quick"): replace(TEXT, **SHORT),
    ("text", "paper"): replace(TEXT, tree_epochs=(0, 25, 100, 475)),
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
    return [replace(settings, targets=(t,)) for t in settings.targets]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: target, rate, repeat, epoch, quantity, order, value, standard_error, published.

    Quantities: train_mse; test_mse, on fresh points, with the noise's variance added exactly;
    variance and share, unbiased; tree_share, as released; amplitude of the effect of an order.
    """
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    steps_per_epoch = -(-s.samples // s.batch_size)
    rows: list[dict[str, object]] = []
    with context.progress(
        len(s.targets) * max(s.epochs) * steps_per_epoch, "training networks"
    ) as advance:
        for name in s.targets:
            x, y = _data(name, s, inputs, context)
            members = [(r, i) for r in s.rates for i in range(s.repeats)]
            ensemble = MLPEnsemble(
                (s.dim, *[s.width] * s.depth, 1),
                seeds=context.seeds(s.repeats) * len(s.rates),
                dropout=[Dropout(inputs=r, hidden=r) for r, _ in members],
                device=context.device,
            )
            steps = [e * steps_per_epoch for e in s.epochs]
            result = fit(
                ensemble,
                Samples(x, y, batch_size=s.batch_size),
                steps=max(steps),
                learning_rate=s.learning_rate,
                snapshots=steps,
                progress=advance,
            )
            snapshots = torch.stack([result.snapshots[step] for step in steps])
            then = ensemble.with_parameters(snapshots)
            # One sample measures every network at every epoch.
            spectrum = order_spectrum(
                then,
                inputs,
                max_order=s.max_order,
                tolerance=s.tolerance,
                budget=s.budget,
                seed=context.seed,
            )
            keys = [
                {"target": name, "rate": r, "repeat": i, "epoch": e}
                for e in s.epochs
                for r, i in members
            ]
            for row in spectrum.to_frame().itertuples():
                key = keys[row.output] | {"order": row.order}
                share = {"value": row.share, "standard_error": row.share_standard_error}
                variance = {"value": row.variance, "standard_error": row.standard_error}
                rows.append({**key, "quantity": "share", **share})
                rows.append({**key, "quantity": "variance", **variance})
            rows += _errors(keys, name, then, (x, y), s, inputs, context)
            rows += _trees(keys, name, then, s, inputs, context)
    columns = ["target", "rate", "repeat", "epoch", "quantity", "order"]
    numbers = ["value", "standard_error", "published"]
    return pd.DataFrame(rows, columns=[*columns, *numbers]).astype(dict.fromkeys(numbers, float))


def effects(name: str, inputs: Inputs) -> dict[int, Planted]:
    """The pure effects of a target by order, each of variance 1; empty for the generators."""
    orders = (1, 2, 3) if name == "mixture" else (int(name[-1]),)
    if not name.startswith(("pure", "mixture")):
        return {}
    pure = {k: paper_generator(k, pure_under=inputs) for k in orders}
    return {k: _scaled(f, covariance(f, f, inputs) ** -0.5) for k, f in pure.items()}


def target(name: str, inputs: Inputs) -> Planted:
    """The function that networks are to learn, without noise."""
    if parts := effects(name, inputs):
        return SumOfProducts(tuple(t for part in parts.values() for t in part.terms))
    generator = paper_generator(int(name[10]))
    if name.endswith("inputs 2, 3"):
        moved = [
            Term(t.coefficient, {j + 2: h for j, h in t.factors.items()}) for t in generator.terms
        ]
        return SumOfProducts(tuple(moved))
    return generator


def _scaled(f: Planted, scale: float) -> SumOfProducts:
    return SumOfProducts(tuple(Term(scale * t.coefficient, t.factors) for t in f.terms))


def _data(name: str, s: Settings, inputs: Inputs, context: Context) -> tuple[Tensor, Tensor]:
    """Points and noisy targets, [n, d] and [n] shared by all, or every network's own.

    The same repeat has the same data at every rate.
    """
    f, sets = target(name, inputs), []
    for seed in context.seeds(1 if s.shared_data else s.repeats):
        generator = torch.Generator().manual_seed(seed)
        x = inputs.sample(s.samples, generator=generator, dtype=torch.float32)
        sets.append((x, f(x) + s.noise * torch.randn(s.samples, generator=generator)))
    if s.shared_data:
        return sets[0]
    x, y = (torch.stack(parts) for parts in zip(*sets, strict=True))
    return x.repeat(len(s.rates), 1, 1), y.repeat(len(s.rates), 1)


def _query(s: Settings, inputs: Inputs, context: Context) -> Tensor:
    """Fresh points, the same for all networks."""
    generator = torch.Generator().manual_seed(context.seeds(s.repeats + 1)[-1])
    points = inputs.sample(s.query_points, generator=generator, dtype=torch.float32)
    return points.to(context.device)


def _answers(ensemble: MLPEnsemble, x: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([ensemble(part) for part in x.split(2**9)])


def _errors(
    keys: list[dict],
    name: str,
    then: MLPEnsemble,
    data: tuple[Tensor, Tensor],
    s: Settings,
    inputs: Inputs,
    context: Context,
) -> Iterator[dict[str, object]]:
    """Train and test error of every network, and what it holds of the target's effects."""
    query = _query(s, inputs, context)
    answers, truth = _answers(then, query).double(), target(name, inputs)(query.double())
    columns = {"test_mse": (answers - truth[:, None]).square().mean(dim=0) + s.noise**2}
    x, y = (part.to(then.flat) for part in data)
    fitted = []
    for first in range(0, then.members, len(s.rates) * s.repeats):
        some = then.select(range(first, first + len(s.rates) * s.repeats))
        with torch.no_grad():
            fitted.append((some.outputs(x).squeeze(-1) - y).double().square().mean(dim=1))
    columns["train_mse"] = torch.cat(fitted)
    for quantity, values in columns.items():
        for key, value in zip(keys, values.tolist(), strict=True):
            yield {**key, "quantity": quantity, "value": value}
    for order, part in effects(name, inputs).items():
        f = part(query.double())
        f = f - f.mean()
        for key, value in zip(keys, (f @ answers / (f @ f)).tolist(), strict=True):
            yield {**key, "quantity": "amplitude", "order": str(order), "value": value}


def _trees(
    keys: list[dict],
    name: str,
    then: MLPEnsemble,
    s: Settings,
    inputs: Inputs,
    context: Context,
) -> Iterator[dict[str, object]]:
    """Shares of V_1 + V_2 + V_3 by boosted trees, as released, beside the published ones."""
    if not s.tree_epochs or importlib.util.find_spec("xgboost") is None:
        return
    # A target that is not the paper's has no number after "generator ".
    read = published("fig7")
    read = read[read["generator"].map("generator {}".format) == name[:11]]
    read = read.set_index(["dropout_rate", "epoch", "order"])["mean"]
    query = _query(s, inputs, context)
    which = [i for i, key in enumerate(keys) if key["epoch"] in s.tree_epochs]
    with context.progress(len(which), f"boosted trees, {name}") as advance:
        for i in which:
            trees = released_distillation(query, _answers(then.select([i]), query)[:, 0])
            parts = trees.variance[:3]
            for order, share in enumerate(parts / parts.sum(), start=1):
                key = keys[i] | {"quantity": "tree_share", "order": str(order), "value": share}
                known = read.get((key["rate"], key["epoch"], order), np.nan)
                yield key | {"published": known}
            advance(1)


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
    """By target, rate and order: shares at the end, and what is published or learned when.

    `gap` is the mean distance of the boosted trees' shares, averaged over repeats, from the
    published ones; `half_epoch` and `most` are those of `half_epochs`, `kept_early` and
    `kept_last` those of `kept`; `best_mse` and `best_epoch` are where the mean test error is
    least, `last_mse` is that at the end.
    """
    keys = ["target", "rate", "order"]
    last = table[table["epoch"] == table["epoch"].max()]
    shares = last[last["quantity"] == "share"].groupby(keys, sort=False)["value"]
    out = pd.DataFrame({"share": shares.mean(), "share_error": shares.sem()})
    if table["published"].notna().any():
        trees = table.dropna(subset="published")
        means = trees.groupby([*keys, "epoch"], sort=False)[["value", "published"]].mean()
        gaps = (means["value"] - means["published"]).abs()
        out["gap"] = gaps.groupby(level=keys, sort=False).mean()
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
