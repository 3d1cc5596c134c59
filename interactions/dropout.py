"""Dropout: its rates, its two kinds, and cheap masks from one random stream per network.

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
from torch import Tensor

from .theory import check_rate

RESOLUTION = 2**16
"""A mask compares 16 random bits with a threshold, so rates are multiples of 2^-16."""


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
        if self.kind not in ("inverted", "classic"):
            raise ValueError(f'kind must be "inverted" or "classic", got {self.kind!r}')

    def rates(self, hidden_layers: int) -> tuple[float, ...]:
        """The rate before each linear layer: inputs first, then after every hidden layer."""
        hidden = np.atleast_1d(np.asarray(self.hidden, dtype=float))
        if len(hidden) not in (1, hidden_layers):
            raise ValueError(
                f"{len(hidden)} hidden rates were given for {hidden_layers} hidden layers"
            )
        return (float(self.inputs), *np.broadcast_to(hidden, hidden_layers).tolist())


class MaskStreams:
    """One random stream of masks per network of an ensemble.

    What a network draws depends on its own seed, rates and layer sizes only, not on who is
    trained beside it: layers without dropout draw nothing.

    Parameters
    ----------
    rates : array [members, layers]
    seeds : one integer per member
    device : where masks are drawn; streams differ between CPU and CUDA
    """

    def __init__(self, rates: np.ndarray, seeds: Sequence[int], device: torch.device) -> None:
        self.rates = rates
        kept = np.round((1 - rates) * RESOLUTION).astype(np.int64)
        # As signed 16-bit numbers: a unit is kept where its bits are at most this.
        limit = torch.as_tensor(kept - 1 - RESOLUTION // 2, dtype=torch.int16, device=device)
        self._limits = limit[:, :, None, None]
        self._generators = [torch.Generator(device).manual_seed(s) for s in seeds]
        self._device = device

    def draw(self, layer: int, rows: int, width: int) -> Tensor | None:
        """Masks [members, rows, width] of one layer, True where kept; None without dropout."""
        dropped = np.flatnonzero(self.rates[:, layer] > 0)
        if len(dropped) == 0:
            return None
        members = len(self._generators)
        words = -(-rows * width // 4)
        bits = torch.zeros(members, words, dtype=torch.int64, device=self._device)
        for i in dropped:
            bits[i].random_(-(2**63), None, generator=self._generators[i])
        units = bits.view(torch.int16)[:, : rows * width].unflatten(1, (rows, width))
        return units <= self._limits[:, layer]
