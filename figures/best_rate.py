"""The best rate by true order and noise, and the errors it is read off."""

from __future__ import annotations

import itertools

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, panes, rate_colours

MARKERS = "os^Dv"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Mean best rate against order, a line per noise; mean error against the rate."""
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
    """A row per placement and noise, a pane per number of steps; stars are the least errors."""
    groups = table.groupby(["placement", "noise"], sort=False)
    steps, orders = sorted(set(table["steps"])), sorted(set(table["order"]))
    figure, axes = panes(len(steps), rows=groups.ngroups, width=4.2, height=3.0)
    for row, ((placement, noise), rows) in zip(axes, groups, strict=True):
        for ax, count in zip(row, steps, strict=True):
            for order, of_order in rows[rows["steps"] == count].groupby("order"):
                errors = of_order.groupby("rate")["error"]
                mean, colour = errors.mean(), order_colour(order)
                bars = 2 * errors.sem().fillna(0.0)
                ax.errorbar(mean.index, mean, yerr=bars, marker="o", ms=4, capsize=2, color=colour)
                ax.plot(mean.idxmin(), mean.min(), "*", ms=14, color=colour)
            ax.set_yscale("log")
            ax.set_title(f"{placement} dropout, noise {noise:g}, {count:,} steps", fontsize=11)
    for ax in axes[-1]:
        ax.set_xlabel("drop rate $r$")
    figure.supylabel("error at fresh points (variance of the target 1)")
    key = [Line2D([], [], color=order_colour(k), marker="o", label=f"order {k}") for k in orders]
    key.append(Line2D([], [], color="0.3", ls="", marker="*", ms=12, label="least"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure
