"""Sixty functions that know their spectrum, by what makes each of them hard to measure.

All are sums of products of functions of one input, so that `interactions.planted` has their
spectra in closed form. The measurement is given a plain callable, without the kinks.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from interactions import Empirical, Normal, OrderSpectrum, Rademacher, Uniform
from interactions.inputs import Inputs
from interactions.planted import (
    IDENTITY,
    Factor,
    Planted,
    PlantedInteractions,
    SumOfProducts,
    Term,
    affine,
    cosine,
    g_function,
    ishigami,
    paper_generator,
    sine,
)

UNIT = {d: Uniform(0.0, 1.0, dim=d) for d in (2, 5, 6, 8, 10, 50)}
BOTH = {d: Uniform(-1.0, 1.0, dim=d) for d in (2, 3, 4, 5, 6, 8, 10, 25, 100)}


@dataclass(frozen=True)
class Case:
    """One function under one distribution.

    `scale` and `offset` change its values after the fact, which the shares must not feel.
    """

    name: str
    family: str
    planted: Planted | Outputs
    inputs: Inputs
    max_order: int = 3
    scale: float = 1.0
    offset: float = 0.0

    def __call__(self, x: Tensor) -> Tensor:
        return self.offset + self.scale * self.planted(x)

    @cached_property
    def truth(self) -> np.ndarray:
        """Variance by order and above, [max_order + 1] or [m, max_order + 1]."""
        variance = self.planted.spectrum(self.inputs, self.max_order).variance
        return self.scale**2 * variance


@dataclass(frozen=True)
class Outputs:
    """Functions that share their products and differ in the weights, [m, products]."""

    products: tuple[Planted, ...]
    weights: np.ndarray

    def __call__(self, x: Tensor) -> Tensor:
        values = torch.stack([p(x) for p in self.products], dim=1)
        return values @ torch.as_tensor(self.weights, dtype=x.dtype).T

    def spectrum(self, inputs: Inputs, max_order: int) -> OrderSpectrum:
        """Only for products that are orthogonal under `inputs`: then weights enter as squares."""
        each = np.stack([p.spectrum(inputs, max_order).variance for p in self.products])
        return OrderSpectrum.known(self.weights**2 @ each, method="closed form")


def above(t: float) -> Factor:
    """[x > t]"""
    return Factor(lambda x: (x > t).to(x.dtype), kinks=(t,))


def below(t: float) -> Factor:
    """[x < t]"""
    return Factor(lambda x: (x < t).to(x.dtype), kinks=(t,))


def near(centre: float, width: float) -> Factor:
    """[|x - centre| < width]"""
    ends = (centre - width, centre + width)
    return Factor(lambda x: ((x - centre).abs() < width).to(x.dtype), kinks=ends)


def equal(value: float) -> Factor:
    """[x == value]"""
    return Factor(lambda x: (x == value).to(x.dtype), kinks=(value,))


def relu(t: float) -> Factor:
    """max(x - t, 0)"""
    return Factor(lambda x: (x - t).relu(), kinks=(t,))


ABS = Factor(lambda x: x.abs(), kinks=(0.0,))
SIGN = Factor(lambda x: x.sign(), kinks=(0.0,))
FLOOR = Factor(lambda x: x.floor(), kinks=(1.0, 2.0))
EXP = Factor(lambda x: x.exp())


def power(p: int) -> Factor:
    """x^p"""
    return Factor(lambda x: x**p)


def fast(factor: Factor, low: float = -1.0, high: float = 1.0) -> Factor:
    """The same factor, with its integrals split into twenty pieces."""
    return Factor(factor.function, tuple(np.linspace(low, high, 21)[1:-1].tolist()))


def levels(values: np.ndarray) -> Factor:
    """A step function on [-1, 1] with pieces of one width."""
    table, n = torch.as_tensor(values), len(values)
    kinks = tuple((2 * np.arange(1, n) / n - 1).tolist())
    edges = torch.tensor(kinks, dtype=torch.float64)
    return Factor(
        lambda x: table.to(x)[torch.bucketize(x.contiguous(), edges.to(x), right=True)], kinks
    )


def lookup(values: np.ndarray) -> Factor:
    """A table looked up by a code, which must be one of 0, 1, .. len(values) - 1."""
    table = torch.as_tensor(values)

    def look(x: Tensor) -> Tensor:
        code = x.long()
        if not torch.equal(code.to(x.dtype), x):
            raise KeyError("a value between two codes was asked for")
        return table.to(x)[code]

    return Factor(look)


def of(*terms: tuple[float, dict[int, Factor]]) -> SumOfProducts:
    """The sum of coefficient times product of factors by input."""
    return SumOfProducts(tuple(Term(c, factors) for c, factors in terms))


def x(*features: int) -> dict[int, Factor]:
    """The product of the inputs themselves."""
    return dict.fromkeys(features, IDENTITY)


def steps(dim: int, seed: int) -> SumOfProducts:
    """Random steps of every input, and products of two and three of them."""
    rng = np.random.default_rng(seed)
    subsets = [(j,) for j in range(dim)]
    subsets += [tuple(rng.choice(dim, size=k, replace=False).tolist()) for k in (2, 2, 3)]
    return of(*[(1.0, {j: levels(rng.normal(size=8)) for j in u}) for u in subsets])


def data(seed: int) -> np.random.Generator:
    return np.random.default_rng([20, seed])


def with_atom(column: np.ndarray, share: float, seed: int) -> np.ndarray:
    """The column with a share of its rows set to 0."""
    return np.where(data(seed).random(len(column)) < share, 0.0, column)


def random_outputs(m: int, dim: int, seed: int, factors: Callable[[], Factor]) -> Outputs:
    """Products of one to three centred factors, distinct and so orthogonal, weighted at random."""
    rng = np.random.default_rng(seed)
    subsets = [(j,) for j in range(dim)]
    subsets += [*itertools.combinations(range(4), 2), *itertools.combinations(range(4), 3)]
    products = tuple(of((1.0, {j: factors() for j in u})) for u in subsets)
    size = np.array([1.0 if len(u) == 1 else 3.0 for u in subsets])
    return Outputs(products, rng.normal(size=(m, len(subsets))) * size)


def planted(
    inputs: Inputs, variances: dict[int, float], subsets: dict[int, int] | None = None
) -> PlantedInteractions:
    """Pure interactions of the given variances by order, on subsets of seed 1."""
    return PlantedInteractions(inputs, variances, subsets or {}, seed=1)


def _smooth() -> list[tuple]:
    columns = Empirical(data(0).exponential(size=(500, 6)))
    wave = affine(sine(2.0), 0.3, 1.0)
    normal, bits = Normal(dim=6), Rademacher(dim=10)
    return [
        ("ishigami", ishigami(), Uniform(-np.pi, np.pi, dim=3)),
        ("sin cos x", paper_generator(3), BOTH[3]),
        ("product of waves", of((1.0, dict.fromkeys(range(8), wave))), BOTH[8]),
        ("planted normal", planted(normal, {1: 1.0, 2: 2.0, 3: 0.5}), normal),
        ("planted bits", planted(bits, {1: 1.0, 2: 1.0, 4: 0.5}), bits),
        (
            "planted 25",
            planted(BOTH[25], {1: 1.0, 2: 1.0, 3: 1.0}, {1: 10, 2: 10, 3: 10}),
            BOTH[25],
        ),
        ("exponential columns", of((1.0, x(0, 1)), (1.0, {2: sine()}), (1.0, x(3))), columns),
    ]


def _kinked() -> list[tuple]:
    rows = Empirical(data(1).normal(size=(2000, 5)))
    return [
        ("g of 5", g_function((0.0, 1.0, 4.5, 9.0, 99.0)), UNIT[5]),
        ("g of 8", g_function((0.0, 0.5, 1.0, 1.0, 4.5, 9.0, 99.0, 99.0)), UNIT[8]),
        ("|x0||x1| + relu", of((1.0, {0: ABS, 1: ABS}), (1.0, {2: relu(0.0)})), Normal(dim=4)),
        ("relu x + |x|", of((2.0, {0: relu(0.3), 1: IDENTITY}), (1.0, {2: ABS})), BOTH[10]),
        ("three relus", of((1.0, {j: relu(-0.5) for j in range(3)})), Normal(dim=6)),
        ("relu of columns", of((1.0, {0: relu(0.4), 1: IDENTITY}), (0.5, {2: ABS})), rows),
    ]


def _steps() -> list[tuple]:
    one = ((1.0, {0: above(0.3)}), (1.0, {1: above(-0.2), 2: above(0.1)}))
    rng = np.random.default_rng(3)
    stairs = of((1.0, {0: levels(rng.normal(size=20)), 1: levels(rng.normal(size=20))}))
    signs = ((1.0, {0: SIGN, 1: SIGN}), (1.0, {2: above(1.0)}))
    return [
        ("two steps", of(*one), BOTH[3]),
        ("random steps of 5", steps(5, 0), BOTH[5]),
        ("random steps of 8", steps(8, 1), BOTH[8]),
        ("floors", of((1.0, {0: FLOOR, 1: FLOOR}), (1.0, {2: FLOOR})), Uniform(0.0, 3.0, dim=4)),
        ("signs", of(*signs), Normal(dim=6)),
        ("staircase", stairs, BOTH[2], 2),
    ]


def _rare() -> list[tuple]:
    corner = {j: above(0.9) for j in (1, 2, 3)}
    plain = ((1.0, x(0)), (1.0, x(1, 2)))
    return [
        ("p .1", of((1.0, x(0)), (10.0, {1: above(0.9)})), UNIT[6]),
        ("p .01", of(*plain, (30.0, {3: above(0.99)})), UNIT[8]),
        ("p .008, corner", of((1.0, {j: above(0.8) for j in range(3)})), UNIT[8]),
        ("p .01, needle", of((1.0, x(0)), (100.0, {1: near(0.37, 0.01)})), BOTH[2], 2),
        ("p .003, normal", of((1.0, x(0)), (20.0, {1: above(2.2), 2: above(1.2)})), Normal(dim=6)),
        ("p .001, corner", of((1.0, x(0)), (1.0, x(4)), (16.0, corner)), UNIT[10]),
        ("p 9e-4", of((1.0, x(0)), (50.0, {1: above(0.97), 2: above(0.97)})), UNIT[5]),
        ("p .001 of 50", of(*plain, (40.0, {3: below(0.001)})), UNIT[50]),
        ("p 1e-4, pair", of((1.0, {0: below(0.01), 1: below(0.01)})), UNIT[8]),
        ("p 1e-4, one", of((1.0, x(0)), (100.0, {1: above(0.9999)})), UNIT[6]),
    ]


def _atoms() -> list[tuple]:
    half = data(2).normal(size=(400, 2))
    half[:, 1] = with_atom(half[:, 1], 0.5, 1)
    codes = np.column_stack(
        [np.tile(np.arange(100), 5), data(3).normal(size=500), data(4).integers(0, 4, size=500)]
    )
    flags = data(5).normal(size=(2000, 8))
    flags[:, 7] = np.arange(2000) % 100 == 0
    zeros = data(6).uniform(-1, 1, size=(20_000, 8))
    zeros[:, 7] = with_atom(zeros[:, 7], 0.99, 7)
    counts = data(8).poisson(0.3, size=(1000, 6)).astype(float)
    geometric = np.minimum(data(9).geometric(0.4, size=(3000, 4)) - 1, 15).astype(float)
    bit = affine(IDENTITY, 0.5, 0.5)
    slow = ((0.3, x(0)), (0.3, x(1, 2)))
    table = data(10).normal(size=100)
    return [
        ("half zero", of((1.0, x(0)), (3.0, {1: equal(0.0)})), Empirical(half), 2),
        ("table of 100", of((1.0, {0: lookup(table)}), (0.5, x(1, 2))), Empirical(codes)),
        (
            "flag of 1%",
            of((1.0, x(0)), (1.0, x(1, 2)), (4.0, {7: IDENTITY, 3: sine(60.0)})),
            Empirical(flags),
        ),
        (
            "99% zero",
            of(*slow, (1.0, {7: multiply_above(0.0, sine(30.0))})),
            Empirical(zeros),
        ),
        (
            "and of 5 bits",
            of((1.0, dict.fromkeys(range(5), bit)), (0.1, x(6, 7))),
            Rademacher(dim=20),
        ),
        ("counts", of((1.0, x(0, 1, 2)), (0.2, x(3)), (0.2, {4: equal(2.0)})), Empirical(counts)),
        (
            "rare codes",
            of((1.0, {0: lookup(table[:16]), 1: lookup(table[16:32])}), (1.0, x(2))),
            Empirical(geometric),
        ),
    ]


def multiply_above(t: float, factor: Factor) -> Factor:
    """[x > t] times the factor."""
    return Factor(lambda x: (x > t) * factor(x), kinks=(t,))


def _tails() -> list[tuple]:
    pareto = Empirical(data(11).pareto(2.1, size=(5000, 6)) + 1)
    student = Empirical(data(12).standard_t(3, size=(2000, 5)))
    lognormal = Empirical(np.exp(2 * data(13).normal(size=(1000, 8))))
    return [
        ("pareto", of((1.0, x(0, 1)), (1.0, x(2)), (1.0, x(5))), pareto),
        ("exp of normal", of((1.0, {0: EXP}), (1.0, {1: IDENTITY, 2: EXP})), Normal(dim=6)),
        ("student", of((1.0, x(0, 1, 2)), (1.0, x(3))), student),
        ("powers", of((1.0, {0: power(4), 1: IDENTITY}), (1.0, {2: power(3)})), Normal(dim=4)),
        ("lognormal", of((1.0, x(0)), (0.1, x(1, 2))), lognormal),
    ]


def _frequencies() -> list[tuple]:
    mixed = ((1.0, {0: fast(sine(20.0), -5, 5), 1: IDENTITY}), (0.5, x(2)))
    pair = {j: fast(sine(25.0)) for j in (0, 1)}
    return [
        ("60", of((1.0, {0: fast(sine(60.0))}), (1.0, x(1, 2))), BOTH[5]),
        ("40, pair", of((1.0, {0: fast(sine(40.0)), 1: IDENTITY})), BOTH[8]),
        ("150", of((1.0, {0: fast(cosine(150.0))}), (0.5, x(1, 2))), BOTH[3]),
        ("25 by 25", of((1.0, pair), (0.5, x(2))), BOTH[10]),
        ("20, normal", of(*mixed), Normal(dim=4)),
    ]


def _offset() -> list[tuple]:
    linear = of((1.0, x(0)), (3.0, x(1, 2)))
    normal = Normal(dim=6)
    return [
        ("1e8", linear, BOTH[8], 3, 1.0, 1e8),
        ("1e6, normal", planted(normal, {1: 1.0, 2: 1.0}), normal, 3, 1.0, 1e6),
        ("1e4, g", g_function((0.0, 0.5, 1.0, 4.5, 9.0, 99.0)), UNIT[6], 3, 1.0, 1e4),
        ("1e8, few inputs", linear, BOTH[3], 3, 1.0, 1e8),
    ]


def _tiny() -> list[tuple]:
    linear = of((1.0, x(0)), (1.0, x(1)), (2.0, x(2, 3)))
    return [
        ("1 + 1e-9", linear, BOTH[8], 3, 1e-9, 1.0),
        ("1e-12", linear, Normal(dim=6), 3, 1e-12, 0.0),
        ("1e-60", linear, BOTH[4], 3, 1e-60, 0.0),
    ]


def _wide() -> list[tuple]:
    bits, normal = Rademacher(dim=300), Normal(dim=1000)
    columns = Empirical(data(14).gamma(2.0, size=(300, 150)))
    both = {1: 1.0, 2: 1.0}
    many = {1: 50, 2: 50}
    return [
        ("100", planted(BOTH[100], {**both, 3: 1.0}, many), BOTH[100], 2),
        ("150 columns", planted(columns, both, many), columns, 2),
        ("300 bits", planted(bits, {**both, 3: 0.5}, many), bits, 2),
        ("1000 normals", planted(normal, both, many), normal, 1),
    ]


def _outputs() -> list[tuple]:
    wave = fast(sine(3.0))
    return [
        ("m 10", random_outputs(10, 8, 1, lambda: IDENTITY), BOTH[8]),
        ("m 100", random_outputs(100, 10, 2, lambda: wave), BOTH[10]),
        ("m 1000", random_outputs(1000, 6, 3, lambda: SIGN), Normal(dim=6)),
    ]


FAMILIES: dict[str, Callable[[], list[tuple]]] = {
    "smooth": _smooth,
    "kinked": _kinked,
    "steps": _steps,
    "rare": _rare,
    "atoms": _atoms,
    "tails": _tails,
    "frequency": _frequencies,
    "offset": _offset,
    "tiny": _tiny,
    "wide": _wide,
    "outputs": _outputs,
}


def cases(family: str | None = None) -> list[Case]:
    """All cases, or those of one family."""
    return [
        Case(name, f, *rest)
        for f, make in FAMILIES.items()
        if family in (None, f)
        for name, *rest in make()
    ]
