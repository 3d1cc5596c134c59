"""Figure 6: errors and orders of networks on bike sharing data."""

from __future__ import annotations

import math

import pandas as pd

from .. import published
from .estimates import Estimate, NotInTableError, mean_over_repeats, only, order_text, select
from .points import ERROR, SHARE, as_points, averaged, rate_label


def error_gained_by_dropout(table: pd.DataFrame) -> Estimate:
    """Subtract the test error without dropout from that at the best placement and positive rate.

    A mean squared error, by repeat. Each network's is that at the epoch with its least error on
    held-out hours; without these, its least. The best rate of a repeat is that of the other
    repeats' mean error, so that it is not chosen by the networks it is judged by.
    """
    keys = ["placement", "rate", "repeat"]
    rows = table[table["quantity"].isin(["test_mse", "validation_mse"])]
    looks = rows.pivot_table("value", [*keys, "epoch"], "quantity")
    watched = looks.get("validation_mse", looks["test_mse"])
    errors = looks.loc[watched.groupby(level=keys).idxmin(), "test_mse"].droplevel("epoch")
    cells = errors.unstack("repeat")
    dropped = cells[cells.index.get_level_values("rate") > 0]
    if ("none", 0.0) not in cells.index or dropped.empty or len(cells.columns) < 2:
        raise NotInTableError("the table needs rate 0, a positive one and two repeats")
    best = pd.Series({i: dropped[i][dropped.drop(columns=i).mean(axis=1).idxmin()] for i in cells})
    return mean_over_repeats(best - cells.loc["none", 0.0])


def published_error_over_constant(
    fig6: pd.DataFrame, baseline: pd.DataFrame, *, quantity: str, rate: float, runs: int
) -> Estimate:
    """Divide Fig 6's error at the last epoch by that of a constant, the target's variance.

    The standard error is over its runs: the spread drawn divides by their number.
    """
    row = select(fig6, quantity=quantity, dropout_rate=rate, epoch=fig6["epoch"].max()).iloc[0]
    column = "test_value" if quantity == "test_mse" else "train_value"
    constant = baseline[column].iloc[-1]
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
