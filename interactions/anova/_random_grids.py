"""Orders of a function from tensor grids of random nodes, without bias and with a standard error.

For every input two independent sets of nodes are drawn, stratified. With p and q their weights,
diag(p + q) / 2 is an unbiased form for E h g and (p q' + q p') / 2 one for E h E g, their
difference one for Cov(h, g). On the table of a function over the product of all nodes, the
covariance along the inputs of a subset and the product of means along the others estimate the
subset's variance without bias, for any function: Efron & Stein, Ann. Statist. 9 (1981), with two
copies in place of a square. Grids drawn anew give the standard error. Values that carry much of an
input's weight or variance are nodes of every grid; inputs of few values have nothing random.

A function g whose orders are known takes away most of the noise: the orders of f are those of g
plus the estimate of f less that of g on the same grids.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ._axes import Axis, points_of
from ._evaluate import Evaluator

POINTS = 1024
"""Of one grid, about: with three random inputs or more, more grids serve better than larger."""
LEAST = 2
"""Strata of an input."""


@dataclass(frozen=True)
class Drawing:
    """How nodes of one input are drawn: `count` of them a grid, of weights that stay the same.

    `p` and `q` are the weights [count] of the two independent sets, each summing to 1; `draw`
    gives the nodes of n grids, [n, count].
    """

    p: np.ndarray
    q: np.ndarray
    draw: Callable[[np.random.Generator, int], np.ndarray]

    @property
    def count(self) -> int:
        return len(self.p)


def least_cost(inputs: Inputs, axes: Sequence[Axis]) -> int:
    """Points of the smallest random grid."""
    return math.prod(_drawing(inputs, j, LEAST, axis).count for j, axis in enumerate(axes))


def _strata(axes: Sequence[Axis], points: float) -> int:
    """Strata of every random input, so that a grid has about so many points."""
    fixed = points_of([a for a in axes if a.whole])
    random = sum(not a.whole for a in axes)
    return LEAST if random == 0 else max(LEAST, int((points / fixed) ** (1 / random) / 2))


class RandomGrids:
    """What grids of random nodes, of about `points` each, say of f - g.

    The values `table` at the nodes of `axes` make g.

    Attributes
    ----------
    by_order : array [grids, m, max_order + 1]
        The orders of f less those of g.
    squares : array [grids, m]
        Mean squares of f - g.
    cost : int
        Points of one grid.
    """

    def __init__(
        self,
        evaluate: Evaluator,
        axes: Sequence[Axis],
        table: Tensor,
        *,
        max_order: int,
        points: float,
        rng: np.random.Generator,
    ) -> None:
        self.evaluate, self.axes, self.table = evaluate, axes, table
        self.max_order, self.rng = max_order, rng
        size, m = _strata(axes, min(points, POINTS)), table.shape[-1]
        self._drawings = [_drawing(evaluate.inputs, j, size, a) for j, a in enumerate(axes)]
        self.by_order, self.squares = np.empty((0, m, max_order + 1)), np.empty((0, m))
        self.cost = math.prod(d.count for d in self._drawings)
        # Reading off goes an axis at a time: the first leaves the largest table.
        largest = max(self.cost, self._drawings[0].count * table.numel() // (m * table.shape[0]))
        self._at_once = max(1, evaluate.memory // (64 * m * largest))

    def add(self, grids: int) -> None:
        """Evaluate on so many more grids."""
        while grids > 0:
            n = min(grids, self._at_once)
            grids -= n
            by_order, squares = self._compare(n)
            self.by_order = np.concatenate([self.by_order, by_order])
            self.squares = np.concatenate([self.squares, squares])

    def _compare(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        nodes = [d.draw(self.rng, n) for d in self._drawings]
        f, g = tabulate(self.evaluate, nodes), self.table.expand(n, *self.table.shape)
        for j, (axis, x) in enumerate(zip(self.axes, nodes, strict=True), start=1):
            weights = torch.as_tensor(axis.read(x.ravel())).to(g).unflatten(0, x.shape)
            g = torch.einsum("bkn,bn...->bk...", weights, g.movedim(j, 1)).movedim(1, j)
        rest = f - g
        # Both forms are bilinear: <f, M f> - <g, M g> = <f - g, M (f + g)>.
        parts = _orders(f + g, self._drawings, self.max_order)
        by_order = torch.stack([(rest * s).flatten(1, -2).sum(dim=1) for s in parts], dim=-1)
        squares = rest.square()
        for d in reversed(self._drawings):
            weights = torch.as_tensor((d.p + d.q) / 2).to(squares)
            squares = torch.tensordot(squares.movedim(-1, 0), weights, dims=1).movedim(0, -1)
        return by_order.cpu().numpy(), squares.cpu().numpy()


def tabulate(evaluate: Evaluator, nodes: Sequence[np.ndarray]) -> Tensor:
    """Values [b, n_1, .., n_d, m] on the products of nodes [b, n_j], in chunks that fit memory."""
    shape = [len(nodes[0]), *(x.shape[1] for x in nodes)]
    columns = [torch.as_tensor(x, device=evaluate.device) for x in nodes]
    parts = []
    for rows in torch.arange(math.prod(shape), device=evaluate.device).split(evaluate.rows):
        grid, *index = torch.unravel_index(rows, shape)
        x = torch.stack([x[grid, i] for x, i in zip(columns, index, strict=True)], dim=1)
        parts.append(evaluate(x))
    return torch.cat(parts).reshape(*shape, -1)


def _orders(table: Tensor, drawings: Sequence[Drawing], max_order: int) -> list[Tensor]:
    """Tables [b, n_1, .., n_d, m] under the forms of order 1, .., max_order and of all above.

    An axis at a time: subsets of size k of the axes so far are those of size k without this axis,
    which then takes its means, and those of size k - 1 with it, which then takes its covariance.
    """
    sums: list[Tensor | None] = [table] + [None] * (max_order + 1)
    for axis, d in enumerate(drawings, start=1):
        shape = [1] * table.ndim
        shape[axis] = -1
        p, q = (torch.as_tensor(w).to(table).reshape(shape) for w in (d.p, d.q))
        means, rest = [], []
        for t in sums:
            if t is None:
                means.append(None)
                rest.append(None)
                continue
            by_p, by_q = ((w * t).sum(dim=axis, keepdim=True) for w in (p, q))
            means.append((p * by_q + q * by_p) / 2)
            rest.append((p + q) / 2 * t - means[-1])
        below = [_sum(means[k], rest[k - 1] if k else None) for k in range(max_order + 1)]
        # What lies above stays there, whichever form this axis takes.
        sums = [*below, _sum(means[-1], rest[-1], rest[-2])]
    empty = torch.zeros_like(table)
    return [empty if t is None else t for t in sums[1:]]


def _sum(*parts: Tensor | None) -> Tensor | None:
    some = [t for t in parts if t is not None]
    return sum(some[1:], some[0]) if some else None


def _drawing(inputs: Inputs, coordinate: int, size: int, axis: Axis) -> Drawing:
    """Nodes of one input: all its values, or two sets of `size` strata beside its heavy values."""
    if axis.whole:
        return _fixed(*inputs.support(coordinate))
    p = np.repeat([1.0, 0.0], size) / size
    q = p[::-1].copy()

    def stratified(rng: np.random.Generator, n: int) -> np.ndarray:
        return (np.arange(2 * size) % size + rng.random((n, 2 * size))) / size

    if not inputs.discrete(coordinate):
        which = torch.tensor(coordinate)
        return Drawing(
            p, q, lambda *a: inputs.quantile(torch.as_tensor(stratified(*a)), which).numpy()
        )
    values, weights = inputs.support(coordinate)
    apart = (values - weights @ values) ** 2 * weights
    heavy = np.maximum(weights, apart / apart.sum())
    # No more of them than there are strata.
    atoms = np.argsort(-heavy, kind="stable")[:size]
    atoms = atoms[heavy[atoms] > 1 / (2 * size)]
    others = np.setdiff1d(np.arange(len(values)), atoms)
    if not len(others):
        return _fixed(values, weights)
    steps = np.cumsum(weights[others])

    def draw(rng: np.random.Generator, n: int) -> np.ndarray:
        place = np.searchsorted(steps, steps[-1] * stratified(rng, n), side="right")
        chosen = values[others[place.clip(max=len(others) - 1)]]
        return np.hstack([np.tile(values[atoms], (n, 1)), chosen])

    p, q = (np.concatenate([weights[atoms], steps[-1] * half]) for half in (p, q))
    return Drawing(p, q, draw)


def _fixed(values: np.ndarray, weights: np.ndarray) -> Drawing:
    return Drawing(weights, weights, lambda _, n: np.tile(values, (n, 1)))
