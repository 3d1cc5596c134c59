"""Weights and hidden units against the drop rate, layer by layer, early and late."""

from __future__ import annotations

import pandas as pd
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
LINES = ("--", "-", ":", "-.")


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per quantity, a pane per target; a colour per layer, thin at the start."""
    quantities = [q for q in NAMES if q in set(table["quantity"])]
    targets = list(dict.fromkeys(table["target"]))
    layers, looks = sorted(set(table["layer"])), sorted(set(table["steps"]) - {0})
    colours = rate_colours(layers)
    figure, axes = panes(len(targets), rows=len(quantities), width=4.6, height=2.5)
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
        ax.set_xlabel("drop rate $r$")
    key = [Line2D([], [], color=colours[i], label=f"layer {i}") for i in layers]
    key += [
        Line2D([], [], color="0.3", ls=LINES[i % len(LINES)], label=f"{n:,} steps")
        for i, n in enumerate(looks)
    ]
    if 0 in set(table["steps"]):
        key.append(Line2D([], [], color="0.3", lw=0.8, alpha=0.6, label="start"))
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    return {"co_adaptation": figure}
