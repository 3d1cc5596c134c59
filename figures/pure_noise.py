"""Shares of variance by order against the drop rate, for networks fit to pure noise."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .style import panes, stacked_shares

MEASURES = {
    "unbiased": "unbiased spectrum",
    "released": "boosted trees, as released",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Stacked bars; a row per measure, a column per placement; total variance above each bar."""
    measures = [m for m in MEASURES if m in set(table["measure"])]
    placements = [p for p in dict.fromkeys(table["placement"]) if p != "none"] or ["none"]
    figure, axes = panes(len(placements), rows=len(measures))
    for i, measure in enumerate(measures):
        row = axes[i]
        for ax, placement in zip(row, placements, strict=True):
            # Without dropout the placements are one network.
            mine = table["placement"].isin([placement, "none"]) & (table["measure"] == measure)
            shares = table[mine].pivot_table("share", "order", "rate", sort=False)
            shares = shares[sorted(shares.columns)]
            totals = table[mine].groupby(["rate", "repeat"])["variance"].sum()
            totals = totals.groupby("rate").mean()
            names = [f"{r:g}" for r in shares.columns]
            stacked_shares(
                ax,
                names,
                {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)},
            )
            for name, total in zip(names, totals, strict=True):
                ax.text(name, 1.01, f"{total:.2g}", ha="center", va="bottom", fontsize=8)
            ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.12)
            ax.set_title(f"{placement} dropout" if i == 0 else "", pad=12)
            ax.set_xlabel("drop rate" if i == len(measures) - 1 else "")
        row[0].set_ylabel(f"share of variance\n{MEASURES[measure]}")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    figure.suptitle("Networks fit to pure noise (above each bar: total variance)", fontsize=12)
    return {"pure_noise": figure}
