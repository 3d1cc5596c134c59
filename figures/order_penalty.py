"""The amplitude that networks keep of every order, against the one that a penalty asks for."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, panes

TITLES = {
    "products": "products of $x$",
    "sines": "products of sin 2.5$x$",
    "G": "Sobol's G",
}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A pane per target: means over repeats ± 2 standard errors; on the line is what was asked.

    Filled are penalties, open is input dropout, of which (1-r)^k is asked; its own law is a tick.
    """
    names = list(dict.fromkeys(table["target"]))
    figure, axes = panes(len(names), width=4.8, height=4.4, sharex=True, sharey=True)
    for ax, name in zip(axes[0], names, strict=True):
        ax.plot([0, 1.05], [0, 1.05], color="0.6", lw=1.2, zorder=0)
        here = table[(table["target"] == name) & (table["profile"] != "none")]
        for (profile, order), rows in here.groupby(["profile", "order"], sort=False):
            dropped = profile.startswith("input dropout")
            colour = order_colour(order)
            ax.errorbar(
                rows["asked"].iloc[0],
                rows["reached"].mean(),
                yerr=2 * rows["reached"].sem(),
                fmt="s" if dropped else "o",
                ms=6,
                capsize=2.5,
                color=colour,
                mfc="white" if dropped else colour,
            )
            if dropped:
                ax.plot(rows["asked"].iloc[0], rows["law"].iloc[0], "_", ms=12, color=colour)
        ax.set_title(TITLES.get(name, name), fontsize=13)
        ax.set_xlabel("amplitude asked for")
    axes[0, 0].set_ylabel("amplitude reached")
    orders = sorted(set(table["order"]))
    key = [
        Line2D([], [], color=order_colour(k), marker="o", ls="", label=f"order {k}") for k in orders
    ]
    key.append(Line2D([], [], color="0.3", marker="s", mfc="white", ls="", label="input dropout"))
    key.append(Line2D([], [], color="0.3", marker="_", ms=12, ls="", label="dropout's own law"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return {"order_penalty": figure}
