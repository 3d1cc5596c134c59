"""One input of any continuous distribution, from its quantile function alone.

Quantiles of most distributions are smooth functions of those of the normal one: x = T(z), with z
normal. T is tabulated once, as polynomials on panels of z that are halved until these are right to
1e-12, so that drawing a point costs as much for a distribution whose quantiles take a solver as for
the others, on any device. Everything else is read off the same table: the rule that integrates
polynomials is the Gauss rule of T at Gauss-Legendre nodes on every panel (the discretised Stieltjes
procedure, Gautschi 2004, 2.2.4).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.polynomial import chebyshev
from scipy.special import ndtr
from torch import Tensor

from . import _tables
from .base import Inputs

FAR = 12.0
"""Normal quantiles up to which the distribution is taken, 2e-33 of it beyond: moments of heavy
tails come from there, points do not."""
ENOUGH = 6.0
"""Normal quantiles from which a tail is cut off where its quantiles are rough, as solvers leave
them: 1e-9 of the distribution lies beyond."""
PANELS = 48
"""Panels of the table, to begin with."""
DEGREE = 7
"""Degree of the polynomials on a panel: eight numbers are read for a point."""
EXACT = 1e-12
"""Part of the values, or of their spread where that is more, by which the table may be off."""
HALVINGS = 40
"""Times that a panel is halved at most, as happens at a kink or a gap."""
MOST_PANELS = 2048
"""Panels that may be wrong at a time: where more are, it is the quantile function that is rough."""
SHALLOW = 5
"""Times that a panel of the tails is halved at most."""
NOISE = 0.8
"""Part of the halves that may be wrong again."""
ROUGH = 1e-6
"""Error that is refused."""
LEGENDRE = 16
"""Nodes of a panel in the rule that stands for the distribution."""
MONITOR = 0.2
"""Power of the density in proportion to which knots are dense: curves of even curvature are then
read off as well as may be (de Boor 1973, for mean squares under a density)."""
KNOTS_TO = 5.2
"""Normal quantiles between which knots lie."""


class Continuous(Inputs):
    """One input whose quantiles are given by a function.

    Parameters
    ----------
    ppf, isf : callable
        Quantile functions of the probability below and above, for arrays.
    name : str
        What the distribution is called in messages.
    """

    dim = 1
    alike = True

    def __init__(
        self,
        ppf: Callable[[np.ndarray], np.ndarray],
        isf: Callable[[np.ndarray], np.ndarray],
        name: str,
    ) -> None:
        self._name = name

        def transform(z: np.ndarray) -> np.ndarray:
            with np.errstate(all="ignore"):
                below = np.asarray(ppf(ndtr(np.minimum(z, 0.0))), dtype=np.float64)
                above = np.asarray(isf(ndtr(-np.maximum(z, 0.0))), dtype=np.float64)
            return np.where(z < 0, below, above)

        self._edges, self._table = self._tabulated(transform)
        self._kept: dict[tuple[torch.dtype, torch.device], tuple[Tensor, Tensor]] = {}

    def __repr__(self) -> str:
        return self._name

    def _tabulated(
        self, transform: Callable[[np.ndarray], np.ndarray]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the panels [P + 1] and coefficients of powers on each, [DEGREE + 1, P]."""
        nodes = np.cos(np.pi * (np.arange(DEGREE + 1) + 0.5) / (DEGREE + 1))
        between = np.cos(np.pi * np.arange(DEGREE + 2) / (DEGREE + 1))
        from_values = np.linalg.inv(chebyshev.chebvander(nodes, DEGREE)).T
        to_checks = chebyshev.chebvander(between, DEGREE).T
        series = map(chebyshev.cheb2poly, np.eye(DEGREE + 1))
        powers = np.stack([np.pad(p, (0, DEGREE + 1 - len(p))) for p in series])
        spread = float(np.ptp(transform(np.array([-1.0, 1.0]))))
        edges = np.linspace(-FAR, FAR, PANELS + 1)
        left, right = edges[:-1], edges[1:]
        found = []
        for halving in range(HALVINGS + 1):
            middle, half = (left + right)[:, None] / 2, (right - left)[:, None] / 2
            values, checks = transform(middle + half * nodes), transform(middle + half * between)
            coefficients = values @ from_values
            size = np.maximum(np.abs(checks).max(axis=1), spread)
            off = np.abs(coefficients @ to_checks - checks).max(axis=1) / size
            off = np.where(np.isfinite(off), off, np.inf)
            # Far out in the tails digits are few, and what they lack is no kink to be looked for.
            bad = (off > EXACT) & ((halving < SHALLOW) | (np.abs(middle[:, 0]) < ENOUGH))
            # Of two halves beside a kink or a gap one is good; where neither is, it is noise.
            noise = halving > 4 and bad.mean() > NOISE
            last = noise or halving == HALVINGS or bad.sum() > MOST_PANELS
            good = ~bad | last
            found.append((left[good], right[good], off[good], coefficients[good] @ powers))
            left, right, middle = left[~good], right[~good], middle[~good, 0]
            left, right = np.append(left, middle), np.append(middle, right)
            if not len(left):
                break
        left, right, off, table = (np.concatenate(parts) for parts in zip(*found, strict=True))
        # Beside a gap the last panel is so narrow that what it holds does not matter.
        rough = (off > ROUGH) & (right - left > ROUGH)
        first = right[rough & (right <= -ENOUGH)].max(initial=-FAR)
        final = left[rough & (left >= ENOUGH)].min(initial=FAR)
        within = (left >= first) & (right <= final)
        if rough[within].any() or not np.isfinite(table[within]).all():
            raise ValueError(
                f"{self._name} has quantiles that are not finite or too rough to tabulate"
            )
        order = np.argsort(left[within])
        ends = left[within][order], right[within][order]
        return np.append(ends[0], ends[1][-1]), table[within][order].T

    def _at(self, z: Tensor) -> Tensor:
        """Values at normal quantiles, in their type."""
        key = z.dtype, z.device
        if key not in self._kept:
            tables = self._edges, self._table
            self._kept[key] = tuple(torch.as_tensor(a).to(z) for a in tables)
        edges, table = self._kept[key]
        z = z.clamp(edges[0], edges[-1])
        panel = torch.searchsorted(edges, z, right=True).sub_(1).clamp_(0, table.shape[1] - 1)
        left, right = edges[panel], edges[panel + 1]
        part = ((z - left) - (right - z)) / (right - left)
        x = table[-1][panel]
        for row in table.flip(0)[1:]:
            x = x * part + row[panel]
        return x

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        # A generator may return exactly 0, of infinite quantile; half a step is its middle.
        eps = torch.finfo(u.dtype).eps / 4
        return self._at(torch.special.ndtri(u.clamp(eps, 1 - 2 * eps)).contiguous())

    @cached_property
    def _measure(self) -> tuple[np.ndarray, np.ndarray]:
        """Points and weights that stand for the distribution, ascending."""
        return self._between(self._edges)

    def _between(self, edges: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        t, w = np.polynomial.legendre.leggauss(LEGENDRE)
        middle, half = (edges[1:] + edges[:-1])[:, None] / 2, np.diff(edges)[:, None] / 2
        z = (middle + half * t).ravel()
        weights = (half * w).ravel() * np.exp(-(z**2) / 2)
        return self._at(torch.as_tensor(z)).numpy(), weights / weights.sum()

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        x, w = self._measure
        kinks = np.array(sorted(p for p in set(breakpoints) if x[0] < p < x[-1]))
        if not len(kinks):
            return _tables.gauss(x, w, size)
        cuts = self._inverse(kinks)
        x, w = self._between(np.union1d(self._edges, cuts))
        piece = np.searchsorted(kinks, x, side="right")
        counts = np.bincount(piece, minlength=len(kinks) + 1)
        # The pieces' points side by side, the shorter ones filled with points of weight 0.
        place = np.arange(len(x)) - np.repeat(np.cumsum(counts) - counts, counts)
        values, weights = (np.zeros((len(counts), counts.max())) for _ in range(2))
        values[piece, place], weights[piece, place] = x, w
        mass = weights.sum(axis=1, keepdims=True)
        nodes, parts = _tables.gauss(values, weights / mass, size)
        return nodes.ravel(), (mass * parts).ravel()

    def _inverse(self, x: np.ndarray) -> np.ndarray:
        """Normal quantiles of values, by bisection of the table."""
        low, high = np.full(len(x), self._edges[0]), np.full(len(x), self._edges[-1])
        for _ in range(60):
            middle = (low + high) / 2
            below = self._at(torch.as_tensor(middle)).numpy() < x
            low, high = np.where(below, middle, low), np.where(below, high, middle)
        return (low + high) / 2

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        z = np.linspace(-KNOTS_TO, KNOTS_TO, 64 * size)
        x = self._at(torch.as_tensor(z)).numpy()
        dense = np.diff(ndtr(z)) ** MONITOR * np.maximum(np.diff(x), 0.0) ** (1 - MONITOR)
        steps = np.append(0.0, np.cumsum(dense))
        return np.unique(np.interp(np.linspace(0, steps[-1], size), steps, x))

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        a, b, _ = _tables.lanczos(*self._measure, degree)
        return a[None], b[None]
