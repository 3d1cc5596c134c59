"""One look for every picture: the same colour for the same interaction order everywhere."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe & Ito's palette, distinguishable under the common colour-vision deficiencies.
_BY_ORDER = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9")
ABOVE = "#7F7F7F"
MEASURES = {"unbiased": "unbiased spectrum", "released": "boosted trees, as released"}
"""How networks are measured, and what pictures call it."""


def order_colour(order: int | str) -> str:
    """Colour of an order; orders lumped together (">3") are grey."""
    name = str(order)
    return ABOVE if name.startswith(">") else _BY_ORDER[(int(name) - 1) % len(_BY_ORDER)]


def order_label(order: int | str) -> str:
    name = str(order)
    return f"order {int(name[1:]) + 1} and above" if name.startswith(">") else f"order {name}"


def rate_colours(rates: Sequence[float]) -> dict[float, tuple[float, float, float]]:
    """Light to dark as the rate grows."""
    return dict(zip(rates, sns.color_palette("viridis_r", len(rates)), strict=True))


def panes(
    columns: int,
    *,
    rows: int = 1,
    width: float = 4.2,
    height: float = 3.6,
    sharex: bool | str = False,
    sharey: bool | str = False,
) -> tuple:
    """A figure with a grid of axes, independent of any display; axes are shared as in subplots."""
    with sns.axes_style("whitegrid", {"grid.color": "0.92"}), sns.plotting_context("notebook"):
        figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False, sharex=sharex, sharey=sharey)
        return figure, axes


def stacked_shares(ax: Axes, positions: Sequence[str], shares: dict[str, Sequence[float]]) -> None:
    """Bars of shares stacked by order; negative estimates are drawn below zero."""
    up, down = [0.0] * len(positions), [0.0] * len(positions)
    for order, values in shares.items():
        base = [u if v >= 0 else d for u, d, v in zip(up, down, values, strict=True)]
        ax.bar(
            positions,
            values,
            bottom=base,
            color=order_colour(order),
            label=order_label(order),
            edgecolor="white",
            linewidth=0.5,
        )
        up = [u + max(v, 0.0) for u, v in zip(up, values, strict=True)]
        down = [d + min(v, 0.0) for d, v in zip(down, values, strict=True)]


def shares_by_rate(ax: Axes, table: pd.DataFrame, xlabel: str) -> None:
    """Mean shares of the rows of every order and rate, stacked."""
    means = table.groupby(["order", "rate"], sort=False)["share"].mean().unstack()
    names = [f"{rate:g}" for rate in means.columns]
    stacked_shares(ax, names, {order: list(means.loc[order]) for order in means.index})
    ax.set(xlabel=xlabel, ylabel="share of variance")


def variances_by_rate(ax: Axes, variances: pd.Series, xlabel: str) -> None:
    """Means with two standard errors of values indexed by order and rate, on a log scale.

    Negative means are left out.
    """
    groups = variances.groupby(level=["order", "rate"], sort=False)
    means, errors = groups.mean().unstack(), groups.sem().fillna(0.0).unstack()
    for order in means.index:
        mean = means.loc[order].where(means.loc[order] > 0)
        style = {"marker": "o", "capsize": 3, "color": order_colour(order)}
        ax.errorbar(mean.index, mean, yerr=2 * errors.loc[order], label=order_label(order), **style)
    ax.set_yscale("log")
    ax.set(xlabel=xlabel, ylabel="variance")
