"""What dropout does to each order, in closed form: six senses of one formula.

Throughout, r is the drop rate, X has independent coordinates, F = sum_u f_u is its functional
ANOVA, and M a mask that keeps each coordinate with probability 1 - r. Classic dropout shows
x · M in training and (1-r) x at test time, inverted dropout x · M / (1-r) and x. "The paper" is
Lengerich, Xing & Caruana, *Dropout as a Regularizer of Interaction Effects*, AISTATS 2022.

Masks act on each coordinate on its own, so what dropout makes of a product of one-input factors
is the product of what it makes of each. The senses differ in what that is, for a factor h:

    masked        (1-r) h + r h(0)               the function averaged over masks
    resampled     (1-r) h + r E h                dropped inputs redrawn, not zeroed
    dilated       h((1-r) x)                     the limit of training with input dropout
    product_fit   E h + slope · (x - E x)        least squares on products of masked inputs

`gradient_at_zero`, `curvature` and `first_step` say how training sets out, `learning_curve` how
it goes on. LAWS.md beside this file states every law with its proof and the test that checks it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .dropout import check_kind, check_rate
from .inputs import Inputs
from .planted import (
    IDENTITY,
    Factor,
    Planted,
    SumOfProducts,
    Term,
    affine,
    anova_parts,
    covariance,
    expectation,
    factor_covariance,
    mean,
    multiply,
    times,
)
from .spectrum import OrderSpectrum

OPTIMIZERS = ("sgd", "adam")


def _check_optimizer(optimizer: str) -> None:
    if optimizer not in OPTIMIZERS:
        raise ValueError(f'optimizer must be "sgd" or "adam", got {optimizer!r}')


def survival(rate: float, order: int) -> float:
    """(1 - r)^k: the probability that dropout keeps all k inputs of an interaction."""
    return (1 - check_rate(rate)) ** order


def number_of_subsets(dim: int, order: int) -> int:
    """C(d, k): how many interactions of order k there are among d inputs."""
    return math.comb(dim, order)


def surviving_subsets(dim: int, order: int, rate: float) -> float:
    """C(d, k) (1 - r)^k: how many of them dropout keeps on average (the paper's Fig 3)."""
    return number_of_subsets(dim, order) * survival(rate, order)


def effects_by_order(f: Planted, inputs: Inputs) -> dict[int, SumOfProducts]:
    """The sum of all effects of each order that has any, as functions of mean zero."""
    terms: dict[int, list[Term]] = {}
    for subset, part in anova_parts(f, inputs).items():
        for weight, factors in part:
            centred = {j: affine(h, 1.0, -mean(h, j, inputs)) for j, h in factors.items()}
            terms.setdefault(len(subset), []).append(Term(weight, centred))
    return {k: SumOfProducts(tuple(terms[k])) for k in sorted(terms)}


def masked(
    function: Planted | Callable[[Tensor], Tensor], rate: float, *, kind: str = "classic"
) -> Planted | Masked:
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

    With kind="inverted" kept inputs are divided by 1 - r, as most software does in training:
    E_M F(x · M / (1-r)). A product of inputs then keeps its whole amplitude.

    A planted function gives a planted function; any other callable of [n, d] one that averages
    over all 2^d masks (d at most 12). The callable may be the rest of a network, and its inputs
    a hidden layer's units (`interactions.networks.layers.from_layer`): the same law then
    holds for the orders in those units.
    """
    rate = check_rate(rate)
    scale = check_kind(kind).in_training(rate)
    if not isinstance(function, Planted):
        return Masked(function, rate, scale)

    def keep_or_zero(h: Factor) -> Factor:
        at_zero = h(torch.zeros(1, dtype=torch.float64)).item()
        return affine(_stretch(h, scale), 1 - rate, rate * at_zero)

    return _per_factor(function, lambda h, j: keep_or_zero(h))


@dataclass(frozen=True)
class Masked:
    """The average of any function over all masks of its inputs, kept ones times `scale`."""

    function: Callable[[Tensor], Tensor]
    rate: float
    scale: float = 1.0

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
                total = total + weight * self.function(x * (self.scale * kept.to(x.dtype)))
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

    By `resampled` and orthogonality it is the sum over k >= 1 of (1-r)^k V_k. It is also the
    variance that the best predictor from masked inputs explains (`best_predictor`).
    """
    spectrum = function.spectrum(inputs, inputs.dim)
    return sum(survival(rate, k) * v for k, v in enumerate(spectrum.variance, start=1))


def dilated(
    function: Planted | Callable[[Tensor], Tensor], rate: float
) -> Planted | Callable[[Tensor], Tensor]:
    """X -> F((1-r) x): where training with input dropout ends, at test time.

    Squared loss, enough data and capacity, inverted scaling: training shows the network x/(1-r)
    with label F(x) whenever all inputs are kept, so on unscaled test inputs it answers
    F((1-r) x). Classic dropout trains on x and scales the inputs at test time: the same.
    It holds where no input is zero by itself and (1-r) x stays in the support (on ±1 inputs it
    never is, and the training loss says nothing about the answer), and where fully kept inputs,
    of frequency (1-r)^d, are seen often enough; `best_predictor` is the same limit at all inputs.
    """
    keep = 1 - check_rate(rate)
    if not isinstance(function, Planted):
        return lambda x: function(keep * x)
    return _per_factor(function, lambda h, j: _stretch(h, keep))


def best_predictor(function: Planted, rate: float, inputs: Inputs) -> SumOfProducts:
    """Z -> E[F(X) | X · M / (1-r) = z]: the least squared loss any function of z can reach.

    Inputs of z that are not zero were kept and are (1-r)^-1 times too large, those at zero were
    dropped and tell nothing, provided no input is zero by itself. A factor h becomes
    h((1-r) z) for z ≠ 0 and E h at 0. Of F's variance it explains the sum of (1-r)^k V_k. It
    jumps at z_j = 0 unless h_j(0) = E h_j, which a continuous network can only approach.
    """
    keep = 1 - check_rate(rate)

    def known_or_mean(h: Factor, j: int) -> Factor:
        at_zero = mean(h, j, inputs)
        wide = _stretch(h, keep)
        return Factor(lambda z: torch.where(z == 0, at_zero, wide(z)), (*wide.kinks, 0.0))

    return _per_factor(function, known_or_mean)


def product_fit(function: Planted, rate: float, inputs: Inputs) -> SumOfProducts:
    """The test-time answer of least squares on all products of inputs, trained under dropout.

    The features are the products of the dropped-out inputs over all subsets (or all subsets of
    those fitted); classic and inverted scaling give the same answer. The fit factorises: a
    factor h becomes its regression on one dropped-out input,

        E h + Cov(h, X_j) / (Var X_j + r/(1-r) E X_j^2) · (x_j - E X_j),

    a ridge penalty of r/(1-r) E X_j^2 (Wager, Wang & Liang, NeurIPS 2013, at order 1). A product
    of centred inputs keeps the product of (1-r) Var / (Var + r (E X)^2): (1-r)^k exactly where
    the inputs have mean zero, ±1 inputs among them, and less elsewhere.
    """
    rate = check_rate(rate)

    def regressed(h: Factor, j: int) -> Factor:
        variance = factor_covariance(IDENTITY, IDENTITY, j, inputs)
        if variance == 0:
            return affine(IDENTITY, 0.0, mean(h, j, inputs))
        square = mean(multiply(IDENTITY, IDENTITY), j, inputs)
        slope = factor_covariance(h, IDENTITY, j, inputs) / (variance + rate / (1 - rate) * square)
        return affine(IDENTITY, slope, mean(h, j, inputs) - slope * mean(IDENTITY, j, inputs))

    return _per_factor(function, regressed)


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


def gradient_at_zero(
    direction: Planted, function: Planted, inputs: Inputs, rate: float, *, kind: str
) -> float:
    """Slope at w = 0 of E ½ (F(X) - w ψ(Z))^2, Z the dropped-out X: -E F(X) ψ(Z).

    The expectation over masks moves into the direction: -E F · masked(ψ). Along a product of k
    inputs it is (1-r)^k of the gradient without dropout under classic dropout, and all of it
    under inverted dropout.
    """
    return -expectation(times(function, masked(direction, rate, kind=kind)), inputs)


def curvature(direction: Planted, inputs: Inputs, rate: float, *, kind: str) -> float:
    """Second derivative in w of the same loss: E ψ(Z)^2, at every w.

    Along a product of k inputs it is (1-r)^k of that without dropout under classic dropout, and
    (1-r)^-k of it under inverted dropout: both end at (1-r)^k of the effect, at test time.
    """
    return expectation(masked(times(direction, direction), rate, kind=kind), inputs)


def first_step(
    direction: Planted,
    function: Planted,
    inputs: Inputs,
    rate: float,
    *,
    kind: str,
    optimizer: str = "sgd",
) -> float:
    """How far one step from zero along ψ moves the test-time answer along F, relative to r = 0.

    The step in w is proportional to the gradient ("sgd") or to its sign ("adam", whose first
    step is that), and the test-time answer is w ψ(x), or w ψ((1-r) x) under classic dropout.
    Raises ValueError where the step without dropout does not move the answer along F.
    """
    _check_optimizer(optimizer)
    scale = check_kind(kind).at_test(check_rate(rate))
    at_test = _per_factor(direction, lambda h, j: _stretch(h, scale))
    shared = covariance(direction, function, inputs)
    before = gradient_at_zero(direction, function, inputs, 0.0, kind=kind)
    if shared == 0 or before == 0:
        raise ValueError("without dropout a step along this direction leaves the function alone")
    moved = covariance(at_test, function, inputs) / shared
    change = gradient_at_zero(direction, function, inputs, rate, kind=kind) / before
    return moved * (change if optimizer == "sgd" else math.copysign(1.0, change))


def step_scale(
    rate: float, order: int, *, kind: str, optimizer: str = "sgd", degree: int | None = None
) -> float:
    """`first_step` in closed form, for an effect on all k inputs and ψ homogeneous of degree p.

    Only fully kept inputs, of frequency (1-r)^k, teach an effect that averages to zero over any
    of its inputs, and ψ(c x) = c^p ψ(x) for c > 0. So where a kind of dropout multiplies what is
    kept by s in training, and everything by t at test time,

                    s          t      SGD                Adam
        any kind                      (1-r)^k (s t)^p    t^p
        inverted    1/(1-r)    1      (1-r)^(k - p)      1
        classic     1          1-r    (1-r)^(k + p)      (1-r)^p

    Products of the k inputs have p = k (the default). Units of a ReLU network without biases
    have p = 1.
    """
    scales = check_kind(kind)
    _check_optimizer(optimizer)
    kept = survival(rate, order)
    at_test = scales.at_test(rate)
    degree = order if degree is None else degree
    if optimizer == "adam":
        return at_test**degree
    return kept * (scales.in_training(rate) * at_test) ** degree


def learning_curve(
    rate: float, order: int, steps: int, *, kind: str, learning_rate: float
) -> float:
    """Expected test-time amplitude of a product of k inputs after `steps` of SGD from zero.

    The model is linear in products of independent mean-zero unit-variance inputs, each step
    takes fresh points and masks and the loss ½ (F - model)^2. Gradient and curvature (above) are
    constant along the way, and

            amplitude = (t / s)^k (1 - (1 - learning_rate · c)^steps),    c = (1-r)^k s^(2k),

    where the kind of dropout multiplies what is kept by s in training and everything by t at test
    time. Both kinds end at (1-r)^k, with c = (1-r)^k for classic and (1-r)^-k for inverted
    dropout: classic dropout is slow to learn high orders, inverted dropout reaches the same end
    sooner than no dropout reaches its own.
    """
    scales = check_kind(kind)
    kept = survival(rate, order)
    in_training = scales.in_training(rate)
    # `curvature` and `gradient_at_zero` along the product, in closed form.
    bend, slope = kept * in_training ** (2 * order), kept * in_training**order
    end = slope / bend * scales.at_test(rate) ** order
    return end * (1 - (1 - learning_rate * bend) ** steps)


def _stretch(h: Factor, scale: float) -> Factor:
    """X -> h(scale · x)"""
    return Factor(lambda x: h(scale * x), tuple(kink / scale for kink in h.kinks))


def _per_factor(function: Planted, change: Callable[[Factor, int], Factor]) -> SumOfProducts:
    return SumOfProducts(
        tuple(
            Term(t.coefficient, {j: change(h, j) for j, h in t.factors.items()})
            for t in function.terms
        )
    )
