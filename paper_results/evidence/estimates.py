"""What a number answers with, and how it is taken from a table."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import lru_cache

import numpy as np
import pandas as pd
from scipy.stats import t as student


@dataclass(frozen=True)
class Estimate:
    """A value with the standard error of its mean over repeats.

    The error is 0 where nothing is random, and NaN where a single repeat leaves it unknown.
    `repeats` is how many values it was taken from, which makes its interval Student's t; None
    where the error itself is known, as of closed forms and of numbers read from the paper, which
    makes the interval normal. `unit` says what a repeat is: a data set, a network, a split.

    The largest of several numbers in size knows these `cells`, each with an error of its own: that
    one of many strays far is likelier than that one alone does, and its interval allows for it.
    """

    value: float
    standard_error: float
    repeats: int | None = None
    unit: str = "repeat"
    cells: tuple[Estimate, ...] = field(default=(), compare=False, repr=False)

    @property
    def fewest(self) -> int | None:
        """The repeats of the cell that has fewest; None where nothing is a repeat."""
        found = [c.repeats for c in self.cells or (self,) if c.repeats is not None]
        return min(found, default=None)

    def interval(self, level: float) -> tuple[float, float]:
        """Two ends that hold the true value with this probability at least; infinite if unknown.

        Of a largest number they are the largest of the ends of all cells, each at Bonferroni's
        level, 1 - (1 - level) / cells: all cells then lie within theirs together, however they
        depend on one another. Cells without error cannot stray and are not counted.
        """
        cells = self.cells or (self,)
        each = (1 - level) / max(1, sum(cell.standard_error != 0 for cell in cells))
        margins = [cell._margin(each) for cell in cells]
        if not self.cells:
            return self.value - margins[0], self.value + margins[0]
        ends = [(abs(c.value) - m, abs(c.value) + m) for c, m in zip(cells, margins, strict=True)]
        return max(low for low, _ in ends), max(high for _, high in ends)

    def _margin(self, outside: float) -> float:
        if self.standard_error == 0:
            return 0.0
        if math.isnan(self.standard_error):
            return math.inf
        freedom = math.inf if self.repeats is None else max(self.repeats - 1, 1)
        return _quantile(1 - outside / 2, freedom) * self.standard_error


@lru_cache(maxsize=1024)
def _quantile(probability: float, freedom: float) -> float:
    return float(student.ppf(probability, freedom))


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


def largest(cells: Iterable[Estimate]) -> Estimate:
    """Find the largest of several numbers in size, with an interval that allows for the choice.

    Of numbers that are themselves the largest of some, all of those are cells. Raises
    NotInTableError where there are none.
    """
    cells = tuple(one for cell in cells for one in (cell.cells or (cell,)))
    if not cells:
        raise NotInTableError("there is no cell of which to take the largest")
    worst = max(cells, key=lambda cell: abs(cell.value))
    return replace(worst, value=abs(worst.value), cells=cells)


def largest_gap(cells: pd.DataFrame) -> Estimate:
    """Find the cell whose column `gap` is largest in size, as `largest` does.

    Columns `standard_error` and `repeats` are those of each gap. A cell of one repeat brings an
    error that is known some other way; where it brings none, one repeat is all it has.
    """
    known = cells["standard_error"].notna() & (cells["repeats"] <= 1)
    return largest(
        Estimate(float(gap), float(error), None if apart else int(repeats))
        for gap, error, repeats, apart in zip(
            cells["gap"], cells["standard_error"], cells["repeats"], known, strict=True
        )
    )


def order_text(orders: pd.Series) -> pd.Series:
    """Write orders of interaction as text: "1", "2", .., ">3".

    Tables hold whole numbers, texts, or floats where rows of other quantities have no order.
    """
    # Without rows there is nothing to map, and the type stays that of numbers.
    return orders.map(lambda k: f"{k:g}" if isinstance(k, float) else str(k)).astype(str)
