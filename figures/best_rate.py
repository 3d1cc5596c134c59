"""Error against the drop rate for every true order, and the best rates."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, panes

MARKERS = "os^D"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per placement; a pane per number of steps, then best rate against order."""
    placements = list(dict.fromkeys(table["placement"]))
    steps = sorted(set(table["steps"]))
    figure, axes = panes(len(steps) + 1, rows=len(placements), width=3.8, height=3.3)
    for row, placement in zip(axes, placements, strict=True):
        of_placement = table[table["placement"] == placement]
        for i, (ax, count) in enumerate(zip(row, steps, strict=False)):
            rows = of_placement[of_placement["steps"] == count]
            for order, of_order in rows.groupby("order"):
                groups = of_order.groupby("rate")["error"]
                mean = groups.mean()
                ax.errorbar(
                    mean.index,
                    mean,
                    yerr=2 * groups.sem(),
                    marker="o",
                    ms=4,
                    capsize=2,
                    color=order_colour(order),
                )
                ax.plot(mean.idxmin(), mean.min(), "*", ms=14, color=order_colour(order))
            ax.set_yscale("log")
            ax.set_title(f"{placement} dropout, {count:,} steps", fontsize=12)
            ax.set_xlabel("drop rate $r$")
            _best(row[-1], rows, MARKERS[i % len(MARKERS)], f"{count:,} steps")
        row[0].set_ylabel("error at fresh points\n(variance of the target 1)")
        row[-1].set_title("best rate", fontsize=12)
        row[-1].set_xlabel("true order $k$")
        row[-1].set_xticks(sorted(set(table["order"])))
        row[-1].legend(fontsize=9)
    orders = sorted(set(table["order"]))
    key = [Line2D([], [], color=order_colour(k), marker="o", label=f"order {k}") for k in orders]
    key.append(Line2D([], [], color="0.3", ls="", marker="*", ms=12, label="best rate"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return {"best_rate": figure}


def _best(ax: object, rows: pd.DataFrame, marker: str, label: str) -> None:
    least = rows.loc[rows.groupby(["order", "repeat"])["error"].idxmin()].groupby("order")["rate"]
    mean = least.mean()
    ax.errorbar(
        mean.index,
        mean,
        yerr=2 * least.sem(),
        marker=marker,
        ls="--",
        color="0.3",
        capsize=3,
        label=label,
    )
    ax.set_ylim(bottom=0)
