"""Points to lay side by side: what a figure shows, published or ours, in common columns.

Points have the columns quantity (what may be compared in size, such as "share"), pane, series, x
and value. Published ones have beside it `reading`, the absolute error with which a value was read
(paper_results/published/README.md), ours `standard_error`, of the mean over repeats.
"""

from __future__ import annotations

import math

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


def averaged(points: pd.DataFrame) -> pd.DataFrame:
    """Average points of the same keys, with the standard error over repeats: NaN from one."""
    groups = points.groupby(list(KEYS), sort=False)["value"]
    return pd.DataFrame({"value": groups.mean(), "standard_error": groups.sem()}).reset_index()


def rate_label(rates: pd.Series) -> pd.Series:
    """Name series by their drop rate: "r = 0.25"."""
    return rates.map("r = {:g}".format)


def order_label(orders: pd.Series) -> pd.Series:
    """Name series by their order: "order 2", "order 4+"."""
    return "order " + order_text(orders).replace(">3", "4+")
