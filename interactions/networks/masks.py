"""Dropout masks: cheap, from random streams of each network's own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

RESOLUTION = 2**16
"""A mask compares 16 random bits with a threshold, so rates are multiples of 2^-16."""
AHEAD = {"cpu": 2**14, "cuda": 2**19}
"""Units of a layer whose masks are drawn at once, for several steps where batches are small."""


class MaskStreams:
    """A random stream of masks for every network of an ensemble and every layer of it.

    What a network draws in a layer depends on its own seed, the layer's rate and the mask's size
    only, not on who is trained beside it, nor (on a CPU) on how many masks are drawn at once.
    Where the rate is 0 nothing is drawn.

    Parameters
    ----------
    rates : array [members, layers]
    seeds : one integer per member
    device : where masks are drawn; streams differ between CPU and CUDA
    """

    def __init__(self, rates: np.ndarray, seeds: Sequence[int], device: torch.device) -> None:
        self.rates = rates
        kept = np.round((1 - rates) * RESOLUTION).astype(np.int64).clip(1)
        # As signed 16-bit numbers: a unit is kept where its bits are at most this.
        limits = torch.as_tensor(kept - 1 - RESOLUTION // 2, dtype=torch.int16, device=device)
        self._limits = limits[:, :, None, None]
        self._generators = [
            {int(i): torch.Generator(device).manual_seed(s + int(i)) for i in np.flatnonzero(row)}
            for row, s in zip(rates, seeds, strict=True)
        ]
        self._device = device

    def bits(
        self, layer: int, rows: int, width: int, *, masks: int, members: Sequence[int]
    ) -> Tensor | None:
        """Random 16-bit integers [masks, members, rows, width]; None where no member drops."""
        drops = self.rates[members, layer] > 0
        if not drops.any():
            return None
        # Drawn 64 at a time: four units for one number.
        words = -(-rows * width // 4)
        shape = (len(members), masks, words)
        drawn = torch.empty(shape, dtype=torch.int64, device=self._device)
        for own, i, drop in zip(drawn, members, drops, strict=True):
            if drop:
                own.random_(-(2**63), None, generator=self._generators[i][layer])
            else:
                own.zero_()
        units = drawn.view(torch.int16)[..., : rows * width].unflatten(-1, (rows, width))
        return units.transpose(0, 1)

    def bits_of_steps(
        self,
        rows: int,
        widths: Sequence[int],
        *,
        steps: int,
        members: Sequence[int],
        inputs: bool = True,
    ) -> Iterator[list[Tensor | None]]:
        """The random bits [members, rows, width] of every layer, for one step after another.

        They are what `bits` gives, drawn ahead for several steps. `widths` are the layers'.
        Without `inputs` none are drawn for the first layer.
        """
        ahead = max(1, AHEAD[self._device.type] // (rows * max(widths)))
        for start in range(0, steps, ahead):
            masks = min(ahead, steps - start)
            drawn = [
                self.bits(layer, rows, width, masks=masks, members=members)
                if layer or inputs
                else None
                for layer, width in enumerate(widths)
            ]
            for k in range(masks):
                yield [None if b is None else b[k] for b in drawn]

    def limits(self, layer: int, members: Sequence[int]) -> Tensor:
        """What bits of kept units are at most, [members, 1, 1]."""
        return self._limits[list(members), layer]

    def draw(self, layer: int, rows: int, width: int) -> Tensor | None:
        """Masks [members, rows, width] of one layer, True where kept; None without dropout."""
        everyone = range(len(self._generators))
        bits = self.bits(layer, rows, width, masks=1, members=everyone)
        return None if bits is None else bits[0] <= self.limits(layer, everyone)
