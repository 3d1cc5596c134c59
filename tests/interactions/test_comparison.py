"""Selectivity of regularizers whose action on every order is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from interactions import OrderSpectrum, Rademacher, Uniform, selectivity
from interactions.comparison import reaches, spectrum_at
from interactions.planted import PlantedInteractions
from interactions.theory import dilated, dropped_out_spectrum

INPUTS = Uniform(-1.0, 1.0, dim=5)
PRODUCTS = PlantedInteractions(INPUTS, {1: 1.0, 2: 2.0, 3: 0.5, 4: 0.1}, {1: 3, 2: 2})


def known(variance: object, error: object = 0.0) -> OrderSpectrum:
    return OrderSpectrum.known(np.asarray(variance), error=np.asarray(error), method="given")


@pytest.mark.parametrize("rate", [0.125, 0.5, 0.9])
def test_input_dropout_on_products_has_the_slope_of_the_law(rate: float) -> None:
    plain = PRODUCTS.spectrum(INPUTS, 4)
    for after in (
        dropped_out_spectrum(PRODUCTS, INPUTS, rate, 4),
        dilated(PRODUCTS, rate).spectrum(INPUTS, 4),
    ):
        result = selectivity(after, plain)
        assert result.used.all()
        np.testing.assert_allclose(result.slope, 2 * math.log(1 - rate), rtol=1e-9)
        assert result.standard_error == 0
        np.testing.assert_allclose(
            result.log_ratio, 2 * math.log(1 - rate) * np.arange(1, 5), rtol=1e-9
        )


def test_redrawn_inputs_have_the_same_slope_for_any_function_and_distribution() -> None:
    inputs = Rademacher(dim=4)
    target = PlantedInteractions(inputs, {1: 1.0, 3: 1.0, 4: 2.0})
    after = dropped_out_spectrum(target, inputs, 0.25, 4, resample=True)
    result = selectivity(after, target.spectrum(inputs, 4))
    assert result.used.tolist() == [True, False, True, True]
    np.testing.assert_allclose(result.slope, 2 * math.log(0.75), rtol=1e-9)


def test_shrinkage_has_none() -> None:
    plain = PRODUCTS.spectrum(INPUTS, 4)
    result = selectivity(known(0.01 * plain.variance), plain)
    assert abs(result.slope) < 1e-12
    np.testing.assert_allclose(result.log_ratio, math.log(0.01))


def test_orders_within_three_standard_errors_of_zero_are_left_out_on_either_side() -> None:
    plain = known([[8.0, 4.0, 2.0, 1.0, 9.0]] * 5, 0.1)
    variance = [
        [4.0, 1.0, 0.25, 0.0625, 9.0],
        [4.0, 1.0, 0.31, 0.29, 9.0],
        [4.0, -1.0, 0.29, 0.5, 9.0],
        [4.0, 0.0, 0.0, 0.0, 9.0],
        [np.nan, 1.0, 0.5, 0.0, 9.0],
    ]
    result = selectivity(known(variance, 0.1), plain)
    expected = [[1, 1, 0, 0], [1, 1, 1, 0], [1, 0, 0, 1], [1, 0, 0, 0], [0, 1, 1, 0]]
    assert result.used.astype(int).tolist() == expected
    np.testing.assert_allclose(
        result.slope,
        [-math.log(2), (math.log(0.155) - math.log(0.5)) / 2, 0.0, np.nan, 0.0],
        atol=1e-12,
    )
    assert np.isnan(result.standard_error).tolist() == [False, False, False, True, False]
    reverse = selectivity(plain, known(variance, 0.1))
    np.testing.assert_allclose(reverse.slope, -result.slope, atol=1e-12)
    assert np.isnan(selectivity(known(variance, np.nan), plain).slope).all()


def test_orders_may_be_the_same_for_all_and_one_that_is_not_seen_makes_the_slope_a_bound() -> None:
    """An order below three standard errors, .3, counts at these: ratios of .5, .25, .15."""
    plain = known([8.0, 4.0, 2.0, 9.0], 0.1)
    variance = [
        [4.0, 1.0, 0.5, 9.0],
        [4.0, 1.0, -0.1, 9.0],
        [4.0, 0.1, 0.5, 9.0],
        [0.1, 1.0, 0.5, 9.0],
        [np.nan, 1.0, 0.5, 9.0],
    ]
    result = selectivity(known(variance, 0.1), plain, orders=(1, 2, 3))
    half_log = [math.log(0.5), math.log(0.3), math.log(0.5)]
    np.testing.assert_allclose(result.slope[:3], np.array(half_log) / 2)
    # Too much of an order that pulls the slope down bounds nothing.
    assert np.isnan(result.slope[3:]).all()
    assert result.bound.tolist() == [False, True, True, True, False]
    low = selectivity(known(variance, 0.1), plain, orders=(1, 2))
    np.testing.assert_allclose(low.slope[:3], [math.log(0.5)] * 2 + [math.log(0.15)])
    assert low.bound.tolist() == [False, False, True, True, False]
    # The middle order of three has no part in the slope, an unseen one of `plain` has.
    assert np.isnan(selectivity(plain, known([8.0, 0.1, 2.0, 9.0], 0.1), orders=(1, 2, 3)).slope)
    for orders in ((1,), (1, 1, 2), (2, 4), ()):
        with pytest.raises(ValueError, match="orders"):
            selectivity(plain, plain, orders=orders)


def test_the_standard_error_is_the_spread_of_slopes_over_noisy_measurements() -> None:
    rng = np.random.default_rng(0)
    plain, after = np.array([3.0, 2.0, 1.0, 0.0]), np.array([2.0, 1.0, 0.4, 0.0])
    errors = np.array([0.05, 0.02, 0.04, 0.0]), np.array([0.03, 0.03, 0.02, 0.0])
    draws = [
        known(v + e * rng.standard_normal((20_000, 4)), e)
        for v, e in zip((after, plain), errors, strict=True)
    ]
    spread = selectivity(*draws).slope.std()
    claimed = selectivity(known(after, errors[0]), known(plain, errors[1])).standard_error
    assert claimed == pytest.approx(spread, rel=0.03)


def test_many_functions_are_compared_with_one_and_orders_must_be_the_same() -> None:
    plain = known([3.0, 2.0, 1.0, 0.0])
    many = known(np.array([[3.0, 2.0, 1.0, 0.0], [3.0, 1.0, 0.25, 5.0]]))
    np.testing.assert_allclose(selectivity(many, plain).slope, [0.0, -math.log(2)], atol=1e-12)
    assert selectivity(plain, plain).slope.shape == ()
    with pytest.raises(ValueError, match="same orders, got 2 and 3"):
        selectivity(known([1.0, 1.0, 1.0]), plain)


def test_a_path_reaches_a_part_of_its_total_between_spectra_by_their_logarithms() -> None:
    path = [known([8.0, 8.0]), known([4.0, 4.0]), known([0.5, 0.5])]
    assert reaches(path, 0.5) == pytest.approx(1)
    assert reaches(path, 0.25) == pytest.approx(1 + 1 / 3)
    assert math.isnan(reaches(path, 0.01))
    with pytest.raises(ValueError, match=r"part must lie between 0 and 1, got 1.0"):
        reaches(path, 1.0)
    # Nothing at all has no logarithm to go to.
    assert math.isnan(reaches([path[0], known([0.0, 0.0])], 0.5))


def test_a_spectrum_between_two_has_their_geometric_mean_and_the_error_of_both() -> None:
    path = [
        known([8.0, 9.0, 1.0, 0.0], [0.8, 0.0, 0.5, 0.0]),
        known([2.0, 1.0, 1.0, 0.0], [0.4, 0.0, 0.0, 0.0]),
    ]
    half = spectrum_at(path, 0.5)
    # The third is not seen on one side, where it counts at three errors, 1.5; nor is it here.
    np.testing.assert_allclose(half.variance, [4.0, 3.0, math.sqrt(1.5), np.nan])
    assert half.standard_error[2] == pytest.approx(math.sqrt(1.5) / 3)
    assert selectivity(half, known([8.0, 9.0, 1.0, 0.0])).used.tolist() == [True, True, False]
    assert half.standard_error[0] == pytest.approx(4 * math.hypot(0.5 * 0.1, 0.5 * 0.2))
    nearer = spectrum_at(path, 0.75)
    assert nearer.variance[0] == pytest.approx(8**0.25 * 2**0.75)
    # On a spectrum itself its neighbours do not matter.
    np.testing.assert_allclose(spectrum_at(path, 1.0).variance, [2.0, 1.0, 1.0, np.nan])
    assert np.isnan(spectrum_at(path, math.nan).variance).all()
