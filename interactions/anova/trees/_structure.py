"""What every library's trees come down to: splits by sets of values, and a value at each leaf."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Pieces = np.ndarray
"""A union of half-open intervals (low, high], [r, 2]; ends may be infinite."""


class UnreadableModelError(TypeError):
    """A model whose splits are not understood, so that its spectrum cannot be told exactly."""


@dataclass(frozen=True)
class Tree:
    """One tree; node 0 is its root.

    Attributes
    ----------
    feature : int array [n]
        The input a node splits on; negative at leaves.
    left, right : int arrays [n]
        Children.
    cut : float array [n]
        Values up to and with the cut go left; not read at leaves and where `pieces` are given.
    missing_left : bool array [n]
        Where missing values (NaN) go.
    value : float array [n, m]
        Values of the m outputs at leaves.
    pieces : mapping of nodes to Pieces
        The values that go left where a split is no single cut, such as categories.
    """

    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cut: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    pieces: Mapping[int, Pieces] = field(default_factory=dict)

    @property
    def root(self) -> np.ndarray:
        return np.zeros(1, dtype=np.int64)


@dataclass(frozen=True)
class Trees:
    """A sum of trees: the fields of `Tree`, laid end to end, and the roots [t]."""

    feature: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cut: np.ndarray
    missing_left: np.ndarray
    value: np.ndarray
    pieces: Mapping[int, Pieces]
    root: np.ndarray

    @classmethod
    def of(cls, trees: Sequence[Tree | Trees]) -> Trees:
        """The sum of these trees and sums of trees."""
        if not trees:
            raise UnreadableModelError("the model holds no trees: fit it first")
        sizes = [len(tree.feature) for tree in trees]
        starts = np.cumsum([0, *sizes])[:-1]

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(tree, name) for tree in trees])

        shift = np.repeat(starts, sizes)
        return cls(
            feature=joined("feature").astype(np.int64),
            left=joined("left").astype(np.int64) + shift,
            right=joined("right").astype(np.int64) + shift,
            cut=joined("cut").astype(np.float64),
            missing_left=joined("missing_left").astype(bool),
            value=joined("value").astype(np.float64),
            pieces={
                start + node: pieces
                for start, tree in zip(starts, trees, strict=True)
                for node, pieces in tree.pieces.items()
            },
            root=np.concatenate([tree.root + i for tree, i in zip(trees, starts, strict=True)]),
        )

    @property
    def outputs(self) -> int:
        return self.value.shape[1]

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Values [n, m] at points x [n, d], NaN where missing."""

        def goes_left(node: np.ndarray, row: np.ndarray) -> np.ndarray:
            at = x[row, self.feature[node]]
            left = at <= self.cut[node]
            for which in set(node.tolist()) & self.pieces.keys():
                here = node == which
                left[here] = within(at[here], self.pieces[which])
            return np.where(np.isnan(at), self.missing_left[node], left)

        total = np.zeros((len(x), self.outputs))
        for root in self.root:
            total += self.value[self.descend(np.full(len(x), root), goes_left)]
        return total

    def descend(
        self, node: np.ndarray, goes_left: Callable[[np.ndarray, np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Leaves [n] that rows reach from their nodes [n], where `goes_left(nodes, rows)` tells."""
        node = node.copy()
        row = np.flatnonzero(self.feature[node] >= 0)
        while len(row):
            at = node[row]
            node[row] = np.where(goes_left(at, row), self.left[at], self.right[at])
            row = row[self.feature[node[row]] >= 0]
        return node


def within(x: np.ndarray, pieces: Pieces) -> np.ndarray:
    """Whether values lie in a union of intervals, of the shape of x."""
    inside = np.zeros(np.shape(x), dtype=bool)
    for low, high in pieces:
        inside |= (low < x) & (x <= high)
    return inside


def complement(pieces: Pieces) -> Pieces:
    """All other values; the pieces must be apart."""
    inner = np.sort(np.asarray(pieces, float).reshape(-1, 2), axis=0)
    ends = np.concatenate([[-np.inf], inner.ravel(), [np.inf]]).reshape(-1, 2)
    return ends[ends[:, 0] < ends[:, 1]]


def single_values(values: Sequence[float]) -> Pieces:
    """The pieces that hold these numbers and no others."""
    values = np.unique(np.asarray(values, dtype=np.float64))
    return np.stack([np.nextafter(values, -np.inf), values], axis=1)


def up_to_in_float32(cut: np.ndarray) -> np.ndarray:
    """The largest doubles that, rounded to float32, are at most the cuts.

    Libraries that hold inputs as float32 round them first: a split is then between doubles half way
    to the next float32, a tie going to the even one.
    """
    cut = np.asarray(cut, dtype=np.float64)
    with np.errstate(over="ignore"):
        below = cut.astype(np.float32)
    below = np.where(below > cut, np.nextafter(below, np.float32(-np.inf)), below)
    above = np.nextafter(below, np.float32(np.inf))
    middle = below.astype(np.float64) / 2 + above.astype(np.float64) / 2
    even = below.view(np.int32) % 2 == 0
    return np.where(even, middle, np.nextafter(middle, -np.inf))


def below_in_float32(cut: np.ndarray) -> np.ndarray:
    """The largest doubles that, rounded to float32, are less than the cuts, float32 themselves."""
    return up_to_in_float32(np.nextafter(np.asarray(cut, np.float32), np.float32(-np.inf)))


def in_order(
    root: object, children: Callable[[object], tuple[Any, Any] | None]
) -> Iterator[tuple[Any, ...]]:
    """Visit a nested tree from the root: (node, number of its left child, of its right one).

    Numbers are places in the order of visits, negative at leaves, for which `children` is None.
    """
    waiting, count = [root], 1
    for node in waiting:
        pair = children(node)
        if pair is None:
            yield node, -1, -1
        else:
            waiting.extend(pair)
            yield node, count, count + 1
            count += 2


@dataclass(frozen=True)
class Reading:
    """What a reader makes of a model.

    Attributes
    ----------
    trees : Trees
        They sum to the model's output, up to a constant.
    dim : int
        Number of inputs.
    predict : callable
        The library's own output, [n] or [n, m], at points [n, d]: what the trees must agree with.
    output : str
        What that output is.
    """

    trees: Trees
    dim: int
    predict: Callable[[np.ndarray], np.ndarray]
    output: str
