"""Means of dropped-out effects: the published curves, the law, and what is left over."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest

from experiments.questions import conditional_mean
from experiments.running.context import Context
from figures.conditional_mean import BOWL, ONE_GRID
from paper_results import published

CONTEXT = Context(quiet=True)


def test_released_conditional_means_are_the_published_curves_and_the_law() -> None:
    """Fig 1: within .006 of what was published, and four standard errors of (1-r)^k x^k."""
    settings = replace(conditional_mean.PRESETS["released", "quick"], repeats=4)
    table = conditional_mean.run(settings, CONTEXT)
    read = published("fig1").round({"x": 6}).set_index(["order", "dropout_rate", "x"])
    mean = table.round({"x": 6}).groupby(["order", "rate", "x"])["mean"].mean()
    gap = (mean[read.index] - read["conditional_mean"]).abs()
    assert len(gap) == 160
    assert gap.max() <= 0.006
    rows = conditional_mean.summary(table)
    assert (rows["gap_in_errors"] <= 4).all()
    (last,) = rows[(rows["order"] == 4) & (rows["rate"] == 0.5)].itertuples()
    # The paper's text says 12.5% here.
    assert last.slope == pytest.approx(0.0625, abs=4 * last.slope_error)
    assert last.slope_error < 0.002


def test_a_dropped_input_leaves_what_the_effect_is_at_zero() -> None:
    settings = conditional_mean.Settings(repeats=4, points=100_000, shared=False)
    rows = conditional_mean.summary(conditional_mean.run(settings, CONTEXT))
    assert (rows["gap_in_errors"].dropna() <= 4.5).all()
    bowl = rows["target"] == BOWL
    for row in rows[bowl].itertuples():
        assert row.leftover == pytest.approx(-row.rate / 3, abs=5e-3)
    assert rows[~bowl]["leftover"].abs().max() < 5e-3


def test_the_figure_knows_targets_by_the_names_of_the_question() -> None:
    assert (ONE_GRID, BOWL) == (conditional_mean.ONE_GRID, conditional_mean.BOWL)


def test_the_slope_of_the_means_is_weighted_by_points_and_freed_of_the_mean() -> None:
    """Values 0, 1, 3 with 1, 2, 1 points; means twice as large and 5 higher, law .5."""
    bins = pd.DataFrame({"count": [1, 2, 1], "whole": [0.0, 1.0, 3.0], "mean": [5.0, 7.0, 11.0]})
    found = conditional_mean._line(bins, 0.5)
    assert found["slope"] == pytest.approx(2.0)
    assert found["leftover"] == pytest.approx(7.5 - 0.5 * 1.25)
    bent = conditional_mean._line(bins.assign(mean=[0.0, 1.0, 1.0]), 0.5)
    # With weights 1/4, 1/2, 1/4: covariance .3125, variance 1.1875.
    assert bent["slope"] == pytest.approx(0.3125 / 1.1875)
