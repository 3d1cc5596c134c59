"""The orders that carry an image classifier's logits, by kind of network and rate of dropout."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .style import panes, shares_by_rate, variances_by_rate

RATE = "dropout rate in training"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per kind: shares and variances, means over images, with errors over repeats."""
    kinds = list(dict.fromkeys(table["kind"]))
    figure, axes = panes(2, rows=len(kinds), width=5.0)
    for (shares, variances), kind in zip(axes, kinds, strict=True):
        mine = table[table["kind"] == kind]
        shares_by_rate(shares, mine, RATE)
        shares.set_title(kind, fontsize=12)
        own = mine.groupby(["order", "rate", "repeat"], sort=False)["variance"].mean()
        variances_by_rate(variances, own, RATE)
        variances.set_ylabel("variance, all logits")
    axes[0, 1].legend(fontsize=9)
    return {"vision": figure}
