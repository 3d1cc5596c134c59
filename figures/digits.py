"""A classifier of digits: its curves over training, and its logits' variance by order."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from .style import order_colour, order_label, panes, stacked_shares

PARTS = {"train": "--", "test": "-"}


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """Errors and losses after every epoch; then, for each look, shares and variances by order."""
    variants = list(dict.fromkeys(table["variant"]))
    looks = list(dict.fromkeys(table.loc[table["quantity"] == "share", "look"]))
    colours = dict(zip(variants, sns.color_palette("colorblind", len(variants)), strict=True))
    figure, axes = panes(2, rows=1 + len(looks), width=6.0, height=4.0)
    for ax, quantity in zip(axes[0], ("error", "loss"), strict=True):
        _curves(ax, table, quantity, colours)
    for row, look in zip(axes[1:], looks, strict=True):
        _spectra(row, table[table["look"] == look], variants)
        row[0].set_title(f"logits of networks: {look}", fontsize=12)
    key = [Line2D([], [], color=colour, label=variant) for variant, colour in colours.items()]
    key += [Line2D([], [], color="0.3", ls=ls, label=part) for part, ls in PARTS.items()]
    if "stopped" in set(table["look"]):
        key.append(Line2D([], [], color="0.3", ls="", marker="*", ms=11, label="stopped early"))
    figure.legend(handles=key, loc="outside lower center", ncols=5, frameon=False)
    return {"digits": figure}


def _curves(ax: Axes, table: pd.DataFrame, quantity: str, colours: dict[str, tuple]) -> None:
    """Means over repeats, two standard errors about those of the test images."""
    curve = table[table["look"] == "curve"]
    stopped = table[table["look"] == "stopped"]
    for variant, colour in colours.items():
        for part, line in PARTS.items():
            name = f"{part}_{quantity}"
            rows = curve[(curve["variant"] == variant) & (curve["quantity"] == name)]
            groups = rows.groupby("epoch")["value"]
            mean, error = groups.mean(), groups.sem().fillna(0.0)
            ax.plot(mean.index, mean, ls=line, color=colour, lw=1.4)
            if part == "test":
                ax.fill_between(
                    mean.index, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.2, lw=0
                )
        ends = stopped[(stopped["variant"] == variant)]
        ends = ends[ends["quantity"] == f"test_{quantity}"]
        ax.plot(ends["epoch"], ends["value"], "*", color=colour, ms=9, mec="white", mew=0.5)
    ax.set_yscale("log")
    ax.set_xlabel("epoch")
    ax.set_ylabel({"error": "share of wrong answers", "loss": "cross-entropy"}[quantity])


def _spectra(row: list[Axes], table: pd.DataFrame, variants: list[str]) -> None:
    """Shares stacked, and variances side by side on a log scale, negative estimates left out."""
    names = [v.replace(" ", "\n") for v in variants]
    means, errors = {}, {}
    for quantity in ("share", "variance"):
        groups = table[table["quantity"] == quantity].groupby(["order", "variant"], sort=False)
        means[quantity] = groups["value"].mean().unstack()[variants]
        errors[quantity] = groups["value"].sem().unstack()[variants]
    shares = means["share"]
    stacked_shares(row[0], names, {k: list(shares.loc[k]) for k in shares.index})
    row[0].set_ylabel("share of variance")
    variance, error = means["variance"], errors["variance"]
    for order in variance.index:
        mine = variance.loc[order].where(variance.loc[order] > 0).to_numpy()
        bars = (2 * error.loc[order]).to_numpy()
        style = {"marker": "o", "ls": "", "color": order_colour(order), "capsize": 3}
        row[1].errorbar(names, mine, yerr=bars, label=order_label(order), **style)
    row[1].set_yscale("log")
    row[1].set_ylabel("variance, all logits")
    row[1].legend(fontsize=9)
    for ax in row:
        ax.tick_params(axis="x", labelsize=8)
