"""Figures 1, 2 and 3: the senses in which dropout leaves (1-r)^k of an effect of order k."""

from __future__ import annotations

import pandas as pd

from interactions.theory import survival

from .. import published
from .estimates import (
    Estimate,
    NotInTableError,
    by_repeat,
    largest_gap,
    mean_over_repeats,
    only,
    select,
)
from .points import as_points, averaged, order_label, rate_label


def survivors_over_expected(table: pd.DataFrame, *, largest_order: int) -> Estimate:
    """Divide effects counted under drawn masks by C(d,k) (1-r)^k: mean ratio, 1 by the law.

    Over rates and the orders up to the largest, by repeat.
    """
    rows = table[table["order"] <= largest_order].dropna(subset="counted")
    if rows.empty:
        raise NotInTableError("no masks were drawn")
    return mean_over_repeats((rows["counted"] / rows["law"]).groupby(rows["repeat"]).mean())


def gap_to_survival(table: pd.DataFrame, *, sense: str, quantity: str) -> Estimate:
    """Find the largest distance from (1-r)^k, over orders and rates, of what dropout leaves."""
    rows = select(table, part="laws", sense=sense, quantity=quantity).dropna(subset="measured")
    gaps = (rows["measured"] - rows["survival"]).groupby([rows["order"], rows["rate"]])
    return largest_gap(
        pd.DataFrame({"gap": gaps.mean(), "standard_error": gaps.sem(), "repeats": gaps.size()})
    )


def step_gap_to_survival(
    table: pd.DataFrame, *, placement: str, model: str, kind: str, optimizer: str
) -> Estimate:
    """Find the largest distance from (1-r)^k of how far a first step moves the answer.

    The move is a part of the one at r = 0; over orders and rates.
    """
    rows = select(
        table, part="start", placement=placement, model=model, kind=kind, optimizer=optimizer
    )
    law = [survival(rate, order) for rate, order in zip(rows["rate"], rows["order"], strict=True)]
    cells = rows.assign(gap=rows["moved"] - law).groupby(["order", "rate"])
    # One start has the error over its masks; several have one over starts.
    error = cells["gap"].sem().fillna(cells["standard_error"].first())
    gap = cells["gap"].mean()
    return largest_gap(pd.DataFrame({"gap": gap, "standard_error": error, "repeats": cells.size()}))


def step_lost_with_order(
    table: pd.DataFrame,
    *,
    placement: str,
    model: str,
    kind: str,
    optimizer: str,
    rate: float,
    low: int,
    high: int,
) -> Estimate:
    """Subtract how far a first step moves the answer at a high order from that at a low one.

    Moves are parts of those at r = 0, by start; 0 where dropout acts on both orders alike.
    """
    rows = select(
        table,
        part="start",
        placement=placement,
        model=model,
        kind=kind,
        optimizer=optimizer,
        rate=rate,
    )
    of_low, of_high = (by_repeat(rows, "moved", order=order) for order in (low, high))
    return mean_over_repeats(of_low - of_high)


def leftover(table: pd.DataFrame, *, target: str, rate: float, at_zero: float) -> Estimate:
    """Divide an effect's mean under masks, over all points, by the effect at zero: a ratio.

    The effect itself has mean 0, so that without dropout the ratio is 0.
    """
    rows = select(table, target=target, rate=rate)
    weighted = (rows["mean"] * rows["count"]).groupby(rows["repeat"]).sum()
    return mean_over_repeats(weighted / rows.groupby("repeat")["count"].sum() / at_zero)


def published_curve_ratio(fig1: pd.DataFrame, *, order: int, rate: float) -> Estimate:
    """Divide Fig 1's curve at a rate by the one without dropout, at the largest X."""
    rows = select(fig1, order=order, x=fig1["x"].max()).set_index("dropout_rate")
    return Estimate(rows.loc[rate, "conditional_mean"] / rows.loc[0.0, "conditional_mean"], 0.0)


def published_norm_over_survival(fig2: pd.DataFrame, *, order: int, rate: float) -> Estimate:
    """Divide Fig 2's published median by (1-r)^k."""
    row = select(fig2, order=order, dropout_rate=rate).iloc[0]
    return Estimate(row["median_relative_update_norm"] / survival(rate, order), 0.0)


def published_norm_rise(fig2: pd.DataFrame, *, rate: float, low: int, high: int) -> Estimate:
    """Subtract Fig 2's median at a low order from that at a high one, at the same rate."""
    medians = select(fig2, dropout_rate=rate).set_index("order")["median_relative_update_norm"]
    return Estimate(medians[high] - medians[low], 0.0)


def fig_1_published() -> pd.DataFrame:
    """Read Fig 1's curves: the mean answer at X, a pane per order, a series per rate."""
    t = published("fig1")
    return as_points(
        t,
        quantity="conditional mean",
        pane=order_label(t["order"]),
        series=rate_label(t["dropout_rate"]),
        x=t["x"],
        value=t["conditional_mean"],
        reading=2e-9,
    )


def fig_1_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average our means at X >= 0 of the one target published: one grid copied into all inputs."""
    t = only(table, target="one input, copied")
    # The middle of the grid is 0 but for rounding.
    t = t[t["x"] > -0.01]
    return averaged(
        as_points(
            t,
            quantity="conditional mean",
            pane=order_label(t["order"]),
            series=rate_label(t["rate"]),
            x=t["x"].abs(),
            value=t["mean"],
        )
    )


def fig_2_published() -> pd.DataFrame:
    """Read Fig 2's medians: norm of the first update at a rate over that at r = 0."""
    t = published("fig2")
    return as_points(
        t,
        quantity="median norm",
        pane="norm of the first update, over r = 0",
        series=order_label(t["order"]),
        x=t["dropout_rate"],
        value=t["median_relative_update_norm"],
        reading=5e-9,
    )


def fig_2_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average, over data sets, the median over starts of our first update's norm over r = 0's.

    The error is that of another single data set, such as the published one is: their standard
    deviation, and the error of our mean beside it.
    """
    t = only(table, part="norm")
    medians = t.groupby(["order", "rate", "data_set"])["norm"].median().reset_index()
    points = averaged(
        as_points(
            medians,
            quantity="median norm",
            pane="norm of the first update, over r = 0",
            series=order_label(medians["order"]),
            x=medians["rate"],
            value=medians["norm"],
        )
    )
    # Of one more data set and of our mean, from the error of the mean alone.
    another = (1 + medians["data_set"].nunique()) ** 0.5
    return points.assign(standard_error=points["standard_error"] * another)


def fig_3_published() -> pd.DataFrame:
    """Read Fig 3's counts of surviving effects by order from pane a; b is its left end."""
    t = only(published("fig3"), pane="a")
    return as_points(
        t,
        quantity="surviving effects",
        pane="surviving effects",
        series=rate_label(t["dropout_rate"]),
        x=t["order"],
        value=t["value"],
        reading=8e-8 * t["value"],
    )


def fig_3_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average our counts of surviving effects; the closed form, without error, if none were."""
    counted = table["counted"].notna().any()
    t = table[table["order"] <= 24]
    points = as_points(
        t,
        quantity="surviving effects",
        pane="surviving effects",
        series=rate_label(t["rate"]),
        x=t["order"],
        value=t["counted" if counted else "law"],
    )
    points = averaged(points)
    return points if counted else points.assign(standard_error=0.0)
