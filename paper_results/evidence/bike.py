"""Figure 6: errors and orders of networks on bike sharing data, and what dropout does to these."""

from __future__ import annotations

import math

import pandas as pd

from .. import published
from .estimates import (
    Estimate,
    NotInTableError,
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

    Raises NotInTableError where the held-out error, without dropout or at the best rate, still
    falls at the last epoch: then the end of training stops networks, and not these hours.
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
    held_out = looks["validation_mse"].unstack("epoch")
    last = held_out.columns.max()
    for rate in (0.0, dropped.mean(axis=1).idxmin()):
        if _still_falls(held_out.loc[rate]):
            raise NotInTableError(
                f"at r = {rate:g} the error on held-out hours still falls at epoch {last}, the last"
            )
    best = pd.Series({i: dropped[i][dropped.drop(columns=i).mean(axis=1).idxmin()] for i in cells})
    return mean_over_repeats(best - cells.loc[0.0])


STILL = 2.0
"""Standard errors by which the last look must be the least for an error to count as falling."""


def _still_falls(errors: pd.DataFrame) -> bool:
    """Whether errors, a row per repeat, are lower at the last look than at the best before it."""
    *before, last = sorted(errors.columns)
    gained = errors[errors[before].mean().idxmin()] - errors[last]
    return bool(gained.mean() > STILL * gained.sem())


def selectivity_of(table: pd.DataFrame, *, target: str, regularizer: str) -> Estimate:
    """Read a regularizer's selectivity at half of the total variance, after all training.

    A slope of log variance in order, by repeat; negative acts on interactions.
    """
    rows = select(table, quantity="selectivity", target=target, regularizer=regularizer)
    rows = select(rows, where="half", steps=rows["steps"].max())
    return mean_over_repeats(rows.set_index("repeat")["value"])


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
