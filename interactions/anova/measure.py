"""The one call that measures a function's variance by interaction order."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
import torch

from ..checks import check_tolerance, whole_number
from ..inputs import Inputs, check_order
from ..models import as_inputs
from ..spectrum import OrderSpectrum
from ._caveat import with_caveat
from ._evaluate import Evaluator
from ._prepare import prepare
from .differences import DEFAULT_BUDGET as DIFFERENCES_BUDGET
from .differences import differences_spectrum, least_evaluations
from .distillation import distillation_spectrum
from .exact import GridTooLargeError, exact_spectrum, most_grid_points
from .kernel import (
    default_budget,
    kernel_spectrum,
    prepared_spectrum,
    surrogate_spectrum,
)
from .trees import whole_spectrum

USUAL_ORDER = 3
"""Orders that are told apart by default, where there are as many inputs."""
EXACT_NODES = 16
"""Nodes of an input with many values, in counting the points of the grid that "auto" would take."""
EXACT_POINTS = 2**20
"""Points of the largest grid that "auto" takes."""
OF_THESE_ROWS = "intervals of these rows, not of their population"
LEFT_OUT = 0.01
"""Share of variance that the kernel's basis may leave out before "auto" goes without a basis. It
is the tolerance instead where that is larger."""


class Method(Protocol):
    """One way of measuring: everything `order_spectrum` knows of a method, and all it needs."""

    def __call__(
        self,
        evaluate: Evaluator,
        *,
        max_order: int,
        tolerance: float,
        budget: int | None,
        seed: int,
    ) -> OrderSpectrum:
        """Spectrum of the evaluator's function under `evaluate.inputs`.

        The arguments are those of `order_spectrum`, checked; `evaluate` maps points [n, d] to
        values [n, m], and counts them. A method may ignore the tolerance or the seed, never the
        budget; where that is None it takes a default of its own. Arrays of the result have the
        shape [m, max_order + 1], or [max_order + 1] where `evaluate.outputs` is None.
        """
        ...


def order_spectrum(
    function: Callable[..., Any],
    inputs: Inputs,
    *,
    max_order: int | None = None,
    method: str = "auto",
    tolerance: float = 0.01,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool | str = False,
) -> OrderSpectrum:
    """Variance of a function by interaction order under independent inputs.

    Parameters
    ----------
    function : torch module, estimator or callable
        Maps points [n, d] to [n], or to [n, m] for m functions measured on the same points. Of a
        fitted estimator predict_proba is measured, or predict, and it is given data frames where
        it was fitted on one; `interactions.models.adapt` is for modules of several arguments or
        outputs.
        Modules must be in eval mode. Tensor and numpy callables both fit, and may change the
        points they are given: these are a copy. A callable that takes tensors and arrays but
        answers them differently is given arrays where its code says `axis=`, else refused. An
        attribute `kinks`, as planted functions have, tells the exact method where to split its
        grid.
    inputs : Inputs or data frame
        Distribution of the d inputs: Uniform, Normal, Rademacher, Bernoulli, Empirical or
        Marginals. A data frame stands for Empirical(frame).
    max_order : int, optional
        Orders 1 .. max_order are told apart; the rest is one number. Default: 3, or d if fewer.
    method : "auto", "exact", "differences", "kernel", "surrogate" or "distillation": a METHODS key
        "exact" is a tensor grid, for few inputs, corrected by random ones: its error is rounding
        for smooth functions and sampled for others; "differences" is Monte Carlo, unbiased for any
        function; "kernel" is Monte Carlo with a few functions per input, far cheaper, also for
        many functions at once, but what they leave out counts as above max_order (`left_out`
        bounds it); "surrogate" is the kernel with most of its noise taken out by a fit to a part of
        the points (unbiased too): a third of the evaluations or less, for more arithmetic; from a
        budget too small to choose functions its functions are polynomials, and `left_out` is as
        much as lies above max_order or outside of them;
        "distillation" is the paper's way, boosted trees, to compare with (biased, no
        standard error). "auto" reads a tree ensemble's own trees where they are all of the function
        (`tree_spectrum`), takes "exact" where a grid of 2^20 points fits budget and memory
        (5 inputs, 20 of two values each) and converges, else "kernel" where it leaves out no more
        than the tolerance (or .01), else "differences" where the budget allows. In place
        of the kernel it takes "surrogate" where evaluations, which it times, are so slow that those
        saved take twice as long as the fits, or where the budget is small: runs that are timed
        otherwise may differ, and the result's `method` says which it was.
    tolerance : float
        Standard error of the shares at which sampling stops.
    budget : int, optional
        Evaluations at most, those by which the function is checked included (up to 256). Default:
        2^21 exact, 2^25 differences, 2^20 kernel (2^12 d beyond 256 inputs), 1000 distillation.
    memory : int, optional
        Working memory in bytes (default 2^28), what the function allocates in a call included,
        the function's own data and the rows of Empirical inputs not.
    seed : int
        The same seed gives the same result on one device, by the same method.
    device : optional
        Where points are drawn and the function is called. Default: the module's own, else CPU.
    progress : bool or str
        Shows a bar of evaluations while it runs, against the budget and with the error of the
        shares so far (needs tqdm: the extra "progress"); a text stands before the bar.

    Returns
    -------
    OrderSpectrum
        Arrays of shape [max_order + 1], or [m, max_order + 1].

    Raises
    ------
    ValueError
        For orders above d, a function that is random, in training mode, varies by the rounding of
        its values alone, or returns the wrong shape, complex numbers, NaN or infinity; for columns
        whose values the function's type cannot tell apart; for a budget too small for the method,
        naming the least; and for a memory too small for two points.

    Examples
    --------
    >>> from interactions import Uniform, order_spectrum
    >>> spectrum = order_spectrum(lambda x: x[:, 0] + x[:, 0] * x[:, 1], Uniform(-1, 1, dim=2))
    >>> spectrum.variance.round(3)
    array([0.333, 0.111, 0.   ])
    """
    inputs = as_inputs(function, inputs)
    max_order = min(USUAL_ORDER, inputs.dim) if max_order is None else max_order
    check_order(max_order, inputs.dim)
    if method not in METHODS:
        raise ValueError(f"method must be one of {[*METHODS]}, got {method!r}")
    check_tolerance(tolerance)
    seed = whole_number("seed", seed, least=0)
    options = {"memory": memory, "budget": budget, "device": device, "progress": progress}
    evaluate = Evaluator(function, inputs, seed=seed, **options)
    with evaluate.bar:
        spectrum = None
        if method == "auto":
            spectrum = whole_spectrum(function, evaluate, max_order=max_order, seed=seed)
        if spectrum is None:
            spectrum = METHODS[method](
                evaluate, max_order=max_order, tolerance=tolerance, budget=budget, seed=seed
            )
    spectrum = replace(spectrum, evaluations=evaluate.evaluations, outputs=evaluate.names)
    if evaluate.said:
        spectrum = replace(spectrum, method=f"{spectrum.method}, {evaluate.said}")
    return with_caveat(_with_rounding(spectrum, evaluate, tolerance), inputs)


def _with_rounding(spectrum: OrderSpectrum, evaluate: Evaluator, tolerance: float) -> OrderSpectrum:
    """Say where the rounding of a function's own values forbids the tolerance."""
    coarse = evaluate.too_coarse(np.atleast_2d(spectrum.variance).sum(axis=-1), tolerance)
    if not coarse.any():
        return spectrum
    why = (
        f"values of size {evaluate.size[coarse].max():.2g} are rounded so coarsely beside their "
        "spread that rounding may hold more of the variance than the tolerance"
    )
    reason = f"{spectrum.reason}; {why}" if spectrum.reason else why
    return replace(spectrum, converged=False, reason=reason)


