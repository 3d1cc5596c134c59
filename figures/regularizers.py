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
    "signs": ("#E69F00", "v", "mixture, of inputs -1 and 1"),
    "pairs": ("#56B4E9", "P", "orders 1 and 2, of 10 inputs"),
}
MEAN = "0.85"
"""Colour of what is averaged over targets."""
PLACES = {
    "half": "at half of the total variance",
    "quarter": "at a quarter of it",
    "best": "at the best test error",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """The ranking late in training and before, and orders by rate (figures/importance.py)."""
    slopes = table[table["quantity"] == "selectivity"]
    names, *early = _ranked(slopes), *sorted(set(slopes["steps"]))[:-1]
    pictures = {"regularizers": _ranking(slopes, slopes["steps"].max(), names)}
    pictures |= {f"regularizers_{n}_steps": _ranking(slopes, n, names) for n in early}
    return pictures | importance.draw(table)


def _ranking(slopes: pd.DataFrame, steps: int, names: list[str]) -> Figure:
    """A pane per place; regularizers from most to least selective, as `_ranked` says.

    Bars are means over targets, points means over repeats with two standard errors; a ring is a
    single repeat, a "<" a slope that lies lower yet, for an order is lost in its errors in some
    repeat. Where there is no point, no slope could be measured. Lines are what theory says of
    input dropout on products.
    """
    figure, axes = panes(len(PLACES), width=4.9, height=0.36 * len(names) + 1.6, sharey=True)
    here = slopes[slopes["steps"] == steps]
    for ax, (place, title) in zip(axes[0], PLACES.items(), strict=True):
        _dots(ax, here[here["where"] == place], names)
        ax.set_title(title, fontsize=13)
        ax.set_xlabel("$\\leftarrow$ high orders shrink more      all alike at 0")
    axes[0, 0].set_yticks(range(len(names)), names)
    axes[0, 0].set_ylim(len(names) - 0.5, -0.5)
    for label in axes[0, 0].get_yticklabels():
        label.set_fontweight("bold" if "dropout" in label.get_text() else "normal")
    used = [t for t in TARGETS if t in set(slopes["target"])]
    key = [
        Line2D([], [], color=TARGETS[t][0], marker=TARGETS[t][1], ls="", label=TARGETS[t][2])
        for t in used
    ]
    key.append(Line2D([], [], color=MEAN, lw=8, label="mean over targets"))
    counts = here.groupby(["where", "target", "regularizer"])["value"].count()
    if (counts == 1).any():
        ring = {"color": "0.3", "marker": "o", "mfc": "white", "ls": ""}
        key.append(Line2D([], [], **ring, label="hollow: a single repeat, no error"))
    if here["bound"].any():
        lower = {"color": "0.3", "marker": CARETLEFT, "ls": ""}
        key.append(Line2D([], [], **lower, label="lies lower yet"))
    if here["theory"].notna().any():
        key.append(Line2D([], [], color="black", marker="|", ms=14, mew=2, ls="", label="theory"))
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(
        f"Which regularizers act on order, which only shrink? After {steps:,} steps: slope of\n"
        "log($V_k$ with / without) in the order $k$ (bars: 2 standard errors over data sets)"
    )
    return figure


def _ranked(slopes: pd.DataFrame) -> list[str]:
    """Regularizers, most selective first; those without a slope to rank by come last."""
    late = slopes[(slopes["steps"] == slopes["steps"].max()) & (slopes["where"] == "half")]
    by_target = late.groupby(["regularizer", "target"], sort=False)["value"].mean()
    return list(by_target.groupby("regularizer", sort=False).mean().sort_values().index)


def _dots(ax: Axes, here: pd.DataFrame, names: list[str]) -> None:
    """Every regularizer's slope on every target, those of one regularizer near each other."""
    by_target = here.groupby(["regularizer", "target"])["value"].mean()
    means = by_target.groupby("regularizer").mean().dropna()
    ax.barh([names.index(n) for n in means.index], means, color=MEAN, height=0.8, zorder=0)
    ax.axvline(0, color="0.2", lw=1.5)
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
