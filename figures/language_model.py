"""The orders that carry a sentence encoder's answer, against the rate of its dropout."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from .style import panes, shares_by_rate, variances_by_rate

RATE = "dropout rate"


def draw(table: pd.DataFrame) -> dict[str, Figure]:
    """A row per probability that a token is present: shares and variances, means over texts."""
    keeps = list(dict.fromkeys(table["keep"]))
    figure, axes = panes(2, rows=len(keeps), width=5.0)
    for (shares, variances), keep in zip(axes, keeps, strict=True):
        mine = table[table["keep"] == keep]
        shares_by_rate(shares, mine, RATE)
        shares.set_title(f"tokens present with probability {keep:g}", fontsize=12)
        variances_by_rate(variances, mine.set_index(["order", "rate"])["variance"], RATE)
        variances.set_ylabel("variance of the embedding")
    axes[0, 1].legend(fontsize=9)
    return {"language_model": figure}
