"""Table C.1: the best drop rate by order, of documents and of functions that are of one order."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pandas as pd

from experiments.questions import newsgroups
from interactions.rate_sweep import grid_error

from .. import published
from .estimates import Estimate, NotInTableError, mean_over_repeats, select
from .points import as_points, averaged, order_label


def ties(table_c1: pd.DataFrame, *, order: int) -> Estimate:
    """Count the rates of an order that share Table C.1's best accuracy."""
    best = select(table_c1, order=order)["test_accuracy_mean"]
    return Estimate(float((best == best.max()).sum()), 0.0)


def planted_class_share(*, planted: int, order: int) -> Estimate:
    """Compute an order's share of a class where all planted columns are high, in closed form.

    Each of k columns is high with probability p. The product of k such indicators has variance
    C(k, j) (1-p)^j p^(2k-j) at order j, and p^k (1 - p^k) in all.
    """
    p = 1 - newsgroups.THRESHOLDS["even"](planted)
    part = math.comb(planted, order) * (1 - p) ** order * p ** (planted - order)
    return Estimate(part / (1 - p**planted), 0.0)


def best_rate_lost(
    table: pd.DataFrame,
    *,
    low: int,
    high: int,
    score: str,
    best: str,
    placement: str | None = None,
    noise: float | None = None,
) -> Estimate:
    """Subtract the best rate at a high true order from that at a low one, by repeat.

    After all training; `best` is the "max" or the "min" of the column `score`. Where the table
    has several placements or levels of noise, one must be named. The standard error includes
    that a best rate is known to its grid only.
    """
    wanted = {"placement": placement, "noise": noise}
    rows = select(table, **{k: v for k, v in wanted.items() if v is not None})
    if "steps" in rows.columns:
        rows = rows[rows["steps"] == rows["steps"].max()]

    def best_rates(order: int) -> pd.Series:
        scores = select(rows, order=order).pivot_table(score, "repeat", "rate")
        return scores.idxmax(axis=1) if best == "max" else scores.idxmin(axis=1)

    of_low = best_rates(low)
    lost = mean_over_repeats(of_low - best_rates(high))
    # Both best rates are rounded to the grid.
    rounding = math.sqrt(2) * grid_error(rows["rate"], len(of_low))
    error = math.hypot(lost.standard_error, rounding)
    return replace(lost, standard_error=error)


RESAMPLES = 2000
"""Draws of repeats with replacement, by which the best rate of a mean curve gets its error."""


def best_rate_of_means_lost(
    table: pd.DataFrame, *, low: int, high: int, score: str, best: str
) -> Estimate:
    """Subtract the best rate at a high order from that at a low one, both of mean curves.

    Where single runs scatter more than rates differ, the best rate of a run is that of its noise;
    the mean over repeats has a best rate of its own. Its standard error is that over repeats drawn
    with replacement, and that of rounding both best rates to their grid. `best` is the "max" or
    the "min" of the column `score`.
    """
    curves = [select(table, order=k).pivot_table(score, "repeat", "rate") for k in (low, high)]
    rates = curves[0].columns
    at_low, at_high = (c.reindex(columns=rates).dropna().to_numpy() for c in curves)
    n = min(len(at_low), len(at_high))
    if n < 2:
        raise NotInTableError("the best rate of a mean curve needs two repeats at both orders")
    sign = 1 if best == "max" else -1

    def lost(of_low: np.ndarray, of_high: np.ndarray) -> np.ndarray:
        """Of repeats [draws, n, rates]."""
        chosen = [(sign * c.mean(axis=1)).argmax(axis=1) for c in (of_low, of_high)]
        return rates.to_numpy()[chosen[0]] - rates.to_numpy()[chosen[1]]

    # Both orders are resampled by themselves: their repeats share no split and no columns.
    rng = np.random.default_rng(0)
    drawn = [c[rng.integers(len(c), size=(RESAMPLES, len(c)))] for c in (at_low, at_high)]
    spread = lost(*drawn).std() * math.sqrt(n / (n - 1))
    rounding = math.sqrt(2) * grid_error(rates, 1)
    value = lost(at_low[None], at_high[None])[0]
    return Estimate(float(value), math.hypot(spread, rounding), n)


def table_c1_published() -> pd.DataFrame:
    """Read Table C.1's test accuracies by rate, a series per order, printed to two digits."""
    t = published("tableC1")
    return as_points(
        t,
        quantity="accuracy",
        pane="test accuracy",
        series=order_label(t["order"]),
        x=t["dropout_rate"],
        value=t["test_accuracy_mean"],
        reading=0.005,
    )


def table_c1_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average our test accuracies by rate and order."""
    points = as_points(
        table,
        quantity="accuracy",
        pane="test accuracy",
        series=order_label(table["order"]),
        x=table["rate"],
        value=table["accuracy"],
    )
    return averaged(points)
