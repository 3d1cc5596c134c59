"""Normal noise on the inputs in training, from random streams of each network's own."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .ensemble import MLPEnsemble, member_seed


class InputNoise:
    """A random stream of input noise for every member whose standard deviation is not 0.

    Parameters
    ----------
    std : tensor [E, 1]
        Standard deviation of every member's noise.
    """

    def __init__(self, ensemble: MLPEnsemble, std: Tensor) -> None:
        device = ensemble.flat.device
        self.std = std
        self._generators = [
            torch.Generator(device).manual_seed(member_seed(seed, "noise")) if s > 0 else None
            for seed, s in zip(ensemble.seeds, std[:, 0].tolist(), strict=True)
        ]

    def draw(self, members: Sequence[int], rows: int, width: int, *, like: Tensor) -> Tensor:
        """Standard normal noise [B, rows, width] for some members, 0 for those without noise."""
        shape = (len(members), rows, width)
        noise = torch.zeros(shape, dtype=like.dtype, device=like.device)
        for own, i in zip(noise, members, strict=True):
            generator = self._generators[i]
            if generator is not None:
                own.normal_(generator=generator)
        return noise
