"""The ANOVA-kernel U-statistic: one plain sample serves every function of an ensemble.

With phi_1, phi_2, .. orthonormal functions of each input, the effect of a subset u has the
coefficients E f(X) prod_(j in u) phi_(n_j)(X_j), and V_k is the sum of their squares over all
subsets of size k. Squares of expectations are estimated without bias by products over PAIRS of
different points, which makes V_k the mean of f(x) f(x') K_k(x, x') with K_k the k-th elementary
symmetric polynomial of the coordinate kernels sum_n phi_n(x_j) phi_n(x'_j): the ANOVA kernel
(Durrande et al., J. Multivar. Anal. 115, 2013), truncated at a few functions per input, which
are chosen for the functions at hand (`basis`).

Points lie in B equal blocks; h_ab, the mean over pairs from blocks a and b, is unbiased for V_k
and depends on the blocks only, so the array of h_ab gives the standard error: as for any
U-statistic it has a part linear and a part quadratic in the points, told apart by the row means.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ..inputs import Inputs
from ..spectrum import OrderSpectrum
from ._array_mean import BLOCKS, ArrayMean, array_mean
from ._doubt import beyond, doubted, points_that_tell, stability, with_left_out
from ._evaluate import Evaluator
from ._limits import ended, most_in_memory, most_in_time, what_would_do
from ._pairs import Sample, pair_means
from ._prepare import PILOT, Prepared, draw, in_blocks, join, prepare
from .basis import Basis, Polynomials, number_of_products, polynomials
from .surrogate import FOLDS, LEAST_TRAINING, MOST_FIT, adjusted_pairs, fit_work, fits_in

BLOCKS_OF_SAMPLES = 32
"""Blocks of points that a user has, who may have few."""
DEFAULT_BUDGET = 2**20
"""Evaluations that a measurement of up to 256 inputs may spend by default."""
BUDGET_PER_INPUT = 2**12
"""Evaluations per input that it may spend by default where this is more, beyond 256 inputs."""
CHECKED = 32
"""One in so many points of the sample is paired with another, to check the answer without a
basis."""
FIRST_PART = 0.3
"""Part of what the pilot says is needed that is drawn first, where a surrogate adjusts it."""
NEXT_PART = 0.8
"""The same of what a sample says: surrogates of more points leave less over."""
GROWTH = 8
"""A sample that misses the tolerance grows by one part in so many at least, by a half at most (with
a surrogate, whose first sample is small, twofold): what it says of its error is rough."""


def kernel_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None,
    seed: int,
) -> OrderSpectrum:
    """Estimate every order from one plain sample, grown until the tolerance or the budget.

    A pilot (2^13 points, or a quarter of the budget) centres the functions and plans the size of
    the sample, and a look along every input chooses the basis; their points are not used again.
    Default budget: 2^20 evaluations, 2^12 d with more than 256 inputs. Where memory or arithmetic
    would not suffice, the sample stays smaller, and the result says so by `converged` and `reason`.
    """
    budget = default_budget(evaluate.inputs.dim) if budget is None else budget
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget}
    return prepared_spectrum(evaluate, prepare(evaluate, **settings, seed=seed), **settings)


def surrogate_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None,
    seed: int,
) -> OrderSpectrum:
    """The same from a third of the evaluations or less, where arithmetic is cheap beside them.

    A smaller pilot (2^11 points) and fewer curves choose the basis, unless the function is not
    smooth or rare points carry it, and a surrogate takes the noise out of the sample (`surrogate`).
    From a budget that curves would use up, its basis is polynomials, as that of samples.
    """
    budget = default_budget(evaluate.inputs.dim) if budget is None else budget
    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget}
    prepared = prepare(evaluate, **settings, seed=seed, surrogate=True)
    return prepared_spectrum(evaluate, prepared, **settings)


def default_budget(dim: int) -> int:
    return max(DEFAULT_BUDGET, BUDGET_PER_INPUT * dim)


def prepared_spectrum(
    evaluate: Evaluator, prepared: Prepared, *, max_order: int, tolerance: float, budget: int
) -> OrderSpectrum:
    """The measurement, whose truth is the variance of each order inside of the basis."""
    m = evaluate.outputs or 1
    basis, look = prepared.basis, prepared.look
    unread = isinstance(basis, Polynomials)

    def measure(sample: Sample) -> tuple[OrderSpectrum, np.ndarray]:
        constant = evaluate.is_constant(_second_moment(sample).mean(axis=1))
        spectrum, needed = _spectrum(
            sample, basis, max_order, tolerance, evaluate.memory, constant, prepared.surrogate
        )
        evaluate.bar.reached(spectrum.share_standard_error, tolerance)
        of = " of polynomials" if unread else ""
        method = (
            f"{_method(prepared.surrogate)} ({_products(basis, max_order)} products{of} by order)"
        )
        spectrum = replace(
            spectrum, method=method, evaluations=evaluate.evaluations, left_out=prepared.left_out
        )
        return spectrum, needed

    def finished(spectrum: OrderSpectrum, sample: Sample) -> OrderSpectrum:
        pairs = min(sample.x.shape[1] * BLOCKS // CHECKED, budget - evaluate.evaluations)
        route = None
        if pairs >= BLOCKS:
            route = stability(evaluate, look, sample, pairs, prepared.generator)
        spectrum = replace(spectrum, evaluations=evaluate.evaluations)
        if unread:
            spectrum = replace(spectrum, left_out=beyond(spectrum))
        elif prepared.surrogate:
            spectrum = with_left_out(spectrum)
        spectrum = doubted(spectrum, look, sample, route, tolerance)
        return spectrum if evaluate.outputs is not None else spectrum.output(0)

    spectrum, needed = measure(prepared.pilot)
    if not look.total.any():
        return finished(spectrum, prepared.pilot)
    limits = {
        "memory": most_in_memory(evaluate, basis, max_order, surrogate=prepared.surrogate),
        "arithmetic": most_in_time(m, basis, max_order),
    }
    # No basis was read off the pilot: where its points are plain, they are as good as others.
    again = unread and look.tilt is None
    sample = prepared.pilot if again else Sample(*(a[:, :0] for a in prepared.pilot))
    telling, begun = 0.0, False
    while True:
        have = sample.x.shape[1]
        part = 1.0
        if prepared.surrogate:
            part = NEXT_PART if begun else FIRST_PART
        wanted = max(math.ceil(part * needed[0] / BLOCKS), 4)
        if begun:
            most = have if prepared.surrogate else have // 2
            wanted = min(max(wanted, have + have // GROWTH, have + 1), have + most + 1)
        wanted = max(wanted, math.ceil(telling / BLOCKS))
        # The check afterwards takes a part.
        affordable = (budget - evaluate.evaluations - have * BLOCKS // CHECKED) * CHECKED
        limits["budget"] = have + max(affordable, 0) // (CHECKED + 1) // BLOCKS
        limit = min(limits, key=limits.get)
        more = min(wanted, limits[limit]) - have
        if more > 0:
            sample = join([sample, draw(evaluate, prepared, more)])
        begun = True
        spectrum, needed = measure(sample)
        spent = sample.x.shape[1] >= limits[limit]
        # A sample that is small because its noise is may be too small to tell so.
        telling = min(points_that_tell(spectrum.constant, look, sample), PILOT)
        if spectrum.converged and (spent or sample.x.shape[1] * BLOCKS >= telling):
            return finished(spectrum, sample)
        if spent:
            # Half as much again, for the need is rough, and what is not needed is not drawn.
            points = math.ceil(1.5 * max(needed[1] / BLOCKS, limits[limit]))
            size = {"points": points, "limits": limits, "budget": budget}
            changes = what_would_do(
                evaluate, basis, max_order, surrogate=prepared.surrogate, **size
            )
            reason = ended(limit, changes, spectrum.share_standard_error, tolerance)
            return finished(replace(spectrum, reason=reason), sample)


def kernel_spectrum_from_samples(
    x: Tensor, y: Tensor, inputs: Inputs, *, max_order: int, memory: int
) -> OrderSpectrum:
    """Spectrum from points [n, d] drawn from `inputs` and values [n] or [n, m] the user has.

    One block in BLOCKS_OF_SAMPLES + 1 centres the values, the rest are measured. With no function
    to look at, the basis is that of polynomials, and what it leaves out is not known.
    """
    blocks = BLOCKS_OF_SAMPLES
    n = len(x) // (blocks + 1)
    measured = slice(n, n * (blocks + 1))
    values = y.reshape(len(x), -1)
    centre = values[:n].double().mean(dim=0)
    values = (values[measured] - centre.to(values)).to(x.dtype)
    sample = in_blocks(x[measured], values, torch.ones(n * blocks).to(values), blocks)
    rounding = 8 * torch.finfo(y.dtype).eps * y.abs().max().item()
    constant = values.std(dim=0).double().cpu().numpy() <= rounding
    basis = polynomials(inputs, max_order, sample=n * blocks)
    m = values.shape[1]
    surrogate = (
        n * blocks >= FOLDS * LEAST_TRAINING
        and fit_work(n * blocks, m, inputs.dim, max_order) <= MOST_FIT
        and fits_in(memory, sample, basis, max_order)
    )
    spectrum, _ = _spectrum(sample, basis, max_order, 1.0, memory, constant, surrogate)
    method = f"{_method(surrogate)} (degree {'/'.join(map(str, basis.degrees))} by order)"
    spectrum = replace(spectrum, method=method, left_out=np.full(len(spectrum.variance), np.nan))
    return spectrum if y.ndim == 2 else spectrum.output(0)


def _method(surrogate: bool) -> str:
    return "ANOVA kernel with a surrogate" if surrogate else "ANOVA kernel"


def _products(basis: Basis, max_order: int) -> str:
    counts = [number_of_products(basis.widths(k), k) for k in range(1, max_order + 1)]
    return "/".join(f"{c:,}" for c in counts)


def _spectrum(
    sample: Sample,
    basis: Basis,
    max_order: int,
    tolerance: float,
    memory: int,
    constant: np.ndarray,
    surrogate: bool,
) -> tuple[OrderSpectrum, np.ndarray]:
    """Spectrum of a sample of centred values, and the points its tolerance would need, [2].

    As many functions at a time as the memory allows: each has an array of pairs for every order,
    which its error takes five more of.
    """
    step = max(1, memory // 2 // (8 * BLOCKS**2 * 6 * (max_order + 1)))
    parts, needed = [], np.zeros(2)
    for start in range(0, len(constant), step):
        some = sample._replace(f=sample.f[..., start : start + step])
        own = constant[start : start + step]
        part, points = _spectrum_of_some(some, basis, max_order, tolerance, memory, own, surrogate)
        parts.append(part)
        needed = np.maximum(needed, points)
    arrays = {
        name: np.concatenate([getattr(part, name) for part in parts])
        for name, value in vars(parts[0]).items()
        if isinstance(value, np.ndarray)
    }
    return replace(parts[0], **arrays, converged=all(p.converged for p in parts)), needed


def _second_moment(sample: Sample) -> np.ndarray:
    """Mean squares of the centred values in every block, [m, B]."""
    f = sample.f.double()
    return (f.square() / sample.weight[..., None]).mean(dim=1).T.cpu().numpy()


def total_pairs(sample: Sample) -> np.ndarray:
    """What pairs of blocks say of the total variance, [m, B, B]: without bias off the diagonal."""
    square = _second_moment(sample)
    mean = sample.f.double().mean(dim=1).T.cpu().numpy()
    return (square[:, :, None] + square[:, None, :]) / 2 - mean[:, :, None] * mean[:, None, :]


def _spectrum_of_some(
    sample: Sample,
    basis: Basis,
    max_order: int,
    tolerance: float,
    memory: int,
    constant: np.ndarray,
    surrogate: bool,
) -> tuple[OrderSpectrum, np.ndarray]:
    # A pilot may be too large for one, samples are not.
    if surrogate and fits_in(memory, sample, basis, max_order):
        pairs, both = adjusted_pairs(sample, basis, max_order, memory)
    else:
        orders = range(1, max_order + 1)
        pairs = [pair_means(sample, basis, order=k, memory=memory).cpu().numpy() for k in orders]
        both = total_pairs(sample)
    parts = np.stack([*pairs, both - sum(pairs)], axis=1)
    variance = array_mean(parts)
    total = np.where(constant, np.nan, variance.mean.sum(axis=-1))[:, None]
    share = variance.mean / total
    # To first order the error of V_k / T is that of (V_k - share T) / T, all on the same points.
    relative = (parts - share[:, :, None, None] * both[:, None]) / total[:, :, None, None]
    shares = array_mean(relative)
    cumulative = _cumulative(relative, shares)
    # Pairs that all vanish have shown nothing of an order, and say nothing of their error.
    unseen = ~parts.any(axis=(-1, -2))
    unseen[:, -1] = False
    share_error = np.where(unseen, np.nan, np.sqrt(shares.error))
    quiet = constant[:, None]
    spectrum = OrderSpectrum(
        variance=np.where(quiet, 0.0, variance.mean),
        standard_error=np.where(quiet | unseen, np.nan, np.sqrt(variance.error)),
        share=share,
        share_standard_error=share_error,
        degrees_of_freedom=variance.df,
        share_degrees_of_freedom=shares.df,
        method="ANOVA kernel",
        evaluations=sample.x.shape[0] * sample.x.shape[1],
        converged=bool(np.all((share_error <= tolerance) | quiet | unseen)),
        cumulative_standard_error=np.where(quiet, np.nan, np.sqrt(cumulative[0])),
        cumulative_degrees_of_freedom=cumulative[1],
    )
    return spectrum, _points_needed(shares, spectrum.evaluations, tolerance)


def _cumulative(relative: np.ndarray, shares: ArrayMean) -> tuple[np.ndarray, np.ndarray]:
    """Squared errors of the shares up to each order, and their df, [m, max_order + 1] each.

    Up to the first that is its own, up to the last that of everything above, for all sum to one.
    """
    between = array_mean(np.cumsum(relative[:, :-2], axis=1)[:, 1:])
    error, df = shares.error.copy(), shares.df.copy()
    error[:, 1:-2], df[:, 1:-2] = between.error, between.df
    error[:, -2], df[:, -2] = error[:, -1], df[:, -1]
    error[:, -1], df[:, -1] = 0.0, np.inf
    return error, df


def _points_needed(shares: ArrayMean, points: int, tolerance: float) -> np.ndarray:
    """Points N at which linear / N + quadratic / N^2 is the squared tolerance, for every share.

    Two numbers: by the linear part as `ArrayMean` lowers it, and by all of it.
    """
    parts = np.stack([shares.linear, shares.error - shares.quadratic])
    linear = np.nan_to_num(parts).reshape(2, -1).max(axis=1) * points
    quadratic = np.nan_to_num(shares.quadratic).max() * points**2
    goal = max(tolerance, 1e-9) ** 2
    return np.ceil(1.1 * (linear + np.sqrt(linear**2 + 4 * goal * quadratic)) / (2 * goal))
