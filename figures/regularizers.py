"""Regularizers ranked by their selectivity, at the same total variance and at the best error."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.markers import CARETLEFT

from . import importance
from .style import panes

TARGETS = {
    "noise": ("#0072B2", "o", "pure noise"),
    "mixture": ("#D55E00", "s", "mixture of orders 1 to 4"),
    "products": ("#009E73", "^", "products of 3 inputs, no noise"),
    "bike": ("#CC79A7", "D", "bike sharing"),
}
PLACES = {
    "half": "at half of the total variance",
    "quarter": "at a quarter of it",
    "best": "at the best test error",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """The ranking, and the orders of what is learned against the rate (figures/importance.py)."""
    return {"regularizers": _ranking(table), **importance.draw(table)}


def _ranking(table: pd.DataFrame) -> Figure:
    """A row per number of steps, a pane per place; regularizers from most to least selective.

    Points are means over repeats with two standard errors; a ring is a single repeat, a "<" a slope
    that lies lower yet, for an order is lost in its errors in some repeat. Where there is no
    point, no slope could be measured. Lines are what theory says of input dropout on
    products. The ranking is by the mean over targets, at half of the variance after most steps.
    """
    slopes = table[table["quantity"] == "selectivity"]
    steps = sorted(set(slopes["steps"]))
    names = _ranked(slopes)
    figure, axes = panes(len(PLACES), rows=len(steps), width=4.6, height=0.3 * len(names) + 1.2)
    for row, count in zip(axes, steps, strict=True):
        for ax, top, (place, title) in zip(row, axes[0], PLACES.items(), strict=True):
            here = slopes[(slopes["steps"] == count) & (slopes["where"] == place)]
            _dots(ax, here, names)
            ax.set_title(f"{title}, {count:,} steps", fontsize=11)
            ax.sharex(top)
            ax.set_yticks(range(len(names)), names if place == "half" else [""] * len(names))
            ax.set_ylim(len(names) - 0.5, -0.5)
    for ax in axes[-1]:
        ax.set_xlabel("selectivity: slope of log($V_k$ with / without) in $k$")
    used = [t for t in TARGETS if t in set(slopes["target"])]
    key = [
        Line2D([], [], color=TARGETS[t][0], marker=TARGETS[t][1], ls="", label=TARGETS[t][2])
        for t in used
    ]
    if slopes["bound"].any():
        key.append(Line2D([], [], color="0.4", marker=CARETLEFT, ls="", label="lies lower yet"))
    if slopes["theory"].notna().any():
        key.append(Line2D([], [], color="black", marker="|", ms=14, mew=2, ls="", label="theory"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _ranked(slopes: pd.DataFrame) -> list[str]:
    """Regularizers, most selective first; those without a slope to rank by come last."""
    late = slopes[(slopes["steps"] == slopes["steps"].max()) & (slopes["where"] == "half")]
    by_target = late.groupby(["regularizer", "target"], sort=False)["value"].mean()
    return list(by_target.groupby("regularizer", sort=False).mean().sort_values().index)


def _dots(ax: Axes, here: pd.DataFrame, names: list[str]) -> None:
    """Every regularizer's slope on every target, those of one regularizer near each other."""
    ax.axvline(0, color="0.4", lw=1)
    used = [t for t in TARGETS if t in set(here["target"])]
    for i, target in enumerate(used):
        colour, marker, _ = TARGETS[target]
        groups = here[here["target"] == target].groupby("regularizer")
        mean, error, count = (groups["value"].agg(f) for f in ("mean", "sem", "count"))
        theory, bounds = groups["theory"].mean(), groups["bound"].max() > 0
        for name in mean.dropna().index:
            y = names.index(name) + 0.6 * ((i + 0.5) / len(used) - 0.5)
            face = colour if count[name] > 1 else "white"
            ax.errorbar(
                mean[name],
                y,
                xerr=2 * error[name] if count[name] > 1 else None,
                marker=CARETLEFT if bounds[name] else marker,
                ms=5,
                color=colour,
                mfc=face,
                capsize=2,
                ls="",
            )
            if theory.notna()[name]:
                ax.plot(theory[name], y, "k|", ms=11, mew=2)
