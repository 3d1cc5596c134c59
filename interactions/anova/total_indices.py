"""Indices without a spectrum, from changes of f when inputs are redrawn.

Half the mean squared change of f when input j is redrawn is the total index of j, the variance
of all effects that hold j (Jansen, Comput. Phys. Commun. 117, 1999). Summed over the inputs every
effect counts once for each of its inputs, so the sum over the variance is the mean order, or mean
dimension in the superposition sense (Caflisch, Morokoff & Owen, J. Comput. Finance 1, 1997).
Likewise the mixed difference over the inputs of a subset u, each drawn twice, has the mean square
2^|u| times the variance of all effects that hold u: the superset index of u (Liu & Owen, J. Am.
Stat. Assoc. 101, 2006). None needs a basis, and none visits more subsets than it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from ..inputs import Inputs
from ._evaluate import Evaluator

DEFAULT_BUDGET = 2**18
BATCHES = 32
"""Batches of points, at least, whose spread gives the standard errors."""


@dataclass(frozen=True)
class MeanOrder:
    """Mean order of a function, [...] over its outputs, with its parts.

    Attributes
    ----------
    mean_order, standard_error : float64 arrays [...]
        Variance-weighted mean order; NaN for a constant function.
    total_index, total_index_standard_error : float64 arrays [..., d]
        Variance of all effects that hold an input, in squared units of the function. The error is
        NaN where no point showed anything of an input.
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
    progress: bool | str = False,
) -> MeanOrder:
    """Measure the mean order and the total index of every input.

    Takes the same functions as `order_spectrum`; spends the budget (default 2^18 evaluations,
    d + 1 per point).
    """
    options = {"memory": memory, "budget": budget, "device": device, "progress": progress}
    evaluate = Evaluator(function, inputs, seed=seed, **options)
    with evaluate.bar:
        result = measure_mean_order(evaluate, budget=budget, seed=seed)
    if evaluate.outputs is not None:
        return result
    return replace(result, **{k: v[0] for k, v in vars(result).items() if k != "evaluations"})


def measure_mean_order(evaluate: Evaluator, *, budget: int | None, seed: int) -> MeanOrder:
    """The measurement itself, with the outputs as a leading axis [m]."""
    budget = DEFAULT_BUDGET if budget is None else budget
    dim = evaluate.inputs.dim
    left = budget - evaluate.evaluations
    n = min(left // ((dim + 1) * BATCHES), evaluate.memory // (64 * dim))
    if n < 2:
        least = evaluate.evaluations + 2 * (dim + 1) * BATCHES
        raise ValueError(
            f"the mean order of {dim} inputs needs {least:,} evaluations at least, the budget is "
            f"{budget:,}"
        )
    evaluate.bar.within(budget)
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    total, variance = [], []
    for _ in range(left // ((dim + 1) * n)):
        x, fresh = (
            evaluate.inputs.sample(n, generator=generator, dtype=evaluate.dtype) for _ in range(2)
        )
        y = evaluate(x)
        changes = []
        # Inputs are moved one at a time, but several are evaluated at once where points are few.
        for some in torch.arange(dim, device=x.device).split(max(1, evaluate.rows // n)):
            moved = x.repeat(len(some), 1, 1)
            moved[torch.arange(len(some)), :, some] = fresh[:, some].T
            values = evaluate(moved.flatten(0, 1)).unflatten(0, (len(some), n))
            changes.append((values - y).square().mean(dim=1) / 2)
        total.append(torch.cat(changes).T)
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
        standard_error=off.std(axis=0, ddof=1) / np.sqrt(len(total)),
        total_index=index,
        total_index_standard_error=_standard_error(total),
        variance=spread,
        evaluations=evaluate.evaluations,
    )


def _standard_error(batches: np.ndarray) -> np.ndarray:
    """Of means over batches, the first axis; unknown where every batch is 0, which saw nothing."""
    error = batches.std(axis=0, ddof=1) / np.sqrt(len(batches))
    return np.where(batches.any(axis=0), error, np.nan)


def superset_index(
    function: Callable,
    inputs: Inputs,
    subsets: Iterable[Iterable[int]],
    *,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool | str = False,
) -> pd.DataFrame:
    """Variance of all effects that hold a subset of inputs, for the subsets asked for.

    For one input that is its total index; for two or more, near zero means that no effect of any
    order holds them together.

    Parameters
    ----------
    function : torch module or callable
        Maps [n, d] to [n] or [n, 1].
    subsets : sequence of subsets, each of one input or more
    budget : int, optional
        Evaluations at most (default 2^18), 2^|u| per subset and point.

    Returns
    -------
    DataFrame
        Columns subset (a sorted tuple of inputs), variance, standard_error, share (of the total
        variance), a row per subset in the order asked for. Estimates are means of squares, and
        so never negative.

    Raises
    ------
    ValueError
        For subsets that are empty or repeat an input, a function of several outputs, and a budget
        too small for 64 points per subset.
    """
    asked = [tuple(sorted(u)) for u in subsets]
    for u in asked:
        if not u or len(set(u)) < len(u) or not (u[0] >= 0 and u[-1] < inputs.dim):
            raise ValueError(f"needs subsets of different inputs 0 .. {inputs.dim - 1}, got {u}")
    options = {"memory": memory, "budget": budget, "device": device, "progress": progress}
    evaluate = Evaluator(function, inputs, seed=seed, **options)
    evaluate.require_one_output("superset_index")
    budget = DEFAULT_BUDGET if budget is None else budget
    price = sum(2 ** len(u) for u in asked)
    least = evaluate.evaluations + 2 * price * BATCHES
    if not asked or budget < least:
        raise ValueError(
            f"{len(asked)} subsets need {least:,} evaluations at least, the budget is {budget:,}"
        )
    left = budget - evaluate.evaluations
    n = max(2, min(left // (price * BATCHES), evaluate.memory // (32 * inputs.dim)))
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    batches = []
    with evaluate.bar as bar:
        bar.within(budget)
        for _ in range(left // (price * n)):
            index, plain = [], []
            for u in asked:
                x, fresh = (
                    inputs.sample(n, generator=generator, dtype=evaluate.dtype) for _ in range(2)
                )
                difference = 0.0
                for moved in (list(v) for k in range(len(u) + 1) for v in combinations(u, k)):
                    corner = x.clone()
                    corner[:, moved] = fresh[:, moved]
                    y = evaluate(corner)
                    difference = difference + (-1) ** len(moved) * y
                    if not moved:
                        plain.append(y)
                index.append(difference.square().mean() / 2 ** len(u))
            batches.append(torch.stack([*index, torch.cat(plain).var()]))
    batches = torch.stack(batches).cpu().numpy()
    mean, total = batches[:, :-1].mean(axis=0), batches[:, -1].mean()
    return pd.DataFrame(
        {
            "subset": asked,
            "variance": mean,
            "standard_error": _standard_error(batches[:, :-1]),
            "share": mean / (np.nan if evaluate.is_constant(total) else total),
        }
    )
