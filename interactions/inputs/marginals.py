"""Inputs by name, each of a distribution of its own."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from numbers import Real

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from . import _tables
from .base import FEW_VALUES, Inputs
from .columns import Column, encoded_frame
from .continuous import Continuous

LEAST = 1e-16
"""Probability of a discrete distribution's tails that is left away."""
MOST_VALUES = 2**20
"""Values of a discrete distribution, at most."""
RARE = 1 / 32
"""Probability below which a value is rare, and looked for from the start."""
SPEC = (
    "a frozen distribution, scipy.stats.norm(40, 12); a list of values, each as likely; a dict "
    "of values and their weights; a column of data; or inputs of one dimension, "
    "Uniform(0.0, 1.0, dim=1)"
)


class Table(Inputs):
    """One input that takes finitely many values.

    Parameters
    ----------
    values, weights : arrays [K]
        Different and ascending; the weights are positive and of any sum.
    """

    dim = 1

    def __init__(self, values: np.ndarray, weights: np.ndarray) -> None:
        self._values, self._weights = values, weights / weights.sum()
        # The last end is left away, so that rounding never leads beyond the last value.
        self._ends = np.cumsum(self._weights)[:-1]
        self.uneven = bool(self._weights.min() < RARE)
        self._kept: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}

    def __repr__(self) -> str:
        return f"{len(self._values)} values"

    @property
    def support_sizes(self) -> np.ndarray:
        return np.array([float(len(self._values))])

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        return self._values, self._weights

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        key = u.dtype, u.device
        if key not in self._kept:
            tables = torch.as_tensor(self._values), torch.as_tensor(self._ends)
            self._kept[key] = tuple(t.to(u) for t in tables)
        values, ends = self._kept[key]
        return values[torch.searchsorted(ends, u.contiguous(), right=True)]

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        if len(self._values) <= size or breakpoints:
            return self._values, self._weights
        return _tables.gauss(self._values, self._weights, size)

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        if len(self._values) <= max(size, FEW_VALUES):
            return self._values
        at = np.searchsorted(self._ends, np.linspace(0, 1, size))
        return self._values[np.union1d(at, [0, len(self._values) - 1])]

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        a, b, _ = _tables.lanczos(self._values, self._weights, degree)
        return a[None], b[None]


class Marginals(Inputs):
    """Independent inputs by name, each of its own distribution.

    Continuous distributions of scipy.stats are tabulated once, by polynomials that are right to
    1e-12 of their values (see `inputs.continuous`): points are drawn on any device at the cost of a
    few multiplications, and polynomials are integrated to rounding. Discrete ones are tables of all
    values with their probabilities, tails of 1e-16 left away. Categories are measured by codes and
    handed to functions of data frames, and to estimators, as they were given.

    Parameters
    ----------
    marginals : dict by name
        For each input a frozen distribution of scipy.stats, continuous or discrete; a list of
        values, each as likely; a dict of values and their weights, of any sum; a column of data
        (array or Series), each row as likely; or Inputs of one dimension.

    Raises
    ------
    TypeError, ValueError
        For what is none of these, naming the input.

    Examples
    --------
    >>> from scipy import stats
    >>> Marginals({"age": stats.norm(40, 12), "sex": {"f": 0.6, "m": 0.4}, "rooms": [1, 2, 3]})
    Marginals(age: norm(40, 12), sex: 2 values, rooms: 3 values)
    """

    def __init__(self, marginals: Mapping[str, object]) -> None:
        if not isinstance(marginals, Mapping) or not marginals:
            raise TypeError(
                'Marginals needs a dict by name, {"age": scipy.stats.norm(40, 12), "sex": ["f", '
                f'"m"]}}; got {_shown(marginals)}'
            )
        made, data = [], []
        for name, given in marginals.items():
            if not isinstance(name, str):
                raise TypeError(f"inputs are called by text, got {name!r}")
            made.append(_marginal(name, given))
            if isinstance(given, (np.ndarray, pd.Series, Tensor)):
                data.append(name)
        self.names, self.dim = tuple(marginals), len(made)
        self._marginals = [marginal for marginal, _ in made]
        self._columns = [column for _, column in made]
        self.uneven = any(marginal.uneven for marginal in self._marginals)
        self.encoded = any(c is not None and c.levels is not None for c in self._columns)
        if data:
            self.caveat = f"intervals of these rows of {', '.join(data)}, not of their population"
        self._recurrences: dict[int, tuple[np.ndarray, np.ndarray]] = {}

    def __repr__(self) -> str:
        parts = (f"{n}: {m!r}" for n, m in zip(self.names, self._marginals, strict=True))
        return f"Marginals({', '.join(parts)})"

    @cached_property
    def support_sizes(self) -> np.ndarray:
        return np.concatenate([m.support_sizes for m in self._marginals])

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        return self._marginals[coordinate].support(0)

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        x, zero = torch.empty_like(u), coordinate.new_zeros(())
        if u.ndim > 1 and coordinate.shape == u.shape[-1:]:
            for at, j in enumerate(coordinate.tolist()):
                x[..., at] = self._marginals[j].quantile(u[..., at], zero)
            return x
        which = coordinate.expand_as(u)
        several = coordinate.unique().tolist()
        if len(several) == 1:
            return self._marginals[several[0]].quantile(u, zero)
        for j in several:
            mine = which == j
            x[mine] = self._marginals[j].quantile(u[mine], zero)
        return x

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        return self._marginals[coordinate].quadrature(size, breakpoints=breakpoints)

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        return self._marginals[coordinate].knots(size)

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        return self._marginals[coordinate].probability_up_to(x, coordinate=0)

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        if degree not in self._recurrences:
            rows = zip(*(m.recurrence(degree) for m in self._marginals), strict=True)
            a, b = map(np.concatenate, rows)
            self._recurrences[degree] = a, b
        return self._recurrences[degree]

    def frame(self, x: np.ndarray) -> pd.DataFrame:
        columns = zip(self.names, self._columns, x.T, strict=True)
        return pd.DataFrame({n: v if c is None else c.back(v) for n, c, v in columns})


