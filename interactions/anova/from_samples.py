"""Variance by interaction order from points and values a user already has.

Nothing can be asked of the function any more, so the points are looked at: whether they can have
come from the stated inputs, column by column and two columns at a time, at a level so strict that
honest points are refused once in a million.
"""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import torch
from scipy import stats
from torch import Tensor

from ..arrays import numbers, of_pandas
from ..checks import check_tolerance, whole_number
from ..inputs import Empirical, Inputs, Uniform, check_order
from ..spectrum import OrderSpectrum
from ._caveat import with_caveat
from ._doubt import beyond
from ._evaluate import DEFAULT_MEMORY
from .kernel import BLOCKS_OF_SAMPLES, kernel_spectrum_from_samples
from .measure import LEFT_OUT

LEVEL = 1e-6
"""Chance with which points that do come from the inputs fail a test, all columns together."""
MARGINAL = 0.05
"""Distance of a column's distribution function from the stated one that is refused, and"""
CORRELATION = 0.1
"""correlation of two columns' ranks; less, where it is certain, is a warning."""
ROWS = 2**14
"""Points that the tests look at."""


def order_spectrum_from_samples(
    x: object,
    y: object,
    inputs: Inputs,
    *,
    max_order: int = 3,
    tolerance: float = 0.01,
    memory: int | None = None,
    seed: int = 0,
) -> OrderSpectrum:
    """Variance by interaction order from evaluations the user already has.

    The kernel estimator needs no more than plain points drawn from `inputs` and values there.
    One part in 33 of the points centres the values; the rest is measured, with surrogates fitted to
    thirds of it (`order_spectrum`'s "surrogate") unless the fits would take more than seconds.
    With no function to look at, its basis is polynomials: what they leave out counts as above
    max_order, and `left_out` is as much as may lie there.

    Parameters
    ----------
    x : tensor, array, data frame or list [n, d] or [n, D]
        Independent draws from `inputs`, in any order; at least 132. Columns of a data frame are
        taken by name where the inputs have names, categories and dates as `inputs` knows them, and
        columns of a group as the rows that they are. The polynomials are those of the numbers
        that stand for categories and for rows of a group: of few values they leave out nothing.
    y : tensor, array, series, data frame or list [n] or [n, m]
        Values of one function or of m functions there; a data frame's columns name them.
    tolerance : float
        The result has converged where every share's standard error is at most this, and no more
        than this (or .01, if that is larger) lies above max_order beyond doubt: whether that is of
        higher order or outside of the polynomials, samples cannot tell.
    seed : int
        Of the order in which the points are taken.

    Raises
    ------
    ValueError
        For points that cannot have come from the inputs, naming the column: values that they do
        not take, another distribution, columns that depend on each other, or rows that repeat.
        For a data frame that lacks a column of the inputs.
    TypeError
        For columns that are not numbers where those of the inputs are.

    Warns
    -----
    UserWarning
        Where points deviate from the inputs for certain, but by little.

    Examples
    --------
    >>> from interactions import Uniform, order_spectrum_from_samples
    >>> inputs = Uniform(-1, 1, dim=2)
    >>> x = inputs.sample(4096, generator=0)
    >>> spectrum = order_spectrum_from_samples(x, x[:, 0] * x[:, 1], inputs, max_order=2)
    >>> bool(abs(spectrum.share[1] - 1) < 0.05)
    True
    """
    if not isinstance(inputs, Inputs):
        raise TypeError(
            "inputs must be the distribution that x was drawn from, such as "
            f"Uniform(-1.0, 1.0, dim=25), got {type(inputs).__name__}"
        )
    x, y = of_pandas(x), of_pandas(y)
    names = [*x.columns] if isinstance(x, pd.DataFrame) else [*range(inputs.dim)]
    names = names if inputs.names is None else [*inputs.names]
    outputs = tuple(map(str, y.columns)) if isinstance(y, pd.DataFrame) else None
    x = torch.as_tensor(inputs.coded(x)) if isinstance(x, pd.DataFrame) else _tensor(x, "x")
    x = inputs.collapse(x) if x.ndim == 2 else x
    y = _tensor(y, "y")
    check_order(max_order, inputs.dim)
    check_tolerance(tolerance)
    seed = whole_number("seed", seed, least=0)
    if x.ndim != 2 or x.shape[1] != inputs.dim:
        raise ValueError(f"needs points [n, {inputs.dim}], got {tuple(x.shape)}")
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise ValueError(f"needs as many values as points, {len(x)}; got shape {tuple(y.shape)}")
    if not (torch.isfinite(x).all() and torch.isfinite(y).all()):
        raise ValueError("the points or the values hold NaN or infinity")
    least = 4 * (BLOCKS_OF_SAMPLES + 1)
    if len(x) < least:
        raise ValueError(f"needs at least {least} points, got {len(x)}")
    # Blocks of neighbouring rows must not differ, in whatever order the rows were kept.
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed)).to(x.device)
    x, y = x[order], y[order.to(y.device)]
    check_points(x, inputs, names)
    spectrum = kernel_spectrum_from_samples(
        x, y.to(x.device), inputs, max_order=max_order, memory=memory or DEFAULT_MEMORY
    )
    return with_caveat(replace(_judged(spectrum, tolerance), outputs=outputs), inputs)


