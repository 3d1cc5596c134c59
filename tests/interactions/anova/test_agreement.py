"""The sampling methods against the grid, on trained networks of every kind of input."""

from __future__ import annotations

import numpy as np
import pytest

from interactions import Empirical, Inputs, Normal, Rademacher, Uniform, order_spectrum

KINDS = {
    "uniform": lambda dim: Uniform(-1.0, 1.0, dim=dim),
    "normal": lambda dim: Normal(dim=dim),
    "±1": lambda dim: Rademacher(dim=dim),
    "empirical": lambda dim: Empirical(
        np.random.default_rng(0).normal(size=(8, dim)) ** 2 + np.arange(8)[:, None] % 3
    ),
}


@pytest.mark.parametrize("method", ["kernel", "differences"])
@pytest.mark.parametrize("dim", [4, 5, 6])
@pytest.mark.parametrize("kind", KINDS)
def test_within_four_standard_errors_of_the_grid(
    kind: str, dim: int, method: str, train_on_noise
) -> None:
    """Plus what a grid has not settled and what a basis may leave out."""
    inputs: Inputs = KINDS[kind](dim)
    networks = train_on_noise(inputs)
    exact = order_spectrum(networks, inputs, method="exact", budget=2**20)
    s = order_spectrum(networks, inputs, method=method, tolerance=0.01, budget=2**20)
    assert np.all(exact.share[:, :3] > 1e-3)
    known = np.nan_to_num(exact.share_standard_error, nan=0.01)
    left_out = np.atleast_1d(s.left_out)[:, None]
    assert np.all(left_out < 0.02)
    off = np.abs(s.share - exact.share)
    np.testing.assert_array_less(off, 4 * s.share_standard_error + known + left_out)
