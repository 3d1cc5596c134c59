"""The lecture's pictures: panes of lines with errors, over numbers or words."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Protocol

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import order_colour, panes

MARKERS = "osD^vPX*"
STYLES = ("-", "--", "-.", ":")
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
MANY = 25
"""Points of a line above which they have no markers."""


class Pane(Protocol):
    """A part of a picture."""

    @property
    def title(self) -> str: ...
    @property
    def xlabel(self) -> str: ...
    @property
    def ylabel(self) -> str: ...
    @property
    def points(self) -> pd.DataFrame:
        """Columns series, x, y and error, the standard error."""

    @property
    def log(self) -> bool: ...
    @property
    def marks(self) -> tuple[tuple[float, str], ...]: ...


def draw(title: str, shown: Sequence[Pane]) -> Figure:
    """A row of panes under a title; bars are two standard errors."""
    figure, axes = panes(len(shown), width=5.6, height=4.2)
    figure.suptitle(title)
    for ax, pane in zip(axes[0], shown, strict=True):
        _lines(ax, pane.points)
        for place, label in pane.marks:
            ax.axvline(place, color="0.3", linestyle=":", label=label)
        ax.set(title=pane.title, xlabel=pane.xlabel, ylabel=pane.ylabel)
        if pane.log:
            ax.set_yscale("log")
        ax.legend(fontsize="small")
    return figure


def _lines(ax: Axes, points: pd.DataFrame) -> None:
    for i, (name, line) in enumerate(points.groupby("series", sort=False)):
        order = str(name).removeprefix("order ")
        colour = order_colour(order) if order != name else COLOURS[i % len(COLOURS)]
        if not line["x"].map(type).eq(str).any():
            line = line.sort_values("x")
        few = len(line) <= MANY
        # Between two words there is nothing.
        words = len(line) == 2 and line["x"].map(type).eq(str).all()
        ax.errorbar(
            line["x"],
            line["y"],
            yerr=2 * line["error"],
            label=str(name),
            color=colour,
            marker=MARKERS[i % len(MARKERS)] if few else None,
            linestyle="none" if words else STYLES[i % len(STYLES)],
            # Of lines that lie on one another, all are seen.
            linewidth=1.8 if few else max(1.2, 4.5 - i),
            capsize=3 if few else 0,
            elinewidth=1 if few else 0.5,
        )


def png(figure: Figure) -> bytes:
    """The picture in a file, the same for the same numbers."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()
