"""What order penalties compare in training, from random streams of each network's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from ..penalty import OrderPenalty
from .ensemble import MLPEnsemble, member_seed

NONE = -1


class MemberPenalties:
    """A random stream of points for every member with a penalty.

    Attributes
    ----------
    kinds : list of int [E]
        Members of one kind differ in the strength of their penalty alone; -1 has none.
    strength : tensor [E, 1]
    """

    def __init__(self, ensemble: MLPEnsemble, penalties: Sequence[OrderPenalty | None]) -> None:
        device = ensemble.flat.device
        self._designs: dict[tuple[int, float | None, tuple[float, ...]], OrderPenalty] = {}
        self.kinds = []
        for penalty in penalties:
            if penalty is None or penalty.strength == 0:
                self.kinds.append(NONE)
                continue
            own = (id(penalty.inputs), penalty.rho, tuple(penalty.weights or ()))
            self._designs.setdefault(own, penalty)
            self.kinds.append(list(self._designs).index(own))
        strengths = [0.0 if p is None else p.strength for p in penalties]
        self.strength = torch.tensor(strengths, dtype=torch.float64, device=device)[:, None]
        self._generators = [
            torch.Generator(device).manual_seed(member_seed(seed, "penalty")) if k >= 0 else None
            for seed, k in zip(ensemble.seeds, self.kinds, strict=True)
        ]

    def of_kind(self, kind: int) -> OrderPenalty | None:
        """The penalty of a kind, whose strength is some member's."""
        return None if kind == NONE else list(self._designs.values())[kind]

    def draw(
        self, members: Sequence[int], rows: int, steps: int, *, like: Tensor
    ) -> Iterator[tuple[Tensor | None, Tensor | None]]:
        """Points [B, C n, D] and their weights [B, n], for one step after another.

        The members are of one kind; None for those without penalty.
        """
        penalty = self.of_kind(self.kinds[members[0]])
        if penalty is None:
            for _ in range(steps):
                yield None, None
            return
        dim = penalty.inputs.dim
        uniforms = like.new_empty(len(members), 3 * rows * dim + 1)
        for _ in range(steps):
            for i, own in zip(members, uniforms, strict=True):
                own.uniform_(generator=self._generators[i])
            drawn = uniforms[:, 1:].unflatten(1, (3, rows, dim)).transpose(0, 1)
            points, weight = penalty.points(None, drawn, uniforms[:, 0])
            yield points.transpose(0, 1).flatten(1, 2), weight


def member_penalties(
    ensemble: MLPEnsemble, given: OrderPenalty | Sequence[OrderPenalty | None] | None
) -> MemberPenalties:
    """Penalties of every member, from one for all, one for each, or None.

    Raises
    ------
    TypeError
        For what is no `OrderPenalty`.
    ValueError
        For penalties that are not as many as the members, or of other inputs than theirs.
    """
    if given is None or isinstance(given, OrderPenalty):
        given = [given] * ensemble.members
    penalties = list(given)
    if len(penalties) != ensemble.members:
        raise ValueError(
            f"order_penalty must be one penalty or one for each of {ensemble.members} members, "
            f"got {len(penalties)}"
        )
    for penalty in penalties:
        if penalty is None:
            continue
        if not isinstance(penalty, OrderPenalty):
            raise TypeError(f"order_penalty must be an OrderPenalty, got {type(penalty).__name__}")
        if len(penalty.inputs.owners) != ensemble.sizes[0]:
            raise ValueError(
                f"the penalty has {len(penalty.inputs.owners)} inputs, the networks "
                f"{ensemble.sizes[0]}"
            )
    return MemberPenalties(ensemble, penalties)
