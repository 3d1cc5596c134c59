"""A budget that reading a basis would use up goes into a sample, measured with polynomials."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from interactions import Uniform, order_spectrum
from interactions.anova import kernel
from interactions.anova._pairs import Sample
from interactions.anova.basis import (
    MOST_DEGREE,
    MOST_POLYNOMIALS,
    NOISE_OF_DEGREE_2,
    POLYNOMIAL_NOISE,
    polynomials,
)
from interactions.anova.surrogate import adjusted_pairs
from interactions.planted import PlantedInteractions

INPUTS = Uniform(-1.0, 1.0, dim=12)
PLANTED = PlantedInteractions(INPUTS, {1: 1.0, 2: 1.0, 3: 1.0}, {1: 6, 2: 6, 3: 6}, seed=1)
TRUTH = PLANTED.spectrum(INPUTS, 3).share
BUDGET = 4000


def measured(function=PLANTED, *, method: str = "surrogate", budget: int = BUDGET, seed: int = 0):
    return order_spectrum(function, INPUTS, method=method, budget=budget, tolerance=0, seed=seed)


def test_the_shares_are_those_of_the_closed_form_within_the_errors_stated() -> None:
    found = [measured(seed=seed) for seed in range(20)]
    off = np.array([s.share - TRUTH for s in found])
    error = np.array([s.share_standard_error for s in found])
    assert np.mean(np.abs(off) < 2 * error) > 0.9
    assert np.all(np.abs(off.mean(axis=0)) < 4 * off.std(axis=0) / math.sqrt(len(off)) + 1e-3)
    assert error.max() < 0.06


def test_no_more_is_spent_than_the_budget_and_the_answer_says_what_was_done() -> None:
    spectrum = measured()
    assert 0.95 * BUDGET < spectrum.evaluations <= BUDGET
    assert "products of polynomials by order" in spectrum.method
    assert not spectrum.converged


def test_auto_measures_so_too_and_says_why() -> None:
    spectrum = measured(method="auto")
    assert spectrum.reason.startswith("a sample alone: to read a basis would take too much")
    assert spectrum.share.tolist() == measured().share.tolist()


def test_many_functions_whose_fits_would_take_long_are_measured_by_auto_without_a_surrogate() -> (
    None
):
    def many(x: Tensor) -> Tensor:
        return PLANTED(x)[:, None] * torch.arange(1.0, 400.0)

    spectrum = measured(many, method="auto")
    assert spectrum.method.startswith("ANOVA kernel (")
    assert np.all(np.abs(spectrum.share - TRUTH) < 4 * spectrum.share_standard_error)


def test_points_that_planned_the_sample_are_measured_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those of checks: without the pilot's it would be hardly more than a half."""
    sizes = []

    def noted(sample: Sample, *rest):
        sizes.append(sample.weight.numel())
        return adjusted_pairs(sample, *rest)

    monkeypatch.setattr(kernel, "adjusted_pairs", noted)
    assert measured().evaluations <= BUDGET
    assert 0.75 * BUDGET < max(sizes) < BUDGET


def test_what_polynomials_leave_out_is_not_claimed_to_be_known() -> None:
    def wavy(x: Tensor) -> Tensor:
        return torch.sin(40 * x[:, 0]) + x[:, 1]

    spectrum = measured(wavy)
    assert not spectrum.converged
    assert spectrum.left_out > 0.3
    assert spectrum.share[-1] + 2 * spectrum.share_standard_error[-1] > 0.5


def test_the_kernel_refuses_and_names_the_method_that_does() -> None:
    with pytest.raises(ValueError, match=r'needs .* evaluations at least .* method="surrogate"'):
        measured(method="kernel")


@pytest.mark.parametrize("method", ["surrogate", "auto"])
def test_a_budget_too_small_for_that_too_is_refused_with_what_does(method: str) -> None:
    with pytest.raises(ValueError, match=r"needs 3,209 evaluations .* order_spectrum_from_samples"):
        measured(method=method, budget=3000)
    assert measured(method=method, budget=3209).evaluations <= 3209


@pytest.mark.parametrize("dim", [8, 25, 64])
@pytest.mark.parametrize("sample", [2000, 16_000, 100_000])
def test_degrees_are_the_highest_whose_products_add_little_noise(dim: int, sample: int) -> None:
    degrees = polynomials(Uniform(-1.0, 1.0, dim=dim), 3, sample=sample).degrees

    def fits(order: int, degree: int) -> bool:
        products = math.comb(dim, order) * degree**order
        allowed = NOISE_OF_DEGREE_2 if degree == 2 < order else POLYNOMIAL_NOISE
        return products <= MOST_POLYNOMIALS and math.sqrt(2 * products) / sample <= allowed

    for order, degree in enumerate(degrees, start=1):
        assert degree == (1 if order > 2 else 2) or fits(order, degree)
        assert degree == MOST_DEGREE[order - 1] or not fits(order, degree + 1)
