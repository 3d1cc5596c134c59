"""Pictures of results. Matplotlib is imported when one is asked for, and only here.

Every picture is drawn into the axes given, or into new ones, which it returns. Intervals are of
95%, and nothing is clipped: an estimate below zero is drawn below zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .spectrum import OrderSpectrum

MOST_NAMED = 12
"""Lines that a legend names; more would hide the picture."""
MOST_TICKS = 24
"""Bars whose names fit under them."""


def plot_orders(
    spectra: OrderSpectrum | Sequence[OrderSpectrum],
    by: Sequence[float] | Sequence[str],
    *,
    of: str = "share",
    xlabel: str = "",
    ax: Axes | None = None,
) -> Axes:
    """Draw a line per order through spectra that differ by a rate, a step or the like.

    Parameters
    ----------
    spectra : OrderSpectrum or sequence of them
        One of several outputs, as an ensemble's, or one of a single output for each place.
    by : sequence of numbers or names
        Where each lies on the horizontal axis.
    of : "share" or "variance"

    Returns
    -------
    Axes

    Raises
    ------
    ValueError
        For spectra of different orders, of several outputs each, or of another number than `by`.
    """
    stacked = [*spectra] if isinstance(spectra, Sequence) else [spectra]
    if len({s.max_order for s in stacked}) != 1:
        raise ValueError(f"spectra must have the same orders, got {[s.max_order for s in stacked]}")
    if len(stacked) > 1 and any(s.variance[..., 0].size > 1 for s in stacked):
        raise ValueError("each of several spectra must be of one output: take spectrum.output(0)")
    shape = (-1, stacked[0].max_order + 1)
    intervals = [s.interval(of=of) for s in stacked]
    low = np.concatenate([interval.low.reshape(shape) for interval in intervals])
    high = np.concatenate([interval.high.reshape(shape) for interval in intervals])
    centre = np.concatenate([getattr(s, of).reshape(shape) for s in stacked])
    if len(centre) != len(by):
        raise ValueError(f"{len(centre)} spectra cannot lie at {len(by)} places")
    ax = new_axes() if ax is None else ax
    for k, name in enumerate(stacked[0].order_names):
        half = (high - low)[:, k] / 2
        ax.errorbar(by, centre[:, k], yerr=half, marker="o", capsize=3, label=f"order {name}")
    _finish(ax, xlabel, "share of variance" if of == "share" else of)
    ax.legend(frameon=False)
    return ax


def bars_or_lines(
    centre: np.ndarray,
    half: np.ndarray | None,
    ticks: Sequence[str],
    *,
    names: Sequence[str] = (),
    xlabel: str,
    ylabel: str,
    ax: Axes | None = None,
) -> Axes:
    """Draw bars of values [1, k] with intervals of half a width, or a line for each row of [m, k].

    Rows are named by `names`, or not at all. A bar whose error is not known (NaN) has a question
    mark and a point no interval; `half` is None for values that are exact.
    """
    ax = new_axes() if ax is None else ax
    place = np.arange(len(ticks))
    half = np.zeros_like(centre) if half is None else half
    if len(centre) == 1:
        known = half[0] > 0
        ax.bar(place, centre[0], color="C0")
        at = place[known], centre[0][known]
        ax.errorbar(*at, yerr=half[0][known], fmt="none", capsize=4, ecolor="0.3")
        for x in np.flatnonzero(np.isnan(half[0]) & ~np.isnan(centre[0])):
            ax.annotate("?", (x, max(centre[0][x], 0.0)), ha="center", va="bottom")
        if names:
            ax.set_title(names[0])
    else:
        # Side by side, so that intervals do not hide one another.
        aside = np.linspace(-0.15, 0.15, len(centre))
        few = len(centre) <= MOST_NAMED
        for row, error, shift, name in zip(centre, half, aside, names, strict=True):
            line = ax.errorbar(place + shift, row, yerr=error, fmt="o-", ms=4, lw=1, capsize=2)
            line.set_label(name)
            if not few:
                line[0].set_alpha(0.5)
        if few:
            ax.legend(frameon=False, fontsize="small")
        else:
            ax.set_title(f"{len(names)} lines, {names[0]} to {names[-1]}")
    if len(ticks) <= MOST_TICKS:
        ax.set_xticks(place, ticks)
    _finish(ax, xlabel, ylabel)
    return ax


def new_axes() -> Axes:
    """Axes of a new figure."""
    try:
        from matplotlib import pyplot
    except ImportError as error:
        raise ImportError("a plot needs matplotlib: pip install matplotlib") from error
    return pyplot.subplots()[1]


def _finish(ax: Axes, xlabel: str, ylabel: str) -> None:
    ax.axhline(0.0, color="0.5", linewidth=0.8)
    ax.set_xlabel(xlabel)
    ax.set_ylabel(ylabel)
    ax.spines[["top", "right"]].set_visible(False)
