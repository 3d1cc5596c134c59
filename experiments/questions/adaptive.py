"""Does a strength chosen by order beat dropout, weight decay and early stopping on tables?

Small networks learn tables with a number to predict: ten of R's packages, of 392 to 53,940 rows,
bike sharing, and a planted mixture of orders 1 to 4 with noise. Every repeat splits the rows anew
into those for training, those held out, by which everything is chosen, and those of the test. Each
method has as many candidates as the others, trained on the same rows from the same starts, and the
network without regularizer beside them:

dropout         rates after hidden layers, or at the inputs as well
weight decay    decoupled, as of AdamW
order penalty   noise sensitivity: one strength for all orders
orders from K   spares the orders below K; K and the strength are chosen
by order        the weight of order k is variance over signal, as two networks say that learned a
                half of the training rows each: signal is what they agree on, <F_a, F_b>_k, and
                variance V_k(F_a - F_b) / 4, that of networks of all rows, which is half of theirs.
                The penalty keeps F_k / (1 + w_k), and this w_k makes that amplitude the best one;
                a factor times all weights is chosen.

The last two act by order. With `stopped` the number of steps is chosen on the held-out rows as
well, by all methods alike ("none" then is early stopping alone); without, all are trained to the
end. A table is the unit: errors over splits and starts are averaged first. `additive` is a planted
control, of order 1 alone, where acting by order has to help; it counts in no mean.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product
from math import comb
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy.stats import t as student
from torch import Tensor

from interactions import (
    Dropout,
    Empirical,
    MLPEnsemble,
    OrderPenalty,
    Samples,
    fit,
    order_spectrum,
)
from interactions.networks import FitResult, member_seed
from interactions.penalty import weights_from_order

from ..data_sets import SOURCES, Rows, Split, split_of, table_of
from ..running.context import Context
from ..tasks import dropout_at

QUESTION = "Does a strength chosen by order beat dropout, decay and early stopping on tables?"
DATA = ("bike_sharing", "r_tables")
METHODS = ("none", "dropout", "weight decay", "order penalty", "orders from K", "by order")
BASELINE = "dropout"
CONTROL = "additive"
TABLES = ("mixture", "bike", *SOURCES, CONTROL)
TOLD_APART = 2
"""Orders whose variance and signal are measured; those above weigh what squares must then."""
TINY, LARGEST_RATIO = 1e-6, 100.0
"""Ends of the ratio of variance to signal, which has none where two networks agree on nothing."""
PRECISION = {"method": "kernel", "tolerance": 0.02, "budget": 2**17}
RESAMPLES = 10_000

FINE = tuple(base * 10.0**power for power in range(-3, 3) for base in (1.0, 2.0, 5.0))
"""Strengths over the range in which penalties go from no effect to too much, .001 to 500."""

DECAYS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.7)
DECAYS += (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 20.0)


@dataclass(frozen=True)
class Settings:
    """Candidates of every method, as many of each, on `tables`.

    Dropout has `placements` at `rates`, weight decay `decays`, the order penalty `strengths`,
    orders from K `orders` at `order_strengths`, by order `factors`. A table gives `rows` for
    training, `held_out_rows` and `test_rows` at most. Networks are looked at after each of `steps`.
    """

    tables: tuple[str, ...] = field(default=TABLES, metadata={"among": TABLES})
    placements: tuple[str, ...] = field(
        default=("hidden", "both"), metadata={"among": ("inputs", "hidden", "both")}
    )
    rates: tuple[float, ...] = field(
        default=(0.03125, 0.0625, 0.125, 0.1875, 0.25, 0.375, 0.5, 0.625, 0.75),
        metadata={"range": "(0, 1)"},
    )
    decays: tuple[float, ...] = field(
        default=DECAYS,
        metadata={"range": "(0, 1e3]"},
    )
    strengths: tuple[float, ...] = field(default=FINE, metadata={"range": "(0, 1e3]"})
    orders: tuple[int, ...] = (1, 2, 3)
    order_strengths: tuple[float, ...] = field(
        default=(0.04, 0.2, 1.0, 5.0, 25.0, 125.0), metadata={"range": "(0, 1e3]"}
    )
    factors: tuple[float, ...] = field(default=FINE, metadata={"range": "(0, 1e3]"})
    repeats: int = 10
    rows: int = 240
    held_out_rows: int = 120
    test_rows: int = 2000
    width: int = 32
    depth: int = 2
    batch_size: int = 32
    steps: tuple[int, ...] = (10, 25, 50, 100, 200, 300, 400, 600, 800, 1000)
    learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        counts = {
            "placements x rates": len(self.placements) * len(self.rates),
            "decays": len(self.decays),
            "strengths": len(self.strengths),
            "orders x order_strengths": len(self.orders) * len(self.order_strengths),
            "factors": len(self.factors),
        }
        if len(set(counts.values())) > 1:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            raise ValueError(f"every method must have as many candidates as the others, got {told}")


PRESETS = {
    ("controlled", "tiny"): Settings(
        tables=("mixture", "additive"),
        rates=(0.25,),
        decays=(0.3, 3.0),
        strengths=(0.03, 0.3),
        orders=(1, 2),
        order_strengths=(0.1,),
        factors=(0.5, 2.0),
        repeats=2,
        rows=64,
        held_out_rows=32,
        test_rows=64,
        width=8,
        depth=1,
        steps=(5, 10),
    ),
    ("controlled", "quick"): Settings(
        placements=("hidden",),
        rates=(0.0625, 0.125, 0.25),
        decays=(0.1, 1.0, 10.0),
        strengths=(0.01, 0.1, 1.0),
        order_strengths=(0.1,),
        factors=(0.01, 0.1, 1.0),
        repeats=3,
        steps=(10, 25, 50, 100, 200, 400),
    ),
    ("controlled", "paper"): Settings(),
}


def shards(settings: Settings) -> list[Settings]:
    """A table each."""
    return [replace(settings, tables=(name,)) for name in settings.tables]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per table, stopped or not, method and repeat: what was chosen, and its errors.

    `choice` says what was chosen beside `strength` (a rate, decay, strength or factor) and `step`;
    `weight_1`, .. are those that networks of half the rows gave the orders. Errors are mean squares
    over the variance of the numbers to predict; `rows` and `inputs` are the table's in training.
    """
    tables = [_of_table(name, settings, context) for name in settings.tables]
    return pd.concat(tables, ignore_index=True)


