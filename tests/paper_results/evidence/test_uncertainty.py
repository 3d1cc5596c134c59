"""Numbers of figure 9, on tables whose answer is worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from paper_results.evidence import uncertainty
from paper_results.evidence.estimates import Estimate


def test_uncertainty_gained_is_that_of_the_high_order_minus_that_of_the_low_one() -> None:
    """.3 - .1 and .5 - .1, each order after its own last step."""
    cell = {"label": "sign", "regime": "dropout", "quantity": "uncertainty"}
    table = pd.DataFrame(
        [
            cell | {"order": order, "steps": steps, "repeat": i, "value": value}
            for order, steps, values in (
                (4, 10, (0.9, 0.9)),
                (4, 20, (0.3, 0.5)),
                (1, 15, (0.1, 0.1)),
            )
            for i, value in enumerate(values)
        ]
    )
    wanted = {"label": "sign", "regime": "dropout", "high": 4, "low": 1}
    found = uncertainty.uncertainty_gained(table, **wanted)
    assert found == Estimate(pytest.approx(0.3), pytest.approx(0.1), 2)


def test_what_dropout_gains_is_over_what_bootstrap_gains_on_the_same_labels() -> None:
    """.4 / .1 and .6 / .2; on other labels both gain .1."""
    table = pd.DataFrame(
        [
            {"label": label, "regime": regime, "order": order, "repeat": i, "value": value}
            for label, regime, order, values in (
                ("sign", "dropout", 1, (0.1, 0.1)),
                ("sign", "dropout", 4, (0.5, 0.7)),
                ("sign", "none", 1, (0.1, 0.1)),
                ("sign", "none", 4, (0.2, 0.3)),
                ("and", "dropout", 1, (0.1, 0.1)),
                ("and", "dropout", 4, (0.2, 0.2)),
                ("and", "none", 1, (0.0, 0.0)),
                ("and", "none", 4, (0.1, 0.1)),
            )
            for i, value in enumerate(values)
        ]
    ).assign(quantity="uncertainty", steps=20)
    found = uncertainty.uncertainty_gained_over_bootstrap(table, label="sign", high=4, low=1)
    assert found == Estimate(pytest.approx(3.5), pytest.approx(0.5), 2)
    other = uncertainty.uncertainty_gained_over_bootstrap(table, label="and", high=4, low=1)
    assert other == Estimate(pytest.approx(1.0), pytest.approx(0.0, abs=1e-12), 2)


def test_the_logged_error_of_dropout_is_over_that_without_by_bootstrap() -> None:
    """.4 / .1 and .9 / .3."""
    log = pd.DataFrame(
        [
            {"order": order, "bootstrap": i, "model": model, "test_mse": error}
            for order, i, model, error in (
                (4, 0, "dropout0.25", 0.4),
                (4, 0, "no_dropout", 0.1),
                (4, 1, "dropout0.25", 0.9),
                (4, 1, "no_dropout", 0.3),
                (1, 0, "dropout0.25", 9.0),
            )
        ]
    )
    found = uncertainty.dropout_error_over_none(log, order=4)
    assert found == Estimate(pytest.approx(3.5), pytest.approx(0.5), 2)


def test_fig_9_shows_each_networks_last_look() -> None:
    row = {"label": "and", "order": 2, "regime": "dropout", "x": 0.5}
    table = pd.DataFrame(
        [
            row | {"quantity": quantity, "repeat": i, "steps": steps, "value": value}
            for quantity, i, steps, value in (
                ("density of prediction", 0, 10, 9.0),
                ("density of prediction", 0, 20, 1.0),
                ("density of prediction", 1, 15, 3.0),
                ("published density of prediction", 0, 20, 9.0),
            )
        ]
    )
    (point,) = uncertainty.fig_9_ours(table).to_dict("records")
    assert (point["pane"], point["series"]) == ("prediction, dropout", "order 2")
    assert (point["value"], point["standard_error"]) == (2.0, 1.0)


def test_published_densities_are_interpolated_and_left_out_where_the_axis_cuts_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A curve from 0 to 4 on x = 0 to .4, cut between .2 and .4: read halfway and no further."""
    curve = pd.DataFrame(
        {
            "regime": "none",
            "quantity": "prediction_density",
            "order": 1,
            "x": [0.0, 0.2, 0.4],
            "density": [0.0, 4.0, 4.0],
            "height_fraction_of_axis": [0.0, 1.0, 1.0],
            "note": [None, "cut", "cut"],
        }
    )
    monkeypatch.setattr(uncertainty, "published", lambda name: curve)
    points = uncertainty.fig_9_published().set_index("x")
    assert points.loc[0.1, "value"] == pytest.approx(2.0)
    assert points.index.max() == 0.2
    assert points["reading"].unique() == pytest.approx(3e-4 * 4)
