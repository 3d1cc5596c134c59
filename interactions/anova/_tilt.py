"""Points drawn where rare values are seen oftener, each with the weight that makes up for it.

An event of probability p turns up in n p of n plain points. Rules and flags that carry variance
hold where a few inputs stand in a tail or on a rare value, so half of the points may be drawn with
a few inputs tilted towards these (`rare_values`), or with every input tilted to where the function
was seen to vary (`towards`, as VEGAS does: Lepage, J. Comput. Phys. 27, 1978). The other half is
plain, so no weight exceeds 2 and whatever a plain sample would see is seen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs

PLAIN = 0.5
"""Part of a mixture's points that is drawn from the inputs as they are."""
HALVINGS = 13
"""Bins halve in probability towards both tails, this many times: down to 1.2e-4."""
MIDDLE = 16
"""Equal bins between the tails."""
MOST_ATOMS = 128
"""A column of no more distinct values has one bin on each."""
PIECE = 2**19
"""Numbers of points that are drawn or weighed at once: a few MiB."""
TILTED = (1, 2, 3, 4, 8)
"""How many inputs of a point are tilted at once, each as often, before a function is known."""
CAUTION = 0.1
"""Part of a tilted input that stays as it was."""


@dataclass(frozen=True, eq=False)
class Tilt:
    """A mixture of the inputs' own distribution and one tilted in some inputs at a time.

    Attributes
    ----------
    inputs : Inputs
    edges : tensor [d, B + 1]
        Ends of each input's bins as quantiles, from 0 to 1; bins at the end may be empty.
    odds : tensor [d, B]
        Probability of each bin where the input is tilted, over that where it is not.
    sizes : tuple of int
        Numbers of inputs tilted at once, each equally likely; d alone tilts every input.
    """

    inputs: Inputs
    edges: Tensor
    odds: Tensor
    sizes: tuple[int, ...]

    def draw(
        self, n: int, plain: float, *, generator: torch.Generator, dtype: torch.dtype
    ) -> Drawn:
        """N independent points, of which a part is plain, few at a time."""
        rows = max(1, PIECE // self.inputs.dim)
        sizes = [min(rows, n - start) for start in range(0, max(n, 1), rows)]
        parts = [self._draw(size, plain, generator, dtype) for size in sizes]
        return parts[0] if len(parts) == 1 else Drawn(*map(torch.cat, zip(*parts, strict=True)))

    def _draw(self, n: int, plain: float, generator: torch.Generator, dtype: torch.dtype) -> Drawn:
        dim, device = self.inputs.dim, generator.device
        like = {"generator": generator, "device": device}
        u = torch.rand(n, dim, dtype=dtype, **like)
        if plain < 1:
            rank = torch.rand(n, dim, **like).argsort(dim=1).argsort(dim=1)
            which = torch.randint(len(self.sizes), (n, 1), **like)
            size = torch.tensor(self.sizes, device=device)[which]
            tilted = (rank < size) & (torch.rand(n, 1, **like) >= plain)
            u = torch.where(tilted, self._tilted(u), u)
        at = torch.searchsorted(self.edges.to(u.dtype), u.T.contiguous(), right=True) - 1
        bins = at.clamp_(0, self.odds.shape[1] - 1).T.to(torch.int16)
        x = self.inputs.quantile(u, torch.arange(dim, device=device))
        return Drawn(x, bins, self.weight(bins, plain))

    def weight(self, bins: Tensor, plain: float) -> Tensor:
        """Density of the inputs over that of points of which a part is plain, [n]."""
        if plain == 1:
            return torch.ones(len(bins), dtype=torch.float64, device=bins.device)
        return 1 / (plain + (1 - plain) * self.ratio(bins))

    def in_each_bin(self, n: int, coordinate: int, *, generator: torch.Generator) -> Tensor:
        """Values [B, n] of one input, n in each bin; empty bins hold the largest value."""
        edges = self.edges[coordinate]
        like = {"generator": generator, "device": edges.device, "dtype": edges.dtype}
        u = edges[:-1, None] + edges.diff()[:, None] * torch.rand(len(edges) - 1, n, **like)
        u = u.clamp(max=1 - torch.finfo(u.dtype).eps / 2)
        return self.inputs.quantile(u, torch.full_like(u, coordinate, dtype=torch.long))

    def along(self, coordinate: int, u: Tensor) -> tuple[Tensor, Tensor]:
        """Quantiles of one input, half plain and half tilted, and their weights, each [n].

        `u` are quantiles of this mixture, ascending as they are.
        """
        edges, odds = self.edges[coordinate].to(u), self.odds[coordinate].to(u)
        density = PLAIN + (1 - PLAIN) * odds
        ends = torch.nn.functional.pad((density * edges.diff()).cumsum(dim=0), (1, 0))
        at = torch.searchsorted(ends, u * ends[-1], right=True).sub_(1).clamp_(0, len(odds) - 1)
        inside = edges[at] + (u * ends[-1] - ends[at]) / density[at]
        return inside.clamp(0, 1 - torch.finfo(u.dtype).eps / 2), 1 / density[at]

    def ratio(self, bins: Tensor, *, without: int | None = None) -> Tensor:
        """Density of tilted points over that of the inputs, [n], by the bins [n, d] they are in.

        With k of d inputs tilted it is the mean product of k odds. One input may stand anywhere:
        its odds have the mean 1.
        """
        n, dim = bins.shape
        rows = max(1, PIECE // dim)
        if n > rows:
            return torch.cat([self.ratio(some, without=without) for some in bins.split(rows)])
        odds = self.odds.gather(1, bins.T.long()).T
        if without is not None:
            odds[:, without] = 1.0
        if self.sizes == (dim,):
            return odds.double().prod(dim=1)
        # Mean products over subsets, by size: e_k / C(d, k), adding an input at a time.
        most = max(self.sizes)
        e = odds.new_zeros(n, most + 1, dtype=torch.float64)
        e[:, 0] = 1
        for column in odds.T.double():
            e[:, 1:] += column[:, None] * e[:, :-1].clone()
        counts = torch.tensor([math.comb(dim, k) for k in self.sizes], dtype=torch.float64)
        return (e[:, list(self.sizes)] / counts.to(e)).mean(dim=1)

    def _tilted(self, u: Tensor) -> Tensor:
        """Quantiles [n, d] that are uniform, as quantiles of the tilted distribution."""
        width = self.edges.diff(dim=1)
        ends = torch.nn.functional.pad((self.odds * width).cumsum(dim=1), (1, 0)).to(u.dtype)
        ends = ends / ends[:, -1:]
        at = torch.searchsorted(ends, u.T.contiguous(), right=True) - 1
        at = at.clamp_(0, width.shape[1] - 1)
        low, high = ends.gather(1, at), ends.gather(1, at + 1)
        part = (u.T - low) / (high - low).clamp(min=torch.finfo(u.dtype).tiny)
        start, stop = (self.edges.to(u.dtype).gather(1, at + i) for i in (0, 1))
        inside = torch.lerp(start, stop, part.clamp(0, 1))
        # A quantile is below 1, as those that are drawn are.
        return inside.clamp(0, 1 - torch.finfo(u.dtype).eps / 2).T


class Drawn(NamedTuple):
    """Points, the bins they fall in, and what makes up for having drawn them oftener.

    Attributes
    ----------
    x, bins : tensors [n, d]
    weight : tensor [n]
        Density of the inputs over that of the whole mixture, of mean 1.
    """

    x: Tensor
    bins: Tensor
    weight: Tensor


def rare_values(inputs: Inputs, device: torch.device) -> Tilt:
    """Some inputs tilted towards their tails and rare values: all bins alike probable."""
    rows = [_edges(inputs, j) for j in range(inputs.dim)]
    most = max(map(len, rows))
    edges = np.stack([np.pad(row, (0, most - len(row)), constant_values=1.0) for row in rows])
    edges = torch.as_tensor(edges, device=device)
    width = edges.diff(dim=1)
    bins = (width > 0).sum(dim=1, keepdim=True)
    odds = torch.where(width > 0, 1 / (bins * width.clamp(min=1e-300)), 0.0)
    return Tilt(inputs, edges, odds, tuple(k for k in TILTED if k <= inputs.dim))


def towards(rare: Tilt, carried: Tensor) -> Tilt:
    """Every input tilted to the bins that carry the variance, in shares [d, B] of it."""
    width = rare.edges.diff(dim=1)
    carried = carried / carried.sum(dim=1, keepdim=True)
    carried = (1 - CAUTION) * carried + CAUTION * width
    odds = torch.where(width > 0, carried / width.clamp(min=1e-300), 0.0)
    return Tilt(rare.inputs, rare.edges, odds, (rare.inputs.dim,))


def _edges(inputs: Inputs, coordinate: int) -> np.ndarray:
    """Ends of the bins of one input, as quantiles."""
    tails = 2.0 ** -np.arange(math.log2(MIDDLE), HALVINGS + 1)
    edges = np.concatenate([[0, 1], np.arange(1, MIDDLE) / MIDDLE, tails, 1 - tails])
    if np.isfinite(inputs.support_sizes[coordinate]):
        _, frequency = inputs.support(coordinate)
        ends = np.append(0, np.cumsum(frequency))
        ends[-1] = 1.0
        if len(frequency) <= MOST_ATOMS:
            return ends
        # A value that fills a bin has the bin to itself.
        large = np.flatnonzero(frequency > 1 / MIDDLE)
        edges = np.concatenate([edges, ends[large], ends[large + 1]])
        # Beside such a value others may be few, so that they have bins of like numbers of values.
        if len(large):
            edges = np.concatenate([edges, np.quantile(ends, np.linspace(0, 1, MIDDLE))])
    return np.unique(edges)
