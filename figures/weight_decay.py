"""Shares of variance by order under weight decay and dropout, against the variance they leave."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, PercentFormatter

from paper_results import published

from .style import MEASURES, order_colour, order_label, panes, stacked_shares

KINDS = ("coupled decay", "decoupled decay", "activation dropout", "input dropout")
LEAST_LEFT = 0.01
"""Part of the variance without regularizer below which networks have died: they have no shares."""
RING = {"ls": "", "marker": "o", "ms": 12, "mfc": "none", "color": "black"}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Bars by decay; or, where there is dropout too, shares against the variance that is left."""
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
    above = "above bars: total variance"
    if "released" in measures:
        handles.append(Line2D([], [], color="black", ls="", marker="_", ms=12, mew=2))
        labels.append("paper: ends of the bars")
        above += ", in brackets the paper's"
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle(f"Networks fit to pure noise ({above})")
    return figure


def published_bars() -> pd.DataFrame:
    """Fig 8: published `share` and `variance` by `strength` of weight decay and `order`."""
    columns = {"normalized": "share", "total": "variance", "weight_decay": "strength"}
    table = published("fig8").replace({"order": {"4+": ">3"}}).rename(columns=columns)
    table = table[table["quantity"].isin(columns)].replace({"quantity": columns})
    bars = table.pivot_table("mean", ["strength", "order"], "quantity", sort=False)
    return bars.reset_index()


def _matched(table: pd.DataFrame) -> Figure:
    """A pane per regularizer: mean shares by order against the mean total variance it leaves.

    The more a regularizer does, the further to the left; black rings are networks without one.
    """
    keys = ["regularizer", "strength"]
    totals = table.groupby([*keys, "repeat"])["variance"].sum().groupby(keys).mean()
    left = totals / totals["none", 0.0]
    shares = table.groupby([*keys, "order"], sort=False)["share"]
    mean, error = shares.mean().unstack(sort=False), shares.sem().unstack(sort=False)
    used = [k for k in KINDS if k in set(table["regularizer"])]
    figure, axes = panes(len(used), width=4.3, height=4.0, sharex=True, sharey=True)
    for ax, kind in zip(axes[0], used, strict=True):
        mine = left[left.index.get_level_values("regularizer").isin(["none", kind])].sort_values()
        dead = mine[mine < LEAST_LEFT].index.get_level_values("strength")
        mine = mine[mine >= LEAST_LEFT]
        for order in mean:
            style = {"color": order_colour(order), "marker": _marker(order), "ms": 6}
            y, bars = mean.loc[mine.index, order], 2 * error.loc[mine.index, order]
            x = mine.to_numpy()
            ax.errorbar(x, y.to_numpy(), yerr=bars.to_numpy(), lw=1.8, capsize=2.5, **style)
            ax.plot([1.0], mean.loc[[("none", 0.0)], order], **RING)
        if len(dead):
            said = ", ".join(f"{strength:g}" for strength in sorted(dead))
            text = f"not drawn: at {said} less\nthan {LEAST_LEFT:.0%} of the variance is left"
            ax.text(0.03, 0.97, text, transform=ax.transAxes, va="top", fontsize=10)
        ax.set_title(kind)
        ax.set_xlabel("total variance left by the regularizer")
    first = axes[0, 0]
    first.set_xscale("log")
    first.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    first.xaxis.set_major_formatter(PercentFormatter(1.0))
    first.xaxis.set_minor_formatter(NullFormatter())
    first.set_ylim(bottom=0)
    first.yaxis.set_major_formatter(PercentFormatter(1.0))
    first.set_ylabel("share of the variance, unbiased\n(bars: 2 standard errors)")
    key = [
        Line2D([], [], color=order_colour(k), marker=_marker(k), label=order_label(k)) for k in mean
    ]
    key.append(Line2D([], [], label="no regularizer", **RING))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    figure.suptitle(
        "Which orders of noise go first, as a regularizer leaves less and less variance?"
    )
    return figure


def _marker(order: str) -> str:
    """Of an order, for prints in grey."""
    return {"1": "o", "2": "s", "3": "^"}.get(order, "D")
