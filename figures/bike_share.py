"""Bike sharing: errors over training, and shares of variance by order, for every drop rate."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .style import panes, rate_colours, stacked_shares


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Train and test error over epochs, and the spectrum after the last epoch."""
    figure, axes = panes(3)
    colours = rate_colours(sorted(set(table["rate"])))
    for ax, quantity, title in zip(
        axes[0], ("train_mse", "test_mse"), ("training error", "test error"), strict=False
    ):
        rows = table[table["quantity"] == quantity]
        for rate, of_rate in rows.groupby("rate"):
            by_epoch = of_rate.groupby("epoch")["value"]
            ax.errorbar(
                by_epoch.mean().index,
                by_epoch.mean(),
                yerr=by_epoch.sem(),
                marker="o",
                ms=3,
                capsize=2,
                color=colours[rate],
                label=f"r = {rate:g}",
            )
        ax.set_title(
            f"{title} (target variance 1 in training)" if quantity == "train_mse" else title
        )
        ax.set_xlabel("epoch")
    axes[0, 0].set_ylabel("mean squared error")
    axes[0, 0].legend(fontsize=8)
    last = table[(table["epoch"] == table["epoch"].max()) & (table["quantity"] == "share")]
    shares = last.pivot_table("value", "order", "rate", sort=False)
    shares = shares[sorted(shares.columns)]
    ax = axes[0, 2]
    stacked_shares(
        ax,
        [f"{r:g}" for r in shares.columns],
        {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)},
    )
    ax.set_title(f"share of variance, epoch {table['epoch'].max()}")
    ax.set_xlabel("drop rate")
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower right", ncols=len(labels), frameon=False)
    return {"bike_share": figure}
