"""Exact variances by order: effects of every subset of inputs, from pairs of leaves.

A leaf is a product of indicators, each its mean plus a part of mean zero. Multiplied out, every
subset u of a leaf's inputs gets a product of mean-zero parts, weighted by the leaf's value and the
means of its other inputs; summed over leaves that is the effect of u in the functional ANOVA
(Hoeffding; Efron & Stein, Ann. Stat. 9, 1981). Its variance is a sum over pairs of leaves that both
ask for all of u, of products over u of covariances of indicators. A tree of depth D has subsets of
at most D inputs, so the sums end, and few leaves share many inputs: far fewer products than there
are pairs of leaves. Leaves that ask the same of u are added up first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from ._leaves import Leaves, Sets

BLOCK = 2**16
"""Pairs at a time: their products stay in the processor's cache."""
SPLIT = 2**9
"""Leaves of a subset beyond which pairs are taken a few rows at a time."""
OF_A_TERM = 500
"""Products that take as long as listing a subset of a leaf's inputs, as measured."""
MOST_TERMS = 2**24
"""Subsets of leaves' inputs, over all leaves, that are listed at most."""


@dataclass(frozen=True)
class Effects:
    """The effects of some subsets of k inputs, those of one subset side by side.

    Attributes
    ----------
    ids : int array [n, k]
        Sets of the mean-zero indicators that are multiplied, those of cells first.
    weight : float array [n, m]
    size : int array [g]
        How many products each subset has.
    """

    ids: np.ndarray
    weight: np.ndarray
    size: np.ndarray

    @property
    def products(self) -> float:
        """Covariances that the variances take."""
        return float((self.size.astype(float) ** 2).sum() * self.ids.shape[1])


def products(leaves: Leaves, memory: int, most: float) -> float:
    """Products of pairs that the exact variances take; infinite where that is more than `most`."""
    terms = float((2.0**leaves.count).sum())
    total = OF_A_TERM * terms
    if terms > MOST_TERMS or total > most:
        return np.inf
    for k in range(1, leaves.member.shape[1] + 1):
        for effects in effects_of(leaves, k, memory):
            total += effects.products
            if total > most:
                return np.inf
    return total


def variances(leaves: Leaves, max_order: int, memory: int) -> np.ndarray:
    """Variance by order, then of everything above, [m, max_order + 1]."""
    found = np.zeros((leaves.value.shape[1], max_order + 1))
    for k in range(1, leaves.member.shape[1] + 1):
        for effects in effects_of(leaves, k, memory):
            found[:, min(k, max_order + 1) - 1] += _variance(effects, leaves.sets)
    return found


def effects_of(leaves: Leaves, k: int, memory: int) -> Iterator[Effects]:
    """The effects of all subsets of k inputs; where memory asks for it by their first input."""
    number = sum(comb(int(c), k) * int(n) for c, n in enumerate(np.bincount(leaves.count)))
    first = leaves.sets.column[leaves.member]
    per_term = 8 * (6 * k + 3 * leaves.value.shape[1] + 6)
    parts = [None] if number * per_term <= memory else np.unique(leaves.sets.column)
    for j in parts:
        ids, weights = [], []
        for chosen in combinations(range(leaves.member.shape[1]), k):
            asks = leaves.count > chosen[-1]
            if j is not None:
                asks &= first[:, chosen[0]] == j
            rows = np.flatnonzero(asks)
            member = leaves.member[rows]
            ids.append(member[:, chosen])
            rest = np.append(leaves.sets.probability, 1.0)[np.delete(member, chosen, axis=1)]
            weights.append(leaves.value[rows] * rest.prod(axis=1)[:, None])
        merged = _merged(np.concatenate(ids), np.concatenate(weights), leaves.sets)
        if len(merged.ids):
            yield merged


def _merged(ids: np.ndarray, weight: np.ndarray, sets: Sets) -> Effects:
    """Equal products added up, and sorted by subset."""
    label, first = _labels(ids)
    ids = ids[first]
    weight = np.stack([np.bincount(label, w, minlength=len(ids)) for w in weight.T], axis=1)
    group, _ = _labels(sets.column[ids])
    order = np.argsort(group, kind="stable")
    return Effects(ids[order], weight[order], np.bincount(group))


def _labels(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A number for each distinct row, and where it is first found."""
    label, first = np.zeros(len(table), dtype=np.int64), np.zeros(0, dtype=np.int64)
    for column in table.T:
        keys = label * (column.max(initial=0) + 1) + column
        _, first, label = np.unique(keys, return_index=True, return_inverse=True)
    return label, first


def _variance(effects: Effects, sets: Sets) -> np.ndarray:
    """Sum over the subsets of the variances of their effects, [m]."""
    total = np.zeros(effects.weight.shape[1])
    start = np.cumsum(effects.size) - effects.size
    by_cells = (sets.row[effects.ids[start]] >= 0).sum(axis=1)
    padded = _padded(effects.size)
    for n, cells in sorted(set(zip(padded.tolist(), by_cells.tolist(), strict=True))):
        alike = np.flatnonzero((padded == n) & (by_cells == cells))
        for some in np.array_split(alike, -(-len(alike) * n * n // BLOCK)):
            if len(some):
                which = start[some, None] + np.minimum(np.arange(n), effects.size[some, None] - 1)
                ids = effects.ids[which]
                weight = effects.weight[which]
                # What fills up a subset with fewer products has no weight.
                weight[np.arange(n) >= effects.size[some, None]] = 0.0
                total += _of_pairs(ids, weight, cells, sets)
    return total


def _padded(size: np.ndarray) -> np.ndarray:
    """Sizes rounded up, small ones to a few, so that subsets of a size are done together."""
    step = 2.0 ** np.maximum(np.floor(np.log2(size)) - 2, 0)
    return np.where(size > SPLIT, size, (np.ceil(size / step) * step)).astype(np.int64)


def _of_pairs(ids: np.ndarray, weight: np.ndarray, cells: int, sets: Sets) -> np.ndarray:
    """Sum of weight times weight times covariance over pairs within each subset, [m].

    `ids` [g, n, k] with `cells` sets of cells in front, `weight` [g, n, m].
    """
    g, n, k = ids.shape
    rows = n if n <= SPLIT else max(1, BLOCK // n)
    total = np.zeros(weight.shape[2])
    for a in range(0, n, rows):
        # Pairs come in two orders, so those with rows before are counted already.
        one, other = ids[:, a : a + rows], ids[:, a:]
        product = np.ones((g, one.shape[1], other.shape[1]))
        for i in range(k):
            product *= sets.covariance(one[:, :, None, i], other[:, None, :, i], cells=i < cells)
        left = weight[:, a : a + rows]
        within = product[:, :, : left.shape[1]] @ left
        total += (left * (2 * (product @ weight[:, a:]) - within)).sum(axis=(0, 1))
    return total
