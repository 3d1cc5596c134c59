"""C(d,k) (1-r)^k against k on a log scale: all orders, and the first four."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from paper_results import published

from .style import panes, rate_colours

MARKERS = "+.*o^sp"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Lines are the law, coloured markers drawn masks where there are any, black published."""
    figure, axes = panes(2, width=5.6, height=4.4)
    colours = rate_colours(sorted(set(table["rate"])))
    paper = _paper(table)
    for ax, letter, last in zip(axes[0], "ab", (24, 4), strict=True):
        for i, (rate, of_rate) in enumerate(table[table["order"] <= last].groupby("rate")):
            means = of_rate.groupby("order")[["law", "counted"]].mean()
            counted = means["counted"].dropna()
            marker = MARKERS[i % len(MARKERS)]
            ax.plot(
                means.index,
                means["law"],
                color=colours[rate],
                lw=1.5,
                marker="" if len(counted) else marker,
                ms=6,
                label=f"$r$ = {rate:g}",
            )
            if len(counted):
                ax.plot(counted.index, counted, color=colours[rate], ls="", marker=marker, ms=6)
        read = paper[paper["order"] <= last]
        if len(read):
            dots = {"color": "black", "ls": "", "marker": ".", "ms": 2, "label": "published"}
            ax.plot(read["order"], read["value"], **dots)
        ax.set_yscale("log")
        ax.set_xlabel("interaction order $k$")
        ax.set_title(f"{letter}  orders 1 to {last}", loc="left", fontsize=12)
    axes[0, 1].set_xticks([1, 2, 3, 4])
    axes[0, 0].set_ylabel(r"surviving effects, $\binom{d}{k}(1-r)^k$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return {"surviving_effects": figure}


def _paper(table: pd.DataFrame) -> pd.DataFrame:
    """Fig 3 at the rates of a table; nothing where that has other than 25 inputs."""
    t = published("fig3")
    return t[
        (t["pane"] == "a") & t["dropout_rate"].isin(table["rate"]) & (table["order"].max() == 25)
    ]
