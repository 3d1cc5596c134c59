"""Estimated against true order: bars as in the paper's Fig 4, published numbers beside."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from paper_results import published

from .style import order_colour, panes

NAMES = {
    "staged": "boosted trees, staged",
    "staged trees": "those trees' own spectrum",
    "in-sample": "boosted trees, in-sample",
    "in-sample trees": "those trees' own spectrum",
    "held-out": "boosted trees, cross-fitted",
    "kernel": "kernel, same points",
    "exact": "exact spectrum",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per measure, a column per number of points; bars are means ± standard deviations."""
    measures = [m for m in NAMES if m in set(table["measure"])]
    samples = sorted(set(table["samples"]))
    figure, axes = panes(len(samples), rows=len(measures), width=4.0, height=2.7)
    for i, measure in enumerate(measures):
        for ax, n in zip(axes[i], samples, strict=True):
            rows = table[(table["measure"] == measure) & (table["samples"] == n)]
            _bars(ax, rows)
            if measure == "staged":
                _paper(ax, rows, n)
            ax.set_title(f"{n:,} points" if i == 0 else "", fontsize=12)
            ax.set_xlabel("true order of the effect" if i == len(measures) - 1 else "")
        axes[i, 0].set_ylabel(f"share of variance\n{NAMES[measure]}", fontsize=10)
    key = [Patch(color=order_colour(k), label=f"given to order {k}") for k in (1, 2, 3)]
    key.append(Line2D([], [], color="black", ls="", marker="D", ms=5, label="published"))
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    return {"distillation_accuracy": figure}


def _bars(ax: Axes, rows: pd.DataFrame) -> None:
    if rows.empty:
        ax.text(0.5, 0.5, "too few points", ha="center", va="center", transform=ax.transAxes)
    for order, of_order in rows.groupby("order"):
        groups = of_order.groupby("true_order")
        mean = groups["share"].mean()
        x = _place(mean.index, order)
        error = groups["share"].std(ddof=0)
        ax.bar(x, mean, width=0.23, yerr=error, capsize=2, color=order_colour(order))
    ax.axhline(0, color="0.4", lw=0.8)
    ax.set_ylim(-0.3 if (rows["share"] < -0.02).any() else 0, 1.15)
    ax.set_xticks([1, 2, 3])


def _paper(ax: Axes, rows: pd.DataFrame, samples: int) -> None:
    """What Fig 4 shows at as many points, of the true orders in the rows."""
    t = published("fig4")
    t = t[(t["n_distill_samples"] == samples) & t["true_order"].isin(rows["true_order"])]
    x = _place(t["true_order"], t["estimated_order"])
    ax.plot(x, t["normalized_effect_mean"], color="black", ls="", marker="D", ms=5)


def _place(true_order: pd.Index | pd.Series, order: int | pd.Series) -> pd.Index | pd.Series:
    return true_order + 0.25 * (order - 2)
