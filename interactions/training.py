"""Training an ensemble: every member by itself, all in one computation.

Members share nothing but the arithmetic: each has its own weights, masks, batches and stopping
time. A member that has stopped keeps the weights it stopped with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from .inputs import Inputs
from .networks import MLPEnsemble, member_seed

CHECK_EVERY = 50
"""Steps between looks at whether all members have stopped, which wait for the device."""


@dataclass(frozen=True)
class Samples:
    """A fixed training set: one for all members, or each member's own.

    Parameters
    ----------
    x, y : tensors [n, d] and [n], or [E, n, d] and [E, n]
    batch_size : int or None
        None takes the full batch every step. Otherwise each member goes through its own
        shuffle of the set every epoch, the last batch of an epoch being smaller (Keras' way).
    """

    x: Tensor
    y: Tensor
    batch_size: int | None = None

    def __post_init__(self) -> None:
        if self.x.ndim not in (2, 3) or self.y.shape != self.x.shape[:-1]:
            raise ValueError(
                "needs x [n, d] and y [n], or x [E, n, d] and y [E, n]; got "
                f"{tuple(self.x.shape)} and {tuple(self.y.shape)}"
            )
        for name, values in (("x", self.x), ("y", self.y)):
            if not torch.isfinite(values).all():
                raise ValueError(f"the training data has NaN or infinite values in {name}")
        if self.batch_size is not None and self.batch_size < 1:
            raise ValueError(f"batch_size must be positive, got {self.batch_size}")

    @property
    def steps_per_epoch(self) -> int:
        return 1 if self.batch_size is None else math.ceil(self.y.shape[-1] / self.batch_size)

    def batches(self, ensemble: MLPEnsemble) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches: x and y as given, or x [E, batch, d] and y [E, batch]."""
        x, y = self.x.to(ensemble.flat), self.y.to(ensemble.flat)
        if x.ndim == 3 and len(x) != ensemble.members:
            raise ValueError(f"{len(x)} training sets were given for {ensemble.members} members")
        if self.batch_size is None:
            while True:
                yield x, y
        generators = _generators(ensemble)
        own = torch.arange(ensemble.members, device=x.device)[:, None]
        while True:
            orders = torch.stack(
                [torch.randperm(y.shape[-1], generator=g, device=x.device) for g in generators]
            )
            for rows in orders.split(self.batch_size, dim=1):
                where = rows if x.ndim == 2 else (own, rows)
                yield x[where], y[where]


@dataclass(frozen=True)
class Stream:
    """Fresh samples at every step, each member its own.

    Parameters
    ----------
    inputs : Inputs
    target : callable
        Maps points [n, d] to [n].
    batch_size : int
    noise : float
        Standard deviation of normal noise added to the target.
    """

    inputs: Inputs
    target: Callable[[Tensor], Tensor]
    batch_size: int
    noise: float = 0.0

    def batches(self, ensemble: MLPEnsemble) -> Iterator[tuple[Tensor, Tensor]]:
        """Endless batches: x [E, batch, d], y [E, batch]."""
        like = ensemble.flat
        generators = _generators(ensemble)
        while True:
            x = torch.stack(
                [
                    self.inputs.sample(self.batch_size, generator=g, dtype=like.dtype)
                    for g in generators
                ]
            )
            y = self.target(x.flatten(0, 1)).unflatten(0, x.shape[:2])
            if self.noise > 0:
                y = y + self.noise * torch.stack(
                    [
                        torch.randn(
                            self.batch_size, generator=g, dtype=like.dtype, device=like.device
                        )
                        for g in generators
                    ]
                )
            yield x, y


def _generators(ensemble: MLPEnsemble) -> list[torch.Generator]:
    device = ensemble.flat.device
    return [torch.Generator(device).manual_seed(member_seed(s, "batches")) for s in ensemble.seeds]


@dataclass(frozen=True)
class FirstRise:
    """Stop a member the first time its eval-mode loss on the training set rises.

    The rule of the paper's released code, which looks after every step. The member keeps the
    weights after the rise.
    """

    every: int = 1


@dataclass(frozen=True)
class FitResult:
    """What training did, member by member.

    Attributes
    ----------
    steps : int tensor [E]
        Steps each member took.
    reason : list of str [E]
        Why it stopped: "steps", "first rise" or "diverged" (non-finite parameters).
    snapshots : dict from step to tensor [E, P]
        Parameters after the asked steps (0 is the start), for `MLPEnsemble.with_parameters`.
    """

    steps: Tensor
    reason: list[str]
    snapshots: dict[int, Tensor]


def squared_loss(outputs: Tensor, y: Tensor) -> Tensor:
    """Mean squared error of every member, [E], for outputs [E, n, 1] and y [n] or [E, n]."""
    return (outputs.squeeze(-1) - y).square().mean(dim=1)


def fit(
    ensemble: MLPEnsemble,
    data: Samples | Stream,
    *,
    steps: int,
    optimizer: str = "adam",
    learning_rate: float = 1e-3,
    schedule: str = "constant",
    stop: FirstRise | None = None,
    snapshots: Sequence[int] = (),
    progress: Callable[[int], None] | None = None,
) -> FitResult:
    """Minimise the mean squared error of every member; leaves the ensemble in eval mode.

    Parameters
    ----------
    steps : int
        Updates at most.
    optimizer : "adam" (betas .9, .999, Kingma & Ba 2015) or "sgd"
    schedule : "constant" or "cosine" (learning rate falls to 0 along half a cosine)
    stop : FirstRise, optional
        Needs full-batch `Samples`.
    snapshots : steps after which parameters are kept
    progress : called with the number of steps done since the last call
    """
    if optimizer not in ("adam", "sgd"):
        raise ValueError(f'optimizer must be "adam" or "sgd", got {optimizer!r}')
    if schedule not in ("constant", "cosine"):
        raise ValueError(f'schedule must be "constant" or "cosine", got {schedule!r}')
    if steps < 0:
        raise ValueError(f"steps must not be negative, got {steps}")
    if late := [s for s in snapshots if not 0 <= s <= steps]:
        raise ValueError(f"snapshots {late} lie outside the {steps} steps of training")
    if stop is not None and not (isinstance(data, Samples) and data.batch_size is None):
        raise ValueError("FirstRise compares losses on a fixed full batch: use Samples without one")
    flat = ensemble.flat
    update = _Adam(flat) if optimizer == "adam" else lambda gradient: gradient
    active = torch.ones(ensemble.members, dtype=torch.bool, device=flat.device)
    taken = torch.zeros(ensemble.members, dtype=torch.long, device=flat.device)
    before = torch.full((ensemble.members,), math.inf, dtype=flat.dtype, device=flat.device)
    kept = {0: flat.detach().clone()} if 0 in snapshots else {}
    batches = data.batches(ensemble)
    reported = 0
    for step in range(1, steps + 1):
        x, y = next(batches)
        ensemble.train()
        # Members are independent, so the gradient of the sum holds each one's own.
        (gradient,) = torch.autograd.grad(squared_loss(ensemble.outputs(x), y).sum(), flat)
        rate = learning_rate
        if schedule == "cosine":
            rate *= 0.5 * (1 + math.cos(math.pi * (step - 1) / steps))
        with torch.no_grad():
            moved = flat - rate * update(gradient)
            flat.copy_(torch.where(active[:, None], moved, flat))
            taken += active
            if stop is not None and step % stop.every == 0:
                ensemble.eval()
                loss = squared_loss(ensemble.outputs(x), y)
                active &= ~(loss > before)
                before = loss
        if step in snapshots:
            kept[step] = flat.detach().clone()
        if step % CHECK_EVERY == 0 or step == steps:
            if progress is not None:
                progress(step - reported)
                reported = step
            if not active.any():
                break
    ensemble.eval()
    for step in snapshots:
        kept.setdefault(step, flat.detach().clone())
    finite = torch.isfinite(flat).all(dim=1)
    reason = [
        "diverged" if not ok else "steps" if on else "first rise"
        for ok, on in zip(finite.tolist(), active.tolist(), strict=True)
    ]
    return FitResult(taken, reason, kept)


class _Adam:
    """Adam's direction for a tensor of parameters, without the learning rate."""

    def __init__(self, parameters: Tensor) -> None:
        self.mean, self.square = torch.zeros_like(parameters), torch.zeros_like(parameters)
        self.step = 0

    def __call__(self, gradient: Tensor) -> Tensor:
        self.step += 1
        self.mean.lerp_(gradient, 0.1)
        self.square.lerp_(gradient.square(), 0.001)
        mean = self.mean / (1 - 0.9**self.step)
        return mean / ((self.square / (1 - 0.999**self.step)).sqrt_() + 1e-8)
