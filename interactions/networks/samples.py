"""What networks are trained on: fixed samples in batches, or fresh ones at every step.

Every member draws its batches from a stream of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ..inputs import Inputs
from .ensemble import MLPEnsemble, member_seed

MOST_GATHERED = 2**22
"""Numbers that the batches drawn ahead hold at most, all members together."""


class Batch(NamedTuple):
    """What B members are trained on in one step.

    Attributes
    ----------
    x : tensor [n, d], the same points for all members, or [B, n, d], each member's own
    y : tensor
        Targets [n, outputs] or [B, n, outputs], or integer labels [n] or [B, n].
    weight : float or tensor [B, n, 1]
        What the loss of each row is multiplied by before all are summed: 1 / n for the mean.
        Where members have different numbers of rows each has its own, and 0 for rows beyond
        them, which only fill up the tensor.
    """

    x: Tensor
    y: Tensor
    weight: Tensor | float


@dataclass(frozen=True)
class Samples:
    """A fixed training set: one for all members, or each member's own.

    Parameters
    ----------
    x : tensor [n, d], or [E, n, d]
    y : tensor [n] or [n, outputs], or the same with E before; integer labels [n] or [E, n]
    batch_size : int or None
        None, the default, takes the full batch every step. Otherwise each member goes through its
        own shuffle of the set every epoch, the last batch of an epoch being smaller (Keras' way).
    sizes : sequence of int, optional
        One per member, which is trained on its first so many rows only. All rows by default.

    Raises
    ------
    ValueError
        For shapes that do not fit each other, NaN or infinity, a batch size below 1, and sizes
        outside 1 .. n. `fit` refuses sets or sizes that are not as many as the members.

    Examples
    --------
    >>> import torch
    >>> from interactions import Samples
    >>> Samples(torch.zeros(100, 3), torch.zeros(100), batch_size=32).steps_per_epoch
    4
    """

    x: Tensor
    y: Tensor
    batch_size: int | None = None
    sizes: Sequence[int] | None = None

    def __post_init__(self) -> None:
        rows = self.x.shape[:-1]
        if self.x.ndim not in (2, 3) or self.y.shape[: len(rows)] != rows or not self.y.numel():
            raise ValueError(
                "needs x [n, d] and y [n] or [n, outputs], or the same with a first dimension "
                f"for the members; got {tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        for name, values in (("x", self.x), ("y", self.y)):
            if not torch.isfinite(values).all():
                raise ValueError(f"the training data has NaN or infinite values in {name}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {self.batch_size}")
        if self.sizes is not None and not all(1 <= s <= self.rows for s in self.sizes):
            raise ValueError(f"sizes must lie between 1 and {self.rows}, got {list(self.sizes)}")

    @property
    def rows(self) -> int:
        """How many rows a training set has, n."""
        return self.x.shape[-2]

    @property
    def rows_per_step(self) -> int:
        """Rows a step sees: `batch_size`, or all where there are fewer or it is None."""
        return self.rows if self.batch_size is None else min(self.batch_size, self.rows)

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which a member that is trained on all rows (not by `sizes`) sees each once."""
        return math.ceil(self.rows / self.rows_per_step)

    def feed(self, ensemble: MLPEnsemble) -> SampleFeed:
        """Batches for the members of an ensemble, from the start."""
        return SampleFeed(self, ensemble)


@dataclass(frozen=True)
class Stream:
    """Fresh samples at every step, each member its own.

    Parameters
    ----------
    inputs : Inputs
    target : callable
        Maps points [n, d] to [n], or to [n, outputs].
    batch_size : int
        Points of each member at every step.
    noise : float
        Standard deviation of normal noise added to the target, 0 by default. Integer labels
        get none.

    Raises
    ------
    ValueError
        For a batch size below 1, and for noise that is negative or not finite.

    Examples
    --------
    >>> from interactions import MLPEnsemble, Stream, Uniform, fit
    >>> fresh = Stream(Uniform(-1, 1, dim=2), lambda x: x[:, 0], batch_size=16)
    >>> fit(MLPEnsemble((2, 4, 1), seeds=[0]), fresh, steps=3).steps
    tensor([3])
    """

    inputs: Inputs
    target: Callable[[Tensor], Tensor]
    batch_size: int
    noise: float = 0.0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {self.batch_size}")
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"noise must be finite and not negative, got {self.noise}")

    @property
    def rows_per_step(self) -> int:
        """Rows a step sees: `batch_size`."""
        return self.batch_size

    def feed(self, ensemble: MLPEnsemble) -> StreamFeed:
        """Batches for the members of an ensemble, from the start."""
        return StreamFeed(self, ensemble)