def _marginal(name: str, given: object) -> tuple[Inputs, Column | None]:
    """One input from what a user gave for it, and how its values are written in numbers."""
    if isinstance(given, Inputs):
        if given.dim != 1:
            raise ValueError(f"{name!r} is one input, got {given!r} of {given.dim}")
        return given, None
    if isinstance(given, Mapping):
        return _weighted(name, [*given], [*given.values()])
    if isinstance(given, (list, tuple, range, np.ndarray, pd.Series, pd.Index, Tensor)):
        values = given.detach().cpu().numpy() if isinstance(given, Tensor) else given
        return _weighted(name, values, None)
    distribution = _frozen(name, given)
    return (
        _discrete(name, distribution)
        if hasattr(distribution, "pmf")
        else (
            Continuous(distribution.ppf, distribution.isf, _called(distribution)),
            None,
        )
    )


def _weighted(name: str, values: object, weights: Sequence[float] | None) -> tuple[Table, Column]:
    """Values of any kind, with weights or each as likely, as a table of numbers."""
    if np.ndim(values) != 1 or not len(values):
        raise ValueError(f"{name!r} must be values in one row, got shape {np.shape(values)}")
    weights = [1.0] * len(values) if weights is None else weights
    good = all(isinstance(w, Real) and not isinstance(w, bool) and w > 0 for w in weights)
    if not (good and np.isfinite(weights).all()):
        raise ValueError(f"weights of {name!r} must be positive numbers, got {weights}")
    series = pd.Series(values).rename(name).reset_index(drop=True)
    (column,), numbers = encoded_frame(series.to_frame(), "Marginals")
    unique, at = np.unique(numbers[:, 0], return_inverse=True)
    return Table(unique, np.bincount(at, np.asarray(weights, dtype=float))), column


def _frozen(name: str, given: object) -> object:
    if isinstance(given, (stats.rv_continuous, stats.rv_discrete)):
        if given.numargs:
            raise TypeError(f"{name!r}: give {given.name} its parameters, {given.name}(..)")
        given = given()
    if not isinstance(getattr(given, "dist", None), (stats.rv_continuous, stats.rv_discrete)):
        raise TypeError(f"{name!r} must be {SPEC}; got {_shown(given)}")
    middle = np.asarray(given.ppf(0.5))
    if middle.ndim or not np.isfinite(middle):
        raise ValueError(
            f"{name!r} must be one distribution of finite values, got {_called(given)}"
        )
    return given


def _shown(given: object) -> str:
    """What was given, in a few words."""
    if isinstance(given, pd.DataFrame):
        return "a data frame: give Empirical(frame), or its columns by name"
    return reprlib.repr(given)


def _called(distribution: object) -> str:
    given = [*map(str, distribution.args), *(f"{k}={v}" for k, v in distribution.kwds.items())]
    return f"{distribution.dist.name}({', '.join(given)})"


def _discrete(name: str, distribution: object) -> tuple[Table, Column]:
    """All values of a discrete distribution with their probabilities."""
    if hasattr(distribution.dist, "xk"):
        # Of a distribution given as a table the values need be no integers.
        first = distribution.support()[0] - distribution.dist.xk[0]
        values = np.sort(distribution.dist.xk + first)
    else:
        low, high = distribution.ppf(LEAST), distribution.isf(LEAST)
        if not high - low < MOST_VALUES:
            raise ValueError(
                f"{name!r} takes {high - low + 1:,.0f} values, {MOST_VALUES:,} at most can be "
                "measured: take a continuous distribution near it"
            )
        values = np.arange(low, high + 1)
    weights = distribution.pmf(values)
    values, weights = values[weights > 0], weights[weights > 0]
    whole = np.equal(values, np.rint(values)).all()
    return Table(values, weights), Column(name, np.dtype(int if whole else float))
