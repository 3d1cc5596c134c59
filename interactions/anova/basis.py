"""Bases of few functions per input, chosen for the function that is to be measured.

Along one input, with the others held fixed, a function traces a curve. The covariance of these
curves over random backgrounds has eigenfunctions, its Karhunen-Loeve basis, of which a few carry
nearly all of the variance where polynomials or indicators would have to be many.

New curves check how many are kept. Most of what makes curves rough belongs to high orders, which
are not to be measured, so curves are compared with those of related backgrounds, which share every
input with probability RELATION = 1/2: an effect of order k that holds the input then counts
RELATION^(k-1) times (the noise operator, as for resampled functions). What is lost of orders 2 to
K is therefore at most the sum over the inputs of what related curves have in common outside of
the basis, over RELATION^(K-1).

Curves are read at knots and continued linearly between them. An input with few distinct values
has a knot on each, so that nothing is lost between knots; a rare value gets a function of its own
only where it carries variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..inputs import Empirical, Inputs
from ._evaluate import Evaluator
from ._pilot import Look

KNOTS = 32
"""Knots of an input with many values, to begin with."""
MOST_KNOTS = 160
"""Knots up to which intervals are halved where curves jump."""
SEEN = 8
"""Points that carry the variance of an uneven function, on which every input has a knot."""
JUMP = 1 / 50
"""Share of variance, in units of the tolerance, that one interval's jump may put at stake."""
RELATION = 0.5
RELATIVES = 4
"""Backgrounds in a family, each of which takes every input from either of two parents."""
FAMILIES = 8
"""Families by which an input's functions are checked, at most; 2 at least."""
UNEVEN_FAMILIES = 20
"""The same where rare points carry much of the variance."""
BACKGROUNDS = (0.5, 0.0, 0.25, 0.25)
"""Parts of the backgrounds that are plain, tilted to rare values, in proportion to the variance
that was seen at a point, and in proportion to the square of that."""
UNEVEN_BACKGROUNDS = (0.3, 0.2, 0.25, 0.25)
"""The same where rare points carry much of the variance."""
CURVES = 3
"""Curves for each family, by which the functions are chosen."""
CHECK_POINTS = 40
"""Points at which a curve is checked, one in each of equal strata."""
MOST_FUNCTIONS = 24
"""Functions of one input, at most."""
OUTSIDE = (4.0, 1.0, 0.25)
"""Share of variance that all curves together may keep outside of the basis, in units of the
tolerance. As a rule most of it is of high order and no loss to the orders that are measured, so
the loosest comes first; the next is tried where the check finds that these would lose too much."""
OUTSIDE_AT_ORDER_1 = 1 / 16
"""Factor on `OUTSIDE` at order 1, whose basis is larger because its functions cost little: an
order-1 product is a single function."""
NOTHING = 1e-10
"""Share of variance that is taken for rounding."""
MOST_PRODUCTS = 2**18
"""Products of one order, at most: the noise of an estimate grows as the root of their number."""
MOST_DEGREE = (12, 8, 6, 4)
"""Highest degree of the polynomials at orders 1, 2, 3, and at every order above."""
MOST_POLYNOMIALS = 2**16
"""Products of polynomials at one order, at most: degrees are lowered until there are fewer."""
POLYNOMIAL_NOISE = 0.005
"""Standard error that the products of one order may add to a share, at most: degrees are lowered
until the sample averages it out."""


class Basis(Protocol):
    """Orthonormal functions of each input, without the constant."""

    def widths(self, order: int) -> list[int]:
        """Functions of each input at an order, [d]."""
        ...

    def features(self, x: Tensor, order: int) -> Tensor:
        """Their values at points [n, d]: [n, sum of widths], input by input."""
        ...


@dataclass(frozen=True)
class Polynomials:
    """The orthonormal polynomials of each input up to a degree for each order."""

    inputs: Inputs
    degrees: Sequence[int]

    def widths(self, order: int) -> list[int]:
        degree = self.degrees[order - 1]
        return np.minimum(self.inputs.support_sizes - 1, degree).astype(int).tolist()

    def features(self, x: Tensor, order: int) -> Tensor:
        degree = self.degrees[order - 1]
        exists = torch.arange(degree) < torch.tensor(self.widths(order))[:, None]
        exists = exists.to(x.device)
        parts = x.split(_rows(exists.numel()))
        return torch.cat([self.inputs.basis(part, degree)[:, exists] for part in parts])


