"""Mean order and total indices, from no spectrum at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from interactions import MLPEnsemble, Uniform, order_spectrum
from interactions.anova import mean_order
from interactions.planted import PlantedInteractions, ishigami

CUBE = Uniform(-math.pi, math.pi, dim=3)


def test_ishigami_has_its_closed_form_total_indices() -> None:
    truth = ishigami().subset_variances(CUBE)
    totals = [sum(v for u, v in truth.items() if j in u) for j in range(3)]
    found = mean_order(ishigami(), CUBE, seed=1)
    z = (found.total_index - totals) / found.total_index_standard_error
    assert np.abs(z).max() < 4
    order = sum(len(u) * v for u, v in truth.items()) / sum(truth.values())
    assert abs(found.mean_order - order) < 4 * found.standard_error


def test_agrees_with_the_exact_spectrum_over_20_seeds(trained: MLPEnsemble) -> None:
    inputs = Uniform(-1.0, 1.0, dim=5)
    exact = order_spectrum(trained, inputs, max_order=5, method="exact").mean_order
    found = [mean_order(trained, inputs, budget=40_000, seed=s) for s in range(20)]
    z = np.array([(f.mean_order - exact) / f.standard_error for f in found])
    assert np.abs(z).max() < 4.5
    assert np.abs(z.mean(axis=0)).max() < 4.5 / math.sqrt(20)


def test_agrees_with_scipy() -> None:
    found = mean_order(ishigami(), CUBE)
    rng = np.random.default_rng(0)
    peer = stats.sobol_indices(
        func=lambda x: ishigami()(torch.as_tensor(x.T)).numpy(),
        n=2**14,
        dists=[stats.uniform(-math.pi, 2 * math.pi)] * 3,
        rng=rng,
    )
    ours = found.total_index / found.variance
    np.testing.assert_allclose(ours, peer.total_order, atol=0.03)


def test_a_planted_order_is_the_mean_order() -> None:
    inputs = Uniform(-1.0, 1.0, dim=25)
    found = mean_order(PlantedInteractions(inputs, {3: 2.0}, {3: 40}), inputs)
    assert abs(found.mean_order - 3) < 4 * found.standard_error
    assert found.standard_error < 0.1


def test_small_budgets_are_refused_and_constants_have_none() -> None:
    with pytest.raises(ValueError, match="256 evaluations at least"):
        mean_order(ishigami(), CUBE, budget=100)
    assert np.isnan(mean_order(lambda x: torch.ones(len(x)), CUBE, budget=10_000).mean_order)
