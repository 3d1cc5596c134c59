"""Curves of a function along one input: the knots they are read at, and the backgrounds.

Curves are read at knots and continued linearly between them. An input with few distinct values
has a knot on each, so that nothing is lost between knots. Backgrounds are drawn where the variance
lies, and each curve has a weight that makes up for having been drawn oftener.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ._evaluate import Evaluator
from ._pilot import FEW_INPUTS, Look

MOST_KNOTS = 160
"""Knots up to which intervals are halved where curves jump."""
JUMP = 1 / 50
"""Share of variance, in units of the tolerance, that one interval's jump may put at stake."""
FINEST = 1e-3
"""Tolerance for which knots are set where a smaller one is asked for."""
RELATION = 0.5
RELATIVES = 4
"""Backgrounds in a family, each of which takes every input from either of two parents."""
BACKGROUNDS = (0.5, 0.0, 0.25, 0.25)
"""Parts of the backgrounds that are plain, tilted to rare values, in proportion to the variance
that was seen at a point, and in proportion to the square of that."""
UNEVEN_BACKGROUNDS = (0.3, 0.2, 0.25, 0.25)
"""The same where rare points carry much of the variance."""


@dataclass(frozen=True)
class Reading:
    """How closely the curves of a function are read and checked.

    Attributes
    ----------
    knots : int
        Knots of an input with many values, to begin with.
    curves : int
        Curves for each family, by which the functions are chosen.
    families : int
        Families by which an input's functions are checked, at most; 2 at least.
    points : int
        Points at which a curve is checked, one in each of equal strata.
    functions : int
        Functions of one input, at most: fewer than the points by two.
    part : float
        Of the tolerance, what the orders may lose.
    """

    knots: int
    curves: int
    families: int
    points: int
    functions: int
    part: float


THOROUGH = Reading(knots=32, curves=4, families=6, points=32, functions=24, part=0.5)
"""For functions of which nothing is known."""
FRUGAL = Reading(knots=12, curves=3, families=4, points=12, functions=10, part=1.5)
"""For smooth functions whose evaluations are dear: about a fifth of the evaluations."""
NOTHING = 1e-10
"""Share of variance that is taken for rounding."""


def first_knots(inputs: Inputs, coordinate: int, reading: Reading) -> np.ndarray:
    """Knots of one input, also among the values that are rare beside a frequent one.

    The latter up to `FEW_INPUTS` inputs: every knot of every input is on every curve.
    """
    knots = inputs.knots(reading.knots, coordinate=coordinate)
    few = inputs.dim <= FEW_INPUTS
    if not few or not inputs.discrete(coordinate) or len(knots) >= reading.knots:
        return knots
    values, _ = inputs.support(coordinate)
    rows = np.linspace(0, len(values) - 1, min(len(values), reading.knots)).round().astype(int)
    return np.union1d(knots, values[rows])


def told_apart(knots: np.ndarray, dtype: torch.dtype) -> np.ndarray:
    """The knots as points have them, ascending: of two that round to the same there is one."""
    return torch.as_tensor(knots).to(dtype).double().unique().numpy()