class SampleFeed:
    """Samples on the device of an ensemble, and how far each member has gone through them."""

    masks_inputs = False

    def __init__(self, samples: Samples, ensemble: MLPEnsemble) -> None:
        members, rows = ensemble.members, samples.rows
        if samples.x.ndim == 3 and len(samples.x) != members:
            raise ValueError(f"{len(samples.x)} training sets were given for {members} members")
        if samples.sizes is not None and len(samples.sizes) != members:
            raise ValueError(f"{len(samples.sizes)} sizes were given for {members} members")
        self.x = samples.x.to(ensemble.flat)
        labels = not samples.y.is_floating_point()
        y = samples.y.to(self.x.device, torch.long if labels else self.x.dtype)
        self.y = y if labels or y.ndim == samples.x.ndim else y.unsqueeze(-1)
        self._own = samples.x.ndim == 3
        self._sizes = samples.sizes
        self._shuffles = None
        if samples.batch_size is not None:
            self._shuffles = [
                _Shuffle(size, samples.rows_per_step, generator)
                for size, generator in zip(
                    samples.sizes or [rows] * members, batch_generators(ensemble), strict=True
                )
            ]

    def whole(self, members: Sequence[int]) -> Batch:
        """All rows of some members."""
        members = list(members)
        x, y = (self.x[members], self.y[members]) if self._own else (self.x, self.y)
        if self._sizes is None:
            return Batch(x, y, 1 / x.shape[-2])
        sizes = torch.tensor([self._sizes[i] for i in members], device=x.device)[:, None]
        inside = torch.arange(x.shape[-2], device=x.device) < sizes
        return Batch(x, y, (inside.to(x) / sizes).unsqueeze(-1))

    def batches(self, members: Sequence[int], steps: int) -> Iterator[Batch]:
        """The next so many batches of some members."""
        if self._shuffles is None:
            batch = self.whole(members)
            for _ in range(steps):
                yield batch
            return
        rows_per_step = self._shuffles[0].batch_size
        x, y = (t.flatten(0, 1) if self._own else t for t in (self.x, self.y))
        first = torch.tensor(members if self._own else [0] * len(members), device=x.device)
        first = (first * self.x.shape[-2])[:, None]
        numbers = len(members) * rows_per_step * x.shape[-1]
        while steps > 0:
            some = min(steps, max(1, MOST_GATHERED // numbers))
            rows = torch.stack([self._shuffles[i].take(some) for i in members], dim=1)
            inside = (rows >= 0).to(x).unsqueeze(-1)
            weights = inside / inside.sum(dim=2, keepdim=True)
            where = (rows.clamp_(min=0) + first).flatten()
            xs = x.index_select(0, where).unflatten(0, rows.shape)
            ys = y.index_select(0, where).unflatten(0, rows.shape)
            yield from map(Batch, xs, ys, weights)
            steps -= some


class StreamFeed:
    """A stream of samples for every member of an ensemble."""

    masks_inputs = False

    def __init__(self, stream: Stream, ensemble: MLPEnsemble) -> None:
        self._stream = stream
        self._like = ensemble.flat.detach()
        self._generators = batch_generators(ensemble)

    def batches(self, members: Sequence[int], steps: int) -> Iterator[Batch]:
        """The next so many batches of some members."""
        s, dtype = self._stream, self._like.dtype
        generators = [self._generators[i] for i in members]
        for _ in range(steps):
            x = torch.stack(
                [s.inputs.sample(s.batch_size, generator=g, dtype=dtype) for g in generators]
            )
            y = s.target(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            if y.is_floating_point():
                y = y.unsqueeze(-1) if y.ndim == 2 else y
                if s.noise > 0:
                    y = y + s.noise * torch.stack(
                        [
                            torch.randn(y.shape[1:], generator=g, dtype=dtype, device=y.device)
                            for g in generators
                        ]
                    )
            yield Batch(x, y, 1 / s.batch_size)


class _Shuffle:
    """Endless batches of row numbers, from a new shuffle every epoch; -1 fills the last batch."""

    def __init__(self, size: int, batch_size: int, generator: torch.Generator) -> None:
        self.size, self.batch_size, self.generator = size, batch_size, generator
        self.ahead = torch.empty(0, batch_size, dtype=torch.long, device=generator.device)

    def take(self, steps: int) -> Tensor:
        """Row numbers [steps, batch_size] of the next batches."""
        epochs = [self.ahead]
        have = len(self.ahead)
        while have < steps:
            g = self.generator
            order = torch.randperm(self.size, generator=g, device=g.device)
            epochs.append(functional.pad(order, (0, -self.size % self.batch_size), value=-1))
            epochs[-1] = epochs[-1].view(-1, self.batch_size)
            have += len(epochs[-1])
        rows = torch.cat(epochs)
        self.ahead = rows[steps:]
        return rows[:steps]


def batch_generators(ensemble: MLPEnsemble) -> list[torch.Generator]:
    """The stream every member draws its batches from, at its start."""
    device = ensemble.flat.device
    return [torch.Generator(device).manual_seed(member_seed(s, "batches")) for s in ensemble.seeds]
