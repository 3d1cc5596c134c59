"""The product of dependent inputs, made pure."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.questions import pure_interaction
from experiments.running.context import Context

CONTEXT = Context(quiet=True)


def test_the_exact_weights_of_the_square_are_those_of_drawn_points() -> None:
    s = pure_interaction.Settings(cells=8, points=400_000)
    rho, rng = 0.8, np.random.default_rng(0)
    exact, _ = pure_interaction._exact(s, rho)
    drawn, correlation = pure_interaction._drawn(s, rho * pure_interaction.VARIANCE, rng)
    assert correlation == pytest.approx(rho, abs=0.01)
    assert exact.sum() == pytest.approx(1, abs=1e-12)
    error = np.sqrt(exact / s.points)
    assert (np.abs(drawn / s.points - exact) <= 4.5 * error + 1e-5).all()


def test_the_product_of_dependent_inputs_is_less_of_an_interaction() -> None:
    table = pure_interaction.run(pure_interaction.PRESETS["controlled", "quick"], CONTEXT)
    rows = pure_interaction.summary(table)
    shares = rows.dropna(subset="rho").set_index("rho")["pure_share"]
    assert shares[0.01] > 0.999
    assert shares[0.99] < 0.001
    assert shares.is_monotonic_decreasing
    gaps = rows.dropna(subset="scheme").set_index("scheme")["gap_of_sum"]
    assert gaps["purify"] < 1e-12
    assert gaps.drop("purify").min() > 0.1


def test_numpy_draws_another_correlation_where_a_covariance_is_impossible() -> None:
    rng = np.random.default_rng(0)
    _, correlation = pure_interaction._drawn(pure_interaction.Settings(points=100_000), 0.99, rng)
    # The eigenvalues .5 ± .99 lose their signs: covariance [[.99, .5], [.5, .99]].
    assert correlation == pytest.approx(0.5 / 0.99, abs=0.01)


def test_the_share_of_a_pure_interaction_is_of_weighted_variances() -> None:
    """Four cells of weights 1/8, 3/8, 3/8, 1/8; mains -1, 0, 0, 1 and a pure part of ±1."""
    cells = zip((1, 3, 3, 1), (-1.0, 0.0, 0.0, 1.0), (1.0, -1.0, -1.0, 1.0), strict=True)
    table = pd.DataFrame(
        [
            {"part": "square", "rho": 0.5, "repeat": 0, "correlation": 0.25, "weight": w / 8}
            | {"main1": main, "main2": main, "pure": pure}
            for w, main, pure in cells
        ]
        + [{"part": "cube", "repeat": 0, "scheme": "purify", "gap": 0.5}]
    )
    found = pure_interaction.summary(table)
    row = found.iloc[0]
    # Mains: (-2)² / 8 + 2² / 8 = 1. Pure: mean -1/2, variance 1 - 1/4.
    assert row["variance"] == pytest.approx(1.75)
    assert row["pure_share"] == pytest.approx(0.75 / 1.75)
    assert row["largest_main"] == 1
    assert found.iloc[1][["scheme", "gap_of_sum"]].tolist() == ["purify", 0.5]
