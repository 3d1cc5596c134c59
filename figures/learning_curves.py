"""Shares of variance by order, test error and what is held of planted effects, over training."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_results import published

from .style import order_colour, order_label, panes, rate_colours


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Boosted trees beside the published curves, where there are any, and unbiased measures.

    The first picture is the one that answers the protocol's question.
    """
    pictures = {}
    if (table["quantity"] == "tree_share").any():
        pictures["learning_curves"] = _beside_published(table)
    elif (table["quantity"] == "amplitude").any():
        pictures["learning_curves"] = _held(table)
    name = "learning_curves_unbiased" if pictures else "learning_curves"
    return pictures | {name: _unbiased(table)}


def published_shares(target: str) -> pd.DataFrame:
    """Fig 7: published `share` by `rate`, `epoch` and `order`; none of a target not the paper's."""
    columns = {"dropout_rate": "rate", "mean": "share"}
    read = published("fig7").rename(columns=columns).astype({"order": str})
    return read[read["generator"].map("generator {}".format) == _short(target)]


def _beside_published(table: pd.DataFrame) -> Figure:
    """A row per target, a column per order: ours as points, the paper's as lines."""
    trees = table[table["quantity"] == "tree_share"]
    targets, orders = (list(dict.fromkeys(trees[c])) for c in ("target", "order"))
    colours = rate_colours(sorted(set(trees["rate"])))
    figure, axes = panes(len(orders), rows=len(targets), height=3.2)
    for i, (row, target) in enumerate(zip(axes, targets, strict=True)):
        paper = published_shares(target)
        for ax, order in zip(row, orders, strict=True):
            cell = trees[(trees["target"] == target) & (trees["order"] == order)]
            for rate, rows in cell.groupby("rate"):
                _mean_over_epochs(ax, rows, colours[rate], fmt="o", ls="")
                theirs = paper[(paper["order"] == order) & (paper["rate"] == rate)]
                theirs = theirs[theirs["epoch"].isin(rows["epoch"])].sort_values("epoch")
                ax.plot(theirs["epoch"], theirs["share"], color=colours[rate], lw=1.3)
            ax.set_ylim(0, 1)
            ax.set_title(order_label(order) if i == 0 else "")
        row[0].set_ylabel(f"{_short(target)}\nshare of orders 1 to 3")
    _labels(figure, axes, colours, "paper", "ours: boosted trees as released, ± 1 s.e.")
    return figure


def _held(table: pd.DataFrame) -> Figure:
    """What networks hold of the effect of each order: effects learned alone above, together below.

    An effect that is held whole has amplitude 1.
    """
    held = table[table["quantity"] == "amplitude"]
    colours = rate_colours(sorted(set(held["rate"])))
    groups = {"alone": held["target"] != "mixture", "all together": held["target"] == "mixture"}
    groups = {name: held[mine] for name, mine in groups.items() if mine.any()}
    orders = sorted(set(held["order"]))
    figure, axes = panes(len(orders), rows=len(groups), height=3.0)
    for row, (name, cell) in zip(axes, groups.items(), strict=True):
        for ax, order in zip(row, orders, strict=True):
            for rate, rows in cell[cell["order"] == order].groupby("rate"):
                _mean_over_epochs(ax, rows, colours[rate])
            ax.set_title(f"{order_label(order)}, {name}", color=order_colour(order))
            ax.set_ylim(-0.08, 1.15)
            _log_epochs(ax)
        row[0].set_ylabel("amplitude held")
    _labels(figure, axes, colours, None, "means over repeats ± 1 s.e.")
    return figure


def _unbiased(table: pd.DataFrame) -> Figure:
    """A row per target: unbiased shares of every order, and the error on fresh points."""
    shares = table[table["quantity"] == "share"]
    targets, orders = (list(dict.fromkeys(shares[c])) for c in ("target", "order"))
    colours = rate_colours(sorted(set(shares["rate"])))
    figure, axes = panes(len(orders) + 1, rows=len(targets), height=2.8, width=3.6)
    for i, (row, target) in enumerate(zip(axes, targets, strict=True)):
        mine = table[table["target"] == target]
        for ax, order in zip(row, orders, strict=False):
            cell = mine[(mine["quantity"] == "share") & (mine["order"] == order)]
            for rate, rows in cell.groupby("rate"):
                _mean_over_epochs(ax, rows, colours[rate])
            ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1)
            ax.set_title(order_label(order) if i == 0 else "")
        for rate, rows in mine[mine["quantity"] == "test_mse"].groupby("rate"):
            _mean_over_epochs(row[-1], rows, colours[rate])
        row[-1].set_ylim(bottom=0)
        row[-1].set_title("error on fresh points" if i == 0 else "")
        if (mine["quantity"] == "amplitude").any():
            for ax in row:
                _log_epochs(ax)
        row[0].set_ylabel(f"{_short(target)}\nunbiased share")
    _labels(figure, axes, colours, None, "means over repeats ± 1 s.e.")
    return figure


def _mean_over_epochs(
    ax: Axes, rows: pd.DataFrame, colour: object, fmt: str = "o-", ls: str | None = None
) -> None:
    by_epoch = rows.groupby("epoch")["value"]
    mean, error = by_epoch.mean(), by_epoch.sem()
    style = {"fmt": fmt, "ms": 3, "lw": 1.2, "capsize": 2, "color": colour}
    ax.errorbar(mean.index, mean, yerr=error, **(style | ({"ls": ls} if ls is not None else {})))


def _short(target: str) -> str:
    return target.replace(" on inputs 2, 3", "")


def _log_epochs(ax: Axes) -> None:
    ax.set_xscale("symlog", linthresh=1)
    ax.set_xlim(left=-0.1)
    ticks = [0, 1, 4, 16, 64, 256]
    ax.set_xticks([t for t in ticks if t <= ax.get_xlim()[1]], minor=False)
    ax.set_xticklabels([str(t) for t in ticks if t <= ax.get_xlim()[1]])
    ax.minorticks_off()


def _labels(figure: Figure, axes: Sequence, colours: dict, theirs: str | None, ours: str) -> None:
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    key = [Line2D([], [], color=c, lw=4, label=f"r = {r:g}") for r, c in colours.items()]
    if theirs is not None:
        key.append(Line2D([], [], color="0.3", label=theirs))
    key.append(Line2D([], [], color="0.3", ls="", marker="o", ms=4, label=ours))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
