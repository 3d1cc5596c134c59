"""Numbers of figure 7, on tables whose answer is worked out by hand."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from paper_results.evidence import learning
from paper_results.evidence.estimates import Estimate


def amplitudes(target: str, cells: dict[tuple[str, float, int], dict[int, float]]) -> pd.DataFrame:
    """What networks hold of an effect, by order, rate and repeat, at epochs."""
    row = {"target": target, "quantity": "amplitude"}
    return pd.DataFrame(
        [
            row | {"order": order, "rate": rate, "repeat": i, "epoch": epoch, "value": value}
            for (order, rate, i), looks in cells.items()
            for epoch, value in looks.items()
        ]
    )


def test_a_high_order_is_slowed_more_by_the_log_of_its_delay_over_a_low_ones() -> None:
    """Half is held after half the epochs: delays of 8 and 4 at order 3, of 2 and 2 at order 1."""
    last = {
        ("1", 0.0): (4, 4),
        ("1", 0.25): (8, 8),
        ("3", 0.0): (4, 4),
        ("3", 0.25): (32, 16),
    }
    table = amplitudes(
        "mixture",
        {
            (order, rate, i): {0: 0.0, epochs[i]: 1.0}
            for (order, rate), epochs in last.items()
            for i in range(2)
        },
    )
    found = learning.slowed_more(table, target="mixture", rate=0.25, high=3, low=1)
    assert found.value == pytest.approx(1.5 * math.log(2))
    assert found.standard_error == pytest.approx(0.5 * math.log(2))
    assert found.repeats == 2


def test_kept_later_more_compares_the_rise_of_what_is_left_between_orders() -> None:
    """Half is held at epoch 1 without dropout. Order 3 rises by 4 and 2, order 1 by 2 and 2."""
    plain = {0: 0.0, 1: 0.5, 2: 1.0}
    table = amplitudes(
        "mixture",
        {(order, 0.0, i): plain for order in ("1", "3") for i in range(2)}
        | {
            ("3", 0.25, 0): {0: 0.0, 1: 0.05, 2: 0.4},
            ("3", 0.25, 1): {0: 0.0, 1: 0.1, 2: 0.4},
            ("1", 0.25, 0): {0: 0.0, 1: 0.2, 2: 0.8},
            ("1", 0.25, 1): {0: 0.0, 1: 0.2, 2: 0.8},
        },
    )
    found = learning.kept_later_more(table, target="mixture", rate=0.25, high=3, low=1)
    assert found.value == pytest.approx(0.5 * math.log(2))
    assert found.standard_error == pytest.approx(0.5 * math.log(2))
    # Dropout that only delays all orders alike does not pass for one that acts on high orders.
    alike = learning.kept_later_more(table, target="mixture", rate=0.25, high=1, low=1)
    assert alike == Estimate(0.0, 0.0, 2)


def test_the_generators_of_fig_7_are_of_lower_order_than_they_look() -> None:
    mean_cosine, mean_square = math.sin(1), 0.5 + math.sin(2) / 4
    expected = mean_cosine**2 / mean_square
    pair = learning.generators_share(generator=2, order=1)
    three = learning.generators_share(generator=3, order=2)
    assert pair == Estimate(pytest.approx(expected), 0.0)
    assert three == Estimate(pytest.approx(expected), 0.0)
    assert learning.generators_share(generator=2, order=2).value == pytest.approx(1 - expected)


def test_fig_7_shows_trees_shares_by_the_generators_number() -> None:
    row = {"quantity": "tree_share", "rate": 0.25, "epoch": 5, "order": 2.0}
    table = pd.DataFrame(
        [
            row | {"target": "generator 2 on inputs 2, 3", "repeat": 0, "value": 0.2},
            row | {"target": "generator 2 on inputs 2, 3", "repeat": 1, "value": 0.4},
            row | {"target": "mixture", "repeat": 0, "value": 9.0},
        ]
    )
    (point,) = learning.fig_7_ours(table).to_dict("records")
    assert (point["pane"], point["series"]) == ("generator 2, order 2", "r = 0.25")
    assert point["value"] == pytest.approx(0.3)
