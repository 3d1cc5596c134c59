"""Fresh samples that come with the masks of their inputs, for less noise at the same cost.

Under input dropout most rows of a batch hide a part of every effect of high order. What they are
told to answer is noise to them, in which the few rows that show the whole effect drown. Two
remedies leave the expected gradient as it is:

by importance        half of the rows are masked by strata, every number of dropped inputs as often
                     as any other, and a row's loss is weighted by how likely its mask is at the
                     rate over how likely it was drawn (the balance heuristic: Veach & Guibas,
                     SIGGRAPH 1995). The weight depends on the number of dropped inputs alone, and
                     is at most 2.
expected targets     a row is told the target's mean given what its mask shows
                     (`interactions.theory.best_predictor` knows it of planted functions). For
                     losses whose derivative is linear in the target, as those of "squared" and
                     "binary" are, this averages the gradient over what is hidden (Rao-Blackwell).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..inputs import Inputs
from .ensemble import MLPEnsemble
from .samples import Batch, batch_generators


@dataclass(frozen=True)
class MaskedStream:
    """Fresh samples at every step, each member its own, with their inputs masked already.

    `fit` masks the inputs no further. Rates and kinds are those of the ensemble's dropout.

    Parameters
    ----------
    inputs : Inputs
    target : callable
        Maps points [n, d] and masks [n, d], True where kept, to floating-point targets [n] or
        [n, outputs].
    batch_size : int
        Points of each member at every step.
    by_importance : bool
        Draw half of the masks by strata, and weight all rows; False by default.

    Raises
    ------
    ValueError
        For a batch size below 1. `fit` refuses input noise, which has to come before masks.

    Examples
    --------
    >>> from interactions import Dropout, MaskedStream, MLPEnsemble, Uniform, fit
    >>> def mean_given_what_is_shown(x, kept):
    ...     return x[:, 0] * kept[:, 0]
    >>> shown = MaskedStream(Uniform(-1, 1, dim=2), mean_given_what_is_shown, batch_size=16)
    >>> networks = MLPEnsemble((2, 4, 1), seeds=[0], dropout=Dropout(inputs=0.5))
    >>> fit(networks, shown, steps=3).reason
    ['steps']
    """

    inputs: Inputs
    target: Callable[[Tensor, Tensor], Tensor]
    batch_size: int
    by_importance: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {self.batch_size}")

    @property
    def rows_per_step(self) -> int:
        """Rows a step sees: `batch_size`."""
        return self.batch_size

    def feed(self, ensemble: MLPEnsemble) -> MaskedFeed:
        """Batches for the members of an ensemble, from the start."""
        return MaskedFeed(self, ensemble)


class MaskedFeed:
    """A masked stream for every member of an ensemble."""

    masks_inputs = True

    def __init__(self, stream: MaskedStream, ensemble: MLPEnsemble) -> None:
        self._stream = stream
        self._generators = batch_generators(ensemble)
        self._rates = torch.tensor([d.inputs for d in ensemble.dropout]).to(ensemble.flat)

    def batches(self, members: Sequence[int], steps: int) -> Iterator[Batch]:
        """The next so many batches of some members."""
        s, rates = self._stream, self._rates[list(members)]
        rows, dim = s.batch_size, s.inputs.dim
        coordinates = torch.arange(dim, device=rates.device)
        chance, weights = strata(rates, dim)
        uniforms = rates.new_empty(len(rates), 2, rows, dim)
        starts = rates.new_empty(len(rates), 1)
        for _ in range(steps):
            for i, own, start in zip(members, uniforms, starts, strict=True):
                own.uniform_(generator=self._generators[i])
                start.uniform_(generator=self._generators[i])
            x = s.inputs.quantile(uniforms[:, 0], coordinates)
            if s.by_importance:
                dropped = numbers_dropped(chance, rows, starts)
                kept = kept_of(uniforms[:, 1], dropped)
                weight = weights.gather(1, dropped)[..., None] / rows
            else:
                kept, weight = uniforms[:, 1] >= rates[:, None, None], 1 / rows
            y = s.target(x.flatten(0, 1), kept.flatten(0, 1)).unflatten(0, x.shape[:2])
            yield Batch(x * kept, y[..., None] if y.ndim == 2 else y, weight)


def strata(rates: Tensor, dim: int) -> tuple[Tensor, Tensor]:
    """Chances with which 0 .. d inputs are dropped by importance, and rows' weights: [E, d + 1].

    The chance is the mean of the binomial one and of 1 / (d + 1), the weight the binomial chance
    over it. Where the rate is 0 nothing is dropped, with weight 1.
    """
    number = torch.arange(dim + 1).to(rates)
    ways = torch.tensor([math.comb(dim, n) for n in range(dim + 1)]).to(rates)
    rate = rates[:, None]
    binomial = ways * rate**number * (1 - rate) ** (dim - number)
    even = torch.where(rate > 0, 1 / (dim + 1), binomial)
    chance = (binomial + even) / 2
    return chance, torch.where(chance > 0, binomial / chance, 0.0)


def numbers_dropped(chance: Tensor, rows: int, start: Tensor) -> Tensor:
    """How many inputs each row drops, [E, rows], in every stratum as many rows as its chance says.

    Rows lie evenly in [0, 1), from `start` [E, 1] rows on, which is uniform in [0, 1): so the
    expected share of rows in a stratum is its chance exactly.
    """
    place = (torch.arange(rows).to(chance) + start) / rows
    return torch.searchsorted(chance.cumsum(dim=1)[:, :-1].contiguous(), place, right=True)


def kept_of(uniforms: Tensor, dropped: Tensor) -> Tensor:
    """Masks [E, n, d], True where kept, that drop so many inputs of each row, all alike likely."""
    return uniforms.argsort(dim=2) >= dropped[..., None]
