"""Shares of variance by order against the drop rate, for networks fit to pure noise."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from paper_results import published

from .style import panes, stacked_shares

ITEMS = {32: "fig5", 128: "figC1"}
"""Published items, by the width of their networks."""
NAMES = {"fig5": "Fig 5", "figC1": "Fig C.1"}
ROWS = {
    "published": "PUBLISHED",
    "released": "REPRODUCED\nboosted trees",
    "unbiased": "THE TRUTH\nunbiased spectrum",
}
"""What the bars of a row show: from the paper, then two measurements of the same networks."""
LEAST_SHOWN = 0.065
"""A share of the highest orders below which its number does not fit into the bar."""
MASKED = 0.02
"""A total variance below which the paper sets all shares to 0; ours are drawn pale."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A picture for each rule of training and width of the networks."""
    pictures = {}
    first = (table["rule"].iloc[0], table["width"].iloc[0])
    for (rule, width), rows in table.groupby(["rule", "width"], sort=False):
        name = "pure_noise"
        name += "" if rule == first[0] else f"_{rule.replace(' ', '_')}"
        name += "" if width == first[1] else f"_{width}"
        pictures[name] = _of_networks(rows, rule, width)
    return pictures


def _of_networks(table: pd.DataFrame, rule: str, width: int) -> Figure:
    """Stacked bars: a row per measure and look, a column per placement; totals above the bars.

    What was published stands above what boosted trees say of our networks.
    """
    placements = [p for p in dict.fromkeys(table["placement"]) if p != "none"] or ["none"]
    rows = _rows(table, width)
    figure, axes = panes(len(placements), rows=len(rows), width=4.6, height=2.9)
    for i, (label, bars) in enumerate(rows):
        for ax, placement in zip(axes[i], placements, strict=True):
            # Without dropout the placements are one network.
            _bars(ax, bars[bars["placement"].isin([placement, "none"])])
            ax.set_title(f"dropout: {placement}" if i == 0 else "", fontsize=13, pad=20)
            ax.set_xlabel("drop rate" if i == len(rows) - 1 else "")
        name, _, detail = label.partition("\n")
        axes[i, 0].set_ylabel(detail, fontsize=11)
        axes[i, 0].annotate(
            name, (-0.29, 0.5), xycoords="axes fraction", rotation=90, va="center", weight="bold"
        )
    known = {}
    for ax in axes.flat:
        known |= dict(zip(*ax.get_legend_handles_labels()[::-1], strict=True))
    figure.legend(known.values(), known, loc="outside lower center", ncols=4, frameon=False)
    equal = f"{table['after'].max():,} steps each"
    then = {"equal steps": equal, "first rise": "until the loss rose"}
    figure.suptitle(
        f"Networks of width {width} fit to pure noise, {then.get(rule, rule)}: share of variance "
        "by order\n(above each bar: its total; pale: below .02, where the paper shows no shares)",
        fontsize=13,
    )
    return figure


def _rows(table: pd.DataFrame, width: int) -> list[tuple[str, pd.DataFrame]]:
    """Labels and bars (`placement`, `rate`, `order`, `share`, `variance`), from top to bottom."""
    keys = ["placement", "rate", "order"]
    rows = []
    if width in ITEMS and (table["measure"] == "released").any():
        paper = published_bars(width)
        shown = paper["placement"].isin(table["placement"]) & paper["rate"].isin(table["rate"])
        rows.append((f"{ROWS['published']}\n{NAMES[ITEMS[width]]}", paper[shown]))
    looks = list(dict.fromkeys(table["after"]))
    for measure in [m for m in ROWS if m in set(table["measure"])]:
        for after in looks:
            mine = table[(table["measure"] == measure) & (table["after"] == after)]
            bars = mine.groupby(keys, sort=False)[["share", "variance"]].mean().reset_index()
            label = ROWS[measure] + (f"\nafter {after:,} steps" if len(looks) > 1 else "")
            rows.append((label, bars))
    return rows


def published_bars(width: int) -> pd.DataFrame:
    """Published `share` and `variance` by `placement`, `rate` and `order`."""
    columns = {"normalized": "share", "total": "variance"}
    table = published(ITEMS[width]).rename(columns={"dropout_rate": "rate"})
    table = table[table["quantity"].isin(columns)].replace(
        {"quantity": columns, "order": {"4+": ">3"}}
    )
    bars = table.pivot_table("mean", ["placement", "rate", "order"], "quantity", sort=False)
    return bars.reset_index().rename_axis(columns=None)


def _bars(ax: Axes, bars: pd.DataFrame) -> None:
    shares = bars.pivot_table("share", "order", "rate", sort=False)
    shares = shares[sorted(shares.columns)]
    names = [f"{r:g}" for r in shares.columns]
    stacked_shares(
        ax, names, {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)}
    )
    totals = bars.groupby("rate")["variance"].sum()
    number = {"ha": "center", "fontsize": 9}
    for i, (name, rate) in enumerate(zip(names, shares.columns, strict=True)):
        ax.text(name, 1.04, _short(totals[rate]), va="bottom", **number)
        if not shares[rate].any():
            ax.text(name, 0.5, "not shown", rotation=90, va="center", color="0.5", **number)
        high = shares[rate].iloc[-1]
        if high > LEAST_SHOWN:
            middle = shares[rate].clip(lower=0).sum() - high / 2
            text = f"{high:.2f}".lstrip("0")
            ax.text(name, middle, text, va="center", color="white", weight="bold", **number)
        if totals[rate] < MASKED:
            for patches in ax.containers:
                patches[i].set_alpha(0.3)
    ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.03)


def _short(total: float) -> str:
    return "<.01" if total < 0.01 else f"{total:.2g}".removeprefix("0")
