"""Amplitude of the planted effect against the drop rate, beside (1-r)^k and the dilation."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from .style import order_colour, panes


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A pane per kind of target; log scale; points are means over repeats ± 2 standard errors."""
    kinds = list(dict.fromkeys(table["target"]))
    figure, axes = panes(len(kinds), width=5.2, height=4.4)
    for ax, kind in zip(axes[0], kinds, strict=True):
        for order, rows in table[table["target"] == kind].groupby("order"):
            by_rate = rows.groupby("rate")
            colour = order_colour(order)
            law, dilation = by_rate["law"].first(), by_rate["dilation"].first()
            ax.plot(law.index, law, color=colour, lw=1.5)
            if kind != "product":
                ax.plot(dilation.index, dilation, color=colour, lw=1.5, ls="--")
            for column, marker, shift in (
                ("amplitude", "o", -0.005),
                ("root_variance_ratio", "D", 0.005),
            ):
                mean, error = by_rate[column].mean(), 2 * by_rate[column].sem()
                ax.errorbar(
                    mean.index + shift,
                    mean,
                    yerr=error,
                    fmt=marker,
                    ms=5,
                    capsize=2,
                    color=colour,
                    mfc=colour if marker == "o" else "white",
                )
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel("drop rate $r$ on the inputs")
        ax.set_title("products of $x_j$" if kind == "product" else f"products of {kind}")
    axes[0, 0].set_ylabel("what is left of the effect at test time")
    orders = sorted(set(table["order"]))
    key = [Line2D([], [], color=order_colour(k), lw=4, label=f"order {k}") for k in orders]
    key += [
        Line2D([], [], color="0.3", label="$(1-r)^k$"),
        Line2D([], [], color="0.3", ls="--", label="dilation $F((1-r)x)$"),
        Line2D([], [], color="0.3", ls="", marker="o", label="amplitude"),
        Line2D([], [], color="0.3", ls="", marker="D", mfc="w", label="root of variance ratio"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    return {"decay_law": figure}
