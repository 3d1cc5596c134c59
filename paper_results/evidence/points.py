"""Points to lay side by side: what a figure shows, published or ours, in common columns.

Points have the columns quantity (what may be compared in size, such as "share"), pane, series, x
and value. Published ones have beside it `reading`, the absolute error with which a value was read
(paper_results/published/README.md), ours `standard_error`, of the mean over repeats.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from .estimates import order_text

KEYS = ("quantity", "pane", "series", "x")
"""Columns that name a point."""
SHARE, VARIANCE, ERROR = "share", "variance", "error"


def as_points(
    table: pd.DataFrame,
    *,
    quantity: str | pd.Series,
    pane: str | pd.Series,
    series: pd.Series,
    x: pd.Series,
    value: pd.Series,
    reading: float | pd.Series = math.nan,
) -> pd.DataFrame:
    """Make a point of every row; x is rounded to 1e-6, so that grids written differently meet."""
    columns = {"quantity": quantity, "pane": pane, "series": series.astype(str)}
    columns |= {"x": x.astype(float).round(6), "value": value, "reading": reading}
    return pd.DataFrame(columns, index=table.index).reset_index(drop=True)


def averaged(points: pd.DataFrame, how: str = "mean") -> pd.DataFrame:
    """Average points of the same keys, with the standard error over repeats: NaN from one.

    `how` is "mean" or "median", whose error is taken from 1000 bootstrap samples.
    """
    groups = points.groupby(list(KEYS), sort=False)["value"]
    error = groups.sem() if how == "mean" else groups.agg(_median_error)
    return pd.DataFrame({"value": groups.agg(how), "standard_error": error}).reset_index()


def _median_error(values: pd.Series) -> float:
    """Standard deviation of the medians of 1000 samples drawn from the values; NaN for one."""
    if len(values) < 2:
        return math.nan
    drawn = np.random.default_rng(0).choice(values.to_numpy(), (1000, len(values)))
    return float(np.median(drawn, axis=1).std())


def rate_label(rates: pd.Series) -> pd.Series:
    """Name series by their drop rate: "r = 0.25"."""
    return rates.map("r = {:g}".format)


def order_label(orders: pd.Series) -> pd.Series:
    """Name series by their order: "order 2", "order 4+"."""
    return "order " + order_text(orders).replace(">3", "4+")
