"""The table of selectivities: slopes over orders at half of the unregularized total variance."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .digits import printed
from .tables import rows, stored

RUN = "regularizers-controlled-paper"
COLUMNS = {"noise": "123", "mixture": "123", "bike": "12", "products": "123"}
"""Orders that slopes of each column rest on."""
FEWEST = 5
"""Repeats that get to half of the total, below which no slope is told."""
FALLS = {"early stopping", "smaller width"}
"""Regularizers that are stronger where the setting is smaller."""
SELECTIVE = {
    "L2, decoupled": "decoupled L2",
    "L2, coupled": "coupled L2",
    "fewer units": "smaller width",
    "early stopping": "early stopping",
    "dropout, inputs": "input dropout",
    "dropout, activations": "activation dropout",
    "dropout, both": "both dropout",
    "input noise": "input noise",
    "more data": "more data",
}
"""What the table names so, by its name in the run."""


def slope_at_half(t: pd.DataFrame, orders: str) -> tuple[float, bool]:
    """Of one path, from none to strong: variances at half of the total, in logarithms."""
    variance = np.array([of["value"].to_numpy() for _, of in t.groupby("place")])
    error = np.array([of["standard_error"].to_numpy() for _, of in t.groupby("place")])
    left = variance.sum(axis=1) / variance[0].sum()
    after = next((i for i, part in enumerate(left) if part <= 0.5), None)
    if after is None or left[after] <= 0:
        return np.nan, False
    # What is lost in its errors counts at three of them.
    sides = (slice(after - 1, after + 1), slice(len(orders)))
    lost = (variance <= 3 * error)[sides]
    before, behind = np.log(left[after - 1 : after + 1])
    part = (before - np.log(0.5)) / (before - behind)
    low, high = np.log(np.maximum(variance, 3 * error)[sides])
    log_ratio = (1 - part) * low + part * high - np.log(variance[0, sides[1]])
    return np.polyfit(range(len(orders)), log_ratio, 1)[0], bool(lost.any())


def selectivity(t: pd.DataFrame, regularizer: str, orders: str) -> tuple[float, float, int, bool]:
    """Mean slope over repeats that get to half, its error, their number, and whether it bounds."""
    path = rows(t, regularizer=["none", regularizer]).copy()
    strong = -path["strength"] if regularizer in FALLS else path["strength"]
    path["place"] = strong.where(path["regularizer"] != "none", -np.inf)
    found = [slope_at_half(own.sort_values("order"), orders) for _, own in path.groupby("repeat")]
    slopes = pd.Series([slope for slope, _ in found]).dropna()
    return slopes.mean(), slopes.sem(), len(slopes), any(lost for _, lost in found)


def slope(target: str, regularizer: str, steps: int) -> str:
    """As it is printed: ≤ where an order is lost in its errors, – of fewer than five repeats."""
    t = rows(stored(RUN), quantity="variance", steps=steps, target=target)
    value, error, n, bound = selectivity(t, SELECTIVE[regularizer], COLUMNS[target])
    if n < FEWEST:
        return "–"
    return "≤ " * bound + f"{printed(value, '.00')} ± {printed(error, '.00')}"


def row(regularizer: str) -> list[str]:
    """A row of the table, after its name."""
    return [slope(target, regularizer, 2000) for target in COLUMNS]
