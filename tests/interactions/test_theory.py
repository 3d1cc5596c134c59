"""The laws of dropout against brute force over masks and exact quadrature, to 1e-10."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import Normal, Rademacher, Uniform
from interactions.anova import subset_variances
from interactions.planted import (
    IDENTITY,
    Factor,
    Product,
    SumOfProducts,
    Term,
    affine,
    anova_parts,
    cosine,
    covariance,
    ishigami,
    paper_generator,
    sine,
)
from interactions.theory import (
    amplitude,
    dilated,
    dropped_out_spectrum,
    masked,
    noise_stability,
    resampled,
    survival,
    surviving_subsets,
)

MEAN_ZERO = [Uniform(-1.0, 1.0, dim=5), Normal(dim=5), Rademacher(dim=5)]
FACTORS = st.sampled_from([IDENTITY, sine(2.5), cosine(1.5), affine(IDENTITY, 0.5, 1.0)])
TERMS = st.builds(
    Term,
    coefficient=st.floats(-2, 2).filter(lambda c: abs(c) > 0.1),
    factors=st.dictionaries(st.integers(0, 3), FACTORS, min_size=1, max_size=3),
)
PLANTED = st.lists(TERMS, min_size=1, max_size=4).map(lambda t: SumOfProducts(tuple(t)))
INPUTS = st.sampled_from(
    [Uniform(-1.0, 1.0, dim=4), Uniform(-0.5, 1.5, dim=4), Normal(0.5, 0.3, dim=4)]
)
RATES = st.floats(0.0, 0.95)


def effect(f: SumOfProducts, subset: tuple[int, ...], inputs, x: torch.Tensor) -> torch.Tensor:
    """f_u at points x [n, d], from its own centred factors."""
    total = torch.zeros(len(x), dtype=x.dtype)
    for weight, factors in anova_parts(f, inputs).get(subset, []):
        product = torch.full_like(total, weight)
        for j, h in factors.items():
            nodes, weights = (torch.as_tensor(a) for a in inputs.quadrature(80, coordinate=j))
            product = product * (h(x[:, j]) - weights @ h(nodes))
        total += product
    return total


@pytest.mark.parametrize("inputs", MEAN_ZERO, ids=repr)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_masking_a_mean_zero_product_keeps_one_minus_r_to_the_k(inputs, order: int) -> None:
    product, rate = Product(tuple(range(order))), 0.3
    before = product.spectrum(inputs, 5).variance
    after = dropped_out_spectrum(product, inputs, rate, 5).variance
    np.testing.assert_allclose(after, survival(rate, order) ** 2 * before, rtol=1e-12, atol=1e-15)
    # Amplitude, and the second route: the average over all masks of an opaque function.
    blind = masked(lambda x: product(x), rate)
    x = inputs.sample(200, generator=0)
    torch.testing.assert_close(blind(x), survival(rate, order) * product(x), rtol=1e-10, atol=1e-12)


@settings(max_examples=30)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_masking_leaks_as_the_formula_says(f, rate: float, inputs) -> None:
    """(1-r)^|v| sum over u ⊇ v of r^|u \\ v| f_u(x_v, 0) is the ANOVA part of the average."""
    after = masked(f, rate)
    x = inputs.sample(40, generator=1)
    scale = max(1.0, f(x).abs().max().item())
    torch.testing.assert_close(
        after(x), masked(lambda z: f(z), rate)(x), rtol=0, atol=1e-10 * scale
    )
    subsets = [u for k in range(1, 5) for u in itertools.combinations(range(4), k)]
    for v in subsets:
        zeroed = torch.zeros_like(x)
        zeroed[:, list(v)] = x[:, list(v)]
        leaked = sum(
            rate ** (len(u) - len(v)) * effect(f, u, inputs, zeroed)
            for u in subsets
            if set(v) <= set(u)
        )
        expected = (1 - rate) ** len(v) * leaked
        got = effect(after, v, inputs, x)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10 * scale)


def test_leakage_shrinks_main_effects_of_an_uncentred_pair_by_the_fourth_power() -> None:
    inputs = Uniform(-0.5, 1.5, dim=2)
    before = Product((0, 1)).spectrum(inputs, 2).variance
    after = dropped_out_spectrum(Product((0, 1)), inputs, 0.5, 2).variance
    assert before[0] > 0.1
    np.testing.assert_allclose(after, before * 0.5**4, rtol=1e-12)


@settings(max_examples=30)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_resampling_keeps_one_minus_r_to_the_size_of_every_subset(f, rate: float, inputs) -> None:
    after = resampled(f, rate, inputs)
    x = inputs.sample(40, generator=1)
    scale = max(1.0, f(x).abs().max().item())
    for u in (u for k in range(1, 5) for u in itertools.combinations(range(4), k)):
        expected = survival(rate, len(u)) * effect(f, u, inputs, x)
        torch.testing.assert_close(
            effect(after, u, inputs, x), expected, rtol=0, atol=1e-10 * scale
        )
    stability = covariance(after, f, inputs)
    assert noise_stability(f, inputs, rate) == pytest.approx(stability, rel=1e-10, abs=1e-12)


def test_noise_stability_is_the_covariance_of_resampled_pairs() -> None:
    inputs, rate = Uniform(-math.pi, math.pi, dim=3), 0.4
    f = ishigami()
    generator = torch.Generator().manual_seed(0)
    x, fresh = (inputs.sample(400_000, generator=generator) for _ in range(2))
    kept = torch.rand(x.shape, generator=generator, dtype=x.dtype) >= rate
    a, b = f(x), f(torch.where(kept, x, fresh))
    joint = (a - a.mean()) * (b - b.mean())
    error = joint.std().item() / math.sqrt(len(joint))
    assert abs(joint.mean().item() - noise_stability(f, inputs, rate)) < 4 * error


def test_closed_form_after_masking_equals_the_tensor_grid() -> None:
    inputs = Uniform(-1.0, 1.5, dim=3)
    after = masked(paper_generator(3), 0.35)
    grid = subset_variances(lambda x: after(x), inputs, size=20)
    closed = after.subset_variances(inputs)
    for u, value in grid.items():
        assert value == pytest.approx(closed.get(u, 0.0), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_dilation_of_a_product_is_one_minus_r_to_the_k(order: int) -> None:
    inputs, rate = Uniform(-1.0, 1.0, dim=4), 0.3
    product = Product(tuple(range(order)))
    assert amplitude(dilated(product, rate), product, inputs) == pytest.approx(0.7**order, 1e-12)


def test_dilation_of_a_sine_is_far_from_one_minus_r() -> None:
    inputs = Uniform(-1.0, 1.0, dim=1)
    f = Product((0,), factor=sine(2.5))
    g = dilated(f, 0.5)
    assert amplitude(g, f, inputs) == pytest.approx(0.765, abs=5e-4)
    ratio = g.spectrum(inputs, 1).variance[0] / f.spectrum(inputs, 1).variance[0]
    assert math.sqrt(ratio) == pytest.approx(0.799, abs=5e-4)
    x = inputs.sample(9, generator=0)
    torch.testing.assert_close(dilated(lambda z: f(z), 0.5)(x), g(x))


def test_the_leftover_of_masking_has_a_mean() -> None:
    """The paper's proof of Theorem 1 takes E[a_u] = 0; x^2 - 1/3 on U(-1, 1) shows otherwise."""
    inputs = Uniform(-1.0, 1.0, dim=1)
    f = SumOfProducts((Term(1.0, {0: Factor(lambda x: x**2 - 1 / 3)}),))
    nodes, weights = (torch.as_tensor(a) for a in inputs.quadrature(20))
    assert (weights @ f(nodes[:, None])).item() == pytest.approx(0, abs=1e-14)
    after = (weights @ masked(f, 0.5)(nodes[:, None])).item()
    assert after == pytest.approx(0.5 * -1 / 3, rel=1e-12)


def test_an_order_four_effect_keeps_a_sixteenth_at_one_half_not_an_eighth() -> None:
    assert survival(0.5, 4) == 0.0625


def test_surviving_subsets_are_the_mean_number_of_fully_kept_subsets() -> None:
    kept = np.random.default_rng(0).random((20_000, 6)) < 0.75
    counts = np.array([math.comb(int(n), 3) for n in kept.sum(axis=1)])
    error = counts.std() / math.sqrt(len(counts))
    assert abs(counts.mean() - surviving_subsets(6, 3, 0.25)) < 4 * error


@pytest.mark.parametrize("rate", [1.0, -0.1, 1.5, math.nan])
def test_rates_outside_zero_to_one_are_refused(rate: float) -> None:
    product, inputs = Product((0,)), Rademacher(dim=1)
    for call in (
        lambda: survival(rate, 2),
        lambda: masked(product, rate),
        lambda: resampled(product, rate, inputs),
        lambda: dilated(product, rate),
    ):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
            call()
