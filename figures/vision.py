"""The orders that carry an image classifier's logits, by kind of network and rate of dropout."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import order_colour, order_label, panes, stacked_shares


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per kind: shares stacked, and variances by order, means over images and repeats."""
    kinds = list(dict.fromkeys(table["kind"]))
    figure, axes = panes(2, rows=len(kinds), width=5.0)
    for row, kind in zip(axes, kinds, strict=True):
        mine = table[table["kind"] == kind]
        _shares(row[0], mine)
        _variances(row[1], mine)
        row[0].set_title(kind, fontsize=12)
    axes[0, 1].legend(fontsize=9)
    return {"vision": figure}


def _shares(ax: Axes, table: pd.DataFrame) -> None:
    means = table.groupby(["order", "rate"], sort=False)["share"].mean().unstack()
    names = [f"{rate:g}" for rate in means.columns]
    stacked_shares(ax, names, {order: list(means.loc[order]) for order in means.index})
    ax.set(xlabel="dropout rate in training", ylabel="share of variance")


def _variances(ax: Axes, table: pd.DataFrame) -> None:
    """With two standard errors over repeats; negative estimates are left out of the log."""
    keys = ["order", "rate"]
    values = table.groupby([*keys, "repeat"], sort=False)["variance"].mean()
    groups = values.groupby(level=keys, sort=False)
    means, errors = groups.mean().unstack(), groups.sem().fillna(0.0).unstack()
    for order in means.index:
        mean = means.loc[order].where(means.loc[order] > 0)
        style = {"marker": "o", "capsize": 3, "color": order_colour(order)}
        ax.errorbar(mean.index, mean, yerr=2 * errors.loc[order], label=order_label(order), **style)
    ax.set_yscale("log")
    ax.set(xlabel="dropout rate in training", ylabel="variance, all logits")
