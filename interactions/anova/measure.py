"""The one call that measures a function's variance by interaction order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..inputs import Empirical, Inputs, check_order
from ..spectrum import OrderSpectrum
from ._evaluate import DEFAULT_MEMORY, Evaluator
from .differences import DEFAULT_BUDGET as DIFFERENCES_BUDGET
from .differences import differences_spectrum, least_evaluations
from .distillation import distillation_spectrum
from .exact import exact_spectrum, most_grid_points
from .kernel import (
    BLOCKS,
    default_budget,
    kernel_spectrum,
    kernel_spectrum_from_samples,
    prepare,
    prepared_spectrum,
)

METHODS = ("auto", "exact", "differences", "kernel", "distillation")
EXACT_NODES = 16
EXACT_POINTS = 2**20
"""Points of the largest grid that "auto" chooses, and nodes there of an input with many values."""
LEFT_OUT = 0.01
"""Share that "auto" lets the kernel's basis leave out, where the tolerance is smaller."""


def order_spectrum(
    function: Callable,
    inputs: Inputs,
    *,
    max_order: int = 3,
    method: str = "auto",
    tolerance: float = 0.01,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> OrderSpectrum:
    """Variance of a function by interaction order under independent inputs.

    Parameters
    ----------
    function : torch module or callable
        Maps points [n, d] to [n], or to [n, m] for m functions measured on the same points.
        Modules must be in eval mode. Tensor and numpy callables both fit. An attribute `kinks`,
        as planted functions have, tells the exact method where to split its grid.
    inputs : Inputs
        Distribution of the d inputs: Uniform, Normal, Rademacher or Empirical.
    max_order : int
        Orders 1 .. max_order are told apart; the rest is one number.
    method : "auto", "exact", "differences", "kernel" or "distillation"
        "exact" is a tensor grid, for few inputs; "differences" is Monte Carlo, unbiased for any
        function; "kernel" is Monte Carlo with a few functions per input, far cheaper, also for
        many functions at once, but what they leave out counts as above max_order (`left_out`
        bounds it); "distillation" is the paper's way, boosted trees, to compare with (biased, no
        standard error). "auto" takes "exact" where a grid of 2^20 points fits budget and memory
        (5 inputs, 20 of two values each), else "kernel" where it leaves out no more than the
        tolerance (or .01), else "differences" where the budget allows.
    tolerance : float
        Standard error of the shares at which sampling stops.
    budget : int, optional
        Evaluations at most. Default: 2^21 exact, 2^25 differences, 2^20 kernel (2^12 d
        beyond 256 inputs), 1000 distillation.
    memory : int, optional
        Working memory in bytes (default 2^28).
    seed : int
        The same seed gives the same result on one device.
    device : optional
        Where points are drawn and the function is called. Default: the module's own, else CPU.

    Returns
    -------
    OrderSpectrum
        Arrays of shape [max_order + 1], or [m, max_order + 1].

    Raises
    ------
    ValueError
        For orders above d, a function that is random, in training mode, or returns the wrong
        shape, NaN or infinity, and a budget too small for the method.
    """
    if not isinstance(inputs, Inputs):
        raise TypeError(
            "inputs must be a distribution such as Uniform(-1.0, 1.0, dim=25) or Empirical(data), "
            f"got {type(inputs).__name__}"
        )
    check_order(max_order, inputs.dim)
    if method not in METHODS:
        raise ValueError(f"method must be one of {list(METHODS)}, got {method!r}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
    if budget is not None and budget < 1:
        raise ValueError(f"budget must be positive, got {budget}")
    evaluate = Evaluator(function, inputs, seed=seed, memory=memory, device=device)
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget}
    if method == "exact":
        spectrum = exact_spectrum(evaluate, **settings, seed=seed)
    elif method == "differences":
        spectrum = differences_spectrum(evaluate, **settings, seed=seed)
    elif method == "kernel":
        spectrum = kernel_spectrum(evaluate, **settings, seed=seed)
    elif method == "distillation":
        spectrum = distillation_spectrum(evaluate, max_order=max_order, budget=budget, seed=seed)
    else:
        spectrum = _best_spectrum(evaluate, **settings, seed=seed)
    return _with_distribution(spectrum, inputs)


def _with_distribution(spectrum: OrderSpectrum, inputs: Inputs) -> OrderSpectrum:
    """Say what is easily forgotten: that columns of data were taken as independent."""
    if not isinstance(inputs, Empirical):
        return spectrum
    return replace(
        spectrum, method=f"{spectrum.method}, under the product of the columns' marginals"
    )


def _best_spectrum(
    evaluate: Evaluator, *, max_order: int, tolerance: float, budget: int | None, seed: int
) -> OrderSpectrum:
    """What "auto" stands for: see `order_spectrum`."""
    inputs = evaluate.inputs
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget}

    def because(spectrum: OrderSpectrum, why: str) -> OrderSpectrum:
        return replace(spectrum, reason=f"{why}; {spectrum.reason}" if spectrum.reason else why)

    points = math.prod(np.minimum(inputs.support_sizes, EXACT_NODES).tolist())
    if points <= min(EXACT_POINTS, most_grid_points(evaluate), budget or EXACT_POINTS):
        return because(
            exact_spectrum(evaluate, **settings, seed=seed), "exact: few inputs, a grid will do"
        )
    most = default_budget(inputs.dim) if budget is None else budget
    kernel = {"max_order": max_order, "tolerance": tolerance, "budget": most}
    prepared = prepare(evaluate, **kernel, seed=seed)
    limit = max(tolerance, LEFT_OUT)
    least = least_evaluations(inputs.dim, max_order)
    if prepared.basis.left_out.max() <= limit:
        why = "kernel: one sample serves every function, and its basis leaves little out"
    elif least > (DIFFERENCES_BUDGET if budget is None else budget - evaluate.evaluations):
        why = (
            f"kernel, though its basis may leave out more than {limit:.2g}: differences need "
            f"{least:,} evaluations at least"
        )
    else:
        spectrum = differences_spectrum(evaluate, **settings, seed=seed)
        return because(spectrum, f"differences: a basis may leave out more than {limit:.2g}")
    return because(prepared_spectrum(evaluate, prepared, **kernel), why)


