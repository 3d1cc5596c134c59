"""Bias and variance of every order: by regularizer, over training, and against the width."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, panes, stacked_shares

TARGETS = {"noise": "pure noise", "mixture": "mixture of orders 1 to 4", "bike": "bike sharing"}
PARTS = {"bias": "-", "variance": "--"}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Stacked bars by regularizer, each at its least test error; lines over steps and widths."""
    table = table.assign(order=table["order"].astype(str))
    regularizers = table[table["part"] == "regularizers"]
    widths = table[table["part"] == "widths"]
    pictures = {}
    if len(regularizers):
        pictures["error_by_order"] = _bars(regularizers)
        plain = regularizers[regularizers["regularizer"] == "none"]
        pictures["error_by_order_training"] = _lines(plain, "steps", "steps of training")
    if len(widths):
        pictures["error_by_order_width"] = _lines(widths, "width", "width of the hidden layer")
    # A run of widths alone has a picture of its own name, too.
    return pictures if len(regularizers) else {"error_by_order": pictures["error_by_order_width"]}


def _bars(table: pd.DataFrame) -> Figure:
    """Two bars a regularizer, bias and variance after the last step."""
    names = list(dict.fromkeys(table["target"]))
    last = table[table["steps"] == table["steps"].max()]
    figure, axes = panes(len(names), width=5.4, height=4.6)
    for ax, name in zip(axes[0], names, strict=True):
        here = last[last["target"] == name]
        errors = here[here["quantity"] == "test_error"]
        best = errors.loc[errors.groupby("regularizer", sort=False)["value"].idxmin()]
        parts = [q for q in PARTS if q in set(here["quantity"])]
        orders = [o for o in dict.fromkeys(here["order"]) if o != "all"]
        bars: dict[str, list[float]] = {order: [] for order in orders}
        positions = []
        for row in best.itertuples():
            own = here[
                (here["regularizer"] == row.regularizer) & (here["strength"] == row.strength)
            ]
            at = f" {row.strength:g}" * (row.regularizer != "none")
            for part in parts:
                values = own[own["quantity"] == part].set_index("order")["value"]
                positions.append(f"{row.regularizer}{at}, {part}")
                for order in orders:
                    bars[order].append(values.fillna(0.0).get(order, 0.0))
        stacked_shares(ax, positions, {o: v for o, v in bars.items() if o != "0"})
        ax.tick_params(axis="x", rotation=90, labelsize=8)
        ax.set_title(TARGETS.get(name, name), fontsize=13)
    axes[0, 0].set_ylabel("squared error")
    axes[0, 0].legend(fontsize=9)
    return figure


def _lines(table: pd.DataFrame, x: str, label: str) -> Figure:
    """A pane per target: bias (line) and variance (dashes) of every order, ± 2 standard errors."""
    names = list(dict.fromkeys(table["target"]))
    figure, axes = panes(len(names), width=4.8, height=4.0)
    orders = [o for o in dict.fromkeys(table["order"]) if o not in ("0", "all")]
    for ax, name in zip(axes[0], names, strict=True):
        for part, line in PARTS.items():
            rows = table[(table["target"] == name) & (table["quantity"] == part)]
            _of_orders(ax, rows, orders, x, line)
        ax.set_xscale("log")
        ax.set_xlabel(label)
        ax.set_title(TARGETS.get(name, name), fontsize=13)
    axes[0, 0].set_ylabel("squared error")
    key = [Line2D([], [], color=order_colour(o), label=f"order {o}") for o in orders]
    key += [Line2D([], [], color="0.3", ls=line, label=part) for part, line in PARTS.items()]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _of_orders(ax: Axes, rows: pd.DataFrame, orders: list[str], x: str, line: str) -> None:
    for order in orders:
        own = rows[rows["order"] == order].dropna(subset="value")
        if len(own):
            error = 2 * own["standard_error"]
            colour = order_colour(order)
            ax.errorbar(own[x], own["value"], yerr=error, ls=line, color=colour, capsize=2)