def _between(inputs: Inputs, coordinate: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A value of the input between each two that are given, where there is one."""
    if not inputs.discrete(coordinate):
        return (low + high) / 2
    values, _ = inputs.support(coordinate)
    a, b = np.searchsorted(values, low), np.searchsorted(values, high)
    return values[((a + b) // 2)[b - a > 1]]


def read_curves(
    evaluate: Evaluator,
    look: Look,
    background: Tensor,
    bins: Tensor,
    grid: np.ndarray,
    j: int,
    tolerance: float,
    stop: int,
) -> tuple[np.ndarray, Tensor]:
    """Knots along input j, closer where curves jump, and the curves there [G, backgrounds, m].

    A curve that is continued linearly over a jump is wrong by up to the square of the jump, on
    as much as lies between the two knots: intervals are halved until that matters no more.
    """
    inputs = evaluate.inputs
    f = curves_at(evaluate, background, torch.as_tensor(grid, device=evaluate.device), j)
    while len(grid) < MOST_KNOTS:
        hats = hat_moments(inputs, grid, j).sum(axis=0)
        width = torch.as_tensor(np.minimum(hats[1:], hats[:-1])).to(f)
        part = density_ratio(f, torch.as_tensor(hats).to(f), look, bins, j)
        jumps = torch.einsum("abm,b,m->a", f.diff(dim=0).square(), part, look.share) / f.shape[1]
        wrong = (jumps * width).cpu().numpy()
        some = np.flatnonzero(wrong > JUMP * max(tolerance, FINEST))
        some = some[np.argsort(-wrong[some])][: MOST_KNOTS - len(grid)]
        new = told_apart(_between(inputs, j, grid[some], grid[some + 1]), evaluate.dtype)
        new = np.setdiff1d(new, grid)
        new = new[: max(0, stop - evaluate.evaluations) // len(background)]
        if not len(new):
            break
        more = curves_at(evaluate, background, torch.as_tensor(new, device=evaluate.device), j)
        order = np.argsort(np.append(grid, new))
        grid = np.append(grid, new)[order]
        f = torch.cat([f, more])[torch.as_tensor(order, device=f.device)]
    return grid, f


def density_ratio(f: Tensor, mass: Tensor, look: Look, bins: Tensor, j: int) -> Tensor:
    """Density of plain backgrounds over that of `backgrounds`, [backgrounds].

    Some are as frequent as what their curve along input j carries, and some as the square of it.
    That is known from the curve itself, [points, backgrounds, m], whose points stand for a mass
    each.
    """
    square = (f - look.centre).square() @ look.share
    plain, tilted, large, largest = _mixture(look)
    # Of a constant function every square is 0, and so is the mean of their squares.
    extreme = square.square() / max(look.fourth(), 1e-300)
    density = plain + mass @ (large * square + largest * extreme)
    if tilted:
        density = density + tilted * look.rare.ratio(bins, without=j)
    return 1 / density


def _mixture(look: Look) -> tuple[float, float, float, float]:
    """Parts of the backgrounds that are plain, tilted to rare values, and where f varies."""
    return UNEVEN_BACKGROUNDS if look.uneven else BACKGROUNDS


def backgrounds(
    evaluate: Evaluator, look: Look, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points [count, d] and their bins: some plain, some rare, some where the look saw variance."""
    like = {"generator": generator, "dtype": evaluate.dtype}
    _, tilted, *varying = _mixture(look)
    some = round(sum(varying) * count) if look.total.any() else 0
    rare = round(tilted * count)
    draws = [(count - some - rare, 1.0), (rare, 0.0)]
    drawn = [look.rare.points(n, plain, **like) for n, plain in draws if n]
    chosen = look.where_it_varies(some, generator)
    x, bins = map(torch.cat, zip(*drawn, (look.x[chosen], look.bins[chosen]), strict=True))
    # In random order, for some are put into groups.
    shuffle = torch.randperm(count, generator=generator, device=x.device)
    return x[shuffle], bins[shuffle]


def families_of(
    evaluate: Evaluator, look: Look, families: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points [families · RELATIVES, d], those of a family next to each other, and first ones' bins.

    The first is one of `backgrounds`; the others take each of their inputs from it or from a
    second parent, so that any two of a family share an input with the same probability.
    """
    inputs = evaluate.inputs
    first, bins = backgrounds(evaluate, look, families, generator)
    first = first[:, None]
    second = inputs.sample(families, generator=generator, dtype=evaluate.dtype)[:, None]
    choice = torch.rand(families, RELATIVES, inputs.dim, generator=generator, device=first.device)
    choice[:, 0] = 0.0
    return torch.where(choice < RELATION, first, second).flatten(0, 1), bins


def curves_at(evaluate: Evaluator, background: Tensor, points: Tensor, j: int) -> Tensor:
    """Values [points, backgrounds, m] with input j at the points and the others held.

    Of equal points, as those of an input of few values are, one is asked.
    """
    asked, where = points.unique(return_inverse=True)
    if len(asked) < len(points):
        return curves_at(evaluate, background, asked, j)[where]
    x = background.repeat(len(points), 1)
    x[:, j] = points.to(x).repeat_interleave(len(background))
    return evaluate(x).unflatten(0, (len(points), len(background)))


def hat_moments(inputs: Inputs, knots: np.ndarray, coordinate: int) -> np.ndarray:
    """Second moments [G, G] of the hat functions on the knots, of which every curve is a sum."""
    size = len(knots)
    if size == 1:
        return np.ones((1, 1))
    x, weight = inputs.quadrature(8, coordinate=coordinate, breakpoints=knots.tolist())
    at = np.clip(np.searchsorted(knots, x, side="right") - 1, 0, size - 2)
    part = (x - knots[at]) / (knots[at + 1] - knots[at])
    gram = np.zeros((size, size))
    for i, a in ((0, 1 - part), (1, part)):
        for k, b in ((0, 1 - part), (1, part)):
            np.add.at(gram, (at + i, at + k), weight * a * b)
    return gram


def check_cost(inputs: Inputs, reading: Reading) -> int:
    """Evaluations that checking the curves of one family along every input takes, at most."""
    return RELATIVES * int(np.minimum(inputs.support_sizes, reading.points).sum())


def check_points(
    evaluate: Evaluator, look: Look, j: int, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """So many values of input j and what each stands for, of mean 1.

    One from each of equal strata; where rare values of the input may matter, those are equal
    strata of a distribution in which such values are frequent.
    """
    inputs = evaluate.inputs
    like = {"device": evaluate.device, "dtype": torch.float64}
    strata = torch.arange(count, **like)
    u = (strata + torch.rand(count, generator=generator, **like)) / count
    mass = torch.ones_like(u)
    if look.tilt is not None or inputs.uneven:
        u, mass = (look.tilt or look.rare).along(j, u)
        mass = mass * count / mass.sum()
    return inputs.quantile(u, torch.full_like(u, j, dtype=torch.long)), mass


def interpolate(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """[n, d, Q] at points [n, d] of functions with values [d, G, Q] at knots [d, G]."""
    dim, size = knots.shape
    at = torch.searchsorted(knots, x.T.contiguous(), right=True).sub_(1).clamp_(0, size - 2).T
    at = at + size * torch.arange(dim, device=x.device)
    flat, values = knots.flatten(), values.flatten(0, 1)
    part = ((x - flat[at]) / (flat[at + 1] - flat[at])).unsqueeze(-1)
    return torch.lerp(values[at], values[at + 1], part)


def karhunen_loeve(moment: Tensor, gram: Tensor, most: int) -> tuple[Tensor, Tensor]:
    """The eigenfunctions of a moment [G, G]: what they carry [q], and their knot values [G, q]."""
    values, vectors = torch.linalg.eigh(gram)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    carried, vectors = torch.linalg.eigh(root @ moment @ root)
    exist = carried > NOTHING
    carried, vectors = carried[exist].flip(0), vectors[:, exist].flip(1)
    functions = (moment @ root @ vectors)[:, :most]
    functions = functions - gram.sum(dim=0) @ functions
    scale = (functions * (gram @ functions)).sum(dim=0).sqrt()
    return carried[:most], functions / scale


def linear(grid: Tensor, gram: Tensor) -> Tensor:
    """Knot values [G, 1] of the linear function of mean 0 and variance 1."""
    line = grid - gram.sum(dim=0) @ grid
    return (line / (line @ gram @ line).sqrt())[:, None]
