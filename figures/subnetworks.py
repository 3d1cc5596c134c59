"""Errors of the scaled network and of Monte Carlo dropout by order, beside the exact average."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, panes

ROUNDING = 1e-20
"""Below it an error is 0, which has no place on a logarithmic scale."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per depth, a pane per rate: variance of the difference over that of the average.

    Lines are Monte Carlo averages of growing numbers of masks, dashes the scaled network. Both
    are means over repeats over the mean of the average.
    """
    keys = ["quantity", "depth", "rate", "order", "masks"]
    means = table.groupby(keys)["variance"].mean()
    depths, rates = sorted(set(table["depth"])), sorted(set(table["rate"]))
    total = means["average"].groupby("order").mean()
    orders = [k for k in total.index if k > 0 and total[k] > 0.02 * total.drop(0).sum()]
    figure, axes = panes(len(rates), rows=len(depths), width=3.4, height=3.0)
    for row, depth in zip(axes, depths, strict=True):
        for ax, rate in zip(row, rates, strict=True):
            for order in orders:
                place, colour = (depth, rate, order), order_colour(order)
                whole = means["average"][place].iloc[0]
                sampled = means["monte carlo"][place] / whole
                sampled = sampled[sampled > ROUNDING]
                if len(sampled):
                    ax.set_xscale("log")
                    ax.set_yscale("log")
                ax.plot(sampled.index, sampled, marker="o", ms=4, color=colour)
                scaled = means["scaled"][place].iloc[0] / whole
                if scaled > ROUNDING:
                    ax.axhline(scaled, ls="--", lw=1.5, color=colour)
            if means["scaled"][depth, rate].max() < ROUNDING:
                ax.text(0.5, 0.9, "scaled: exact", transform=ax.transAxes, ha="center", fontsize=10)
            layers = "1 hidden layer" if depth == 1 else f"{depth} hidden layers"
            ax.set_title(f"{layers}, $r$ = {rate:g}", fontsize=12)
    for ax in axes[-1]:
        ax.set_xlabel("random subnetworks averaged")
    figure.supylabel("variance of the error over that of the exact average")
    key = [Line2D([], [], color=order_colour(k), label=f"order {k}") for k in orders]
    key.append(Line2D([], [], color="0.3", marker="o", ms=4, label="Monte Carlo dropout"))
    key.append(Line2D([], [], color="0.3", ls="--", label="scaled network"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return {"subnetworks": figure}
