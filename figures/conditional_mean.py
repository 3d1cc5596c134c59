"""The mean of an effect under input dropout: a pane per order, a curve per rate."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_results import published

from .style import panes, rate_colours

ONE_GRID, BOWL = "one input, copied", "x² - ⅓"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Lines are the law, points the means, black dots published."""
    cells = list(dict.fromkeys(zip(table["target"], table["order"], strict=True)))
    figure, axes = panes(len(cells), width=3.9, height=3.9)
    colours = rate_colours(sorted(set(table["rate"])))
    for ax, letter, (target, order) in zip(axes[0], "abcdefgh", cells, strict=False):
        rows = table[(table["target"] == target) & (table["order"] == order)]
        if target == ONE_GRID:
            rows = rows[rows["x"] > -0.01]
        for rate, of_rate in rows.groupby("rate"):
            _curve(ax, of_rate, colours[rate], "no dropout" if rate == 0 else f"$r$ = {rate:g}")
        if target == ONE_GRID:
            _paper(ax, order, rows)
        if target == BOWL:
            _paper_says(ax, rows, colours)
        name = f"order {order}" if target != BOWL else "$x^2 - ⅓$, not zero at zero"
        ax.set_title(f"{letter}  {name}", loc="left", fontsize=12)
        ax.set_xlabel("$X$" if target in (ONE_GRID, BOWL) else "value of the product, $f$")
        if target == ONE_GRID:
            ax.set_xlim(0, 1.01)
            ax.set_ylim(0, 1)
    axes[0, 0].set_ylabel("$E[Y \\mid X]$" if (table["target"] == ONE_GRID).any() else "mean")
    handles, labels = axes[0, -1].get_legend_handles_labels()
    order = sorted(range(len(labels)), key=lambda i: labels[i] == "published")
    handles, labels = [handles[i] for i in order], [labels[i] for i in order]
    figure.legend(
        handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=11
    )
    return {"conditional_mean": figure}


def _curve(ax: Axes, rows: pd.DataFrame, colour: object, label: str) -> None:
    means = rows.groupby("x")[["mean", "law"]].mean()
    ax.plot(means.index, means["law"], color=colour, lw=1.5, label=label)
    ax.plot(means.index, means["mean"], color=colour, ls="", marker="o", ms=4.5)


def _paper(ax: Axes, order: int, rows: pd.DataFrame) -> None:
    """What Fig 1 shows of the order, at the rates of the rows."""
    t = published("fig1")
    t = t[(t["order"] == order) & t["dropout_rate"].isin(rows["rate"]) & (t["x"] > -0.01)]
    if len(t):
        dots = {"color": "black", "ls": "", "marker": ".", "ms": 3, "label": "published"}
        ax.plot(t["x"], t["conditional_mean"], **dots)


def _paper_says(ax: Axes, rows: pd.DataFrame, colours: dict) -> None:
    """(1-r) f, the law without the leftover: the curve at rate 0, shrunk."""
    whole = rows[rows["rate"] == 0].groupby("x")["law"].mean()
    for i, rate in enumerate(r for r in colours if r > 0):
        ax.plot(
            whole.index,
            (1 - rate) * whole,
            color=colours[rate],
            ls=":",
            lw=1.5,
            label="Theorem 1: $(1-r) f$" if i == 0 else None,
        )
