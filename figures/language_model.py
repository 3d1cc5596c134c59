"""The orders that carry a sentence encoder's answer, against the rate of its dropout."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import order_colour, order_label, panes, stacked_shares


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per probability that a token is present: shares stacked, and variances by order."""
    keeps = list(dict.fromkeys(table["keep"]))
    figure, axes = panes(2, rows=len(keeps), width=5.0)
    for row, keep in zip(axes, keeps, strict=True):
        mine = table[table["keep"] == keep]
        _shares(row[0], mine)
        _variances(row[1], mine)
        row[0].set_title(f"tokens present with probability {keep:g}", fontsize=12)
    axes[0, 1].legend(fontsize=9)
    return {"language_model": figure}


def _shares(ax: Axes, table: pd.DataFrame) -> None:
    """Means over texts."""
    means = table.groupby(["order", "rate"], sort=False)["share"].mean().unstack()
    names = [f"{rate:g}" for rate in means.columns]
    stacked_shares(ax, names, {order: list(means.loc[order]) for order in means.index})
    ax.set(xlabel="dropout rate", ylabel="share of variance, mean over texts")


def _variances(ax: Axes, table: pd.DataFrame) -> None:
    """Means over texts with two standard errors; negative estimates are left out of the log."""
    groups = table.groupby(["order", "rate"], sort=False)["variance"]
    means, errors = groups.mean().unstack(), groups.sem().unstack()
    for order in means.index:
        mean = means.loc[order].where(means.loc[order] > 0)
        ax.errorbar(
            mean.index,
            mean,
            yerr=2 * errors.loc[order],
            marker="o",
            capsize=3,
            color=order_colour(order),
            label=order_label(order),
        )
    ax.set_yscale("log")
    ax.set(xlabel="dropout rate", ylabel="variance of the embedding")