def polynomials(inputs: Inputs, max_order: int, *, sample: int) -> Polynomials:
    """Polynomials of the highest degrees whose products add little noise in a sample of this size.

    Degree 2 at least up to order 2.
    """
    most = min(MOST_POLYNOMIALS, (POLYNOMIAL_NOISE * sample) ** 2 / 2)
    degrees = []
    for k in range(1, max_order + 1):
        fits = int((most / math.comb(inputs.dim, k)) ** (1 / k))
        highest = MOST_DEGREE[min(k, len(MOST_DEGREE)) - 1]
        degrees.append(min(highest, max(fits, 2 if k <= 2 else 1)))
    return Polynomials(inputs, degrees)


@dataclass(frozen=True)
class Adapted:
    """Functions read off the measured function, piecewise linear between knots.

    Attributes
    ----------
    knots : tensor [d, G]
        Ascending; an input with fewer knots has some beyond its last value.
    values : tensor [d, G, Q]
        Values of the functions at the knots, the most important functions first.
    kept : list over the orders of lists [d]
        How many functions of each input an order uses.
    left_out : array [m]
        Bound on the share of the orders' variance that lies outside of the basis, for each
        function, from backgrounds of its own. Signed: its noise may point below zero.
    """

    knots: Tensor
    values: Tensor
    kept: list[list[int]]
    left_out: np.ndarray

    def widths(self, order: int) -> list[int]:
        return self.kept[order - 1]

    def features(self, x: Tensor, order: int) -> Tensor:
        kept = torch.tensor(self.widths(order), device=x.device)
        most = int(kept.max())
        columns = torch.arange(most, device=x.device) < kept[:, None]
        knots, values = self.knots.to(x), self.values[..., :most].to(x)
        parts = x.split(_rows(columns.numel()))
        return torch.cat([_interpolate(part, knots, values)[:, columns] for part in parts])


