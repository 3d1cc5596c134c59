"""Mixed differences: unbiased, with errors that cover, for any function."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interactions import (
    Empirical,
    MLPEnsemble,
    Normal,
    OrderSpectrum,
    Rademacher,
    Uniform,
    order_spectrum,
)
from interactions.anova._replicates import NODES, centred_form, shifted_lattices
from interactions.planted import PlantedInteractions, g_function, ishigami

FIVE = Uniform(-1.0, 1.0, dim=5)
WIDE = Uniform(-1.0, 1.0, dim=25)


def measure(function, inputs, **options) -> OrderSpectrum:
    return order_spectrum(function, inputs, **{"method": "differences", **options})


def standardised(estimate: OrderSpectrum, truth: OrderSpectrum) -> np.ndarray:
    """Distance from the truth in standard errors; 0 where both have no error and agree."""
    off = estimate.variance - truth.variance
    rounding = 1e-9 * truth.total_variance[..., None] + np.abs(truth.standard_error)
    off = np.sign(off) * np.maximum(np.abs(off) - rounding, 0)
    return off / np.where(estimate.standard_error > 0, estimate.standard_error, 1e-12)


def covers(estimate: OrderSpectrum, truth: OrderSpectrum, of: str) -> np.ndarray:
    interval = estimate.interval(0.95, of=of)
    value = truth.variance if of == "variance" else truth.share
    return (interval.low <= value) & (value <= interval.high)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_bilinear_form_is_unbiased_for_covariances(dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    u = shifted_lattices((200_000,), generator, dtype).double()
    assert u.shape == (200_000, NODES)
    form = centred_form(torch.device("cpu"))
    assert form.sum(dim=0).abs().max() < 1e-15
    for h, g, covariance in (
        (u, u, 1 / 12),
        (u.exp(), u, (3 - math.e) / 2),
        (
            (6 * u).sin(),
            (u > 0.3).double(),
            (math.cos(1.8) - math.cos(6)) / 6 - 0.7 / 6 * (1 - math.cos(6)),
        ),
    ):
        values = torch.einsum("si,ij,sj->s", h, form, g)
        error = values.std().item() / math.sqrt(len(values))
        assert abs(values.mean().item() - covariance) < 4 * error


def test_agrees_with_exact_on_trained_networks_over_20_seeds(trained: MLPEnsemble) -> None:
    truth = order_spectrum(trained, FIVE, max_order=3, method="exact")
    assert truth.share[:, 2].min() > 0.005
    z = np.array(
        [standardised(measure(trained, FIVE, budget=200_000, seed=s), truth) for s in range(20)]
    )
    assert np.abs(z).max() < 4
    assert np.abs(z.mean(axis=0)).max() < 4 / math.sqrt(20)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        pytest.param(ishigami(), Uniform(-math.pi, math.pi, dim=3), id="ishigami"),
        pytest.param(g_function((0.0, 1.0, 4.5, 9.0)), Uniform(0.0, 1.0, dim=4), id="g-function"),
        pytest.param(
            PlantedInteractions(Normal(dim=6), {1: 1.0, 2: 2.0, 3: 0.5}, {1: 2, 2: 4, 3: 3}),
            Normal(dim=6),
            id="planted on normal",
        ),
        pytest.param(
            PlantedInteractions(Rademacher(dim=8), {1: 1.0, 2: 2.0, 4: 0.5}, {2: 4, 4: 3}),
            Rademacher(dim=8),
            id="planted on ±1",
        ),
    ],
)
def test_agrees_with_the_closed_form_over_20_seeds(function, inputs) -> None:
    truth = function.spectrum(inputs, 3)
    z = np.array(
        [standardised(measure(function, inputs, budget=200_000, seed=s), truth) for s in range(20)]
    )
    assert np.abs(z).max() < 4.5
    assert np.abs(z.mean(axis=0)).max() < 4.5 / math.sqrt(20)


def test_sees_a_single_planted_triple_among_2300() -> None:
    f = PlantedInteractions(WIDE, {3: 1.0}, seed=4)
    s = measure(f, WIDE, budget=6_000_000)
    assert s.standard_error[2] > 0
    assert s.variance[2] > 3 * s.standard_error[2]
    assert abs(s.variance[2] - 1) < 4 * s.standard_error[2]


def test_error_falls_as_the_root_of_the_budget(trained: MLPEnsemble) -> None:
    errors = [
        measure(trained, FIVE, budget=b, tolerance=0.0).share_standard_error
        for b in (500_000, 8_000_000)
    ]
    # The share above collects every stream's error; the pilot takes a fifth of the smaller budget.
    ratio = errors[0][:, -1] / errors[1][:, -1]
    assert np.all((ratio > 3.4) & (ratio < 5.2))


def test_stops_at_the_tolerance_or_the_budget_and_says_which(trained: MLPEnsemble) -> None:
    reached = measure(trained, FIVE, tolerance=0.02)
    assert reached.converged
    assert reached.share_standard_error.max() <= 0.02
    spent = measure(trained, FIVE, tolerance=1e-6, budget=60_000)
    assert not spent.converged
    assert spent.evaluations <= 60_000
    assert "not reached" in str(spent)


def test_a_seed_repeats_and_another_differs(trained: MLPEnsemble) -> None:
    a, b = (measure(trained, FIVE, budget=60_000, seed=3) for _ in range(2))
    assert np.array_equal(a.variance, b.variance)
    c = measure(trained, FIVE, budget=60_000, seed=4)
    assert not np.array_equal(a.variance, c.variance)


def test_orders_sum_to_the_total_and_shares_to_one(trained: MLPEnsemble) -> None:
    s = measure(trained, FIVE, budget=60_000)
    assert s.variance.shape == (3, 4)
    np.testing.assert_allclose(s.share.sum(axis=-1), 1)
    np.testing.assert_allclose(s.variance.sum(axis=-1), s.total_variance)


def test_empirical_inputs_agree_with_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    data = np.column_stack([rng.exponential(size=200), rng.integers(0, 3, 200), np.ones(200)])
    inputs = Empirical(data)
    f = PlantedInteractions(Empirical(data[:, :2]), {1: 1.0, 2: 1.0}, {1: 2})
    truth = f.spectrum(Empirical(data[:, :2]), 2)
    s = measure(lambda x: f(x[:, :2]) * x[:, 2], inputs, max_order=2, budget=200_000)
    assert np.abs((s.variance - truth.variance) / s.standard_error).max() < 4


def test_a_budget_below_one_visit_of_every_subset_is_refused_with_its_price() -> None:
    f = PlantedInteractions(WIDE, {3: 1.0})
    with pytest.raises(ValueError, match=r"need [\d,]+ evaluations at least"):
        measure(f, WIDE, budget=100_000)


@pytest.mark.slow
def test_intervals_cover_on_trained_networks_over_200_seeds(trained: MLPEnsemble) -> None:
    truth = order_spectrum(trained, FIVE, max_order=3, method="exact")
    for budget in (150_000, 600_000):
        spectra = [measure(trained, FIVE, budget=budget, seed=s) for s in range(200)]
        for of in ("variance", "share"):
            share = np.mean([covers(s, truth, of) for s in spectra], axis=0)
            assert np.all((share >= 0.90) & (share <= 0.99)), (budget, of, share)


@pytest.mark.slow
@pytest.mark.parametrize("triples", [1, 2, 300])
def test_intervals_cover_planted_triples_among_25_inputs(triples: int) -> None:
    f = PlantedInteractions(WIDE, {3: 1.0}, {3: triples}, seed=1)
    truth = f.spectrum(WIDE, 3)
    spectra = [measure(f, WIDE, budget=6_000_000, seed=s) for s in range(200)]
    for of in ("variance", "share"):
        share = np.mean([covers(s, truth, of) for s in spectra], axis=0)
        assert np.all((share >= 0.90) & (share <= 0.99)), (of, share)


@pytest.mark.slow
def test_unbiased_at_a_tiny_fixed_budget_over_400_seeds(trained: MLPEnsemble) -> None:
    truth = order_spectrum(trained, FIVE, max_order=3, method="exact")
    estimates = np.array(
        [measure(trained, FIVE, budget=40_000, seed=s).variance for s in range(400)]
    )
    error = estimates.std(axis=0) / math.sqrt(400)
    assert np.all(np.abs(estimates.mean(axis=0) - truth.variance) < 3.5 * error)
