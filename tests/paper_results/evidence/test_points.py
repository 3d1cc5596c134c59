"""Points in common columns: keys that meet, means with their errors."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from paper_results.evidence.points import KEYS, as_points, averaged, order_label, rate_label


def three_repeats() -> pd.DataFrame:
    table = pd.DataFrame({"x": [0.1, 0.1 + 1e-9, 0.1], "value": [1.0, 2.0, 6.0]})
    return as_points(
        table,
        quantity="share",
        pane="a",
        series=pd.Series(["r = 0"] * 3),
        x=table["x"],
        value=table["value"],
    )


def test_a_mean_has_the_standard_error_over_repeats() -> None:
    """Deviations -2, -1, 3: variance 14 / 2, error sqrt(7 / 3)."""
    (point,) = averaged(three_repeats()).to_dict("records")
    assert [point[key] for key in KEYS] == ["share", "a", "r = 0", 0.1]
    assert point["value"] == 3.0
    assert point["standard_error"] == pytest.approx(math.sqrt(7 / 3))


def test_one_repeat_has_no_known_error() -> None:
    assert averaged(three_repeats().iloc[:1])["standard_error"].isna().all()


def test_points_of_other_keys_stay_apart() -> None:
    points = three_repeats().assign(series=["r = 0", "r = 0", "r = 0.5"])
    assert averaged(points)["value"].tolist() == [1.5, 6.0]


def test_labels_end_in_the_number() -> None:
    assert rate_label(pd.Series([0.0, 0.25])).tolist() == ["r = 0", "r = 0.25"]
    assert order_label(pd.Series(["1", ">3", "4+"])).tolist() == ["order 1", "order 4+", "order 4+"]
