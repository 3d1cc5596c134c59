"""Variances by order from random pairs of leaves, where there are too many to visit.

Two trees are drawn, each by the size of its values, then a point's leaf in one and another point's
in the other; the second point keeps each input of the first with a probability theta. That a pair
(l, m) is drawn has the probability of l times that of m times the product over inputs of
1 + theta r, where r is the covariance of the two leaves' indicators over the product of their
means. Order k of a pair is the elementary symmetric polynomial e_k of the r. Theta is drawn from a
few values, and pairs are weighted by the mixture of them all (the balance heuristic of Veach &
Guibas, SIGGRAPH 1995), which bounds the weights of every order and of their sum.
"""

from __future__ import annotations

import numpy as np

from ._leaves import Leaves, Placed

THETA = np.array([0.25, 0.5, 0.75, 1.0])
"""Probabilities with which points share an input; the last draws the total variance well."""
BLOCKS = 64
"""Independent blocks, whose spread gives the standard errors."""


def sampled_blocks(
    placed: Placed, leaves: Leaves, *, max_order: int, pairs: int, seed: int, memory: int
) -> np.ndarray:
    """Unbiased orders 1 .. max_order and everything above from independent pairs, by block.

    Returns [BLOCKS, m, max_order + 1]; a block has `pairs` / BLOCKS pairs.
    """
    rng = np.random.default_rng(seed)
    of_node = np.full(len(placed.trees.feature), -1)
    of_node[leaves.number] = np.arange(len(leaves.number))
    square = leaves.probability[:, None] * leaves.value**2
    # Outputs of different scale count alike.
    scale = square.sum(axis=0)
    size = (square / np.where(scale > 0, scale, 1.0)).sum(axis=1)
    size = np.sqrt(np.bincount(leaves.tree, size, minlength=len(placed.trees.root)))
    if not size.any():
        return np.zeros((BLOCKS, leaves.value.shape[1], max_order + 1))
    chance = size / size.sum()
    per_block = -(-pairs // BLOCKS)
    most = max(1, memory // (8 * (12 * len(placed.missing) + 4 * leaves.value.shape[1] + 16)))
    blocks = np.zeros((BLOCKS, leaves.value.shape[1], max_order + 1))
    at_once = max(1, most // per_block)
    for first in range(0, BLOCKS, at_once):
        some = blocks[first : first + at_once]
        for n in np.diff([*range(0, per_block, most), per_block]):
            one, other = rng.choice(len(chance), size=(2, len(some) * n), p=chance)
            a, b = (of_node[node] for node in _drawn(placed, one, other, rng))
            orders, density = _orders(leaves, a, b, max_order)
            weight = leaves.value[a] * leaves.value[b]
            weight /= (chance[one] * chance[other] * density)[:, None]
            weight, orders = (c.reshape(len(some), n, -1) for c in (weight, orders))
            some += weight.transpose(0, 2, 1) @ orders / per_block
    return blocks


def _drawn(
    placed: Placed, one: np.ndarray, other: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Leaves of trees `one` and `other` at pairs of points that share some inputs."""
    n, dim = len(one), len(placed.missing)
    u, fresh = rng.random((2, n, dim))
    shared = rng.random((n, dim)) < rng.choice(THETA, size=(n, 1))
    return _at(placed, one, u), _at(placed, other, np.where(shared, u, fresh))


def _at(placed: Placed, tree: np.ndarray, u: np.ndarray) -> np.ndarray:
    """Leaves of trees [n] at points given as uniforms [n, d]; the last of these are missing."""
    trees, missing = placed.trees, placed.missing
    cell = np.zeros(u.shape, dtype=np.int64)
    for j in np.unique(placed.column):
        here = np.flatnonzero(placed.column == j)
        place = np.searchsorted(np.cumsum(placed.cell[here]), u[:, j], side="right")
        cell[:, j] = here[np.minimum(place, len(here) - 1)]

    def goes_left(node: np.ndarray, row: np.ndarray) -> np.ndarray:
        j, by_cell = trees.feature[node], placed.row[node] >= 0
        at = u[row, j]
        left = np.where(at >= 1 - missing[j], trees.missing_left[node], at < placed.below[node])
        left[by_cell] = placed.left[placed.row[node[by_cell]], cell[row[by_cell], j[by_cell]]]
        return left

    return trees.descend(trees.root[tree], goes_left)


def _orders(
    leaves: Leaves, first: np.ndarray, second: np.ndarray, max_order: int
) -> tuple[np.ndarray, np.ndarray]:
    """e_1 .. e_max_order of pairs and everything above, [n, max_order + 1]; their density [n]."""
    sets = leaves.sets
    by_order = np.zeros((len(first), max_order + 1))
    by_order[:, 0] = 1.0
    every, density = np.ones(len(first)), np.ones((len(first), len(THETA)))
    column = np.append(sets.column, -1)
    one, other = leaves.member[first], leaves.member[second]
    for i in range(leaves.member.shape[1]):
        for k in range(leaves.member.shape[1]):
            a, b = one[:, i], other[:, k]
            share = np.flatnonzero((a >= 0) & (column[a] == column[b]))
            for cells in (True, False):
                here = share[(sets.row[a[share]] >= 0) == cells]
                if not len(here):
                    continue
                x, y = a[here], b[here]
                r = sets.covariance(x, y, cells=cells) / (sets.probability[x] * sets.probability[y])
                by_order[here, 1:] += by_order[here, :-1] * r[:, None]
                every[here] *= 1 + r
                density[here] *= 1 + THETA * r[:, None]
    above = every - by_order.sum(axis=1)
    return np.column_stack([by_order[:, 1:], above]), density.mean(axis=1)