def _of_table(name: str, s: Settings, context: Context) -> pd.DataFrame:
    sizes = {"rows": s.rows, "held_out": s.held_out_rows, "test": s.test_rows}
    split = split_of(table_of(name, context), context, repeats=s.repeats, **sizes)
    cells = cells_of(s)
    what = f"{name}: training {(len(cells) + 2) * s.repeats} networks"
    with context.progress(2 * max(s.steps), what) as advance:
        weights = weights_by_order(split, s, context, advance)
        ensemble, result = _train(cells, split, weights, s, context, advance)
    every = list(range(s.repeats)) * len(cells)
    held_out = _errors_at_steps(ensemble, result, split.held_out, every, s)
    held_out = held_out.unflatten(1, (len(cells), s.repeats))
    rows, networks, members = [], [], []
    for stopped, method, repeat in product((True, False), METHODS, range(s.repeats)):
        tried = [i for i, cell in enumerate(cells) if cell.method in ("none", method)]
        first = 0 if stopped else len(s.steps) - 1
        errors = held_out[first:, tried, repeat]
        look, which = divmod(int(errors.argmin()), len(tried))
        cell, step = cells[tried[which]], s.steps[first + look]
        members.append(tried[which] * s.repeats + repeat)
        networks.append(result.snapshots[step][members[-1]])
        row = {"table": name, "stopped": stopped, "method": method, "repeat": repeat}
        row |= {"choice": cell.choice, "strength": cell.strength, "step": step}
        row |= {f"weight_{k}": w for k, w in enumerate(weights[repeat], start=1)}
        rows.append(row | {"held_out_error": split.unit[repeat] * float(errors.min())})
    chosen = ensemble.select(members).with_parameters(torch.stack(networks))
    errors = _errors(chosen, split.test, [row["repeat"] for row in rows])
    for row, error in zip(rows, errors.tolist(), strict=True):
        row["test_error"] = split.unit[row["repeat"]] * error
    told = {"rows": split.train[1].shape[1], "inputs": split.inputs.dim}
    return pd.DataFrame(rows).assign(**told)


