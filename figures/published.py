"""A figure of the paper from its points, published or ours, so that both look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import order_colour, rate_colours

WIDTH = 7.5
SMALL = 0.15
"""Part of a pane's height that its bars must reach; the axis of smaller ones is drawn larger."""


@dataclass(frozen=True)
class Look:
    """How the points of an item are drawn: stacked bars or lines, panes in so many columns."""

    x: str
    y: str
    columns: int = 3
    stacked: bool = False
    log: bool = False
    marker: str = ""
    line: str = "-"
    low: float | None = None
    high: float | None = None


LOOKS = {
    "curves": Look("$X$", "$E[Y\\mid X]$", columns=2, marker=".", low=0, high=1),
    "medians": Look("drop rate", "median over $r$ = 0", columns=1, marker="o", low=0),
    "survivors": Look("order $k$", "surviving effects", columns=1, log=True, marker="."),
    "distillation": Look("true order", "share", marker="o", line="", low=0, high=1.05),
    "bars by rate": Look("drop rate", "", stacked=True, low=0),
    "bars by decay": Look("weight decay", "", columns=2, stacked=True, low=0),
    "epochs": Look("epoch", "", low=0),
    "densities": Look("", "density", columns=2, low=0),
    "accuracy": Look("drop rate", "test accuracy", columns=1, marker="o"),
}


def draw(points: pd.DataFrame, look: str, *, beside: Sequence[pd.DataFrame] = ()) -> Figure:
    """Draw points in the way that `look` names in LOOKS; returns the figure.

    Points have columns pane, series, x and value; a column standard_error is drawn as bars.
    `beside` are the points of pictures that will stand beside this one: panes, colours and axes
    make room for all of them. Bars that would hardly be seen beside them have a finer axis, and
    the pane's title says so. A pane of which there are no points stays empty.
    """
    how = LOOKS[look]
    everything = pd.concat([*beside, points])
    names = list(dict.fromkeys(everything["pane"]))
    columns = min(how.columns, len(names))
    rows = -(-len(names) // columns)
    with sns.axes_style("whitegrid", {"grid.color": "0.92"}), sns.plotting_context("paper"):
        height = 2.4 if columns > 1 else 4.2
        figure = Figure(figsize=(WIDTH, height * rows + 0.4), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
    colours = _colours(list(dict.fromkeys(everything["series"])))
    put = _bars if how.stacked else _lines
    for ax, name in zip(axes, names, strict=False):
        for other in beside:
            put(ax, other[other["pane"] == name], colours, how, alpha=0.0)
        put(ax, points[points["pane"] == name], colours, how, alpha=1.0)
        ax.set_title(name, fontsize=10)
        if how.log:
            ax.set_yscale("log")
        ax.set_ylim(how.low, how.high)
        if how.stacked:
            _legible(ax, points[points["pane"] == name], everything[everything["pane"] == name])
    for ax in axes[len(names) :]:
        ax.set_axis_off()
    for ax in axes[max(0, len(names) - columns) : len(names)]:
        ax.set_xlabel(how.x)
    for ax in axes[::columns]:
        ax.set_ylabel(how.y)
    known = {}
    for ax in axes:
        known |= {label: h for h, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(known.values(), known, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _legible(ax: Axes, mine: pd.DataFrame, everything: pd.DataFrame) -> None:
    """Says what is not there, and gives bars an axis of their own that else none would see."""
    low, high = ax.get_ylim()
    tallest = mine.groupby("x")["value"].sum().max()
    if 0 < tallest < SMALL * high:
        ax.set_title(f"{ax.get_title()}\n(axis {high / tallest:.0f} times finer)", fontsize=10)
        ax.set_ylim(low, tallest * 1.1)
    for x in sorted(set(everything["x"]) - set(mine["x"])):
        middle = {"transform": ax.get_xaxis_transform(), "ha": "center", "va": "center"}
        ax.text(f"{x:g}", 0.5, "no bar", rotation=90, color="0.5", fontsize=8, **middle)


def _colours(series: list[str]) -> dict[str, object]:
    """By order, or light to dark by rate; names end in the number."""
    values = {name: name.rpartition(" ")[2] for name in series}
    if all(name.startswith("order") for name in series):
        return {name: order_colour(v.replace("4+", ">3")) for name, v in values.items()}
    rates = rate_colours(sorted(float(v) for v in values.values()))
    return {name: rates[float(v)] for name, v in values.items()}


def _lines(
    ax: Axes, points: pd.DataFrame, colours: dict[str, object], how: Look, *, alpha: float
) -> None:
    for name, of_series in points.groupby("series", sort=False):
        of_series = of_series.sort_values("x")
        ax.errorbar(
            of_series["x"],
            of_series["value"],
            yerr=of_series.get("standard_error"),
            color=colours[name],
            label=name if alpha else None,
            alpha=alpha,
            marker=how.marker,
            ls=how.line,
            ms=5,
            lw=1.3,
            elinewidth=0.8,
        )


def _bars(
    ax: Axes, points: pd.DataFrame, colours: dict[str, object], how: Look, *, alpha: float
) -> None:
    places = [f"{x:g}" for x in sorted(set(points["x"]))]
    below = dict.fromkeys(places, 0.0)
    for name, of_series in points.groupby("series", sort=False):
        of_series = of_series.sort_values("x")
        heights = dict(zip(of_series["x"].map("{:g}".format), of_series["value"], strict=True))
        ax.bar(
            list(heights),
            list(heights.values()),
            bottom=[below[p] for p in heights],
            color=colours[name],
            label=name if alpha else None,
            alpha=alpha,
            edgecolor="white",
            linewidth=0.5,
        )
        below |= {p: below[p] + h for p, h in heights.items()}
    ax.tick_params(axis="x", labelsize=7)
