"""The tensor grid against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interactions import Empirical, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova import GridTooLargeError, subset_variances
from interactions.anova._evaluate import CHECKS
from interactions.planted import (
    PlantedInteractions,
    Product,
    g_function,
    ishigami,
    paper_generator,
    parity,
)

G = g_function((0.0, 1.0, 4.5, 9.0, 99.0, 99.0))
SMOOTH = [
    pytest.param(ishigami(), Uniform(-math.pi, math.pi, dim=3), id="ishigami"),
    pytest.param(paper_generator(3), Uniform(-1.0, 1.0, dim=3), id="sin cos x"),
    *(
        pytest.param(
            Product(tuple(range(k))),
            inputs,
            id=f"product {k} on {inputs}",
            marks=[pytest.mark.slow] if k in (2, 4) else [],
        )
        for k in range(1, 6)
        for inputs in (Uniform(-0.5, 1.5, dim=5), Normal(1.0, 2.0, dim=5))
    ),
    pytest.param(
        PlantedInteractions(Normal(dim=5), {1: 1.0, 2: 2.0, 4: 0.5}, {1: 2, 2: 4, 4: 3}),
        Normal(dim=5),
        id="planted",
    ),
]


@pytest.mark.parametrize(("function", "inputs"), SMOOTH)
def test_smooth_functions_have_their_closed_form_spectrum(function, inputs) -> None:
    closed = function.spectrum(inputs, inputs.dim)
    grid = order_spectrum(function, inputs, max_order=inputs.dim, method="exact")
    assert grid.converged
    np.testing.assert_allclose(
        grid.variance, closed.variance, rtol=1e-10, atol=1e-12 * closed.total_variance
    )


def test_kinks_are_split_or_their_error_is_stated() -> None:
    inputs = Uniform(0.0, 1.0, dim=6)
    closed = G.spectrum(inputs, 6).variance
    split = order_spectrum(G, inputs, max_order=6, method="exact")
    np.testing.assert_allclose(split.variance, closed, rtol=1e-10)
    # The same function without its kinks known: the reported change bounds the error.
    blind = order_spectrum(lambda x: G(x), inputs, max_order=2, method="exact", budget=2**19)
    off = np.abs(blind.variance[:2] - closed[:2])
    assert off.max() > 1e-4
    assert np.all(off <= 2 * blind.standard_error[:2])


def test_parity_is_exact_by_walsh_transform() -> None:
    s = order_spectrum(parity(10), Rademacher(dim=10), max_order=10, method="exact")
    expected = np.zeros(11)
    expected[9] = 1
    np.testing.assert_allclose(s.variance, expected, atol=1e-12)
    assert 2**10 <= s.evaluations <= 2**10 + CHECKS
    assert s.standard_error.max() == 0


def test_walsh_coefficients_agree_with_their_definition() -> None:
    table = torch.randn(2**4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def function(x):
        return table[((x > 0).long() * torch.tensor([8, 4, 2, 1])).sum(dim=1)]

    cube = torch.tensor(np.array(np.meshgrid(*[[-1.0, 1.0]] * 4, indexing="ij")).reshape(4, -1).T)
    for u, variance in subset_variances(function, Rademacher(dim=4)).items():
        coefficient = (function(cube) * cube[:, list(u)].prod(dim=1)).mean().item()
        assert variance == pytest.approx(coefficient**2, abs=1e-12)


def test_subset_variances_find_every_subset() -> None:
    inputs = Uniform(0.0, 1.0, dim=6)
    closed = G.subset_variances(inputs)
    grid = subset_variances(G, inputs, size=3)
    assert list(grid)[:7] == [(0,), (1,), (2,), (3,), (4,), (5,), (0, 1)]
    for u, value in grid.items():
        assert value == pytest.approx(closed[u], rel=1e-8)


def test_several_outputs_at_once_equal_one_by_one() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    functions = [paper_generator(k) for k in (1, 2, 3)]
    together = order_spectrum(
        lambda x: torch.stack([f(x) for f in functions], dim=1), inputs, method="exact"
    )
    for i, f in enumerate(functions):
        alone = order_spectrum(f, inputs, method="exact")
        np.testing.assert_allclose(together.variance[i], alone.variance, atol=1e-12)


def test_empirical_inputs_with_few_values_are_summed_exactly() -> None:
    data = np.random.default_rng(0).integers(0, 4, size=(50, 3)).astype(float)
    data[:, 2] = 5.0
    inputs, f = Empirical(data), Product((0, 1, 2))
    s = order_spectrum(f, inputs, max_order=3, method="exact")
    np.testing.assert_allclose(s.variance, f.spectrum(inputs, 3).variance, rtol=1e-10, atol=1e-12)
    assert s.standard_error.max() <= 1e-12
    assert s.variance[2] == pytest.approx(0, abs=1e-12)


def test_a_grid_beyond_budget_or_memory_is_refused_with_the_way_out() -> None:
    with pytest.raises(GridTooLargeError, match='method="differences"'):
        order_spectrum(parity(25), Rademacher(dim=25), max_order=2, method="exact")
    with pytest.raises(GridTooLargeError, match="memory"):
        order_spectrum(parity(16), Rademacher(dim=16), max_order=2, method="exact", memory=2**20)
    with pytest.raises(GridTooLargeError, match="lower `size`"):
        subset_variances(parity(8), Uniform(-1.0, 1.0, dim=8), size=16)


def test_a_kink_that_few_nodes_miss_is_found() -> None:
    inputs = Empirical(np.linspace(0, 1, 5)[:, None])
    s = order_spectrum(lambda x: (x[:, 0] - 0.9).relu(), inputs, max_order=1, method="exact")
    assert s.variance[0] == pytest.approx(0.1**2 / 5 - 0.02**2, rel=1e-12)