# Networks: members are cell by cell, repeat by repeat.


class Cell(NamedTuple):
    """A candidate of a method, and what it makes of a network and its training.

    `order` is K of an order penalty, or 0 for noise sensitivity, or None for weights by order.
    """

    method: str = "none"
    choice: str = "nothing"
    strength: float = 0.0
    dropout: Dropout = Dropout()
    decay: float = 0.0
    order: int | None = 0

    def penalty(self, inputs: Empirical, weights: tuple[float, ...]) -> OrderPenalty | None:
        """The order penalty under the table's inputs, with the weights measured in a repeat."""
        if self.method not in METHODS[3:]:
            return None
        own = weights if self.order is None else weights_from_order(max(self.order, 1))
        return OrderPenalty(
            inputs, weights=None if self.order == 0 else own, strength=self.strength
        )


def cells_of(s: Settings) -> list[Cell]:
    """All candidates, none first."""
    cells = [Cell()]
    for place, rate in product(s.placements, s.rates):
        cells.append(Cell("dropout", place, rate, dropout=dropout_at(place, rate)))
    cells += [Cell("weight decay", "decoupled", decay, decay=decay) for decay in s.decays]
    cells += [Cell("order penalty", "all orders", strength) for strength in s.strengths]
    for order, strength in product(s.orders, s.order_strengths):
        cells.append(Cell("orders from K", f"from {order}", strength, order=order))
    return cells + [Cell("by order", "as measured", factor, order=None) for factor in s.factors]


def _train(
    cells: list[Cell],
    split: Split,
    weights: list[tuple[float, ...]],
    s: Settings,
    context: Context,
    advance: Callable[[int], None],
) -> tuple[MLPEnsemble, FitResult]:
    members = [(cell, repeat) for cell in cells for repeat in range(s.repeats)]
    ensemble = _networks(
        split.train[0].shape[2],
        context.seeds(s.repeats) * len(cells),
        [cell.dropout for cell, _ in members],
        s,
        context,
    )
    x, y = (t[[repeat for _, repeat in members]] for t in split.train)
    penalties = [cell.penalty(split.inputs, weights[i]) for cell, i in members]
    decays = [cell.decay for cell, _ in members]
    return ensemble, _fit(ensemble, (x, y), s, advance, decays, penalties)


def _networks(
    inputs: int, seeds: list[int], dropout: list[Dropout], s: Settings, context: Context
) -> MLPEnsemble:
    sizes = (inputs, *[s.width] * s.depth, 1)
    return MLPEnsemble(sizes, seeds=seeds, dropout=dropout, device=context.device)


def _fit(
    networks: MLPEnsemble,
    rows: Rows,
    s: Settings,
    advance: Callable[[int], None],
    decays: float | list[float] = 0.0,
    penalties: list[OrderPenalty | None] | None = None,
) -> FitResult:
    return fit(
        networks,
        Samples(*rows, batch_size=s.batch_size),
        steps=max(s.steps),
        optimizer="adamw",  # Without decay this is Adam.
        learning_rate=s.learning_rate,
        weight_decay=decays,
        order_penalty=penalties,
        snapshots=s.steps,
        progress=advance,
    )


def _errors(networks: MLPEnsemble, rows: Rows, repeats: list[int]) -> Tensor:
    """Mean squared errors [E] of networks, each on its repeat's rows; infinite if diverged."""
    x, y = (t[repeats].to(networks.flat) for t in rows)
    with torch.no_grad():
        gaps = networks.outputs(x)[..., 0] - y
    return gaps.double().square().mean(dim=1).nan_to_num(nan=torch.inf).cpu()


def _errors_at_steps(
    networks: MLPEnsemble, result: FitResult, rows: Rows, repeats: list[int], s: Settings
) -> Tensor:
    """Errors of the networks after each of the steps, [steps, E]."""
    looks = (networks.with_parameters(result.snapshots[step]) for step in s.steps)
    return torch.stack([_errors(look, rows, repeats) for look in looks])


# Weights by order: what two networks of half the rows agree on is signal.


