"""What is left of an effect of order k in every sense of dropout, and cases where senses part."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .style import order_colour, panes

# Per pane: its title, and the quantities drawn in it with their line style and marker.
PANES = {
    "masked": (
        "averaged over masks",
        {
            "products of x": ("-", "o", "products of $x$: $(1-r)^k$"),
            "whole variance, x² - ⅓": (":", "D", "of $x^2-⅓$, with leaks (root of variance)"),
        },
    ),
    "resampled": (
        "dropped inputs redrawn",
        {"products of x² - ⅓": ("-", "o", "any pure effect: $(1-r)^k$")},
    ),
    "trained": (
        "networks trained on dropped-out inputs",
        {
            "products of x": ("-", "o", "products of $x$: $(1-r)^k$"),
            "sin 2.5x": (":", "D", "sin 2.5$x$: dilation $F((1-r)x)$"),
        },
    ),
    "fitted": (
        "least squares on products of inputs",
        {
            "±1 inputs": ("-", "o", "±1 inputs: $(1-r)^k$"),
            "inputs with a mean": (":", "D", "U(-½, 1½) inputs: less"),
        },
    ),
    "gradients": (
        "gradient and curvature at zero",
        {
            "classic gradient": ("-", "o", "classic, both: $(1-r)^k$"),
            "inverted gradient": ("--", "s", "inverted gradient: 1"),
            "inverted curvature": (":", "D", "inverted curvature: $(1-r)^{-k}$"),
        },
    ),
    "units": (
        "a layer's four units masked",
        {"units of a layer": ("-", "o", "order among units: $(1-r)^k$ and leaks")},
    ),
}
SENSES = {
    "masked": ("o", "#000000", "averaged over masks"),
    "resampled": ("s", "#0072B2", "redrawn"),
    "fitted": ("D", "#009E73", "least squares"),
    "trained": ("^", "#D55E00", "trained networks"),
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """The picture of the laws, and the picture of the cases."""
    laws, cases = (table[table["part"] == part] for part in ("laws", "cases"))
    return {"four_laws": _laws(laws), "four_laws_cases": _cases(cases)}


def _laws(table: pd.DataFrame) -> Figure:
    """A pane per sense: lines are laws, points means over repeats ± 2 standard errors."""
    figure, axes = panes(3, rows=2, width=4.6, height=3.9)
    for ax, letter, (sense, (title, quantities)) in zip(
        axes.flat, "abcdef", PANES.items(), strict=True
    ):
        for quantity, (line, marker, _) in quantities.items():
            rows = table[(table["sense"] == sense) & (table["quantity"] == quantity)]
            for order, of_order in rows.groupby("order"):
                _line_and_points(ax, of_order, order_colour(order), line, marker)
        ax.set_title(f"{letter}  {title}", loc="left", fontsize=12)
        low, high = (1.5e-3, 700) if sense == "gradients" else (1.5e-3, 1.5)
        _log_scale(ax, low, high)
        handles = [
            Line2D([], [], color="0.3", ls=line, marker=marker, ms=5, mfc=_face(marker), label=text)
            for line, marker, text in quantities.values()
        ]
        corner = "upper left" if sense == "gradients" else "lower left"
        ax.legend(handles=handles, loc=corner, fontsize=9, handlelength=2.6)
    for ax in axes[1]:
        ax.set_xlabel("drop rate $r$")
    for ax in axes[:, 0]:
        ax.set_ylabel("relative to no dropout")
    orders = sorted(set(table["order"]))
    key = [Line2D([], [], color=order_colour(k), lw=4, label=f"order {k}") for k in orders]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _line_and_points(ax: Axes, rows: pd.DataFrame, colour: str, line: str, marker: str) -> None:
    by_rate = rows.groupby("rate")
    law = by_rate["law"].first()
    ax.plot(law.index, law, color=colour, ls=line, lw=1.6)
    measured = rows.dropna(subset="measured").groupby("rate")["measured"]
    mean, error = measured.mean(), 2 * measured.sem()
    ax.errorbar(
        mean.index,
        mean,
        yerr=error,
        fmt=marker,
        ms=5,
        capsize=2.5,
        color=colour,
        mfc=colour if _face(marker) != "white" else "white",
    )


def _face(marker: str) -> str:
    return "0.3" if marker == "o" else "white"


def _log_scale(ax: Axes, low: float, high: float) -> None:
    ax.set_yscale("log")
    ax.set_ylim(low, high)
    ax.yaxis.set_major_locator(LogLocator(subs=(1.0,)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xticks([0, 0.25, 0.5, 0.75])


def _cases(table: pd.DataFrame) -> Figure:
    """A line per case: what each sense leaves at one rate, law as a tick, measured as a point."""
    names = list(dict.fromkeys(table["quantity"]))
    figure, axes = panes(1, width=9.0, height=0.9 + 0.62 * len(names))
    ax = axes[0, 0]
    for row, name in enumerate(names):
        of_case = table[table["quantity"] == name]
        ax.plot([of_case["survival"].iloc[0]] * 2, [row - 0.42, row + 0.42], color="0.6", lw=5)
        for place, (sense, (marker, colour, _)) in enumerate(SENSES.items()):
            rows = of_case[of_case["sense"] == sense]
            y = row + 0.2 * (place - 1.5)
            ax.plot(rows["law"].iloc[:1], [y], marker="|", ms=14, mew=2.5, color=colour, zorder=3)
            ax.errorbar(
                rows["measured"].mean(),
                y,
                xerr=2 * rows["measured"].sem(),
                fmt=marker,
                ms=7,
                capsize=2.5,
                color=colour,
                mfc="white",
            )
    ax.set_yticks(range(len(names)), names)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlim(left=-0.02)
    rate = table["rate"].iloc[0]
    ax.set_xlabel(f"amplitude left of the effect at r = {rate:g}")
    key = [
        Line2D([], [], color=colour, marker=marker, ls="", mfc="white", label=label)
        for marker, colour, label in SENSES.values()
    ]
    key.append(Line2D([], [], color="0.3", marker="|", ms=11, mew=2.5, ls="", label="exact law"))
    key.append(Line2D([], [], color="0.6", lw=5, label="$(1-r)^k$"))
    figure.legend(handles=key, loc="outside lower center", ncols=6, frameon=False)
    return figure
