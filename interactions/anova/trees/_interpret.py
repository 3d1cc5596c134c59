"""InterpretML's explainable boosting machines: sums of tables over one, two or more inputs.

A table has a row for missing values first and one for categories never seen last. Numbers from a
cut on belong to the next row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._structure import Pieces, Reading, Tree, Trees, UnreadableModelError, single_values


def handles(model: object) -> bool:
    return any(
        c.__module__.startswith("interpret.") and c.__name__ == "EBMModel"
        for c in type(model).__mro__
    )


def read(model: object) -> Reading:
    if not hasattr(model, "term_scores_"):
        raise UnreadableModelError(f"{type(model).__name__} is not fitted yet: call fit first")
    kinds = model.feature_types_in_
    trees = []
    for features, scores in zip(model.term_features_, model.term_scores_, strict=True):
        # Terms of more inputs may have coarser bins; the last are for all larger terms.
        bins = [model.bins_[j][min(len(model.bins_[j]), len(features)) - 1] for j in features]
        axes = [
            _continuous(b) if kinds[j] == "continuous" else _categorical(b)
            for j, b in zip(features, bins, strict=True)
        ]
        trees.append(_Table(features, axes, np.asarray(scores, np.float64)).tree())

    def predict(x: np.ndarray) -> np.ndarray:
        return model.eval_terms(x).sum(axis=1)

    return Reading(
        trees=Trees.of(trees),
        dim=len(kinds),
        predict=predict,
        output="sum of terms (before the link)",
    )


@dataclass(frozen=True)
class _Axis:
    """Rows of a table along one input, without the missing ones' (which is row 0).

    `splits` rows are told apart by `split(n)`: the values of rows before the n-th of `rows`.
    """

    rows: list[int]
    split: Callable[[int, int], float | Pieces]


def _continuous(cuts: np.ndarray) -> _Axis:
    return _Axis(
        rows=list(range(1, len(cuts) + 2)),
        split=lambda first, middle: float(np.nextafter(cuts[middle - 1], -np.inf)),
    )


def _categorical(categories: dict[str, int]) -> _Axis:
    try:
        number = {float(name): row for name, row in categories.items()}
    except ValueError:
        raise UnreadableModelError(
            "inputs are numbers: train on numbers that stand for the categories "
            f"{[*categories][:3]} .."
        ) from None
    rows = sorted(set(number.values()))
    # Categories never seen are what the others leave over.
    return _Axis(
        rows=[*rows, -1],
        split=lambda first, middle: single_values(
            [value for value, row in number.items() if row in rows[first:middle]]
        ),
    )


@dataclass
class _Table:
    """A table of scores, written as a tree that halves the rows of one input after the other."""

    features: tuple[int, ...]
    axes: list[_Axis]
    scores: np.ndarray
    nodes: list[tuple[Any, ...]] = field(default_factory=list)
    pieces: dict[int, Pieces] = field(default_factory=dict)

    def tree(self) -> Tree:
        self._axis(())
        feature, left, right, cut, value = zip(*self.nodes, strict=True)
        return Tree(
            feature=np.array(feature),
            left=np.array(left),
            right=np.array(right),
            cut=np.array(cut),
            missing_left=np.zeros(len(self.nodes), dtype=bool),
            value=np.array(value).reshape(len(self.nodes), -1),
            pieces=self.pieces,
        )

    def _axis(self, at: tuple[int, ...]) -> int:
        """The node below which the input after those of `at` is told, or the leaf."""
        if len(at) == len(self.features):
            return self._add(-1, np.nan, self.scores[at])
        # All numbers go left, missing values right.
        node = self._add(self.features[len(at)], np.inf)
        self._link(node, self._half(at, 0, len(self.axes[len(at)].rows)), self._axis((*at, 0)))
        return node

    def _half(self, at: tuple[int, ...], first: int, last: int) -> int:
        axis = self.axes[len(at)]
        if last - first == 1:
            return self._axis((*at, axis.rows[first]))
        middle = (first + last) // 2
        split = axis.split(first, middle)
        node = self._add(self.features[len(at)], split if isinstance(split, float) else np.nan)
        if not isinstance(split, float):
            self.pieces[node] = split
        self._link(node, self._half(at, first, middle), self._half(at, middle, last))
        return node

    def _add(self, feature: int, cut: float, value: np.ndarray | None = None) -> int:
        value = np.zeros(self.scores.shape[len(self.features) :]) if value is None else value
        self.nodes.append((feature, -1, -1, cut, value))
        return len(self.nodes) - 1

    def _link(self, node: int, left: int, right: int) -> None:
        feature, _, _, cut, value = self.nodes[node]
        self.nodes[node] = (feature, left, right, cut, value)
