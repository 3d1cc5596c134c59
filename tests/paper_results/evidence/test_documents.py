"""Numbers of Table C.1 and of best rates, on tables whose answer is worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from experiments import discovery
from interactions import Uniform, order_spectrum
from paper_results.evidence import documents
from paper_results.evidence.estimates import Estimate, NotInTableError


def test_ties_are_the_rates_that_share_the_best_accuracy() -> None:
    table = pd.DataFrame(
        {"order": [2, 2, 2, 2, 3], "test_accuracy_mean": [0.5, 0.6, 0.6, 0.4, 0.9]}
    )
    assert documents.ties(table, order=2) == Estimate(2.0, 0.0)
    assert documents.ties(table, order=3) == Estimate(1.0, 0.0)


def test_a_class_of_two_high_columns_is_mostly_main_effects() -> None:
    """Of the variance p^2 (1 - p^2), order 2 has (p (1-p))^2: (1-p) / (1+p), order 1 the rest."""
    p = math.sqrt(0.3)
    pair = documents.planted_class_share(planted=2, order=2)
    main = documents.planted_class_share(planted=2, order=1)
    assert pair == Estimate(pytest.approx((1 - p) / (1 + p)), 0.0)
    assert main == Estimate(pytest.approx(2 * p / (1 + p)), 0.0)


def test_a_class_of_three_high_columns_has_the_measured_spectrum() -> None:
    """Against mixed differences of the class itself, over seeds."""
    threshold = discovery.load("newsgroups").THRESHOLDS["even"](3)
    measured = [
        order_spectrum(
            lambda x: (x > threshold).all(dim=1).double(),
            Uniform(0.0, 1.0, dim=3),
            max_order=3,
            method="differences",
            seed=seed,
        ).share[:3]
        for seed in range(12)
    ]
    shares = [documents.planted_class_share(planted=3, order=k).value for k in (1, 2, 3)]
    assert sum(shares) == pytest.approx(1)
    errors = np.std(measured, axis=0, ddof=1) / math.sqrt(len(measured))
    assert (np.abs(np.mean(measured, axis=0) - shares) <= 4.5 * errors).all()
    assert (errors <= 0.01).all()


def scores(best: dict[int, list[float]], **cell: object) -> pd.DataFrame:
    """Errors that are least, and accuracies that are largest, at the best rate of each repeat."""
    return pd.DataFrame(
        [
            {"order": k, "rate": r, "repeat": i, "error": abs(r - b), "accuracy": 1 - abs(r - b)}
            for k, rates in best.items()
            for i, b in enumerate(rates)
            for r in (0.0, 0.125, 0.25, 0.5)
        ]
    ).assign(**cell)


@pytest.mark.parametrize(("score", "best"), [("error", "min"), ("accuracy", "max")])
def test_best_rate_lost_is_the_low_orders_minus_the_high_ones(score: str, best: str) -> None:
    """.5 - .25 and .25 - .25; the widest step of the grid is .25, over two repeats."""
    table = scores({1: [0.5, 0.25], 3: [0.25, 0.25]})
    found = documents.best_rate_lost(table, low=1, high=3, score=score, best=best)
    assert found == Estimate(0.125, pytest.approx(math.hypot(0.125, 0.25 / math.sqrt(12))), 2)


def test_a_best_rate_that_never_varies_is_known_to_its_grid_only() -> None:
    table = scores({1: [0.5] * 6, 3: [0.25] * 6})
    found = documents.best_rate_lost(table, low=1, high=3, score="accuracy", best="max")
    assert found == Estimate(0.25, pytest.approx(0.25 / 6), 6)


def test_best_rates_are_compared_at_one_noise_and_placement_after_all_training() -> None:
    falls, stays = {1: [0.5] * 2, 3: [0.25] * 2}, {1: [0.5] * 2, 3: [0.5] * 2}
    rises = {1: [0.0] * 2, 3: [0.5] * 2}
    table = pd.concat(
        [
            scores(falls, noise=1.0, placement="input", steps=20),
            scores(stays, noise=2.0, placement="input", steps=20),
            scores(stays, noise=1.0, placement="both", steps=20),
            scores(rises, noise=1.0, placement="input", steps=10),
        ]
    )
    wanted = {"low": 1, "high": 3, "score": "error", "best": "min"}
    lost = [
        documents.best_rate_lost(table, **wanted, noise=noise, placement=placement).value
        for noise, placement in ((1.0, "input"), (2.0, "input"), (1.0, "both"))
    ]
    assert lost == [0.25, 0.0, 0.0]


MEANS = {"low": 1, "high": 3, "score": "accuracy", "best": "max"}


def curves(of: dict[int, list[dict[float, float]]]) -> pd.DataFrame:
    """Accuracies by order, repeat and rate."""
    return pd.DataFrame(
        [
            {"order": k, "repeat": i, "rate": rate, "accuracy": value}
            for k, repeats in of.items()
            for i, curve in enumerate(repeats)
            for rate, value in curve.items()
        ]
    )


def test_the_best_rate_of_a_mean_curve_is_not_the_mean_of_best_rates() -> None:
    """Order 1 is best at .5 in two runs of three, by little; the mean curve's best is .25.

    Drawn with replacement, the run that decides is missing with probability (2/3)^3; then .5 is
    best. Best rates so scatter by p (1-p) of .25^2, times 3/2, for order 1 alone.
    """
    little = {0.0: 0.0, 0.25: 0.50, 0.5: 0.51}
    much = {0.0: 0.0, 0.25: 0.60, 0.5: 0.0}
    flat = {0.0: 0.9, 0.25: 0.1, 0.5: 0.0}
    table = curves({1: [little, little, much], 3: [flat] * 3})
    found = documents.best_rate_of_means_lost(table, **MEANS)
    assert documents.best_rate_lost(table, **MEANS).value == pytest.approx(5 / 12)
    assert (found.value, found.repeats) == (0.25, 3)
    p = (2 / 3) ** 3
    error = math.sqrt(1.5 * p * (1 - p) * 0.25**2 + 2 * 0.25**2 / 12)
    assert found.standard_error == pytest.approx(error, rel=0.02)
    least = table.assign(accuracy=-table["accuracy"])
    assert documents.best_rate_of_means_lost(least, **(MEANS | {"best": "min"})) == found
    with pytest.raises(NotInTableError, match="two repeats"):
        documents.best_rate_of_means_lost(table[table["repeat"] == 0], **MEANS)


def test_table_c1_shows_mean_accuracies() -> None:
    table = pd.DataFrame({"order": 2, "rate": 0.25, "repeat": [0, 1], "accuracy": [0.4, 0.6]})
    (point,) = documents.table_c1_ours(table).to_dict("records")
    assert (point["series"], point["x"]) == ("order 2", 0.25)
    assert (point["value"], point["standard_error"]) == (0.5, pytest.approx(0.1))
