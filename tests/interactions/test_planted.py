"""Functions that know their spectrum: textbook values, and sampling as an independent check."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interactions import Empirical, Normal, Rademacher, Uniform
from interactions.planted import (
    PlantedInteractions,
    Product,
    covariance,
    expectation,
    g_function,
    ishigami,
    paper_generator,
    parity,
    pure,
    pure_noise,
    sine,
    times,
)


def test_ishigami_has_the_published_indices() -> None:
    # Ishigami & Homma 1990; V_13 = 8 b^2 pi^8 / 225, printed wrongly as 1/18 - 1/50 less often.
    a, b, pi = 7.0, 0.1, math.pi
    v = ishigami(a, b).subset_variances(Uniform(-pi, pi, dim=3))
    assert v == pytest.approx(
        {(0,): (1 + b * pi**4 / 5) ** 2 / 2, (1,): a**2 / 8, (0, 2): 8 * b**2 * pi**8 / 225},
        rel=1e-12,
    )


def test_g_function_has_the_published_indices() -> None:
    a = (0.0, 1.0, 4.5, 9.0, 99.0, 99.0)
    v = g_function(a).subset_variances(Uniform(0.0, 1.0, dim=6))
    assert len(v) == 2**6 - 1
    for subset, value in v.items():
        assert value == pytest.approx(math.prod(1 / (3 * (1 + a[j]) ** 2) for j in subset), 1e-12)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_product_of_centred_inputs_is_pure_and_of_others_is_not(order: int) -> None:
    product = Product(tuple(range(order)))
    pure = product.spectrum(Uniform(-1.0, 1.0, dim=5), 5).variance
    np.testing.assert_allclose(pure, np.eye(6)[order - 1] / 3**order, atol=1e-15)
    # Mean 1, variance 1/3: C(k, j) subsets of order j, each of variance (1/3)^j.
    mixed = product.spectrum(Uniform(0.0, 2.0, dim=5), 5).variance
    expected = [math.comb(order, j) / 3**j for j in range(1, 6)] + [0]
    np.testing.assert_allclose(mixed, expected, rtol=1e-12, atol=1e-15)


def test_parity_is_all_of_the_highest_order() -> None:
    assert parity(10).spectrum(Rademacher(dim=10), 9).variance.tolist() == [0.0] * 9 + [1.0]


def test_the_papers_pair_is_mostly_a_main_effect() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    cos2, cos = (1 + math.sin(2) / 2) / 2, math.sin(1)
    for generator, order in ((2, 1), (3, 2)):
        share = paper_generator(generator).spectrum(inputs, 3).share
        assert share[order - 1] == pytest.approx(cos**2 / cos2, rel=1e-12)
        assert share[order - 1] > 0.97
    assert paper_generator(1).spectrum(inputs, 3).share[0] == pytest.approx(1)


@pytest.mark.parametrize(
    "inputs",
    [Uniform(-1.0, 2.0, dim=8), Normal(1.0, 2.0, dim=8), Rademacher(dim=8)],
    ids=repr,
)
def test_planted_interactions_have_the_variances_asked_for(inputs) -> None:
    wanted = {1: 0.5, 2: 2.0, 4: 1.0}
    f = PlantedInteractions(inputs, wanted, {1: 3, 2: 10, 4: 70}, seed=3)
    np.testing.assert_allclose(f.spectrum(inputs, 4).variance, [0.5, 2, 0, 1, 0], rtol=1e-10)
    assert len({tuple(u) for u in f.chosen[4]}) == 70
    x = inputs.sample(50, generator=0)
    general = super(PlantedInteractions, f).__call__(x)
    torch.testing.assert_close(f(x), general)


def test_planted_subsets_follow_the_seed() -> None:
    inputs = Rademacher(dim=20)
    a, b, c = (PlantedInteractions(inputs, {3: 1.0}, {3: 5}, seed=s).chosen[3] for s in (1, 1, 2))
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_spectrum_under_empirical_inputs_equals_that_of_the_sampled_distribution() -> None:
    data = np.random.default_rng(0).exponential(size=(60, 2))
    f = Product((0, 1))
    v = f.subset_variances(Empirical(data))
    means, variances = data.mean(axis=0), data.var(axis=0)
    assert v[0,] == pytest.approx(variances[0] * means[1] ** 2)
    assert v[0, 1] == pytest.approx(variances.prod())


def test_covariance_agrees_with_sampling() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    f, g = Product((0, 1), factor=sine(2.5)), paper_generator(2)
    x = inputs.sample(400_000, generator=0)
    joint = (f(x) - f(x).mean()) * (g(x) - g(x).mean())
    error = joint.std().item() / math.sqrt(len(joint))
    assert abs(joint.mean().item() - covariance(f, g, inputs)) < 4 * error


def test_pure_noise_is_zero_everywhere() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    assert not pure_noise()(inputs.sample(5, generator=0)).any()
    assert pure_noise().spectrum(inputs, 2).constant


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Product((1, 1)), "distinct"),
        (lambda: PlantedInteractions(Rademacher(dim=3), {4: 1.0}), "between 1 and"),
        (lambda: PlantedInteractions(Rademacher(dim=3), {2: 1.0}, {2: 4}), "3 subsets"),
        (lambda: PlantedInteractions(Rademacher(dim=3), {2: -1.0}), "negative"),
        (lambda: PlantedInteractions(Rademacher(dim=3), {2: 1.0}, {1: 1}), "without a variance"),
        (lambda: paper_generator(4), "1, 2 and 3"),
        (lambda: Product((0, 5))(torch.zeros(3, 2)), "d >= 6"),
        (lambda: Product((0, 5)).spectrum(Rademacher(dim=3), 2), "uses 6 inputs"),
        (lambda: Product((0,)).spectrum(Rademacher(dim=3), 4), "between 1 and"),
        (lambda: Product((0,)).spectrum(Rademacher(dim=3), -1), "between 1 and"),
    ],
)
def test_impossible_functions_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "inputs",
    [
        Uniform(-0.5, 1.5, dim=3),
        Normal(0.4, 1.0, dim=3),
        Empirical(np.random.default_rng(1).exponential(size=(9, 3))),
    ],
    ids=repr,
)
def test_pure_makes_products_of_any_factors_the_order_they_are_named(inputs) -> None:
    for number in (1, 2, 3):
        spectrum = paper_generator(number, pure_under=inputs).spectrum(inputs, 3)
        np.testing.assert_allclose(spectrum.share, np.eye(4)[number - 1], atol=1e-12)
    # Purity belongs to function and distribution together.
    elsewhere = paper_generator(3, pure_under=inputs).spectrum(Uniform(0.0, 3.0, dim=3), 3)
    assert elsewhere.share[2] < 0.9


def test_a_constant_factor_cannot_be_made_pure() -> None:
    data = np.column_stack([np.arange(5.0), np.full(5, 2.0)])
    with pytest.raises(ValueError, match="input 1 is constant"):
        pure(Product((0, 1)), Empirical(data))


def test_products_and_expectations_agree_with_quadrature() -> None:
    inputs = Uniform(-1.0, 2.0, dim=2)
    f, g = paper_generator(2), paper_generator(1)
    nodes, weights = (torch.as_tensor(a) for a in inputs.quadrature(30))
    x = torch.cartesian_prod(nodes, nodes)
    w = torch.cartesian_prod(weights, weights).prod(dim=1)
    torch.testing.assert_close(times(f, g)(x), f(x) * g(x))
    assert expectation(times(f, g), inputs) == pytest.approx((w @ (f(x) * g(x))).item(), rel=1e-12)
