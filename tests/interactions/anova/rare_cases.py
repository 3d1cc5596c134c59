"""Functions whose variance rare points carry, with their spectra in closed form.

Sums of products of functions of one input: events in the tails, flags set in few rows, columns
that are mostly zero, heavy tails, needles. Their orders follow from the means and second moments
of the factors, which are sums over the rows or integrals of the pieces.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from interactions import Empirical, Normal, Uniform
from interactions.inputs import Inputs

Factor = Callable[[Tensor], Tensor]
Product = tuple[float, Mapping[int, Factor]]


@dataclass(frozen=True)
class Rare:
    """A sum of weighted products under inputs, whose factors are smooth between the kinks."""

    inputs: Inputs
    products: list[Product]
    kinks: tuple[float, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        one = torch.ones(len(x), dtype=x.dtype)
        return sum(
            c * math.prod((f(x[:, j]) for j, f in factors.items()), start=one)
            for c, factors in self.products
        )

    @cached_property
    def orders(self) -> np.ndarray:
        """V_1, V_2, V_3 and everything above."""
        variance = np.zeros(9)
        for (c, one), (d, other) in itertools.product(self.products, repeat=2):
            # A polynomial whose k-th coefficient is the covariance of order k.
            orders = np.array([c * d])
            for j in {**one, **other}:
                product, means = self._moments(j, one.get(j), other.get(j))
                orders = np.append(orders * means, 0) + np.append(0, orders * (product - means))
            variance[: len(orders)] += orders
        return np.append(variance[1:4], variance[4:].sum())

    def _moments(self, j: int, f: Factor | None, g: Factor | None) -> tuple[float, float]:
        """E f g, and E f times E g."""
        x, weight = self.inputs.quadrature(64, coordinate=j, breakpoints=(*self.kinks, -9e9))
        x = torch.as_tensor(x)
        f, g = (np.ones(len(x)) if h is None else h(x).numpy() for h in (f, g))
        return float(weight @ (f * g)), float(weight @ f) * float(weight @ g)


def above(threshold: float) -> Factor:
    return lambda x: (x > threshold).to(x.dtype)


def below(threshold: float) -> Factor:
    return lambda x: (x < threshold).to(x.dtype)


def same(x: Tensor) -> Tensor:
    return x


def wave(frequency: float) -> Factor:
    return lambda x: (frequency * x).sin()


def every(inputs: tuple[int, ...], factor: Factor) -> dict[int, Factor]:
    return dict.fromkeys(inputs, factor)


def unit(dim: int) -> Uniform:
    return Uniform(0.0, 1.0, dim=dim)


def _columns(rows: int, seed: int, *rare: np.ndarray | Callable) -> Empirical:
    """Six uniform columns, and others made from a generator."""
    rng = np.random.default_rng(seed)
    others = [column(rng) for column in rare]
    return Empirical(np.column_stack([rng.random((rows, 8 - len(others))), *others]))


def _flag(rows: int, part: float) -> Callable:
    return lambda rng: rng.permutation(np.arange(rows) < part * rows).astype(float)


def _mostly_zero(rows: int, part: float, draw: Callable) -> Callable:
    return lambda rng: np.where(rng.permutation(np.arange(rows) < part * rows), draw(rng), 0.0)


def _pareto(shape: float, rows: int, dim: int, seed: int) -> Empirical:
    return Empirical(np.random.default_rng(seed).pareto(shape, size=(rows, dim)) + 1)


FLAGGED = _columns(2000, 0, _flag(2000, 0.01))
ZEROS = _columns(20_000, 1, _mostly_zero(20_000, 0.01, lambda r: r.random(20_000)))
TWO_FLAGS = _columns(5000, 2, _flag(5000, 0.01), _flag(5000, 0.01))
CODES = _columns(4000, 3, lambda r: np.where(r.random(4000) < 0.003, 17.0, r.integers(0, 6, 4000)))
COUNTS = _columns(10_000, 4, *[_mostly_zero(10_000, 0.02, lambda r: r.lognormal(size=10_000))] * 3)

RULER = {
    "order 3 beside lines": Rare(
        unit(10), [(1, {0: same}), (1, {4: same}), (16, every((1, 2, 3), above(0.9)))], (0.9,)
    ),
    "order 3 alone": Rare(unit(8), [(1, every((0, 1, 2), above(0.8)))], (0.8,)),
    "once in ten thousand": Rare(unit(8), [(1, every((0, 1), below(0.01)))], (0.01,)),
    "fast wave under a flag": Rare(
        FLAGGED, [(1, {0: same}), (1, every((1, 2), same)), (4, {7: same, 3: wave(60.0)})]
    ),
    "wave where a column is not zero": Rare(
        ZEROS, [(0.3, {0: same}), (0.3, every((1, 2), same)), (1, {7: wave(30.0)})]
    ),
    "heavy tails": Rare(
        _pareto(2.1, 5000, 8, 0), [(1, every((0, 1), same)), (1, {2: same}), (1, {5: same})]
    ),
}
"""The functions of this kind on which the ruler was wrong."""

OTHERS = {
    "one in a hundred, order 2": Rare(
        unit(10), [(1, every((3, 5), above(0.9))), (0.1, {0: same})], (0.9,)
    ),
    "one in a thousand, order 3": Rare(
        unit(12), [(10, every((3, 5, 7), below(0.1))), (0.3, {0: same})], (0.1,)
    ),
    "one in ten thousand, order 4": Rare(
        unit(8),
        [(30, every((0, 1, 2, 3), above(0.9))), (1, {4: same}), (1, every((5, 6), same))],
        (0.9,),
    ),
    "one in ten thousand, beside lines": Rare(
        unit(10),
        [(50, every((0, 9), above(0.99))), (1, {1: same}), (1, every((2, 3), same))],
        (0.99,),
    ),
    "two events": Rare(
        unit(8), [(1, every((0, 1), below(0.05))), (1, every((2, 3), above(0.95)))], (0.05, 0.95)
    ),
    "both of two flags": Rare(TWO_FLAGS, [(5, every((6, 7), same)), (0.3, every((0, 1), same))]),
    "slow wave under a flag": Rare(
        TWO_FLAGS, [(3, {6: same, 2: wave(20.0)}), (0.3, every((0, 1), same))]
    ),
    "counts, mostly zero": Rare(
        COUNTS, [(1, every((5, 6), same)), (1, {3: same}), (0.5, {4: same, 7: same})]
    ),
    "no fourth moment": Rare(
        _pareto(1.5, 3000, 6, 1),
        [(1, every((0, 1), same)), (1, every((2, 3), same)), (1, {5: same})],
    ),
    "a rare category": Rare(
        CODES,
        [
            (20, {7: lambda x: (x == 17).to(x.dtype), 3: lambda x: x - 0.5}),
            (1, every((2, 4), same)),
        ],
    ),
    "both in the tail": Rare(
        Normal(dim=8),
        [(20, every((0, 1), above(2.0))), (0.5, {2: same}), (0.5, every((3, 4), same))],
        (2.0,),
    ),
    "lognormal product": Rare(Normal(dim=6), [(1, every((0, 1, 2), torch.exp))], (0.0,)),
    "needle": Rare(
        unit(8),
        [(10, {0: lambda x: ((x - 0.37).abs() < 0.005).to(x.dtype), 1: same}), (1, {2: same})],
        (0.365, 0.375),
    ),
    "among a hundred inputs": Rare(
        unit(100), [(10, every((3, 50), above(0.968))), (1, {0: same})], (0.968,)
    ),
}
"""More of this kind."""
