"""Replicates of every subset of an order, and of the total variance, as running sums."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ._evaluate import Evaluator

NODES = 6
"""Grid points per input of a subset: two independent shifted lattices of three."""
BACKGROUNDS = (2, 4, 8)
"""Choices of backgrounds per grid; the pilot finds which lowers the error most per evaluation."""
TOTAL_BLOCK = 1024
"""Points per replicate of the total variance."""
POINTS_AT_ONCE = 2**17
ROUNDING = 1e-13
"""Root mean square of a subset's replicates that is taken for 0, in units of the variance."""


class OrderReplicates:
    """Running sums of the replicates of every subset of one order."""

    def __init__(self, evaluate: Evaluator, order: int, generator: torch.Generator) -> None:
        self.evaluate, self.order, self.generator = evaluate, order, generator
        self.backgrounds = BACKGROUNDS[-1]
        self.count = math.comb(evaluate.inputs.dim, order)
        self.replicates = 0

    @cached_property
    def subsets(self) -> Tensor:
        """Every subset, [count, order]; made once it is known that they can be afforded."""
        subsets = list(combinations(range(self.evaluate.inputs.dim), self.order))
        return torch.tensor(subsets, device=self.evaluate.device)

    @cached_property
    def _sum(self) -> Tensor:
        return self._zeros()

    @cached_property
    def _square(self) -> Tensor:
        return self._zeros()

    def _zeros(self) -> Tensor:
        shape = (self.count, self.evaluate.outputs or 1)
        return torch.zeros(shape, dtype=torch.float64, device=self.evaluate.device)

    @property
    def cost(self) -> int:
        """Evaluations of one replicate."""
        return self.count * NODES**self.order * self.backgrounds

    def settle(self, replicates: int, total: np.ndarray) -> np.ndarray:
        """Choose the backgrounds by a pilot; returns the variance of one replicate, [m]."""
        choices = [b for b in BACKGROUNDS if b <= self.backgrounds]
        sums, squares = ([self._zeros() for _ in choices] for _ in range(2))
        for which in self._visits(replicates):
            table, centred = self._tables(self.subsets[which])
            for b, total_b, square_b in zip(choices, sums, squares, strict=True):
                values = _over_pairs(table[:, :b], centred[:, :b])
                total_b.index_add_(0, which, values)
                square_b.index_add_(0, which, values.square())
        spreads = [_spread(a, b, replicates).sum(dim=0) for a, b in zip(sums, squares, strict=True)]
        relative = [b * (_numpy(s) / total**2).sum() for b, s in zip(choices, spreads, strict=True)]
        best = int(np.argmin(relative))
        self.backgrounds = choices[best]
        return _numpy(spreads[best])

    def advance(self, replicates: int) -> None:
        """Visit every subset `replicates` more times."""
        for which in self._visits(replicates):
            values = _over_pairs(*self._tables(self.subsets[which]))
            self._sum.index_add_(0, which, values)
            self._square.index_add_(0, which, values.square())
        self.replicates += replicates

    def estimate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """V_k, the variance of this estimate, and its degrees of freedom, each [m]."""
        n = self.replicates
        spread = _spread(self._sum, self._square, n)
        total = spread.sum(dim=0)
        # Satterthwaite, Biometrics Bulletin 2 (1946).
        df = (n - 1) * total.square() / spread.square().sum(dim=0).clamp(min=1e-300)
        return _numpy(self._sum.sum(dim=0) / n), _numpy(total / n), np.maximum(_numpy(df), 1.0)

    def unseen(self, total: np.ndarray) -> np.ndarray:
        """Where all replicates of all subsets are 0, but for rounding, [m]."""
        largest = _numpy((self._square / self.replicates).amax(dim=0).sqrt())
        return largest <= ROUNDING * total

    def _visits(self, replicates: int) -> tuple[Tensor, ...]:
        """Numbers of the subsets to visit, in chunks that fit the memory."""
        row_bytes = 24 * self.evaluate.inputs.dim + 32 * (self.evaluate.outputs or 1)
        rows = min(POINTS_AT_ONCE, self.evaluate.memory // 4 // row_bytes)
        visits = torch.arange(replicates * self.count, device=self.subsets.device) % self.count
        return visits.split(max(1, rows // (NODES**self.order * self.backgrounds)))

    def _tables(self, subsets: Tensor) -> tuple[Tensor, Tensor]:
        """Values on fresh grids, and these centred along every axis, [s, b, NODES^k, m] each."""
        s, k = subsets.shape
        b, evaluate = self.backgrounds, self.evaluate
        inputs, device = evaluate.inputs, evaluate.device
        z = inputs.sample(s * b, generator=self.generator, dtype=evaluate.dtype)
        u = shifted_lattices((s, k), self.generator, evaluate.dtype)
        nodes = inputs.quantile(u, subsets[:, :, None])
        grid = torch.cartesian_prod(*[torch.arange(NODES, device=device)] * k).reshape(-1, k)
        on_grid = nodes[:, torch.arange(k, device=device), grid]
        x = z.view(s, b, 1, -1).expand(s, b, NODES**k, inputs.dim).clone()
        place = subsets[:, None, None, :].expand(s, b, NODES**k, k)
        x.scatter_(3, place, on_grid[:, None].expand_as(place))
        table = evaluate(x.view(-1, inputs.dim)).view(s, b, NODES**k, -1)
        centred = table.view(s, b, *[NODES] * k, -1)
        for axis in range(2, 2 + k):
            centred = torch.tensordot(centred, centred_form(device), dims=([axis], [0]))
            centred = centred.movedim(-1, axis)
        return table, centred.reshape(table.shape)


class TotalReplicates:
    """Running moments of plain samples, for the total variance."""

    def __init__(self, evaluate: Evaluator, generator: torch.Generator) -> None:
        self.evaluate, self.generator = evaluate, generator
        self.cost = TOTAL_BLOCK
        self.replicates = 0
        self._centre: Tensor | None = None
        self._powers: Tensor | float = 0.0

    def advance(self, replicates: int) -> None:
        for _ in range(replicates):
            x = self.evaluate.inputs.sample(
                TOTAL_BLOCK, generator=self.generator, dtype=self.evaluate.dtype
            )
            y = self.evaluate(x)
            if self._centre is None:
                # Any fixed number near the mean keeps the sums of powers accurate.
                self._centre = y.mean(dim=0)
            y = y - self._centre
            self._powers = self._powers + torch.stack([(y**p).sum(dim=0) for p in (1, 2, 3, 4)])
        self.replicates += replicates

    def fourth(self) -> np.ndarray:
        """Fourth moment over the squared second, [m]; 1 for constant functions."""
        m1, m2, m3, m4 = _numpy(self._powers) / (self.replicates * TOTAL_BLOCK)
        variance = m2 - m1**2
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        return np.where(variance > 0, fourth / np.where(variance > 0, variance, 1.0) ** 2, 1.0)

    def estimate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Total variance, the variance of this estimate, and its degrees of freedom, each [m]."""
        n = self.replicates * TOTAL_BLOCK
        m1, m2, m3, m4 = _numpy(self._powers) / n
        variance = (m2 - m1**2) * n / (n - 1)
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        error = np.maximum(fourth - variance**2 * (n - 3) / (n - 1), 0) / n
        return variance, error, np.full_like(variance, n - 1)


def _over_pairs(table: Tensor, centred: Tensor) -> Tensor:
    """Mean of <table_a, centred_b> over pairs of different backgrounds, [s, m]: unbiased V_u."""
    b = table.shape[1]
    every = (table.sum(dim=1) * centred.sum(dim=1)).sum(dim=1)
    same = (table * centred).sum(dim=(1, 2))
    return (every - same) / (b * (b - 1))


def _spread(total: Tensor, square: Tensor, n: int) -> Tensor:
    """Sample variance of each subset's n estimates, from their sum and sum of squares."""
    return ((square / n - (total / n).square()) * n / (n - 1)).clamp(min=0)


def shifted_lattices(
    shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
) -> Tensor:
    """Uniforms [*shape, NODES]: two independent lattices of NODES / 2 points, shifted at random."""
    half = NODES // 2
    shift = torch.rand(*shape, 2, 1, generator=generator, dtype=dtype, device=generator.device)
    steps = torch.arange(half, dtype=dtype, device=generator.device)
    return ((steps + shift) / half).flatten(-2)


def centred_form(device: torch.device) -> Tensor:
    """The form A with E h(x)' A g(x) = Cov(h, g) on the nodes of `shifted_lattices`.

    Within a lattice points are spread evenly, which serves the mean of h g; between the two they
    are independent, which makes the product of their means unbiased for E h E g.
    """
    half = NODES // 2
    form = torch.eye(NODES, dtype=torch.float64, device=device) / NODES
    form[:half, half:] = form[half:, :half] = -1 / (2 * half**2)
    return form


def _numpy(x: Tensor) -> np.ndarray:
    return x.cpu().numpy()
