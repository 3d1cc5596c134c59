"""Which inputs interact: the variance of single subsets, with standard errors."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from ..checks import whole_number
from ..inputs import Inputs, check_order
from ..models import as_inputs
from ._array_mean import BLOCKS, array_mean
from ._evaluate import Evaluator
from ._limits import most_in_memory
from ._pairs import Sample, feature_sums
from ._prepare import draw, prepare
from .basis import Basis
from .kernel import total_pairs
from .total_indices import BATCHES, measure_mean_order

DEFAULT_BUDGET = 2**16
"""Evaluations by default, with few inputs."""
BUDGET_PER_INPUT = 2**11
"""Evaluations per input by default, where that is more."""
SEEN = 3.0
"""Standard errors that the variance of a subset must exceed to be worth a model's term."""
MOST_SUBSETS = 2**22
"""Subsets that are measured at most, for each takes a millisecond or less."""


def strongest_interactions(
    function: Callable[..., Any],
    inputs: Inputs,
    *,
    order: int = 2,
    count: int = 10,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool | str = False,
) -> pd.DataFrame:
    """Subsets of one order with the largest variance, by the kernel estimator.

    Every subset of the order is measured on the same points, each without bias inside of a basis
    chosen for the function; inputs of which it is constant are left away. Listing the largest
    favours those whose error points upwards, which their standard errors show.

    A basis may miss what is rough or rare. So a quarter of the budget measures every input's total
    index without one. What of it no subset of up to this order explains belongs to higher orders or
    was missed, and a subset that was missed shows in each of its inputs. That is `attrs["unseen"]`;
    where it leaves room for a subset larger than the largest listed, a warning names the inputs.

    Parameters
    ----------
    function : torch module, estimator or callable
        Maps [n, d] to [n] or [n, 1].
    inputs : Inputs or DataFrame
    order : int
        Size of the subsets; there are C(d, order) of them.
    count : int
        Rows to return.
    budget : int, optional
        Evaluations at most (default 2^16, or 2^11 d with more than 32 inputs).
    memory, seed, device, progress
        Those of `order_spectrum`.

    Returns
    -------
    DataFrame
        Columns subset (a tuple of inputs, by name where they have names), variance,
        standard_error, share; largest first. `attrs`
        holds evaluations, `left_out` (share of variance that the basis may leave out, by its own
        check), `unseen` [d] (variance of effects with an input that were not measured) and `limit`,
        "memory" or "budget", whichever to raise for smaller errors: with hundreds of inputs mostly
        the memory.

    Examples
    --------
    >>> from interactions import Rademacher
    >>> from interactions.anova import strongest_interactions
    >>> def function(x):
    ...     return x[:, 0] + 2 * x[:, 1] * x[:, 2]
    >>> found = strongest_interactions(function, Rademacher(dim=3), count=1)
    >>> found.iloc[0]["subset"]
    (1, 2)
    """
    inputs = as_inputs(function, inputs)
    check_order(order, inputs.dim)
    count = whole_number("count", count, least=1)
    options = {"memory": memory, "budget": budget, "device": device, "progress": progress}
    evaluate = Evaluator(function, inputs, seed=seed, **options)
    evaluate.require_one_output("strongest_interactions")
    if budget is None:
        budget = max(DEFAULT_BUDGET, BUDGET_PER_INPUT * inputs.dim)
    with evaluate.bar:
        return _strongest(evaluate, order, count, budget, seed)


def _strongest(evaluate: Evaluator, order: int, count: int, budget: int, seed: int) -> pd.DataFrame:
    """The measurement itself, of a function of one output."""
    inputs = evaluate.inputs
    # Subsets are told apart best with all functions that the sample can bear: tolerance 0.
    prepared = prepare(evaluate, max_order=order, tolerance=0.0, budget=budget, seed=seed)
    basis = prepared.basis
    useful = sum(q > 0 for q in basis.widths(order))
    if math.comb(useful, order) > MOST_SUBSETS:
        raise ValueError(
            f"{useful} inputs have {math.comb(useful, order):,} subsets of order {order}, more "
            f"than {MOST_SUBSETS:,}: lower the order, or measure groups of inputs as one (patches "
            "of an image: interactions.players.masking)"
        )
    left = budget - evaluate.evaluations
    check = left // 4 if left // 4 >= 2 * BATCHES * (inputs.dim + 1) else 0
    limits = {
        "budget": (left - check) // BLOCKS,
        "memory": most_in_memory(evaluate, basis, order, surrogate=False),
    }
    limit = min(limits, key=limits.__getitem__)
    sample = draw(evaluate, prepared, limits[limit])
    total = array_mean(total_pairs(sample)).mean.item()
    tables = [_measured(sample, basis, k, evaluate.memory) for k in range(1, order + 1)]
    table = tables[-1]
    table["share"] = table["variance"] / total if total > 0 else np.nan
    found = table.nlargest(count, "variance").reset_index(drop=True)
    found.attrs["left_out"] = float(prepared.left_out[0])
    found.attrs["limit"] = limit
    if check:
        seen = np.zeros(inputs.dim)
        for u, variance in itertools.chain(*(t[["subset", "variance"]].values for t in tables)):
            seen[list(u)] += variance
        _say_what_is_unseen(evaluate, found, seen, order, evaluate.evaluations + check, seed)
    found["subset"] = [inputs.called(u) for u in found["subset"]]
    found.attrs["evaluations"] = evaluate.evaluations
    return found


