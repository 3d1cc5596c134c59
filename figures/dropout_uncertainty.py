"""Densities of predictions and of their uncertainty by order of the effect, and their means."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_results import published

from .style import order_colour, panes

REGIMES = {"none": "no dropout", "dropout": "dropout"}
WIDEST = 0.04
"""Where Fig 9 ends: runs whose densities of uncertainty end there too are those as released."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """The paper's four panes, a row per label, after the last steps; then means over repeats."""
    labels = list(dict.fromkeys(table["label"]))
    as_released = table.loc[table["quantity"] == "density of uncertainty", "x"].max() <= WIDEST
    # Networks as released stop when they will; otherwise all were read after the same steps.
    networks = table.groupby(["label", "order", "regime", "repeat"])
    last = table[table["steps"] == networks["steps"].transform("max")]
    figure, axes = panes(5, rows=len(labels), width=3.5, height=3.3)
    for row, kind in zip(axes, labels, strict=True):
        of_label = last[last["label"] == kind]
        for ax, (quantity, regime) in zip(
            row, [(q, r) for q in ("prediction", "uncertainty") for r in REGIMES], strict=False
        ):
            _densities(ax, of_label, quantity, regime, logarithmic=not as_released)
            if as_released:
                _paper(ax, of_label, quantity, regime)
        _means(row[4], of_label)
        row[0].set_ylabel(f'label "{kind}" of $k$ inputs\ndensity')
    orders = sorted(set(table["order"]))
    key = [Line2D([], [], color=order_colour(k), lw=3, label=f"$k$ = {k}") for k in orders]
    key += [Line2D([], [], color="0.3", marker="o", label="dropout, over masks")]
    key += [Line2D([], [], color="0.3", marker="s", ls="--", label="no dropout, over networks")]
    if as_released:
        key += [Line2D([], [], color="0.3", ls=":", label="published")]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return {"dropout_uncertainty": figure}


def _densities(
    ax: Axes, rows: pd.DataFrame, quantity: str, regime: str, *, logarithmic: bool
) -> None:
    curves = rows[(rows["regime"] == regime) & (rows["quantity"] == f"density of {quantity}")]
    for order, of_order in curves.groupby("order"):
        curve = of_order.groupby("x")["value"].mean()
        ax.plot(curve.index, curve, color=order_colour(order), lw=1.3)
    top = {"prediction": 5, "uncertainty": 80 if regime == "dropout" else 100}[quantity]
    if quantity == "prediction" or not logarithmic:
        ax.set_ylim(0, top)
    else:
        # Most points are certain; those that are not are what differs.
        ax.set_yscale("log")
        ax.set_ylim(0.03, 1000)
    ax.set_title(f"{quantity}, {REGIMES[regime]}", fontsize=11)
    ax.set_xlabel(quantity)


def _paper(ax: Axes, rows: pd.DataFrame, quantity: str, regime: str) -> None:
    """Curves of Fig 9 at the orders of the rows, but where they run out of its axes."""
    t = published("fig9")
    name = {"none": "no_dropout"}.get(regime, regime)
    t = t[(t["regime"] == name) & t["quantity"].str.startswith(quantity) & t["note"].isna()]
    for order, curve in t[t["order"].isin(rows["order"])].groupby("order"):
        by_x = curve.groupby("x")["density"].mean()
        ax.plot(by_x.index, by_x, color=order_colour(order), lw=1.3, ls=":")


def _means(ax: Axes, rows: pd.DataFrame) -> None:
    for regime, marker, line in (("dropout", "o", "-"), ("none", "s", "--")):
        values = rows[(rows["regime"] == regime) & (rows["quantity"] == "uncertainty")]
        groups = values.groupby("order")["value"]
        ax.errorbar(
            groups.mean().index,
            groups.mean(),
            yerr=2 * groups.sem(),
            marker=marker,
            ls=line,
            color="0.3",
            capsize=3,
        )
    ax.set_title("mean uncertainty", fontsize=11)
    ax.set_xlabel("order of the effect $k$")
    ax.set_xticks(sorted(set(rows["order"])))
    ax.set_ylim(bottom=0)
