"""Shares of variance by order against the drop rate, for networks fit to pure noise."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_results import published

from .style import MEASURES, panes, stacked_shares

ITEMS = {32: "fig5", 128: "figC1"}
"""Published items, by the width of their networks."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A picture for each width of the networks."""
    pictures = {}
    for width, rows in table.groupby("width", sort=False):
        name = "pure_noise" if not pictures else f"pure_noise_{width}"
        pictures[name] = _of_width(rows, width)
    return pictures


def _of_width(table: pd.DataFrame, width: int) -> Figure:
    """Stacked bars; a row per measure and look, a column per placement; totals above the bars.

    On bars of boosted trees, black marks are where the paper's end, totals in brackets the paper's.
    """
    paper = published_bars(width)
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
            _bars(ax, table[mine], paper if measure == "released" else paper[:0])
            ax.set_title(f"{placement} dropout" if i == 0 else "", pad=28)
            ax.set_xlabel("drop rate" if i == len(kinds) - 1 else "")
        then = f"after {after:,} steps" if looks else "share of variance"
        axes[i, 0].set_ylabel(f"{then}\n{MEASURES[measure]}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    if len(paper) and (table["measure"] == "released").any():
        marks = {"color": "black", "ls": "", "marker": "_", "ms": 12, "mew": 2}
        handles.append(Line2D([], [], **marks))
        labels.append("paper: ends of the bars")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(
        f"Networks of width {width} fit to pure noise (above each bar: total variance)", fontsize=12
    )
    return figure


def published_bars(width: int) -> pd.DataFrame:
    """Published `share` and `variance` by placement, rate and order, at rate 0 of "none".

    Where the total was below .02 the paper sets shares to 0; nothing is published there, nor of
    networks of other widths.
    """
    keys = ["placement", "rate", "order"]
    if width not in ITEMS:
        return pd.DataFrame(columns=[*keys, "share", "variance"], dtype=float).set_index(keys)
    columns = {"normalized": "share", "total": "variance", "dropout_rate": "rate"}
    table = published(ITEMS[width]).replace({"order": {"4+": ">3"}}).rename(columns=columns)
    table = table[table["quantity"].isin(columns)].replace({"quantity": columns})
    # Every placement is the same network at rate 0; the first pane is the one that is read.
    plain = table["rate"] == 0
    first = table[plain & (table["placement"] == "activation")].assign(placement="none")
    table = pd.concat([table[~plain], first])
    bars = table.pivot_table("mean", keys, "quantity", sort=False)
    return bars[bars.groupby(["placement", "rate"])["share"].transform("sum") > 0]


def _bars(ax: Axes, table: pd.DataFrame, paper: pd.DataFrame) -> None:
    shares = table.pivot_table("share", "order", "rate", sort=False)
    shares = shares[sorted(shares.columns)]
    totals = table.groupby(["rate", "repeat"])["variance"].sum().groupby("rate").mean()
    names = [f"{r:g}" for r in shares.columns]
    stacked_shares(
        ax, names, {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)}
    )
    keys = table[["placement", "rate", "order"]].drop_duplicates()
    known = keys.join(paper, on=list(keys.columns), how="inner")
    ends = known["share"].groupby(known["rate"]).cumsum()
    ax.plot([f"{r:g}" for r in known["rate"]], ends, "_", color="black", ms=14, mew=2)
    theirs = known.groupby("rate")["variance"].sum()
    for name, rate in zip(names, totals.index, strict=True):
        text = f"{totals[rate]:.2g}" + (f"\n({theirs[rate]:.2g})" if rate in theirs else "")
        ax.text(name, 1.06, text, ha="center", va="bottom", fontsize=8)
    ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.05)
