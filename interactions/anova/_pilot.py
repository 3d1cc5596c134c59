"""The first look at a function: where its variance lies, and whether rare points carry it.

A plain pilot is joined by points tilted to tails and rare values. Where few of them carry much of
the variance, points are drawn again, tilted towards these, until many points share in it; or they
stay plain, where that is no better.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ._evaluate import Evaluator
from ._tilt import PLAIN, Drawn, Tilt, rare_values, towards

EVEN = 25.0
"""Fourth moment over squared second, up to which points need not be tilted: it is 3 for a normal
distribution and 27 for a product of three."""
ROUNDS = 6
"""Times that points are tilted anew, at most."""


@dataclass(frozen=True)
class Look:
    """Points with their values, and the tilt that they were drawn by.

    Attributes
    ----------
    x, f, weight, bins : tensors [n, d], [n, m], [n] and [n, d]
    centre, total : tensors [m]
        Means and variances of the functions; the variance of a constant one is 0.
    mass : tensor [n]
        Share of the variance, averaged over the functions, that a point stands for.
    tilt : Tilt or None
        By which to draw more points; None for plain ones.
    rare : Tilt
        Towards tails and rare values, whatever the function.
    """

    x: Tensor
    f: Tensor
    weight: Tensor
    bins: Tensor
    centre: Tensor
    total: Tensor
    mass: Tensor
    rare: Tilt
    tilt: Tilt | None = None

    @property
    def unevenness(self) -> float:
        """Fourth moment of the values over the squared second, as the weights have it."""
        return len(self.mass) * self.mass.square().sum().item()


def first_look(evaluate: Evaluator, n: int, budget: int, generator: torch.Generator) -> Look:
    """Look at n plain points, half as many tilted ones, and more where too few carry the variance.

    Spends no more than the budget, unless the n plain points do.
    """
    stop = evaluate.evaluations + budget
    rare = rare_values(evaluate.inputs, evaluate.device)
    plain = n
    while True:
        tilted = plain // 2
        drawn = [
            rare.draw(plain, generator=generator, dtype=evaluate.dtype, plain=1.0),
            rare.draw(tilted, generator=generator, dtype=evaluate.dtype),
        ]
        look = _look(evaluate, rare, *drawn)
        # What seems constant is looked at again, at more points.
        plain *= 2
        if look.total.any() or evaluate.evaluations + plain + plain // 2 > stop:
            break
    for _ in range(ROUNDS):
        if look.unevenness <= EVEN or evaluate.evaluations + n > stop:
            break
        tilt = towards(rare, look.bins, look.mass)
        closer = _look(
            evaluate, rare, tilt.draw(n, generator=generator, dtype=evaluate.dtype), tilt=tilt
        )
        if closer.unevenness > 0.8 * look.unevenness:
            break
        look = closer
    return look


def _look(evaluate: Evaluator, rare: Tilt, *drawn: Drawn, tilt: Tilt | None = None) -> Look:
    """Values at the points of one or several draws, taken together by their mean density."""
    x, bins = (torch.cat([getattr(d, name) for d in drawn]) for name in ("x", "bins"))
    f = evaluate(x)
    weight = drawn[0].weight
    if len(drawn) == 2:
        tilted = (1 - PLAIN) * len(drawn[1].x) / len(x)
        weight = 1 / (1 - tilted + tilted * torch.cat([d.ratio for d in drawn]))
    part = weight / weight.sum()
    centre = part @ f
    total = part @ (f - centre).square()
    constant = torch.as_tensor(evaluate.is_constant(total.cpu().numpy()), device=total.device)
    total = torch.where(constant, 0.0, total)
    share = torch.where(total > 0, 1 / total, 0.0) / max(int((total > 0).sum()), 1)
    mass = part * ((f - centre).square() @ share)
    return Look(x, f, weight, bins, centre, total, mass, rare, tilt)
