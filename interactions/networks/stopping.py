"""When to stop a member: rules that look at it after every so many steps.

`watches` says which value [E] a rule is given when it looks: the loss on the training set, the
loss on a validation set (both in eval mode, without penalties), or the norm of the gradient. What
a rule remembers of the members is its own affair: `start` makes it, `judge` changes it in place.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from .samples import Samples

State = dict[str, Tensor]
"""What a rule remembers: tensors [E, ...] under names of its own."""


@dataclass(frozen=True)
class FirstRise:
    """Stop a member the first time its eval-mode loss on the training set rises.

    The rule of the paper's released code, which looks after every step. The member keeps the
    weights after the rise.

    Parameters
    ----------
    every : int
        Steps between looks, 1 by default; ValueError below 1.

    Examples
    --------
    >>> import torch
    >>> from interactions import FirstRise, MLPEnsemble, Samples, fit
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> networks = MLPEnsemble((1, 4, 1), seeds=[0])
    >>> fit(networks, Samples(x, x[:, 0]), steps=50, learning_rate=0.5, stop=FirstRise()).reason
    ['first rise']
    """

    every: int = 1
    reason: ClassVar[str] = "first rise"
    watches: ClassVar[str] = "training"

    def __post_init__(self) -> None:
        _check_every(self.every)

    def start(self, parameters: Tensor) -> State:
        """What is remembered before the first look, of members with parameters [E, P]."""
        return {"before": torch.full_like(parameters[:, 0], math.inf)}

    def judge(self, state: State, value: Tensor, parameters: Tensor, step: Tensor) -> Tensor:
        """Which members to stop, bool [E], given the watched value [E] and steps taken [E]."""
        risen = value > state["before"]
        state["before"].copy_(value)
        return risen


@dataclass(frozen=True)
class Tolerance:
    """Stop a member once it hardly changes.

    Parameters
    ----------
    at_most : float
        What the watched value may be at most to stop.
    of : "gradient" (by default) or "loss"
        The Euclidean norm of the gradient the last step followed: of the training loss with its
        masks, batch and penalties, at the weights before that step. Or the absolute change of
        the eval-mode loss on the training set since the last look.
    every : int
        Steps between looks, 1 by default.

    Raises
    ------
    ValueError
        For another `of`, and for `every` below 1.

    Examples
    --------
    >>> import torch
    >>> from interactions import MLPEnsemble, Samples, Tolerance, fit
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> networks = MLPEnsemble((1, 4, 1), seeds=[0])
    >>> fit(networks, Samples(x, x[:, 0]), steps=50, stop=Tolerance(10.0, of="loss")).reason
    ['tolerance']
    """

    at_most: float
    of: str = "gradient"
    every: int = 1
    reason: ClassVar[str] = "tolerance"

    def __post_init__(self) -> None:
        _check_every(self.every)
        if self.of not in ("gradient", "loss"):
            raise ValueError(f'of must be "gradient" or "loss", got {self.of!r}')

    @property
    def watches(self) -> str:
        return "gradient" if self.of == "gradient" else "training"

    def start(self, parameters: Tensor) -> State:
        """What is remembered before the first look, of members with parameters [E, P]."""
        return {"before": torch.full_like(parameters[:, 0], math.inf)}

    def judge(self, state: State, value: Tensor, parameters: Tensor, step: Tensor) -> Tensor:
        """Which members to stop, bool [E], given the watched value [E] and steps taken [E]."""
        if self.of == "gradient":
            return value <= self.at_most
        still = (value - state["before"]).abs() <= self.at_most
        state["before"].copy_(value)
        return still


@dataclass(frozen=True)
class Patience:
    """Stop a member once its validation loss has not improved for some looks (Keras' rule).

    Parameters
    ----------
    validation : Samples
        Looked at in one piece, whatever its batch_size.
    patience : int
        Looks in a row without improvement after which to stop; 0 counts as 1, as in Keras.
    every : int
        Steps between looks, 1 by default; `samples.steps_per_epoch` looks after every epoch.
        ValueError below 1.
    least : float
        Improvements of no more than this do not count; 0 by default.
    restore : bool
        Give every member the weights of its best look when training ends, whatever ended it.
        True by default.

    Examples
    --------
    >>> import torch
    >>> from interactions import MLPEnsemble, Patience, Samples, fit
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> held_out = Samples(x + 0.01, 1 - x[:, 0])  # the more is learned, the worse
    >>> networks = MLPEnsemble((1, 4, 1), seeds=[0])
    >>> fit(networks, Samples(x, x[:, 0]), steps=500, stop=Patience(held_out, 3)).reason
    ['patience']
    """

    validation: Samples
    patience: int
    every: int = 1
    least: float = 0.0
    restore: bool = True
    reason: ClassVar[str] = "patience"
    watches: ClassVar[str] = "validation"

    def __post_init__(self) -> None:
        _check_every(self.every)

    def start(self, parameters: Tensor) -> State:
        """What is remembered before the first look, of members with parameters [E, P]."""
        first = parameters[:, 0]
        return {
            "best": torch.full_like(first, math.inf),
            "best_step": torch.zeros_like(first, dtype=torch.long),
            "best_parameters": parameters.clone(),
            "waited": torch.zeros_like(first, dtype=torch.long),
        }

    def judge(self, state: State, value: Tensor, parameters: Tensor, step: Tensor) -> Tensor:
        """Which members to stop, bool [E], given the watched value [E] and steps taken [E]."""
        better = value < state["best"] - self.least
        state["best"].copy_(torch.where(better, value, state["best"]))
        state["best_step"].copy_(torch.where(better, step, state["best_step"]))
        state["best_parameters"].copy_(
            torch.where(better[:, None], parameters, state["best_parameters"])
        )
        state["waited"].add_(1).masked_fill_(better, 0)
        return state["waited"] >= max(1, self.patience)

    def restore_best(self, state: State, parameters: Tensor, step: Tensor) -> Tensor:
        """Write the weights of each member's best look to `parameters` [E, P].

        Returns the step [E] each member's weights are from. A member without a look that
        improved, as one that diverged before the first, keeps its weights, which are from `step`.
        """
        looked = state["best_step"] > 0
        best = torch.where(looked[:, None], state["best_parameters"], parameters)
        parameters.copy_(best)
        return torch.where(looked, state["best_step"], step)


Rule = FirstRise | Tolerance | Patience


def _check_every(every: int) -> None:
    if every < 1:
        raise ValueError(f"every must be positive, got {every}")
