"""Numbers of figure 6, on tables whose answer is worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from paper_results.evidence import bike
from paper_results.evidence.estimates import Estimate, NotInTableError


def looks(errors: dict[float, list[list[float]]], quantity: str = "test_mse") -> pd.DataFrame:
    """Errors by rate, repeat and epoch."""
    return pd.DataFrame(
        [
            {
                "placement": "both" if rate else "none",
                "rate": rate,
                "repeat": i,
                "epoch": epoch,
                "quantity": quantity,
                "value": value,
            }
            for rate, repeats in errors.items()
            for i, values in enumerate(repeats)
            for epoch, value in enumerate(values)
        ]
    )


TEST = {0.0: [[3.0, 1.0], [3.0, 2.0]], 0.25: [[2.0, 2.5], [2.5, 3.5]], 0.5: [[9, 9], [9, 9]]}


def test_the_best_positive_rate_is_compared_at_each_networks_best_epoch() -> None:
    """2 - 1 and 2.5 - 2."""
    assert bike.error_gained_by_dropout(looks(TEST)) == Estimate(0.75, pytest.approx(0.25), 2)


def test_held_out_hours_choose_the_epoch_where_there_are_any() -> None:
    """They choose the first epoch of every network: 2 - 3 and 2.5 - 3."""
    held_out = {rate: [[0.0, 1.0], [0.0, 1.0]] for rate in TEST}
    table = pd.concat([looks(TEST), looks(held_out, "validation_mse")])
    assert bike.error_gained_by_dropout(table) == Estimate(-0.75, pytest.approx(0.25), 2)


def test_the_best_rate_of_a_repeat_is_chosen_by_the_others() -> None:
    """Each rate is good in one repeat by luck: choosing by it would make dropout look harmless."""
    table = looks({0.0: [[1.0], [1.0]], 0.25: [[1.0], [3.0]], 0.5: [[3.0], [1.0]]})
    assert bike.error_gained_by_dropout(table) == Estimate(2.0, 0.0, 2)
    with pytest.raises(NotInTableError, match="two repeats"):
        bike.error_gained_by_dropout(table[table["repeat"] == 0])


def test_a_published_error_is_over_the_targets_variance_at_the_last_epoch() -> None:
    """Spread .8 of five runs: an error of .4, over 2 or 4."""
    fig6 = pd.DataFrame(
        {
            "quantity": ["test_mse", "test_mse", "train_mse"],
            "dropout_rate": 0.5,
            "epoch": [0, 475, 475],
            "mean": [9.0, 3.0, 5.0],
            "spread": 0.8,
        }
    )
    baseline = pd.DataFrame({"train_value": [1.0, 4.0], "test_value": [1.0, 2.0]})
    found = [
        bike.published_error_over_constant(fig6, baseline, quantity=q, rate=0.5, runs=5)
        for q in ("test_mse", "train_mse")
    ]
    assert found[0] == Estimate(1.5, pytest.approx(0.2), 5)
    assert found[1] == Estimate(1.25, pytest.approx(0.1), 5)


def test_fig_6_shows_errors_and_trees_shares_with_dropout_on_all_layers() -> None:
    row = {"rate": 0.5, "epoch": 5, "repeat": 0}
    table = pd.DataFrame(
        [
            row | {"placement": place, "quantity": quantity, "order": order, "value": value}
            for place, quantity, order, value in (
                ("both", "test_mse", None, 0.3),
                ("both", "tree_share", 2.0, 0.4),
                ("both", "share", 2.0, 9.0),
                ("inputs", "test_mse", None, 9.0),
            )
        ]
    )
    points = bike.fig_6_ours(table)
    assert points["pane"].tolist() == ["test error", "share, order 2"]
    assert points["quantity"].tolist() == ["error", "share"]
    assert points["value"].tolist() == [0.3, 0.4]
