"""A classifier of digits: the error of every variant beside the orders of its logits."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import PercentFormatter, StrMethodFormatter

from .style import order_colour, order_label, panes

LOOKS = {"last": "after the last epoch", "stopped": "where training stopped early"}
MARKERS = {"1": "o", "2": "s"}
"""Of orders, for prints in grey; the highest have a diamond."""
FLOOR = 5e-4
"""Curves end below: of 2000 images, one answered wrong."""


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Test errors beside shares and variances by order; and errors over training."""
    return {"digits": _looks(table), "digits_curves": _curves(table)}


def _looks(table: pd.DataFrame) -> Figure:
    """A row of panes per look, a line per variant, the same in all three panes."""
    looks = [k for k in LOOKS if k in set(table.loc[table["quantity"] == "share", "look"])]
    variants = list(dict.fromkeys(table["variant"]))
    height = 0.42 * len(variants) + 1.5
    figure, axes = panes(3, rows=len(looks), width=4.6, height=height, sharex="col", sharey=True)
    for row, look in zip(axes, looks, strict=True):
        rows = table[table["look"] == look]
        _errors(row[0], rows, variants)
        _shares(row[1], rows, variants)
        _variances(row[2], rows, variants)
        row[0].set_title(f"wrong answers on test images,\n{LOOKS[look]}", fontsize=12)
        row[1].set_title("variance of the logits:\nshares of the orders", fontsize=12)
        row[2].set_title("variance of the logits\nby order", fontsize=12)
    for ax, what in zip(axes[-1], ("test error", "share of variance", "variance"), strict=True):
        ax.set_xlabel(what)
    axes[0, 0].set_yticks(range(len(variants)), [_name(v) for v in variants])
    axes[0, 0].set_ylim(len(variants) - 0.4, -0.6)
    orders = list(dict.fromkeys(table["order"].dropna()))
    key = [_mark(k, label=order_label(k), ms=9) for k in orders]
    key.append(_mark(None, label="test error (bars: 2 standard errors)", ms=9))
    key.append(Line2D([], [], color="0.6", lw=1, ls="--", label=f"error: {_name(variants[0])}"))
    figure.legend(handles=key, loc="outside lower center", ncols=len(key), frameon=False)
    return figure


def _name(variant: str) -> str:
    kind = variant.removesuffix(" augmented")
    said = {"none": "no dropout", "half": "dropout of half"}.get(kind, f"dropout {kind}")
    return said + (",\nmore images" if variant != kind else "")


def _mark(order: str | None, **style) -> Line2D:
    """The mark of an order, or of what belongs to none."""
    if order is None:
        return Line2D([], [], color="black", marker="o", ls="", **style)
    marker = MARKERS.get(order, "D")
    return Line2D([], [], color=order_colour(order), marker=marker, ls="", **style)


def _statistics(rows: pd.DataFrame, quantity: str, by: list[str]) -> pd.DataFrame:
    groups = rows[rows["quantity"] == quantity].groupby(by, sort=False)["value"]
    return groups.agg(["mean", "sem"])


def _errors(ax: Axes, rows: pd.DataFrame, variants: list[str]) -> None:
    """A dot per variant with its number; a dashed line marks the error of the first."""
    found = _statistics(rows, "test_error", ["variant"]).loc[variants]
    ax.axvline(found["mean"].iloc[0], color="0.6", lw=1, ls="--")
    for y, (mean, error) in enumerate(found.itertuples(index=False)):
        ax.errorbar(mean, y, xerr=2 * error, fmt="o", color="black", ms=7, capsize=3)
        ax.text(mean, y - 0.2, f"{mean:.1%}", ha="center", va="bottom", fontsize=10)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=1))


def _shares(ax: Axes, rows: pd.DataFrame, variants: list[str]) -> None:
    """Bars from left to right, with the share above order 1 as a number."""
    shares = _statistics(rows, "share", ["order", "variant"])["mean"].unstack("order")
    shares = shares.loc[variants]
    left = 0 * shares.iloc[:, 0]
    for order in shares:
        ax.barh(
            range(len(variants)),
            shares[order],
            left=left,
            color=order_colour(order),
            edgecolor="white",
            height=0.62,
        )
        left = left + shares[order].clip(lower=0)
    for y, first in enumerate(shares["1"]):
        number = {"va": "center", "fontsize": 10, "color": "white", "weight": "bold"}
        ax.text(0.02, y, f"{first:.0%}", ha="left", **number)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1.0))


def _variances(ax: Axes, rows: pd.DataFrame, variants: list[str]) -> None:
    """Means on a log scale; an estimate that is not positive is left out."""
    found = _statistics(rows, "variance", ["order", "variant"])
    for order, of_order in found.groupby(level="order", sort=False):
        of_order = of_order.droplevel("order").loc[variants]
        mean = of_order["mean"].where(of_order["mean"] > 0)
        mark = _mark(order)
        ax.errorbar(
            mean,
            range(len(variants)),
            xerr=2 * of_order["sem"],
            ls="",
            marker=mark.get_marker(),
            color=mark.get_color(),
            ms=7,
            capsize=3,
        )
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))


def _curves(table: pd.DataFrame) -> Figure:
    """A pane per variant, the others' test errors pale behind it; stars are early stops."""
    variants = list(dict.fromkeys(table["variant"]))
    curve = table[table["look"] == "curve"]
    columns = min(3, len(variants))
    figure, axes = panes(
        columns, rows=-(-len(variants) // columns), width=4, height=2.9, sharex=True, sharey=True
    )
    means = {
        part: _statistics(curve, f"{part}_error", ["variant", "epoch"])
        for part in ("train", "test")
    }
    stops = table[(table["look"] == "stopped") & (table["quantity"] == "test_error")]
    for ax in axes.flat[len(variants) :]:
        ax.set_axis_off()
    for ax, variant in zip(axes.flat, variants, strict=False):
        for other in variants:
            ax.plot(means["test"]["mean"].loc[other], color="0.8", lw=1, zorder=1)
        train, test = means["train"].loc[variant], means["test"].loc[variant]
        ax.plot(train["mean"].where(train["mean"] >= FLOOR), color="black", ls="--", lw=1.2)
        ax.plot(test["mean"], color="black", lw=2)
        mine = stops[stops["variant"] == variant]
        ax.plot(mine["epoch"], mine["value"], "*", color="#D55E00", ms=10, mec="white", mew=0.5)
        ax.set_title(_name(variant).replace("\n", " "), fontsize=12)
        ax.set_yscale("log")
        ax.set_ylim(bottom=FLOOR)
        ax.yaxis.set_major_formatter(PercentFormatter(1.0))
    for ax in axes[-1]:
        ax.set_xlabel("epoch")
    for ax in axes[:, 0]:
        ax.set_ylabel("wrong answers")
    key = [
        Line2D([], [], color="black", lw=2, label="test images"),
        Line2D(
            [], [], color="black", ls="--", lw=1.2, label=f"training images, down to {FLOOR:.2%}"
        ),
        Line2D([], [], color="0.8", lw=1, label="test images, other variants"),
    ]
    if len(stops):
        star = {"color": "#D55E00", "marker": "*", "ms": 11, "ls": ""}
        key.append(Line2D([], [], **star, label="stopped early (a repeat each)"))
    figure.legend(handles=key, loc="outside lower center", ncols=2, frameon=False)
    return figure
