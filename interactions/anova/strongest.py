"""Which inputs interact: the variance of single subsets, with standard errors."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import torch

from ..inputs import Inputs
from ..planted import check_order
from ._evaluate import Evaluator
from .kernel import BLOCKS, Sample, array_mean, default_degrees, feature_sums

DEFAULT_BUDGET = 2**16


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

    Every subset of the order is measured on the same points (default 2^16), each without bias up
    to the degree of the basis; listing the largest favours those whose error points upwards, which
    their standard errors show.

    Parameters
    ----------
    function : torch module or callable
        Maps [n, d] to [n].
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
    evaluate = Evaluator(function, inputs, seed=seed, memory=memory, device=device)
    if evaluate.outputs is not None:
        raise ValueError("strongest_interactions takes a function with one output, [n, d] to [n]")
    n = (DEFAULT_BUDGET if budget is None else budget) // (BLOCKS + 1)
    if n < 4:
        raise ValueError(f"the budget must be at least {4 * (BLOCKS + 1)}, got {budget}")
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    centre = evaluate(inputs.sample(n, generator=generator, dtype=evaluate.dtype)).mean()
    x = inputs.sample(BLOCKS * n, generator=generator, dtype=evaluate.dtype)
    f = (evaluate(x) - centre).to(evaluate.dtype)
    sample = Sample(*(a.unflatten(0, (BLOCKS, n)) for a in (x, f)))
    total = f.double().var().item()
    degree = default_degrees(inputs.dim, order)[-1]
    phi = inputs.basis(x, degree).unflatten(0, (BLOCKS, n))
    variance, error = [], []
    for sums in feature_sums(phi, sample.f, order):
        # [B, q^(k-1), 1, rest q] to one array of pairs of blocks per last input.
        own = sums[:, :, 0].unflatten(2, (-1, degree)).movedim(2, 0).flatten(2).double()
        mean = array_mean((own @ own.transpose(1, 2) / n**2).cpu().numpy())
        variance.append(mean.mean)
        error.append(np.sqrt(mean.error))
    table = pd.DataFrame(
        {
            "subset": list(combinations(range(inputs.dim), order)),
            "variance": np.concatenate(variance),
            "standard_error": np.concatenate(error),
        }
    )
    table["share"] = table["variance"] / total if total > 0 else np.nan
    return table.nlargest(count, "variance").reset_index(drop=True)
