"""Bases of few functions per input, chosen for the function that is to be measured.

Along one input, with the others held fixed, a function traces a curve. The covariance of these
curves over random backgrounds has eigenfunctions, its Karhunen-Loeve basis, of which a few carry
nearly all of the variance where polynomials or indicators would have to be many.

New curves check how many are kept. Most of what makes curves rough belongs to high orders, which
are not to be measured, so curves are compared with those of related backgrounds, which share every
input with probability RELATION = 1/2: an effect of order k that holds the input then counts
RELATION^(k-1) times (the noise operator, as for resampled functions). What is lost of orders 2 to
K is therefore at most the sum over the inputs of what related curves have in common outside of
the basis, over RELATION^(K-1). A rare value gets a function only where it carries variance.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ._curves import (
    RELATION,
    RELATIVES,
    THOROUGH,
    Reading,
    backgrounds,
    check_cost,
    check_points,
    curves_at,
    density_ratio,
    families_of,
    first_knots,
    hat_moments,
    interpolate,
    karhunen_loeve,
    linear,
    read_curves,
    told_apart,
)
from ._evaluate import Evaluator
from ._pilot import Look

SEEN = 8
"""Points that carry the variance of an uneven function, on which every input has a knot."""
UNEVEN_FAMILIES = 16
"""Families that check an input's functions, at most, where rare points carry much variance."""
OUTSIDE = (4.0, 2.0, 1.0, 0.5, 0.25)
"""Share of variance that all curves may keep outside of the basis, in units of the tolerance: most
of it is of high order. The loosest comes first, the next where a check finds too much lost."""
MOST_OUTSIDE = 0.04
"""The same at most, at any tolerance: a whole order that is less might be missed."""
OUTSIDE_AT_ORDER_1 = 1 / 16
"""Factor on `OUTSIDE` at order 1, whose products are single functions and cost little."""
MOST_PRODUCTS = 2**18
"""Products of one order, at most: the noise of an estimate grows as the root of their number."""
MOST_DEGREE = (12, 8, 6, 4)
"""Highest degree of the polynomials at orders 1, 2, 3, and at every order above."""
MOST_POLYNOMIALS = 2**16
"""Products of polynomials at one order, at most: degrees are lowered until there are fewer."""
POLYNOMIAL_NOISE = 0.0125
"""Standard error that the products of one order may add to a share, at most: degrees are lowered
until the sample averages it out. It is what a default tolerance asks: fewer products lose more to
what lies outside of them than they save in noise, of which surrogates take a part."""
NOISE_OF_DEGREE_2 = 0.02
"""The same for degree 2, without which products are linear in every input, and lose most."""


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

    def fits(k: int, noise: float) -> int:
        most = min(MOST_POLYNOMIALS, (noise * sample) ** 2 / 2)
        return int((most / math.comb(inputs.dim, k)) ** (1 / k))

    degrees = []
    for k in range(1, max_order + 1):
        least = 2 if k <= 2 else max(1, min(2, fits(k, NOISE_OF_DEGREE_2)))
        highest = MOST_DEGREE[min(k, len(MOST_DEGREE)) - 1]
        degrees.append(min(highest, max(fits(k, POLYNOMIAL_NOISE), least)))
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
        return torch.cat([interpolate(part, knots, values)[:, columns] for part in parts])


