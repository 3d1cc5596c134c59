"""Weights and hidden units against the drop rate: three questions first, then every quantity."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import panes, rate_colours

NAMES = {
    "l2": "norm of the layer",
    "mean_abs": "mean |w|",
    "weights_share": "effective share\nof a unit's weights",
    "units_share": "effective share\nof the units",
    "live_share": "live units",
    "correlation": "mean |correlation|\nof live units",
}
QUESTIONS = {
    "l2": "Do weights shrink?",
    "weights_share": "Do weights spread?",
    "correlation": "Are units less alike?",
}
"""What the co-adaptation reading of dropout says of them: yes to all three."""
LINES = ("--", "-", ":", "-.")
MARKERS = "osD^v"
"""Of layers, for prints in grey."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    return {"co_adaptation": _questions(table), "co_adaptation_all": _everything(table)}


def _questions(table: pd.DataFrame) -> Figure:
    """A column per question, a row per target, after the last steps.

    The last hidden layer, whose units the answer is made of, is bold; layers are named beside
    their lines.
    """
    questions = [q for q in QUESTIONS if q in set(table["quantity"])]
    targets, last = list(dict.fromkeys(table["target"])), table["steps"].max()
    hidden = max(table.loc[table["quantity"] == "correlation", "layer"], default=1)
    figure, axes = panes(
        len(questions), rows=len(targets), width=4.9, height=3.4, sharex=True, sharey="col"
    )
    for row, target in zip(axes, targets, strict=True):
        for ax, quantity in zip(row, questions, strict=True):
            rows = table[(table["target"] == target) & (table["quantity"] == quantity)]
            for layer, of_layer in rows[rows["steps"] == last].groupby("layer"):
                _line(ax, of_layer, int(layer), is_bold=layer == hidden)
            start = rows[rows["steps"] == 0]
            for value in start[start["layer"] == hidden].groupby("rate")["value"].mean()[:1]:
                ax.axhline(value, color="black", lw=1.2, ls=":")
            ax.set_title(f"{QUESTIONS[quantity]} Fit to {target}", fontsize=12)
            ax.set_ylabel(NAMES[quantity], fontsize=11)
    for ax in axes.flat:
        ax.set_ylim(bottom=0)
    for ax in axes[-1]:
        ax.set_xlabel("drop rate $r$ on hidden units")
    shown = sorted(set(table["layer"]))
    key = [_mark(layer, layer == hidden, label=_name(layer, hidden)) for layer in shown]
    if 0 in set(table["steps"]):
        key.append(
            Line2D([], [], color="black", lw=1.2, ls=":", label=f"layer {hidden} at the start")
        )
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    figure.suptitle(f"After {last:,} steps (bars: 2 standard errors over repeats)", fontsize=13)
    return figure


def _name(layer: int, hidden: int) -> str:
    return f"layer {layer}" + {hidden: ", last hidden", hidden + 1: ", output"}.get(layer, "")


def _mark(layer: int, is_bold: bool, **style) -> Line2D:
    """Black for the layer of interest, others pale."""
    colour = "black" if is_bold else ("#56B4E9", "#E69F00", "0.6", "#CC79A7")[(layer - 1) % 4]
    width = 3 if is_bold else 1.4
    marker = MARKERS[(layer - 1) % len(MARKERS)]
    return Line2D([], [], color=colour, lw=width, marker=marker, ms=7, **style)


def _line(ax: Axes, rows: pd.DataFrame, layer: int, *, is_bold: bool) -> None:
    groups, mark = rows.groupby("rate")["value"], _mark(layer, is_bold)
    mean = groups.mean()
    ax.errorbar(
        mean.index,
        mean,
        yerr=2 * groups.sem().fillna(0.0),
        color=mark.get_color(),
        lw=mark.get_linewidth(),
        marker=mark.get_marker(),
        ms=6,
        capsize=2.5,
        zorder=3 if is_bold else 2,
    )


def _everything(table: pd.DataFrame) -> Figure:
    """A row per quantity, a pane per target; a colour per layer, thin at the start."""
    quantities = [q for q in NAMES if q in set(table["quantity"])]
    targets = list(dict.fromkeys(table["target"]))
    layers, looks = sorted(set(table["layer"])), sorted(set(table["steps"]) - {0})
    colours = rate_colours(layers)
    figure, axes = panes(
        len(targets), rows=len(quantities), width=4.6, height=2.2, sharex=True, sharey="row"
    )
    for row, quantity in zip(axes, quantities, strict=True):
        for ax, target in zip(row, targets, strict=True):
            rows = table[(table["quantity"] == quantity) & (table["target"] == target)]
            for (layer, steps), some in rows.groupby(["layer", "steps"]):
                groups = some.groupby("rate")["value"]
                mean, colour = groups.mean(), colours[layer]
                if steps == 0:
                    ax.plot(mean.index, mean, lw=0.8, alpha=0.6, color=colour)
                    continue
                ax.errorbar(
                    mean.index,
                    mean,
                    yerr=2 * groups.sem().fillna(0.0),
                    ls=LINES[looks.index(steps) % len(LINES)],
                    marker="o",
                    ms=4,
                    capsize=2,
                    color=colour,
                )
            ax.set_ylim(bottom=0)
        row[0].set_ylabel(NAMES[quantity], fontsize=11)
    for ax, target in zip(axes[0], targets, strict=True):
        ax.set_title(f"fit to {target}")
    for ax in axes[-1]:
        ax.set_xlabel("drop rate $r$ on hidden units")
    key = [Line2D([], [], color=colours[i], label=f"layer {i}") for i in layers]
    key += [
        Line2D([], [], color="0.3", ls=LINES[i % len(LINES)], label=f"{n:,} steps")
        for i, n in enumerate(looks)
    ]
    if 0 in set(table["steps"]):
        key.append(Line2D([], [], color="0.3", lw=0.8, alpha=0.6, label="start"))
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    return figure
