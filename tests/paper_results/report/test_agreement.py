"""Agreement by number: which published points lie within three of our standard errors."""

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
        # Within the reading error; within three errors; 0.2 too high.
        "value": [1.0005, 0.53, 0.4],
        "standard_error": [0.0, 0.01, 0.01],
    }
)


def test_agreement_counts_points_within_three_errors_and_names_the_largest_gap() -> None:
    found = agreement(PUBLISHED, OURS, ["rate"])
    assert (found.published, found.compared, found.inside) == (4, 3, 2)
    assert found.share_inside == pytest.approx(2 / 3)
    assert found.largest_gap == pytest.approx(0.2)
    assert found.value_there == 0.2
    assert found.where == "rate 0.5"


def test_what_is_read_exactly_agrees_with_itself_and_with_nothing_else() -> None:
    same = PUBLISHED.assign(standard_error=0.0).drop(columns="reading")
    assert agreement(PUBLISHED, same, ["rate"]).share_inside == 1
    apart = same.assign(value=same["value"] - 0.01)
    assert agreement(PUBLISHED, apart, ["rate"]).share_inside == 0
    assert agreement(PUBLISHED, apart, ["rate"]).largest_gap == pytest.approx(-0.01)


def test_one_run_has_no_error_to_hide_behind() -> None:
    found = agreement(PUBLISHED, OURS.assign(standard_error=math.nan), ["rate"])
    assert found.inside == 1


def test_nothing_in_common_has_no_share_and_no_gap() -> None:
    found = agreement(PUBLISHED, OURS.assign(rate=0.9 + OURS["rate"]), ["rate"])
    assert (found.compared, found.share_inside, found.largest_gap) == (0, None, None)


def test_keys_that_name_two_points_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'ours' has more than one value at .*0\.25"):
        agreement(PUBLISHED, pd.concat([OURS, OURS[1:2]]), ["rate"])


@pytest.mark.parametrize("item", [i for i in items.ALL if i.published], ids=lambda i: i.name)
def test_every_items_published_points_have_keys_of_their_own(item: items.Item) -> None:
    points = item.published()
    assert len(points) >= 12
    assert (points["reading"] > 0).all()
    itself = points.drop(columns="reading").assign(standard_error=0.0)
    assert agreement(points, itself, KEYS).share_inside == 1


def test_all_twelve_items_are_there() -> None:
    names = [f"Fig {k}" for k in range(1, 10)] + ["Fig A.1", "Fig C.1", "Table C.1"]
    assert [item.name for item in items.ALL] == names