def weights_by_order(
    split: Split, s: Settings, context: Context, advance: Callable[[int], None]
) -> list[tuple[float, ...]]:
    """Weights of orders 1, 2, .. for every repeat, from two networks at their best steps."""
    half = split.train[1].shape[1] // 2
    repeats = [repeat for repeat in range(s.repeats) for _ in range(2)]
    x, y = (
        torch.stack([part for of in rows for part in of[: 2 * half].split(half)])
        for rows in split.train
    )
    seeds = [member_seed(seed, f"half {i}") for seed in context.seeds(s.repeats) for i in range(2)]
    networks = _networks(x.shape[2], seeds, [Dropout()] * len(seeds), s, context)
    result = _fit(networks, (x, y), s, advance)
    best = _errors_at_steps(networks, result, split.held_out, repeats, s).argmin(dim=0)
    flat = [result.snapshots[s.steps[look]][i] for i, look in enumerate(best.tolist())]
    networks = networks.with_parameters(torch.stack(flat))
    orders = min(TOLD_APART, split.inputs.dim)
    weights = []
    for repeat in range(s.repeats):
        pair = networks.select([2 * repeat, 2 * repeat + 1])
        agreement = partial(_agreement, pair)
        spectrum = order_spectrum(agreement, split.inputs, max_order=orders, **PRECISION)
        weights.append(weights_of(*spectrum.variance[:, :orders]))
    return weights


def _agreement(pair: MLPEnsemble, x: Tensor) -> Tensor:
    """Half the sum and half the difference of two networks, [n, 2]."""
    a, b = pair(x.to(pair.flat)).to(x).unbind(dim=1)
    return torch.stack([a + b, a - b], dim=1) / 2


def weights_of(agreed: np.ndarray, apart: np.ndarray) -> tuple[float, ...]:
    """Variance over signal of every order, from variances of half the sum and half the difference.

    Squares have weights that grow ever faster (interactions/penalty/profiles.py): an order weighs
    its ratio, or what it must beside the orders below it if that is more.
    """
    signal = np.maximum(agreed - apart, TINY)
    ratios = np.clip(apart / signal, TINY, LARGEST_RATIO)
    steps: list[float] = []
    weights: list[float] = []
    for k, ratio in enumerate(ratios.tolist(), start=1):
        least = sum(step * comb(k, j) for j, step in enumerate(steps, start=1))
        steps.append(max(ratio - least, 0.0))
        weights.append(least + steps[-1])
    return tuple(weights)


# What it comes to: tables are repeats.


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By method, stopped or not: mean rank, and test error over that of dropout, over tables.

    `ratio` is a geometric mean with Student's 95% interval; ranks have that of a bootstrap, which
    draws tables anew. Both are unknown with a single table.
    """
    counted = table[table["table"] != CONTROL]
    counted = counted if len(counted) else table
    errors = counted.groupby(["stopped", "table", "method"], sort=False)["test_error"].mean()
    rows = []
    for stopped, of in errors.groupby(level="stopped", sort=False):
        wide = of.droplevel("stopped").unstack("method")[list(METHODS)]
        ranks = wide.rank(axis=1)
        low, high = _bootstrap(ranks.to_numpy())
        ratios = np.log(wide.div(wide[BASELINE], axis=0))
        margin = ratios.sem() * student.ppf(0.975, max(len(wide) - 1, 1))
        for i, method in enumerate(METHODS):
            mean = ratios[method].mean()
            row = {"stopped": stopped, "method": method, "tables": len(wide)}
            row |= {"mean_rank": ranks[method].mean(), "rank_low": low[i], "rank_high": high[i]}
            row |= {"ratio": np.exp(mean), "ratio_low": np.exp(mean - margin[method])}
            rows.append(row | {"ratio_high": np.exp(mean + margin[method])})
    return pd.DataFrame(rows)


def _bootstrap(ranks: np.ndarray) -> np.ndarray:
    """Ends of 95% intervals of the columns' means, [2, columns], rows drawn anew."""
    if len(ranks) < 2:
        return np.full((2, ranks.shape[1]), np.nan)
    drawn = np.random.default_rng(0).integers(len(ranks), size=(RESAMPLES, len(ranks)))
    return np.quantile(ranks[drawn].mean(axis=1), [0.025, 0.975], axis=0)
