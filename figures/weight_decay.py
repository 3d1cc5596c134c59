"""Shares of variance by order under weight decay, beside dropout of the same total variance."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from paper_results import published

from .style import MEASURES, order_colour, order_label, panes, stacked_shares

KINDS = {
    "coupled decay": ("-", "o"),
    "decoupled decay": ("--", "s"),
    "activation dropout": (":", "^"),
    "input dropout": ("-.", "v"),
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Bars by decay; and, where there is dropout too, shares against total variance."""
    if not table["regularizer"].str.endswith("dropout").any():
        return {"weight_decay": _bars(table)}
    return {"weight_decay": _matched(table[table["measure"] == "unbiased"])}


def _bars(table: pd.DataFrame) -> Figure:
    """A pane per measure.

    On bars of boosted trees, black marks are where the paper's end, totals in brackets the paper's.
    """
    measures = [m for m in MEASURES if m in set(table["measure"])]
    figure, axes = panes(len(measures), width=5.2, height=4.0)
    for ax, measure in zip(axes[0], measures, strict=True):
        rows = table[table["measure"] == measure]
        shares = rows.pivot_table("share", "order", "strength", sort=False)
        shares = shares[sorted(shares.columns)]
        names = [f"{d:g}" for d in shares.columns]
        bars = {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)}
        stacked_shares(ax, names, bars)
        totals = rows.groupby(["strength", "repeat"])["variance"].sum().groupby("strength").mean()
        known = published_bars() if measure == "released" else published_bars()[:0]
        known = known[known["strength"].isin(shares.columns)]
        ends = known.groupby("strength")["share"].cumsum()
        ax.plot([f"{d:g}" for d in known["strength"]], ends, "k_", ms=16, mew=2)
        paper = known.groupby("strength")["variance"].sum()
        for name, strength in zip(names, shares.columns, strict=True):
            text = f"{totals[strength]:.3g}"
            text += f"\n({paper[strength]:.3g})" if strength in paper else ""
            ax.text(name, 1.06, text, ha="center", va="bottom", fontsize=8)
        ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.05)
        ax.set_title(MEASURES[measure], pad=30)
        ax.set_xlabel("weight decay")
    axes[0, 0].set_ylabel("share of variance")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    handles.append(Line2D([], [], color="black", ls="", marker="_", ms=12, mew=2))
    labels.append("paper: ends of the bars")
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure


def published_bars() -> pd.DataFrame:
    """Fig 8: published `share` and `variance` by `strength` of weight decay and `order`."""
    columns = {"normalized": "share", "total": "variance", "weight_decay": "strength"}
    table = published("fig8").replace({"order": {"4+": ">3"}}).rename(columns=columns)
    table = table[table["quantity"].isin(columns)].replace({"quantity": columns})
    bars = table.pivot_table("mean", ["strength", "order"], "quantity", sort=False)
    return bars.reset_index()


def _matched(table: pd.DataFrame) -> Figure:
    """A pane per order: mean share against mean total variance, a line per regularizer."""
    keys = ["regularizer", "strength"]
    orders = list(dict.fromkeys(table["order"]))
    totals = table.groupby([*keys, "repeat"])["variance"].sum().groupby(keys).mean()
    shares = table.groupby([*keys, "order"])["share"]
    mean, error = shares.mean().unstack(), shares.sem().unstack()
    plain = mean.loc[[("none", 0.0)]]
    figure, axes = panes(len(orders), height=3.6)
    for ax, order in zip(axes[0], orders, strict=True):
        for kind, (line, marker) in KINDS.items():
            mine = mean.loc[mean.index.get_level_values("regularizer") == kind]
            if len(mine):
                mine = pd.concat([plain, mine])
                x = totals[mine.index]
                _line(ax, x, mine[order], error.loc[mine.index, order], order, line, marker)
        ax.set_xscale("log")
        ax.invert_xaxis()
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(bottom=0)
        ax.set_title(order_label(order))
        ax.set_xlabel("total variance of the network")
    axes[0, 0].set_ylabel("unbiased share of variance")
    used = [k for k in KINDS if k in set(table["regularizer"])]
    key = [
        Line2D([], [], color="0.3", ls=KINDS[k][0], marker=KINDS[k][1], ms=5, mfc="white", label=k)
        for k in used
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _line(
    ax: Axes, x: pd.Series, y: pd.Series, error: pd.Series, order: str, line: str, marker: str
) -> None:
    colour = order_colour(order)
    style = {"ls": line, "marker": marker, "color": colour, "mfc": "white", "ms": 5, "capsize": 2}
    ax.errorbar(x.to_numpy(), y.to_numpy(), yerr=error.to_numpy(), lw=1.3, **style)
