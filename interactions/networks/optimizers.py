"""How a gradient becomes a step: optimizers, schedules and penalties."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .state import RUNNING, MemberState

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")
BETAS = (0.9, 0.999)
"""How much of Adam's running means of the gradient and of its square is kept at every step."""
EPSILON = 1e-8
"""What Adam adds to the root of the mean square it divides by."""


@dataclass(frozen=True)
class Descent:
    """The optimizer that `fit` was asked for, with numbers of each of E members, [E, 1] float64."""

    optimizer: str
    schedule: str
    steps: int
    learning_rate: Tensor
    weight_decay: Tensor
    l1: Tensor


class StepSizes(NamedTuple):
    """What the K steps to come are multiplied by, for B members.

    Attributes
    ----------
    size : tensor [K, B, 1]
        Factor of the direction: the learning rate. With Adam it is divided by 1 - 0.9^t, which
        corrects the mean gradient for having started at 0.
    shrink : tensor [K, B, 1]
        Factor of the weights that AdamW takes off them: learning rate times weight decay.
    root : tensor [K]
        What Adam divides the root of the mean square by: sqrt(1 - 0.999^t), which corrects it
        for having started at 0.
    """

    size: Tensor
    shrink: Tensor
    root: Tensor


class Optimizer:
    """A `Descent` for B members, whose numbers were computed once.

    Parameters
    ----------
    index : int tensor [B]
        The members' numbers.
    like : tensor
        Of the dtype and on the device of their parameters.
    """

    def __init__(self, descent: Descent, index: Tensor, *, like: Tensor) -> None:
        self._descent = descent
        self._like = like
        self._learning_rate = descent.learning_rate[index]
        self._weight_decay = descent.weight_decay[index]
        l1 = descent.l1[index]
        # What no member uses is None, for computing it would cost time.
        decays = bool((self._weight_decay > 0).any())
        self._decoupled = decays and descent.optimizer == "adamw"
        coupled = decays and descent.optimizer != "adamw"
        self._l2 = self._weight_decay.to(like) if coupled else None
        self._l1 = l1.to(like) if (l1 > 0).any() else None

    def sizes(self, first: int, done: int) -> StepSizes:
        """Of the steps first + 1 .. done."""
        d, like = self._descent, self._like
        steps = torch.arange(first, done, dtype=torch.float64, device=like.device)
        factor = torch.ones_like(steps)
        if d.schedule == "cosine":
            factor = 0.5 * (1 + torch.cos(math.pi * steps / d.steps))
        rate = factor[:, None, None] * self._learning_rate
        shrink = rate * self._weight_decay
        if d.optimizer != "sgd":
            rate = rate / (1 - BETAS[0] ** (steps + 1))[:, None, None]
        root = (1 - BETAS[1] ** (steps + 1)).sqrt()
        return StepSizes(rate.to(like), shrink.to(like), root.to(like))

    def add_penalties(self, gradient: Tensor, parameters: Tensor) -> None:
        """Add to the loss's gradient [B, P] those of λ |w|² / 2 and of λ |w|_1."""
        if self._l2 is not None:
            gradient.addcmul_(parameters, self._l2)
        if self._l1 is not None:
            gradient.addcmul_(parameters.sign(), self._l1)

    def step(
        self, state: MemberState, gradient: Tensor, size: Tensor, shrink: Tensor, root: Tensor
    ) -> None:
        """Move the members that are still running one step, given one of each `StepSizes`."""
        parameters = state.parameters
        if state.moments is None:
            step = gradient * size
        else:
            mean, square = state.moments
            mean.lerp_(gradient, 1 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(gradient, gradient, value=1 - BETAS[1])
            step = square.sqrt().div_(root).add_(EPSILON)
            torch.div(mean, step, out=step).mul_(size)
        if self._decoupled:
            step.addcmul_(parameters, shrink)
        running = state.outcome == RUNNING
        # What a diverged member computes is NaN, which no multiplication by 0 would keep out.
        parameters.copy_(torch.where(running[:, None], parameters - step, parameters))
        state.taken.add_(running)
