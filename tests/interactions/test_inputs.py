"""Distributions: samples, quadrature and orthonormal bases agree with each other."""

from __future__ import annotations

import dataclasses
import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.interpolate import BarycentricInterpolator

from interactions import Empirical, Normal, Rademacher, Uniform

RNG = np.random.default_rng(0)
SKEWED = np.column_stack(
    [RNG.exponential(size=500), RNG.integers(0, 3, size=500), np.ones(500), RNG.normal(size=500)]
)
DATES = pd.DataFrame({"when": [pd.Timestamp("2026-01-01")] * 2, "what": ["a", "b"]})
DISTRIBUTIONS = [
    Uniform(-1.0, 3.0, dim=3),
    Normal(2.0, 0.5, dim=3),
    Rademacher(dim=3),
    Empirical(SKEWED),
]


@pytest.mark.parametrize("inputs", DISTRIBUTIONS, ids=repr)
def test_samples_have_the_moments_of_the_quadrature(inputs) -> None:
    x = inputs.sample(40_000, generator=1).numpy()
    assert x.shape == (40_000, inputs.dim)
    for j in range(inputs.dim):
        nodes, weights = inputs.quadrature(6, coordinate=j)
        assert weights.sum() == pytest.approx(1, abs=1e-12)
        for power in (1, 2, 3):
            values = x[:, j] ** power
            error = values.std() / np.sqrt(len(values))
            assert abs(values.mean() - weights @ nodes**power) <= 4.5 * error + 1e-12


@pytest.mark.parametrize("inputs", DISTRIBUTIONS, ids=repr)
def test_probabilities_are_those_of_the_quantiles(inputs) -> None:
    u = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    for j in range(inputs.dim):
        x = inputs.quantile(u, torch.tensor(j)).numpy()
        some = np.array([-np.inf, *x[::97], *(x[::97] + 1e-9), np.inf])
        share = (x[:, None] <= some).mean(axis=0)
        below = inputs.probability_up_to(some, coordinate=j)
        np.testing.assert_allclose(below, share, rtol=0, atol=1e-3)
        assert below[0] == 0
        assert below[-1] == 1


@pytest.mark.parametrize("inputs", DISTRIBUTIONS, ids=repr)
def test_basis_is_orthonormal_and_centred_as_far_as_the_support_goes(inputs) -> None:
    degree = 4
    for j in range(inputs.dim):
        nodes, weights = inputs.quadrature(12, coordinate=j)
        x = torch.zeros(len(nodes), inputs.dim, dtype=torch.float64)
        x[:, j] = torch.as_tensor(nodes)
        p = inputs.basis(x, degree)[:, j].numpy()
        exists = min(degree, int(min(inputs.support_sizes[j], 99)) - 1)
        gram = p.T @ (weights[:, None] * p)
        expected = np.diag([1.0] * exists + [0.0] * (degree - exists))
        np.testing.assert_allclose(gram, expected, atol=1e-9)
        np.testing.assert_allclose(weights @ p, 0, atol=1e-10)


@given(size=st.integers(2, 20), low=st.floats(-5, 5), width=st.floats(0.1, 10))
def test_gauss_rule_integrates_polynomials_of_degree_2n_minus_1(size, low, width) -> None:
    nodes, weights = Uniform(low, low + width, dim=1).quadrature(size)
    centred = (nodes - low - width / 2) / (width / 2)
    for degree in (0, 1, size, 2 * size - 1):
        exact = 1 / (degree + 1) if degree % 2 == 0 else 0
        assert weights @ centred**degree == pytest.approx(exact, abs=1e-12)


def test_breakpoints_make_kinked_integrands_exact() -> None:
    for inputs, exact in ((Uniform(-1.0, 1.0, dim=1), 0.5), (Normal(dim=1), (2 / np.pi) ** 0.5)):
        nodes, weights = inputs.quadrature(40, breakpoints=(0.0,))
        assert weights @ np.abs(nodes) == pytest.approx(exact, abs=1e-12)
        nodes, weights = inputs.quadrature(40)
        assert abs(weights @ np.abs(nodes) - exact) > 1e-6


