"""The best rate by true order and noise, and the errors it is read off."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import panes, rate_colours

MARKERS = "os^Dv"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Mean best rate against order, a line per noise; a map of the errors it is read off."""
    return {"best_rate": _best(table), "best_rate_errors": _errors(table)}


def _best(table: pd.DataFrame) -> Figure:
    """A row per placement, a pane per number of steps; ticks are the rates that were tried.

    Bars leave out that a best rate is known to these ticks only; the summary's errors do not.
    """
    placements, noises = list(dict.fromkeys(table["placement"])), sorted(set(table["noise"]))
    steps, orders = sorted(set(table["steps"])), sorted(set(table["order"]))
    keys = ["placement", "steps", "noise", "order"]
    least = table.loc[table.groupby([*keys, "repeat"])["error"].idxmin()].groupby(keys)["rate"]
    mean, error = least.mean(), least.sem().fillna(0.0)
    colours = rate_colours(noises)
    figure, axes = panes(len(steps), rows=len(placements), width=4.2, height=3.4)
    for (row, placement), (column, count) in itertools.product(
        enumerate(placements), enumerate(steps)
    ):
        ax = axes[row, column]
        for i, noise in enumerate(noises):
            # Side by side, for on a grid lines lie on each other.
            aside = 0.06 * (i - (len(noises) - 1) / 2)
            ax.errorbar(
                [k + aside for k in orders],
                mean[placement, count, noise].loc[orders],
                yerr=2 * error[placement, count, noise].loc[orders],
                marker=MARKERS[i % len(MARKERS)],
                color=colours[noise],
                capsize=3,
            )
        ax.set_xticks(orders)
        ax.set_yticks(sorted(set(table["rate"])))
        ax.set_title(f"{placement} dropout, {count:,} steps", fontsize=12)
        ax.set_xlabel("true order $k$")
    for row in axes:
        row[0].set_ylabel("best drop rate (± 2 s.e. over data)")
    key = [
        Line2D([], [], color=colours[n], marker=MARKERS[i % len(MARKERS)], label=f"noise {n:g}")
        for i, n in enumerate(noises)
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _errors(table: pd.DataFrame) -> Figure:
    """A pane per placement and number of steps: a row of cells per order and noise.

    Cells are mean errors over those at the least rate, which is without dropout; stars are the
    least of a row.
    """
    placements, steps = list(dict.fromkeys(table["placement"])), sorted(set(table["steps"]))
    rates = sorted(set(table["rate"]))
    keys = ["placement", "steps", "order", "noise"]
    mean = table.groupby([*keys, "rate"])["error"].mean().unstack("rate")[rates]
    over_none = mean.div(mean[rates[0]], axis=0)
    rows = list(over_none.loc[placements[0], steps[0]].index)
    figure, axes = panes(
        len(steps),
        rows=len(placements),
        width=4.3,
        height=0.27 * len(rows) + 1.2,
        sharex=True,
        sharey=True,
    )
    cells = None
    for line, placement in zip(axes, placements, strict=True):
        for ax, count in zip(line, steps, strict=True):
            here = over_none.loc[placement, count].loc[rows]
            cells = ax.imshow(here, cmap="cividis_r", norm=LogNorm(0.25, 4), aspect="auto")
            least = [rates.index(rate) for rate in here.idxmin(axis=1)]
            ax.plot(least, range(len(rows)), "*", color="white", mec="black", ms=13, ls="")
            # White between the orders.
            for i, (one, other) in enumerate(itertools.pairwise(rows)):
                if one[0] != other[0]:
                    ax.axhline(i + 0.5, color="white", lw=5)
            ax.grid(visible=False)
            ax.set_title(f"{placement} dropout, {count:,} steps", fontsize=12)
    ax.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
    ax.set_yticks(range(len(rows)), [_row(rows, i) for i in range(len(rows))])
    for ax in axes[-1]:
        ax.set_xlabel("drop rate $r$")
    bar = figure.colorbar(cells, ax=axes, extend="both", shrink=0.6, aspect=30)
    bar.set_ticks(
        [0.25, 0.5, 1, 2, 4], labels=["a quarter", "half", "as without", "twice", "4 times"]
    )
    bar.minorticks_off()
    bar.set_label("error at fresh points, over that without dropout")
    key = [
        Line2D([], [], color="white", mec="black", marker="*", ms=13, ls="", label="least error")
    ]
    figure.legend(handles=key, loc="outside lower center", frameon=False)
    return figure


def _row(rows: list[tuple[int, float]], i: int) -> str:
    """The noise of a row, and its order where it is the first of that."""
    order, noise = rows[i]
    first = i == 0 or rows[i - 1][0] != order
    return f"{f'order {order}:   ' if first else ''}noise {noise:g}"
