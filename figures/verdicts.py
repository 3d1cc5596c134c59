"""Every claim's numbers, by how far they lie within or beyond what is asked of them."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import panes

COLOURS = {"inside": "#009E73", "outside": "#D55E00", "open": "#7F7F7F", "few": "#56B4E9"}
WORDS = {
    "inside": "a number for the claim",
    "outside": "a number against it",
    "open": "open",
    "few": "too few repeats to decide",
}
TICKS = (-20, -5, -1, 0, 1, 5, 20)
LABELS = ("≤ -20", "-5", "-1", "0", "1", "5", "≥ 20")


def draw(numbers: pd.DataFrame) -> Figure:
    """Draw a row per claim, a mark per number; returns the figure.

    Columns: claim, verdict, state (a key of COLOURS), place (half-widths of the number's interval
    by which it lies within what is asked, negative beyond it), is_condition and is_deciding. Places
    beyond the ends of the axis are drawn at its ends.
    """
    names = list(dict.fromkeys(numbers["claim"]))
    figure, ((ax,),) = panes(1, width=11.5, height=0.42 * len(names) + 1.9)
    ax.axvspan(-1, 1, color="0.93", zorder=0)
    ax.axvline(0, color="0.6", lw=0.8, zorder=1)
    rows = numbers["claim"].map({name: i for i, name in enumerate(names)})
    for row, number in zip(rows, numbers.itertuples(), strict=True):
        colour = COLOURS[number.state]
        ax.plot(
            [min(max(number.place, TICKS[0]), TICKS[-1])],
            [row],
            marker="D" if number.is_condition else "o",
            ms=10 if number.is_deciding else 8,
            mfc=colour,
            mec="black" if number.is_deciding else "white",
            mew=1.6 if number.is_deciding else 0.8,
            ls="",
            zorder=4 if number.is_deciding else 3,
        )
    ax.set_xscale("symlog", linthresh=1, linscale=0.7)
    ax.set_xlim(-32, 32)
    ax.set_xticks(TICKS, LABELS)
    ax.minorticks_off()
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(axis="y", labelsize=11)
    ax.set_xlabel("99% intervals (half-widths) from what is asked: left beyond it, right within it")
    verdicts = numbers.drop_duplicates("claim")["verdict"]
    for row, verdict in enumerate(verdicts):
        ax.text(1.02, row, verdict, transform=ax.get_yaxis_transform(), va="center", weight="bold")
    figure.legend(handles=_legend(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def _legend() -> list[Line2D]:
    states = [
        Line2D([], [], marker="o", ls="", color=COLOURS[state], label=words)
        for state, words in WORDS.items()
    ]
    grey = {"ls": "", "color": "0.4"}
    return [
        *states,
        Line2D([], [], marker="D", label="bears on how far it reaches", **grey),
        Line2D(
            [], [], marker="o", mec="black", mew=1.6, ms=10, label="decides the verdict", **grey
        ),
    ]
