"""Share of interactions in the map from every layer's units to the output, against the rate."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import panes, rate_colours, stacked_shares

MARKERS = "os^Dv"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    return {"every_layer": _interactions(table), "every_layer_orders": _orders(table)}


def _name(layer: int) -> str:
    return "inputs" if layer == 0 else f"units of layer {layer}"


def _interactions(table: pd.DataFrame) -> Figure:
    """A row per target, a pane per number of steps: the share above order 1, a line per layer."""
    targets = list(dict.fromkeys(table["target"]))
    steps = sorted(set(table["steps"]))
    layers = sorted(set(table["layer"]))
    colours = rate_colours(layers)
    figure, axes = panes(len(steps), rows=len(targets), width=4.8)
    above = table[table["order"] != "1"].groupby(
        ["target", "steps", "layer", "rate", "repeat"], as_index=False
    )["share"]
    above = above.sum()
    for row, target in zip(axes, targets, strict=True):
        for ax, count in zip(row, steps, strict=True):
            cell = above[(above["target"] == target) & (above["steps"] == count)]
            for layer, rows in cell.groupby("layer"):
                groups = rows.groupby("rate")["share"]
                mean = groups.mean()
                style = {"marker": MARKERS[layer % len(MARKERS)], "color": colours[layer]}
                ax.errorbar(mean.index, mean, yerr=2 * groups.sem(), ms=5, capsize=2, **style)
            ax.set_title(f"{target}, {count:,} steps", fontsize=12)
            ax.set_xlabel("activation drop rate $r$")
        row[0].set_ylabel("share above order 1\n(± 2 standard errors)")
    key = [
        Line2D([], [], color=colours[n], marker=MARKERS[n % len(MARKERS)], label=_name(n))
        for n in layers
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _orders(table: pd.DataFrame) -> Figure:
    """A row per target and number of steps, a pane per layer: mean shares, total variance above."""
    cells = list(dict.fromkeys(zip(table["target"], table["steps"], strict=True)))
    layers = sorted(set(table["layer"]))
    figure, axes = panes(len(layers), rows=len(cells), width=3.6, height=3.0)
    for row, (target, steps) in zip(axes, cells, strict=True):
        for ax, layer in zip(row, layers, strict=True):
            here = (table["target"] == target) & (table["steps"] == steps)
            rows = table[here & (table["layer"] == layer)]
            shares = rows.pivot_table("share", "order", "rate", sort=False)
            names = [f"{rate:g}" for rate in shares.columns]
            stacked_shares(ax, names, {k: list(shares.loc[k]) for k in shares.index})
            totals = rows.groupby(["rate", "repeat"])["variance"].sum().groupby("rate").mean()
            for name, rate in zip(names, shares.columns, strict=True):
                ax.text(name, 1.06, f"{totals[rate]:.2g}", ha="center", va="bottom", fontsize=8)
            ax.set_ylim(min(0.0, ax.get_ylim()[0]), 1.05)
            ax.set_title(_name(layer), pad=18, fontsize=12)
        row[0].set_ylabel(f"{target}, {steps:,} steps\nshare of variance")
    for ax in axes[-1]:
        ax.set_xlabel("activation drop rate $r$")
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    return figure
