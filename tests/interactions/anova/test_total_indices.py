"""Mean order, total and superset indices, from no spectrum at all."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from interactions import MLPEnsemble, Normal, Uniform, order_spectrum
from interactions.anova import mean_order, subset_variances, superset_index
from interactions.planted import PlantedInteractions, g_function, ishigami

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


def test_errors_of_the_mean_order_are_neither_too_small_nor_too_large() -> None:
    """The ratio's error leaves out what indices and variance have in common, here most of it."""
    inputs = Normal(dim=3)

    def scaled_signs(x: torch.Tensor) -> torch.Tensor:
        return (x[:, 0] / 2).exp() * x[:, 1].sign() * x[:, 2].sign()

    found = [mean_order(scaled_signs, inputs, budget=4000, seed=s) for s in range(100)]
    stated = np.sqrt(np.mean([f.standard_error**2 for f in found]))
    spread = np.std([f.mean_order for f in found], ddof=1)
    assert 0.8 < stated / spread < 1.25


@pytest.mark.slow
def test_intervals_of_the_mean_order_cover_over_400_seeds(trained: MLPEnsemble) -> None:
    inputs = Uniform(-1.0, 1.0, dim=5)
    exact = order_spectrum(trained, inputs, max_order=5, method="exact").mean_order
    found = [mean_order(trained, inputs, budget=20_000, seed=s) for s in range(400)]
    z = np.array([(f.mean_order - exact) / f.standard_error for f in found])
    covered = (np.abs(z) < stats.t.ppf(0.975, 31)).mean(axis=0)
    assert np.all((covered >= 0.92) & (covered <= 0.98)), covered


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


def test_superset_indices_agree_with_the_exact_parts_over_20_seeds() -> None:
    inputs, g = Uniform(0.0, 1.0, dim=4), g_function((0.0, 0.5, 1.0, 2.0))
    parts = subset_variances(g, inputs)
    asked = [(0,), (3,), (0, 1), (2, 3), (0, 1, 3), (0, 1, 2, 3)]
    truth = np.array([sum(v for w, v in parts.items() if set(u) <= set(w)) for u in asked])
    found = [superset_index(g, inputs, asked, budget=2**16, seed=s) for s in range(20)]
    assert list(found[0]["subset"]) == asked
    z = np.array([(f["variance"] - truth) / f["standard_error"] for f in found])
    assert np.abs(z).max() < 4.5
    assert np.abs(z.mean(axis=0)).max() < 4.5 / math.sqrt(20)
    assert 0.8 < np.sqrt(np.mean(z**2)) < 1.25
    shares = np.array([f["share"] for f in found])
    off = shares.mean(axis=0) - truth / sum(parts.values())
    assert np.abs(off / shares.std(axis=0, ddof=1)).max() < 4.5 / math.sqrt(20)


def test_superset_indices_of_a_network_agree_with_its_exact_parts(trained: MLPEnsemble) -> None:
    inputs, network = Uniform(-1.0, 1.0, dim=5), trained.select([0])

    def one(x):
        return network(x)[:, 0]

    parts = subset_variances(one, inputs, size=12)
    asked = [(0,), (1, 3), (4, 2, 0)]
    truth = [sum(v for w, v in parts.items() if set(u) <= set(w)) for u in asked]
    assert min(truth) > 0.01 * sum(parts.values())
    for seed in range(5):
        found = superset_index(one, inputs, asked, seed=seed)
        assert list(found["subset"]) == [(0,), (1, 3), (0, 2, 4)]
        assert (found["standard_error"] < 0.05 * found["variance"]).all()
        z = (found["variance"] - truth) / found["standard_error"]
        assert np.abs(z).max() < 4


def test_superset_indices_of_single_inputs_are_total_indices() -> None:
    single = superset_index(ishigami(), CUBE, [(0,), (1,), (2,)], seed=3)
    total = mean_order(ishigami(), CUBE, seed=4)
    error = np.hypot(single["standard_error"], total.total_index_standard_error)
    assert (np.abs(single["variance"] - total.total_index) < 4 * error).all()


def test_a_subset_no_effect_holds_has_none() -> None:
    inputs = Uniform(-1.0, 1.0, dim=30)
    found = superset_index(lambda x: x[:, 0] * x[:, 1] + x[:, 2], inputs, [(0, 1), (0, 2)])
    assert abs(found["variance"][0] - 1 / 9) < 4 * found["standard_error"][0]
    assert found["variance"][1] < 1e-20


def test_impossible_superset_requests_are_refused() -> None:
    f = ishigami()
    for bad in ([()], [(0, 0)], [(0, 3)], [(-1,)]):
        with pytest.raises(ValueError, match=r"of different inputs|numbers 0 \.\. 2"):
            superset_index(f, CUBE, bad)
    with pytest.raises(ValueError, match="649 evaluations at least"):
        superset_index(f, CUBE, [(0, 1), (0, 2)], budget=511)
    with pytest.raises(ValueError, match="0 subsets"):
        superset_index(f, CUBE, [])
    with pytest.raises(ValueError, match="one output"):
        superset_index(lambda x: x, CUBE, [(0,)])
    flat = superset_index(lambda x: torch.ones(len(x)), CUBE, [(0,)])
    assert flat["share"].isna().all()
