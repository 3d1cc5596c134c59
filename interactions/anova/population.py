"""Spectra of the population that rows of data come from, with the error that few rows make.

An interval under `Empirical` speaks of the rows given. Other rows of the same population would
have other marginals, and another spectrum. How different is measured on random groups of the rows,
each taken for a data set of its own: their spread over the root of their number is the standard
error of the whole (Wolter, *Introduction to Variance Estimation*, 2007, chapter 2). Unlike the
jackknife, whose differences between nearly equal data sets drown in the noise of sampling, groups
need no more than a coarse measurement each.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import torch

from ..arrays import numbers, of_pandas
from ..inputs import OF_THESE_ROWS, Empirical
from ..inputs.groups import Groups
from ..models import as_inputs
from ..spectrum import OrderSpectrum
from .exact import ROUNDING
from .measure import order_spectrum

GROUPS = 16
ROWS = 8
"""Rows of a group, at least."""
LEAST_GROUPS = 5


def population_spectrum(
    function: Callable[..., Any],
    data: object,
    *,
    groups: Groups | None = None,
    budget: int | None = None,
    tolerance: float = 0.01,
    seed: int = 0,
    progress: bool | str = False,
    **options: Any,
) -> OrderSpectrum:
    """Spectrum under the columns' marginals, with intervals of the population of the rows.

    The estimates are those of `order_spectrum` under Empirical(data); the errors also hold what
    other rows would have changed, from 16 random groups of the rows (fewer where there are less
    than 128). No number of evaluations brings that part down, so a result whose rows are too few
    for the tolerance has not converged.

    Parameters
    ----------
    data : array or data frame [n, D]
        Independent rows, 40 at least; categories and dates are to it what they are to `Empirical`.
    groups : dict of columns by name, optional
        Columns that are one input, as for `Empirical`.
    budget : int, optional
        Evaluations at most: half for the rows together, half for their groups. Default: that of
        the method, and as much again as it took for each group.
    progress : bool or str
        Shows a bar of evaluations, one after another for the rows and for each group.
    options
        Others of `order_spectrum`.

    Raises
    ------
    ValueError
        For fewer rows, and as `order_spectrum` does.

    Examples
    --------
    >>> import numpy as np
    >>> from interactions.anova import population_spectrum
    >>> rows = np.random.default_rng(0).normal(size=(200, 2))
    >>> spectrum = population_spectrum(lambda x: x[:, 0] + 0.1 * x[:, 1], rows)
    >>> bool(spectrum.share[0] > 0.99)
    True
    """
    data = of_pandas(data)
    frame = isinstance(data, pd.DataFrame)
    inputs = Empirical(data, groups=groups) if groups or not frame else as_inputs(function, data)
    assert isinstance(inputs, Empirical)  # What a data frame stands for.
    # Rows in the numbers that all of them are written in: a group may lack a category.
    table = inputs.coded(data) if frame else numbers(data, "data").astype(np.float64)
    rows = inputs.collapse(torch.as_tensor(table)).numpy()
    count = min(GROUPS, len(rows) // ROWS)
    if count < LEAST_GROUPS:
        raise ValueError(
            f"the spread of a population needs {LEAST_GROUPS * ROWS} rows at least, got {len(rows)}"
        )
    options = {**options, "seed": seed}
    own = None if budget is None else budget // 2
    whole = order_spectrum(
        function,
        inputs,
        tolerance=tolerance,
        budget=own,
        progress=progress,
        **options,
    )
    each = whole.evaluations if budget is None else (budget - whole.evaluations) // count
    parts = [
        # The noise of a group counts for 1 / count, and its variance is taken off again.
        order_spectrum(
            function,
            inputs.with_rows(rows[which]),
            tolerance=tolerance * count**0.5,
            budget=max(each, 2**12) if budget is None else each,
            progress=progress and f"group {i} of {count}",
            **options,
        )
        for i, which in enumerate(
            np.array_split(np.random.default_rng(seed).permutation(len(rows)), count), start=1
        )
    ]
    error = _with_groups(whole.standard_error, [(p.variance, p.standard_error) for p in parts])
    # Orders that are zero in every group are so up to rounding.
    error = np.maximum(error, ROUNDING * np.expand_dims(whole.total_variance, -1))
    up_to, _ = whole.cumulative_error()
    up_to = _with_groups(up_to, [(p.cumulative_share, p.cumulative_error()[0]) for p in parts])
    # A group may be constant where the whole is not: it has no shares, and they are unknown.
    share_error = _with_groups(
        whole.share_standard_error, [(p.share, p.share_standard_error) for p in parts]
    )
    constant = np.expand_dims(whole.constant, -1)
    df = np.full_like(error, count - 1.0)
    converged = whole.converged and bool(np.all((share_error <= tolerance) | constant))
    few = "more rows, not more evaluations, would narrow the intervals"
    reason = whole.reason if converged or not whole.converged else f"{whole.reason}; {few}"
    return replace(
        whole,
        standard_error=error,
        share_standard_error=share_error,
        degrees_of_freedom=df,
        share_degrees_of_freedom=df,
        cumulative_standard_error=up_to,
        cumulative_degrees_of_freedom=df,
        method=whole.method.replace(
            OF_THESE_ROWS, f"intervals of the population of the rows ({count} groups)"
        ),
        evaluations=whole.evaluations + sum(p.evaluations for p in parts),
        converged=converged,
        reason=reason.removeprefix("; "),
    )


def _with_groups(error: np.ndarray, parts: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """The error of sampling with the spread of the groups, less their own errors of sampling."""
    estimates, errors = (np.stack(a) for a in zip(*parts, strict=True))
    n = len(estimates)
    spread = estimates.var(axis=0, ddof=1) - (errors**2).mean(axis=0)
    return np.sqrt(error**2 + np.maximum(spread, 0.0) / n)