def _rows(numbers: int) -> int:
    """Points to evaluate at once, of so many numbers each: a few MiB."""
    return max(1, 2**20 // max(numbers, 1))


def adapted(
    evaluate: Evaluator,
    look: Look,
    *,
    max_order: int,
    tolerance: float,
    budget: int,
    sample: int,
    generator: torch.Generator,
    reading: Reading = THOROUGH,
) -> Adapted:
    """Choose the functions of every input, all functions of an ensemble counting alike.

    Functions are kept, the most important first, until the orders lose about the reading's part
    of the tolerance, or no more than the noise of so many products in a sample as large as can be
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
    grids = [first_knots(inputs, j, reading) for j in range(inputs.dim)]
    price = family_cost(inputs, reading)
    seen = SEEN if look.uneven and budget >= 2 * (price + reading.curves * SEEN * inputs.dim) else 0
    most = UNEVEN_FAMILIES if look.uneven else reading.families
    families = min(most, budget // (price + reading.curves * seen * inputs.dim))
    stop = evaluate.evaluations + budget - families * check_cost(inputs, reading)
    weight = look.share
    knots, values, carried = _choose(
        evaluate, look, grids, families, seen, tolerance, stop, generator, reading
    )
    outside = []
    for j in range(inputs.dim):
        family = families_of(evaluate, look, families, generator)
        like = (evaluate, look, knots[j], values[j], *family, j, generator)
        outside.append(_outside(*like, reading.points))
    # [d, Q + 1, m] each: of single curves, of relatives, of different families.
    single, related, unrelated = (torch.stack(a) for a in zip(*outside, strict=True))
    every = torch.arange(inputs.dim)
    exist = values[:, :, 0].any(dim=1).cpu().numpy()
    beyond = np.pad(carried[:, ::-1].cumsum(axis=1)[:, ::-1], ((0, 0), (0, 1)))
    for part in OUTSIDE[-1:] if look.uneven else OUTSIDE:
        kept = []
        for k in range(1, max_order + 1):
            some = part * (OUTSIDE_AT_ORDER_1 if k == 1 else 1.0)
            # What the curves carry beyond the functions is outside, whatever the check saw.
            mean = np.maximum((single @ weight).cpu().numpy(), beyond)
            widths = _keep(carried, mean, k, some, tolerance=tolerance, sample=sample)
            kept.append(_at_least(widths, k, exist))
        first, last = torch.tensor(kept[0]), torch.tensor(kept[-1])
        lost = unrelated[every, first].sum(dim=0)
        if max_order > 1:
            joint = (related - unrelated)[every, last].sum(dim=0)
            lost = lost + joint / RELATION ** (max_order - 1)
        left_out = torch.where(total > 0, lost / total, 0.0).cpu().numpy()
        if left_out.mean() <= max(tolerance * reading.part, _noise(kept[-1], max_order, sample)):
            break
    return Adapted(knots, values, kept, left_out)


def family_cost(inputs: Inputs, reading: Reading = THOROUGH) -> int:
    """Evaluations that `adapted` takes for one family of backgrounds; it takes 2 at least."""
    knots = sum(len(first_knots(inputs, j, reading)) for j in range(inputs.dim))
    return reading.curves * knots + check_cost(inputs, reading)


def _choose(
    evaluate: Evaluator,
    look: Look,
    grids: list[np.ndarray],
    families: int,
    seen: int,
    tolerance: float,
    stop: int,
    generator: torch.Generator,
    reading: Reading,
) -> tuple[Tensor, Tensor, np.ndarray]:
    """Knots [d, G], functions there [d, G, Q] and the shares that they carry [d, Q]."""
    inputs, curves = evaluate.inputs, reading.curves * families
    background, bins = backgrounds(evaluate, look, curves, generator)
    telling = look.x[look.where_it_varies(seen, generator)].double().cpu().numpy()
    found = []
    for j, grid in enumerate(grids):
        # Where the variance was seen there is a knot, so that no needle is missed.
        grid = told_apart(np.union1d(grid, telling[:, j]), evaluate.dtype)
        # What the inputs behind may need at least is not spent on this one.
        reserved = curves * sum(map(len, grids[j + 1 :]))
        grid, f = read_curves(evaluate, look, background, bins, grid, j, tolerance, stop - reserved)
        gram = torch.as_tensor(hat_moments(inputs, grid, j)).to(f)
        mass = gram.sum(dim=0)
        part = density_ratio(f, mass, look, bins, j) / curves
        f = f - torch.tensordot(mass, f, dims=1)
        moment = torch.einsum("abm,cbm,b,m->ac", f, f, part, look.share)
        some, functions = karhunen_loeve(moment, gram, reading.functions)
        if not len(some) and len(grid) > 1:
            # An input that moves nothing has a function too, for orders that need one.
            some, functions = moment.new_zeros(1), linear(torch.as_tensor(grid).to(f), gram)
        found.append((grid, some, functions))
    dim, size = inputs.dim, max(2, *(len(grid) for grid, _, _ in found))
    like = {"dtype": torch.float64, "device": evaluate.device}
    knots = torch.empty(dim, size, **like)
    values = torch.zeros(dim, size, reading.functions, **like)
    carried = torch.zeros(dim, reading.functions, **like)
    for j, (grid, some, functions) in enumerate(found):
        g, q = functions.shape
        knots[j] = torch.as_tensor(np.append(grid, grid[-1] + np.arange(1, size - g + 1)))
        carried[j, :q] = some
        values[j, :g, :q] = functions
        if 1 < g < size:
            # Functions go on linearly beyond their last knot, as their second moments have it.
            slope = (functions[-1] - functions[-2]) / (knots[j, g - 1] - knots[j, g - 2])
            values[j, g:, :q] = functions[-1] + slope * (knots[j, g:, None] - knots[j, g - 1])
    return knots, values, carried.cpu().numpy()


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
        noise = part * _noise(widths(length).tolist(), order, sample)
        lost = outside[np.arange(len(carried)), widths(length)].sum()
        if lost <= max(min(part * tolerance, MOST_OUTSIDE), noise):
            break
        more = length + 1 + length // 16
        if number_of_products(widths(more), order) > MOST_PRODUCTS:
            break
        length = more
    return widths(length).tolist()


def _noise(widths: list[int], order: int, sample: int) -> float:
    """What an order's products add to its share, roughly, in a sample of so many points."""
    return math.sqrt(2 * number_of_products(widths, order)) / sample


def _at_least(widths: list[int], order: int, exist: np.ndarray) -> list[int]:
    """The widths, with a function each of so many inputs that an order has a product.

    Without one its estimate would be 0 whatever the sample says, and so would its error.
    """
    idle = [j for j, q in enumerate(widths) if not q and exist[j]]
    some = idle[: max(0, order - sum(q > 0 for q in widths))]
    return [q or int(j in some) for j, q in enumerate(widths)]


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
    count: int,
) -> Tensor:
    """Mean products [3, Q + 1, m] of the parts of curves that a basis of input j cannot express.

    The middle axis counts the functions kept, the first 0 .. Q of the input's. The first axis says
    whose parts are multiplied: a curve's with itself, with its relatives', and with those of
    other families, which have only the effect of input j alone in common. The part outside is the
    residual of a least-squares fit at fresh points, not the knots at which the functions were read.
    """
    points, mass = check_points(evaluate, look, j, count, generator)
    curves = curves_at(evaluate, background, points, j).unflatten(1, (-1, RELATIVES))
    part = density_ratio(curves[:, :, 0], mass / count, look, bins, j)
    functions = interpolate(points[:, None], knots[None], values[None]).squeeze(1)
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
    free = count - torch.arange(1, rest.shape[1] + 1).to(rest)
    return rest / free[:, None]
