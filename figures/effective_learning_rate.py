"""One step's move along the planted effect, beside the laws, and what Fig 2 measured instead."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_results import published

from .style import order_colour, panes

COLUMNS = (
    ("classic", "sgd", "classic, SGD step"),
    ("inverted", "sgd", "inverted, SGD step"),
    ("inverted", "adam", "inverted, Adam step"),
)
DODGE = 0.006


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Moves along the effect, or, of a table with nothing else, the norm of Fig 2 alone."""
    norms = table[table["part"] == "norm"]
    if len(norms) < len(table):
        return {"effective_learning_rate": _moves(table, norms)}
    figure, axes = panes(1, width=6.4, height=4.6)
    _norms(axes[0, 0], norms)
    axes[0, 0].set_ylabel("norm of the first update, over $r$ = 0")
    figure.legend(handles=_orders(norms), loc="outside lower center", ncols=4, frameon=False)
    return {"effective_learning_rate": figure}


def _moves(table: pd.DataFrame, norms: pd.DataFrame) -> Figure:
    """Rows: dropout of inputs and of hidden units. Last column: along training, and Fig 2."""
    figure, axes = panes(4, rows=2, width=4.1, height=3.9)
    start = table[table["part"] == "start"]
    letters = iter("abcdefgh")
    for row, placement in enumerate(("input", "activation")):
        for column, (kind, optimizer, title) in enumerate(COLUMNS):
            ax = axes[row, column]
            of_pane = start[
                (start["placement"] == placement)
                & (start["kind"] == kind)
                & (start["optimizer"] == optimizer)
            ]
            _steps(ax, of_pane, placement)
            _title(ax, letters, f"{placement} dropout: {title}")
            ax.set_xlabel(f"drop rate $r$ on the {'inputs' if row == 0 else 'hidden units'}")
            ax.set_ylim(-0.05, 1.25)
        last = axes[row, 3]
        if row == 0:
            _along_training(last, table[table["part"] == "training"])
            _title(last, letters, f"b again, along training, r = {_rate(table):g}")
        elif norms.empty:
            last.set_axis_off()
        else:
            _norms(last, norms)
            _title(last, letters, "what Fig 2 measured: a norm")
        axes[row, 0].set_ylabel("move along the effect,\nrelative to no dropout")
    key = [
        *_orders(table),
        Line2D([], [], color="0.3", label="law of products"),
        Line2D([], [], color="0.3", ls=":", label="network, average over all masks"),
        Line2D([], [], color="0.3", ls="", marker="x", label="product, drawn masks"),
        Line2D([], [], color="0.3", ls="", marker="s", mfc="w", label="1 hidden layer, drawn"),
        Line2D([], [], color="0.3", ls="", marker="o", label="2 hidden layers, drawn"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=5, frameon=False)
    return figure


def _orders(table: pd.DataFrame) -> list[Line2D]:
    orders = sorted(set(table["order"]))
    return [Line2D([], [], color=order_colour(k), lw=4, label=f"order {k}") for k in orders]


def _rate(table: pd.DataFrame) -> float:
    return table.loc[table["part"] == "training", "rate"].iloc[0]


def _title(ax: Axes, letters: object, text: str) -> None:
    ax.set_title(f"{next(letters)}  {text}", loc="left", fontsize=12)


def _points(
    ax: Axes, rows: pd.DataFrame, x: str, colour: str, marker: str, *, shift: float = 0.0
) -> None:
    """Means over starting weights ± 2 standard errors; one start has those of its masks."""
    groups = rows.groupby(x)
    mean = groups["moved"].mean()
    error = groups["moved"].sem().fillna(groups["standard_error"].first())
    ax.errorbar(
        mean.index + shift,
        mean,
        yerr=2 * error,
        fmt=marker,
        ms=5.5,
        capsize=2.5,
        color=colour,
        mfc="white" if marker == "s" else colour,
    )


def _steps(ax: Axes, rows: pd.DataFrame, placement: str) -> None:
    deepest = sorted(m for m in set(rows["model"]) if m != "products")
    shown = deepest if placement == "activation" else deepest[-1:]
    for order, of_order in rows.groupby("order"):
        colour = order_colour(order)
        shift = DODGE * (order - 2.5)
        products = of_order[of_order["model"] == "products"]
        if len(products):
            law = products.groupby("rate")["law"].first()
            ax.plot(law.index, law, color=colour, lw=1.6)
            _points(ax, products, "rate", colour, "x", shift=shift)
        for model in shown:
            of_model = of_order[of_order["model"] == model]
            expected = of_model.groupby("rate")["expected"].mean()
            ax.plot(expected.index, expected, color=colour, lw=1.6, ls=":")
            marker = "s" if model == "depth 1" else "o"
            _points(ax, of_model, "rate", colour, marker, shift=shift)


def _along_training(ax: Axes, rows: pd.DataFrame) -> None:
    for order, of_order in rows.groupby("order"):
        colour = order_colour(order)
        ordered = of_order.sort_values("amplitude")
        ax.plot(ordered["amplitude"], ordered["law"], color=colour, lw=1.6)
        ax.errorbar(
            ordered["amplitude"],
            ordered["moved"],
            yerr=2 * ordered["standard_error"],
            fmt="o",
            ms=5,
            capsize=2.5,
            color=colour,
        )
    ax.axhline(0, color="0.5", lw=1)
    ax.set_ylim(-2.1, 1.25)
    ax.set_xlim(-0.03, 0.93)
    ax.set_xlabel("amplitude learned before the step")


def _norms(ax: Axes, rows: pd.DataFrame) -> None:
    paper = published("fig2").set_index(["order", "dropout_rate"])["median_relative_update_norm"]
    for order, of_order in rows.groupby("order"):
        colour = order_colour(order)
        groups = of_order.groupby("rate")
        x = groups["norm"].median().index + DODGE * 2 * (order - 2.5)
        low, middle, high = (groups["norm"].quantile(q) for q in (0.25, 0.5, 0.75))
        ax.errorbar(
            x,
            middle,
            yerr=[middle - low, high - middle],
            fmt="o",
            ms=5.5,
            capsize=2.5,
            color=colour,
        )
        known = {rate: paper[order, rate] for rate in groups.groups if (order, rate) in paper}
        ax.plot(list(known), list(known.values()), color=colour, ls="--", marker="*", ms=10, lw=1)
    ax.set_xlabel("drop rate $r$ on the hidden units")
    ax.set_ylim(bottom=-0.05)
    handles = [
        Line2D([], [], color="0.3", marker="*", ms=10, ls="--", lw=1, label="published median"),
        Line2D([], [], color="0.3", marker="o", ls="", label="ours, median and quartiles"),
    ]
    ax.legend(handles=handles, fontsize=9, loc="lower left")
