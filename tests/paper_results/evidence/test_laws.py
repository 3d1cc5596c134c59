"""Numbers of figures 1 to 3, on tables whose answer is worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from paper_results.evidence import laws
from paper_results.evidence.estimates import Estimate, NotInTableError


def test_survivors_are_counted_over_expected_up_to_an_order() -> None:
    """Ratios .9 and 1.1 in one repeat, 1.1 and 1.3 in the other: means 1 and 1.2."""
    table = pd.DataFrame(
        [
            {"repeat": repeat, "order": order, "law": law, "counted": counted}
            for repeat, order, law, counted in (
                (0, 1, 10.0, 9.0),
                (0, 2, 20.0, 22.0),
                (0, 5, 30.0, 90.0),
                (1, 1, 10.0, 11.0),
                (1, 2, 20.0, 26.0),
                (1, 2, 20.0, math.nan),
            )
        ]
    )
    found = laws.survivors_over_expected(table, largest_order=4)
    assert found == Estimate(pytest.approx(1.1), pytest.approx(0.1), 2)
    with pytest.raises(NotInTableError, match="no masks"):
        laws.survivors_over_expected(table.assign(counted=math.nan), largest_order=4)


def test_the_gap_to_the_law_is_the_largest_of_all_cells() -> None:
    """Gaps of 0 and .02 at order 1, of -.15 and -.05 at order 2."""
    row = {"part": "laws", "sense": "masked", "quantity": "q", "repeat": [0, 1], "rate": 0.5}
    table = pd.concat(
        [
            pd.DataFrame(row | {"order": k, "survival": 0.5**k, "measured": measured})
            for k, measured in ((1, [0.5, 0.52]), (2, [0.1, 0.2]))
        ]
    )
    found = laws.gap_to_survival(table, sense="masked", quantity="q")
    assert found == Estimate(pytest.approx(0.1), pytest.approx(0.05), 2)


STEP = {"placement": "input", "model": "products", "kind": "classic", "optimizer": "sgd"}


def steps(*cells: tuple[int, float, list[float]]) -> pd.DataFrame:
    """First steps of starts: order, rate, how far each start moved; the error over masks is .02."""
    row = STEP | {"part": "start", "standard_error": 0.02}
    return pd.DataFrame(
        [
            row | {"order": order, "rate": rate, "repeat": i, "moved": moved}
            for order, rate, moves in cells
            for i, moved in enumerate(moves)
        ]
    )


def test_the_gap_of_a_first_step_has_its_error_over_starts() -> None:
    """At order 2 and r = .5 the law is .25: gaps of -.2 and -.1."""
    table = steps((1, 0.5, [0.5, 0.5]), (2, 0.5, [0.05, 0.15]))
    found = laws.step_gap_to_survival(table, **STEP)
    assert found == Estimate(pytest.approx(0.15), pytest.approx(0.05), 2)


def test_the_gap_of_a_single_start_has_the_error_over_its_masks() -> None:
    found = laws.step_gap_to_survival(steps((1, 0.25, [0.9])), **STEP)
    assert found == Estimate(pytest.approx(0.15), 0.02, None)


def test_a_step_loses_with_order_what_it_moves_of_the_low_one_beyond_the_high_one() -> None:
    """.9 - .1 and .7 - .1 at r = .5, start by start."""
    table = steps((1, 0.5, [0.9, 0.7]), (4, 0.5, [0.1, 0.1]), (1, 0.25, [1.0, 1.0]))
    table = pd.concat([table, table.assign(kind="inverted", moved=1.0)])
    found = laws.step_lost_with_order(table, **STEP, rate=0.5, low=1, high=4)
    assert found == Estimate(pytest.approx(0.7), pytest.approx(0.1), 2)


def test_a_leftover_weighs_points_by_count_and_is_over_the_value_at_zero() -> None:
    """Means (1 + 3·3) / 4 = 2.5 and 1, over -½."""
    cell = {"target": "t", "rate": 0.5}
    table = pd.DataFrame(
        [
            cell | {"repeat": repeat, "count": count, "mean": mean}
            for repeat, count, mean in ((0, 1, 1.0), (0, 3, 3.0), (1, 1, 1.0), (1, 3, 1.0))
        ]
    )
    found = laws.leftover(table, target="t", rate=0.5, at_zero=-0.5)
    assert found == Estimate(pytest.approx(-3.5), pytest.approx(1.5), 2)


def test_fig_1s_curve_is_over_the_one_without_dropout_at_the_largest_x() -> None:
    table = pd.DataFrame(
        [
            {"order": order, "dropout_rate": rate, "x": x, "conditional_mean": mean}
            for order, rate, x, mean in (
                (4, 0.0, 0.5, 0.2),
                (4, 0.5, 0.5, 0.2),
                (4, 0.0, 1.0, 0.8),
                (4, 0.5, 1.0, 0.1),
                (1, 0.0, 1.0, 1.0),
                (1, 0.5, 1.0, 0.5),
            )
        ]
    )
    assert laws.published_curve_ratio(table, order=4, rate=0.5) == Estimate(0.125, 0.0)


NORMS = pd.DataFrame(
    {
        "order": [1, 2, 1, 2],
        "dropout_rate": [0.5, 0.5, 0.25, 0.25],
        "median_relative_update_norm": [0.25, 0.75, 0.9, 0.8],
    }
)


def test_fig_2s_median_is_over_the_law() -> None:
    found = laws.published_norm_over_survival(NORMS, order=2, rate=0.5)
    assert found == Estimate(pytest.approx(3.0), 0.0)


def test_fig_2_rises_where_the_higher_order_has_the_larger_median() -> None:
    assert laws.published_norm_rise(NORMS, rate=0.5, low=1, high=2) == Estimate(0.5, 0.0)


def test_fig_1_shows_the_copied_grid_from_zero_up() -> None:
    row = {"order": 1, "rate": 0.5}
    table = pd.DataFrame(
        [
            row | {"target": target, "x": x, "mean": mean, "repeat": repeat}
            for target, x, mean, repeat in (
                ("one input, copied", -0.5, 9.0, 0),
                ("one input, copied", -1e-17, 0.1, 0),
                ("one input, copied", -1e-17, 0.3, 1),
                ("independent inputs", 0.5, 9.0, 0),
            )
        ]
    )
    (point,) = laws.fig_1_ours(table).to_dict("records")
    assert (point["pane"], point["series"], point["x"]) == ("order 1", "r = 0.5", 0.0)
    assert point["value"] == pytest.approx(0.2)
    assert point["standard_error"] == pytest.approx(0.1)


def test_fig_2_shows_medians_over_starts_and_how_far_one_more_data_set_may_be() -> None:
    norms = {0: [1.0, 2.0, 6.0], 1: [4.0, 3.0, 9.0]}
    table = pd.DataFrame(
        [
            {"part": "norm", "order": 1, "rate": 0.5, "data_set": data_set, "norm": norm}
            for data_set, of_starts in norms.items()
            for norm in of_starts
        ]
    )
    (point,) = laws.fig_2_ours(table).to_dict("records")
    assert point["value"] == 3.0
    # Medians 2 and 4: a variance of 2 between data sets, and a half of it of their mean.
    assert point["standard_error"] == pytest.approx(3**0.5)


def test_fig_3_shows_counts_or_the_closed_form_where_nothing_was_counted() -> None:
    row = {"rate": 0.5, "law": 4.0}
    table = pd.DataFrame(
        [
            row | {"order": 1, "repeat": 0, "counted": 3.0},
            row | {"order": 1, "repeat": 1, "counted": 4.0},
            row | {"order": 25, "repeat": 0, "counted": 9.0},
        ]
    )
    (counted,) = laws.fig_3_ours(table).to_dict("records")
    assert (counted["value"], counted["standard_error"]) == (3.5, 0.5)
    (law,) = laws.fig_3_ours(table.assign(counted=math.nan)).to_dict("records")
    assert (law["value"], law["standard_error"]) == (4.0, 0.0)
