"""Orthonormal polynomials, Gauss rules and nodes of measures given by points and weights.

The Stieltjes procedure as Lanczos has it, on vectors of polynomials times the root of the weights,
which stay of norm 1 however large the points are: Gautschi, *Orthogonal Polynomials* (2004), 2.2.3.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg import qr

GONE = 1e-12
"""Part of the points' spread below which a vector is what rounding left: there is no further
polynomial."""


def lanczos(
    values: np.ndarray, weights: np.ndarray, degree: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recurrence coefficients a, b of each measure, [.., degree + 1], and their vectors.

    `values` and `weights` are [.., N], ascending; points of weight 0 count for nothing. Beyond the
    support b is 0. The vectors [.., degree + 1, N] are the polynomials at the points, each times
    the root of its weight; they are 0 where there is no polynomial.
    """
    shape = (*values.shape[:-1], degree + 1)
    a, b, vectors = np.zeros(shape), np.zeros(shape), np.zeros((*shape, values.shape[-1]))
    root = np.sqrt(weights)
    b[..., 0] = 1.0
    vectors[..., 0, :] = root
    a[..., 0] = (weights * values).sum(axis=-1)
    held = np.where(weights > 0, values, np.nan)
    spread = np.maximum(np.nanmax(held, axis=-1) - np.nanmin(held, axis=-1), np.finfo(float).tiny)
    exists = np.ones(shape[:-1], dtype=bool)
    for n in range(1, min(degree, values.shape[-1] - 1) + 1):
        before = vectors[..., :n, :]
        p = values * before[..., -1, :]
        for _ in range(2):
            shares = before @ p[..., None]
            p = p - (shares.swapaxes(-1, -2) @ before)[..., 0, :]
        size = np.sqrt((p**2).sum(axis=-1))
        exists &= size > GONE * spread
        if not exists.any():
            break
        b[..., n] = np.where(exists, size, 0.0)
        scale = np.where(exists, 1 / np.where(size > 0, size, 1.0), 0.0)
        vectors[..., n, :] = scale[..., None] * p
        a[..., n] = (values * vectors[..., n, :] ** 2).sum(axis=-1)
    return a, b, vectors


def gauss(values: np.ndarray, weights: np.ndarray, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights [.., size] of the Gauss rules of measures that have as many points."""
    a, b, _ = lanczos(values, weights, size - 1)
    n = np.arange(size - 1)
    matrix = np.zeros((*a.shape, size))
    matrix[..., range(size), range(size)] = a
    matrix[..., n + 1, n] = b[..., 1:]
    nodes, vectors = np.linalg.eigh(matrix)
    return nodes, vectors[..., 0, :] ** 2


def fekete(values: np.ndarray, weights: np.ndarray, size: int) -> np.ndarray:
    """Points of a measure, `size` of them and ascending, that carry a polynomial well.

    Approximate Fekete points: Sommariva & Vianello, Comput. Math. Appl. 57 (2009).
    """
    if len(values) <= size:
        return values
    _, b, vectors = lanczos(values, weights, size - 1)
    table = vectors[: np.count_nonzero(b)] / np.sqrt(weights)
    *_, order = qr(table, mode="economic", pivoting=True)
    return np.sort(values[order[: len(table)]])