def _best_spectrum(
    evaluate: Evaluator, *, max_order: int, tolerance: float, budget: int | None, seed: int
) -> OrderSpectrum:
    """What "auto" stands for: see `order_spectrum`."""
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget, "seed": seed}
    grid = _grid_spectrum(evaluate, **settings)
    if grid is None:
        return _monte_carlo_spectrum(evaluate, **settings)
    if grid.converged:
        return _because(grid, "exact: few inputs, a grid will do")
    try:
        # The next method's default budget is its own, whatever the grid has spent.
        other = _monte_carlo_spectrum(evaluate, **settings, spent=evaluate.evaluations)
    except ValueError:
        return _because(grid, "exact: few inputs, and no budget left for another method")
    if other.converged or _error(other) < _error(grid):
        return _because(other, "a grid did not converge")
    return _because(grid, "exact: few inputs, though the grid did not converge")


def _because(spectrum: OrderSpectrum, why: str) -> OrderSpectrum:
    return replace(spectrum, reason=f"{why}; {spectrum.reason}" if spectrum.reason else why)


def _error(spectrum: OrderSpectrum) -> float:
    """Largest error of a share; unknown is the largest."""
    error = spectrum.share_standard_error[~spectrum.constant]
    return float(np.nan_to_num(error, nan=np.inf).max(initial=0.0))


