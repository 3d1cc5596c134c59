"""Figure 6: errors and orders of networks on bike sharing data."""

from __future__ import annotations

import math

import pandas as pd

from .. import published
from .estimates import (
    Estimate,
    NotInTableError,
    by_repeat,
    mean_over_repeats,
    only,
    order_text,
    select,
)
from .points import ERROR, SHARE, as_points, averaged, rate_label


def error_gained_by_dropout(table: pd.DataFrame, *, placement: str) -> Estimate:
    """Subtract the test error without dropout from that at a placement and its best positive rate.

    A mean squared error, by repeat. Each network's is that at the epoch with its least error on
    held-out hours. The best rate of a repeat is that of the other repeats' mean error, so that it
    is not chosen by the networks it is judged by.

    Raises NotInTableError where the mean held-out error, without dropout or at the best rate, is
    least at the last epoch: then the end of training stops networks, and not these hours.
    """
    rows = select(table, quantity=["test_mse", "validation_mse"], placement=["none", placement])
    looks = rows.pivot_table("value", ["rate", "repeat", "epoch"], "quantity")
    if "validation_mse" not in looks or 0.0 not in looks.index.get_level_values("rate"):
        raise NotInTableError("the table needs errors on held-out hours, and rate 0")
    best_look = looks["validation_mse"].groupby(level=["rate", "repeat"]).idxmin()
    cells = looks.loc[best_look, "test_mse"].droplevel("epoch").unstack("repeat")
    dropped = cells[cells.index > 0]
    if dropped.empty or len(cells.columns) < 2:
        raise NotInTableError("the table needs a positive rate and two repeats")
    held_out = looks["validation_mse"].groupby(level=["rate", "epoch"]).mean().unstack("epoch")
    last = held_out.columns.max()
    for rate in (0.0, dropped.mean(axis=1).idxmin()):
        if held_out.loc[rate].idxmin() == last:
            raise NotInTableError(
                f"at r = {rate:g} the error on held-out hours still falls at epoch {last}, the last"
            )
    best = pd.Series({i: dropped[i][dropped.drop(columns=i).mean(axis=1).idxmin()] for i in cells})
    return mean_over_repeats(best - cells.loc[0.0])


def share_gained_on_bike_sharing(
    table: pd.DataFrame, *, placement: str, rate: float, orders: list[str], epoch: int
) -> Estimate:
    """Subtract some orders' share without dropout from that at a rate, by repeat.

    Unbiased, after so many epochs; orders are "1", "2", "3" and ">3", of which shares are added.
    """
    rows = select(table, quantity="share", epoch=epoch)
    rows = rows.assign(order=order_text(rows["order"]))
    dropped, undropped = (
        by_repeat(rows, "value", placement=place, rate=r, order=orders)
        for place, r in ((placement, rate), ("none", 0.0))
    )
    return mean_over_repeats(dropped - undropped)


def published_error_over_constant(
    fig6: pd.DataFrame, table: pd.DataFrame, *, quantity: str, rate: float, runs: int
) -> Estimate:
    """Divide Fig 6's error at the last epoch by that of a constant, the mean of training hours.

    The constant's error is that on the same hours, which our run has beside its own. The standard
    error is over Fig 6's runs: the spread drawn divides by their number.
    """
    row = select(fig6, quantity=quantity, dropout_rate=rate, epoch=fig6["epoch"].max()).iloc[0]
    constant = select(table, quantity=quantity)["constant"].iloc[0]
    return Estimate(row["mean"] / constant, row["spread"] / math.sqrt(runs - 1) / constant, runs)


PANES = {"train_mse": "training error", "test_mse": "test error"}
PANES |= {f"effect_k{k}": f"share, order {k}" for k in (1, 2, 3)}
"""What Fig 6's panes show, by the names its numbers go by."""


def fig_6_published() -> pd.DataFrame:
    """Read Fig 6's errors and shares by epoch, a series per rate."""
    t = published("fig6")
    error = t["quantity"].str.endswith("mse")
    return as_points(
        t,
        quantity=error.map({True: ERROR, False: SHARE}),
        pane=t["quantity"].map(PANES),
        series=rate_label(t["dropout_rate"]),
        x=t["epoch"],
        value=t["mean"],
        reading=3e-8,
    )


def fig_6_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average our errors and, as published, boosted trees' shares, of dropout on all layers."""
    table = only(table, placement=["none", "both"])
    errors = only(table, quantity=["train_mse", "test_mse"])
    trees = only(table, quantity="tree_share")
    t = pd.concat([errors, trees])
    points = as_points(
        t,
        quantity=t["quantity"].eq("tree_share").map({True: SHARE, False: ERROR}),
        pane=t["quantity"].map(PANES).fillna("share, order " + order_text(t["order"])),
        series=rate_label(t["rate"]),
        x=t["epoch"],
        value=t["value"],
    )
    return averaged(points)
