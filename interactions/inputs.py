"""Where points come from: product distributions of independent inputs.

Every distribution draws samples, gives a quadrature rule per coordinate, and an orthonormal
polynomial basis per coordinate. All three rest on two facts that each class states about itself:
its quantile function and the three-term recurrence of its orthonormal polynomials
(Gautschi, *Orthogonal Polynomials: Computation and Approximation*, 2004).
"""

from __future__ import annotations

import itertools
import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from numbers import Real

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal, qr
from scipy.special import ndtr
from torch import Tensor

from .arrays import numbers

FEW_VALUES = 128
"""A column with no more distinct values has a knot on each."""


def check_order(max_order: int, dim: int) -> None:
    """Refuse orders that do not exist in `dim` inputs."""
    if isinstance(max_order, bool) or not isinstance(max_order, (int, np.integer)):
        raise TypeError(f"max_order must be an integer, got {max_order!r}")
    if not 1 <= max_order <= dim:
        raise ValueError(
            f"max_order must lie between 1 and the number of inputs, {dim}; got {max_order}"
        )


class Inputs(ABC):
    """`dim` independent inputs with a known marginal each.

    Attributes
    ----------
    dim : int
        Number of inputs d.
    """

    dim: int

    @abstractmethod
    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        """Map uniforms in [0, 1) to values of the given coordinates.

        The integer tensor `coordinate` broadcasts to the shape of `u`; the result has the shape,
        dtype and device of `u`. It is nondecreasing in `u`, so stratified uniforms give
        stratified values.
        """

    @abstractmethod
    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        """Nodes and weights (float64, weights sum to 1) of a rule for one coordinate.

        `size` is the number of nodes, or the number of support points where the marginal has
        fewer. `breakpoints` are kinks of the integrand: continuous marginals then use one
        Gauss rule of `size` nodes between each neighbouring pair of kinks.
        """

    @abstractmethod
    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        """Ascending values of one coordinate between which a curve may be read off linearly.

        About `size` of them, or all values of a marginal with few.
        """

    @property
    def support_sizes(self) -> np.ndarray:
        """Number of distinct values of each input, [d]; infinite for continuous marginals."""
        return np.full(self.dim, np.inf)

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """Values of an input that takes finitely many, ascending, and their probabilities."""
        return self.quadrature(int(self.support_sizes[coordinate]), coordinate=coordinate)

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        """Probability that an input is at most x, of the shape of `x`, which may be infinite."""
        if not np.isfinite(self.support_sizes[coordinate]):
            raise NotImplementedError(f"{type(self).__name__} must state probability_up_to")
        values, weights = self.support(coordinate)
        sums = np.append(0.0, np.cumsum(weights))
        return (sums / sums[-1])[np.searchsorted(values, x, side="right")]

    @abstractmethod
    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        """Coefficients a, b of the orthonormal polynomials p_0 .. p_degree, each [d, degree + 1].

        x p_n = b_(n+1) p_(n+1) + a_n p_n + b_n p_(n-1), with p_0 = 1 and b_0 = 1. Where a
        marginal has only s support points, b_n = 0 for n >= s: no such polynomial exists.
        """

    def sample(
        self,
        n: int,
        *,
        generator: torch.Generator | int,
        dtype: torch.dtype = torch.float64,
    ) -> Tensor:
        """Draw n independent points, [n, d], on the generator's device.

        `generator` may be an integer seed, which stands for a fresh CPU generator. The same seed
        gives the same points on one kind of device.
        """
        if isinstance(generator, int):
            generator = torch.Generator().manual_seed(generator)
        device = generator.device
        u = torch.rand(n, self.dim, generator=generator, dtype=dtype, device=device)
        return self.quantile(u, torch.arange(self.dim, device=device))

    def basis(self, x: Tensor, degree: int) -> Tensor:
        """Orthonormal polynomials p_1 .. p_degree of each coordinate at points x.

        Returns [n, d, degree] in the dtype of `x` [n, d]. A polynomial that does not exist,
        because its marginal has too few support points, is 0.
        """
        a, b = (torch.as_tensor(c, dtype=x.dtype, device=x.device) for c in self.recurrence(degree))
        previous, current = torch.zeros_like(x), torch.ones_like(x)
        columns = []
        for n in range(degree):
            scale = torch.where(b[:, n + 1] > 0, 1 / b[:, n + 1], 0.0)
            previous, current = current, scale * ((x - a[:, n]) * current - b[:, n] * previous)
            columns.append(current)
        return torch.stack(columns, dim=-1)


def _check_dim(dim: int) -> None:
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or dim < 1:
        raise ValueError(f"dim must be a positive integer, got {dim!r}")


