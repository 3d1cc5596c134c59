"""Columns of data frames as numbers to measure with, and back as the frame had them."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.api.extensions import ExtensionArray

DAY = pd.Timedelta(days=1)


@dataclass(frozen=True, eq=False)
class Column:
    """How one column is written in numbers.

    Attributes
    ----------
    name : hashable
        The frame's label.
    dtype : dtype of pandas or numpy
    levels, codes : array of the dtype [K] and float64 array [K], or None
        The values that are no numbers, and the ascending numbers that stand for them: 0 .. K - 1
        for categories, days since the earliest for dates.
    """

    name: Hashable
    dtype: object
    levels: ExtensionArray | None = None
    codes: np.ndarray | None = None

    def back(self, x: np.ndarray) -> pd.Series:
        """The values that the numbers [n] stand for, in the column's own type."""
        if self.levels is not None:
            middle = (self.codes[1:] + self.codes[:-1]) / 2
            values = self.levels.take(np.searchsorted(middle, x))
            return pd.Series(values, name=self.name, dtype=self.dtype)
        if types.is_bool_dtype(self.dtype):
            return pd.Series(x > 0.5, name=self.name).astype(self.dtype)
        x = np.rint(x) if types.is_integer_dtype(self.dtype) else x
        return pd.Series(x, name=self.name).astype(self.dtype)

    def forth(self, values: pd.Series) -> np.ndarray:
        """The numbers [n] that stand for values among the levels, in whatever type these come.

        Raises
        ------
        ValueError
            For values that are not among them.
        """
        levels = pd.Index(self.levels.astype(object), dtype=object)
        at = levels.get_indexer(pd.Index(values.astype(object), dtype=object))
        if (at < 0).any():
            strange = values[at < 0].iloc[0]
            raise ValueError(
                f"column {self.name!r} holds {strange!r}, which is not among its values: "
                f"{_some(levels)}"
            )
        return self.codes[at]


def encoded(values: pd.Series) -> tuple[Column, np.ndarray]:
    """A column without missing values, and its values as float64 numbers.

    Numbers and booleans stand for themselves; dates are days since the earliest of them; ordered
    and other categories, text and other objects are codes 0, 1, .., in their order or sorted.

    Raises
    ------
    TypeError
        For complex numbers and for objects that cannot be told apart, lists for example.
    """
    name, dtype = values.name, values.dtype
    if types.is_complex_dtype(dtype):
        raise TypeError("complex numbers: give real and imaginary part as two columns")
    if types.is_numeric_dtype(dtype):
        return Column(name, dtype), values.to_numpy(dtype=np.float64)
    if isinstance(dtype, pd.CategoricalDtype):
        codes = np.arange(len(dtype.categories))
        levels = pd.Categorical.from_codes(codes, dtype=dtype)
        return Column(name, dtype, levels, codes.astype(float)), values.cat.codes.to_numpy(float)
    try:
        at, unique = pd.factorize(values)
    except TypeError:
        raise TypeError("objects that cannot be told apart, such as lists") from None
    levels = pd.Series(unique).astype(dtype).array
    order = _order(levels)
    levels, rank = levels.take(order), np.argsort(order)
    codes = np.arange(len(levels), dtype=float)
    if types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        days = np.asarray((levels - levels[0]) / DAY, dtype=float)
        codes = days if (np.diff(days) > 0).all() else codes
    return Column(name, dtype, levels, codes), codes[rank[at]]


def _order(levels: ExtensionArray) -> np.ndarray:
    """Where values belong when sorted; text by their text, and as they came if they have none."""
    try:
        return np.asarray(levels.argsort())
    except TypeError:
        return np.argsort([str(value) for value in levels], kind="stable")


def _some(levels: pd.Index) -> str:
    """A few of the values, for a message."""
    shown = ", ".join(map(repr, levels[:5]))
    return shown if len(levels) <= 5 else f"{shown} and {len(levels) - 5} others"


def encoded_frame(frame: pd.DataFrame, what: str) -> tuple[list[Column], np.ndarray]:
    """The columns of a frame and its values in numbers [n, d].

    Raises
    ------
    ValueError
        For labels that repeat, and for missing and infinite values, naming the columns.
    TypeError
        For columns of values that no number can stand for, naming the column.
    """
    repeated = frame.columns[frame.columns.duplicated()].unique().tolist()
    if repeated:
        raise ValueError(f"{what} has several columns called {repeated}: give each its own name")
    missing = [label for label in frame if frame[label].isna().any()]
    if missing:
        raise ValueError(
            f"{what} has NaN or missing values in columns {missing}: drop these rows (dropna), or "
            "fill them, categories with one of their own"
        )
    columns, values = [], np.empty(frame.shape)
    for j, label in enumerate(frame):
        try:
            column, values[:, j] = encoded(frame[label])
        except TypeError as error:
            raise TypeError(f"column {label!r} of {what} holds {error}") from None
        columns.append(column)
    infinite = [c.name for c, v in zip(columns, values.T, strict=True) if not np.isfinite(v).all()]
    if infinite:
        raise ValueError(f"{what} has NaN or infinite values in columns {infinite}")
    return columns, values
