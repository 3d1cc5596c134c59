"""Exact variances by order from every pair of leaves, for deep trees of few inputs.

The covariance of two products of indicators has a part of order k for every k: the coefficient of
t^k in the product over inputs of (mean mean' + t covariance). With r the covariance over the
product of the means it is that of prod (1 + t r), times the probabilities of the two leaves. Only
inputs that both leaves ask for have an r; where leaves ask for many of the same, this takes fewer
products than their subsets do.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ._leaves import Leaves, Sets

PASSES = 11
"""Passes over pairs that an input takes, two more for each order."""
OF_A_PRODUCT = 7
"""Passes that take as long as a product of the lattice, as measured."""


def products(leaves: Leaves, max_order: int) -> float:
    """What every pair costs, in covariances of the lattice."""
    asked = float(leaves.count.sum())
    return asked * len(leaves.count) * (PASSES + 2 * max_order) / OF_A_PRODUCT


def variances(leaves: Leaves, max_order: int) -> np.ndarray:
    """Variance by order, then of everything above, [m, max_order + 1]."""
    sets, n = leaves.sets, len(leaves.count)
    inputs = {j: _Input.of(leaves, j) for j in np.unique(sets.column)}
    weight = leaves.value * leaves.probability[:, None]
    total = np.zeros((leaves.value.shape[1], max_order + 1))
    for a in range(n):
        every, orders = np.ones(n - a), np.zeros((max_order + 1, n - a))
        orders[0] = 1.0
        for one in leaves.member[a, : leaves.count[a]]:
            ratio = inputs[sets.column[one]].ratio(sets, one, a)
            every *= ratio
            ratio -= 1.0
            for k in range(max_order, 0, -1):
                orders[k] += orders[k - 1] * ratio
        every -= orders.sum(axis=0)
        parts = np.concatenate([orders[1:], every[None]])
        # Pairs of two leaves come in two orders.
        sums = 2 * (parts @ weight[a:]) - parts[:, :1] * weight[a]
        total += (sums * weight[a]).T
    if leaves.member.shape[1] <= max_order:
        # Nothing but the rounding of a difference.
        total[:, -1] = 0.0
    return total


@dataclass(frozen=True)
class _Input:
    """What all leaves ask of one input; those that do not ask take every value."""

    asks: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    row: np.ndarray
    per_probability: np.ndarray

    @classmethod
    def of(cls, leaves: Leaves, j: int) -> _Input:
        sets = leaves.sets
        here = np.append(sets.column == j, False)[leaves.member]
        asks = here.any(axis=1)
        which = np.where(here, leaves.member, 0).sum(axis=1)
        # If no set of the input holds missing values, whether others do is never asked.
        missing = sets.missing[sets.column == j].max()
        return cls(
            asks=asks,
            low=np.where(asks, sets.low[which], -np.inf),
            high=np.where(asks, sets.high[which], np.inf),
            missing=np.where(asks, sets.missing[which], missing),
            row=np.where(asks, sets.row[which], 0),
            per_probability=np.where(asks, 1 / sets.probability[which], 1.0),
        )

    def ratio(self, sets: Sets, one: int, a: int) -> np.ndarray:
        """Probability of set `one` and leaf a's or a later one's, over the product of the two."""
        if sets.row[one] >= 0:
            at = sets.start[one] + sets.row[one] * sets.width[one]
            both = np.where(self.asks[a:], sets.tables[at + self.row[a:]], sets.probability[one])
        else:
            both = np.minimum(self.high[a:], sets.high[one])
            both -= np.maximum(self.low[a:], sets.low[one])
            np.maximum(both, 0.0, out=both)
            if sets.missing[one]:
                both += sets.missing[one] * self.missing[a:]
        both *= self.per_probability[a:]
        both /= sets.probability[one]
        return both
