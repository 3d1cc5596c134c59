"""Points a user already has: their order does not matter, and they must be able to be what is said.

The cases are those of a review of the measurement, each standing for its kind.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from interactions import (
    Empirical,
    Normal,
    OrderSpectrum,
    Rademacher,
    Uniform,
    order_spectrum_from_samples,
)
from interactions.planted import Product, ishigami, sine

N = 33 * 200
THREE = Uniform(-1.0, 1.0, dim=3)
RNG = np.random.default_rng(0)
COLUMNS = np.column_stack([RNG.normal(size=500), RNG.integers(0, 5, size=500)])


def draws(inputs, n: int = N) -> torch.Tensor:
    return inputs.sample(n, generator=1)


def pair(x: torch.Tensor) -> torch.Tensor:
    return x[:, 0] + 3 * x[:, 1] * x[:, 2]


def off(s: OrderSpectrum, truth: list[float]) -> float:
    """Largest deviation in standard errors."""
    return float(np.abs((s.variance - truth) / s.standard_error).max())


@pytest.mark.parametrize(
    ("x", "inputs", "message"),
    [
        pytest.param(
            RNG.integers(0, 2, (N, 3)), Rademacher(dim=3), "column 0.*not among", id="0/1"
        ),
        pytest.param(draws(Uniform(0.0, 1.0, dim=3)), THREE, "column 0.*distributed", id="U(0,1)"),
        pytest.param(2 * draws(THREE), THREE, "column 0 holds", id="too wide"),
        pytest.param(draws(Normal(0.2, dim=3)), Normal(dim=3), "distributed", id="shifted normal"),
        pytest.param(draws(Normal(0.0, 2.0, dim=3)), Normal(dim=3), "distributed", id="std 2"),
        pytest.param(
            (torch.rand(N, 3, generator=torch.Generator().manual_seed(0)) < 0.7) * 2.0 - 1,
            Rademacher(dim=3),
            "distributed",
            id="unfair coins",
        ),
        pytest.param(
            COLUMNS[:, [0, 0]][:, :1].repeat(14, 0),
            Empirical(COLUMNS[:, 1:]),
            "not among",
            id="other column",
        ),
        pytest.param(draws(THREE)[:, [0, 1, 0]], THREE, "columns 0 and 2 depend", id="copied"),
        pytest.param(
            torch.cat([draws(THREE)[:, :2], 2 * draws(THREE)[:, :1] ** 2 - 1], 1)[:, [0, 1, 2]],
            THREE,
            "distributed|depend",
            id="a function of another",
        ),
        pytest.param(draws(THREE, N // 2).repeat(2, 1), THREE, "occur more than once", id="twice"),
    ],
)
def test_points_that_cannot_have_come_from_the_inputs_are_refused(x, inputs, message) -> None:
    with pytest.raises(ValueError, match=message):
        order_spectrum_from_samples(x, np.asarray(x).sum(axis=1), inputs, max_order=1)


def test_symmetric_dependence_without_correlation_is_found() -> None:
    x = draws(THREE)
    x[:, 2] = x[:, 0].abs() * x[:, 2].sign()
    with pytest.raises(ValueError, match="columns 0 and 2 depend"):
        order_spectrum_from_samples(x, x[:, 0], THREE)


def test_rows_of_a_data_set_are_not_draws_of_independent_columns() -> None:
    data = RNG.normal(size=(2000, 2)) @ np.array([[1.0, 0.8], [0.0, 0.6]])
    with pytest.raises(ValueError, match=r"depend on each other.*inputs.sample"):
        order_spectrum_from_samples(data, data[:, 0], Empirical(data), max_order=1)


def test_columns_of_a_frame_are_named() -> None:
    frame = pd.DataFrame(draws(THREE).numpy(), columns=["age", "dose", "dose again"])
    frame["dose again"] = frame["dose"]
    with pytest.raises(ValueError, match="'dose' and 'dose again' depend"):
        order_spectrum_from_samples(frame, frame["age"], THREE)
    frame["age"] = 7.0
    with pytest.raises(ValueError, match="column 'age' holds 7"):
        order_spectrum_from_samples(frame, frame["age"], THREE)
    frame["age"] = pd.Timestamp("2026-01-01")
    with pytest.raises(TypeError, match=r"\['age'\].*dates"):
        order_spectrum_from_samples(frame, frame["dose"], THREE)


def test_points_that_are_off_by_little_are_measured_with_a_warning() -> None:
    x = draws(Normal(0.08, dim=2), 33 * 2000)
    with pytest.warns(UserWarning, match="distribution function is off by 0.0[34]"):
        s = order_spectrum_from_samples(x, x[:, 0], Normal(dim=2), max_order=1)
    assert s.share[0] == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    "inputs", [THREE, Normal(dim=3), Rademacher(dim=3), Empirical(COLUMNS)], ids=repr
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_honest_points_pass(inputs, dtype) -> None:
    """Thirty samples, none refused, none warned of: warnings are errors here."""
    for seed in range(30):
        x = inputs.sample(400, generator=seed, dtype=dtype)
        order_spectrum_from_samples(x, x[:, 0], inputs, max_order=1)


@pytest.mark.parametrize("by", ["x0", "y", "as drawn"])
def test_the_order_of_the_rows_does_not_matter(by: str) -> None:
    x = draws(Uniform(-1.0, 1.0, dim=8))
    y = pair(x)
    key = {"x0": x[:, 0], "y": y, "as drawn": torch.arange(N)}[by]
    rows = key.argsort()
    s = order_spectrum_from_samples(x[rows], y[rows], Uniform(-1.0, 1.0, dim=8))
    assert off(s, [1 / 3, 1, 0, 0]) < 4
    assert s.standard_error.max() < 0.1


def test_numbers_of_every_kind_are_taken() -> None:
    x = draws(Rademacher(dim=3)).long()
    y = x[:, 0] + x[:, 1] + x[:, 2]
    kinds = [
        (x, y),
        (x.numpy(), y.numpy()),
        (x.tolist(), y.tolist()),
        (pd.DataFrame(x.numpy()), pd.Series(y.numpy())),
        (x.numpy().astype(np.int8), y.numpy().astype(np.int8)),
        (x.float(), y),
        (x.half(), y.half()),
    ]
    for a, b in kinds:
        s = order_spectrum_from_samples(a, b, Rademacher(dim=3), tolerance=0.02)
        assert s.converged
        np.testing.assert_allclose(s.share, [1, 0, 0, 0], atol=4 * 0.02)
    with pytest.raises(TypeError, match="real numbers"):
        order_spectrum_from_samples(x, y + 1j, Rademacher(dim=3))


def test_converged_means_that_the_tolerance_is_reached() -> None:
    x = draws(THREE)
    y = pair(x)
    loose = order_spectrum_from_samples(x, y, THREE, tolerance=0.05)
    assert loose.converged
    assert loose.share_standard_error.max() <= 0.05
    strict = order_spectrum_from_samples(x, y, THREE, tolerance=1e-4)
    assert not strict.converged
    assert "do not suffice" in strict.reason
    with pytest.raises(ValueError, match="tolerance"):
        order_spectrum_from_samples(x, y, THREE, tolerance=-1.0)


def test_what_may_lie_outside_of_the_polynomials_is_said() -> None:
    x = draws(THREE, 33 * 2000)
    fast = Product((0,), factor=sine(150.0))
    s = order_spectrum_from_samples(x, fast(x), THREE, tolerance=0.05)
    assert not s.converged
    assert s.left_out > 0.9
    assert "outside of the polynomials" in s.reason
    smooth = order_spectrum_from_samples(x, pair(x), THREE, tolerance=0.05)
    assert 0 <= smooth.left_out < 0.1


def test_a_constant_beside_another_output_does_not_keep_it_from_converging() -> None:
    x = draws(THREE)
    both = order_spectrum_from_samples(
        x, torch.stack([pair(x), torch.ones(N)], 1), THREE, tolerance=0.05
    )
    assert both.converged
    assert both.constant.tolist() == [False, True]


@pytest.mark.slow
def test_intervals_from_samples_cover() -> None:
    inputs = Uniform(-np.pi, np.pi, dim=3)
    truth = ishigami().spectrum(inputs, 3).variance
    held = []
    for seed in range(200):
        x = inputs.sample(33 * 300, generator=seed)
        s = order_spectrum_from_samples(x, ishigami()(x), inputs, seed=seed)
        low, high, _ = s.interval()
        held.append((low <= truth) & (truth <= high))
    assert 0.9 <= np.mean(held, axis=0)[:3].min() <= np.mean(held, axis=0)[:3].max() <= 0.99
