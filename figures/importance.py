"""The lecture's plot: the learned variance by order against the rate, early and late."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MultipleLocator, PercentFormatter

from .style import order_colour, panes

PLACEMENT = "activation dropout"
TARGETS = {"noise": "pure noise", "mixture": "a mixture of orders 1 to 4"}
MARKERS = {"1": "o", "2": "s", "3": "^", "4+": "D"}
LINES = {"1": "-", "2": "--", "3": "-.", "4+": ":"}
LUMPED = {"4": "4+", ">4": "4+", ">3": "4+"}
LEFT = 0.01
"""Part of the total variance at rate 0 that must be left for shares to be drawn."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per target, a column per number of steps; means over data sets ± 2 standard errors.

    Lines are shares of the variance by order, bars what is left of the total at rate 0. `table` is
    that of `regularizers`; there is no picture of one without dropout of hidden units.
    """
    rows = table[(table["quantity"] == "variance") & table["target"].isin(TARGETS)]
    rows = rows[rows["regularizer"].isin(["none", PLACEMENT])]
    if rows["regularizer"].nunique() < 2:
        return {}
    rows = rows.assign(order=rows["order"].astype(str).replace(LUMPED))
    keys = ["target", "steps", "strength", "repeat"]
    values = rows.groupby([*keys, "order"])["value"].sum().unstack("order")
    totals = values.sum(axis=1)
    shares = values.div(totals, axis=0)
    targets = [t for t in TARGETS if t in set(rows["target"])]
    steps = sorted(set(rows["steps"]))
    figure, axes = panes(len(steps), rows=len(targets), width=5.4, height=3.6)
    for line, target in zip(axes, targets, strict=True):
        for ax, count in zip(line, steps, strict=True):
            total = totals[target, count].groupby("strength").mean()
            left = total / total.loc[0.0]
            _shares(ax, shares.loc[target, count], left)
            _low_orders(ax, shares.loc[target, count], left)
            _left(ax, left)
            ax.set_title(f"{TARGETS[target]}, after {count:,} steps", fontsize=13)
        line[0].set_ylabel("share of the variance")
    for ax in axes[-1]:
        ax.set_xlabel("drop rate $r$ on hidden units")
    return {"importance": figure}


def _shares(ax: Axes, shares: pd.DataFrame, left: pd.Series) -> None:
    """A line per order with its name at the left end, while there is something left to share."""
    groups = shares[shares.index.get_level_values("strength").map(left) >= LEFT].groupby("strength")
    mean, error = groups.mean(), groups.sem()
    heights = _apart(mean.loc[0.0])
    for order in mean:
        colour = order_colour(order.replace("4+", ">3"))
        ax.errorbar(
            mean.index,
            mean[order],
            yerr=2 * error[order],
            color=colour,
            marker=MARKERS[order],
            ls=LINES[order],
            ms=7,
            lw=2.2 if order in ("1", "2") else 1.6,
            capsize=3,
        )
        ax.text(-0.02, heights[order], f"order {order}", color=colour, ha="right", va="center")


def _low_orders(ax: Axes, shares: pd.DataFrame, left: pd.Series) -> None:
    """What orders 1 and 2 hold together, without dropout and at the highest rate that is drawn."""
    both = shares[["1", "2"]].sum(axis=1).groupby("strength").mean()
    rate = left[left >= LEFT].index.max()
    text = f"orders 1 + 2: {both.loc[0.0]:.0%} at r = 0, {both.loc[rate]:.0%} at r = {rate:g}"
    ax.text(0.98, 0.95, text, transform=ax.transAxes, ha="right", va="top", fontsize=12)


def _apart(ends: pd.Series) -> pd.Series:
    """Heights for names beside these ends of lines, in their order, that do not overlap."""
    ends, last = ends.sort_values(), -1.0
    for order, end in ends.items():
        last = ends[order] = max(end, last + 0.075)
    return ends


def _left(ax: Axes, left: pd.Series) -> None:
    """Bars of the total variance that is left, below the shares."""
    ax.bar(left.index, 0.16 * left, bottom=-0.3, width=0.03, color="0.75")
    for rate, part in left.items():
        percent = f"{part:.0%}" if part >= LEFT else "<1%"
        ax.text(rate, -0.285 + 0.16 * part, percent, ha="center", va="bottom", fontsize=10)
    ax.text(-0.02, -0.24, "total\nleft", ha="right", va="center", fontsize=10, color="0.4")
    ax.axhline(0, color="0.4", lw=1)
    ax.set_ylim(-0.32, 0.95)
    ax.set_xlim(-0.12, left.index.max() + 0.03)
    ax.xaxis.set_major_locator(MultipleLocator(0.125))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.set_yticks([0, 0.25, 0.5, 0.75])
    ax.yaxis.set_major_formatter(PercentFormatter(1.0))
