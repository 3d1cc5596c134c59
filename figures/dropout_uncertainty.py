"""Densities of predictions and of their uncertainty by order of the effect, and their means."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, panes

REGIMES = {"none": "no dropout", "dropout": "dropout"}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """The paper's four panes, a row per label, after the last steps; then means over repeats."""
    labels = list(dict.fromkeys(table["label"]))
    steps = table.groupby("regime")["steps"].transform("max")
    as_released = table["quantity"].str.startswith("published").any()
    last = table if as_released else table[table["steps"] == steps]
    figure, axes = panes(5, rows=len(labels), width=3.5, height=3.3)
    for row, kind in zip(axes, labels, strict=True):
        of_label = last[last["label"] == kind]
        for ax, (quantity, regime) in zip(
            row, [(q, r) for q in ("prediction", "uncertainty") for r in REGIMES], strict=False
        ):
            _densities(ax, of_label, quantity, regime)
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


def _densities(ax: Axes, rows: pd.DataFrame, quantity: str, regime: str) -> None:
    rows = rows[rows["regime"] == regime]
    as_published = rows["quantity"].str.startswith("published").any()
    for start, line in (("", "-"), ("published ", ":")):
        curves = rows[rows["quantity"] == f"{start}density of {quantity}"]
        for order, of_order in curves.groupby("order"):
            curve = of_order.groupby("x")["value"].mean()
            ax.plot(curve.index, curve, color=order_colour(order), lw=1.3, ls=line)
    top = {"prediction": 5, "uncertainty": 80 if regime == "dropout" else 100}[quantity]
    if as_published or quantity == "prediction":
        ax.set_ylim(0, top)
    else:
        # Most points are certain; those that are not are what differs.
        ax.set_yscale("log")
        ax.set_ylim(0.03, 1000)
    ax.set_title(f"{quantity}, {REGIMES[regime]}", fontsize=11)
    ax.set_xlabel(quantity)


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
