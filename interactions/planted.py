"""Functions that know their own spectrum.

Each is a sum of products of functions of one input, F(x) = sum_t c_t prod_(j in S_t) h_tj(x_j).
With independent inputs its functional ANOVA follows from one-dimensional integrals alone: write
every factor as its mean plus a centred rest; expanding the products, the part of term t on a
subset v of S_t is c_t prod_(j in v) (h_tj - E h_tj) prod_(j in S_t, not v) E h_tj. Parts on
different subsets are orthogonal, and parts of two terms on one subset have covariance
c_t c_s prod_(j in v) Cov(h_tj, h_sj) times their leftover means.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from .inputs import Inputs, check_order
from .spectrum import OrderSpectrum

QUADRATURE = 80
"""Nodes of the one-dimensional integrals, per piece between kinks."""


@dataclass(frozen=True)
class Factor:
    """A function of one input; `kinks` are points where it is not smooth."""

    function: Callable[[Tensor], Tensor]
    kinks: tuple[float, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        return self.function(x)


IDENTITY = Factor(lambda x: x)


def sine(frequency: float = 1.0) -> Factor:
    """sin(frequency x)"""
    return Factor(lambda x: torch.sin(frequency * x))


def cosine(frequency: float = 1.0) -> Factor:
    """cos(frequency x)"""
    return Factor(lambda x: torch.cos(frequency * x))


def affine(factor: Factor, scale: float, shift: float) -> Factor:
    """Scale · factor + shift"""
    return Factor(lambda x: scale * factor(x) + shift, factor.kinks)


def multiply(g: Factor, h: Factor) -> Factor:
    """The product of two functions of one input."""
    return Factor(lambda x: g(x) * h(x), tuple(sorted({*g.kinks, *h.kinks})))


@dataclass(frozen=True)
class Term:
    """coefficient · product over j of factors[j](x_j); no factors make a constant."""

    coefficient: float
    factors: Mapping[int, Factor]


class Planted(ABC):
    """A sum of products of one-input functions, callable on [n, d] tensors, with its spectrum."""

    @property
    @abstractmethod
    def terms(self) -> tuple[Term, ...]:
        """The products that make up the function."""

    @property
    def min_dim(self) -> int:
        """Inputs the function needs: one more than the highest feature it uses."""
        return 1 + max((j for t in self.terms for j in t.factors), default=0)

    @property
    def kinks(self) -> tuple[float, ...]:
        """Points along the axes where the function is not smooth."""
        return tuple(sorted({k for t in self.terms for h in t.factors.values() for k in h.kinks}))

    def __call__(self, x: Tensor) -> Tensor:
        """Values [n] at points [n, d], in the dtype and device of `x`."""
        if x.ndim != 2 or x.shape[1] < self.min_dim:
            raise ValueError(f"needs points [n, d] with d >= {self.min_dim}, got {tuple(x.shape)}")
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        columns = x.unbind(dim=1)
        for term in self.terms:
            product = term.coefficient
            for j, factor in term.factors.items():
                product = product * factor(columns[j])
            total = total + product
        return total

    def spectrum(self, inputs: Inputs, max_order: int) -> OrderSpectrum:
        """Exact spectrum under independent `inputs`, up to rounding of the 1-d integrals."""
        check_order(max_order, inputs.dim)
        variance = np.zeros(max_order + 1)
        for subset, v in self.subset_variances(inputs).items():
            variance[min(len(subset), max_order + 1) - 1] += v
        return OrderSpectrum.known(variance, method="closed form (1-d integrals)")

    def subset_variances(self, inputs: Inputs) -> dict[tuple[int, ...], float]:
        """Variance of every subset whose effect is not identically zero."""
        parts = anova_parts(self, inputs)
        return {u: v for u, p in parts.items() if (v := _inner(p, p, inputs)) > 0}


def covariance(f: Planted, g: Planted, inputs: Inputs) -> float:
    """Covariance of two planted functions of the same inputs."""
    f_parts, g_parts = anova_parts(f, inputs), anova_parts(g, inputs)
    return sum(_inner(p, g_parts[u], inputs) for u, p in f_parts.items() if u in g_parts)


def expectation(f: Planted, inputs: Inputs) -> float:
    """E F(X)"""
    return sum(
        t.coefficient * math.prod(mean(h, j, inputs) for j, h in t.factors.items()) for t in f.terms
    )


def times(f: Planted, g: Planted) -> SumOfProducts:
    """X -> F(x) G(x): again a sum of products."""
    terms = []
    for a in f.terms:
        for b in g.terms:
            factors = {**a.factors, **b.factors}
            factors |= {
                j: multiply(a.factors[j], b.factors[j]) for j in a.factors if j in b.factors
            }
            terms.append(Term(a.coefficient * b.coefficient, factors))
    return SumOfProducts(tuple(terms))


def pure(f: Planted, inputs: Inputs) -> SumOfProducts:
    """The same products with every factor centred under `inputs`: h_j - E h_j.

    Each product of k factors is then a pure interaction of order k: its mean over any one of its
    inputs is zero. Purity belongs to a function and a distribution together.

    Raises
    ------
    ValueError
        Where a factor is constant under `inputs`, so that nothing would be left of its product.
    """
    terms = []
    for t in f.terms:
        for j, h in t.factors.items():
            if factor_covariance(h, h, j, inputs) <= 1e-24 * mean(multiply(h, h), j, inputs):
                raise ValueError(f"the factor of input {j} is constant under {inputs!r}")
        centred = {j: affine(h, 1.0, -mean(h, j, inputs)) for j, h in t.factors.items()}
        terms.append(Term(t.coefficient, centred))
    return SumOfProducts(tuple(terms))


Part = list[tuple[float, dict[int, Factor]]]


def anova_parts(f: Planted, inputs: Inputs) -> dict[tuple[int, ...], Part]:
    """For each subset, the products (weight, factors) whose CENTRED factors sum to its effect."""
    if inputs.dim < f.min_dim:
        raise ValueError(f"the function uses {f.min_dim} inputs, the distribution has {inputs.dim}")
    parts: dict[tuple[int, ...], Part] = {}
    for term in f.terms:
        means = {j: mean(h, j, inputs) for j, h in term.factors.items()}
        # A centred factor never leaves its subset, which keeps pure products cheap.
        loose = [j for j, m in means.items() if m != 0]
        fixed = [j for j in term.factors if j not in loose]
        for size in range(len(loose) + 1):
            for kept in combinations(loose, size):
                subset = tuple(sorted([*fixed, *kept]))
                if subset:
                    weight = term.coefficient * math.prod(means[j] for j in loose if j not in kept)
                    parts.setdefault(subset, []).append(
                        (weight, {j: term.factors[j] for j in subset})
                    )
    return parts


def _inner(a: Part, b: Part, inputs: Inputs) -> float:
    return sum(
        weight
        * other
        * math.prod(factor_covariance(factors[j], others[j], j, inputs) for j in factors)
        for weight, factors in a
        for other, others in b
    )


def _nodes(factors: tuple[Factor, ...], j: int, inputs: Inputs) -> tuple[Tensor, Tensor]:
    if inputs.discrete(j):
        # A factor may be a table that holds nothing between the values of its column.
        return tuple(map(torch.as_tensor, inputs.support(j)))
    kinks = [kink for h in factors for kink in h.kinks]
    nodes, weights = inputs.quadrature(QUADRATURE, coordinate=j, breakpoints=kinks)
    return torch.as_tensor(nodes), torch.as_tensor(weights)


def mean(h: Factor, j: int, inputs: Inputs) -> float:
    """E h(X_j)"""
    x, w = _nodes((h,), j, inputs)
    values = h(x)
    total = float(w @ values)
    # Symmetry makes many means zero; rounding must not hide it.
    return 0.0 if abs(total) <= 1e-14 * float(w @ values.abs()) else total


def factor_covariance(g: Factor, h: Factor, j: int, inputs: Inputs) -> float:
    """Cov(g(X_j), h(X_j))"""
    x, w = _nodes((g, h), j, inputs)
    gx, hx = g(x), h(x)
    return float(w @ ((gx - w @ gx) * (hx - w @ hx)))


@dataclass(frozen=True)
class SumOfProducts(Planted):
    """Any sum of products, given by its terms."""

    terms: tuple[Term, ...] = ()


@dataclass(frozen=True)
class Product(Planted):
    """scale · product over `features` of factor(x_j); the factor is the identity by default."""

    features: tuple[int, ...]
    scale: float = 1.0
    factor: Factor = IDENTITY

    def __post_init__(self) -> None:
        if len(set(self.features)) != len(self.features) or min(self.features, default=0) < 0:
            raise ValueError(f"features must be distinct and not negative, got {self.features}")

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        return (Term(self.scale, dict.fromkeys(self.features, self.factor)),)


def parity(dim: int) -> Product:
    """Product of all `dim` inputs; on ±1 inputs the parity function, all of order `dim`."""
    return Product(tuple(range(dim)))


@dataclass(frozen=True)
class PlantedInteractions(Planted):
    """Pure interactions of chosen orders and variances on subsets drawn from a seed.

    Each is a product of standardised inputs, (x_j - mean) / std, over its own subset, so effects
    of different subsets are orthogonal and order k has variance `variances[k]` exactly, shared
    equally by `subsets[k]` subsets with random signs.

    Parameters
    ----------
    inputs : Inputs
        The distribution under which the variances hold.
    variances : mapping from order to variance
    subsets : mapping from order to number of distinct subsets (default 1 each)
    seed : int
    """

    inputs: Inputs
    variances: Mapping[int, float]
    subsets: Mapping[int, int] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        for order, variance in self.variances.items():
            check_order(order, self.inputs.dim)
            if not variance >= 0:
                raise ValueError(f"the variance of order {order} must not be negative: {variance}")
            if not 1 <= self.subsets.get(order, 1) <= math.comb(self.inputs.dim, order):
                raise ValueError(
                    f"order {order} has {math.comb(self.inputs.dim, order)} subsets in "
                    f"{self.inputs.dim} inputs, asked for {self.subsets[order]}"
                )
        if extra := set(self.subsets) - set(self.variances):
            raise ValueError(f"subsets given for orders without a variance: {sorted(extra)}")

    @cached_property
    def chosen(self) -> dict[int, np.ndarray]:
        """Order to its subsets, an integer array [subsets, order]."""
        rng = np.random.default_rng(self.seed)
        chosen = {}
        for order in sorted(self.variances):
            wanted: set[tuple[int, ...]] = set()
            while len(wanted) < self.subsets.get(order, 1):
                u = rng.choice(self.inputs.dim, size=order, replace=False)
                wanted.add(tuple(sorted(u.tolist())))
            chosen[order] = np.array(sorted(wanted))
        return chosen

    @cached_property
    def coefficients(self) -> dict[int, np.ndarray]:
        """Order to the signed size of each of its effects, [subsets]."""
        rng = np.random.default_rng([self.seed, 1])
        return {
            k: rng.choice([-1.0, 1.0], size=len(u)) * math.sqrt(self.variances[k] / len(u))
            for k, u in self.chosen.items()
        }

    @cached_property
    def _standardising(self) -> tuple[np.ndarray, np.ndarray]:
        a, b = self.inputs.recurrence(1)
        used = np.unique(np.concatenate([u.ravel() for u in self.chosen.values()]))
        if np.any(b[used, 1] == 0):
            raise ValueError("an interaction was planted on a constant input")
        return a[:, 0], np.where(b[:, 1] > 0, b[:, 1], 1.0)

    @cached_property
    def terms(self) -> tuple[Term, ...]:
        mean, std = self._standardising
        standard = [affine(IDENTITY, 1 / std[j], -mean[j] / std[j]) for j in range(self.inputs.dim)]
        return tuple(
            Term(float(c), {int(j): standard[j] for j in u})
            for k in self.chosen
            for u, c in zip(self.chosen[k], self.coefficients[k], strict=True)
        )

    def __call__(self, x: Tensor) -> Tensor:
        # The same sum as the terms', all subsets of one order at a time.
        if x.ndim != 2 or x.shape[1] != self.inputs.dim:
            raise ValueError(f"needs points [n, {self.inputs.dim}], got {tuple(x.shape)}")
        mean, std = (
            torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in self._standardising
        )
        z = ((x - mean) / std).T.contiguous()
        total = torch.zeros(len(x), dtype=x.dtype, device=x.device)
        for k, subsets in self.chosen.items():
            index = torch.as_tensor(subsets, device=x.device)
            c = torch.as_tensor(self.coefficients[k], dtype=x.dtype, device=x.device)
            product = z[index[:, 0]]
            for column in range(1, k):
                product *= z[index[:, column]]
            total += c @ product
        return total


def paper_generator(number: int, *, pure_under: Inputs | None = None) -> SumOfProducts:
    """The paper's targets of Fig 7: 1 sin x0 + cos x1, 2 sin x0 cos x1, 3 sin x0 cos x1 x2.

    Named main, pair and three-way effects there; under U(-1, 1) inputs 97% of the second is a
    main effect, because cos has a mean far from zero. With `pure_under` the factors are centred
    under that distribution (see `pure`), and the orders are what the names say.
    """
    targets = {
        1: (Term(1.0, {0: sine()}), Term(1.0, {1: cosine()})),
        2: (Term(1.0, {0: sine(), 1: cosine()}),),
        3: (Term(1.0, {0: sine(), 1: cosine(), 2: IDENTITY}),),
    }
    if number not in targets:
        raise ValueError(f"the paper's generators are 1, 2 and 3; got {number!r}")
    target = SumOfProducts(targets[number])
    return target if pure_under is None else pure(target, pure_under)


def pure_noise() -> SumOfProducts:
    """The zero function: targets drawn around it are noise, independent of the inputs."""
    return SumOfProducts()


def ishigami(a: float = 7.0, b: float = 0.1) -> SumOfProducts:
    """Sin x0 + a sin^2 x1 + b x2^4 sin x0, usually on U(-pi, pi)^3.

    Ishigami & Homma, ISUMA 1990.
    """
    return SumOfProducts(
        (
            Term(1.0, {0: sine()}),
            Term(a, {1: Factor(lambda x: torch.sin(x) ** 2)}),
            Term(b, {0: sine(), 2: Factor(lambda x: x**4)}),
        )
    )


def g_function(a: tuple[float, ...]) -> SumOfProducts:
    """Sobol's G: product over j of (|4 x_j - 2| + a_j) / (1 + a_j), usually on U(0, 1)^d.

    Saltelli & Sobol', 1995. Every factor has a kink at 1/2.
    """

    def factor(a_j: float) -> Factor:
        return Factor(lambda x: ((4 * x - 2).abs() + a_j) / (1 + a_j), kinks=(0.5,))

    return SumOfProducts((Term(1.0, {j: factor(a_j) for j, a_j in enumerate(a)}),))
