"""The ANOVA-kernel U-statistic: one plain sample serves every function of an ensemble.

With phi_1, phi_2, .. the orthonormal polynomials of each input, the effect of a subset u has the
coefficients E f(X) prod_(j in u) phi_(n_j)(X_j), and V_k is the sum of their squares over all
subsets of size k. Squares of expectations are estimated without bias by products over PAIRS of
different points, which makes V_k the mean of f(x) f(x') K_k(x, x') with K_k the k-th elementary
symmetric polynomial of the coordinate kernels sum_n phi_n(x_j) phi_n(x'_j): the ANOVA kernel
(Durrande et al., J. Multivar. Anal. 115, 2013), truncated at a degree.

The same number can be had from either side. *Primal*: sum every feature product over blocks of
points and multiply the sums of different blocks; the cost is linear in the points. *Dual*: the
kernel between blocks of points, from power sums of the coordinate kernels, which are matrix
products, by Newton's identities; the cost does not grow with the number of feature products.
The cheaper side is taken.

Points lie in B equal blocks; h_ab, the mean over pairs from blocks a and b, is unbiased for V_k
and depends on the blocks only, so the array of h_ab gives the standard error: as for any
U-statistic it has a part linear and a part quadratic in the points, told apart by the row means.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, combinations_with_replacement
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator

BLOCKS = 32
"""Blocks of points. More make steadier errors and use more of the pairs: 31/32 of them here."""
MOST_DEGREE = (12, 8, 6, 4)
"""Degree of the basis at orders 1, 2, 3 and above, as long as there are not more than"""
MOST_PRODUCTS = 2**16
"""feature products of an order: the noise of an estimate grows as the root of their number."""
PILOT = 2**13
DEFAULT_BUDGET = 2**20
MOST_WORK = 2.0**46
"""Multiplications at most, some ten minutes on two cores: a larger sample is not drawn."""


def kernel_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None = None,
    seed: int,
) -> OrderSpectrum:
    """Estimate every order from one plain sample, grown until the tolerance or the budget.

    A pilot (2^13 points, or a quarter of the budget) centres the functions and plans the size of
    the sample; its points are not used again. Default budget: 2^20 evaluations. Where the
    arithmetic would take too long the sample stays smaller, and the result says so by
    `converged`.
    """
    budget = DEFAULT_BUDGET if budget is None else budget
    inputs = evaluate.inputs
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    degrees = default_degrees(inputs.dim, max_order)
    pilot = min(PILOT, budget // 4) // BLOCKS
    if pilot < 4:
        raise ValueError(
            f"the kernel method needs {16 * BLOCKS} evaluations at least, the budget is {budget}"
        )

    def draw(n: int) -> Sample:
        x = inputs.sample(BLOCKS * n, generator=generator, dtype=evaluate.dtype)
        return Sample(*(a.unflatten(0, (BLOCKS, n)) for a in (x, evaluate(x))))

    def measure(s: Sample) -> tuple[OrderSpectrum, int]:
        sample = Sample(s.x, (s.f - centre).to(evaluate.dtype))
        constant = evaluate.is_constant(sample.f.double().var(dim=(0, 1)).cpu().numpy())
        spectrum, needed = _spectrum(sample, inputs, degrees, tolerance, evaluate.memory, constant)
        return replace(spectrum, evaluations=evaluate.evaluations), needed

    first = draw(pilot)
    centre = first.f.mean(dim=(0, 1))
    _, needed = measure(first)
    most = pilot
    while _total_work(BLOCKS * 2 * most, inputs.dim, evaluate.outputs or 1, degrees) <= MOST_WORK:
        most *= 2
    sample = Sample(first.x[:, :0], first.f[:, :0])
    while True:
        have = sample.x.shape[1]
        wanted = max(math.ceil(needed / BLOCKS), have + have // 4, pilot)
        affordable = have + (budget - evaluate.evaluations) // BLOCKS
        more = draw(min(wanted, affordable, most) - have)
        sample = Sample(*(torch.cat(parts, dim=1) for parts in zip(sample, more, strict=True)))
        spectrum, needed = measure(sample)
        if spectrum.converged or sample.x.shape[1] >= min(affordable, most):
            return spectrum if evaluate.outputs is not None else spectrum.output(0)


def kernel_spectrum_from_samples(
    x: Tensor, y: Tensor, inputs: Inputs, *, max_order: int, memory: int
) -> OrderSpectrum:
    """Spectrum from points [n, d] drawn from `inputs` and values [n] or [n, m] the user has.

    One part in BLOCKS + 1 centres the values, the rest is measured.
    """
    n = len(x) // (BLOCKS + 1)
    values = y.reshape(len(x), -1).double()
    centre = values[:n].mean(dim=0)
    x, values = (a[n : n * (BLOCKS + 1)].unflatten(0, (BLOCKS, n)) for a in (x, values - centre))
    sample = Sample(x, values.to(x.dtype))
    rounding = 8 * torch.finfo(y.dtype).eps * y.abs().max().item()
    constant = values.var(dim=(0, 1)).cpu().numpy() <= rounding**2
    degrees = default_degrees(inputs.dim, max_order)
    spectrum, _ = _spectrum(sample, inputs, degrees, 1.0, memory, constant)
    return spectrum if y.ndim == 2 else spectrum.output(0)


def default_degrees(dim: int, max_order: int) -> list[int]:
    """Degree of the basis at orders 1 .. max_order: 2 at least up to order 2, 1 beyond."""
    degrees = []
    for k in range(1, max_order + 1):
        fits = int((MOST_PRODUCTS / math.comb(dim, k)) ** (1 / k))
        most = MOST_DEGREE[min(k, len(MOST_DEGREE)) - 1]
        degrees.append(min(most, max(fits, 2 if k <= 2 else 1)))
    return degrees


class Sample(NamedTuple):
    """Points in equal blocks, `x` [B, n, d], and values of every function, `f` [B, n, m]."""

    x: Tensor
    f: Tensor


def pair_means(sample: Sample, inputs: Inputs, *, order: int, degree: int, memory: int) -> Tensor:
    """h_ab for every pair of blocks, [m, B, B] in float64; the diagonal means nothing."""
    blocks, n, dim = sample.x.shape
    primal, dual = _work(blocks * n, dim, sample.f.shape[-1], order, degree)
    route = _primal if primal <= dual else _dual
    return route(sample, inputs, order, degree, memory)


def _work(points: int, dim: int, m: int, order: int, degree: int) -> tuple[float, float]:
    """Multiplications of the primal and the dual route for one order."""
    products = math.comb(dim, order) * degree**order
    powers = sum(math.comb(degree + i - 1, i) for i in range(1, order + 1))
    return float(products) * m * points, points**2 / 2 * (dim * powers + m)


def _total_work(points: int, dim: int, m: int, degrees: list[int]) -> float:
    return sum(min(_work(points, dim, m, k, q)) for k, q in enumerate(degrees, start=1))


def _primal(sample: Sample, inputs: Inputs, order: int, degree: int, memory: int) -> Tensor:
    blocks, n, _ = sample.x.shape
    m = sample.f.shape[-1]
    total = torch.zeros(m, blocks, blocks, dtype=torch.float64, device=sample.f.device)
    phi = inputs.basis(sample.x.flatten(0, 1), degree).unflatten(0, (blocks, n))
    width = max(1, memory // 4 // (blocks * n * degree ** (order - 1) * sample.f.element_size()))
    for start in range(0, m, width):
        some = sample.f[..., start : start + width]
        for sums in feature_sums(phi, some, order):
            flat = sums.movedim(2, 0).flatten(2).double()
            total[start : start + width] += flat @ flat.transpose(1, 2)
    return total / n**2


def feature_sums(phi: Tensor, f: Tensor, order: int) -> Iterator[Tensor]:
    """Sums over each block of f times feature products, [B, q^(k-1), m, rest] a leading subset."""
    dim = phi.shape[2]
    for leading in combinations(range(dim - 1), order - 1):
        product = phi.new_ones(*phi.shape[:2], 1)
        for j in leading:
            product = (product.unsqueeze(-1) * phi[:, :, None, j]).flatten(2)
        left = (product.unsqueeze(-1) * f.unsqueeze(2)).flatten(2)
        last = leading[-1] + 1 if leading else 0
        right = phi[:, :, last:].flatten(2)
        yield (left.transpose(1, 2) @ right).unflatten(1, (-1, f.shape[-1]))


def _dual(sample: Sample, inputs: Inputs, order: int, degree: int, memory: int) -> Tensor:
    blocks, n, _ = sample.x.shape
    m = sample.f.shape[-1]
    total = torch.zeros(m, blocks, blocks, dtype=torch.float64, device=sample.f.device)
    rows = max(1, min(n, memory // 8 // (8 * n * (order + 2))))
    features = [_power_features(inputs.basis(x, degree), order) for x in sample.x]
    for a, b in combinations(range(blocks), 2):
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            powers = [p[part] @ q.T for p, q in zip(features[a], features[b], strict=True)]
            kernel = _elementary_symmetric(powers)
            values = (sample.f[a, part] * (kernel @ sample.f[b])).sum(dim=0, dtype=torch.float64)
            total[:, a, b] += values
            total[:, b, a] += values
    return total / n**2


def _power_features(phi: Tensor, order: int) -> list[Tensor]:
    """Features whose inner products are the power sums over j of kernel_j^i, i = 1 .. order.

    kernel_j^i = (sum_n phi_n phi'_n)^i is a sum over multisets of i degrees, with multinomial
    weights. Each is [n, d · number of multisets].
    """
    degree = phi.shape[-1]
    features = []
    for i in range(1, order + 1):
        columns = []
        for chosen in combinations_with_replacement(range(degree), i):
            counts = np.bincount(chosen)
            weight = math.sqrt(math.factorial(i) / math.prod(math.factorial(c) for c in counts))
            columns.append(weight * phi[..., list(chosen)].prod(dim=-1))
        features.append(torch.cat(columns, dim=1))
    return features


def _elementary_symmetric(powers: list[Tensor]) -> Tensor:
    """e_k from the power sums p_1 .. p_k, by Newton's identities."""
    e = [torch.ones_like(powers[0])]
    for k in range(1, len(powers) + 1):
        terms = ((-1) ** (i - 1) * e[k - i] * powers[i - 1] for i in range(1, k + 1))
        e.append(sum(terms) / k)
    return e[-1]


class ArrayMean(NamedTuple):
    """Mean of a symmetric array over pairs, the squared error of this mean, its df, each [..]."""

    mean: np.ndarray
    error: np.ndarray
    df: np.ndarray
    quadratic: np.ndarray


def array_mean(h: np.ndarray) -> ArrayMean:
    """Mean and error of a U-statistic from its values h_ab on pairs of blocks, [..., B, B].

    h_ab = V + l_a + l_b + e_ab with independent l, and e of mean zero given either block
    (Hoeffding 1948), so the mean has variance 4 var(l) / B + 2 var(e) / (B (B - 1)). Both are
    estimated without bias by the two-way analysis of variance of the symmetric array.
    """
    blocks = h.shape[-1]
    off = ~np.eye(blocks, dtype=bool)
    h = np.where(off, h, 0.0)
    mean = h.sum(axis=(-1, -2)) / (blocks * (blocks - 1))
    centred = np.where(off, h - mean[..., None, None], 0.0)
    # Least squares for h_ab = V + l_a + l_b with sum of l zero.
    linear = centred.sum(axis=-1) / (blocks - 2)
    rest = np.where(off, centred - linear[..., :, None] - linear[..., None, :], 0.0)
    pairs_df = blocks * (blocks - 3) / 2
    var_e = (rest**2).sum(axis=(-1, -2)) / 2 / pairs_df
    # E sum of linear^2 / (B - 1) = var(l) + var(e) / (B - 2).
    spread = (linear**2).sum(axis=-1) / (blocks - 1)
    var_l = np.maximum(spread - var_e / (blocks - 2), 0.0)
    parts = np.stack([4 * var_l / blocks, 2 * var_e / (blocks * (blocks - 1))], axis=-1)
    error = parts.sum(axis=-1)
    weights = (parts**2 / np.array([blocks - 1, pairs_df])).sum(axis=-1)
    df = np.where(weights > 0, error**2 / np.where(weights > 0, weights, 1.0), np.inf)
    return ArrayMean(mean, error, df, parts[..., 1])


def _spectrum(
    sample: Sample,
    inputs: Inputs,
    degrees: list[int],
    tolerance: float,
    memory: int,
    constant: np.ndarray,
) -> tuple[OrderSpectrum, int]:
    """Spectrum of a sample of centred values, and the points its tolerance would need."""
    pairs = [
        pair_means(sample, inputs, order=k, degree=q, memory=memory).cpu().numpy()
        for k, q in enumerate(degrees, start=1)
    ]
    block_variance = sample.f.double().var(dim=1).T.cpu().numpy()
    both = (block_variance[:, :, None] + block_variance[:, None, :]) / 2
    parts = np.stack([*pairs, both - sum(pairs)], axis=1)
    variance = array_mean(parts)
    total = np.where(constant, np.nan, variance.mean.sum(axis=-1))[:, None]
    share = variance.mean / total
    # To first order the error of V_k / T is that of (V_k - share T) / T, all on the same points.
    relative = (parts - share[:, :, None, None] * both[:, None]) / total[:, :, None, None]
    shares = array_mean(relative)
    share_error = np.sqrt(shares.error)
    quiet = constant[:, None]
    spectrum = OrderSpectrum(
        variance=np.where(quiet, 0.0, variance.mean),
        standard_error=np.where(quiet, 0.0, np.sqrt(variance.error)),
        share=share,
        share_standard_error=share_error,
        degrees_of_freedom=variance.df,
        share_degrees_of_freedom=shares.df,
        method=f"ANOVA kernel (degree {'/'.join(map(str, degrees))} by order)",
        evaluations=sample.x.shape[0] * sample.x.shape[1],
        converged=bool(np.all((share_error <= tolerance) | quiet)),
    )
    return spectrum, _points_needed(shares, spectrum.evaluations, tolerance)


def _points_needed(shares: ArrayMean, points: int, tolerance: float) -> int:
    """Points N at which linear / N + quadratic / N^2 is the squared tolerance, for every share."""
    linear = np.nan_to_num(shares.error - shares.quadratic).max() * points
    quadratic = np.nan_to_num(shares.quadratic).max() * points**2
    goal = max(tolerance, 1e-9) ** 2
    return math.ceil(1.1 * (linear + math.sqrt(linear**2 + 4 * goal * quadratic)) / (2 * goal))
