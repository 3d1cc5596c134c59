"""Columns of data, each drawn on its own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from ..arrays import numbers
from . import _tables
from .base import FEW_VALUES, Inputs

OF_THESE_ROWS = "intervals of these rows, not of their population"


class Empirical(Inputs):
    """Product of the columns' empirical marginals: each input drawn from its own column.

    The columns' dependence is deliberately left out; a functional ANOVA with independent parts
    exists only for independent inputs. Constant columns are allowed and carry no variance. Numbers
    may stand for categories, one column per category variable: which number stands for which does
    not matter to methods that visit single values (a column of up to 128 distinct values; the
    polynomials of `order_spectrum_from_samples` do take them as numbers). One-hot columns would be
    drawn independently of each other, as no data ever are: have the function encode them.
    Intervals measured under these rows speak of these rows; `anova.population_spectrum` gives
    those of the population they come from.

    Parameters
    ----------
    data : array [n, d]
        Finite numbers. Tensors, arrays and data frames of numbers are accepted.
    """

    uneven = True
    note = f"under the product of the columns' marginals, {OF_THESE_ROWS}"

    def __init__(self, data: object) -> None:
        values = numbers(data, "Empirical data", finite=True).astype(np.float64)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"Empirical needs data of shape [n, d], got {values.shape}")
        self.dim = values.shape[1]
        self._sorted = np.sort(values, axis=0)
        self._kept: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def __repr__(self) -> str:
        return f"Empirical({len(self._sorted)} rows, dim={self.dim})"

    @cached_property
    def support_sizes(self) -> np.ndarray:
        # A column at a time, for a comparison of all would be a table of the data's size.
        return np.array([1.0 + np.count_nonzero(c[1:] != c[:-1]) for c in self._sorted.T])

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        table = self._table(u.dtype, u.device)
        row = (u * len(table)).long().clamp_(max=len(table) - 1)
        return table[row, coordinate.expand_as(row)]

    def _table(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The sorted columns as a tensor, kept: points are drawn in two types by turns."""
        if (dtype, device) not in self._kept:
            table = torch.as_tensor(self._sorted, dtype=dtype, device=device)
            self._kept[dtype, device] = table
        return self._kept[dtype, device]

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """Distinct values of a column and their frequencies."""
        values, counts = np.unique(self._sorted[:, coordinate], return_counts=True)
        return values, counts / counts.sum()

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        values, weights = self.support(coordinate)
        if len(values) <= size or breakpoints:
            return values, weights
        return _tables.gauss(values, weights, size)

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        values = np.unique(self._sorted[:, coordinate])
        if len(values) <= max(size, FEW_VALUES):
            return values
        # The extremes as well, for curves are not continued beyond what the column holds.
        rows = np.linspace(0, len(self._sorted) - 1, size).round().astype(int)
        return np.unique(self._sorted[rows, coordinate])

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        rows = [_tables.lanczos(*self.support(j), degree)[:2] for j in range(self.dim)]
        return np.stack([a for a, _ in rows]), np.stack([b for _, b in rows])
