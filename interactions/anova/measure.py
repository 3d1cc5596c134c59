"""The one call that measures a function's variance by interaction order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ..planted import check_order
from ..spectrum import OrderSpectrum
from ._evaluate import DEFAULT_MEMORY, Evaluator
from .differences import differences_spectrum
from .distillation import distillation_spectrum
from .exact import exact_spectrum
from .kernel import BLOCKS, kernel_spectrum, kernel_spectrum_from_samples

METHODS = ("auto", "exact", "differences", "kernel", "distillation")
EXACT_DIM = 5
EXACT_BINARY_DIM = 16


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
        function of any number of inputs; "kernel" is Monte Carlo with a polynomial basis, far
        cheaper for smooth functions and for many at once, but what the basis leaves out counts
        as above max_order; "distillation" is the paper's way, boosted trees, to compare with
        (biased, no standard error). "auto" takes "exact" for up to 5 inputs (16 of two values
        each), "differences" beyond.
    tolerance : float
        Standard error of the shares at which sampling stops.
    budget : int, optional
        Evaluations at most. Default: 2^21 exact, 2^25 differences, 2^20 kernel, 1000
        distillation.
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
    reason = ""
    if method == "auto":
        binary = np.all(inputs.support_sizes <= 2)
        few = inputs.dim <= (EXACT_BINARY_DIM if binary else EXACT_DIM)
        method = "exact" if few else "differences"
        reason = (
            f"{method}: {inputs.dim} inputs are {'few enough' if few else 'too many'} for a grid"
        )
    evaluate = Evaluator(function, inputs, seed=seed, memory=memory, device=device)
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget}
    if method == "exact":
        spectrum = exact_spectrum(evaluate, **settings)
    elif method == "differences":
        spectrum = differences_spectrum(evaluate, **settings, seed=seed)
    elif method == "kernel":
        spectrum = kernel_spectrum(evaluate, **settings, seed=seed)
    else:
        spectrum = distillation_spectrum(evaluate, max_order=max_order, budget=budget, seed=seed)
    return replace(spectrum, reason=reason)


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
    return kernel_spectrum_from_samples(
        x, y, inputs, max_order=max_order, memory=memory or DEFAULT_MEMORY
    )