def _grid_spectrum(
    evaluate: Evaluator, *, budget: int | None, **settings: Any
) -> OrderSpectrum | None:
    """What "exact" finds within half of the budget, where the inputs are few enough for it."""
    points = math.prod(np.minimum(evaluate.inputs.support_sizes, EXACT_NODES).tolist())
    affordable = EXACT_POINTS if budget is None else budget - evaluate.evaluations
    if points > min(EXACT_POINTS, most_grid_points(evaluate), affordable):
        return None
    half = None if budget is None else max(budget // 2, int(points) + evaluate.evaluations)
    try:
        return exact_spectrum(evaluate, **settings, budget=half)
    except GridTooLargeError:
        return None


def _monte_carlo_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None,
    seed: int,
    spent: int = 0,
) -> OrderSpectrum:
    """The kernel where its basis leaves little out, else differences where they are affordable."""
    inputs = evaluate.inputs
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget, "seed": seed}
    most = default_budget(inputs.dim) + spent if budget is None else budget
    kernel = {"max_order": max_order, "tolerance": tolerance, "budget": most}
    prepared = prepare(evaluate, **kernel, seed=seed, surrogate=None)
    limit = max(tolerance, LEFT_OUT)
    least = least_evaluations(inputs.dim, max_order)
    # Of many functions a few may be rough: the result says of which, and the others are measured
    # for a small part of what differences of them all would cost.
    if np.isnan(prepared.left_out).all():
        why = "a sample alone: to read a basis would take too much of the budget"
    elif np.mean(prepared.left_out) <= limit:
        why = "kernel: one sample serves every function, and its basis leaves little out"
        if prepared.surrogate:
            why += "; evaluations are slow, or few, and a surrogate makes up for it"
    elif least > (DIFFERENCES_BUDGET if budget is None else budget - evaluate.evaluations):
        why = (
            f"kernel, though its basis may leave out more than {limit:.2g}: differences need "
            f"{least:,} evaluations at least"
        )
    else:
        spectrum = differences_spectrum(evaluate, **settings)
        return _because(spectrum, f"differences: a basis may leave out more than {limit:.2g}")
    return _because(prepared_spectrum(evaluate, prepared, **kernel), why)


METHODS: dict[str, Method] = {
    "auto": _best_spectrum,
    "exact": exact_spectrum,
    "differences": differences_spectrum,
    "kernel": kernel_spectrum,
    "surrogate": surrogate_spectrum,
    "distillation": distillation_spectrum,
}
"""The methods of `order_spectrum` by name. A `Method` from outside joins them by
METHODS["mine"] = mine, and order_spectrum(f, inputs, method="mine") calls it."""
