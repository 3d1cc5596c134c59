"""A cheap surrogate takes most of the noise out of the kernel's sample, and adds no bias.

With g a function inside of the kernel's basis, V_k(f) = V_k(g) + 2 <g_k, f - g> + V_k(f - g): the
first is a sum of squared coefficients, the second a plain mean, for g_k is known, and the third
the kernel's U-statistic of what g leaves over. Fitted to other points than those it meets there, g
may be as wrong as it likes: the sum has no bias, and the better g is the less its noise
(regression-adjusted Monte Carlo; the cross-fitting is that of Chernozhukov et al., Econometrics
Journal 21, 2018). The blocks of the sample are in three folds with a surrogate each, and two
blocks are paired by those of the folds that neither belongs to, so that no pair is lost.

A surrogate is ridge regression on the products of the basis. The prior variance of a product is
that of its order, split in proportion to the product of what its functions carry in pairs, all
read from the fold itself; products of functions that carry nearly nothing are left out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._evaluate import Evaluator
from ._pairs import PIECE, Sample, pair_means
from ._products import Products, value
from .basis import Basis, number_of_products

FOLDS = 3
"""Folds of the blocks: with two, pairs between them would be lost."""
ITERATIONS = 10
"""Steps of conjugate gradients: more fit the fold, not the function."""
SCREENED = 0.15
"""What a function must carry to have products, in units of the mean over an order's functions."""
LEAST = 0.05
"""What it is taken to carry at least, in the same units: little is known of each."""
DOUBT = 2.0
"""Standard errors by which a function must be seen in products above order 2."""
LEAST_NOISE = 0.1
"""Share of variance that is taken for noise at least."""
LEAST_TRAINING = 64
"""Points of a fold, at least, for a surrogate."""
MOST_TRAINING = 2**15
"""Points of a fold that are fitted, at most: more make the fit dearer and hardly better."""
TYPICAL_FUNCTIONS = 2
"""Functions of an input that a surrogate's products use, as a rule."""
TYPICAL_SAMPLE = 2**15
"""Points that it is fitted to, as a rule."""
SAVED = 2**16
"""Evaluations that it saves where a plain sample would take 100,000 or more."""
ROUNDS = 2
"""Times that a growing sample is fitted, as a rule."""
SPEED = 2.0**31
"""Multiplications of a fit in a second on one core, roughly."""
PROBE = 256
"""Points by whose pace a function is taken for dear."""
OVERHEAD = 2.0**27
"""Multiplications that could be made while the many small steps of a fit are begun."""
MOST_FIT = 2.0**34
"""Multiplications of the fits to a sample that a user has, at most: some 8 seconds."""


def fit_work(points: int, m: int, dim: int, max_order: int) -> float:
    """Multiplications, roughly, of fitting m functions in `dim` inputs to so many points."""
    widths = [TYPICAL_FUNCTIONS] * dim
    products = sum(number_of_products(widths, k) for k in range(1, max_order + 1))
    return m * (2.0 * ITERATIONS * points * products + FOLDS * OVERHEAD)


def pays(evaluate: Evaluator, max_order: int, seed: int) -> bool:
    """Whether the evaluations that a surrogate saves take twice as long as its fits, or longer.

    By the pace of the fastest call so far and a rough count of the fits' multiplications. Where
    the few points of the checks say so, `PROBE` more are evaluated at once and must say so too.
    """
    work = fit_work(TYPICAL_SAMPLE, evaluate.outputs or 1, evaluate.inputs.dim, max_order)
    dear = 2 * ROUNDS * work / SPEED / SAVED
    if evaluate.pace >= dear:
        x = evaluate.inputs.sample(PROBE, generator=seed, dtype=evaluate.dtype)
        evaluate(x.to(evaluate.device))
    return evaluate.pace >= dear


def fits_in(memory: int, sample: Sample, basis: Basis, max_order: int) -> bool:
    """Whether features of all orders at a sample's points take half of the memory at most."""
    features = sum(sum(basis.widths(k)) for k in range(1, max_order + 1))
    return features * sample.weight.numel() * sample.x.element_size() <= memory // 2


