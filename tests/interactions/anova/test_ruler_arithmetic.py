"""Offsets and scales: what is measured does not depend on them, until rounding forbids it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from interactions import OrderSpectrum, Uniform, order_spectrum
from interactions.anova import mean_order, strongest_interactions, superset_index
from interactions.anova._evaluate import Evaluator
from interactions.anova._function import FunctionError

EIGHT = Uniform(-1.0, 1.0, dim=8)
TRUTH = [0.25, 0.75, 0.0]


def plain(x: Tensor) -> Tensor:
    return x[:, 0] + 3 * x[:, 1] * x[:, 2]


def check(s: OrderSpectrum, truth: list[float]) -> None:
    assert s.converged
    assert np.abs(s.share - truth).max() < 4 * s.share_standard_error.max() + 1e-3
    assert s.share_standard_error.max() <= 0.03


@pytest.mark.parametrize("method", ["auto", "differences", "kernel"])
@pytest.mark.parametrize("offset", [1e8, -1e11, 1e14])
def test_an_offset_changes_nothing(method: str, offset: float) -> None:
    options = {"max_order": 2, "method": method, "tolerance": 0.03}
    s = order_spectrum(lambda x: offset + plain(x), EIGHT, **options)
    check(s, TRUTH)
    if s.left_out is not None and np.isfinite(s.left_out):
        assert abs(s.left_out) < 0.01


def test_an_offset_changes_nothing_in_any_other_measurement() -> None:
    def far(x: Tensor) -> Tensor:
        return 1e9 + plain(x)

    small = Uniform(-1.0, 1.0, dim=4)
    exact = order_spectrum(far, small, max_order=2, method="exact")
    np.testing.assert_allclose(exact.share, TRUTH, atol=1e-6)
    mean = mean_order(far, EIGHT)
    assert abs(mean.mean_order - 1.75) < 4 * mean.standard_error
    index = superset_index(far, EIGHT, [(1, 2)])
    assert abs(index["variance"][0] - 1) < 4 * index["standard_error"][0]
    pair = strongest_interactions(far, EIGHT, count=1).iloc[0]
    assert pair["subset"] == (1, 2)
    assert pair["share"] == pytest.approx(0.75, abs=0.1)


@pytest.mark.parametrize("scale", [1e-30, 1e-10, 1e10, 1e30])
def test_a_scale_changes_nothing(scale: float) -> None:
    s = order_spectrum(lambda x: scale * plain(x), EIGHT, max_order=2, tolerance=0.03)
    check(s, TRUTH)


@pytest.mark.parametrize("spread", [2e-12, 2e-13, 2e-14])
def test_a_tiny_spread_is_measured_as_far_as_its_digits_go(spread: float) -> None:
    def f(x: Tensor) -> Tensor:
        return 1 + spread * (x[:, 0] + x[:, 1] + 2 * x[:, 2] * x[:, 3])

    s = order_spectrum(f, EIGHT, max_order=2, tolerance=0.03)
    check(s, [0.6, 0.4, 0.0])


def test_a_spread_of_a_few_roundings_does_not_converge_and_says_why() -> None:
    s = order_spectrum(lambda x: 1.5e15 + plain(x), EIGHT, max_order=2, method="differences")
    assert not s.converged
    assert "rounding may hold more of the variance than the tolerance" in s.reason


@pytest.mark.parametrize("offset", [1e17, -2e17])
def test_a_spread_below_rounding_is_refused_at_once(offset: float) -> None:
    points = []

    def f(x: Tensor) -> Tensor:
        points.append(len(x))
        return offset + 10 * plain(x)

    with pytest.raises(FunctionError, match="no more than their rounding"):
        order_spectrum(f, EIGHT)
    assert sum(points) < 2000


def test_a_rare_event_beside_rounding_is_not_taken_for_rounding() -> None:
    """Saturated probabilities: nearly all values lie within their rounding, some do not."""

    def f(x: Tensor) -> Tensor:
        rounding = 1e-16 * torch.round(2 * x[:, 1])
        return 1.0 + rounding - (x[:, 0] > 0.98).double()

    Evaluator(f, EIGHT, seed=0)


class Two(nn.Module):
    """A large output beside a small one, in one type."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones((), dtype=dtype))

    def forward(self, x: Tensor) -> Tensor:
        large, small = 1e6 * (2 + x.sum(dim=1)), 0.1 * self.one * x[:, 0] * x[:, 1]
        return torch.stack([large, small, torch.full_like(small, 5e6)], dim=1)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("method", ["auto", "differences"])
def test_a_constant_is_judged_by_its_own_rounding(dtype: torch.dtype, method: str) -> None:
    options = {"max_order": 2, "method": method, "tolerance": 0.03}
    s = order_spectrum(Two(dtype).eval(), EIGHT, **options)
    assert s.constant.tolist() == [False, False, True]
    np.testing.assert_allclose(s.share[:2], [[1, 0, 0], [0, 1, 0]], atol=0.12)


def test_a_constant_output_beside_one_that_varies_by_rounding_alone_is_constant() -> None:
    def f(x: Tensor) -> Tensor:
        return torch.stack([x[:, 0], x.softmax(dim=1).sum(dim=1)], dim=1)

    s = order_spectrum(f, EIGHT, max_order=1, tolerance=0.1)
    assert s.constant.tolist() == [False, True]


def test_half_precision_beside_an_offset_says_what_rounding_holds() -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = nn.Parameter(torch.ones((), dtype=torch.float16))

        def forward(self, x: Tensor) -> Tensor:
            return 5000 + 40 * self.one * x[:, 0]

    s = order_spectrum(Half().eval(), EIGHT, max_order=1, method="differences", tolerance=0.005)
    assert not s.converged
    assert "rounded so coarsely" in s.reason
