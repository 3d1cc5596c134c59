"""Dropout: its rates and its two kinds.

Inverted dropout (the usual one) divides kept values by 1 - r in training and does nothing at
test time. Classic dropout (Hinton et al., arXiv:1207.0580) leaves kept values alone in training
and multiplies by 1 - r at test time. Both have the same expectation in training up to that
scale; their gradients differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

KINDS = ("inverted", "classic")


def check_rate(rate: float) -> float:
    """Refuse drop rates outside [0, 1): at 1 nothing is kept and inverted scaling divides by 0."""
    if not 0 <= rate < 1:
        raise ValueError(f"a drop rate must lie in [0, 1), got {rate}")
    return float(rate)


def check_kind(kind: str) -> None:
    """Refuse kinds of dropout that are not in KINDS."""
    if kind not in KINDS:
        raise ValueError(f'kind must be "inverted" or "classic", got {kind!r}')


@dataclass(frozen=True)
class Dropout:
    """Drop rates of one network.

    Parameters
    ----------
    inputs : float
        Rate on the inputs.
    hidden : float or sequence of float
        Rate after each hidden layer: one for all, or one per layer.
    kind : "inverted" or "classic"
    """

    inputs: float = 0.0
    hidden: float | Sequence[float] = 0.0
    kind: str = "inverted"

    def __post_init__(self) -> None:
        for rate in (self.inputs, *np.atleast_1d(self.hidden)):
            check_rate(rate)
        check_kind(self.kind)

    def rates(self, hidden_layers: int) -> tuple[float, ...]:
        """The rate before each linear layer: inputs first, then after every hidden layer."""
        hidden = np.atleast_1d(np.asarray(self.hidden, dtype=float))
        if len(hidden) not in (1, hidden_layers):
            raise ValueError(
                f"{len(hidden)} hidden rates were given for {hidden_layers} hidden layers"
            )
        return (float(self.inputs), *np.broadcast_to(hidden, hidden_layers).tolist())


class ClassicDropout(nn.Module):
    """Classic dropout as a torch module, beside `nn.Dropout`, which is inverted.

    Parameters
    ----------
    p : float
        Drop rate.
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        check_rate(p)
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return x * torch.empty_like(x).bernoulli_(1 - self.p)
        return x * (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"
