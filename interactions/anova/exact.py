"""Functional ANOVA on tensor grids: the oracle where the dimension is small.

On the product of one set of nodes per coordinate, the ANOVA is a change of basis: the coefficients
of the function in products of orthonormal functions of one input split by Parseval into one sum of
squares per subset (those with a nonzero index exactly on the subset). On ±1 inputs this is the
Walsh transform. Efron & Stein, Ann. Statist. 9 (1981); O'Donnell, *Analysis of Boolean Functions*
(2014).

A grid that is the whole input space says all. Any other says what a function read off between its
nodes is like, and two such grids may agree on a function that both have missed. So the difference
to the real one is measured as well, on grids of random nodes, whose spread is the standard error:
nothing for smooth functions, what it must be for the others. Plain random points then check that
the grids, which visit few values of every input, have not missed what is rare.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ..models import as_inputs
from ..spectrum import OrderSpectrum
from ._axes import Axis, axes, few_valued, points_of
from ._evaluate import Evaluator
from ._random_grids import RandomGrids, least_cost, tabulate

SIZES = (2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 64)
TRUSTED = 8
"""Nodes before two grids that agree are believed: fewer may all miss the same kink."""
DEFAULT_BUDGET = 2**21
# A grid is held three times: the values, their transform, and the squares.
BYTES_PER_POINT = 24
CHEAP = 2**17
"""Points of a whole input space that is visited without trying smaller grids first."""
LEAST_GRIDS, FIRST_GRIDS = 8, 64
FEWEST = 8
"""Grids, of about the same weight, that must carry a correction for its spread to be believed."""
LEAST_CHECKS, CHECKS = 64, 2**14
"""Plain random points, at least and at most, or"""
CHECK_WORK = 2.0**31
"""multiplications that reading a grid off at them may take."""
ROUNDING = 1e-13
"""Of the total variance: what two grids that agree differ by, and the least error stated."""


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
    """Spectrum by a tensor grid, corrected by what random grids show it to miss.

    Inputs of few values are visited in full: where that is the whole input space, or 2^17 points
    at most, the result is exact and its error 0. Otherwise grids of growing size are tried until
    no order moves by more than 1e-13 of the total or finer ones do not help, for three quarters
    of the budget (default 2^21 evaluations); random grids follow until every share's standard
    error is within the tolerance. Plain random points that deviate from the grid by more than the
    random grids have shown widen the error. Columns of data are visited at their own values only.
    The grid is split at the function's `kinks`, where it has this attribute.
    """
    budget = budget or DEFAULT_BUDGET
    evaluate.bar.within(budget)
    space = math.prod(evaluate.inputs.support_sizes.tolist())
    few = bool(np.all(evaluate.inputs.support_sizes <= TRUSTED))
    fits = space <= min(most_grid_points(evaluate), budget - evaluate.evaluations)
    if fits and (few or space <= CHEAP):
        spectrum = _whole_spectrum(evaluate, max_order)
    else:
        spectrum = _sampled_spectrum(evaluate, max_order, tolerance, budget, seed)
        if not spectrum.converged and space <= min(
            most_grid_points(evaluate), budget - evaluate.evaluations
        ):
            spectrum = _whole_spectrum(evaluate, max_order)
    return spectrum if evaluate.outputs is not None else spectrum.output(0)


def _whole_spectrum(evaluate: Evaluator, max_order: int) -> OrderSpectrum:
    inputs = evaluate.inputs
    grid = axes(inputs, 0, whole={*range(inputs.dim)})
    table = tabulate(evaluate, [a.nodes[None] for a in grid])[0]
    variance = spectrum_of_grid(table, grid, max_order)
    constant = evaluate.is_constant(variance.sum(axis=-1))
    return OrderSpectrum.known(
        np.where(constant[:, None], 0.0, variance),
        method="exact grid of every value (error: rounding)",
        evaluations=evaluate.evaluations,
    )


def _sampled_spectrum(
    evaluate: Evaluator, max_order: int, tolerance: float, budget: int, seed: int
) -> OrderSpectrum:
    """The best fixed grid, plus what random grids say it misses."""
    inputs = evaluate.inputs
    # Random grids take four nodes of an input at least, and together a quarter of the budget.
    whole = few_valued(inputs, budget / (4 * LEAST_GRIDS))
    smallest = axes(inputs, SIZES[0], whole=whole)
    reserve = LEAST_GRIDS * least_cost(inputs, smallest) + LEAST_CHECKS
    least = evaluate.evaluations + points_of(smallest) + reserve
    if least > budget or points_of(smallest) > most_grid_points(evaluate):
        raise GridTooLargeError(
            f"an exact grid in {inputs.dim} dimensions needs {int(least):,} evaluations at least, "
            f'beyond the budget of {budget:,} or the memory: use method="differences"'
        )
    grid, table, fixed = _refined(evaluate, whole, max_order, budget, reserve)
    rng = np.random.default_rng(seed)
    checks = budget - evaluate.evaluations - reserve + LEAST_CHECKS
    check = _Check(evaluate, grid, table, min(checks, max(LEAST_CHECKS, budget // 16)), rng)
    if check.worthless:
        # A reading worse than the mean would only add noise.
        table, fixed = torch.zeros_like(table) + check.mean, np.zeros_like(fixed)
    points = (budget - evaluate.evaluations) / FIRST_GRIDS
    grids = RandomGrids(evaluate, grid, table, max_order=max_order, points=points, rng=rng)
    left = (budget - evaluate.evaluations) // grids.cost
    grids.add(LEAST_GRIDS)
    # A smooth function has shown by now that nothing is missing.
    if np.abs(_beyond_rounding(fixed, grids)).any():
        grids.add(min(left, FIRST_GRIDS) - LEAST_GRIDS)
    while True:
        spectrum = _corrected(evaluate, fixed, grids, check, tolerance)
        evaluate.bar.reached(spectrum.share_standard_error, tolerance)
        have, left = len(grids.by_order), (budget - evaluate.evaluations) // grids.cost
        error = np.nan_to_num(spectrum.share_standard_error).max()
        wanted = have * 1.1 * (error / max(tolerance, 1e-9)) ** 2
        # A budget that is out of reach by far is not spent.
        if (
            spectrum.converged
            or left < 1
            or (have >= 4 * FIRST_GRIDS and wanted > 4 * (have + left))
        ):
            break
        grids.add(min(max(have // 4, min(math.ceil(wanted) - have, 3 * have)), left))
    return spectrum


def _corrected(
    evaluate: Evaluator,
    fixed: np.ndarray,
    grids: RandomGrids,
    check: _Check,
    tolerance: float,
) -> OrderSpectrum:
    """The fixed grid's orders, corrected, with the error of the correction."""
    off = _beyond_rounding(fixed, grids)
    n = len(off)
    variance = fixed + off.mean(axis=0)
    total = variance.sum(axis=-1, keepdims=True)
    constant = evaluate.is_constant(total[:, 0])[:, None]
    scale = np.where(constant | (total <= 0), np.nan, total)
    share = variance / scale
    shares = (off - share * off.sum(axis=-1, keepdims=True)) / scale
    missed = np.maximum(check.missed(grids.squares)[:, None], _unseen(off, grids.squares))
    # A change of f by a part of mean square e moves the norm of every order by its root at most,
    # and so that of all orders up to one, and of all above it: both move the share up to it.
    bound = 2 * np.sqrt(np.maximum(variance, 0) * missed) + missed + ROUNDING * np.abs(total)
    up_to, most = np.cumsum(variance, axis=-1), missed.max(axis=-1, keepdims=True)
    ends = [
        part * (2 * np.sqrt(np.maximum(other, 0) * most) + most + ROUNDING * np.abs(total))
        for part, other in [(total - up_to, up_to), (up_to, total - up_to)]
    ]
    cumulative = np.hypot(
        np.cumsum(shares, axis=-1).std(axis=0, ddof=1) / math.sqrt(n), sum(ends) / scale**2
    )
    cumulative[:, -1] = np.where(constant[:, 0], np.nan, 0.0)
    error = np.hypot(off.std(axis=0, ddof=1) / math.sqrt(n), bound)
    share_error = np.hypot(shares.std(axis=0, ddof=1) / math.sqrt(n), bound / scale)
    df = np.full_like(variance, n - 1.0)
    nodes = max(len(a.nodes) for a in grids.axes)
    return OrderSpectrum(
        variance=np.where(constant, 0.0, variance),
        standard_error=np.where(constant, 0.0, error),
        share=np.where(constant, np.nan, share),
        share_standard_error=share_error,
        degrees_of_freedom=df,
        share_degrees_of_freedom=df,
        cumulative_standard_error=cumulative,
        cumulative_degrees_of_freedom=df,
        method=f"exact grid of up to {nodes} nodes an input, corrected by {n} random grids",
        evaluations=evaluate.evaluations,
        converged=bool(np.all((share_error <= tolerance) | constant)),
        reason=""
        if np.all(missed <= tolerance * np.abs(total))
        else "what the grid misses is rare, and too few random nodes have met it",
    )


