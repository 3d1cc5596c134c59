"""Exact functional ANOVA on a tensor grid: the oracle where the dimension is small.

On the product of one quadrature rule per coordinate, the ANOVA is a change of basis: with W the
orthogonal matrix whose first row is the root of the weights, the coefficients of the function,
weighted by the root of the product weights, split by Parseval into one sum of squares per subset
(those with a nonzero index exactly on the subset). On ±1 inputs W is the 2 x 2 Hadamard matrix
and this is the Walsh transform. Efron & Stein, Ann. Statist. 9 (1981); O'Donnell, *Analysis of
Boolean Functions* (2014).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
TRUSTED = 8
"""Nodes before two grids that agree are believed: fewer may all miss the same kink."""
DEFAULT_BUDGET = 2**21
# A grid is held three times: the values, their transform, and the squares.
BYTES_PER_POINT = 24

Grid = list[tuple[np.ndarray, np.ndarray]]


class GridTooLargeError(ValueError):
    """The tensor grid does not fit the budget or the memory."""


def exact_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None,
    seed: int,
) -> OrderSpectrum:
    """Spectrum by Gauss quadrature on a tensor grid, refined until it no longer changes.

    Grids of growing size are tried until no share moves by more than 1e-13, or the next grid
    would pass the budget (default 2^21 evaluations in all) or the memory. The error reported is
    the change from the grid before: a bound in practice, not a sampling error. It is 0 where the
    grid is the whole input space, as on ±1 inputs. The grid is split at the function's `kinks`,
    where it has this attribute.
    """
    inputs = evaluate.inputs
    kinks = getattr(evaluate.function, "kinks", ())
    variance = None
    for grid in _grids(evaluate, budget or DEFAULT_BUDGET, kinks):
        before, variance = variance, _by_order(_coefficients(evaluate, grid), max_order)
        error = np.full_like(variance, np.nan) if before is None else np.abs(variance - before)
        total = variance.sum(axis=-1, keepdims=True)
        sizes = np.array([len(weights) for _, weights in grid])
        whole = bool(np.all(sizes >= inputs.support_sizes))
        if whole:
            error = np.zeros_like(variance)
        if whole or (sizes.max() >= TRUSTED and np.all(error <= 1e-13 * total)):
            break
    constant = evaluate.is_constant(variance.sum(axis=-1))
    variance = np.where(constant[:, None], 0.0, variance)
    share_error = error / np.where(constant[:, None], np.nan, total)
    spectrum = OrderSpectrum.known(
        variance,
        error=error,
        share_error=share_error,
        method=f"exact grid, up to {sizes.max()} nodes an input (error: change from the last grid)",
        evaluations=evaluate.evaluations,
        converged=bool(np.all((share_error <= tolerance) | constant[:, None])),
    )
    return spectrum if evaluate.outputs is not None else spectrum.output(0)


def subset_variances(
    function: Callable, inputs: Inputs, *, size: int = 16
) -> dict[tuple[int, ...], float]:
    """Variance of every subset's effect, by the tensor grid of `size` nodes per coordinate.

    `function` maps [n, d] to [n] or [n, 1]. The 2^d - 1 subsets come in order of size. Raises
    GridTooLargeError where the grid has more than 2^24 points.
    """
    evaluate = Evaluator(function, inputs, seed=0)
    evaluate.require_one_output("subset_variances")
    grid = _grid(inputs, size, getattr(function, "kinks", ()))
    if _points(grid) > 2**24:
        raise GridTooLargeError(f"a grid of {_points(grid):.3g} points is too large: lower `size`")
    squares = _coefficients(evaluate, grid)[..., 0].square()
    for axis in range(inputs.dim):
        first, rest = squares.split([1, squares.shape[axis] - 1], dim=axis)
        squares = torch.cat([first, rest.sum(dim=axis, keepdim=True)], dim=axis)
    subsets = (u for k in range(1, inputs.dim + 1) for u in combinations(range(inputs.dim), k))
    return {u: squares[tuple(int(j in u) for j in range(inputs.dim))].item() for u in subsets}


def _grid(inputs: Inputs, size: int, kinks: Sequence[float]) -> Grid:
    return [inputs.quadrature(size, coordinate=j, breakpoints=kinks) for j in range(inputs.dim)]


def _points(grid: Grid) -> float:
    return math.prod(float(len(weights)) for _, weights in grid)


def most_grid_points(evaluate: Evaluator) -> float:
    """Points of the largest grid that the memory holds."""
    return evaluate.memory / (BYTES_PER_POINT * (evaluate.outputs or 1))


def _grids(evaluate: Evaluator, budget: int, kinks: Sequence[float]) -> Iterator[Grid]:
    """Grids of growing size while the evaluations last."""
    in_memory = most_grid_points(evaluate)
    size_before = 0.0
    for size in SIZES:
        grid = _grid(evaluate.inputs, size, kinks)
        points = _points(grid)
        if points == size_before:
            return
        if points > min(in_memory, budget - evaluate.evaluations):
            if size_before == 0:
                raise GridTooLargeError(
                    f"an exact grid in {evaluate.inputs.dim} dimensions needs {points:.3g} "
                    f"evaluations at least, beyond the budget of {budget:,} or the memory: use "
                    'method="differences"'
                )
            return
        size_before = points
        yield grid


def _coefficients(evaluate: Evaluator, grid: Grid) -> Tensor:
    """Orthonormal coefficients of the function on the grid, [n_1, .., n_d, m]."""
    shape = [len(weights) for _, weights in grid]
    nodes = [torch.as_tensor(x, device=evaluate.device) for x, _ in grid]
    parts = []
    for rows in torch.arange(math.prod(shape), device=evaluate.device).split(evaluate.rows):
        index = torch.unravel_index(rows, shape)
        parts.append(evaluate(torch.stack([x[i] for x, i in zip(nodes, index, strict=True)], 1)))
    table = torch.cat(parts).reshape(*shape, -1)
    for axis, (_, weights) in enumerate(grid):
        root = np.sqrt(weights)
        # QR of the root weights beside the identity completes them to an orthogonal matrix.
        basis, _ = np.linalg.qr(np.column_stack([root, np.eye(len(root))[:, 1:]]))
        change = torch.as_tensor(basis * root[:, None], device=table.device)
        table = torch.tensordot(table, change, dims=([axis], [0])).movedim(-1, axis)
    return table


def _by_order(coefficients: Tensor, max_order: int) -> np.ndarray:
    """Sum of squares by number of nonzero indices, [m, max_order + 1], the constant left out."""
    order = torch.zeros(coefficients.shape[:-1], dtype=torch.long, device=coefficients.device)
    for axis, size in enumerate(order.shape):
        shape = [1] * order.ndim
        shape[axis] = size
        order += (torch.arange(size, device=order.device) > 0).long().reshape(shape)
    order = order.clamp(max=max_order + 1).flatten()
    squares = coefficients.reshape(len(order), -1).square()
    sums = squares.new_zeros(max_order + 2, squares.shape[1]).index_add_(0, order, squares)
    return sums[1:].T.cpu().numpy()
