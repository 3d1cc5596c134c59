"""Numbers of figure 6, on tables whose answer is worked out by hand."""

from __future__ import annotations

import math

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


TEST = {0.0: [[3.0, 1.0, 5.0], [3.0, 2.0, 5.0]], 0.25: [[2.0, 2.5, 9.0], [2.5, 3.5, 9.0]]}
TEST |= {0.5: [[9.0, 9.0, 9.0], [9.0, 9.0, 9.0]]}
BOTH = {"placement": "both"}


def watched(test: dict[float, list[list[float]]], held_out: list[float]) -> pd.DataFrame:
    """Test errors by epoch, and errors on held-out hours that are the same for all networks."""
    others = {rate: [held_out] * len(repeats) for rate, repeats in test.items()}
    return pd.concat([looks(test), looks(others, "validation_mse")])


def test_the_best_positive_rate_is_compared_where_held_out_hours_stop_each_network() -> None:
    """After the second epoch 2.5 - 1 and 3.5 - 2; after the first 2 - 3 and 2.5 - 3."""
    second = bike.error_gained_by_dropout(watched(TEST, [1.0, 0.0, 1.0]), **BOTH)
    assert second == Estimate(1.5, 0.0, 2)
    first = bike.error_gained_by_dropout(watched(TEST, [0.0, 1.0, 1.0]), **BOTH)
    assert first == Estimate(-0.75, pytest.approx(0.25), 2)


def test_training_that_was_cut_short_decides_nothing() -> None:
    """The held-out error falls until the last epoch: it did not stop the networks.

    Where it falls by .1 and .0, an error of .05 with the same error, it may as well have ended.
    """
    with pytest.raises(NotInTableError, match="still falls at epoch 2, the last"):
        bike.error_gained_by_dropout(watched(TEST, [2.0, 1.0, 0.0]), **BOTH)
    flat = watched(TEST, [2.0, 1.0, 1.0])
    flat["value"] -= 0.1 * (
        (flat["quantity"] == "validation_mse") & (flat["epoch"] == 2) & (flat["repeat"] == 0)
    )
    # One repeat is stopped at the last look, at 9 - 5, the other at 3.5 - 2.
    assert bike.error_gained_by_dropout(flat, **BOTH).value == 2.75
    # Of a rate that is not the best it does not matter.
    table = watched(TEST, [1.0, 0.0, 1.0])
    worst = (table["rate"] == 0.5) & (table["quantity"] == "validation_mse")
    table["value"] = table["value"].mask(worst & (table["epoch"] == 2), -1.0)
    assert bike.error_gained_by_dropout(table, **BOTH).value == 1.5
    with pytest.raises(NotInTableError, match="held-out hours"):
        bike.error_gained_by_dropout(looks(TEST), **BOTH)


def test_placements_are_judged_one_by_one() -> None:
    table = watched(TEST, [1.0, 0.0, 1.0])
    hidden = table[table["rate"] == 0.25].assign(placement="hidden")
    hidden["value"] = hidden["value"].mask(hidden["quantity"] == "test_mse", 0.5)
    table = pd.concat([table, hidden])
    assert bike.error_gained_by_dropout(table, **BOTH).value == 1.5
    assert bike.error_gained_by_dropout(table, placement="hidden").value == -1.0


def test_the_best_rate_of_a_repeat_is_chosen_by_the_others() -> None:
    """Each rate is good in one repeat by luck: choosing by it would make dropout look harmless."""
    luck = {0.0: [[1.0, 9.0]] * 2, 0.25: [[1.0, 9.0], [3.0, 9.0]], 0.5: [[3.0, 9.0], [1.0, 9.0]]}
    table = watched(luck, [0.0, 1.0])
    assert bike.error_gained_by_dropout(table, **BOTH) == Estimate(2.0, 0.0, 2)
    with pytest.raises(NotInTableError, match="two repeats"):
        bike.error_gained_by_dropout(table[table["repeat"] == 0], **BOTH)


def test_selectivity_is_read_at_half_of_the_variance_after_all_training() -> None:
    """-.2 and -.4; a repeat whose path does not get there has none."""
    row = {"quantity": "selectivity", "target": "bike", "regularizer": "input dropout"}
    table = pd.DataFrame(
        [
            row | {"where": where, "steps": steps, "repeat": i, "value": value}
            for where, steps, values in (
                ("half", 300, (9.0, 9.0, 9.0)),
                ("quarter", 2000, (9.0, 9.0, 9.0)),
                ("half", 2000, (-0.2, -0.4, math.nan)),
            )
            for i, value in enumerate(values)
        ]
    )
    others = table.assign(value=9.0)
    table = pd.concat([table, others.assign(target="noise"), others.assign(regularizer="L1")])
    found = bike.selectivity_of(table, target="bike", regularizer="input dropout")
    assert found == Estimate(pytest.approx(-0.3), pytest.approx(0.1), 2)


def test_a_published_error_is_over_that_of_the_mean_of_training_hours() -> None:
    """Spread .8 of five runs: an error of .4, over 2 on test and 4 on training hours."""
    fig6 = pd.DataFrame(
        {
            "quantity": ["test_mse", "test_mse", "train_mse"],
            "dropout_rate": 0.5,
            "epoch": [0, 475, 475],
            "mean": [9.0, 3.0, 5.0],
            "spread": 0.8,
        }
    )
    ours = looks({0.0: [[9.0]]}).assign(constant=2.0)
    ours = pd.concat([ours, looks({0.0: [[9.0]]}, "train_mse").assign(constant=4.0)])
    found = [
        bike.published_error_over_constant(fig6, ours, quantity=q, rate=0.5, runs=5)
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
