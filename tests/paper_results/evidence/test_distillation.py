"""Numbers of figure 4, on tables whose answer is worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from paper_results.evidence import distillation
from paper_results.evidence.estimates import Estimate


def test_trees_overstate_by_their_share_minus_the_unbiased_one() -> None:
    """.5 - .2 and .6 - .4, at the end of training."""
    cell = {"placement": "none", "rate": 0.0, "width": 32}
    table = pd.DataFrame(
        [
            cell | {"repeat": i, "measure": m, "order": order, "after": after, "share": share}
            for i, m, order, after, share in (
                (0, "released", "1", 300, 0.5),
                (0, "unbiased", "1", 300, 0.2),
                (1, "released", "1", 300, 0.6),
                (1, "unbiased", "1", 300, 0.4),
                (0, "released", "1", 100, 0.9),
                (0, "released", "2", 300, 0.9),
            )
        ]
    )
    found = distillation.trees_overstate(table, order=1)
    assert found == Estimate(pytest.approx(0.25), pytest.approx(0.05), 2)


def test_too_low_is_what_lower_orders_get_beyond_what_the_network_has_there() -> None:
    """.1 + .2 where the network has 0 + .1, and .3 + .2 where it has .1 + .1."""
    shares = {
        ("staged", 0): (0.1, 0.2, 0.7),
        ("staged", 1): (0.3, 0.2, 0.5),
        ("exact", 0): (0.0, 0.1, 0.9),
        ("exact", 1): (0.1, 0.1, 0.8),
    }
    cell = {"true_order": 3, "samples": 100}
    table = pd.DataFrame(
        [
            cell | {"measure": measure, "repeat": i, "order": k + 1, "share": share}
            for (measure, i), by_order in shares.items()
            for k, share in enumerate(by_order)
        ]
    )
    other = table.assign(samples=1000, share=0.0)
    found = distillation.given_too_low(
        pd.concat([table, other]), true_order=3, samples=100, measure="staged"
    )
    assert found == Estimate(pytest.approx(0.25), pytest.approx(0.05), 2)


FIG_4 = pd.DataFrame(
    {
        "n_distill_samples": [100, 100, 1000],
        "true_order": 3,
        "estimated_order": [2, 3, 3],
        "normalized_effect_mean": [0.3, 0.7, 0.5],
        "normalized_effect_spread": [0.6, 0.1, 0.5],
    }
)


def test_a_published_share_has_its_spread_over_the_root_of_runs_minus_one() -> None:
    found = distillation.published_given_to(FIG_4, true_order=3, samples=100, order=2, runs=10)
    assert found == Estimate(0.3, pytest.approx(0.2), 10)


def test_a_published_bar_is_over_the_largest_variance_of_a_share() -> None:
    """.5 over .5 (1 - .5)."""
    found = distillation.published_bar_over_largest_variance(FIG_4, true_order=3, samples=1000)
    assert found == Estimate(2.0, 0.0)


def test_fig_4_shows_staged_trees_alone() -> None:
    row = {"samples": 100, "true_order": 3, "order": 2, "repeat": [0, 1]}
    table = pd.concat(
        [
            pd.DataFrame(row | {"measure": "staged", "share": [0.2, 0.4]}),
            pd.DataFrame(row | {"measure": "exact", "share": [0.0, 0.0]}),
        ]
    )
    (point,) = distillation.fig_4_ours(table).to_dict("records")
    keys = [point[key] for key in ("quantity", "pane", "series", "x")]
    assert keys == ["share", "100 samples", "order 2", 3.0]
    assert point["value"] == pytest.approx(0.3)
    assert point["standard_error"] == pytest.approx(0.1)
