"""What dropout does to each order, in closed form.

Throughout, r is the drop rate, X has independent coordinates, F = sum_u f_u is its functional
ANOVA, and M a mask that keeps each coordinate with probability 1 - r. "The paper" is Lengerich,
Xing & Caruana, *Dropout as a Regularizer of Interaction Effects*, AISTATS 2022.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .inputs import Inputs
from .planted import Factor, Planted, SumOfProducts, Term, affine, covariance, mean
from .spectrum import OrderSpectrum


def check_rate(rate: float) -> float:
    """Refuse drop rates outside [0, 1): at 1 nothing is kept and inverted scaling divides by 0."""
    if not 0 <= rate < 1:
        raise ValueError(f"a drop rate must lie in [0, 1), got {rate}")
    return float(rate)


def survival(rate: float, order: int) -> float:
    """(1 - r)^k: the probability that dropout keeps all k inputs of an interaction."""
    return (1 - check_rate(rate)) ** order


def number_of_subsets(dim: int, order: int) -> int:
    """C(d, k): how many interactions of order k there are among d inputs."""
    return math.comb(dim, order)


def surviving_subsets(dim: int, order: int, rate: float) -> float:
    """C(d, k) (1 - r)^k: how many of them dropout keeps on average (the paper's Fig 3)."""
    return number_of_subsets(dim, order) * survival(rate, order)


def masked(function: Planted | Callable[[Tensor], Tensor], rate: float) -> Planted | Masked:
    """X -> E_M F(x · M): the function averaged over inputs set to zero at rate r.

    Each coordinate is kept or zeroed on its own, so a product of factors h_j becomes the product
    of (1-r) h_j(x_j) + r h_j(0). In the ANOVA of F: averaging over whether the coordinates of u
    outside v were dropped,

        amplitude on v (nonempty) = (1-r)^|v| sum_(u ⊇ v) r^|u \\ v| f_u(x_v, 0 elsewhere),

    because a mask that keeps w of u leaves f_u(x_w, 0), which has zero mean in each of its kept
    coordinates, so it belongs to w alone. Orders leak downwards unless f_u vanishes with any
    coordinate at 0. Products of mean-zero inputs do: they keep exactly (1-r)^|u| of their
    amplitude and (1-r)^(2|u|) of their variance. The constant gains sum_u r^|u| f_u(0): the
    paper's Theorem 1 holds its leftover to have mean zero, which is true only where that is 0.

    A planted function gives a planted function; any other callable of [n, d] one that averages
    over all 2^d masks (d at most 12).
    """
    rate = check_rate(rate)
    if not isinstance(function, Planted):
        return Masked(function, rate)

    def keep_or_zero(h: Factor) -> Factor:
        at_zero = h(torch.zeros(1, dtype=torch.float64)).item()
        return affine(h, 1 - rate, rate * at_zero)

    return _per_factor(function, lambda h, j: keep_or_zero(h))


@dataclass(frozen=True)
class Masked:
    """The average of any function over all masks of its inputs."""

    function: Callable[[Tensor], Tensor]
    rate: float

    def __call__(self, x: Tensor) -> Tensor:
        dim = x.shape[1]
        if dim > 12:
            raise ValueError(f"averaging over all masks takes at most 12 inputs, got {dim}")
        total = 0
        for code in range(2**dim):
            kept = (code >> torch.arange(dim, device=x.device)) & 1
            size = int(kept.sum())
            weight = (1 - self.rate) ** size * self.rate ** (dim - size)
            if weight > 0:
                total = total + weight * self.function(x * kept.to(x.dtype))
        return total


def resampled(function: Planted, rate: float, inputs: Inputs) -> SumOfProducts:
    """X -> E F(x with each coordinate redrawn from its marginal at rate r): the noise operator.

    Redrawing a coordinate of u averages f_u to zero, so only masks that keep all of u leave
    anything: the amplitude on u is (1-r)^|u| f_u, for EVERY function and product distribution
    (O'Donnell, *Analysis of Boolean Functions*, section 2.4). A factor h becomes
    (1-r) h + r E h.
    """
    rate = check_rate(rate)
    return _per_factor(function, lambda h, j: affine(h, 1 - rate, rate * mean(h, j, inputs)))


def noise_stability(function: Planted, inputs: Inputs, rate: float) -> float:
    """Cov(F(X), F(X')) where X' is X with coordinates redrawn at rate r.

    By `resampled` and orthogonality it is the sum over k >= 1 of (1-r)^k V_k.
    """
    spectrum = function.spectrum(inputs, inputs.dim)
    return sum(survival(rate, k) * v for k, v in enumerate(spectrum.variance, start=1))


def dilated(function: Planted | Callable[[Tensor], Tensor], rate: float) -> Planted | Callable:
    """X -> F((1-r) x): where training with input dropout ends, at test time.

    Squared loss, enough data and capacity, inverted scaling: training shows the network x/(1-r)
    with label F(x) whenever all inputs are kept, so on unscaled test inputs it answers
    F((1-r) x). Classic dropout trains on x and scales the inputs at test time: the same. It
    holds where (1-r) x stays in the support and fully kept inputs, of frequency (1-r)^d, are
    seen often enough; the network's other values there must agree at x_j = 0, as products'
    do: E[F | x_S] = F(x_S, 0).
    """
    keep = 1 - check_rate(rate)
    if not isinstance(function, Planted):
        return lambda x: function(keep * x)
    return _per_factor(
        function,
        lambda h, j: Factor(lambda x: h(keep * x), tuple(kink / keep for kink in h.kinks)),
    )


def amplitude(g: Planted, function: Planted, inputs: Inputs) -> float:
    """<g, F> / <F, F>, both centred: how much of F is left in g.

    For g = `dilated` F this predicts the amplitude of a network trained with input dropout; it is
    (1-r)^k for products of k inputs and something else for other functions.
    """
    return covariance(g, function, inputs) / covariance(function, function, inputs)


def dropped_out_spectrum(
    function: Planted, inputs: Inputs, rate: float, max_order: int, *, resample: bool = False
) -> OrderSpectrum:
    """Exact spectrum of a planted function under dropout of its inputs.

    Dropped inputs are set to zero (see `masked`), or redrawn with `resample=True` (see
    `resampled`), and the function is averaged over the masks.
    """
    after = resampled(function, rate, inputs) if resample else masked(function, rate)
    return after.spectrum(inputs, max_order)


def _per_factor(function: Planted, change: Callable[[Factor, int], Factor]) -> SumOfProducts:
    return SumOfProducts(
        tuple(
            Term(t.coefficient, {j: change(h, j) for j, h in t.factors.items()})
            for t in function.terms
        )
    )
