"""Rows, repeats, means and largest gaps, on tables small enough to work out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from paper_results.evidence.estimates import (
    Estimate,
    NotInTableError,
    by_repeat,
    largest_gap,
    mean_over_repeats,
    only,
    order_text,
    select,
)

TABLE = pd.DataFrame(
    {"rate": [0.0, 0.5, 0.5, 0.5], "repeat": [0, 0, 0, 1], "value": [1.0, 2.0, 4.0, 8.0]}
)


def test_rows_are_picked_by_value_or_by_any_of_several() -> None:
    assert select(TABLE, rate=0.5)["value"].tolist() == [2.0, 4.0, 8.0]
    assert select(TABLE, rate=0.5, repeat=1)["value"].tolist() == [8.0]
    assert select(TABLE, value=[1.0, 8.0])["rate"].tolist() == [0.0, 0.5]


def test_a_missing_column_or_value_is_named_or_leaves_nothing() -> None:
    with pytest.raises(NotInTableError, match="no column 'width'"):
        select(TABLE, width=32)
    with pytest.raises(NotInTableError, match=r"no rows with .*0\.25"):
        select(TABLE, rate=0.25)
    assert only(TABLE, width=32).empty
    assert only(TABLE, rate=0.25).empty


def test_a_repeats_rows_are_summed() -> None:
    assert by_repeat(TABLE, "value", rate=0.5).to_dict() == {0: 6.0, 1: 8.0}


def test_a_mean_has_the_error_of_its_repeats_and_leaves_out_what_is_not_known() -> None:
    # Deviations -3, -1, 4: variance 26 / 2, error sqrt(13 / 3).
    found = mean_over_repeats(pd.Series([0.0, 2.0, math.nan, 7.0]))
    assert found == Estimate(3.0, pytest.approx(math.sqrt(13 / 3)), 3)
    assert math.isnan(mean_over_repeats(pd.Series([1.0])).standard_error)
    with pytest.raises(NotInTableError, match="no repeat"):
        mean_over_repeats(pd.Series([math.nan]))


def test_the_largest_gap_is_largest_in_size() -> None:
    cells = pd.DataFrame(
        {"gap": [0.1, -0.3, 0.2], "standard_error": [0.01, 0.02, 0.03], "repeats": [5, 4, 3]}
    )
    assert largest_gap(cells) == Estimate(0.3, 0.02, 4)


@pytest.mark.parametrize(("repeats", "counted"), [(1, None), (2, 2)])
def test_the_error_of_a_cell_of_one_repeat_counts_as_known(repeats, counted) -> None:
    cells = pd.DataFrame({"gap": [-0.3], "standard_error": [0.02], "repeats": [repeats]})
    assert largest_gap(cells) == Estimate(0.3, 0.02, counted)


def test_orders_are_the_same_text_however_a_table_holds_them() -> None:
    assert order_text(pd.Series([1, 2])).tolist() == ["1", "2"]
    assert order_text(pd.Series([1.0, 2.0])).tolist() == ["1", "2"]
    assert order_text(pd.Series(["1", ">3"])).tolist() == ["1", ">3"]
    assert ("order " + order_text(pd.Series([], dtype=int))).empty
