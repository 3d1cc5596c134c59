"""What training changes of every member, as tensors whose rows are the members."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

RUNNING, STOPPED_BY_RULE, DIVERGED = range(3)


class Moments(NamedTuple):
    """Adam's running means of the gradient and of its square, both [E, P]."""

    mean: Tensor
    square: Tensor


@dataclass(frozen=True)
class MemberState:
    """The state of E members, which training writes to in place.

    Attributes
    ----------
    parameters : tensor [E, P]
    taken : int tensor [E]
        Steps each member has taken.
    outcome : int8 tensor [E]
        RUNNING, STOPPED_BY_RULE or DIVERGED.
    moments : Moments, or None for plain gradient descent
    memory : dict of tensors [E, ...]
        What the stopping rule remembers, under names of its own; empty without a rule.
    """

    parameters: Tensor
    taken: Tensor
    outcome: Tensor
    moments: Moments | None
    memory: dict[str, Tensor]

    @classmethod
    def start(cls, parameters: Tensor, *, moments: bool, memory: dict[str, Tensor]) -> MemberState:
        """The state before the first step; it writes to `parameters` themselves."""
        taken = torch.zeros(len(parameters), dtype=torch.long, device=parameters.device)
        zeros = torch.zeros_like
        return cls(
            parameters=parameters,
            taken=taken,
            outcome=taken.to(torch.int8),
            moments=Moments(zeros(parameters), zeros(parameters)) if moments else None,
            memory=memory,
        )

    def rows(self, index: Tensor) -> MemberState:
        """A copy of the state of some members, by their numbers [B]."""
        return self._map(lambda values: values[index])

    def write(self, index: Tensor, part: MemberState) -> None:
        """Copy the state of some members, by their numbers [B], back into this one."""
        for own, values in zip(self._tensors(), part._tensors(), strict=True):
            own[index] = values

    def _map(self, change: Callable[[Tensor], Tensor]) -> MemberState:
        return MemberState(
            parameters=change(self.parameters),
            taken=change(self.taken),
            outcome=change(self.outcome),
            moments=None if self.moments is None else Moments(*map(change, self.moments)),
            memory={name: change(values) for name, values in self.memory.items()},
        )

    def _tensors(self) -> list[Tensor]:
        return [
            self.parameters,
            self.taken,
            self.outcome,
            *(self.moments or ()),
            *self.memory.values(),
        ]
