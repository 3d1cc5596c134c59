"""Bike sharing: errors over training, and shares of variance by order, for every drop rate."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_results import published

from .style import order_colour, order_label, panes, rate_colours, stacked_shares


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per placement: errors over epochs, beside the paper's, and unbiased shares at the end.

    Boosted trees over epochs, beside the paper's, make a second picture where there are any.
    """
    placements = [p for p in dict.fromkeys(table["placement"]) if p != "none"] or ["none"]
    colours = rate_colours(sorted(set(table["rate"])))
    tests = "validation_mse" if "validation_mse" in set(table["quantity"]) else "train_mse"
    paper = _paper(table)
    figure, axes = panes(3, rows=len(placements), height=3.4)
    for i, (row, placement) in enumerate(zip(axes, placements, strict=True)):
        mine = table[table["placement"].isin([placement, "none"])]
        for ax, quantity in zip(row, (tests, "test_mse"), strict=False):
            rows = mine[mine["quantity"] == quantity]
            known = paper[(paper["quantity"] == quantity) & (placement in ("both", "none"))]
            _curves(ax, rows, colours, known)
            ax.axhline(rows["constant"].iloc[0], color="0.5", ls="--", lw=1)
            ax.set_ylim(0, 1.4 * rows["constant"].iloc[0])
            name = quantity.removesuffix("_mse").replace("train", "training")
            ax.set_title(f"{name} error" if i == 0 else "")
        _last_shares(row[2], mine)
        row[2].set_title("unbiased share of variance at the end" if i == 0 else "")
        where = {"both": "inputs and layers", "hidden": "layers", "input": "inputs", "none": "none"}
        row[0].set_ylabel(f"dropout on {where[placement]}\nmean squared error")
    for ax in axes[-1][:2]:
        ax.set_xlabel("epoch")
    axes[-1][2].set_xlabel("drop rate")
    _key(figure, colours, with_paper=len(paper) > 0, constant=True)
    pictures = {"bike_share": figure}
    trees = table[table["quantity"] == "tree_share"]
    return pictures | ({"bike_share_trees": _trees(trees, paper, colours)} if len(trees) else {})


def _paper(table: pd.DataFrame) -> pd.DataFrame:
    """Fig 6 at the epochs and rates of a table: quantity, order, rate, epoch, value.

    Its networks have dropout on inputs and layers; none had hours held out, and where ours have
    there is nothing to compare.
    """
    t = published("fig6").rename(columns={"dropout_rate": "rate", "mean": "value"})
    effect = t["quantity"].str.startswith("effect_k")
    t["order"] = t["quantity"].str.removeprefix("effect_k").where(effect)
    t["quantity"] = t["quantity"].mask(effect, "tree_share")
    held_out = (table["quantity"] == "validation_mse").any()
    measured = t["rate"].isin(table["rate"]) & t["epoch"].isin(table["epoch"])
    return t[measured & ~held_out]


def _trees(trees: pd.DataFrame, paper: pd.DataFrame, colours: dict) -> Figure:
    """Shares of orders 1 to 3 by boosted trees: ours as points, the paper's as lines."""
    orders = list(dict.fromkeys(trees["order"]))
    figure, axes = panes(len(orders))
    for ax, order in zip(axes[0], orders, strict=True):
        known = paper[(paper["quantity"] == "tree_share") & (paper["order"] == order)]
        _curves(ax, trees[trees["order"] == order], colours, known)
        ax.set_title(order_label(order))
        ax.set_xlabel("epoch")
        ax.set_ylim(0, 1)
    axes[0, 0].set_ylabel("share of orders 1 to 3\nboosted trees, as released")
    _key(figure, colours, with_paper=True, constant=False)
    return figure


def _curves(ax: Axes, rows: pd.DataFrame, colours: dict, paper: pd.DataFrame) -> None:
    for rate, of_rate in rows.groupby("rate"):
        by_epoch = of_rate.groupby("epoch")["value"]
        known = paper[(paper["rate"] == rate) & paper["epoch"].isin(of_rate["epoch"])]
        ax.plot(known["epoch"], known["value"], color=colours[rate], lw=1.3)
        style = {"fmt": "o" if len(known) else "o-", "ms": 3, "lw": 1.2, "capsize": 2}
        mean, error = by_epoch.mean(), by_epoch.sem()
        ax.errorbar(mean.index, mean, yerr=error, color=colours[rate], **style)


def _last_shares(ax: Axes, rows: pd.DataFrame) -> None:
    last = rows[(rows["epoch"] == rows["epoch"].max()) & (rows["quantity"] == "share")]
    shares = last.pivot_table("value", "order", "rate", sort=False)
    shares = shares[sorted(shares.columns)]
    bars = {k: list(v) for k, v in zip(shares.index, shares.to_numpy(), strict=True)}
    stacked_shares(ax, [f"{r:g}" for r in shares.columns], bars)


def _key(figure: Figure, colours: dict, *, with_paper: bool, constant: bool) -> None:
    key = [Line2D([], [], color=c, lw=4, label=f"r = {r:g}") for r, c in colours.items()]
    if with_paper:
        key.append(Line2D([], [], color="0.3", label="paper"))
        key.append(Line2D([], [], color="0.3", ls="", marker="o", ms=4, label="ours ± 1 s.e."))
    if constant:
        key.append(Line2D([], [], color="0.5", ls="--", label="a constant"))
        names = ("1", "2", "3", ">3")
        key += [Line2D([], [], color=order_colour(k), lw=7, label=order_label(k)) for k in names]
    figure.legend(handles=key, loc="outside lower center", ncols=7, frameon=False)