def _beyond_rounding(fixed: np.ndarray, grids: RandomGrids) -> np.ndarray:
    """The grids' corrections: rounding, which would blur a smooth function's smallest orders, 0."""
    size = np.abs(fixed.sum(axis=-1)) + grids.squares
    return np.where(np.abs(grids.by_order) <= ROUNDING * size[..., None], 0.0, grids.by_order)


def _unseen(off: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Mean square [m, max_order + 1] of what orders may hold that no more than a few grids met.

    A rare event of several inputs shows in its highest order first: the orders below it need two
    independent means over rare values. An order above all that were met may well be zero.
    """
    weight = np.abs(off)
    met = weight.sum(axis=0) > 0
    carrying = weight.sum(axis=0) ** 2 / np.where(met, (weight**2).sum(axis=0), 1.0)
    below = np.cumsum(met[:, ::-1], axis=1)[:, ::-1] > 0
    return np.where(below & (carrying < FEWEST), squares.mean(axis=0)[:, None], 0.0)


class _Check:
    """Plain random points, where the function is compared with what the grid reads off.

    Attributes
    ----------
    mean : tensor [m]
        Of the function.
    worthless : bool
        Whether the reading is off by more than the function's own spread, for any output.
    """

    def __init__(
        self,
        evaluate: Evaluator,
        grid: Sequence[Axis],
        table: Tensor,
        most: int,
        rng: np.random.Generator,
    ) -> None:
        n = int(min(CHECKS, most, max(CHECK_WORK / table.numel(), CHECKS // 16)))
        x = evaluate.inputs.sample(n, generator=int(rng.integers(2**62)))
        y = evaluate(x.to(evaluate.device))
        at = x.numpy()
        parts = []
        for rows in np.array_split(np.arange(len(at)), math.ceil(len(at) / self._rows(table))):
            parts.append(read(table, grid, at[rows]))
        squares = (y - torch.cat(parts)).square()
        self.mean = y.mean(dim=0)
        self.worthless = bool((squares.mean(dim=0) > y.var(dim=0)).any())
        if self.worthless:
            squares = (y - self.mean).square()
        self.squares = squares.cpu().numpy()

    @staticmethod
    def _rows(table: Tensor) -> int:
        return max(1, 2**22 // (table.numel() // table.shape[0]))

    def missed(self, on_grids: np.ndarray) -> np.ndarray:
        """Mean square of what the grids have not seen and these points have, [m]; 0 if none."""
        n = len(self.squares)
        here, there = self.squares.mean(axis=0), on_grids.mean(axis=0)
        spread = self.squares.std(axis=0) / math.sqrt(n)
        doubt = on_grids.std(axis=0, ddof=1) / math.sqrt(len(on_grids))
        # Where a handful of points makes the mean, its spread is no measure of what it may be.
        handful = here**2 * n < 30 * (self.squares**2).mean(axis=0)
        excess = here - there
        seen = np.where(handful, excess > 2 * doubt, excess > 3 * np.hypot(spread, doubt))
        return np.where(seen, excess + spread, 0.0)


def read(table: Tensor, grid: Sequence[Axis], x: np.ndarray) -> Tensor:
    """What the grid says of the function at points [n, d], [n, m]."""
    first = torch.as_tensor(grid[0].read(x[:, 0])).to(table)
    out = torch.tensordot(first, table, dims=1)
    for j, axis in enumerate(grid[1:], start=1):
        weights = torch.as_tensor(axis.read(x[:, j])).to(table)
        out = torch.einsum("kn,kn...->k...", weights, out)
    return out


def _refined(
    evaluate: Evaluator, whole: set[int], max_order: int, budget: int, reserve: int
) -> tuple[list[Axis], Tensor, np.ndarray]:
    """Grids of growing size while they help: the last one, its values and its orders."""
    kinks = getattr(evaluate.function, "kinks", ())
    variance, changes, grid = None, [], None
    for size in SIZES:
        # The smallest grid is what a budget must suffice for, and kinks would make it larger.
        larger = axes(evaluate.inputs, size, whole=whole, kinks=kinks if size > SIZES[0] else ())
        points = points_of(larger)
        left = min(0.75 * budget, budget - reserve) - evaluate.evaluations
        # Large grids must be worth their price: the last change a fifth of the one before.
        dear = points > budget / 32 and len(changes) > 1 and changes[-1] > changes[-2] / 5
        if grid is not None and (dear or points > min(left, most_grid_points(evaluate))):
            break
        grid, table = larger, tabulate(evaluate, [a.nodes[None] for a in larger])[0]
        before, variance = variance, spectrum_of_grid(table, grid, max_order)
        if before is not None:
            total = variance.sum(axis=-1, keepdims=True)
            moved = np.abs(variance - before) / np.where(total > 0, total, 1.0)
            changes.append(moved.max())
            if size >= TRUSTED and changes[-1] <= ROUNDING:
                break
    return grid, table, variance


def subset_variances(
    function: Callable[..., Any],
    inputs: Inputs,
    *,
    size: int = 16,
    progress: bool | str = False,
) -> dict[tuple[int, ...] | tuple[str, ...], float]:
    """Variance of every subset's effect, by the tensor grid of `size` nodes per coordinate.

    `function` maps [n, d] to [n] or [n, 1]. The 2^d - 1 subsets come in order of size, as tuples of
    inputs, by name where they have names. Columns of
    up to 128 values are visited in full where 2^24 points allow. Raises GridTooLargeError where the
    grid has more points than that. `progress` is that of `order_spectrum`.

    Examples
    --------
    >>> from interactions import Rademacher
    >>> from interactions.anova import subset_variances
    >>> def function(x):
    ...     return x[:, 0] + 2 * x[:, 1] * x[:, 2]
    >>> variances = subset_variances(function, Rademacher(dim=3))
    >>> round(variances[0,], 3), round(variances[1, 2], 3)
    (1.0, 4.0)
    """
    inputs = as_inputs(function, inputs)
    evaluate = Evaluator(function, inputs, seed=0, progress=progress)
    evaluate.require_one_output("subset_variances")
    whole = few_valued(inputs, 2**24 * (4 / size) ** inputs.dim)
    grid = axes(inputs, size, whole=whole, kinks=getattr(function, "kinks", ()))
    if points_of(grid) > 2**24:
        raise GridTooLargeError(
            f"a grid of {points_of(grid):.3g} points is too large: lower `size`"
        )
    with evaluate.bar as bar:
        bar.within(evaluate.evaluations + int(points_of(grid)))
        table = tabulate(evaluate, [a.nodes[None] for a in grid])[0]
    squares = _coefficients(table, grid)[..., 0].square()
    for axis in range(inputs.dim):
        first, rest = squares.split([1, squares.shape[axis] - 1], dim=axis)
        squares = torch.cat([first, rest.sum(dim=axis, keepdim=True)], dim=axis)
    subsets = (u for k in range(1, inputs.dim + 1) for u in combinations(range(inputs.dim), k))
    return {
        inputs.called(u): squares[tuple(int(j in u) for j in range(inputs.dim))].item()
        for u in subsets
    }


def spectrum_of_grid(table: Tensor, grid: Sequence[Axis], max_order: int) -> np.ndarray:
    """Orders [m, max_order + 1] of what a grid with the values `table` at its nodes reads off."""
    return _by_order(_coefficients(table, grid), max_order)


def most_grid_points(evaluate: Evaluator) -> float:
    """Points of the largest grid that the memory holds."""
    return evaluate.memory / (BYTES_PER_POINT * (evaluate.outputs or 1))


def _coefficients(table: Tensor, grid: Sequence[Axis]) -> Tensor:
    """Orthonormal coefficients of what the grid reads off, [n_1, .., n_d, m].

    The values are centred first, so that a large mean does not round away a small variance.
    """
    table = table - table.flatten(0, -2).mean(dim=0)
    for j, axis in enumerate(grid):
        change = torch.as_tensor(axis.change).to(table)
        table = torch.tensordot(table, change, dims=([j], [1])).movedim(-1, j)
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
