"""Profiles by order: what mixtures of squared differences weigh, and which are none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interactions import OrderSpectrum
from interactions.penalty import (
    weights_for_shares,
    weights_for_survival,
    weights_from_order,
)
from interactions.penalty.profiles import differences_of, noise_sensitivity


@pytest.mark.parametrize("dim", [1, 3, 8, 800])
@pytest.mark.parametrize("rho", [0.1, 0.5, 1.0])
def test_noise_sensitivity_weighs_order_k_by_one_minus_one_minus_rho_to_the_k(dim, rho) -> None:
    k = np.arange(1, dim + 1)
    profile = noise_sensitivity(rho, dim).profile
    np.testing.assert_allclose(profile, 1 - (1 - rho) ** k, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("rate", [0.25, 0.5])
def test_survival_has_no_negative_weight_and_is_exact_up_to_its_order(rate) -> None:
    found = differences_of(weights_for_survival(rate, 3), 5)
    assert not found.signed
    assert found.corners == 8
    k = np.arange(1, 6)
    exact = (1 - rate) ** -k - 1.0
    np.testing.assert_allclose(found.profile[:3], exact[:3], rtol=1e-12)
    # Above, the series of exact in r / (1-r) ends at the third term.
    assert (found.profile[3:] < exact[3:]).all()
    assert (np.diff(found.profile) > 0).all()


def test_low_orders_are_spared_by_squares_alone() -> None:
    found = differences_of(weights_from_order(3), 6)
    assert not found.signed
    np.testing.assert_allclose(found.profile, [math.comb(k, 3) for k in range(1, 7)])


def test_profiles_that_level_off_take_two_answers() -> None:
    found = differences_of([0.5, 0.75, 0.875], 10)
    assert not found.signed
    assert found.corners == 2
    np.testing.assert_allclose(found.profile[:3], [0.5, 0.75, 0.875], rtol=1e-9)
    assert (np.diff(found.profile) > -1e-9).all()


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 1.0, 1.0), (1.0, 0.2), (0, 1, 0.5, 3)])
def test_other_profiles_are_differences_of_squares_and_reward_no_order(weights) -> None:
    found = differences_of(weights, 5)
    assert found.signed
    np.testing.assert_allclose(found.profile[: len(weights)], weights, atol=1e-8)
    assert (found.profile >= -1e-8).all()
    assert (found.profile[len(weights) :] >= weights[-1] - 1e-8).all()


@pytest.mark.parametrize(
    ("weights", "dim", "says"),
    [
        ((), 3, "up to 3 at most, got 0"),
        ((1, 2, 3, 4), 3, "up to 3 at most, got 4"),
        ((1, -1), 3, "not negative"),
        ((0, 0), 3, "not all 0"),
        ((1, math.inf), 3, "finite"),
        (weights_from_order(7), 9, "orders 1 to 6 at most"),
        ((0, 1, 0, 1, 0, 1, 0, 1, 0), 25, "drown in noise"),
    ],
)
def test_profiles_that_cannot_be_are_refused(weights, dim, says) -> None:
    with pytest.raises(ValueError, match=says):
        differences_of(weights, dim)


def test_weights_for_shares_leave_these_shares() -> None:
    spectrum = OrderSpectrum.known(np.array([2.0, 1.0, 0.5, 0.0]), method="planted")
    shares = np.array([0.7, 0.2, 0.1])
    weights = np.array(weights_for_shares(spectrum, shares))
    left = spectrum.variance[:3] / (1 + weights) ** 2
    np.testing.assert_allclose(left / left.sum(), shares)
    assert weights.min() == 0
    with pytest.raises(ValueError, match="positive"):
        weights_for_shares(spectrum, [0.5, 0.0])
    with pytest.raises(ValueError, match="orders 1 to 3 at most"):
        weights_for_shares(spectrum, [0.25] * 4)


def test_rates_and_orders_outside_of_their_ranges_are_refused() -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        weights_for_survival(1.0, 3)
    with pytest.raises(ValueError, match="begin at 1"):
        weights_from_order(0)
