"""Leaves under a distribution: products of sets of values, each with its probability.

Inputs are independent, so all that matters of a set is how likely a value falls into it and into
any other set of the same input. Where every split of an input is a single cut, its sets are
intervals: ends, written as probabilities, say it all, and so does a flag whether missing values
belong. Where some are not (categories, zeros that go their own way), the input is divided into
cells that no split divides, and its sets are told by the cells they hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...inputs import Inputs
from ._structure import Trees, within


@dataclass(frozen=True)
class Placed:
    """Trees whose splits are written in probabilities.

    Attributes
    ----------
    trees : Trees
    missing : float array [d]
        Probability that an input is missing.
    below : float array [n]
        Probability of a value up to a node's cut, that of missing ones apart.
    column : int array [c]
        The input that a cell belongs to; the cells of an input lie side by side.
    cell : float array [c]
        Probability of a cell.
    row : int array [n]
        Where in `left` a node of an input with cells stands; negative for others.
    left : bool array [r, c]
        Which cells go left at a node. Cells of other inputs go left and right.
    """

    trees: Trees
    missing: np.ndarray
    below: np.ndarray
    column: np.ndarray
    cell: np.ndarray
    row: np.ndarray
    left: np.ndarray

    @property
    def right(self) -> np.ndarray:
        nodes = np.flatnonzero(self.row >= 0)
        feature = self.trees.feature[nodes[np.argsort(self.row[nodes])]]
        return ~self.left | (self.column != feature[:, None])

    @property
    def mass(self) -> np.ndarray:
        """Probabilities of the cells by input, [c, d]."""
        return self.cell[:, None] * (self.column[:, None] == np.arange(len(self.missing)))


def place(trees: Trees, inputs: Inputs, missing: Mapping[int, float]) -> Placed:
    """Trees under a distribution; `missing` holds probabilities of columns to be missing."""
    absent = np.zeros(inputs.dim)
    absent[list(missing)] = list(missing.values())
    below, row = np.zeros(len(trees.feature)), np.full(len(trees.feature), -1)
    by_pieces = {int(trees.feature[node]) for node in trees.pieces}
    for j in set(trees.feature[trees.feature >= 0].tolist()) - by_pieces:
        here = trees.feature == j
        below[here] = inputs.probability_up_to(trees.cut[here], coordinate=j) * (1 - absent[j])
    found = []
    for j in sorted(by_pieces):
        nodes = np.flatnonzero(trees.feature == j)
        cell, left = _cells(trees, nodes, inputs, j, absent[j])
        if (left[:, 1:] <= left[:, :-1]).all():
            # Of the values that occur, the lower ones go left at every node: cuts after all.
            below[nodes] = np.append(0.0, np.cumsum(cell))[left.sum(axis=1)]
            below[nodes[left.all(axis=1)]] = 1 - absent[j]
        else:
            left = np.column_stack([left, trees.missing_left[nodes]])
            found.append((j, nodes, np.append(cell, absent[j]), left))
    nodes = np.concatenate([np.zeros(0, dtype=np.int64), *(nodes for _, nodes, _, _ in found)])
    row[nodes] = np.arange(len(nodes))
    column = np.repeat([j for j, *_ in found], [len(cell) for *_, cell, _ in found]).astype(int)
    every_left = np.ones((len(nodes), len(column)), dtype=bool)
    for j, nodes, _, left in found:
        every_left[np.ix_(row[nodes], column == j)] = left
    cells = np.concatenate([np.zeros(0), *(cell for *_, cell, _ in found)])
    possible = cells > 0
    return Placed(
        trees, absent, below, column[possible], cells[possible], row, every_left[:, possible]
    )


def _cells(
    trees: Trees, nodes: np.ndarray, inputs: Inputs, j: int, missing: float
) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities [c] of an input's possible cells, ascending, and which go left [nodes, c]."""
    pieces = [trees.pieces.get(int(n), np.array([[-np.inf, trees.cut[n]]])) for n in nodes]
    ends = np.unique(np.concatenate([p.ravel() for p in pieces]))
    upper = np.append(ends[np.isfinite(ends)], np.inf)
    below = np.append(0.0, inputs.probability_up_to(upper, coordinate=j))
    cell = np.diff(below) * (1 - missing)
    possible = cell > 0
    return cell[possible], np.array([within(upper[possible], p) for p in pieces])


