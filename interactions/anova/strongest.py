"""Which inputs interact: the variance of single subsets, with standard errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
import torch

from ..inputs import Inputs, check_order
from ._evaluate import Evaluator
from ._pairs import feature_sums
from .kernel import BLOCKS, array_mean, draw, prepare, total_pairs

DEFAULT_BUDGET = 2**16
"""Evaluations by default for up to 32 inputs."""
BUDGET_PER_INPUT = 2**11
"""Evaluations per input by default, for more inputs: a look along each takes a quarter of them."""


def strongest_interactions(
    function: Callable,
    inputs: Inputs,
    *,
    order: int = 2,
    count: int = 10,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> pd.DataFrame:
    """Subsets of one order with the largest variance, by the kernel estimator.

    Every subset of the order is measured on the same points (2^16 evaluations by default, 2^11 d
    beyond 32 inputs), each without bias inside of a basis chosen for the function; inputs of which
    it is constant are left away. Listing the largest favours those whose error points upwards,
    which their standard errors show.

    Parameters
    ----------
    function : torch module or callable
        Maps [n, d] to [n] or [n, 1].
    order : int
        Size of the subsets; there are C(d, order) of them.
    count : int
        Rows to return.

    Returns
    -------
    DataFrame
        Columns subset (a tuple of inputs), variance, standard_error, share; largest first.
    """
    check_order(order, inputs.dim)
    evaluate = Evaluator(function, inputs, seed=seed, memory=memory, budget=budget, device=device)
    evaluate.require_one_output("strongest_interactions")
    budget = max(DEFAULT_BUDGET, BUDGET_PER_INPUT * inputs.dim) if budget is None else budget
    # Subsets are told apart best with all functions that the sample can bear: tolerance 0.
    prepared = prepare(evaluate, max_order=order, tolerance=0.0, budget=budget, seed=seed)
    n = (budget - evaluate.evaluations) // BLOCKS
    sample = draw(evaluate, prepared, n)
    basis = prepared.basis
    total = array_mean(total_pairs(sample)).mean.item()
    widths = basis.widths(order)
    phi = basis.features(sample.x.flatten(0, 1), order).unflatten(0, (BLOCKS, n))
    found = {}
    for leading, sums in feature_sums(phi, widths, sample.f, order, evaluate.memory):
        last = range(leading[-1] + 1 if leading else 0, inputs.dim)
        # [B, products of the leading, 1, functions of the last]: one array of pairs per subset.
        for j, part in zip(
            last, sums[:, :, 0].split([widths[j] for j in last], dim=2), strict=True
        ):
            flat = part.flatten(1).double()
            found[*leading, j] = array_mean((flat @ flat.T / n**2).cpu().numpy())
    table = pd.DataFrame(
        {
            "subset": list(found),
            "variance": [v.mean for v in found.values()],
            "standard_error": [np.sqrt(v.error) for v in found.values()],
        }
    )
    table["share"] = table["variance"] / total if total > 0 else np.nan
    return table.nlargest(count, "variance").reset_index(drop=True)
