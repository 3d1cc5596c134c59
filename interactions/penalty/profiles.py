"""Which random differences have a given weight on every order, as their expectation.

Two kinds of differences, of points whose inputs are redrawn from their marginals:

redrawn sets        half the squared difference of two answers, m of the d inputs redrawn between
                    them, in expectation sum_k (1 - C(d-m, k) / C(d, k)) V_k. Mixed over m, they
                    have profiles that grow ever more slowly from one order to the next; with the
                    binomial mixture that of noise sensitivity, 1 - (1-rho)^k.
mixed differences   the squared alternating sum of the 2^j answers at which each of j inputs is
                    redrawn or not, over 2^j: the superset index of the j inputs (Liu & Owen, J. Am.
                    Stat. Assoc. 101, 2006), in expectation C(k, j) / C(d, j) of every V_k. Mixed
                    over j, they have the profiles whose forward differences are all nonnegative.

Both are squares, so neither is ever negative. A profile of neither kind, one that falls say, is a
difference of redrawn sets: right in expectation, but negative at times, and noisier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import optimize, special, stats

from ..spectrum import OrderSpectrum

MOST_INPUTS = 6
"""Inputs of a mixed difference, at most: it takes 2^6 answers."""
ROUNDING = 1e-9
"""What is 0 beside the largest weight."""
MOST_NOISE = 1e3
"""Weights of redrawn sets, all together, in units of the largest of the profile, at most."""


@dataclass(frozen=True)
class Differences:
    """A profile of weights by order for `dim` inputs, as a mixture of differences of one kind.

    Attributes
    ----------
    sets : tuple of float
        Weight of redrawn sets of 1 .. d inputs; empty where differences are mixed.
    mixed : tuple of float
        Weight of the superset indices of 1 .. K inputs, each summed over all sets of as many.
    """

    dim: int
    sets: tuple[float, ...] = ()
    mixed: tuple[float, ...] = ()

    @property
    def corners(self) -> int:
        """Answers that a difference takes."""
        return 2 ** max(len(self.mixed), 1)

    @property
    def signed(self) -> bool:
        """Whether single differences count negatively."""
        return any(a < 0 for a in self.sets)

    @cached_property
    def profile(self) -> np.ndarray:
        """The weight of every order, [d]."""
        if self.sets:
            return of_sets(self.dim) @ np.array(self.sets)
        k, j = np.ogrid[1 : self.dim + 1, 1 : len(self.mixed) + 1]
        return special.comb(k, j) @ np.array(self.mixed)

    @cached_property
    def form(self) -> np.ndarray:
        """The quadratic form in the answers at the corners, [corners, corners].

        Bit i of a corner's number says whether the i-th of the inputs is redrawn.
        """
        difference, mean = np.array([[1.0, -1.0], [-1.0, 1.0]]) / 2, np.eye(2) / 2
        if self.sets:
            return difference
        inputs = len(self.mixed)
        form = np.zeros((2**inputs, 2**inputs))
        for chosen in range(1, 2**inputs):
            j = chosen.bit_count()
            # All sets of j inputs together, of which those among the chosen ones stand for all.
            weight = self.mixed[j - 1] * math.comb(self.dim, j) / math.comb(inputs, j)
            product = np.ones((1, 1))
            for i in range(inputs):
                product = np.kron(difference if chosen >> i & 1 else mean, product)
            form += weight * product
        return form

    @cached_property
    def redrawn(self) -> np.ndarray:
        """Of mixed differences: whether a corner redraws the input of a rank, bool [corners, d]."""
        table = np.zeros((self.corners, self.dim), dtype=bool)
        for i in range(len(self.mixed)):
            table[:, i] = np.arange(self.corners) >> i & 1
        return table

    @cached_property
    def chances(self) -> np.ndarray:
        """Of redrawn sets: how often each size is drawn, cumulative, [d]."""
        size = np.abs(self.sets)
        return np.cumsum(size) / size.sum()


def of_sets(dim: int) -> np.ndarray:
    """Weight of order k under redrawn sets of m inputs, [d, d] (order, size)."""
    k, m = np.ogrid[1 : dim + 1, 1 : dim + 1]
    kept = np.maximum(dim - m, 0)
    log = special.gammaln(kept + 1) - special.gammaln(np.maximum(kept - k, 0) + 1)
    log = log + special.gammaln(dim - k + 1) - special.gammaln(dim + 1)
    return np.where(k <= kept, -np.expm1(np.minimum(log, 0.0)), 1.0)


def noise_sensitivity(rho: float, dim: int) -> Differences:
    """Weights 1 - (1-rho)^k: every input is redrawn with probability rho.

    Differences of nothing are left out, and those left count for less.
    """
    chance = stats.binom.pmf(np.arange(1, dim + 1), dim, rho)
    return Differences(dim, sets=tuple(chance.tolist()))


def differences_of(weights: Sequence[float], dim: int) -> Differences:
    """Differences whose weights of orders 1 .. K are the given ones.

    Orders above K weigh at least as much as order K; `Differences.profile` says how much.

    Raises
    ------
    ValueError
        For no weights or more than there are inputs, weights that are negative, not finite or all
        0, and profiles that would take too many answers or too much noise.
    """
    wanted = np.array([float(w) for w in weights])
    if not 1 <= len(wanted) <= dim:
        raise ValueError(f"weights must be those of order 1 up to {dim} at most, got {len(wanted)}")
    if not (np.isfinite(wanted).all() and (wanted >= 0).all() and wanted.any()):
        raise ValueError(f"weights must be finite, not negative and not all 0, got {weights}")
    least = ROUNDING * wanted.max()
    steps = np.array(
        [
            sum((-1) ** (j - i) * math.comb(j, i) * wanted[i - 1] for i in range(1, j + 1))
            for j in range(1, len(wanted) + 1)
        ]
    )
    if (steps >= -least * 2.0 ** np.arange(1, len(steps) + 1)).all():
        inputs = int(np.flatnonzero(steps > least)[-1]) + 1
        if inputs > MOST_INPUTS:
            raise ValueError(
                f"these weights take mixed differences of {inputs} inputs, and so 2^{inputs} "
                f"answers for each point: give weights of orders 1 to {MOST_INPUTS} at most"
            )
        return Differences(dim, mixed=tuple(steps[:inputs].clip(min=0.0).tolist()))
    sets = of_sets(dim)
    given, above = sets[: len(wanted)], sets[len(wanted) :]
    found, left = optimize.nnls(given, wanted)
    if left > least:
        found = _signed(given, above, wanted)
    return Differences(dim, sets=tuple(np.where(np.abs(found) > least, found, 0.0).tolist()))


def _signed(given: np.ndarray, above: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Weights of both signs whose sizes sum to the least, no order above weighing less than K."""
    both = np.hstack([given, -given]), np.hstack([above, -above])
    result = optimize.linprog(
        np.ones(2 * given.shape[1]),
        A_ub=-both[1] if len(above) else None,
        b_ub=np.full(len(above), -wanted[-1]) if len(above) else None,
        A_eq=both[0],
        b_eq=wanted,
    )
    noise = math.inf if result.x is None else result.x.sum() / wanted.max()
    if not noise <= MOST_NOISE:
        raise ValueError(
            f"the weights {wanted.tolist()} of {given.shape[1]} inputs would drown in noise: "
            "choose a profile that grows with the order, ever more slowly or ever faster"
        )
    plus, minus = result.x.reshape(2, -1)
    return plus - minus


