"""Bias and variance of every order: by regularizer, over training, and against the width."""

from __future__ import annotations

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from .style import order_colour, panes

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
    """A bar a regularizer at the end of training: variance by order, and hatched, the bias."""
    names = list(dict.fromkeys(table["target"]))
    last = table[table["steps"] == table["steps"].max()]
    figure, axes = panes(len(names), width=4.6, height=4.0)
    for ax, name in zip(axes[0], names, strict=True):
        here = last[last["target"] == name]
        errors = here[here["quantity"] == "test_error"]
        best = errors.loc[errors.groupby("regularizer", sort=False)["value"].idxmin()]
        own = here.merge(best[["regularizer", "strength"]])
        values = (
            own[own["order"] != "0"]
            .set_index(["quantity", "order", "regularizer"])["value"]
            .sort_index()
        )
        places = best["regularizer"].tolist()
        left = pd.Series(0.0, index=places)
        for part, hatch in {"variance": "", "bias": "////"}.items():
            for order in _orders(own[own["quantity"] == part]):
                # Squares estimated without bias fall below 0 by chance, where nothing can be drawn.
                long = values[part, order].reindex(places).clip(lower=0.0).fillna(0.0)
                look = {"color": order_colour(order), "hatch": hatch, "edgecolor": "white"}
                ax.barh(places, long, left=left, linewidth=0.5, **look)
                left = left + long
        at = zip(places, best["strength"], strict=True)
        ax.set_yticks(range(len(places)), [n if n == "none" else f"{n} {v:g}" for n, v in at])
        ax.invert_yaxis()
        ax.set_title(TARGETS.get(name, name), fontsize=13)
        ax.set_xlabel("squared error")
    parts = [Patch(facecolor="0.6", edgecolor="white", label="variance")]
    parts += [Patch(facecolor="0.6", edgecolor="white", hatch="////", label="bias")]
    _key(figure, table, parts)
    return figure


def _lines(table: pd.DataFrame, x: str, label: str) -> Figure:
    """A pane per target: bias (line) and variance (dashes) of every order, ± 2 standard errors."""
    names = list(dict.fromkeys(table["target"]))
    figure, axes = panes(len(names), width=4.8 if len(names) > 1 else 6.4, height=4.0)
    for ax, name in zip(axes[0], names, strict=True):
        for part, line in PARTS.items():
            rows = table[(table["target"] == name) & (table["quantity"] == part)]
            _of_orders(ax, rows, _orders(rows), x, line)
        ax.set_xscale("log")
        ax.set_xlabel(label)
        ax.set_title(TARGETS.get(name, name), fontsize=13)
    axes[0, 0].set_ylabel("squared error")
    _key(
        figure, table, [Line2D([], [], color="0.3", ls=s, label=part) for part, s in PARTS.items()]
    )
    return figure


def _orders(table: pd.DataFrame) -> list[str]:
    """Orders of interaction in their order, those lumped together last; not the mean's, 0."""
    orders = [o for o in dict.fromkeys(table["order"]) if o not in ("0", "all")]
    return sorted(orders, key=lambda o: (o.startswith(">"), o))


def _key(figure: Figure, table: pd.DataFrame, parts: list[Artist]) -> None:
    orders = [o for o in _orders(table) if not o.startswith(">")]
    key: list[Artist] = [Patch(color=order_colour(o), label=f"order {o}") for o in orders]
    key += [Patch(color=order_colour(">"), label="above"), *parts]
    columns = len(key) if len(figure.axes) > 1 else (len(key) + 1) // 2
    figure.legend(handles=key, loc="outside lower center", ncols=columns, frameon=False)


def _of_orders(ax: Axes, rows: pd.DataFrame, orders: list[str], x: str, line: str) -> None:
    for order in orders:
        own = rows[rows["order"] == order].dropna(subset="value").sort_values(x)
        if len(own):
            error = 2 * own["standard_error"]
            colour = order_colour(order)
            ax.errorbar(own[x], own["value"], yerr=error, ls=line, color=colour, capsize=2)
