"""What ends a measurement before its tolerance is reached, and what to change to about what."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch

from ._array_mean import BLOCKS
from ._evaluate import Evaluator
from ._pairs import multiplications
from .basis import Basis

MOST_WORK = 2.0**46
"""Multiplications at most, some ten minutes on two cores: a larger sample is not drawn."""
LEAST_POINTS = 4
"""Points of a block, at least."""


def most_in_memory(evaluate: Evaluator, basis: Basis, max_order: int, *, surrogate: bool) -> int:
    """Points per block whose coordinates, values (twice, when centred) and features fit.

    Features of all orders at once, and of a fold once more, where a surrogate is fitted.
    """
    point = _bytes_per_point(evaluate, basis, max_order, surrogate)
    return max(LEAST_POINTS, evaluate.memory // 2 // (point * BLOCKS))


def _bytes_per_point(evaluate: Evaluator, basis: Basis, max_order: int, surrogate: bool) -> int:
    numbers = evaluate.inputs.dim + 2 * (evaluate.outputs or 1)
    features = [sum(basis.widths(k)) for k in range(1, max_order + 1)]
    numbers += math.ceil(4 / 3 * sum(features)) if surrogate else max(features)
    return numbers * torch.finfo(evaluate.dtype).bits // 8


def most_in_time(m: int, basis: Basis, max_order: int) -> int:
    """Points per block whose measurement takes no more than MOST_WORK multiplications."""
    orders = range(1, max_order + 1)
    n = LEAST_POINTS
    while n < 2**32:
        points = 2 * n * BLOCKS
        if sum(min(multiplications(points, m, basis.widths(k), k)) for k in orders) > MOST_WORK:
            break
        n *= 2
    return n


def what_would_do(
    evaluate: Evaluator,
    basis: Basis,
    max_order: int,
    *,
    surrogate: bool,
    points: int,
    limits: dict[str, int],
    budget: int,
) -> list[str]:
    """Settings for a sample of so many points per block, where that exceeds the limits."""
    changes = []
    if points > limits["memory"]:
        least = 2 * points * BLOCKS * _bytes_per_point(evaluate, basis, max_order, surrogate)
        changes.append(f"memory=2**{math.ceil(math.log2(least))}")
    if points > limits["budget"]:
        # The basis takes its part of a larger budget too.
        changes.append(budget_of(budget * points / max(limits["budget"], 1)))
    return changes if points <= limits["arithmetic"] else []


def budget_of(evaluations: float) -> str:
    return f"budget={_rounded_up(evaluations):_}"


def ended(limit: str, changes: Sequence[str], error: np.ndarray, tolerance: float) -> str:
    """Say which limit ended a measurement, what would reach the tolerance, and what was reached.

    Parameters
    ----------
    changes : settings that would do together, as one would write them; none where nothing does.
    error : array
        Standard errors of the shares; NaN where unknown.
    """
    said = []
    if tolerance > 0 and changes:
        said.append(f"tolerance={tolerance:g} would take about {' and '.join(changes)}")
    elif tolerance > 0:
        said.append(f"tolerance={tolerance:g} is out of reach, at this max_order at least")
    if not np.isnan(error).all():
        said.append(f"tolerance={_up(np.nanmax(error)):g} is reached as it is")
    return "; ".join([f"the {limit} ended the measurement", *said])


def _up(value: float) -> float:
    """A number rounded up to two digits."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.2g}")


def _rounded_up(value: float) -> int:
    return round(_up(value))
