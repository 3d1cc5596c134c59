"""One step's move along the planted effect, beside the laws, and what Fig 2 measured instead."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from paper_results import published

from .style import order_colour, panes

COLUMNS = (
    ("classic", "sgd", "classic dropout, SGD"),
    ("inverted", "sgd", "inverted dropout, SGD"),
    ("inverted", "adam", "inverted dropout, Adam"),
)
WHERE = {"input": "inputs", "activation": "hidden units"}
LABELS = {"depth 1": "1 hidden layer", "depth 2": "2 hidden layers", "depth 6": "6 hidden layers"}
MARKERS = {1: "o", 2: "s", 3: "^", 4: "D", 5: "v"}
"""Of orders, for prints in grey."""
DODGE = 0.006
LOWEST, HIGHEST = -2.5, 1.3
"""Where the axis of steps along training ends; what lies beyond is a triangle there."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Moves by dropped inputs come first, or, of a table with nothing else, the norms of Fig 2.

    Then moves by dropped hidden units, and those along training.
    """
    norms, start = table[table["part"] == "norm"], table[table["part"] == "start"]
    if start.empty:
        return {"effective_learning_rate": _norms(norms)}
    pictures = {
        "effective_learning_rate": _moves(start, "input"),
        "effective_learning_rate_hidden": _moves(start, "activation"),
        "effective_learning_rate_training": _along_training(table[table["part"] == "training"]),
    }
    return pictures if norms.empty else pictures | {"effective_learning_rate_norms": _norms(norms)}


def _moves(start: pd.DataFrame, placement: str) -> Figure:
    """A pane per kind of dropout and optimizer; a row per depth, only the last of input dropout."""
    here = start[start["placement"] == placement]
    depths = sorted(m for m in set(here["model"]) if m != "products")
    depths = depths[-1:] if placement == "input" else depths
    figure, axes = panes(
        len(COLUMNS), rows=len(depths), width=4.4, height=4.0, sharex=True, sharey=True
    )
    for row, depth in zip(axes, depths, strict=True):
        for ax, (kind, optimizer, title) in zip(row, COLUMNS, strict=True):
            rows = here[(here["kind"] == kind) & (here["optimizer"] == optimizer)]
            _steps(ax, rows[rows["model"].isin([depth, "products"])])
            ax.set_title(title if len(depths) == 1 else f"{title}, {LABELS[depth]}", fontsize=12)
            ax.set_ylim(-0.05, 1.3)
        row[0].set_ylabel("move along the effect,\nover that without dropout")
    for ax in axes[-1]:
        ax.set_xlabel(f"drop rate $r$ on the {WHERE[placement]}")
    key = _orders(here)
    key.append(
        Line2D([], [], color="0.3", label=f"networks, {' or '.join(map(LABELS.get, depths))}")
    )
    if here["law"].notna().any():
        dashed = {"color": "0.3", "ls": (0, (4, 2)), "marker": "x"}
        key.append(Line2D([], [], **dashed, label="linear in products: law, and measured"))
    if here.loc[here["model"].isin(depths), "expected"].notna().any():
        key.append(
            Line2D([], [], color="0.3", ls=":", label="networks, mean gradient of all masks")
        )
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle(f"How far does one step move the answer when {WHERE[placement]} are dropped?")
    return figure


def _orders(table: pd.DataFrame) -> list[Line2D]:
    return [
        Line2D([], [], color=order_colour(k), marker=MARKERS[k], lw=2, label=f"order {k}")
        for k in sorted(set(table["order"]))
    ]


def _steps(ax: Axes, rows: pd.DataFrame) -> None:
    """Means over starting weights ± 2 standard errors; one start has those of its masks."""
    for order, of_order in rows.groupby("order"):
        colour, shift = order_colour(order), DODGE * (order - 2.5)
        for model, of_model in of_order.groupby("model"):
            groups = of_model.groupby("rate")
            mean = groups["moved"].mean()
            error = 2 * groups["moved"].sem().fillna(groups["standard_error"].first())
            points = {"yerr": error, "color": colour, "capsize": 2.5}
            if model == "products":
                law = groups["law"].first()
                ax.plot(law.index, law, color=colour, lw=1.3, ls=(0, (4, 2)))
                ax.errorbar(mean.index + shift, mean, fmt="x", ms=6, **points)
                continue
            expected = groups["expected"].mean()
            ax.plot(expected.index, expected, color=colour, lw=1.6, ls=":")
            ax.errorbar(mean.index + shift, mean, fmt=MARKERS[order], ls="-", ms=6, **points)


def _along_training(rows: pd.DataFrame) -> Figure:
    """A pane per order; the more of the effect is learned, the more a step takes back."""
    orders = sorted(set(rows["order"]))
    figure, axes = panes(len(orders), width=3.7, height=3.7, sharex=True, sharey=True)
    for ax, order in zip(axes[0], orders, strict=True):
        mine, colour = rows[rows["order"] == order].sort_values("amplitude"), order_colour(order)
        ax.axhline(0, color="0.4", lw=1)
        ax.plot(mine["amplitude"], mine["law"], color=colour, lw=1.6, ls=(0, (4, 2)))
        seen = mine[mine["moved"].between(LOWEST, HIGHEST)]
        ax.errorbar(
            seen["amplitude"],
            seen["moved"],
            yerr=2 * seen["standard_error"],
            fmt=MARKERS[order],
            ms=6,
            capsize=2.5,
            color=colour,
        )
        for beyond, end, marker in (
            (mine["moved"] < LOWEST, LOWEST + 0.12, "v"),
            (mine["moved"] > HIGHEST, HIGHEST - 0.12, "^"),
        ):
            x = mine.loc[beyond, "amplitude"]
            ax.plot(x, [end] * len(x), marker, color=colour, mfc="white", ms=8)
        ax.set_title(f"order {order}")
        ax.set_xlabel("part of the effect learned")
    axes[0, 0].set_ylim(LOWEST, HIGHEST)
    axes[0, 0].set_ylabel("move along the effect,\nover that without dropout")
    key = [
        Line2D([], [], color="0.3", marker="o", ls="", label="networks: a start and time each"),
        Line2D([], [], color="0.3", ls=(0, (4, 2)), label="law of models linear in products"),
        Line2D(
            [], [], color="0.3", marker="v", mfc="white", ls="", label="hollow: beyond the axis"
        ),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(
        f"And later in training? A step under dropout of inputs, inverted, r = "
        f"{rows['rate'].iloc[0]:g} (below 0 it unlearns)"
    )
    return figure


def _norms(rows: pd.DataFrame) -> Figure:
    """A pane per order: a dot per data set, their mean, and the published medians of one."""
    paper = published("fig2").set_index(["order", "dropout_rate"])
    orders = sorted(set(rows["order"]))
    figure, axes = panes(len(orders), width=3.5, height=3.7, sharex=True, sharey=True)
    for ax, order in zip(axes[0], orders, strict=True):
        of_order = rows[rows["order"] == order]
        medians = of_order.groupby(["rate", "data_set"])["norm"].median().reset_index("data_set")
        mean = medians.groupby("rate")["norm"].mean()
        known = paper.loc[[key for r in mean.index if (key := (order, r)) in paper.index]]
        known = known.droplevel("order")
        ax.axhline(1, color="0.4", lw=1)
        ax.plot(known["reference_(1-p)^k"], color="0.4", ls=(0, (4, 2)), lw=1.3)
        ax.plot(known["median_relative_update_norm"], color="black", ls=":", marker="*", ms=12)
        ax.plot(medians["norm"], color=order_colour(order), ls="", marker="o", ms=5, alpha=0.45)
        ax.plot(mean, color=order_colour(order), marker=MARKERS[order], ms=8)
        ax.set_title(f"order {order}")
        ax.set_xlabel("drop rate $r$ on hidden units")
        ax.set_xticks(list(mean.index))
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("norm of the first update,\nover that without dropout")
    key = [
        Line2D([], [], color="0.3", marker="s", ms=8, label="ours, mean over data sets"),
        Line2D(
            [], [], color="0.3", ls="", marker="o", ms=5, alpha=0.45, label="a data set's median"
        ),
        Line2D([], [], color="black", marker="*", ms=12, ls=":", label="published median"),
        Line2D([], [], color="0.4", ls=(0, (4, 2)), label="the paper's law, $(1-r)^k$"),
    ]
    figure.legend(handles=key, loc="outside lower center", ncols=4, frameon=False)
    figure.suptitle("What Fig 2 measured: the norm of the whole first update, by data set")
    return figure
