"""One input's side of a tensor grid: its nodes, and what values there say about values between.

A function is known at the nodes and read off between them, by the polynomial through the nodes, by
one such polynomial on each piece between kinks, or, where every value is a node, by its table.
Whatever it is, the function read off has an ANOVA of its own that is known exactly: `change`
turns values at the nodes into coefficients of functions that are orthonormal under the input's
distribution, the first of them the constant.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..inputs import FEW_VALUES, Inputs

FINE = 80
"""Nodes of the rule that makes functions orthonormal, on every piece between kinks."""


@dataclass(frozen=True)
class Axis:
    """Nodes [n] of one input, the reading between them and the change of basis.

    Attributes
    ----------
    nodes : array [n]
    read : callable
        Maps values [k] of the input to the weights [k, n] with which nodes enter there.
    change : array [n, n]
        Values at the nodes to coefficients, the constant's first.
    whole : bool
        Whether the nodes are all values of the input.
    """

    nodes: np.ndarray
    read: Callable[[np.ndarray], np.ndarray]
    change: np.ndarray
    whole: bool


def few_valued(inputs: Inputs, most: float) -> set[int]:
    """Inputs that a grid takes in full, of few values each, while it stays below `most` points.

    Their numbers may be codes, between which there is nothing to read. Others count four nodes.
    """
    values = inputs.support_sizes
    sizes = np.minimum(values, 4)
    for j in np.argsort(values, kind="stable"):
        grown = np.where(np.arange(inputs.dim) == j, values, sizes)
        if values[j] <= FEW_VALUES and math.prod(grown.tolist()) <= most:
            sizes = grown
    return set(np.flatnonzero(sizes == values).tolist())


def axes(inputs: Inputs, size: int, *, whole: set[int], kinks: Sequence[float] = ()) -> list[Axis]:
    """An axis for every input: all values of those in `whole`, else about `size` nodes."""
    made: list[Axis] = []
    for j, values in enumerate(inputs.support_sizes):
        if j in whole or values <= size:
            made.append(_every_value(inputs, j))
        elif made and inputs.alike:
            made.append(made[0])
        else:
            made.append(_between(inputs, j, size, kinks))
    return made


def points_of(grid: Sequence[Axis]) -> float:
    """Points of the tensor grid, which may be too many to count in integers."""
    return math.prod(float(len(axis.nodes)) for axis in grid)


def _every_value(inputs: Inputs, coordinate: int) -> Axis:
    values, weights = inputs.support(coordinate)

    def read(x: np.ndarray) -> np.ndarray:
        return (x[:, None] == values).astype(float)

    # QR of the root weights beside the identity completes them to an orthogonal matrix.
    root = np.sqrt(weights)
    basis, _ = np.linalg.qr(np.column_stack([root, np.eye(len(root))[:, 1:]]))
    return Axis(values, read, (basis * root[:, None]).T, whole=True)


def _between(inputs: Inputs, coordinate: int, size: int, kinks: Sequence[float]) -> Axis:
    if inputs.discrete(coordinate):
        nodes, edges = inputs.nodes(size, coordinate), np.empty(0)
        x, weights = inputs.support(coordinate)
    else:
        nodes, _ = inputs.quadrature(size, coordinate=coordinate, breakpoints=kinks)
        edges = _edges(nodes, size, kinks)
        fine = max(FINE, size)
        x, weights = inputs.quadrature(fine, coordinate=coordinate, breakpoints=kinks)
    pieces = np.split(nodes, len(edges) + 1)

    def read(x: np.ndarray) -> np.ndarray:
        out, piece = np.zeros((len(x), len(nodes))), np.searchsorted(edges, x, side="right")
        for i, own in enumerate(pieces):
            at = piece == i
            start = i * len(own)
            out[at, start : start + len(own)] = _lagrange(own, x[at])
        return out

    # The nodes' reading, the constant put first, made orthonormal under the distribution.
    first = np.eye(len(nodes))
    first[:, 0] = 1.0
    _, r = np.linalg.qr(np.sqrt(weights)[:, None] * read(x) @ first)
    return Axis(nodes, read, r @ np.linalg.inv(first), whole=False)


def _edges(nodes: np.ndarray, size: int, kinks: Sequence[float]) -> np.ndarray:
    """Ends of the pieces of `size` nodes each: kinks, or where there is none any place between."""
    left, right = nodes[size - 1 : -1 : size], nodes[size::size]
    edges = (left + right) / 2
    for kink in kinks:
        edges[(left < kink) & (kink < right)] = kink
    return edges


def _lagrange(nodes: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Weights [k, n] of the nodes in the polynomial through them, at x.

    The barycentric formula: Berrut & Trefethen, SIAM Review 46 (2004).
    """
    apart = nodes[:, None] - nodes + np.eye(len(nodes))
    logs = np.log(np.abs(apart)).sum(axis=1)
    weights = np.prod(np.sign(apart), axis=1) * np.exp(logs.mean() - logs)
    difference = x[:, None] - nodes
    hit = difference == 0
    terms = weights / np.where(hit, 1.0, difference)
    terms = np.where(hit.any(axis=1, keepdims=True), hit, terms)
    total = terms.sum(axis=1, keepdims=True)
    # Far outside of the nodes it may cancel to nothing, where no weights are right.
    return terms / np.where(total == 0, 1.0, total)
