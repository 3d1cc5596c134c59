"""Shares of variance by order against the drop rate, for networks fit to pure noise."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import panes, stacked_shares

MEASURES = {
    "unbiased": "unbiased spectrum",
    "released": "boosted trees, as released",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A picture for each width of the networks."""
    pictures = {}
    for width, rows in table.groupby("width", sort=False):
        name = "pure_noise" if not pictures else f"pure_noise_{width}"
        pictures[name] = _of_width(rows, width)
    return pictures


def _of_width(table: pd.DataFrame, width: int) -> Figure:
    """Stacked bars; a row per measure and look, a column per placement; totals above the bars.

    Black marks are where the paper's bars end, totals in brackets the paper's.
    """
    kinds = [
        (measure, after)
        for measure in MEASURES
        for after in dict.fromkeys(table.loc[table["measure"] == measure, "after"])
    ]
    looks = len(set(table["after"])) > 1
    placements = [p for p in dict.fromkeys(table["placement"]) if p != "none"] or ["none"]
    figure, axes = panes(len(placements), rows=len(kinds), height=3.3)
    for i, (measure, after) in enumerate(kinds):
        for ax, placement in zip(axes[i], placements, strict=True):
            # Without dropout the placements are one network.
            mine = table["placement"].isin([placement, "none"])
            mine &= (table["measure"] == measure) & (table["after"] == after)
            _bars(ax, table[mine])
            ax.set_title(f"{placement} dropout" if i == 0 else "", pad=28)
            ax.set_xlabel("drop rate" if i == len(kinds) - 1 else "")
        then = f"after {after:,} steps" if looks else "share of variance"
        axes[i, 0].set_ylabel(f"{then}\n{MEASURES[measure]}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if table.get("published", pd.Series(dtype=float)).notna().any():
        marks = {"color": "black", "ls": "", "marker": "_", "ms": 12, "mew": 2}
        handles.append(Line2D([], [], **marks))
        labels.append("paper: ends of the bars")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(
        f"Networks of width {width} fit to pure noise (above each bar: total variance)", fontsize=12
    )
    return figure


def _bars(ax: Axes, table: pd.DataFrame) -> None:
    shares = table.pivot_table("share", "order", "rate", sort=False)
    shares = shares[sorted(shares.columns)]
    totals = table.groupby(["rate", "repeat"])["variance"].sum().groupby("rate").mean()
    names = [f"{r:g}" for r in shares.columns]
    stacked_shares(
        ax, names, {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)}
    )
    published = {}
    if "published" in table:
        known = table.groupby(["rate", "order"], sort=False)[["published", "published_variance"]]
        known = known.first().dropna()
        ends = known["published"].groupby("rate").cumsum().reset_index()
        ax.plot(
            [f"{r:g}" for r in ends["rate"]], ends["published"], "_", color="black", ms=14, mew=2
        )
        published = known["published_variance"].groupby("rate").sum().to_dict()
    for name, rate in zip(names, totals.index, strict=True):
        paper = f"\n({published[rate]:.2g})" if rate in published else ""
        ax.text(name, 1.06, f"{totals[rate]:.2g}{paper}", ha="center", va="bottom", fontsize=8)
    ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.05)