class Surrogate(NamedTuple):
    """A sum of products of a basis' functions.

    Attributes
    ----------
    constant : tensor
    columns : list over the orders of tensors
        Which of the basis' functions have products.
    products : list of Products
    coefficients : list over the orders of lists of tensors
    """

    constant: Tensor
    columns: list[Tensor]
    products: list[Products]
    coefficients: list[list[Tensor]]

    @property
    def variance(self) -> Tensor:
        """Variance of every order, exactly, [K] in float64."""
        none = self.constant.new_zeros(1)
        return torch.stack(
            [_flat([c]) @ _flat([c]) if c else none.sum() for c in self.coefficients]
        )

    def values(self, phi: list[Tensor]) -> Tensor:
        """Values by order without the constant, [n, K], at points with features [n, Q] by order."""
        chosen = [a[:, c] for a, c in zip(phi, self.columns, strict=True)]
        orders = [*zip(self.products, chosen, self.coefficients, strict=True)]
        return torch.cat(
            [
                torch.stack([value(p.groups(a[part]), c, a[part]) for p, a, c in orders], dim=1)
                for part in _pieces(chosen, self.products)
            ]
        )


def fitted(sample: Sample, phi: list[Tensor], widths: list[list[int]]) -> Surrogate:
    """Ridge regression of one function, f [B, n, 1], on products of features [B n, Q] by order."""
    most = max(1, MOST_TRAINING // sample.x.shape[0])
    if most < sample.x.shape[1]:
        some = (slice(None), slice(most))
        phi = [a.unflatten(0, sample.x.shape[:2])[some].flatten(0, 1) for a in phi]
        sample = Sample(*(a[some] for a in sample))
    x, f, weight = (a.flatten(0, 1) for a in sample)
    constant = f.double().mean() / weight.double().mean()
    f = f[:, 0] - weight * constant.to(f)
    total = (f.double().square() / weight).mean()
    every = [Products(w, k) for k, w in enumerate(widths, start=1)]
    # Squares of means without bias, from two halves.
    half = len(x) // 2
    sums = [_sums(every, [p[s] for p in phi], f[s]) for s in (slice(half), slice(half, 2 * half))]
    squares = [
        [a.double() * b.double() / half**2 for a, b in zip(*s, strict=True)]
        for s in zip(*sums, strict=True)
    ]
    variance = []
    for square, w, k in zip(squares, widths, range(1, len(widths) + 1), strict=True):
        noise = total * (2.0 * number_of_products(w, k)) ** 0.5 / len(x)
        found = torch.stack([s.sum() for s in square]).sum() if square else total * 0
        variance.append((found - noise).clamp(min=0.02 * total))
    variance = torch.stack(variance)
    # Of a function that is constant in the fold there is nothing to fit.
    some = variance.sum().clamp(min=1e-300)
    variance = variance * ((1 - LEAST_NOISE) * total / some).clamp(max=1.0)
    carried = _carried(squares, widths, total / len(x))
    columns = [torch.nonzero(c > SCREENED).flatten() for c in carried]
    columns[0] = torch.arange(sum(widths[0]), device=x.device)
    chosen = [_widths(c, w) for c, w in zip(columns, widths, strict=True)]
    products = [Products(w, k) for k, w in enumerate(chosen, start=1)]
    phi = [p[:, c] for p, c in zip(phi, columns, strict=True)]
    prior = []
    for p, a, c, v in zip(products, carried, columns, variance, strict=True):
        each = [left.T @ right for left, right in p.groups(a.clamp(min=LEAST)[c][None])]
        whole = sum(e.sum() for e in each)
        prior.append([(e / whole * v).to(x) for e in each])
    noise = (total - variance.sum()) / len(x)
    coefficients = _ridge(products, phi, f, weight, prior, noise.to(x))
    return Surrogate(constant, columns, products, coefficients)


def _carried(squares: list[list[Tensor]], widths: list[list[int]], noise: Tensor) -> list[Tensor]:
    """What every function of an order carries, [Q] in float64, of mean 1.

    That is the sum over its products. Above order 2, where these are many and noisy, it is what the
    function carries in pairs, and what is seen beyond doubt.
    """
    each = [
        _by_function(square, Products(w, k), noise)
        for k, (square, w) in enumerate(zip(squares, widths, strict=True), start=1)
    ]
    carried = [_relative(own) for own in each[:2]]
    for k, own in enumerate(each[2:], start=3):
        ones = [torch.ones_like(s) for s in squares[k - 1]]
        count = _by_function(ones, Products(widths[k - 1], k), noise)
        # An order has functions of its own number, the most important first.
        pairs = [
            torch.cat([s[:q], s.new_zeros(max(0, q - len(s)))])
            for s, q in zip(carried[1].split(widths[1]), widths[k - 1], strict=True)
        ]
        seen = own - DOUBT * noise * (2 * count).sqrt()
        if (seen > 0).any():
            pairs.append(_relative(seen))
            carried.append(torch.cat(pairs[:-1]) + pairs[-1])
        else:
            carried.append(torch.cat(pairs))
    return carried


def _by_function(products: list[Tensor], of: Products, like: Tensor) -> Tensor:
    """Sums over the products that hold a function, for every function, [Q]: a derivative."""
    if not products:
        return like.new_zeros(sum(of.widths))
    with torch.enable_grad():
        one = like.new_ones(1, sum(of.widths), requires_grad=True)
        return torch.autograd.grad(value(of.groups(one), products, one).sum(), one)[0][0]


def _relative(carried: Tensor) -> Tensor:
    """What functions carry in units of their mean; all alike where nothing is seen."""
    seen = carried.clamp(min=0)
    return torch.where(seen.sum() > 0, seen / seen.mean().clamp(min=1e-300), 1.0)


def _widths(columns: Tensor, widths: list[int]) -> list[int]:
    """How many of the chosen columns are functions of each input."""
    own = np.repeat(np.arange(len(widths)), widths)[columns.tolist()]
    return np.bincount(own, minlength=len(widths)).tolist()


def _pieces(phi: list[Tensor], products: list[Products]) -> list[slice]:
    """Points whose factors stay in the processor's cache."""
    most = max(
        max(p.widths, default=1) * number_of_products(p.widths, max(0, p.order - 2))
        for p in products
    )
    rows = max(64, PIECE // 4 // (phi[0].element_size() * max(1, most)))
    return [slice(start, start + rows) for start in range(0, len(phi[0]), rows)]


def _sums(
    products: list[Products],
    phi: list[Tensor],
    f: Tensor,
    coefficients: list[list[Tensor]] | None = None,
) -> list[list[Tensor]]:
    """Sums over points of f [n] times all products, by order.

    With coefficients, of f times the values that they give.
    """
    totals: list[list[Tensor]] = []
    for part in _pieces(phi, products):
        groups = [[*p.groups(a[part])] for p, a in zip(products, phi, strict=True)]
        factor = f[part]
        if coefficients is not None:
            orders = zip(groups, coefficients, phi, strict=True)
            factor = factor * torch.stack([value(g, c, a[part]) for g, c, a in orders]).sum(dim=0)
        sums = [[a.T @ (b * factor[:, None]) for a, b in g] for g in groups]
        if not totals:
            totals = sums
            continue
        for total, more in zip(totals, sums, strict=True):
            for t, s in zip(total, more, strict=True):
                t += s
    return totals


def _flat(tensors: list[list[Tensor]]) -> Tensor:
    return torch.cat([t.flatten().double() for order in tensors for t in order])


def _shaped(flat: Tensor, like: list[list[Tensor]]) -> list[list[Tensor]]:
    pieces = iter(flat.split([t.numel() for order in like for t in order]))
    return [[next(pieces).view_as(t).to(t) for t in order] for order in like]


def _ridge(
    products: list[Products],
    phi: list[Tensor],
    f: Tensor,
    weight: Tensor,
    prior: list[list[Tensor]],
    noise: Tensor,
) -> list[list[Tensor]]:
    """Coefficients by conjugate gradients from zero, in units of their prior deviation."""
    n = len(f)
    scale = _flat(prior).sqrt()
    rest = _flat(_sums(products, phi, f)) * scale / n
    found = torch.zeros_like(rest)
    direction, square = rest.clone(), rest @ rest
    for _ in range(ITERATIONS):
        along = _sums(products, phi, weight, _shaped(direction * scale, prior))
        applied = _flat(along) * scale / n + noise * direction
        # Where nothing is left to be fitted, a step of length 0 is taken.
        curvature = direction @ applied
        step = torch.where(curvature > 0, square / curvature.clamp(min=1e-300), 0.0)
        found += step * direction
        rest -= step * applied
        before, square = square, rest @ rest
        direction = rest + square / before.clamp(min=1e-300) * direction
    return _shaped(found * scale, prior)


def _pairs(sample: Sample, phi: Tensor, basis: Basis, order: int, memory: int) -> Tensor:
    """`pair_means` of few functions, by groups of products: there are fewer than leading inputs."""
    blocks, n, m = sample.f.shape
    widths = basis.widths(order)
    products = Products(widths, order)
    # Sums of the largest group come in the points' type, and once more in float64.
    size = sum(widths) * max(widths) * number_of_products(widths, max(0, order - 2))
    if order < 2 or 16 * m * blocks * size > memory // 4:
        return pair_means(sample, basis, order=order, memory=memory)
    rows = max(16, PIECE // (blocks * 4 * size // sum(widths)))
    f = sample.f.movedim(2, 0)
    total = f.new_zeros(m, blocks, blocks, dtype=torch.float64)
    for left, right in products.groups(phi):
        sums = f.new_zeros(m, blocks, left.shape[1], right.shape[1])
        left, right = (a.unflatten(0, (blocks, n)) for a in (left, right))
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            turned = left[:, part].transpose(1, 2)
            for i in range(m):
                sums[i].baddbmm_(turned, right[:, part] * f[i, :, part, None])
        flat = sums.flatten(2).double()
        total += flat @ flat.transpose(1, 2)
    return total / n**2


def adjusted_pairs(
    sample: Sample, basis: Basis, max_order: int, memory: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """What pairs of blocks say of every order, and of the total variance, [m, B, B] each.

    As `pair_means` and `total_pairs`, without bias off the diagonal, and with less noise.
    """
    each = [
        _adjusted(sample._replace(f=f), basis, max_order, memory) for f in sample.f.split(1, dim=-1)
    ]
    orders, total = zip(*each, strict=True)
    return [np.stack(k) for k in zip(*orders, strict=True)], np.stack(total)


def _adjusted(
    sample: Sample, basis: Basis, max_order: int, memory: int
) -> tuple[list[np.ndarray], np.ndarray]:
    """The same for one function, [B, B]."""
    x, f, weight = sample.x, sample.f[..., 0], sample.weight
    widths = [basis.widths(k) for k in range(1, max_order + 1)]
    phi = [basis.features(x.flatten(0, 1), k) for k in range(1, max_order + 1)]
    fold = torch.arange(len(x), device=x.device) * FOLDS // len(x)
    points = fold.repeat_interleave(x.shape[1])
    residual, linear, known, square = [], [], [], []
    for c in range(FOLDS):
        own = Sample(*(a[fold == c] for a in sample))
        g = fitted(own, [a[points == c] for a in phi], widths)
        by_order = g.values(phi).unflatten(0, x.shape[:2])
        centred = f - weight * g.constant.to(f)
        values = by_order.sum(dim=2)
        r = centred - weight * values
        residual.append(r)
        known.append(g.variance)
        linear.append((r[..., None] * by_order).mean(dim=1, dtype=torch.float64).T)
        square.append((r * (centred / weight + values)).mean(dim=1, dtype=torch.float64))
    # Two blocks are paired by the surrogates of the folds that neither belongs to.
    other = fold != torch.arange(FOLDS, device=x.device)[:, None]
    allowed = (other[:, :, None] & other[:, None, :]).double()
    allowed = allowed / allowed.sum(dim=0)
    rest = sample._replace(f=torch.stack(residual, dim=-1))
    orders = []
    for k in range(max_order):
        along = torch.stack([a[k] for a in linear])
        exact = torch.stack([v[k] for v in known])
        pairs = _pairs(rest, phi[k], basis, k + 1, memory)
        pairs = exact[:, None, None] + along[:, :, None] + along[:, None, :] + pairs
        orders.append((allowed * pairs).sum(dim=0).cpu().numpy())
    mean = torch.stack(residual).mean(dim=2, dtype=torch.float64)
    q = torch.stack(square) + torch.stack([v.sum() for v in known])[:, None]
    total = (q[:, :, None] + q[:, None, :]) / 2 - mean[:, :, None] * mean[:, None, :]
    return orders, (allowed * total).sum(dim=0).cpu().numpy()