def test_a_seed_repeats_and_another_differs() -> None:
    inputs = Normal(dim=4)
    assert torch.equal(inputs.sample(10, generator=3), inputs.sample(10, generator=3))
    assert not torch.equal(inputs.sample(10, generator=3), inputs.sample(10, generator=4))


def test_empirical_draws_only_values_of_its_own_columns() -> None:
    x = Empirical(SKEWED).sample(1000, generator=0).numpy()
    for j in range(SKEWED.shape[1]):
        assert set(x[:, j]) <= set(SKEWED[:, j])


def test_empirical_breaks_the_dependence_of_its_columns() -> None:
    column = RNG.normal(size=(2000, 1))
    x = Empirical(np.hstack([column, column])).sample(20_000, generator=0).numpy()
    assert abs(np.corrcoef(x.T)[0, 1]) < 0.03


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform(1.0, 1.0, dim=2), "low < high"),
        (lambda: Normal(0.0, -1.0, dim=2), "std > 0"),
        (lambda: Rademacher(dim=0), "positive integer"),
        (lambda: Empirical(np.ones(3)), r"\[n, d\]"),
        (lambda: Empirical(np.array([[0.0, np.nan], [1.0, 2.0]])), r"columns \[1\]"),
        (lambda: Empirical(pd.DataFrame({"age": [1, 2], "dose": [1.0, None]})), r"\['dose'\]"),
        (lambda: Rademacher(dim=True), "positive integer"),
    ],
)
def test_bad_distributions_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Uniform([0, 1], [1, 2], dim=2), r"one low for all inputs.*\[0, 1\].*rescale"),
        (lambda: Uniform(0.0, "1", dim=2), "one high"),
        (lambda: Normal(0.0, np.ones(3), dim=3), "one std for all inputs"),
        (lambda: Uniform(-1, 1, 4), r"by its name: Uniform\(-1, 1, dim=4\)"),
        (lambda: Normal(0.0, 1.0, 4), r"by its name: Normal\(0.0, 1.0, dim=4\)"),
        (lambda: Empirical(DATES[["when"]].to_numpy()), "must be numbers"),
    ],
)
def test_other_types_are_refused_with_what_to_do(make, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        make()


def test_columns_of_every_number_type_are_data() -> None:
    frame = pd.DataFrame(
        {
            "count": pd.array([1, 2, 3], dtype="Int64"),
            "flag": [True, False, True],
            "size": np.array([0.5, 1.5, 2.5], dtype=np.float32),
        }
    )
    inputs = Empirical(frame)
    np.testing.assert_array_equal(inputs.support(1)[0], [0, 1])
    np.testing.assert_array_equal(inputs.support(2)[0], [0.5, 1.5, 2.5])
    same = Empirical(frame.to_numpy(dtype=float).tolist())
    np.testing.assert_array_equal(same.support(0)[0], inputs.support(0)[0])


def test_distributions_survive_copies() -> None:
    for inputs in DISTRIBUTIONS[:3]:
        assert pickle.loads(pickle.dumps(inputs)) == inputs
        assert dataclasses.replace(inputs, dim=5).dim == 5


def test_nodes_of_a_column_are_values_that_carry_a_polynomial() -> None:
    """Interpolated through twelve values, a smooth curve is right at all five thousand."""
    column = np.random.default_rng(1).exponential(size=5000)
    nodes = Empirical(column[:, None]).nodes(12, 0)
    assert len(set(nodes)) == 12
    assert set(nodes) <= set(column)
    through = BarycentricInterpolator(nodes, np.sin(nodes / 3))
    assert np.abs(through(column) - np.sin(column / 3)).max() < 1e-7


def test_values_are_counted_a_column_at_a_time() -> None:
    """A comparison of all columns at once would take a table of the size of the data."""
    inputs = Empirical(np.random.default_rng(2).integers(0, 7, size=(20_000, 30)))
    tracemalloc.start()
    sizes = inputs.support_sizes
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    np.testing.assert_array_equal(sizes, 7.0)
    assert peak < 20_000 * 30 / 4