@dataclass(frozen=True)
class Sets:
    """The distinct sets of values that leaves ask for, [s], those of one input side by side.

    Attributes
    ----------
    column : int array
        The input.
    probability : float array
    low, high : float arrays
        Ends of an interval, as probabilities; both 0 for a set of cells.
    missing : float array
        Square root of the probability of missing values, where they belong to an interval.
    row : int array
        Where in its input's table a set of cells stands; negative for intervals.
    start, width : int arrays
        Where in `tables` the table of its input begins, and how wide it is.
    tables : float array
        Probability that a value falls into two sets of cells, for each pair and input, flat.
    """

    column: np.ndarray
    probability: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    row: np.ndarray
    start: np.ndarray
    width: np.ndarray
    tables: np.ndarray

    @cached_property
    def any_missing(self) -> bool:
        return bool(self.missing.any())

    def covariance(self, a: np.ndarray, b: np.ndarray, *, cells: bool) -> np.ndarray:
        """Covariance of the indicators of sets a and b of one input, broadcast.

        `cells` says which kind of sets all of them are.
        """
        if cells:
            both = self.tables[(self.start[a] + self.row[a] * self.width[a]) + self.row[b]]
        else:
            both = np.minimum(self.high[a], self.high[b])
            both -= np.maximum(self.low[a], self.low[b])
            np.maximum(both, 0.0, out=both)
            if self.any_missing:
                both += self.missing[a] * self.missing[b]
        both -= self.probability[a] * self.probability[b]
        return both


@dataclass(frozen=True)
class Leaves:
    """Leaves [n] that a point can reach.

    Attributes
    ----------
    sets : Sets
    member : int array [n, width]
        The sets whose product a leaf is, those of cells first, negative where it has fewer.
    count : int array [n]
        Number of its sets.
    value : float array [n, m]
        Its value less the mean of its tree.
    number : int array [n]
        Its node.
    tree : int array [n]
    probability : float array [n]
    """

    sets: Sets
    member: np.ndarray
    count: np.ndarray
    value: np.ndarray
    number: np.ndarray
    tree: np.ndarray
    probability: np.ndarray


@dataclass(frozen=True)
class _Paths:
    """Ways from roots to nodes: what of each input is still possible."""

    node: np.ndarray
    tree: np.ndarray
    low: np.ndarray
    high: np.ndarray
    missing: np.ndarray
    cells: np.ndarray

    def __getitem__(self, which: np.ndarray) -> _Paths:
        return _Paths(*(array[which] for array in vars(self).values()))

    @classmethod
    def joined(cls, parts: list[_Paths]) -> _Paths:
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return cls(*(np.concatenate(arrays) for arrays in columns))


def leaves_of(placed: Placed, memory: int) -> Leaves:
    """All leaves that a point can reach, found a few trees at a time."""
    trees = placed.trees
    sizes = np.diff([*trees.root, len(trees.feature)])
    bytes_per_node = 3 * (17 * len(placed.missing) + 9 * len(placed.cell) + 16)
    chunk = np.cumsum(sizes) * bytes_per_node // memory
    known: list[dict[bytes, int]] = [{} for _ in placed.missing]
    node, tree, leaf, asked = [], [], [], []
    for c in np.unique(chunk):
        paths = _paths(placed, np.flatnonzero(chunk == c))
        which, table = _asked(placed, paths, known)
        leaf.append(which + sum(map(len, node)))
        node.append(paths.node)
        tree.append(paths.tree)
        asked.append(table)
    node, tree, leaf = (np.concatenate(parts) for parts in (node, tree, leaf))
    distinct, member_of = np.unique(np.concatenate(asked), axis=0, return_inverse=True)
    tables = 8 * sum(len(sets) ** 2 for sets in known)
    if tables > memory:
        raise ValueError(
            f"tables of which values go together take {tables:,} bytes: raise memory above that"
        )
    sets = _sets(placed, distinct, known)
    order = np.lexsort((member_of, leaf))
    leaf, member_of = leaf[order], member_of[order]
    count = np.bincount(leaf, minlength=len(node))
    member = np.full((len(node), count.max(initial=0)), -1)
    member[leaf, np.arange(len(leaf)) - (np.cumsum(count) - count)[leaf]] = member_of
    probability = np.append(sets.probability, 1.0)[member].prod(axis=1)
    value = trees.value[node]
    mean = [np.bincount(tree, probability * v, minlength=len(trees.root)) for v in value.T]
    return Leaves(
        sets, member, count, value - np.stack(mean, axis=1)[tree], node, tree, probability
    )