def order_spectrum_from_samples(
    x: Tensor,
    y: Tensor,
    inputs: Inputs,
    *,
    max_order: int = 3,
    memory: int | None = None,
) -> OrderSpectrum:
    """Variance by interaction order from evaluations the user already has.

    The kernel estimator needs no more than plain points drawn from `inputs` and values there.
    One part in 33 of the points centres the values; the rest is measured.

    Parameters
    ----------
    x : tensor [n, d]
        Independent draws from `inputs`; at least 132.
    y : tensor [n] or [n, m]
        Values of one function or of m functions there.
    """
    x, y = torch.as_tensor(x), torch.as_tensor(y)
    check_order(max_order, inputs.dim)
    if x.ndim != 2 or x.shape[1] != inputs.dim:
        raise ValueError(f"needs points [n, {inputs.dim}], got {tuple(x.shape)}")
    if y.ndim not in (1, 2) or len(y) != len(x):
        raise ValueError(f"needs as many values as points, {len(x)}; got shape {tuple(y.shape)}")
    if not (torch.isfinite(x).all() and torch.isfinite(y).all()):
        raise ValueError("the points or the values hold NaN or infinity")
    if len(x) < 4 * (BLOCKS + 1):
        raise ValueError(f"needs at least {4 * (BLOCKS + 1)} points, got {len(x)}")
    spectrum = kernel_spectrum_from_samples(
        x, y, inputs, max_order=max_order, memory=memory or DEFAULT_MEMORY
    )
    return _with_distribution(spectrum, inputs)
