"""The first look at a function: where its variance lies, and whether rare points carry it.

A plain pilot is joined by points tilted to tails and rare values. Where few of all these carry
much of the variance, more are drawn, tilted towards them, until a draw shares it evenly. All points
seen so far are weighed together by their mean density (Veach & Guibas, SIGGRAPH 1995), so that
what was found once is never lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ._evaluate import Evaluator
from ._tilt import PLAIN, Drawn, Tilt, rare_values, towards

EVEN = 10.0
"""Fourth moment over squared second, up to which points need not be tilted: it is 3 for a normal
distribution and 5.8 for a product of three uniform inputs."""
FEW_INPUTS = 256
"""Inputs up to which rare values of data are looked for from the start: it costs by the input."""
GAIN = 0.7
"""Part to which a tilt must bring this ratio to be worth half of the points."""
ROUNDS = 6
"""Times that points are tilted anew, at most."""
THROUGH = 16
"""Points through which curves are drawn to learn where the variance lies along every input."""


@dataclass(frozen=True)
class Look:
    """All points seen before the sample, and what they show.

    Attributes
    ----------
    x, f, bins : tensors [n, d], [n, m] and [n, d]
    weight : tensor [n]
        Density of the inputs over the mean density that the points were drawn by.
    centre, total, share : tensors [m]
        Means and variances of the functions, 0 for a constant one, and what a squared unit of
        each is as a share of variance, averaged over them.
    square : tensor [n]
        Squared distance of the values from their means, as a share of variance, of mean 1.
    rare, tilt : Tilt and Tilt or None
        Towards rare values whatever the function, and by which to draw the sample: None for plain
        points.
    """

    x: Tensor
    f: Tensor
    bins: Tensor
    weight: Tensor
    centre: Tensor
    total: Tensor
    share: Tensor
    square: Tensor
    rare: Tilt
    tilt: Tilt | None = None

    @property
    def uneven(self) -> bool:
        """Whether rare points carry so much of the variance that plain ones show it badly.

        Columns of data are taken for such as may, up to `FEW_INPUTS` of them.
        """
        inputs = self.rare.inputs
        data = inputs.uneven and inputs.dim <= FEW_INPUTS
        return data or self.fourth() > EVEN

    def fourth(self, tilt: Tilt | None = None) -> float:
        """Mean square of what points drawn by a tilt, or plain ones, add to the variance.

        In units of the squared variance. The variance of n points has about the relative error
        of its root over that of n.
        """
        square = self.square.square()
        if tilt is not None:
            square = square * tilt.weight(self.bins, PLAIN)
        return (self.weight * square).mean().item()

    def where_it_varies(self, count: int, generator: torch.Generator) -> Tensor:
        """Numbers of points, half of them in proportion to `square`, half to its square, [count].

        At equal steps of the running sum in the order of size, so that no group is missed.
        """
        order = self.square.argsort(descending=True)
        mass, extreme = (self.weight * s for s in (self.square, self.square.square()))
        ends = (mass / mass.sum() + extreme / extreme.sum())[order].cumsum(dim=0)
        start = torch.rand((), generator=generator, device=ends.device, dtype=ends.dtype)
        at = (torch.arange(count, device=ends.device) + start) / count * ends[-1]
        return order[torch.searchsorted(ends, at).clamp_(max=len(order) - 1)]


@dataclass(frozen=True)
class _Draw:
    """Points drawn at once, by a tilt of which a part is plain, and their values."""

    tilt: Tilt
    plain: float
    drawn: Drawn
    f: Tensor


def first_look(
    evaluate: Evaluator, n: int, budget: int, generator: torch.Generator
) -> tuple[Look, slice]:
    """Look at n plain points, half as many tilted ones, and more where few carry the variance.

    Spends no more than the budget, unless the first points do. Returns, beside the look, which n
    of its points are drawn as the sample will be.
    """
    stop = evaluate.evaluations + budget
    rare = rare_values(evaluate.inputs, evaluate.device)
    draws: list[_Draw] = []

    def draw(tilt: Tilt, plain: float, size: int) -> Look:
        drawn = tilt.draw(size, plain, generator=generator, dtype=evaluate.dtype)
        draws.append(_Draw(tilt, plain, drawn, evaluate(drawn.x)))
        return _together(evaluate, rare, draws)

    draw(rare, 1.0, n)
    look = draw(rare, 0.0, n // 2)
    # What seems constant is looked at again, at twice as many points each time.
    while not look.total.any() and evaluate.evaluations + 2 * len(look.x) <= stop:
        draw(rare, 1.0, len(look.x))
        look = draw(rare, 0.0, len(look.x))
    carried = torch.zeros_like(rare.odds)
    tilts: dict[Tilt | None, slice] = {None: slice(0, n)}
    tilt = None
    for _ in range(ROUNDS):
        price = THROUGH * rare.odds.numel() + n
        if look.fourth(tilt) <= EVEN or evaluate.evaluations + price > stop:
            break
        carried += _carried(evaluate, look, generator)
        tilt = towards(rare, carried)
        tilts[tilt] = slice(len(look.x), len(look.x) + n)
        look = draw(tilt, PLAIN, n)
    best = min(tilts, key=look.fourth)
    if best is not None and look.fourth(best) > GAIN * look.fourth():
        best = None
    return replace(look, tilt=best), tilts[best]


def _together(evaluate: Evaluator, rare: Tilt, draws: Sequence[_Draw]) -> Look:
    """What all points drawn so far show, weighed by their mean density."""
    x, bins = (torch.cat([getattr(d.drawn, name) for d in draws]) for name in ("x", "bins"))
    f = torch.cat([d.f for d in draws])
    density = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    for d in draws:
        density += len(d.f) / len(x) / d.tilt.weight(bins, d.plain)
    weight = 1 / density
    part = weight / weight.sum()
    centre = part @ f
    total = part @ (f - centre).square()
    constant = torch.as_tensor(evaluate.is_constant(total.cpu().numpy()), device=total.device)
    total = torch.where(constant, 0.0, total)
    share = torch.where(total > 0, 1 / total, 0.0) / max(int((total > 0).sum()), 1)
    square = (f - centre).square() @ share
    return Look(x, f, bins, weight, centre, total, share, square, rare)


def _carried(evaluate: Evaluator, look: Look, generator: torch.Generator) -> Tensor:
    """Share of the variance in each bin of each input, [d, B].

    Curves through points that carry the variance say how it is spread along each input, so that
    few points tell much, as in Gibbs sampling.
    """
    rare = look.rare
    base = look.x[look.where_it_varies(THROUGH, generator)]
    width = rare.edges.diff(dim=1)
    carried = torch.zeros_like(width)
    for j in range(evaluate.inputs.dim):
        x = base.repeat(width.shape[1], 1)
        x[:, j] = rare.in_each_bin(THROUGH, j, generator=generator).flatten().to(x)
        square = (evaluate(x) - look.centre).square() @ look.share
        part = width[j][:, None] * square.unflatten(0, (-1, THROUGH))
        whole = part.sum(dim=0)
        carried[j] = (part / torch.where(whole > 0, whole, 1.0)).mean(dim=1)
    return carried
