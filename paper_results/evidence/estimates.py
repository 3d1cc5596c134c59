"""What a number answers with, and how it is taken from a table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Estimate:
    """A value with the standard error of its mean over repeats.

    The error is 0 where nothing is random, and NaN where a single repeat leaves it unknown.
    `repeats` is how many values it was taken from, which makes its interval Student's t; None
    where the error itself is known, which makes the interval normal.
    """

    value: float
    standard_error: float
    repeats: int | None = None


class NotInTableError(ValueError):
    """The rows a number is computed from are not in the table."""


def only(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Pick the rows with these values, a list meaning any of them.

    No rows where a column is missing, as in runs that measured something else.
    """
    if not wanted.keys() <= set(table.columns):
        return table.iloc[:0]
    kept = np.ones(len(table), dtype=bool)
    for column, value in wanted.items():
        kept &= table[column].isin(value if isinstance(value, list) else [value]).to_numpy()
    return table[kept]


def select(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Pick the rows with these values, as `only` does, of which there must be some.

    Raises NotInTableError that names the missing column, or the values no row has.
    """
    for column in wanted:
        if column not in table.columns:
            raise NotInTableError(f"the table has no column {column!r}")
    rows = only(table, **wanted)
    if rows.empty:
        raise NotInTableError(f"the table has no rows with {wanted}")
    return rows


def by_repeat(table: pd.DataFrame, column: str, **wanted: object) -> pd.Series:
    """Sum a column over the rows each repeat has with these values: a value per repeat."""
    return select(table, **wanted).groupby("repeat")[column].sum()


def mean_over_repeats(values: pd.Series) -> Estimate:
    """Average a value per repeat, with the standard error of that mean; NaN values are left out.

    Raises NotInTableError where no repeat has a value.
    """
    values = values.dropna()
    if values.empty:
        raise NotInTableError("no repeat has all rows that the number needs")
    return Estimate(float(values.mean()), float(values.sem()), len(values))


def largest_gap(cells: pd.DataFrame) -> Estimate:
    """Find the cell whose column `gap` is largest in size, and answer with that size.

    Columns `standard_error` and `repeats` are those of each gap. A cell of one repeat brings an
    error that is known some other way, if at all.
    """
    worst = cells.loc[cells["gap"].abs().idxmax()]
    repeats = int(worst["repeats"]) if worst["repeats"] > 1 else None
    return Estimate(abs(float(worst["gap"])), float(worst["standard_error"]), repeats)


def order_text(orders: pd.Series) -> pd.Series:
    """Write orders of interaction as text: "1", "2", .., ">3".

    Tables hold whole numbers, texts, or floats where rows of other quantities have no order.
    """
    # Without rows there is nothing to map, and the type stays that of numbers.
    return orders.map(lambda k: f"{k:g}" if isinstance(k, float) else str(k)).astype(str)
