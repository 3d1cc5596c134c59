"""Whether a function's answers can be trusted: to the digits they have, twice the same."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..inputs import Inputs
from ._function import FunctionError

ROUNDING = 8
"""Values that differ by no more units in their last place are equal."""
COMPANY = 2**10
"""Units by which the answer to a point may depend on its company in the batch: matrix products
add up in another order, layer after layer."""
NOISE = 1e-3
"""Share of the variance that answers given twice may differ by."""
COARSE = 1 / 32
"""Steps between a column's numbers, in its standard deviations, that are refused, and"""
FINE = 1e-4
"""steps below which points are drawn in the function's own type."""
LEVELS = 64
"""Quantiles by which a column's values are looked at."""

FLOAT32 = torch.finfo(torch.float32).eps
Call = Callable[[Tensor], Tensor]


def resolution(types: list[torch.dtype], values: Tensor) -> float:
    """Relative rounding of a function's values [n, m], from the types it takes and returns."""
    least = torch.finfo(torch.float64).eps
    eps = max((torch.finfo(t).eps for t in types if t.is_floating_point), default=least)
    # Values in float64 that are all float32 numbers were computed as such.
    return max(eps, FLOAT32) if torch.equal(values.float().double(), values) else eps


def rounded_inside(values: Tensor, again: Tensor, precision: float) -> float:
    """The relative rounding of values [n, m] that two answers show, where it is float32's."""
    size = torch.maximum(values.abs(), again.abs()).amax(dim=0)
    differ = (values - again).abs() > ROUNDING * precision * size
    return max(precision, FLOAT32) if differ.any() else precision


def why_not_trusted(
    function: Callable[..., Any],
    call: Call,
    x: Tensor,
    values: Tensor,
    again: Tensor,
    precision: float,
) -> str | None:
    """Why two answers [n, m] to the points x do not agree, or None where they do.

    `again` was given in other company and another order. What differs is compared with the spread
    of the values, not with their size, beside which the spread may be small.
    """
    if torch.equal(values, again):
        return None
    off = (values - again).abs()
    size = torch.maximum(values.abs(), again.abs()).amax(dim=0)
    extent = values.amax(dim=0) - values.amin(dim=0)
    spread = values.std(dim=0)
    flat = extent <= ROUNDING * precision * size
    noise = off.square().mean(dim=0) / 2 / torch.where(spread > 0, spread.square(), torch.nan)
    noise = torch.where(flat & (off.amax(dim=0) <= ROUNDING * precision * size), 0.0, noise)
    # Float32 inside of a function leaves its trace in float64 answers.
    unit = max(precision, FLOAT32) * size
    rounding = off.amax(dim=0) <= COMPANY * unit
    first, second = call(x), call(x)
    # Sums in float32 may be added up in another order from call to call, on the same points, which
    # is none of the spread's doing where it is small beside it.
    exact, single = ROUNDING * precision * size, ROUNDING * unit
    alike = torch.maximum(exact, torch.minimum(single, NOISE**0.5 * spread))
    repeats = ((first - second).abs() <= alike).all()
    if repeats and bool(((noise <= NOISE) & rounding | (noise == 0)).all()):
        return None
    worst = int(off.amax(dim=0).argmax())
    part = off.amax(dim=0)[worst] / spread[worst]
    text = (
        "the function gives two answers for one input: they differ by up to "
        f"{off[:, worst].max():.2g}, {part:.2g} standard deviations of its values. "
    )
    if not repeats:
        return text + _why_not_repeated(function, call, x)
    if bool(rounding.all()):
        text += (
            f"That is the rounding of numbers of size {size[worst]:.2g} in float32 or less, which "
            "leaves too little of their spread: take the offset out of the function or compute in "
            "float64. Or else it"
        )
    else:
        text += "In the same batch it repeats itself, in another it does not: it"
    return text + (
        " mixes the points of a batch (batch normalisation left in training mode, a mean or "
        "softmax over the points) or draws from a seed set inside. Where it computes in float32 or "
        "less, rounding may be the reason"
    )


def _why_not_repeated(function: Callable[..., Any], call: Call, x: Tensor) -> str:
    state = torch.get_rng_state(), np.random.get_state(), random.getstate()
    before = _versions(function)
    first = call(x)
    torch.set_rng_state(state[0])
    np.random.set_state(state[1])
    random.setstate(state[2])
    changed = [name for name, version in _versions(function).items() if version != before[name]]
    if changed:
        return (
            f"It changes its own {', '.join(changed[:3])} in place at every call: keep them as "
            "they are, as .eval() does for batch normalisation"
        )
    if torch.equal(first, call(x)):
        return "It is random, for from the same random state it repeats itself: dropout left on?"
    return (
        "It is random with a generator of its own, or changes something that it keeps from call to "
        "call (a tensor updated in place, a counter)"
    )


def _versions(function: Callable[..., Any]) -> dict[str, int]:
    """How often each parameter and buffer of a module was changed in place."""
    if not isinstance(function, nn.Module):
        return {}
    tensors = [*function.named_parameters(), *function.named_buffers()]
    return {name: tensor._version for name, tensor in tensors}


def points_dtype(inputs: Inputs, dtype: torch.dtype) -> torch.dtype:
    """The type to draw points in for a function of a type, whose numbers the inputs must bear.

    Float32 or float64, for half precision has neither quantiles nor sums. Whole numbers that
    float32 has as well come in it.
    """
    if dtype == torch.float64:
        return dtype
    levels = ((torch.arange(LEVELS, dtype=torch.float64) + 0.5) / LEVELS)[:, None]
    values = inputs.quantile(levels.expand(-1, inputs.dim), torch.arange(inputs.dim))
    if not dtype.is_floating_point:
        return torch.float32 if values.abs().max() < 1 / FLOAT32 else torch.float64
    # The function's numbers are those of columns, which a group has several of.
    values = inputs.expand(values)
    size, spread = values.abs().amax(dim=0), values.std(dim=0)

    def steps(of: torch.dtype) -> Tensor:
        return torch.where(spread > 0, torch.finfo(of).eps * size / spread, 0.0)

    def called(j: int) -> str:
        return str(j) if inputs.columns is None else repr(inputs.columns[j])

    name = str(dtype).removeprefix("torch.")
    if (size > torch.finfo(dtype).max).any():
        j = int(size.argmax())
        raise FunctionError(
            f"the function takes {name} numbers, and column {called(j)} holds {size[j]:.3g}, "
            "beyond their range: scale the column, or compute in float32"
        )
    if (steps(dtype) > COARSE).any():
        j = int(steps(dtype).argmax())
        raise FunctionError(
            f"the function takes {name} numbers, which near {size[j]:.3g} lie up to "
            f"{torch.finfo(dtype).eps * size[j]:.2g} apart, and column {called(j)} has a standard "
            f"deviation of {spread[j]:.2g} there: its values cannot be told apart. Take an offset "
            "out of the column, or compute in float64 (.double())"
        )
    return torch.float32 if (steps(torch.float32) <= FINE).all() else torch.float64
