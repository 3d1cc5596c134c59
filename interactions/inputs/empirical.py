"""Columns of data, each drawn on its own, or several of a group together."""

from __future__ import annotations

import copy
from collections.abc import Hashable, Sequence
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..arrays import distinct, numbers, of_pandas
from . import _tables
from .base import FEW_VALUES, Inputs
from .columns import Column, encoded_frame
from .groups import Groups, in_order, players

OF_THESE_ROWS = "intervals of these rows, not of their population"


class Empirical(Inputs):
    """Product of the columns' empirical marginals: each input drawn from its own column.

    The columns' dependence is deliberately left out; a functional ANOVA with independent parts
    exists only for independent inputs. Columns that make no sense apart, the address and its city,
    the one-hot columns of a category, are put in a group: one input, drawn as whole rows. Constant
    columns are allowed and carry no variance. Intervals measured under these rows speak of these
    rows; `anova.population_spectrum` gives those of the population they come from.

    Categories, booleans, text and dates of a data frame are measured by numbers that stand for
    them. A function that takes data frames, and any estimator, gets them as the frame had them;
    others get the numbers. Which number stands for which category does not matter to methods that
    visit single values (a column or group of up to 128 distinct values; the polynomials of
    `order_spectrum_from_samples` do take them as numbers).

    Parameters
    ----------
    data : array or data frame [n, D]
        Without missing or infinite values.
    groups : dict of columns by name, optional
        Columns of a data frame by label or number, of arrays by number. The columns of a group are
        one input; the others are inputs of their own.

    Attributes
    ----------
    groups : dict of tuples
        Numbers of the columns of each group.

    Examples
    --------
    >>> import pandas as pd
    >>> from interactions import Empirical
    >>> Empirical(pd.DataFrame({"age": [30, 40, 50], "dose": [0.1, 0.2, 0.4]})).names
    ('age', 'dose')
    """

    _columns: Sequence[Column] | None
    uneven = True
    caveat = f"under the product of the columns' marginals, {OF_THESE_ROWS}"

    def __init__(self, data: object, *, groups: Groups | None = None) -> None:
        self._columns = None
        labels, data = None, of_pandas(data)
        if isinstance(data, pd.DataFrame):
            if 0 in data.shape:
                raise ValueError(f"Empirical needs data of shape [n, d], got {data.shape}")
            self._columns, values = encoded_frame(data, "Empirical data")
            # Numbers that pandas gave for want of names are none.
            if not isinstance(data.columns, pd.RangeIndex):
                labels = [*data.columns]
        else:
            values = numbers(data, "Empirical data", finite=True).astype(np.float64)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"Empirical needs data of shape [n, d], got {values.shape}")
        self.names, self._players = players(groups, labels, values.shape[1])
        self.dim, self._width = len(self._players), values.shape[1]
        self.encoded = any(c.levels is not None for c in self._columns or ())
        self._rows: dict[int, np.ndarray] = {}
        if self.dim < values.shape[1]:
            # A group of one column is that column by another name.
            values = np.column_stack(
                [
                    values[:, members[0]] if len(members) == 1 else self._group(j, values)
                    for j, members in enumerate(self._players)
                ]
            )
        self._sorted = _sorted(values)
        self._kept: dict[tuple[str | int, torch.dtype, torch.device], Tensor] = {}

    def _group(self, j: int, values: np.ndarray) -> np.ndarray:
        """Codes [n] of the rows of a group, whose distinct rows are kept in their order."""
        rows, at = np.unique(values[:, self._players[j]], axis=0, return_inverse=True)
        order = in_order(rows) if len(rows) > FEW_VALUES else np.arange(len(rows))
        self._rows[j] = rows[order]
        return np.argsort(order)[at.ravel()].astype(float)

    @property
    def groups(self) -> dict[str, tuple[int, ...]]:
        if self.names is None:
            return {}
        return {self.names[j]: tuple(self._players[j]) for j in self._rows}

    def __repr__(self) -> str:
        return f"Empirical({len(self._sorted)} rows, dim={self.dim})"

    @cached_property
    def support_sizes(self) -> np.ndarray:
        # A column at a time, for a comparison of all would be a table of the data's size.
        return np.array([1.0 + np.count_nonzero(c[1:] != c[:-1]) for c in self._sorted.T])

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        table = self._table("columns", self._sorted, u)
        row = (u * len(table)).long().clamp_(max=len(table) - 1)
        return table[row, coordinate.expand_as(row)]

    def _table(self, key: str | int, values: np.ndarray, like: Tensor) -> Tensor:
        """Sorted columns, or a group's rows, as a tensor, kept: two types are used by turns."""
        key = key, like.dtype, like.device
        if key not in self._kept:
            self._kept[key] = torch.as_tensor(values, dtype=like.dtype, device=like.device)
        return self._kept[key]

    def expand(self, x: Tensor) -> Tensor:
        if not self._rows:
            return x
        out = x.new_empty(len(x), self._width)
        for j, members in enumerate(self._players):
            if j in self._rows:
                rows = self._table(j, self._rows[j], x)
                out[:, members] = rows[x[:, j].round().long()]
            else:
                out[:, members[0]] = x[:, j]
        return out

    def collapse(self, x: Tensor) -> Tensor:
        if x.shape[1] != self._width:
            return x
        points = x.new_empty(len(x), self.dim)
        for j, members in enumerate(self._players):
            points[:, j] = self._codes(j, x[:, members]) if j in self._rows else x[:, members[0]]
        return points

    def _codes(self, j: int, rows: Tensor) -> Tensor:
        """Codes [n] of rows that a group takes."""
        known = self._table(j, self._rows[j], rows)
        _, which = torch.unique(torch.cat([known, rows]), dim=0, return_inverse=True)
        code = torch.full_like(which, -1)
        code[which[: len(known)]] = torch.arange(len(known), device=which.device)
        found = code[which[len(known) :]]
        if (found < 0).any():
            at = int(torch.nonzero(found < 0)[0])
            raise ValueError(
                f"group {self.names[j]!r} takes whole rows of the data it was made of; row {at} of "
                "these points is none of them"
            )
        return found

    def with_rows(self, points: np.ndarray) -> Empirical:
        """The same columns, codes and groups with other rows, points [n, d] of these inputs."""
        other = copy.copy(self)
        other.__dict__.pop("support_sizes", None)
        other._sorted, other._kept = _sorted(points), {}
        return other

    @property
    def owners(self) -> np.ndarray:
        out = np.empty(sum(map(len, self._players)), dtype=int)
        for j, members in enumerate(self._players):
            out[members] = j
        return out

    @property
    def columns(self) -> tuple[Hashable, ...] | None:
        return None if self._columns is None else tuple(c.name for c in self._columns)

    def frame(self, x: np.ndarray) -> pd.DataFrame:
        if self._columns is None:
            return super().frame(x)
        backs = (c.back(v) for c, v in zip(self._columns, x.T, strict=True))
        return pd.concat([*backs], axis=1)

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """Distinct values of a column and their frequencies."""
        values, counts = distinct(self._sorted[:, coordinate])
        return values, counts / counts.sum()

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        values, weights = self.support(coordinate)
        if len(values) <= size or breakpoints:
            return values, weights
        return _tables.gauss(values, weights, size)

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        values, _ = distinct(self._sorted[:, coordinate])
        if len(values) <= max(size, FEW_VALUES):
            return values
        # The extremes as well, for curves are not continued beyond what the column holds.
        rows = np.linspace(0, len(self._sorted) - 1, size).round().astype(int)
        return np.unique(self._sorted[rows, coordinate])

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        rows = [_tables.lanczos(*self.support(j), degree)[:2] for j in range(self.dim)]
        return np.stack([a for a, _ in rows]), np.stack([b for _, b in rows])


def _sorted(values: np.ndarray) -> np.ndarray:
    """Columns in order, each in one piece of memory, for that is how they are read."""
    return np.sort(np.ascontiguousarray(values.T), axis=1).T
