"""Means of f(x) f(x') K_k(x, x') over pairs of points from different blocks, by two routes.

*Primal*: sum every feature product over blocks of points and multiply the sums of different
blocks; the cost is linear in the points. *Dual*: the kernel between blocks of points, from power
sums of the coordinate kernels, which are matrix products, by Newton's identities; the cost does not
grow with the number of feature products. The cheaper side is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from .basis import Basis, number_of_products

PIECE = 2**22
"""Bytes of feature products that the primal route makes at once, so that they stay in the
processor's cache."""
TILE = 2**18
"""Kernel values between two blocks that the dual route makes at once, so that they stay in the
processor's cache."""


class Sample(NamedTuple):
    """Points in equal blocks, with what they stand for.

    Attributes
    ----------
    x : tensor [B, n, d]
    f : tensor [B, n, m]
        Values of every function, times the weights.
    weight : tensor [B, n]
        Density of the inputs over that by which the points were drawn: 1 for plain points.
    """

    x: Tensor
    f: Tensor
    weight: Tensor


def pair_means(sample: Sample, basis: Basis, *, order: int, memory: int) -> Tensor:
    """h_ab for every pair of blocks, [m, B, B] in float64; the diagonal means nothing."""
    blocks, n, _ = sample.x.shape
    widths = basis.widths(order)
    primal, dual = multiplications(blocks * n, sample.f.shape[-1], widths, order)
    features = blocks * n * sum(widths) * sample.x.element_size()
    route = _primal if primal <= dual and features <= memory * 2 / 3 else _dual
    return route(sample, basis, order, memory)


def multiplications(points: int, m: int, widths: list[int], order: int) -> tuple[float, float]:
    """Multiplications of the primal and the dual route for one order."""
    products = number_of_products(widths, order)
    powers = sum(math.comb(q + i - 1, i) for q in widths if q for i in range(1, order + 1))
    return float(products) * m * points, points**2 / 2 * (powers + m)


def _primal(sample: Sample, basis: Basis, order: int, memory: int) -> Tensor:
    blocks, n, _ = sample.x.shape
    widths = basis.widths(order)
    phi = basis.features(sample.x.flatten(0, 1), order).unflatten(0, (blocks, n))
    # Sums of a leading subset come in float32 or float64, and once more in float64.
    sums = blocks * max(widths) ** (order - 1) * sum(widths) * 16
    parts = []
    for f in sample.f.split(max(1, memory // 4 // max(sums, 1)), dim=2):
        total = f.new_zeros(f.shape[2], blocks, blocks, dtype=torch.float64)
        for _, sums in feature_sums(phi, widths, f, order, memory):
            flat = sums.movedim(2, 0).flatten(2).double()
            total += flat @ flat.transpose(1, 2)
        parts.append(total / n**2)
    return torch.cat(parts)


def feature_sums(
    phi: Tensor, widths: list[int], f: Tensor, order: int, memory: int
) -> Iterator[tuple[tuple[int, ...], Tensor]]:
    """Sums over each block of f times feature products, a leading subset of inputs at a time.

    Yields the k - 1 leading inputs and [B, products of theirs, m, functions of all later inputs].
    """
    blocks, n, _ = phi.shape
    m = f.shape[-1]
    ends = np.cumsum(widths)
    columns = [phi[..., end - q : end] for end, q in zip(ends, widths, strict=True)]
    useful = [j for j, q in enumerate(widths) if q]
    for leading in combinations(useful[:-1], order - 1):
        rest = phi[..., ends[leading[-1]] if leading else 0 :]
        p, r = math.prod(widths[j] for j in leading), rest.shape[2]
        # The smaller factor is multiplied out, in pieces that stay in the processor's cache.
        wide = m >= r
        sums = phi.new_zeros(blocks, m, p * r) if wide else phi.new_zeros(blocks, p * m, r)
        size = blocks * p * (r if wide else m) * phi.element_size()
        rows = max(16, min(memory // 4, PIECE) // max(size, 1))
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            every = (rest if wide else f)[:, part]
            for j in reversed(leading):
                every = (columns[j][:, part].unsqueeze(-1) * every.unsqueeze(2)).flatten(2)
            if wide:
                sums.baddbmm_(f[:, part].transpose(1, 2), every)
            else:
                sums.baddbmm_(every.transpose(1, 2), rest[:, part])
        if wide:
            yield leading, sums.unflatten(2, (p, r)).transpose(1, 2)
        else:
            yield leading, sums.unflatten(1, (p, m))


def _dual(sample: Sample, basis: Basis, order: int, memory: int) -> Tensor:
    blocks, n, _ = sample.x.shape
    m = sample.f.shape[-1]
    total = torch.zeros(m, blocks, blocks, dtype=torch.float64, device=sample.f.device)
    widths = basis.widths(order)
    rows = max(1, min(n, TILE // n, memory // 8 // (8 * n * (order + 2))))
    # Features of a few blocks are kept, as many as the memory holds.
    powers = sum(math.comb(q + i - 1, i) for q in widths if q for i in range(1, order + 1))
    keep = lru_cache(max(2, memory // 4 // max(n * powers * sample.x.element_size(), 1)))
    features = keep(lambda a: _power_features(basis.features(sample.x[a], order), widths, order))
    for a, b in combinations(range(blocks), 2):
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            left = [p[part] for p in features(a)]
            kernel = _elementary_symmetric(left, features(b))
            values = (sample.f[a, part] * (kernel @ sample.f[b])).sum(dim=0, dtype=torch.float64)
            total[:, a, b] += values
            total[:, b, a] += values
    return total / n**2


def _power_features(phi: Tensor, widths: list[int], order: int) -> list[Tensor]:
    """Features whose inner products are the power sums over j of kernel_j^i, i = 1 .. order.

    kernel_j^i = (sum_n phi_n phi'_n)^i is a sum over multisets of i functions, with multinomial
    weights. Each is [n, number of multisets of all inputs].
    """
    columns = phi.split(widths, dim=1)
    features = [phi]
    for i in range(2, order + 1):
        powers = []
        for q in set(widths) - {0}:
            # Inputs with equally many functions together: [n, inputs, q].
            same = torch.stack([c for c in columns if c.shape[1] == q], dim=1)
            for chosen in combinations_with_replacement(range(q), i):
                counts = np.bincount(chosen)
                weight = math.factorial(i) / math.prod(math.factorial(c) for c in counts)
                powers.append(math.sqrt(weight) * same[..., list(chosen)].prod(dim=-1))
        features.append(torch.cat(powers, dim=1))
    return features


def _elementary_symmetric(left: list[Tensor], right: list[Tensor]) -> Tensor:
    """e_k of the coordinate kernels, by Newton's identities from the power sums left @ right^T.

    k e_k = e_(k-1) p_1 - e_(k-2) p_2 + .. ± p_k, whose last term a matrix product adds in place.
    """
    order = len(left)
    if order == 1:
        return left[0] @ right[0].T
    p = [a @ b.T for a, b in zip(left[:-1], right[:-1], strict=True)]
    e = [p[0]]
    for k in range(2, order + 1):
        new = e[-1] * p[0]
        for i in range(2, k):
            new.addcmul_(e[k - i - 1], p[i - 1], value=(-1) ** (i - 1))
        sign = (-1) ** (k - 1)
        if k < order:
            new.add_(p[k - 1], alpha=sign).mul_(1 / k)
        else:
            new.addmm_(left[-1], right[-1].T, beta=1 / k, alpha=sign / k)
        e.append(new)
    return e[-1]