def interaction_terms(
    function: Callable[..., Any],
    inputs: Inputs,
    *,
    max_order: int = 2,
    count: int = 10,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
) -> list[tuple[Any, ...]]:
    """Subsets of orders 2 .. max_order that a simpler model should have, as tuples of inputs.

    Of each order the `count` strongest by `strongest_interactions`, as far as they exceed 3
    standard errors; lower orders first, stronger ones first. None for max_order 1. With the order
    that is enough, they are the terms of InterpretML's boosting machine, and it is shapiq's order:

    >>> order = spectrum.sufficient_order(0.95).order  # doctest: +SKIP
    >>> terms = interaction_terms(model, inputs, max_order=order)  # doctest: +SKIP
    >>> ExplainableBoostingRegressor(interactions=terms)  # doctest: +SKIP
    >>> TabularExplainer(model, data, index="k-SII", max_order=order)  # doctest: +SKIP

    Parameters
    ----------
    function, inputs, memory, seed, device
        As in `strongest_interactions`.
    max_order : int
        The largest subsets, up to d.
    count : int
        Subsets of each order at most.
    budget : int, optional
        Evaluations at most for each order, by default as there.
    """
    if max_order is None:
        raise TypeError("max_order must be an integer, got None: no order was shown to be enough")
    inputs = as_inputs(function, inputs)
    check_order(max_order, inputs.dim)
    terms: list[tuple[Any, ...]] = []
    for order in range(2, max_order + 1):
        found = strongest_interactions(
            function,
            inputs,
            order=order,
            count=count,
            budget=budget,
            memory=memory,
            seed=seed,
            device=device,
        )
        terms += found["subset"][found["variance"] > SEEN * found["standard_error"]].tolist()
    return terms


def _measured(sample: Sample, basis: Basis, order: int, memory: int) -> pd.DataFrame:
    """Variance of every subset of an order, from the sums of its products over blocks."""
    blocks, n, dim = sample.x.shape
    widths = basis.widths(order)
    phi = basis.features(sample.x.flatten(0, 1), order).unflatten(0, (blocks, n))
    subsets, means, errors = [], [], []
    for leading, sums in feature_sums(phi, widths, sample.f, order, memory):
        # Inputs without a function are left away: of them nothing is measured.
        last = [j for j in range(leading[-1] + 1 if leading else 0, dim) if widths[j]]
        pairs = _pairs_by_input(sums[:, :, 0].double(), [widths[j] for j in last]) / n**2
        for rows in pairs.split(max(1, memory // 8 // (8 * 8 * blocks**2))):
            measured = array_mean(rows.cpu().numpy())
            means.append(measured.mean)
            errors.append(measured.error)
        subsets += [(*leading, j) for j in last]
    return pd.DataFrame(
        {
            "subset": subsets,
            "variance": np.concatenate([*means, []]),
            "standard_error": np.sqrt(np.concatenate([*errors, []])),
        }
    )


def _pairs_by_input(sums: Tensor, widths: list[int]) -> Tensor:
    """Products of the sums [B, p, r] of two blocks, added up for each last input: [J, B, B]."""
    blocks = len(sums)
    pairs = sums.new_zeros(len(widths), blocks, blocks)
    input_of = torch.repeat_interleave(torch.tensor(widths, device=sums.device))
    for some in torch.arange(sums.shape[2], device=sums.device).split(256):
        part = sums[:, :, some].permute(2, 0, 1)
        pairs.index_add_(0, input_of[some], part @ part.transpose(1, 2))
    return pairs


def _say_what_is_unseen(
    evaluate: Evaluator, found: pd.DataFrame, seen: np.ndarray, order: int, budget: int, seed: int
) -> None:
    """Compare with total indices, which need no basis."""
    whole = measure_mean_order(evaluate, budget=budget, seed=seed + 1)
    unseen, error = whole.total_index[0] - seen, whole.total_index_standard_error[0]
    found.attrs["unseen"] = unseen
    certain = unseen - 3 * error
    likely = np.argsort(-certain)[:order]
    # Total indices are 0 where nothing rare was met; a subset that was missed shows in all of its.
    room = certain[likely[-1]]
    largest = found["variance"].max() if len(found) else 0.0
    if room > max(largest, 0.0) and order > 1:
        which = [*evaluate.inputs.called(sorted(likely.tolist()))]
        warnings.warn(
            f"inputs {which} take part in effects of variance {room:.3g} or more "
            f"that no subset of up to {order} inputs explains, of which the largest has "
            f"{largest:.3g}: these are of higher order, or too rough or rare for the basis. "
            "superset_index measures a subset without one",
            stacklevel=4,
        )
