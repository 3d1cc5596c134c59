"""Sums over products of functions of different inputs, in groups that matrix products make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor


class Products:
    """The products of functions of `order` different inputs, in groups that are two factors.

    A group holds the products whose last input but one is the same: of those of order k - 1 that
    end in it [n, p] with the functions of all later inputs [n, r].
    """

    def __init__(self, widths: list[int], order: int) -> None:
        self.widths, self.order = widths, order
        self.ends = np.cumsum(widths).tolist()

    def groups(self, phi: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Both factors of every group at points with features [n, Q]."""
        if self.order == 1:
            yield torch.ones_like(phi[:, :1]), phi
            return
        for j in range(self.order - 2, len(self.widths) - 1):
            rest = phi[:, self.ends[j] :]
            if self.widths[j] and rest.shape[1]:
                leading = self._ending(phi, self.order - 1, j)
                if leading.shape[1]:
                    yield leading, rest

    def _ending(self, phi: Tensor, order: int, j: int) -> Tensor:
        """Products of an order whose last input is j."""
        start = self.ends[j] - self.widths[j]
        own = phi[:, start : self.ends[j]]
        if order == 1:
            return own
        before = phi[:, :start]
        if order > 2:
            before = torch.cat([self._ending(phi, order - 1, i) for i in range(j)], dim=1)
        return (before[:, :, None] * own[:, None, :]).flatten(1)


def value(
    groups: Iterable[tuple[Tensor, Tensor]], coefficients: list[Tensor], phi: Tensor
) -> Tensor:
    """Sum of the products of all groups by coefficients [p, r] each, [n], like the features."""
    total = phi.new_zeros(len(phi))
    for (a, b), c in zip(groups, coefficients, strict=True):
        total += ((a @ c) * b).sum(dim=1)
    return total
