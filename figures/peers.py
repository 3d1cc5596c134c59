"""Error of this package and its peers at equal evaluations, and at equal seconds."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import panes

LOOKS = {
    "this package, surrogate": {"color": "black", "marker": "o", "lw": 3, "ms": 8, "zorder": 5},
    "this package, from samples": {"color": "black", "marker": "o", "ls": ":", "mfc": "white"},
    "this package, kernel": {"color": "black", "marker": "s", "ls": "--", "mfc": "white"},
    "full chaos, by numpy": {"color": "#D55E00", "marker": "^", "ls": "--", "mfc": "white"},
    "OpenTURNS, full chaos": {"color": "#D55E00", "marker": "^"},
    "OpenTURNS, sparse chaos": {"color": "#D55E00", "marker": "v", "ls": "--"},
    "chaospy, regression": {"color": "#E69F00", "marker": "D"},
    "tntorch, cross interpolation": {"color": "#0072B2", "marker": "X"},
    "GPJax, orthogonal additive kernel": {"color": "#009E73", "marker": "*", "ms": 13},
    "boosted trees, as released": {"color": "#CC79A7", "marker": "P"},
    "SALib, Sobol' design": {"color": "0.55", "marker": "<", "ls": ":"},
    "scipy, sobol_indices": {"color": "0.55", "marker": ">", "ls": ":"},
}
"""Ours are black; what tells no more than orders 1 and 2 is grey and dotted."""


def draw(errors: pd.DataFrame) -> Figure:
    """Draw a column per function: errors against evaluations above, against seconds below.

    Columns: function, method (a key of LOOKS), budget, evaluations, cpu_seconds, error. Rows
    without an error are left out.
    """
    errors = errors.dropna(subset="error")
    functions = list(dict.fromkeys(errors["function"]))
    figure, axes = panes(len(functions), rows=2, width=4.0, height=3.4, sharex="row", sharey=True)
    for column, function in zip(axes.T, functions, strict=True):
        for ax, cost in zip(column, ("evaluations", "cpu_seconds"), strict=True):
            _lines(ax, errors[errors["function"] == function], cost)
        column[0].set_title(function, fontsize=12)
        column[0].set_xlabel("evaluations")
        column[1].set_xlabel("seconds of the processor")
    for ax in axes[:, 0]:
        ax.set_ylabel("error of the shares")
    # Not every method can measure every function.
    lines = {line.get_label(): line for ax in axes[0] for line in ax.lines}
    shown = [lines[method] for method in LOOKS if method in lines]
    figure.legend(handles=shown, loc="outside lower center", ncols=3, frameon=False)
    return figure


def _lines(ax: Axes, errors: pd.DataFrame, cost: str) -> None:
    for method, look in LOOKS.items():
        rows = errors[errors["method"] == method].sort_values("budget")
        if rows.empty:
            continue
        ax.plot(rows[cost], rows["error"], label=method, **{"lw": 1.6, "ms": 7, **look})
    ax.set_xscale("log")
    ax.set_yscale("log")
