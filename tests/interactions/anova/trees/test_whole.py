"""order_spectrum reads the trees of a model where they are all of what is measured, and says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
)

from interactions import Empirical, Marginals, Uniform, order_spectrum
from interactions.anova import tree_spectrum

DIM = 6
INPUTS = Uniform(-1.0, 1.0, dim=DIM)
X = np.random.default_rng(0).uniform(-1, 1, (400, DIM))
Y = X[:, 0] * X[:, 1] + X[:, 2]
FRAME = pd.DataFrame(X, columns=list("abcdef"))
REASON = "trees, which are all of it, were read"


def booster(x: object = X) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(max_iter=10, max_depth=3).fit(x, Y)


@pytest.mark.parametrize("model", [booster(), RandomForestClassifier(5, max_depth=3).fit(X, Y > 0)])
def test_a_models_trees_are_read_and_agree_with_sampling(model: object) -> None:
    read = order_spectrum(model, INPUTS)
    assert REASON in read.reason
    assert read.share_standard_error.max() < 1e-10
    sampled = order_spectrum(model, INPUTS, method="differences", tolerance=0.02, seed=1)
    # What no point showed anything of has no error of its own.
    error = np.nan_to_num(sampled.share_standard_error, nan=0.01)
    assert (np.abs(read.share - sampled.share) < 4 * error).all()


def test_a_link_after_the_trees_is_part_of_the_function_and_they_are_not_read() -> None:
    model = GradientBoostingClassifier(n_estimators=5, max_depth=2).fit(X, Y > 0)
    of_probability = order_spectrum(model, INPUTS, tolerance=0.1)
    assert REASON not in of_probability.reason
    assert not np.allclose(of_probability.share, tree_spectrum(model, INPUTS).share, atol=1e-6)


def test_columns_are_found_by_name_or_the_trees_are_not_read() -> None:
    model = booster(FRAME)
    inputs = {name: stats.uniform(-1, 2) for name in "abcdef"}
    inputs["c"] = stats.uniform(-0.5, 1)
    straight = order_spectrum(model, Marginals(inputs))
    assert REASON in straight.reason
    turned = order_spectrum(model, Marginals(dict(reversed(inputs.items()))), tolerance=0.02)
    assert REASON not in turned.reason
    assert np.abs(straight.share - turned.share).max() < 0.1


def test_groups_and_codes_are_measured_as_what_the_model_is_given() -> None:
    grouped = order_spectrum(booster(), Empirical(X[:50], groups={"pair": [0, 1]}), tolerance=0.1)
    assert REASON not in grouped.reason


def test_the_method_asked_for_is_the_one_taken() -> None:
    found = order_spectrum(booster(), INPUTS, method="differences", tolerance=0.1)
    assert "differences" in found.method
