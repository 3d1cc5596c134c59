"""Test accuracy against the drop rate, a pane per order of the planted class."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .style import order_colour, panes


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Means over repeats ± 2 standard errors; printed and logged numbers ± standard deviation."""
    orders = sorted(set(table["order"]))
    figure, axes = panes(len(orders), width=4.6, height=3.8)
    for ax, order in zip(axes[0], orders, strict=True):
        groups = table[table["order"] == order].groupby("rate")
        accuracy = groups["accuracy"]
        ax.errorbar(
            accuracy.mean().index,
            accuracy.mean(),
            yerr=2 * accuracy.sem(),
            color=order_colour(order),
            marker="o",
            capsize=3,
            label="here",
        )
        for name, prefix, line in (
            ("printed in Table C.1", "published", ":"),
            ("released log", "log", "--"),
        ):
            mean = groups["published" if prefix == "published" else "log_mean"].first()
            ax.errorbar(
                mean.index,
                mean,
                yerr=groups[f"{prefix}_std"].first(),
                color="black" if prefix == "published" else "0.55",
                marker="D" if prefix == "published" else "s",
                ms=4,
                ls=line,
                capsize=2,
                label=name,
            )
        share = groups["share_new"].mean().mean()
        ax.set_title(f"order {order}: new class in {share:.0%} of texts", fontsize=11)
        ax.set_xlabel("drop rate $r$")
        ax.set_ylim(0.2, 0.7)
    axes[0, 0].set_ylabel("test accuracy")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=3 if len(orders) > 1 else 1,
        frameon=False,
    )
    return {"newsgroups": figure}
