"""Amplitude of the planted effect against the drop rate, beside (1-r)^k and the dilation."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from .style import order_colour, panes

MARKERS = {1: "o", 2: "s", 3: "^", 4: "D"}
"""Of orders, for prints in grey."""
LEAST = 0.002
"""Where the axis ends: half of what the law leaves of order 4 at a rate of .75."""
LEARNED = 0.03
"""What the law must leave for a point to be filled: rows that show less are too few to learn it."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A pane per kind of target, of one log scale; means over repeats ± 2 standard errors."""
    kinds = list(dict.fromkeys(table["target"]))
    figure, axes = panes(len(kinds), width=5.6, height=4.6, sharex=True, sharey=True)
    for ax, kind in zip(axes[0], kinds, strict=True):
        for order, rows in table[table["target"] == kind].groupby("order"):
            by_rate = rows.groupby("rate")
            colour = order_colour(order)
            law, dilation = by_rate["law"].first(), by_rate["dilation"].first()
            ax.plot(law.index, law, color=colour, lw=1.8)
            if kind != "product":
                ax.plot(dilation.index, dilation, color=colour, lw=1.8, ls="--")
            mean, error = by_rate["amplitude"].mean(), 2 * by_rate["amplitude"].sem()
            style = {"ls": "", "marker": MARKERS.get(order, "v"), "ms": 7, "capsize": 3}
            filled = {"color": colour, "mec": "white", "mew": 0.7, **style}
            hollow = {"color": colour, "mfc": "white", "alpha": 0.6, **style}
            for some, look in ((law >= LEARNED, filled), (law < LEARNED, hollow)):
                if some.any():
                    ax.errorbar(mean.index[some], mean[some], yerr=error[some], **look)
            # Named where its line ends.
            beside = {"xytext": (9, 0), "textcoords": "offset points", "va": "center"}
            end = law.index.max()
            ax.annotate(f"$k$ = {order}", (end, law[end]), color=colour, **beside)
        ax.set_yscale("log")
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
        ax.set_ylim(LEAST, 1.3)
        ax.set_xlabel("drop rate $r$ on the inputs")
        product = "a product of $k$ inputs"
        ax.set_title(product if kind == "product" else f"a product of {kind} of $k$ inputs")
    axes[0, 0].set_xlim(-0.03, table["rate"].max() * 1.16)
    axes[0, 0].set_ylabel("what is left of the effect at test time")
    key = [
        Line2D([], [], color=order_colour(k), marker=MARKERS.get(k, "v"), ls="", label=f"order {k}")
        for k in sorted(set(table["order"]))
    ]
    key.append(Line2D([], [], color="0.3", label="law, $(1-r)^k$"))
    if set(kinds) != {"product"}:
        key.append(Line2D([], [], color="0.3", ls="--", label="dilation, $F((1-r)x)$"))
    if (table["law"] < LEARNED).any():
        label = f"hollow: below {LEARNED:g} by law, too rare to learn"
        key.append(Line2D([], [], color="0.3", marker="o", mfc="white", ls="", label=label))
    figure.legend(handles=key, loc="outside lower center", ncols=min(len(key), 4), frameon=False)
    return {"decay_law": figure}
