"""Numbers of figure A.1, on tables whose answer is worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from paper_results.evidence import purification
from paper_results.evidence.estimates import Estimate


def square(rho: float, repeat: int, main1: float, main2: float, pure: float) -> pd.DataFrame:
    """Two cells between which the parts differ by this much: variances go as the squares."""
    return pd.DataFrame(
        {
            "part": "square",
            "rho": rho,
            "repeat": repeat,
            "weight": [1.0, 3.0],
            "main1": [0.0, main1],
            "main2": [0.0, main2],
            "pure": [0.0, pure],
        }
    )


def test_the_pure_share_lost_is_that_at_low_correlation_minus_that_at_high() -> None:
    """9 / (1 + 9) - 1 / (9 + 1) and 1 / 2 - 1 / 2."""
    table = pd.concat(
        [
            square(0.01, 0, 0.5, 0.5, 3.0),
            square(0.99, 0, 1.0, 2.0, 1.0),
            square(0.01, 1, 1.0, 0.0, 1.0),
            square(0.99, 1, 0.0, 1.0, 1.0),
        ]
    )
    found = purification.pure_share_lost(table, low=0.01, high=0.99)
    assert found == Estimate(pytest.approx(0.4), pytest.approx(0.4), 2)


def test_one_repeat_has_exact_weights_and_no_error() -> None:
    """Weights ¼, ¼, ½: main effects have variance ¼ and the pure part ½; then none at all."""
    three = {"part": "square", "repeat": 0, "weight": [1.0, 1.0, 2.0], "main2": 0.0}
    main = [0.0, 0.0, 1.0]
    table = pd.concat(
        [
            pd.DataFrame(three | {"rho": 0.01, "main1": main, "pure": [1.0, -1.0, 0.0]}),
            pd.DataFrame(three | {"rho": 0.99, "main1": main, "pure": 0.0}),
        ]
    )
    found = purification.pure_share_lost(table, low=0.01, high=0.99)
    assert found == Estimate(pytest.approx(2 / 3), 0.0)


def test_the_gap_of_a_scheme_is_the_mean_over_repeats() -> None:
    cube = pd.DataFrame(
        {
            "part": "cube",
            "scheme": ["purify", "purify", "as released"],
            "repeat": [0, 1, 0],
            "gap": [0.1, 0.3, 0.9],
        }
    )
    found = purification.purify_gap(cube, scheme="purify")
    assert found == Estimate(pytest.approx(0.2), pytest.approx(0.1), 2)
    assert purification.purify_gap(cube, scheme="as released") == Estimate(0.9, 0.0)