def _paths(placed: Placed, which: np.ndarray) -> _Paths:
    """Ways to all leaves of some trees, a level at a time."""
    trees, t, missing = placed.trees, len(which), placed.missing
    right, mass = placed.right, placed.mass
    paths = _Paths(
        node=trees.root[which],
        tree=which,
        low=np.zeros((t, len(missing))),
        high=np.tile(1 - missing, (t, 1)),
        missing=np.ones((t, len(missing)), dtype=bool),
        cells=np.ones((t, len(placed.cell)), dtype=bool),
    )
    found = []
    while len(paths.node):
        at_leaf = trees.feature[paths.node] < 0
        found.append(paths[at_leaf])
        paths = paths[~at_leaf]
        sides = []
        for side in ("left", "right"):
            node, i = paths.node, np.arange(len(paths.node))
            j, row, below = trees.feature[node], placed.row[node], placed.below[node]
            by_cell = row >= 0
            low, high, absent, cells = (
                a.copy() for a in (paths.low, paths.high, paths.missing, paths.cells)
            )
            if side == "left":
                high[i, j] = np.where(by_cell, high[i, j], np.minimum(high[i, j], below))
                absent[i, j] &= trees.missing_left[node] | by_cell
                cells[by_cell] &= placed.left[row[by_cell]]
            else:
                low[i, j] = np.where(by_cell, 0.0, np.maximum(low[i, j], below))
                absent[i, j] &= ~trees.missing_left[node] | by_cell
                cells[by_cell] &= right[row[by_cell]]
            possible = (high[i, j] > low[i, j]) | (absent[i, j] & (missing[j] > 0))
            possible[by_cell] = (cells[by_cell] @ mass)[np.arange(by_cell.sum()), j[by_cell]] > 0
            children = getattr(trees, side)[node]
            sides.append(_Paths(children, paths.tree, low, high, absent, cells)[possible])
        paths = _Paths.joined(sides)
    return _Paths.joined(found)


def _asked(
    placed: Placed, paths: _Paths, known: list[dict[bytes, int]]
) -> tuple[np.ndarray, np.ndarray]:
    """What leaves ask for: leaves [i], and [i, 5] that tell one set from another.

    That is whether it is an interval, the input, and then low, high and missing, or the number of
    a set of cells, which `known` gives and keeps.
    """
    absent = paths.missing & (placed.missing > 0)
    high = 1 - placed.missing
    asks = (paths.low > 0) | (paths.high < high) | (absent != (placed.missing > 0))
    leaf, j = np.nonzero(asks & ~np.isin(np.arange(len(high)), placed.column))
    columns = [np.ones(len(j)), j, paths.low[leaf, j], paths.high[leaf, j], absent[leaf, j]]
    leaves, tables = [leaf], [np.stack(columns, axis=1)]
    for j in np.unique(placed.column):
        cells = paths.cells[:, placed.column == j]
        leaf = np.flatnonzero(~cells.all(axis=1))
        number = [known[j].setdefault(c.tobytes(), len(known[j])) for c in cells[leaf]]
        tables.append(np.array([[0.0, j, n, 0.0, 0.0] for n in number]).reshape(-1, 5))
        leaves.append(leaf)
    return np.concatenate(leaves), np.concatenate(tables)


def _sets(placed: Placed, distinct: np.ndarray, known: list[dict[bytes, int]]) -> Sets:
    interval, column = distinct[:, 0] == 1, distinct[:, 1].astype(int)
    low, high, absent = np.where(interval[:, None], distinct[:, 2:], 0.0).T
    absent = absent * placed.missing[column]
    probability = np.maximum(high - low, 0.0) + absent
    row = np.where(interval, -1, distinct[:, 2]).astype(int)
    start, width, tables, filled = np.zeros_like(row), np.zeros_like(row), [np.zeros(0)], 0
    for j in np.unique(column[~interval]):
        here = ~interval & (column == j)
        inside = np.array([np.frombuffer(key, dtype=bool) for key in known[j]], dtype=float)
        table = (inside * placed.cell[placed.column == j]) @ inside.T
        start[here], width[here] = filled, len(table)
        probability[here] = table.diagonal()[row[here]]
        tables.append(table.ravel())
        filled += table.size
    return Sets(
        column, probability, low, high, np.sqrt(absent), row, start, width, np.concatenate(tables)
    )
