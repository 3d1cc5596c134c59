"""Figure A.1: what is a pure interaction, and schemes that split a table into pure parts."""

from __future__ import annotations

import pandas as pd

from .estimates import Estimate, by_repeat, mean_over_repeats, select


def pure_share_lost(table: pd.DataFrame, *, low: float, high: float) -> Estimate:
    """Subtract the pure interaction's share of X1 X2 at a high correlation from that at a low one.

    A share of variance, by repeat.
    """
    at_low, at_high = (
        pd.Series(
            {
                repeat: _pure_share(cells)
                for repeat, cells in select(table, part="square", rho=rho).groupby("repeat")
            }
        )
        for rho in (low, high)
    )
    return _mean_or_exact(at_low - at_high)


def _pure_share(cells: pd.DataFrame) -> float:
    """Divide the pure part's variance by that of the main effects and the pure part."""
    weight = cells["weight"] / cells["weight"].sum()

    def variance(part: pd.Series) -> float:
        return (weight * (part - (weight * part).sum()) ** 2).sum()

    pure = variance(cells["pure"])
    return pure / (variance(cells["main1"] + cells["main2"]) + pure)


def purify_gap(table: pd.DataFrame, *, scheme: str) -> Estimate:
    """Find how far a cube is from the sum of its pure parts, at most: a part of the cube."""
    return _mean_or_exact(by_repeat(table, "gap", part="cube", scheme=scheme))


def _mean_or_exact(values: pd.Series) -> Estimate:
    """Average over repeats; where there is one its weights are exact, and it has no error."""
    return mean_over_repeats(values) if len(values) > 1 else Estimate(float(values.mean()), 0.0)