def weights_for_survival(rate: float, max_order: int) -> tuple[float, ...]:
    """Weights (1-r)^-k - 1 of orders 1 .. max_order.

    At strength 1 the best fit then keeps (1-r)^k of the amplitude of every order up to max_order,
    whatever the target; of products, what dropout at rate r keeps.
    """
    if not 0 < rate < 1:
        raise ValueError(f"rate must lie between 0 and 1, got {rate}")
    return tuple(math.expm1(-k * math.log1p(-rate)) for k in range(1, max_order + 1))


def weights_from_order(order: int) -> tuple[float, ...]:
    """Weights that spare all orders below one: 0, .., 0, 1.

    Order k above weighs as much as there are sets of `order` among k inputs, C(k, order).
    """
    if order < 1:
        raise ValueError(f"orders begin at 1, got {order}")
    return (*[0.0] * (order - 1), 1.0)


def weights_for_shares(spectrum: OrderSpectrum, shares: Sequence[float]) -> tuple[float, ...]:
    """Weights at which, with strength 1, the best fit has the given shares of variance by order.

    Parameters
    ----------
    spectrum : OrderSpectrum
        Of the target, or of a network trained without the penalty.
    shares : sequence of float
        Those wanted of orders 1 .. K, relative to each other; an order without variance gets none.
        The order that is to shrink least keeps all it has.

    Raises
    ------
    ValueError
        For a spectrum of several functions, more shares than orders, shares that are not positive,
        and orders that have no variance but should.
    """
    wanted = np.array([float(s) for s in shares])
    if spectrum.variance.ndim > 1 or not 1 <= len(wanted) <= spectrum.max_order:
        raise ValueError(
            f"needs the spectrum of one function and shares of its orders 1 to "
            f"{spectrum.max_order} at most, got {len(wanted)} of {spectrum.variance.shape}"
        )
    has = spectrum.variance[: len(wanted)]
    if not ((wanted > 0) & np.isfinite(wanted)).all() or not (has > 0).all():
        raise ValueError(
            f"shares must be positive and of orders that have a variance: {wanted.tolist()} are "
            f"asked of variances {has.tolist()}"
        )
    shrink = np.sqrt(has / wanted)
    return tuple((shrink / shrink.min() - 1).tolist())
