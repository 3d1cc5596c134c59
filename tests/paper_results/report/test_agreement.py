"""How far published points lie from ours: largest gaps, as they are and in standard errors."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from paper_results.evidence import items
from paper_results.evidence.points import KEYS
from paper_results.report.agreement import agreement

PUBLISHED = pd.DataFrame(
    {"rate": [0.0, 0.25, 0.5, 0.75], "value": [1.0, 0.5, 0.2, 0.1], "reading": 1e-3}
)
OURS = pd.DataFrame(
    {
        "rate": [0.0, 0.25, 0.5],
        # Within the reading error; .03 too high; .2 too low.
        "value": [1.0005, 0.53, 0.0],
        "standard_error": [0.01, 0.001, 0.01],
    }
)


def test_the_largest_gap_and_the_most_errors_are_each_named_with_their_place() -> None:
    found = agreement(PUBLISHED, OURS, ["rate"])
    assert (found.published, found.compared) == (4, 3)
    assert found.median_gap == pytest.approx(0.03)
    assert found.largest.gap == pytest.approx(-0.2)
    assert (found.largest.of, found.largest.where) == (0.2, "rate 0.5")
    # Less the reading error: (.2 - .001) / .01, and (.03 - .001) / .001.
    assert found.largest.in_errors == pytest.approx(19.9)
    assert found.most_errors.where == "rate 0.25"
    assert found.most_errors.in_errors == pytest.approx(29)


def test_what_was_read_alike_is_no_error_apart() -> None:
    found = agreement(PUBLISHED, OURS[:1], ["rate"])
    assert found.largest.gap == pytest.approx(5e-4)
    assert found.largest.in_errors == 0


@pytest.mark.parametrize("error", [0.0, math.nan], ids=["exact", "one repeat"])
def test_a_gap_without_a_standard_error_is_not_counted_in_any(error) -> None:
    found = agreement(PUBLISHED, OURS.assign(standard_error=error), ["rate"])
    assert found.largest.gap == pytest.approx(-0.2)
    assert found.largest.in_errors is None
    assert found.most_errors is None


def test_a_point_without_an_error_hides_none_that_has_one() -> None:
    ours = OURS.assign(standard_error=[0.01, 0.001, math.nan])
    found = agreement(PUBLISHED, ours, ["rate"])
    assert found.largest.in_errors is None
    assert found.most_errors.where == "rate 0.25"


def test_nothing_in_common_has_no_gap() -> None:
    found = agreement(PUBLISHED, OURS.assign(rate=0.9 + OURS["rate"]), ["rate"])
    assert (found.compared, found.median_gap, found.largest, found.most_errors) == (0, *[None] * 3)


def test_keys_that_name_two_points_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'ours' has more than one value at .*0\.25"):
        agreement(PUBLISHED, pd.concat([OURS, OURS[1:2]]), ["rate"])


@pytest.mark.parametrize("item", [i for i in items.ALL if i.published], ids=lambda i: i.name)
def test_every_items_published_points_have_keys_of_their_own(item: items.Item) -> None:
    points = item.published()
    assert len(points) >= 12
    assert (points["reading"] > 0).all()
    itself = points.drop(columns="reading").assign(standard_error=0.0)
    assert agreement(points, itself, KEYS).largest.gap == 0


def test_all_twelve_items_are_there() -> None:
    names = [f"Fig {k}" for k in range(1, 10)] + ["Fig A.1", "Fig C.1", "Table C.1"]
    assert [item.name for item in items.ALL] == names