def _judged(spectrum: OrderSpectrum, tolerance: float) -> OrderSpectrum:
    """Say what may be left out, and whether the tolerance is reached."""
    error = spectrum.share_standard_error
    doubt = 2 * error[..., -1]
    above = np.maximum(spectrum.share[..., -1], 0.0)
    left_out = beyond(spectrum)
    reached = (error <= tolerance).all(axis=-1) | spectrum.constant
    known = (above - doubt <= max(tolerance, LEFT_OUT)) | spectrum.constant
    reason = "" if np.all(reached) else "the points do not suffice for the tolerance"
    if np.all(reached) and not np.all(known):
        reason = (
            f"up to {np.nanmax(above):.2g} of the variance lies above order {spectrum.max_order} "
            "or outside of the polynomials: samples cannot tell which"
        )
    converged = bool(np.all(reached & known))
    return replace(spectrum, left_out=left_out, converged=converged, reason=reason)


def _tensor(values: object, name: str) -> Tensor:
    """Numbers of any kind as a float tensor on the CPU, which keeps the precision it has."""
    if callable(values) or isinstance(values, str):
        what = "a function" if callable(values) else repr(values)
        raise TypeError(
            f"{name} must be an array of numbers, got {what}: order_spectrum measures a function"
        )
    values = values.detach().cpu() if isinstance(values, Tensor) else values
    if np.iscomplexobj(values) or (isinstance(values, Tensor) and values.is_complex()):
        raise TypeError(
            f"{name} must be real numbers, got complex ones: give real and imaginary part as two "
            "columns"
        )
    if not isinstance(values, Tensor):
        values = torch.as_tensor(numbers(values, name))
    return values if values.dtype in (torch.float32, torch.float64) else values.double()


