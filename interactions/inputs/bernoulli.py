"""Inputs that are present or absent: 1 with a probability of their own, else 0."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from numbers import Real

import numpy as np
import torch
from torch import Tensor

from .base import Inputs


@dataclass(frozen=True)
class Bernoulli(Inputs):
    """Independent inputs that are 1 with probability `keep`, else 0.

    Parameters
    ----------
    keep : float or sequence of floats
        Probability of 1, inside of (0, 1): one for all inputs, or one for each.
    dim : int, optional
        Number of inputs d; needed where `keep` is one number.
    names : tuple of d str, optional
        What the inputs stand for.
    caveat : str
        What a result under these inputs is to say of them.

    Examples
    --------
    >>> from interactions import Bernoulli, order_spectrum
    >>> kept = Bernoulli(0.5, dim=2)
    >>> order_spectrum(lambda x: x[:, 0] * x[:, 1], kept).share.round(3)
    array([0.667, 0.333, 0.   ])
    """

    keep: float | Sequence[float]
    dim: int = field(default=0, kw_only=True)
    names: tuple[str, ...] | None = field(default=None, kw_only=True)
    caveat: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        keep = (self.keep,) if isinstance(self.keep, Real) else tuple(np.asarray(self.keep).flat)
        if not keep or not all(_inside(p) for p in keep):
            raise ValueError(
                f"keep must be a probability above 0 and below 1, or one for each input; got "
                f"{self.keep!r}"
            )
        if isinstance(self.keep, Real):
            if isinstance(self.dim, bool) or not isinstance(self.dim, (int, np.integer)):
                raise ValueError(f"dim must be a positive integer, got {self.dim!r}")
            if self.dim < 1:
                raise ValueError(
                    f"keep={self.keep} is for all inputs: say how many, dim=...; got {self.dim}"
                )
            keep *= int(self.dim)
        elif self.dim not in (0, len(keep)):
            raise ValueError(f"keep has {len(keep)} probabilities for dim={self.dim} inputs")
        names = None if self.names is None else tuple(map(str, self.names))
        if names is not None and len(names) != len(keep):
            raise ValueError(f"there are {len(names)} names for {len(keep)} inputs")
        one = float(keep[0]) if isinstance(self.keep, Real) else tuple(map(float, keep))
        # Equal inputs are equal whatever array or list they were made of.
        for name, value in (("keep", one), ("dim", len(keep)), ("names", names)):
            object.__setattr__(self, name, value)

    @property
    def probabilities(self) -> np.ndarray:
        """Of 1, for every input: [d]."""
        return np.broadcast_to(np.asarray(self.keep, dtype=np.float64), (self.dim,))

    @property
    def support_sizes(self) -> np.ndarray:
        return np.full(self.dim, 2.0)

    def quantile(self, u: Tensor, coordinate: Tensor) -> Tensor:
        absent = torch.as_tensor(1 - self.probabilities, dtype=u.dtype, device=u.device)
        return (u >= absent[coordinate]).to(u.dtype)

    def quadrature(
        self, size: int, *, coordinate: int = 0, breakpoints: Sequence[float] = ()
    ) -> tuple[np.ndarray, np.ndarray]:
        keep = self.probabilities[coordinate]
        return np.array([0.0, 1.0]), np.array([1 - keep, keep])

    def knots(self, size: int, *, coordinate: int = 0) -> np.ndarray:
        return np.array([0.0, 1.0])

    def recurrence(self, degree: int) -> tuple[np.ndarray, np.ndarray]:
        keep = self.probabilities[:, None]
        a, b = np.zeros((2, self.dim, degree + 1))
        a[:, :1], a[:, 1:2] = keep, 1 - keep
        b[:, :1], b[:, 1:2] = 1.0, np.sqrt(keep * (1 - keep))
        return a, b


def _inside(p: object) -> bool:
    return isinstance(p, Real) and not isinstance(p, bool) and 0 < p < 1
