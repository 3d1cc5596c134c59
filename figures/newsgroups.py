"""Test accuracy against the drop rate, a pane per order of the planted class."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from paper_results import published

from .style import order_colour, panes


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Means over repeats ± 2 standard errors; printed and logged numbers ± standard deviation."""
    orders = sorted(set(table["order"]))
    paper = {
        "printed in Table C.1": (printed(), {"color": "black", "marker": "D", "ls": ":"}),
        "released log": (logged(), {"color": "0.55", "marker": "s", "ls": "--"}),
    }
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
        for name, (accuracies, look) in paper.items():
            ours = accuracies["rate"].isin(accuracy.groups)
            theirs = accuracies[ours & (accuracies["order"] == order)]
            ax.errorbar(
                theirs["rate"],
                theirs["mean"],
                yerr=theirs["std"],
                ms=4,
                capsize=2,
                label=name,
                **look,
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


def printed() -> pd.DataFrame:
    """Table C.1: test accuracy by `order` and `rate`, `mean` to .01 and `std`."""
    columns = {"dropout_rate": "rate", "test_accuracy_mean": "mean", "test_accuracy_std": "std"}
    return published("tableC1").rename(columns=columns)[["order", "rate", "mean", "std"]]


def logged() -> pd.DataFrame:
    """The released log, which holds order 1: the same of its last epoch."""
    log = published("released_logs_newsgroups")
    columns = {"added_interaction_order": "order", "dropout_rate": "rate"}
    log = log[log["epoch"] == log["epoch"].max()].rename(columns=columns)
    return log.groupby(["order", "rate"])["test_acc"].agg(["mean", "std"]).reset_index()
