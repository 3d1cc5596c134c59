"""A sweep as a picture; matplotlib is imported here alone, and this only when asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .result import RateSweep


def draw(sweep: RateSweep, axes: Sequence[Axes] | None) -> np.ndarray:
    """Held-out error on the first of two axes, shares by order on the second."""
    try:
        import matplotlib as mpl
        from matplotlib import pyplot as plt
    except ImportError as error:
        raise ImportError("plot needs matplotlib: pip install matplotlib") from error
    if axes is None:
        _, axes = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
    axes = np.ravel(axes)
    if len(axes) != 2:
        raise ValueError(f"a sweep is drawn on two axes, got {len(axes)}")
    table, name = sweep.to_frame(), sweep.name
    left, right = axes
    rates = table[name]
    left.errorbar(rates, table["error"], table["error_se"], color="black", marker="o", ms=4)
    near = table[rates.isin([sweep.best_rate, *sweep.tied])]
    left.plot(near[name], near["error"], "o", ms=11, mfc="none", mec="tab:red", label="best")
    title = "in rings: the best" + " and those tied with it" * (len(near) > 1)
    left.set(xlabel=name, ylabel="held-out error", title=title)
    shares = [c for c in table if c.startswith("share_") and not c.endswith("_se")]
    colours = mpl.colormaps["viridis"](np.linspace(0, 0.85, len(shares) - 1))
    for column, colour in zip(shares, [*colours, "grey"], strict=True):
        order = column.removeprefix("share_")
        style = {"color": colour, "ls": "--" if order.startswith(">") else "-", "marker": "o"}
        right.errorbar(rates, table[column], table[f"{column}_se"], label=order, ms=4, **style)
    right.set(xlabel=name, ylabel="share of variance")
    right.legend(title="order", frameon=False, loc="center left", bbox_to_anchor=(1.0, 0.5))
    return axes
