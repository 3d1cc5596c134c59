"""Bases read off a function: orthonormal, small, and honest about what they leave out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interactions import Empirical, Inputs, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova._curves import hat_moments
from interactions.anova._evaluate import Evaluator
from interactions.anova._prepare import prepare
from interactions.anova.basis import Adapted, number_of_products, polynomials
from interactions.anova.exact import subset_variances
from interactions.planted import PlantedInteractions, Product


def mixed_columns() -> np.ndarray:
    """A smooth column, 24 hours, a flag set once in a hundred rows, a constant, a heavy tail."""
    rng = np.random.default_rng(0)
    n = 2000
    flag = (np.arange(n) % 100 == 0).astype(float)
    return np.column_stack(
        [rng.normal(size=n), np.arange(n) % 24, flag, np.full(n, 3.0), rng.pareto(3, size=n)]
    )


def basis_of(function, inputs: Inputs, **options) -> Adapted:
    evaluate = Evaluator(function, inputs, seed=0)
    settings = {"max_order": 2, "tolerance": 0.01, "budget": 2**18, "seed": 0, **options}
    return prepare(evaluate, **settings).basis


def wavy(x: torch.Tensor) -> torch.Tensor:
    return (3 * x[:, 0]).sin() * (x[:, 1] - x[:, 2]).abs() + x[:, 2].exp() * x[:, 0] ** 2


def test_inputs_without_effect_have_no_functions_though_rounding_says_otherwise() -> None:
    def wide(x: torch.Tensor) -> torch.Tensor:
        return 1e3 + x[:, 0] * x[:, 1] + 0.1 * x.sum(dim=1) - 0.1 * x.sum(dim=1)

    basis = basis_of(wide, Uniform(-1.0, 1.0, dim=30))
    assert basis.widths(2) == [1, 1] + [0] * 28


@pytest.mark.parametrize(
    "inputs",
    [
        Uniform(-1.0, 2.0, dim=3),
        Normal(0.3, 1.2, dim=3),
        Rademacher(dim=3),
        Empirical(mixed_columns()[:, [0, 1, 4]] / [1.0, 10.0, 5.0]),
    ],
    ids=["uniform", "normal", "±1", "empirical"],
)
def test_functions_are_orthonormal_and_without_constant(inputs: Inputs) -> None:
    basis = basis_of(wavy, inputs)
    for order in (1, 2):
        widths = basis.widths(order)
        # On ±1 the second input is of order 3 alone, and needs no function.
        assert min(widths[0], widths[2]) > 0
        for j, (end, q) in enumerate(zip(np.cumsum(widths), widths, strict=True)):
            x, w = inputs.quadrature(8, coordinate=j, breakpoints=basis.knots[j].tolist())
            points = torch.zeros(len(x), inputs.dim, dtype=torch.float64)
            points[:, j] = torch.as_tensor(x)
            phi = basis.features(points, order)[:, end - q : end].numpy()
            np.testing.assert_allclose(phi.T @ (w[:, None] * phi), np.eye(q), atol=1e-9)
            np.testing.assert_allclose(w @ phi, 0, atol=1e-9)


def test_a_product_needs_one_function_of_each_of_its_inputs_and_loses_nothing() -> None:
    basis = basis_of(Product((0, 2)), Uniform(-1.0, 1.0, dim=4))
    assert basis.widths(2) == [1, 0, 1, 0]
    assert basis.left_out[0] == pytest.approx(0, abs=1e-9)


def test_all_functions_of_an_ensemble_count() -> None:
    both = basis_of(lambda x: torch.stack([x[:, 0], 1e-3 * x[:, 1]], 1), Uniform(-1.0, 1.0, dim=3))
    assert both.widths(1) == [1, 1, 0]
    assert both.left_out.shape == (2,)


def test_hours_rare_flags_and_constants_are_read_as_they_are() -> None:
    inputs = Empirical(mixed_columns())
    effect = torch.as_tensor(np.random.default_rng(1).normal(size=24))

    def rough(x: torch.Tensor) -> torch.Tensor:
        return effect[x[:, 1].long()] * (1 + x[:, 0].clamp(-1, 1)) + 5 * x[:, 2] + x[:, 3]

    s = order_spectrum(rough, inputs, max_order=2, method="kernel", tolerance=0.005)
    assert s.left_out < 0.01
    truth = subset_variances(rough, inputs, size=24)
    expected = [sum(v for u, v in truth.items() if len(u) == k) for k in (1, 2)]
    assert min(expected) > 0.1
    np.testing.assert_array_less(
        np.abs(s.variance[:2] - expected),
        4 * s.standard_error[:2] + 0.01 * s.total_variance,
    )
    assert basis_of(rough, inputs).widths(1)[3] == 0


def test_a_bound_that_holds_on_networks(trained) -> None:
    """Mean over seeds of the bound, against the loss by exact grids."""
    inputs = Uniform(-1.0, 1.0, dim=5)
    exact = order_spectrum(trained, inputs, method="exact")
    for tolerance in (0.08, 0.02):
        loss, bound = [], []
        for seed in range(6):
            s = order_spectrum(
                trained, inputs, method="kernel", tolerance=tolerance, budget=2**17, seed=seed
            )
            loss.append((exact.share - s.share)[:, :3].sum(axis=1))
            bound.append(s.left_out)
        excess = np.mean(loss, axis=0) - np.mean(bound, axis=0)
        noise = np.std(np.subtract(loss, bound), axis=0, ddof=1) / math.sqrt(6)
        assert np.all(excess < 4 * noise)
        assert np.all(np.mean(bound, axis=0) < 2 * tolerance)


def test_a_looser_tolerance_takes_a_smaller_basis() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    sizes = [sum(basis_of(wavy, inputs, tolerance=t).widths(2)) for t in (0.2, 0.02, 0.002)]
    assert sizes[0] < sizes[-1]
    assert sizes == sorted(sizes)


def test_too_small_a_budget_is_refused_with_what_is_needed() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    with pytest.raises(ValueError, match=r"needs [\d,]+ evaluations at least for 3 inputs"):
        order_spectrum(wavy, inputs, method="kernel", budget=3000)


@given(st.lists(st.integers(0, 4), min_size=1, max_size=6), st.integers(1, 4))
def test_products_are_counted_over_subsets(widths: list[int], order: int) -> None:
    expected = sum(math.prod(u) for u in itertools.combinations(widths, order))
    assert number_of_products(widths, order) == expected


def test_hat_functions_sum_to_one_under_every_distribution() -> None:
    for inputs in (Uniform(0.0, 1.0, dim=1), Normal(dim=1), Empirical(mixed_columns()[:, :1])):
        gram = hat_moments(inputs, inputs.knots(32), 0)
        assert gram.sum() == pytest.approx(1)
        assert np.all(np.linalg.eigvalsh(gram) > -1e-15)


def test_polynomials_know_how_many_an_input_has() -> None:
    inputs = Empirical(mixed_columns())
    basis = polynomials(inputs, 2, sample=10**5)
    assert basis.widths(1) == [12, 12, 1, 0, 12]
    x = inputs.sample(10, generator=0)
    assert basis.features(x, 1).shape == (10, sum(basis.widths(1)))
    assert max(polynomials(inputs, 2, sample=1000).widths(2)) < max(basis.widths(2))


def test_an_order_lost_among_rare_interactions_is_left_to_the_bound() -> None:
    f = PlantedInteractions(Uniform(-1.0, 1.0, dim=10), {4: 1.0}, seed=0)
    basis = basis_of(f, Uniform(-1.0, 1.0, dim=10), max_order=3)
    assert abs(basis.left_out[0]) < 1e-9


def test_values_that_round_to_the_same_have_one_knot() -> None:
    """Points of a float32 function have a column's values rounded: no two knots are the same."""
    rows = np.random.default_rng(0).normal(size=(8, 4)) ** 2
    rows[1] = rows[0] * (1 + 1e-9)
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    s = order_spectrum(network.eval(), Empirical(rows), method="kernel", budget=2**16)
    assert np.isfinite(s.share).all()
    assert not s.constant
