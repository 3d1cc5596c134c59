"""The result object."""

from __future__ import annotations

import numpy as np
import pytest

from interactions import OrderSpectrum


def spectrum(**changes) -> OrderSpectrum:
    values = {
        "variance": np.array([3.0, 1.0, -0.5]),
        "standard_error": np.array([0.1, 0.2, 0.3]),
        "share": np.array([3.0, 1.0, -0.5]) / 3.5,
        "share_standard_error": np.array([0.01, 0.02, 0.03]),
        "degrees_of_freedom": np.full(3, np.inf),
        "share_degrees_of_freedom": np.full(3, np.inf),
        "method": "test",
        "evaluations": 7,
        "converged": True,
    }
    return OrderSpectrum(**{**values, **changes})


def test_orders_sum_to_the_total_and_are_never_clipped() -> None:
    s = spectrum()
    assert s.total_variance == 3.5
    assert s.variance.min() < 0
    assert s.share.sum() == pytest.approx(1)


def test_mean_order_weighs_orders_by_share() -> None:
    assert spectrum().mean_order == pytest.approx((3 * 1 + 1 * 2 - 0.5 * 3) / 3.5)


def test_interval_has_two_ends_and_names_its_method() -> None:
    low, high, method = spectrum().interval(0.95)
    np.testing.assert_allclose(high - low, 2 * 1.959964 * np.array([0.1, 0.2, 0.3]), rtol=1e-6)
    assert "Student" in method
    few = spectrum(degrees_of_freedom=np.full(3, 4.0)).interval(0.95)
    assert np.all(few.high - few.low > high - low)
    shares = spectrum().interval(0.5, of="share")
    assert np.all(shares.low < spectrum().share)


def test_known_spectrum_of_a_constant_has_no_shares_and_says_so() -> None:
    s = OrderSpectrum.known(np.zeros(3), method="test")
    assert s.constant
    assert np.isnan(s.share).all()
    assert "constant" in str(s)


def test_frame_has_a_row_per_output_and_order() -> None:
    s = OrderSpectrum.known(np.arange(6.0).reshape(2, 3), method="test")
    frame = s.to_frame()
    assert list(frame["order"]) == ["1", "2", ">2"] * 2
    assert list(frame["output"]) == [0, 0, 0, 1, 1, 1]
    assert frame["variance"].tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(s.output(1).variance, [3, 4, 5])


def test_wrong_shapes_levels_and_names_are_refused() -> None:
    with pytest.raises(ValueError, match="share must have the shape"):
        spectrum(share=np.zeros(2))
    with pytest.raises(ValueError, match="between 0 and 1"):
        spectrum().interval(95)
    with pytest.raises(ValueError, match="variance"):
        spectrum().interval(of="mean")
