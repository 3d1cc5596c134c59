"""Methods tuned alike on held-out rows of many tables: mean ranks, and errors over dropout's."""

from __future__ import annotations

import math
from typing import NamedTuple

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import panes

BASELINE, CONTROL = "dropout", "additive"
RATIOS = (0.5, 0.7, 1.0, 1.4, 2.0)
"""Ticks of the axis of ratios."""
NAMES = {
    "none": "no regularizer",
    "order penalty": "order penalty, all orders",
    "orders from K": "order penalty, orders from K",
    "by order": "order penalty, by order",
}


class Look(NamedTuple):
    """How rows of one kind are drawn, and how far from the middle of their method's place."""

    name: str
    colour: str
    marker: str
    shift: float


LOOKS = {
    True: Look("steps chosen on held-out rows, too", "#0072B2", "o", -0.17),
    False: Look("trained to the end", "#D55E00", "s", 0.17),
}
"""Stopped or not."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Left mean ranks, right errors over dropout's: means ± 2 standard errors over tables.

    Pale dots are single tables; a cross is the planted control, which counts in no mean.
    """
    errors = table.groupby(["stopped", "table", "method"], sort=False)["test_error"].mean()
    methods = list(dict.fromkeys(table["method"]))
    figure, axes = panes(2, width=5.6, height=0.6 * len(methods) + 2.2, sharey=True)
    ranks, ratios = axes[0]
    for stopped, of in errors.groupby(level="stopped", sort=False):
        look = LOOKS[bool(stopped)]
        wide = of.droplevel("stopped").unstack("method")[methods]
        over = wide.div(wide[BASELINE], axis=0)
        counted = wide.index != CONTROL
        _means(ranks, wide[counted].rank(axis=1), look)
        _dots(ratios, over[counted], look, marker=".", ms=8)
        _dots(ratios, over[~counted], look, marker="x", ms=6)
        _means(ratios, over[counted], look, log=True)
    ranks.set_yticks(range(len(methods)), [NAMES.get(m, m) for m in methods])
    ranks.set_ylim(len(methods) - 0.5, -0.5)
    ranks.set_xlabel(f"mean rank of {len(methods)} (1 is best)")
    ratios.axvline(1.0, color="0.2", lw=1.2, zorder=0)
    ratios.set_xscale("log")
    ratios.minorticks_off()
    ratios.set_xticks(RATIOS, [f"{ratio:g}" for ratio in RATIOS])
    ratios.set_xlabel("test error over dropout's")
    key = [
        Line2D([], [], color=look.colour, marker=look.marker, ls="", label=look.name)
        for look in LOOKS.values()
    ]
    key.append(Line2D([], [], color="0.3", marker=".", ls="", alpha=0.5, label="a table"))
    if CONTROL in set(table["table"]):
        key.append(Line2D([], [], color="0.3", marker="x", ls="", label="control: order 1 alone"))
    figure.legend(handles=key, loc="outside lower center", ncols=2, frameon=False)
    return {"adaptive": figure}


def _means(ax: Axes, values: pd.DataFrame, look: Look, *, log: bool = False) -> None:
    """Means of columns over tables; of logarithms where a ratio is averaged."""
    on = values.map(math.log) if log else values
    mean, error = on.mean(), 2 * on.sem()
    ends = pd.DataFrame({"low": mean - error, "mean": mean, "high": mean + error})
    ends = ends.map(math.exp) if log else ends
    for place, row in enumerate(ends.itertuples()):
        xerr = [[row.mean - row.low], [row.high - row.mean]] if len(values) > 1 else None
        style = {"color": look.colour, "marker": look.marker, "capsize": 3, "ms": 6}
        ax.errorbar(row.mean, place + look.shift, xerr=xerr, **style)


def _dots(ax: Axes, values: pd.DataFrame, look: Look, *, marker: str, ms: int) -> None:
    """A dot per table, beside the mean of its method."""
    for place, method in enumerate(values):
        at = [place + 1.9 * look.shift] * len(values)
        ax.plot(values[method], at, marker, color=look.colour, alpha=0.45, ms=ms, mew=1.5)
