"""Inputs that are all alike: uniform, normal, or signs."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real
from typing import ClassVar

import numpy as np
import torch
from scipy.linalg import eigh_tridiagonal
from scipy.special import ndtr
from torch import Tensor

from .base import Inputs


def _check_dim(dim: int) -> None:
    if isinstance(dim, bool) or not isinstance(dim, (int, np.integer)) or dim < 1:
        raise ValueError(f"dim must be a positive integer, got {dim!r}")


class _Alike(Inputs):
    """Inputs that share one marginal of two numbers."""

    alike = True

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
                    " Where inputs differ, use Marginals, or let the function rescale "
                    "them: lambda x: f(shift + scale * x)"
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
    """Independent U(low, high) inputs.

    Examples
    --------
    >>> from interactions import Uniform, order_spectrum
    >>> order_spectrum(lambda x: x[:, 0] + x[:, 0] * x[:, 1], Uniform(-1, 1, dim=2)).share.round(2)
    array([0.75, 0.25, 0.  ])
    """

    low: float
    high: float
    dim: int = field(kw_only=True)

    def __post_init__(self) -> None:
        self._check(low=self.low, high=self.high)
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"Uniform needs finite low < high, got {self.low}, {self.high}")

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        return self.low + (self.high - self.low) * u

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        nodes, weights = _legendre(size, _pieces(self.low, self.high, breakpoints))
        return nodes, weights / (self.high - self.low)

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        return np.linspace(self.low, self.high, size)

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        return np.clip((np.asarray(x) - self.low) / (self.high - self.low), 0.0, 1.0)

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        n = np.arange(1, degree + 1)
        half = (self.high - self.low) / 2
        b = np.concatenate([[1.0], half * n / np.sqrt(4.0 * n**2 - 1)])
        a = np.full(degree + 1, (self.low + self.high) / 2)
        return np.tile(a, (self.dim, 1)), np.tile(b, (self.dim, 1))


@dataclass(frozen=True)
class Normal(_Alike):
    """Independent normal inputs with mean `mean` and standard deviation `std`.

    Examples
    --------
    >>> from interactions import Normal
    >>> Normal(dim=3).sample(2, generator=0).shape
    torch.Size([2, 3])
    """

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

    def probability_up_to(self, x: np.ndarray, *, coordinate: int) -> np.ndarray:
        return ndtr((np.asarray(x) - self.mean) / self.std)

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        b = np.concatenate([[1.0], self.std * np.sqrt(np.arange(1, degree + 1))])
        a = np.full(degree + 1, self.mean)
        return np.tile(a, (self.dim, 1)), np.tile(b, (self.dim, 1))


@dataclass(frozen=True)
class Rademacher(Inputs):
    """Independent inputs that are -1 or 1 with probability 1/2 each.

    Examples
    --------
    >>> from interactions import Rademacher, order_spectrum
    >>> order_spectrum(lambda x: x[:, 0] * x[:, 1] * x[:, 2], Rademacher(dim=3)).variance.round(2)
    array([0., 0., 1., 0.])
    """

    dim: int = field(kw_only=True)
    alike: ClassVar[bool] = True

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