def _rows(numbers: int) -> int:
    """Points to evaluate at once, of so many numbers each: a few MiB."""
    return max(1, 2**20 // max(numbers, 1))


def _interpolate(x: Tensor, knots: Tensor, values: Tensor) -> Tensor:
    """[n, d, Q] at points [n, d] of functions with values [d, G, Q] at knots [d, G]."""
    dim, size = knots.shape
    at = torch.searchsorted(knots, x.T.contiguous(), right=True).sub_(1).clamp_(0, size - 2).T
    at = at + size * torch.arange(dim, device=x.device)
    flat, values = knots.flatten(), values.flatten(0, 1)
    part = ((x - flat[at]) / (flat[at + 1] - flat[at])).unsqueeze(-1)
    return torch.lerp(values[at], values[at + 1], part)


def adapted(
    evaluate: Evaluator,
    look: Look,
    *,
    max_order: int,
    tolerance: float,
    budget: int,
    sample: int,
    generator: torch.Generator,
) -> Adapted:
    """Choose the functions of every input, all functions of an ensemble counting alike.

    Functions are kept, the most important first, until the orders lose about half of the
    tolerance, or no more than the noise of so many products in a sample as large as can be
    afforded.

    Parameters
    ----------
    look : Look
        Points that show where the functions' variance lies.
    budget, sample : int
        Evaluations to spend here at most, two `family_cost` at least, and points of the sample
        that the basis is for.
    """
    inputs, total = evaluate.inputs, look.total
    grids = [_first_knots(inputs, j) for j in range(inputs.dim)]
    price = family_cost(inputs)
    seen = SEEN if look.uneven and budget >= 2 * (price + CURVES * SEEN * inputs.dim) else 0
    most = UNEVEN_FAMILIES if look.uneven else FAMILIES
    families = min(most, budget // (price + CURVES * seen * inputs.dim))
    stop = evaluate.evaluations + budget - families * inputs.dim * RELATIVES * CHECK_POINTS
    weight = look.share
    knots, values, carried = _choose(
        evaluate, look, grids, CURVES * families, seen, tolerance, stop, generator
    )
    outside = []
    for j in range(inputs.dim):
        family = _families(evaluate, look, families, generator)
        outside.append(_outside(evaluate, look, knots[j], values[j], *family, j, generator))
    # [d, Q + 1, m] each: of single curves, of relatives, of different families.
    single, related, unrelated = (torch.stack(a) for a in zip(*outside, strict=True))
    every = torch.arange(inputs.dim)
    beyond = np.pad(carried[:, ::-1].cumsum(axis=1)[:, ::-1], ((0, 0), (0, 1)))
    for part in OUTSIDE[-1:] if look.uneven else OUTSIDE:
        kept = []
        for k in range(1, max_order + 1):
            some = part * (OUTSIDE_AT_ORDER_1 if k == 1 else 1.0)
            # What the curves carry beyond the functions is outside, whatever the check saw.
            mean = np.maximum((single @ weight).cpu().numpy(), beyond)
            kept.append(_keep(carried, mean, k, some, tolerance=tolerance, sample=sample))
        first, last = torch.tensor(kept[0]), torch.tensor(kept[-1])
        lost = unrelated[every, first].sum(dim=0)
        if max_order > 1:
            joint = (related - unrelated)[every, last].sum(dim=0)
            lost = lost + joint / RELATION ** (max_order - 1)
        left_out = torch.where(total > 0, lost / total, 0.0).cpu().numpy()
        if left_out.mean() <= tolerance / 2:
            break
    return Adapted(knots, values, kept, left_out)


def family_cost(inputs: Inputs) -> int:
    """Evaluations that `adapted` takes for one family of backgrounds; it takes 2 at least."""
    knots = sum(len(_first_knots(inputs, j)) for j in range(inputs.dim))
    return CURVES * knots + inputs.dim * RELATIVES * CHECK_POINTS


def _first_knots(inputs: Inputs, coordinate: int) -> np.ndarray:
    """Knots of one input, also among the values that are rare beside a frequent one."""
    knots = inputs.knots(KNOTS, coordinate=coordinate)
    if not isinstance(inputs, Empirical) or len(knots) >= KNOTS:
        return knots
    values, _ = inputs.support(coordinate)
    rows = np.linspace(0, len(values) - 1, min(len(values), KNOTS)).round().astype(int)
    return np.union1d(knots, values[rows])


def _between(inputs: Inputs, coordinate: int, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """A value of the input between each two that are given, where there is one."""
    if not isinstance(inputs, Empirical):
        return (low + high) / 2
    values, _ = inputs.support(coordinate)
    a, b = np.searchsorted(values, low), np.searchsorted(values, high)
    return values[((a + b) // 2)[b - a > 1]]


def _choose(
    evaluate: Evaluator,
    look: Look,
    grids: list[np.ndarray],
    curves: int,
    seen: int,
    tolerance: float,
    stop: int,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Knots [d, G], functions there [d, G, Q] and the shares that they carry [d, Q]."""
    inputs = evaluate.inputs
    background, bins = _backgrounds(evaluate, look, curves, generator)
    telling = look.x[look.where_it_varies(seen, generator)].double().cpu().numpy()
    found = []
    for j, grid in enumerate(grids):
        # Where the variance was seen there is a knot, so that no needle is missed.
        grid = np.union1d(grid, telling[:, j])
        # What the inputs behind may need at least is not spent on this one.
        reserved = curves * sum(map(len, grids[j + 1 :]))
        grid, f = _read(evaluate, look, background, bins, grid, j, tolerance, stop - reserved)
        gram = torch.as_tensor(_gram(inputs, grid, j)).to(f)
        mass = gram.sum(dim=0)
        part = _part(f, mass, look, bins, j) / curves
        f = f - torch.tensordot(mass, f, dims=1)
        moment = torch.einsum("abm,cbm,b,m->ac", f, f, part, look.share)
        found.append((grid, *_karhunen_loeve(moment, gram)))
    dim, size = inputs.dim, max(2, *(len(grid) for grid, _, _ in found))
    like = {"dtype": torch.float64, "device": evaluate.device}
    knots = torch.empty(dim, size, **like)
    values = torch.zeros(dim, size, MOST_FUNCTIONS, **like)
    carried = torch.zeros(dim, MOST_FUNCTIONS, **like)
    for j, (grid, some, functions) in enumerate(found):
        g, q = functions.shape
        knots[j] = torch.as_tensor(np.append(grid, grid[-1] + np.arange(1, size - g + 1)))
        carried[j, :q] = some
        values[j, :g, :q] = functions
    return knots, values, carried.cpu().numpy()


def _read(
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
    f = _curves(evaluate, background, torch.as_tensor(grid, device=evaluate.device), j)
    while len(grid) < MOST_KNOTS:
        hats = _gram(inputs, grid, j).sum(axis=0)
        width = torch.as_tensor(np.minimum(hats[1:], hats[:-1])).to(f)
        part = _part(f, torch.as_tensor(hats).to(f), look, bins, j)
        jumps = torch.einsum("abm,b,m->a", f.diff(dim=0).square(), part, look.share) / f.shape[1]
        wrong = (jumps * width).cpu().numpy()
        some = np.flatnonzero(wrong > JUMP * tolerance)
        some = some[np.argsort(-wrong[some])][: MOST_KNOTS - len(grid)]
        new = np.setdiff1d(_between(inputs, j, grid[some], grid[some + 1]), grid)
        new = new[: max(0, stop - evaluate.evaluations) // len(background)]
        if not len(new):
            break
        more = _curves(evaluate, background, torch.as_tensor(new, device=evaluate.device), j)
        order = np.argsort(np.append(grid, new))
        grid = np.append(grid, new)[order]
        f = torch.cat([f, more])[torch.as_tensor(order, device=f.device)]
    return grid, f


def _part(f: Tensor, mass: Tensor, look: Look, bins: Tensor, j: int) -> Tensor:
    """Density of plain backgrounds over that of `_backgrounds`, [backgrounds].

    Some are as frequent as what their curve along input j carries, and some as the square of it.
    That is known from the curve itself, [points, backgrounds, m], whose points stand for a mass
    each.
    """
    square = (f - look.centre).square() @ look.share
    plain, tilted, large, largest = _mixture(look)
    density = plain + mass @ (large * square + largest * square.square() / look.fourth())
    if tilted:
        density = density + tilted * look.rare.ratio(bins, without=j)
    return 1 / density


def _mixture(look: Look) -> tuple[float, float, float, float]:
    """Parts of the backgrounds that are plain, tilted to rare values, and where f varies."""
    return UNEVEN_BACKGROUNDS if look.uneven else BACKGROUNDS


def _backgrounds(
    evaluate: Evaluator, look: Look, count: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points [count, d] and their bins: some plain, some rare, some where the look saw variance."""
    like = {"generator": generator, "dtype": evaluate.dtype}
    _, tilted, *varying = _mixture(look)
    some = round(sum(varying) * count) if look.total.any() else 0
    rare = round(tilted * count)
    draws = [look.rare.draw(count - some - rare, 1.0, **like), look.rare.draw(rare, 0.0, **like)]
    chosen = look.where_it_varies(some, generator)
    x = torch.cat([*(d.x for d in draws), look.x[chosen]])
    bins = torch.cat([*(d.bins for d in draws), look.bins[chosen]])
    # In random order, for some are put into groups.
    shuffle = torch.randperm(count, generator=generator, device=x.device)
    return x[shuffle], bins[shuffle]


def _families(
    evaluate: Evaluator, look: Look, families: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Points [families · RELATIVES, d], those of a family next to each other, and first ones' bins.

    The first is one of `_backgrounds`; the others take each of their inputs from it or from a
    second parent, so that any two of a family share an input with the same probability.
    """
    inputs = evaluate.inputs
    first, bins = _backgrounds(evaluate, look, families, generator)
    first = first[:, None]
    second = inputs.sample(families, generator=generator, dtype=evaluate.dtype)[:, None]
    choice = torch.rand(families, RELATIVES, inputs.dim, generator=generator, device=first.device)
    choice[:, 0] = 0.0
    return torch.where(choice < RELATION, first, second).flatten(0, 1), bins


def _curves(evaluate: Evaluator, background: Tensor, points: Tensor, j: int) -> Tensor:
    """Values [points, backgrounds, m] with input j at the points and the others held."""
    x = background.repeat(len(points), 1)
    x[:, j] = points.to(x).repeat_interleave(len(background))
    return evaluate(x).unflatten(0, (len(points), len(background)))


def _gram(inputs: Inputs, knots: np.ndarray, coordinate: int) -> np.ndarray:
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


def _karhunen_loeve(moment: Tensor, gram: Tensor) -> tuple[Tensor, Tensor]:
    """The eigenfunctions of a moment [G, G]: what they carry [q], and their knot values [G, q]."""
    values, vectors = torch.linalg.eigh(gram)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.T
    carried, vectors = torch.linalg.eigh(root @ moment @ root)
    exist = carried > NOTHING
    carried, vectors = carried[exist].flip(0), vectors[:, exist].flip(1)
    functions = (moment @ root @ vectors)[:, :MOST_FUNCTIONS]
    functions = functions - gram.sum(dim=0) @ functions
    scale = (functions * (gram @ functions)).sum(dim=0).sqrt()
    return carried[:MOST_FUNCTIONS], functions / scale


def _keep(
    carried: np.ndarray,
    outside: np.ndarray,
    order: int,
    part: float,
    *,
    tolerance: float,
    sample: int,
) -> list[int]:
    """How many functions of each input an order keeps.

    `carried` [d, Q] puts them in order; the list ends when of `outside` [d, Q + 1], what remains
    of curves outside of the first 0 .. Q functions of an input, no more than a part is left.
    """
    able = carried > 0
    where = np.argsort(np.where(able, -carried, np.inf), axis=None)[: able.sum()]
    inputs = where // carried.shape[1]

    def widths(length: int) -> np.ndarray:
        return np.bincount(inputs[:length], minlength=len(carried))

    length = 0
    while length < len(where):
        noise = math.sqrt(2 * number_of_products(widths(length), order)) / sample
        if outside[np.arange(len(carried)), widths(length)].sum() <= part * max(tolerance, noise):
            break
        more = length + 1 + length // 16
        if number_of_products(widths(more), order) > MOST_PRODUCTS:
            break
        length = more
    return widths(length).tolist()


def number_of_products(widths: Sequence[int], order: int) -> int:
    """Products of functions of `order` different inputs: an elementary symmetric polynomial."""
    e = [1] + [0] * order
    for q in widths:
        for k in range(order, 0, -1):
            e[k] += int(q) * e[k - 1]
    return e[order]


def _outside(
    evaluate: Evaluator,
    look: Look,
    knots: Tensor,
    values: Tensor,
    background: Tensor,
    bins: Tensor,
    j: int,
    generator: torch.Generator,
) -> Tensor:
    """Mean products [3, Q + 1, m] of the parts of curves that a basis of input j cannot express.

    The middle axis counts the functions kept, the first 0 .. Q of the input's. The first axis says
    whose parts are multiplied: a curve's with itself, with its relatives', and with those of
    other families, which have only the effect of input j alone in common. The part outside is the
    residual of a least-squares fit at fresh points, not the knots at which the functions were read.
    """
    points, mass = _check_points(evaluate, look, j, generator)
    curves = _curves(evaluate, background, points, j).unflatten(1, (-1, RELATIVES))
    part = _part(curves[:, :, 0], mass / CHECK_POINTS, look, bins, j)
    functions = _interpolate(points[:, None], knots[None], values[None]).squeeze(1)
    # Points that stand for more count more, in the fit as in the means.
    root = mass.sqrt()
    columns = torch.cat([torch.ones_like(functions[:, :1]), functions], dim=1) * root[:, None]
    curves = curves * root[:, None, None, None]
    # The projections on the first functions differ by one axis after another.
    axes = torch.linalg.qr(columns)[0]
    along = torch.tensordot(axes.T, curves, dims=1)

    def products(c: Tensor) -> Tensor:
        families = c.shape[1]
        p = part[:, None]
        single = (c.square().sum(dim=2) * p).sum(dim=1)
        sums = c.sum(dim=2)
        family = sums.square()
        whole = (sums * p).sum(dim=1).square() - (family * p.square()).sum(dim=1)
        related = (family * p).sum(dim=1) - single
        return torch.stack(
            [
                single / (families * RELATIVES),
                related / (families * RELATIVES * (RELATIVES - 1)),
                whole / (families * (families - 1) * RELATIVES**2),
            ]
        )

    whole, explained = (
        # A thousand functions at a time, for the squares take as much memory again.
        torch.cat([products(some) for some in c.split(1024, dim=-1)], dim=-1)
        for c in (curves, along)
    )
    rest = whole.sum(dim=1, keepdim=True) - explained.cumsum(dim=1)
    free = CHECK_POINTS - torch.arange(1, rest.shape[1] + 1).to(rest)
    return rest / free[:, None]


def _check_points(
    evaluate: Evaluator, look: Look, j: int, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """CHECK_POINTS values of input j and what each stands for, of mean 1.

    One from each of equal strata; where rare values of the input may matter, those are equal
    strata of a distribution in which such values are frequent.
    """
    inputs = evaluate.inputs
    like = {"device": evaluate.device, "dtype": torch.float64}
    strata = torch.arange(CHECK_POINTS, **like)
    u = (strata + torch.rand(CHECK_POINTS, generator=generator, **like)) / CHECK_POINTS
    mass = torch.ones_like(u)
    if look.tilt is not None or isinstance(inputs, Empirical):
        u, mass = (look.tilt or look.rare).along(j, u)
        mass = mass * CHECK_POINTS / mass.sum()
    return inputs.quantile(u, torch.full_like(u, j, dtype=torch.long)), mass