def check_points(x: Tensor, inputs: Inputs, names: list[object]) -> None:
    """Refuse points that cannot be independent draws from the inputs."""
    columns = x.cpu().numpy()
    for j, name in enumerate(names):
        _check_support(columns[:, j], inputs, j, name)
    if inputs.dim > 1 and np.isinf(inputs.support_sizes).all():
        _, which, counts = np.unique(columns[:, 0], return_inverse=True, return_counts=True)
        alike = columns[counts[which] > 1]
        repeated = len(alike) - len(np.unique(alike, axis=0))
        if repeated:
            raise ValueError(
                f"{repeated} of the {len(columns)} points occur more than once, which independent "
                f"draws from {inputs!r} never do: drop the repeated rows"
            )
    columns = columns[: min(ROWS, max(2**22 // inputs.dim, 256))].astype(np.float64)
    for j, name in enumerate(names):
        _check_marginal(columns[:, j], inputs, j, name)
    _check_independence(columns, inputs, names)


def _check_support(column: np.ndarray, inputs: Inputs, j: int, name: object) -> None:
    rounding = 4 * np.finfo(column.dtype).eps
    if isinstance(inputs, Uniform):
        slack = rounding * max(abs(inputs.low), abs(inputs.high))
        bad = (column < inputs.low - slack) | (column > inputs.high + slack)
    elif np.isinf(inputs.support_sizes[j]):
        return
    else:
        values, _ = inputs.support(j)
        right = np.searchsorted(values, column).clip(max=len(values) - 1)
        nearest = np.minimum(
            np.abs(values[right] - column), np.abs(values[np.maximum(right - 1, 0)] - column)
        )
        bad = nearest > rounding * np.abs(column)
    if bad.any():
        raise ValueError(
            f"the points cannot have come from {inputs!r}: column {name!r} holds "
            f"{column[bad][0]:.6g}, which is not among its values ({bad.mean():.2%} of the points)"
        )


def _check_marginal(column: np.ndarray, inputs: Inputs, j: int, name: object) -> None:
    """A Kolmogorov-Smirnov test; for inputs of single values, it errs to the safe side."""
    n = len(column)
    at = np.sort(column)
    if np.isinf(inputs.support_sizes[j]):
        u = (np.arange(ROWS) + 0.5) / ROWS
        quantiles = inputs.quantile(torch.as_tensor(u), torch.tensor(j)).numpy()
        low = high = np.interp(at, quantiles, u)
    else:
        values, weights = inputs.support(j)
        slack = 1e-6 * np.abs(at) + np.finfo(float).tiny
        steps = np.concatenate([[0.0], np.cumsum(weights)])
        low = steps[np.searchsorted(values, at - slack)]
        high = steps[np.searchsorted(values, at + slack, side="right")]
    # Just before and just after each value the share of points is known from its first and last.
    first, last = np.searchsorted(at, at), np.searchsorted(at, at, side="right")
    distance = max(np.abs(first / n - low).max(), np.abs(last / n - high).max())
    if stats.kstwo.sf(distance, n) * inputs.dim > LEVEL:
        return
    _complain(
        f"column {name!r} is not distributed as {inputs!r} says: its distribution function is off "
        f"by {distance:.2f}",
        refuse=distance > MARGINAL,
    )


def _check_independence(columns: np.ndarray, inputs: Inputs, names: list[object]) -> None:
    """Rank correlations, of ranks and of their distance from the middle, between two columns."""
    n, dim = columns.shape
    if dim == 1:
        return
    rank = stats.rankdata(columns, axis=0) / (n + 1) - 0.5
    parts = np.hstack([rank, rank**2])
    parts = parts - parts.mean(axis=0)
    norm = np.sqrt((parts**2).sum(axis=0))
    parts = parts / np.where(norm > 1e-9 * np.sqrt(n), norm, np.inf)
    correlation = np.abs(parts.T @ parts)
    pair = correlation.reshape(2, dim, 2, dim).max(axis=(0, 2))
    np.fill_diagonal(pair, 0.0)
    i, j = np.unravel_index(pair.argmax(), pair.shape)
    if 4 * dim**2 * stats.norm.sf(pair[i, j] * np.sqrt(n)) > LEVEL:
        return
    # The columns of a data set are dependent, and Empirical takes them as independent.
    hint = ": draw the points by inputs.sample(n, ...)" if isinstance(inputs, Empirical) else ""
    _complain(
        f"columns {names[i]!r} and {names[j]!r} depend on each other (their ranks have correlation "
        f"{pair[i, j]:.2f}), and the inputs are independent{hint}",
        refuse=pair[i, j] > CORRELATION,
    )


def _complain(what: str, *, refuse: bool) -> None:
    if refuse:
        raise ValueError(f"the points cannot have come from the inputs: {what}")
    warnings.warn(f"the points deviate from the inputs: {what}", stacklevel=4)