class _Alike(Inputs):
    """Inputs that share one marginal of two numbers."""

    def __new__(cls, *args: float, **options: float) -> _Alike:
        """Say how `dim` is given, where it comes third."""
        if len(args) > 2:
            shown = ", ".join(map(repr, args[:2]))
            raise TypeError(
                f"{cls.__name__} takes dim by its name: {cls.__name__}({shown}, dim={args[2]!r})"
            )
        return super().__new__(cls)

    def _check(self, **numbers: float) -> None:
        _check_dim(self.dim)
        for name, value in numbers.items():
            if isinstance(value, bool) or not isinstance(value, Real):
                raise TypeError(
                    f"{type(self).__name__} has one {name} for all inputs, a number; got {value!r}."
                    " Where inputs differ, let the function rescale them: "
                    "lambda x: f(shift + scale * x)"
                )


def _pieces(low: float, high: float, breakpoints: Sequence[float]) -> np.ndarray:
    return np.array([low, *sorted(p for p in set(breakpoints) if low < p < high), high])


def _legendre(size: int, pieces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gauss-Legendre rule for the Lebesgue measure, of `size` nodes on each piece."""
    t, w = np.polynomial.legendre.leggauss(size)
    panels = list(itertools.pairwise(pieces))
    nodes = np.concatenate([(left + right) / 2 + (right - left) / 2 * t for left, right in panels])
    weights = np.concatenate([(right - left) / 2 * w for left, right in panels])
    return nodes, weights


@dataclass(frozen=True)
class Uniform(_Alike):
    """Independent U(low, high) inputs."""

    low: float
    high: float
    dim: int = field(kw_only=True)

    def __post_init__(self) -> None:
        self._check(low=self.low, high=self.high)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Uniform needs finite low < high, got {self.low}, {self.high}")

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * u

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        return np.clip((np.asarray(x) - self.low) / (self.high - self.low), 0.0, 1.0)

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        nodes, weights = _legendre(size, _pieces(self.low, self.high, breakpoints))
        return nodes, weights / (self.high - self.low)

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        return np.linspace(self.low, self.high, size)

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        n = np.arange(1, degree + 1)
        half = (self.high - self.low) / 2
        b = np.concatenate([[1.0], half * n / np.sqrt(4.0 * n**2 - 1)])
        a = np.full(degree + 1, (self.low + self.high) / 2)
        return np.tile(a, (self.dim, 1)), np.tile(b, (self.dim, 1))


@dataclass(frozen=True)
class Normal(_Alike):
    """Independent normal inputs with mean `mean` and standard deviation `std`."""

    mean: float = 0.0
    std: float = 1.0
    dim: int = field(kw_only=True)

    def __post_init__(self) -> None:
        self._check(mean=self.mean, std=self.std)
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"Normal needs a finite mean and std > 0, got {self.mean}, {self.std}")

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        # A generator may return exactly 0, whose quantile is infinite; half a step is its middle.
        eps = torch.finfo(u.dtype).eps / 4
        z = torch.special.ndtri(u.clamp(eps, 1 - 2 * eps))
        return self.mean + self.std * z

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        return ndtr((np.asarray(x) - self.mean) / self.std)

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        if not breakpoints:
            _, b = self.recurrence(max(size - 1, 1))
            z, v = eigh_tridiagonal(np.zeros(size), b[0, 1:size] / self.std)
            return self.mean + self.std * z, v[0] ** 2
        kinks = [(p - self.mean) / self.std for p in breakpoints]
        # Nine standard deviations leave out less than 1e-18 of the mass.
        z, w = _legendre(size, _pieces(-9.0, 9.0, [*kinks, *range(-6, 7, 3)]))
        w = w * np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) / (ndtr(9.0) - ndtr(-9.0))
        return self.mean + self.std * z, w

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        return self.mean + self.std * np.linspace(-5.0, 5.0, size)

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        b = np.concatenate([[1.0], self.std * np.sqrt(np.arange(1, degree + 1))])
        a = np.full(degree + 1, self.mean)
        return np.tile(a, (self.dim, 1)), np.tile(b, (self.dim, 1))


@dataclass(frozen=True)
class Rademacher(Inputs):
    """Independent inputs that are -1 or 1 with probability 1/2 each."""

    dim: int = field(kw_only=True)

    def __post_init__(self) -> None:
        _check_dim(self.dim)

    @property
    def support_sizes(self) -> np.ndarray:
        return np.full(self.dim, 2.0)

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        return torch.where(u < 0.5, -1.0, 1.0).to(u.dtype)

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        return np.array([-1.0, 1.0]), np.array([0.5, 0.5])

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        return np.array([-1.0, 1.0])

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        b = np.zeros(degree + 1)
        b[:2] = 1.0
        return np.zeros((self.dim, degree + 1)), np.tile(b, (self.dim, 1))


class Empirical(Inputs):
    """Product of the columns' empirical marginals: each input drawn from its own column.

    The columns' dependence is deliberately left out; a functional ANOVA with independent parts
    exists only for independent inputs. Constant columns are allowed and carry no variance. Numbers
    may stand for categories, one column per category variable: which number stands for which does
    not matter to methods that visit single values (a column of up to 128 distinct values; the
    polynomials of `order_spectrum_from_samples` do take them as numbers). One-hot columns would be
    drawn independently of each other, as no data ever are: have the function encode them.
    Intervals measured under these rows speak of these rows; `anova.population_spectrum` gives
    those of the population they come from.

    Parameters
    ----------
    data : array [n, d]
        Finite numbers. Tensors, arrays and data frames of numbers are accepted.
    """

    def __init__(self, data: object) -> None:
        values = numbers(data, "Empirical data", finite=True).astype(np.float64)
        if values.ndim != 2 or 0 in values.shape:
            raise ValueError(f"Empirical needs data of shape [n, d], got {values.shape}")
        self.dim = values.shape[1]
        self._sorted = np.sort(values, axis=0)
        self._kept: dict[tuple[torch.dtype, torch.device], Tensor] = {}

    def __repr__(self) -> str:
        return f"Empirical({len(self._sorted)} rows, dim={self.dim})"

    @cached_property
    def support_sizes(self) -> np.ndarray:
        # A column at a time, for a comparison of all would be a table of the data's size.
        return np.array([1.0 + np.count_nonzero(c[1:] != c[:-1]) for c in self._sorted.T])

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        table = self._table(u.dtype, u.device)
        row = (u * len(table)).long().clamp_(max=len(table) - 1)
        return table[row, coordinate.expand_as(row)]

    def _table(self, dtype: torch.dtype, device: torch.device) -> Tensor:
        """The sorted columns as a tensor, kept: points are drawn in two types by turns."""
        if (dtype, device) not in self._kept:
            table = torch.as_tensor(self._sorted, dtype=dtype, device=device)
            self._kept[dtype, device] = table
        return self._kept[dtype, device]

    def support(self, coordinate: int) -> tuple[np.ndarray, np.ndarray]:
        """Distinct values of a column and their frequencies."""
        values, counts = np.unique(self._sorted[:, coordinate], return_counts=True)
        return values, counts / counts.sum()

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        values, weights = self.support(coordinate)
        if len(values) <= size or breakpoints:
            return values, weights
        a, b = _lanczos(values, weights, size - 1)
        nodes, vectors = eigh_tridiagonal(a, b[1:])
        return nodes, vectors[0] ** 2

    def nodes(self, size: int, coordinate: int) -> np.ndarray:
        """Values of a column, `size` of them and ascending, that carry a polynomial well.

        Approximate Fekete points: Sommariva & Vianello, Comput. Math. Appl. 57 (2009).
        """
        values, weights = self.support(coordinate)
        if len(values) <= size:
            return values
        a, b = _lanczos(values, weights, size - 1)
        table = [np.zeros_like(values), np.ones_like(values)]
        for n in range(np.count_nonzero(b) - 1):
            table.append(((values - a[n]) * table[-1] - b[n] * table[-2]) / b[n + 1])
        *_, order = qr(np.stack(table[1:]), mode="economic", pivoting=True)
        return np.sort(values[order[: len(table) - 1]])

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        values = np.unique(self._sorted[:, coordinate])
        if len(values) <= max(size, FEW_VALUES):
            return values
        # The extremes as well, for curves are not continued beyond what the column holds.
        rows = np.linspace(0, len(self._sorted) - 1, size).round().astype(int)
        return np.unique(self._sorted[rows, coordinate])

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        rows = [_lanczos(*self.support(j), degree) for j in range(self.dim)]
        return np.stack([a for a, _ in rows]), np.stack([b for _, b in rows])


def _lanczos(values: np.ndarray, weights: np.ndarray, degree: int) -> tuple[np.ndarray, np.ndarray]:
    """Recurrence coefficients of the orthonormal polynomials of a discrete measure.

    The Stieltjes procedure, reorthogonalised at every step. Beyond the support b is 0.
    """
    a, b = np.zeros(degree + 1), np.zeros(degree + 1)
    b[0] = 1.0
    spread = max(values[-1] - values[0], np.finfo(float).tiny)
    basis = [np.ones_like(values)]
    a[0] = weights @ values
    for n in range(1, min(degree, len(values) - 1) + 1):
        p = values * basis[-1]
        for _ in range(2):
            for q in basis:
                p = p - (weights @ (p * q)) * q
        b[n] = math.sqrt(weights @ p**2)
        if b[n] <= 1e-12 * spread:
            b[n] = 0.0
            break
        basis.append(p / b[n])
        a[n] = weights @ (values * basis[-1] ** 2)
    return a, b
