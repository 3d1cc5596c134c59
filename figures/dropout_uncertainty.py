"""The uncertainty that networks report by order of the effect, beside the error they make."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from paper_results import published

from .style import order_colour, order_label, panes

REGIMES = {"none": "no dropout", "dropout": "dropout"}
LOOKS = {"dropout": ("black", "o", "-"), "none": ("0.55", "s", "--")}
SPREADS = {
    "dropout": "dropout (spread over its masks)",
    "none": "no dropout (spread over networks)",
}
LABELS = {"and": "all of $k$ inputs are large", "sign": "sign of a product of $k$ inputs"}
QUANTITIES = {"uncertainty": "uncertainty reported", "test_mse": "error made"}
WIDEST = 0.04
"""Where Fig 9 ends: runs whose densities of uncertainty end there too are those as released."""
SMOOTH = 5
"""Neighbouring points of a density that are averaged."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Mean uncertainty and error by order; and densities of predictions and uncertainties."""
    # Networks as released stop when they will; otherwise all were read after the same steps.
    networks = table.groupby(["label", "order", "regime", "repeat"])
    last = table[table["steps"] == networks["steps"].transform("max")]
    return {"dropout_uncertainty": _means(last), "dropout_uncertainty_densities": _densities(last)}


def _means(table: pd.DataFrame) -> Figure:
    """A row per label, a pane each for what is reported and for what is true."""
    labels = list(dict.fromkeys(table["label"]))
    figure, axes = panes(2, rows=len(labels), width=5.0, height=3.3, sharex=True, sharey="col")
    for row, label in zip(axes, labels, strict=True):
        for ax, (quantity, title) in zip(row, QUANTITIES.items(), strict=True):
            rows = table[(table["label"] == label) & (table["quantity"] == quantity)]
            for regime, (colour, marker, line) in LOOKS.items():
                groups = rows[rows["regime"] == regime].groupby("order")["value"]
                mean, error = groups.mean(), groups.sem()
                style = {"color": colour, "marker": marker, "ls": line, "ms": 8, "lw": 2}
                ax.errorbar(mean.index, mean, yerr=2 * error, capsize=4, **style)
            ax.set_title(f"{title}: {LABELS.get(label, label)}", fontsize=12)
            ax.set_xticks(sorted(set(table["order"])))
            ax.set_yscale("log")
            ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 3.0)))
            ax.yaxis.set_minor_formatter(NullFormatter())
            ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        row[0].set_ylabel("mean standard deviation\nof the predictions")
        row[1].set_ylabel("mean squared error\non test points")
    for ax in axes[-1]:
        ax.set_xlabel("order of the effect $k$")
    key = [
        Line2D([], [], color=c, marker=m, ls=line, ms=8, lw=2, label=SPREADS[regime])
        for regime, (c, m, line) in LOOKS.items()
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=2, frameon=False)
    return figure


def _densities(table: pd.DataFrame) -> Figure:
    """The paper's four panes, a row per label; of runs as released with its curves, dotted."""
    labels = list(dict.fromkeys(table["label"]))
    as_released = table.loc[table["quantity"] == "density of uncertainty", "x"].max() <= WIDEST
    figure, axes = panes(4, rows=len(labels), width=4.0, height=3.3)
    for row, label in zip(axes, labels, strict=True):
        of_label = table[table["label"] == label]
        panels = itertools.product(("prediction", "uncertainty"), REGIMES)
        for ax, (quantity, regime) in zip(row, panels, strict=True):
            _curves(ax, of_label, quantity, regime)
            if as_released:
                _paper(ax, of_label, quantity, regime)
                top = {"prediction": 5, "uncertainty": 80 if regime == "dropout" else 100}
                ax.set_ylim(0, top[quantity])
            else:
                # Most points are certain; those that are not are what differs.
                ax.set_yscale("log")
                ax.set_ylim(*{"prediction": (0.03, 50), "uncertainty": (0.03, 300)}[quantity])
            ax.set_title(f"{quantity}s, {REGIMES[regime]}".replace("tys", "ties"), fontsize=12)
            ax.set_xlabel(quantity)
        row[0].set_ylabel(f"{LABELS.get(label, label)}\ndensity", fontsize=11)
    orders = sorted(set(table["order"]))
    key = [Line2D([], [], color=order_colour(k), lw=3, label=order_label(k)) for k in orders]
    if as_released:
        key.append(Line2D([], [], color="0.3", ls=":", label="published, at that order"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _curves(ax: Axes, rows: pd.DataFrame, quantity: str, regime: str) -> None:
    """Means over repeats and neighbouring points."""
    curves = rows[(rows["regime"] == regime) & (rows["quantity"] == f"density of {quantity}")]
    for order, of_order in curves.groupby("order"):
        curve = of_order.groupby("x")["value"].mean()
        smooth = curve.rolling(SMOOTH, center=True, min_periods=1).mean()
        ax.plot(smooth.index, smooth, color=order_colour(order), lw=1.6)


def _paper(ax: Axes, rows: pd.DataFrame, quantity: str, regime: str) -> None:
    """Curves of Fig 9 at the orders of the rows, but where they run out of its axes."""
    t = published("fig9")
    name = {"none": "no_dropout"}.get(regime, regime)
    t = t[(t["regime"] == name) & t["quantity"].str.startswith(quantity) & t["note"].isna()]
    for order, curve in t[t["order"].isin(rows["order"])].groupby("order"):
        by_x = curve.groupby("x")["density"].mean()
        ax.plot(by_x.index, by_x, color=order_colour(order), lw=1.3, ls=":")
