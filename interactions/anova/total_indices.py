"""Mean order without a spectrum: total indices by redrawing one input at a time.

Half the mean squared change of f when input j is redrawn is the total index of j, the variance
of all effects that hold j (Jansen, Comput. Phys. Commun. 117, 1999). Summed over the inputs every
effect counts once for each of its inputs, so the sum over the variance is the mean order, or mean
dimension in the superposition sense (Caflisch, Morokoff & Owen, J. Comput. Finance 1, 1997). It
needs no basis and visits no subset.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from ..inputs import Inputs
from ._evaluate import Evaluator

DEFAULT_BUDGET = 2**18
BATCHES = 32
"""Batches of points whose spread gives the standard errors."""


@dataclass(frozen=True)
class MeanOrder:
    """Mean order of a function, [...] over its outputs, with its parts.

    Attributes
    ----------
    mean_order, standard_error : float64 arrays [...]
        Variance-weighted mean order; NaN for a constant function.
    total_index, total_index_standard_error : float64 arrays [..., d]
        Variance of all effects that hold an input, in squared units of the function.
    variance : float64 array [...]
        Total variance, from the same points.
    evaluations : int
    """

    mean_order: np.ndarray
    standard_error: np.ndarray
    total_index: np.ndarray
    total_index_standard_error: np.ndarray
    variance: np.ndarray
    evaluations: int


def mean_order(
    function: Callable,
    inputs: Inputs,
    *,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> MeanOrder:
    """Measure the mean order and the total index of every input.

    Takes the same functions as `order_spectrum`; spends the budget (default 2^18 evaluations,
    d + 1 per point).
    """
    evaluate = Evaluator(function, inputs, seed=seed, memory=memory, device=device)
    result = measure_mean_order(evaluate, budget=budget, seed=seed)
    if evaluate.outputs is not None:
        return result
    return replace(result, **{k: v[0] for k, v in vars(result).items() if k != "evaluations"})


def measure_mean_order(evaluate: Evaluator, *, budget: int | None, seed: int) -> MeanOrder:
    """The measurement itself, with the outputs as a leading axis [m]."""
    budget = DEFAULT_BUDGET if budget is None else budget
    dim = evaluate.inputs.dim
    n = budget // ((dim + 1) * BATCHES)
    if n < 2:
        raise ValueError(
            f"the mean order of {dim} inputs needs {2 * (dim + 1) * BATCHES:,} evaluations at "
            f"least, the budget is {budget:,}"
        )
    before = evaluate.evaluations
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    total, variance = [], []
    for _ in range(BATCHES):
        x, fresh = (
            evaluate.inputs.sample(n, generator=generator, dtype=evaluate.dtype) for _ in range(2)
        )
        y = evaluate(x)
        changes = []
        for j in range(dim):
            moved = x.clone()
            moved[:, j] = fresh[:, j]
            changes.append((evaluate(moved) - y).square().mean(dim=0) / 2)
        total.append(torch.stack(changes, dim=-1))
        variance.append(y.var(dim=0))
    total, variance = (torch.stack(a).cpu().numpy() for a in (total, variance))
    index, spread = total.mean(axis=0), variance.mean(axis=0)
    constant = evaluate.is_constant(spread)
    scale = np.where(constant, np.nan, spread)
    mean = index.sum(axis=-1) / scale
    # To first order the error of a ratio is that of (sum of indices - mean order x variance).
    off = (total.sum(axis=-1) - mean * variance) / scale
    return MeanOrder(
        mean_order=mean,
        standard_error=off.std(axis=0, ddof=1) / np.sqrt(BATCHES),
        total_index=index,
        total_index_standard_error=total.std(axis=0, ddof=1) / np.sqrt(BATCHES),
        variance=spread,
        evaluations=evaluate.evaluations - before,
    )
