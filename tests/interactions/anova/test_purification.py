"""Pure parts of weighted tables of any dimension."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import Empirical
from interactions.anova import purify, subset_variances

SHAPES = st.lists(st.integers(1, 4), min_size=1, max_size=5).map(tuple)


@settings(max_examples=40)
@given(shape=SHAPES, seed=st.integers(0, 2**20), holes=st.sampled_from([0.0, 0.2]))
def test_parts_sum_back_and_are_pure(shape, seed: int, holes: float) -> None:
    rng = np.random.default_rng(seed)
    table, weights = rng.normal(size=shape), rng.random(shape) + 0.05
    weights[rng.random(shape) < holes] = 0
    weights.flat[0] = 1
    result = purify(table, weights)
    assert len(result.parts) == 2 ** len(shape)
    np.testing.assert_allclose(result.table(), table, atol=1e-12)
    assert result.impurity() < 1e-10 * np.abs(table).max()


def test_independent_weights_give_the_usual_functional_anova() -> None:
    rng = np.random.default_rng(0)
    shape = (3, 4, 2)
    table = rng.normal(size=shape)
    weights = np.einsum("i,j,k->ijk", *(rng.integers(1, 6, size=n).astype(float) for n in shape))
    result = purify(table, weights)
    rows = np.repeat(np.argwhere(np.ones(shape)), weights.astype(int).ravel(), axis=0).astype(float)

    def function(x):
        return table[tuple(x.long().numpy().T)]

    for u, variance in subset_variances(lambda x: function(x), Empirical(rows), size=4).items():
        assert result.variance(u) == pytest.approx(variance, rel=1e-9, abs=1e-12)


def test_parts_of_independent_weights_are_orthogonal_and_variances_add() -> None:
    rng = np.random.default_rng(1)
    result = purify(rng.normal(size=(3, 3, 3)))
    full = np.broadcast_to
    for u, v in combinations(result.parts, 2):
        a, b = (
            full(
                np.expand_dims(result.parts[s], tuple(j for j in range(3) if j not in s)), (3, 3, 3)
            )
            for s in (u, v)
        )
        assert abs((a * b).mean()) < 1e-12
    total = sum(result.variance(u) for u in result.parts if u)
    assert total == pytest.approx(result.table().var())


def gaussian(correlation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return x y on a 16 x 16 grid, and correlated Gaussian weights."""
    x, y = np.meshgrid(*[np.linspace(-2, 2, 16)] * 2, indexing="ij")
    quadratic = (x**2 - 2 * correlation * x * y + y**2) / (1 - correlation**2)
    return x * y, np.exp(-quadratic / 2)


def test_the_product_of_correlated_inputs_is_hardly_an_interaction() -> None:
    """The paper's Fig A.1: the same x y is an interaction or main effects, by the inputs."""
    shares = {}
    for correlation in (0.01, 0.99):
        result = purify(*gaussian(correlation))
        assert result.impurity() < 1e-10
        pair = result.variance((0, 1))
        shares[correlation] = pair / (pair + result.variance((0,)) + result.variance((1,)))
    assert shares[0.01] > 0.99
    assert shares[0.99] < 0.01


def test_two_dimensional_parts_solve_the_normal_equations() -> None:
    table, weights = gaussian(0.7)
    weights = weights / weights.sum()
    result = purify(table, weights)
    n = 16
    columns = [np.outer(np.eye(n)[i], np.ones(n)).ravel() for i in range(n)]
    columns += [np.outer(np.ones(n), np.eye(n)[i]).ravel() for i in range(n)]
    design, root = np.array(columns).T, np.sqrt(weights.ravel())
    fit = np.linalg.lstsq(root[:, None] * design, root * table.ravel(), rcond=None)[0]
    residual = (table.ravel() - design @ fit).reshape(n, n)
    np.testing.assert_allclose(result.parts[0, 1], residual, atol=1e-9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(()),), "one or more dimensions"),
        ((np.zeros((2, 2)), np.ones((2, 3))), "same shape"),
        ((np.array([1.0, np.nan]),), "NaN"),
        ((np.zeros(2), np.array([-1.0, 2.0])), "negative"),
        ((np.zeros(2), np.zeros(2)), "not all zero"),
    ],
)
def test_bad_tables_are_refused(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        purify(*arguments)
