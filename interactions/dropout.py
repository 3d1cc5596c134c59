"""Dropout: its rates and its kinds.

Inverted dropout (the usual one) divides kept values by 1 - r in training and does nothing at
test time. Classic dropout (Hinton et al., arXiv:1207.0580) leaves kept values alone in training
and multiplies by 1 - r at test time. Both have the same expectation in training up to that
scale; their gradients differ.

All that tells kinds apart is in `KINDS`: networks and laws ask there, so a kind that is entered
in it from outside is trained, and known to theory, like the two of this file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn


def check_rate(rate: float) -> float:
    """Return a drop rate as a float; ValueError outside [0, 1).

    At rate 1 nothing would be kept, and inverted scaling would divide by 0.
    """
    if not 0 <= rate < 1:
        raise ValueError(f"a drop rate must lie in [0, 1), got {rate}")
    return float(rate)


def check_kind(kind: str) -> Kind:
    """Return what is known of a kind of dropout; ValueError for names that are not in KINDS."""
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {list(KINDS)}, got {kind!r}")
    return KINDS[kind]


class ClassicDropout(nn.Module):
    """Classic dropout as a torch module, beside `nn.Dropout`, which is inverted.

    Parameters
    ----------
    p : float
        Drop rate in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = check_rate(p)

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return x * torch.empty_like(x).bernoulli_(1 - self.p)
        return x * (1 - self.p)

    def extra_repr(self) -> str:
        return f"p={self.p}"


@dataclass(frozen=True)
class Kind:
    """What a kind of dropout multiplies values by, given its rate.

    Attributes
    ----------
    in_training : rate to the factor of values that are kept, in training
    at_test : rate to the factor of all values, at test time
    module : torch module of this kind, made from the rate, which it holds as `p`
    """

    in_training: Callable[[float], float]
    at_test: Callable[[float], float]
    module: type[nn.Module]


KINDS = {
    "inverted": Kind(lambda rate: 1 / (1 - rate), lambda rate: 1.0, nn.Dropout),
    "classic": Kind(lambda rate: 1.0, lambda rate: 1 - rate, ClassicDropout),
}


@dataclass(frozen=True)
class Dropout:
    """Drop rates of one network.

    Parameters
    ----------
    inputs : float
        Rate on the inputs, in [0, 1); 0 by default.
    hidden : float or sequence of float
        Rate after each hidden layer, in [0, 1): one for all (0 by default), or one per layer.
    kind : "inverted" (by default), "classic", or another of KINDS

    Raises
    ------
    ValueError
        For a rate outside [0, 1) or an unknown kind.

    Examples
    --------
    >>> from interactions import Dropout
    >>> Dropout(inputs=0.1, hidden=0.5).rates(2)
    (0.1, 0.5, 0.5)
    """

    inputs: float = 0.0
    hidden: float | Sequence[float] = 0.0
    kind: str = "inverted"

    def __post_init__(self) -> None:
        for rate in (self.inputs, *np.atleast_1d(self.hidden)):
            check_rate(rate)
        check_kind(self.kind)

    def rates(self, hidden_layers: int) -> tuple[float, ...]:
        """The rate before each linear layer: inputs first, then after every hidden layer.

        ValueError where there are several hidden rates, but not one for each hidden layer.
        """
        hidden = np.atleast_1d(np.asarray(self.hidden, dtype=float))
        if len(hidden) not in (1, hidden_layers):
            raise ValueError(
                f"{len(hidden)} hidden rates were given for {hidden_layers} hidden layers"
            )
        return (float(self.inputs), *np.broadcast_to(hidden, hidden_layers).tolist())
