"""Every library's trees against the library's own predictions on all values of a small grid."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from itertools import combinations, product
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from interactions import Empirical
from interactions.anova import tree_spectrum, understands

VALUES = (
    np.arange(5.0),
    np.array([-1.3, -0.4, 0.0, 0.3, 1.1, 2.5]),
    np.array([-0.9, 0.1, 0.2, 0.7]),
    # Not float32 numbers, and closer to one another than float32 can tell.
    np.array([0.1, 0.1 + 1e-10, 0.3, 0.5]),
)
"""Values of four inputs: the first are codes of categories, the second is at times missing."""
ROWS = np.stack([np.resize(values, 26) for values in VALUES], axis=1)
INPUTS = Empirical(ROWS)
ABSENT = 0.3


def training(missing: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(7)
    x = np.stack([rng.choice(values, 400) for values in VALUES], axis=1)
    x += np.array([0, 1, 0, 0]) * rng.normal(size=x.shape) * 0.05
    x[rng.random(400) < 0.2, 1] = 0.0
    # The last category is never seen in training, and so is unknown on the grid.
    x[x[:, 0] == 4, 0] = 2.0
    y = (x[:, 0] * 2 % 5) * x[:, 1] + 3 * (x[:, 2] > 0.15) * (x[:, 3] > 0.2) + (x[:, 1] == 0)
    if missing:
        lost = rng.random(400) < 0.25
        x[lost, 1] = np.nan
        y = y + 2 * lost * (x[:, 2] > 0.5)
    return x, y


def classes(y: np.ndarray, number: int) -> np.ndarray:
    return np.digitize(y, np.quantile(y, np.arange(1, number) / number))


def brute(predict: Callable, missing: float) -> np.ndarray:
    """Variance by order, 1 to 4, of what a library predicts on all values: [m, 4]."""
    values, weights = [], []
    for j in range(4):
        v, count = np.unique(ROWS[:, j], return_counts=True)
        lost = missing if j == 1 else 0.0
        values.append([*v, np.nan] if lost else v)
        weights.append(np.append(count / len(ROWS) * (1 - lost), [lost] if lost else []))
    table = np.asarray(predict(np.array(list(product(*values)))), dtype=np.float64)
    table = table.reshape(*map(len, values), -1)
    found = np.zeros((table.shape[-1], 4))
    for k in range(1, 5):
        for u in combinations(range(4), k):
            effect = table
            for j, w in enumerate(weights):
                mean = np.expand_dims(np.tensordot(w, effect, axes=(0, j)), j)
                effect = effect - mean if j in u else np.broadcast_to(mean, effect.shape)
            square = effect**2
            for w in weights:
                square = np.tensordot(w, square, axes=(0, 0))
            found[:, k - 1] += square
    return found


class Case(NamedTuple):
    """A fitted model, and its output as a sum of trees, in double precision."""

    model: object
    predict: Callable
    missing: bool = False


def xgboost_margin(booster: object) -> Callable:
    """Tree by tree: XGBoost adds up in float32, and each tree's own values are exact."""
    xgb = pytest.importorskip("xgboost")

    def predict(x: np.ndarray) -> np.ndarray:
        kinds = booster.feature_types
        points = xgb.DMatrix(x, feature_types=kinds, enable_categorical=True)
        steps = range(booster.num_boosted_rounds())
        return sum(
            booster.predict(points, output_margin=True, iteration_range=(i, i + 1)).astype(float)
            for i in steps
        )

    return predict


def xgboost_case(*, missing: bool, categories: bool, **options: object) -> Case:
    xgb = pytest.importorskip("xgboost")
    x, y = training(missing)
    if "num_class" in options:
        y = classes(y, options["num_class"])
    kinds = ["c" if categories else "q", "q", "q", "q"]
    data = xgb.DMatrix(x, y, feature_types=kinds, enable_categorical=True)
    options = {"nthread": 1, "max_depth": 3, "base_score": 0.0, "max_cat_to_onehot": 1} | options
    booster = xgb.train(options, data, 6)
    return Case(booster, xgboost_margin(booster), missing)


def lightgbm_case(*, missing: bool, categories: bool, **options: object) -> Case:
    lgb = pytest.importorskip("lightgbm")
    x, y = training(missing)
    if "num_class" in options:
        y = classes(y, options["num_class"])
    data = lgb.Dataset(x, y, categorical_feature=[0] if categories else [])
    few = {"min_data_in_leaf": 5, "min_data_per_group": 5, "cat_smooth": 1.0, "num_leaves": 6}
    booster = lgb.train({"verbose": -1, "num_threads": 1} | few | options, data, 6)
    raw = options.get("boosting") != "rf"
    return Case(booster, lambda x: booster.predict(x, raw_score=raw), missing)


def sklearn_case(model: object, *, number: int = 0, missing: bool = False) -> Case:
    x, y = training(missing)
    model.fit(x, classes(y, number) if number else y)
    two = number == 2
    if hasattr(model, "decision_function"):
        return Case(model, model.decision_function, missing)
    if number:
        return Case(model, lambda x: model.predict_proba(x)[:, int(two) :], missing)
    return Case(model, model.predict, missing)


def two_targets(model: object) -> Case:
    x, y = training()
    model.fit(x, np.stack([y, x[:, 1] * x[:, 2]], axis=1))
    return Case(model, model.predict)


def ebm_case(*, missing: bool, categories: bool, number: int = 0) -> Case:
    glassbox = pytest.importorskip("interpret.glassbox")
    x, y = training(missing)
    kind = glassbox.ExplainableBoostingClassifier if number else None
    model = (kind or glassbox.ExplainableBoostingRegressor)(
        feature_types=["nominal" if categories else "continuous", *["continuous"] * 3],
        interactions=0 if number > 2 else [(0, 1), (1, 2), (0, 1, 2)],
        max_rounds=20,
        max_interaction_bins=5,
        outer_bags=1,
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(x, classes(y, number) if number else y)
    return Case(model, model.decision_function if number else model.predict, missing)


def frame(x: np.ndarray) -> pd.DataFrame:
    """Named columns, the first of them categories that are whole numbers."""
    columns = pd.DataFrame(x, columns=list("abcd"))
    known = pd.CategoricalDtype(VALUES[0].astype(int))
    return columns.assign(a=columns["a"].astype(int).astype(known))


def wrapped_case(library: str, name: str, *, named: bool = True, **options: object) -> Case:
    """A library's scikit-learn wrapper, trained on a data frame or an array."""
    x, y = training(missing=True)
    shaped = frame if named else np.asarray
    if "Classifier" in name:
        y = classes(y, 2)
    model = getattr(pytest.importorskip(library), name)(**options)
    held_out = {}
    if "early_stopping_rounds" in options:
        held_out = {"eval_set": [(shaped(x[:50]), y[:50])], "verbose": False}
    model.fit(shaped(x), y, **held_out)
    if library == "xgboost":
        raw = {"output_margin": True}
    else:
        raw = {"raw_score": True} if library == "lightgbm" else {}
    return Case(model, lambda x: model.predict(shaped(x), **raw), True)


FOREST = {"n_estimators": 4, "max_depth": 4, "random_state": 0}
HISTOGRAM = {"max_iter": 5, "max_leaf_nodes": 6, "min_samples_leaf": 5}
CASES = {
    "xgboost": lambda: xgboost_case(missing=False, categories=False),
    "xgboost missing": lambda: xgboost_case(missing=True, categories=False),
    "xgboost categories": lambda: xgboost_case(missing=True, categories=True),
    "xgboost one category": lambda: xgboost_case(
        missing=True, categories=True, max_cat_to_onehot=9
    ),
    "xgboost classes": lambda: xgboost_case(
        missing=True, categories=True, objective="multi:softprob", num_class=3
    ),
    "xgboost dart": lambda: xgboost_case(
        missing=True, categories=False, booster="dart", rate_drop=0.5
    ),
    "lightgbm": lambda: lightgbm_case(missing=False, categories=False),
    "lightgbm missing": lambda: lightgbm_case(missing=True, categories=False),
    "lightgbm categories": lambda: lightgbm_case(missing=True, categories=True),
    "lightgbm zero missing": lambda: lightgbm_case(
        missing=True, categories=False, zero_as_missing=True
    ),
    "lightgbm no missing": lambda: lightgbm_case(missing=True, categories=False, use_missing=False),
    "lightgbm forest": lambda: lightgbm_case(
        missing=True, categories=True, boosting="rf", bagging_freq=1, bagging_fraction=0.7
    ),
    "lightgbm dart": lambda: lightgbm_case(missing=True, categories=True, boosting="dart"),
    "lightgbm classes": lambda: lightgbm_case(
        missing=True, categories=True, objective="multiclass", num_class=3
    ),
    "lightgbm wrapped": lambda: wrapped_case(
        "lightgbm", "LGBMClassifier", n_estimators=6, num_leaves=6, n_jobs=1, verbose=-1
    ),
    "tree": lambda: sklearn_case(DecisionTreeRegressor(max_depth=5)),
    "tree missing": lambda: sklearn_case(DecisionTreeRegressor(max_depth=5), missing=True),
    "tree two targets": lambda: two_targets(DecisionTreeRegressor(max_depth=4)),
    "tree classes": lambda: sklearn_case(DecisionTreeClassifier(max_depth=4), number=3),
    "forest": lambda: sklearn_case(RandomForestRegressor(**FOREST), missing=True),
    "forest two classes": lambda: sklearn_case(RandomForestClassifier(**FOREST), number=2),
    "extra": lambda: sklearn_case(ExtraTreesRegressor(**FOREST)),
    "extra classes": lambda: sklearn_case(ExtraTreesClassifier(**FOREST), number=3),
    "boosting": lambda: sklearn_case(GradientBoostingRegressor(n_estimators=5)),
    "boosting two classes": lambda: sklearn_case(
        GradientBoostingClassifier(n_estimators=5), number=2
    ),
    "boosting classes": lambda: sklearn_case(
        GradientBoostingClassifier(n_estimators=3, init="zero"), number=3
    ),
    "histogram": lambda: sklearn_case(HistGradientBoostingRegressor(**HISTOGRAM), missing=True),
    "histogram categories": lambda: sklearn_case(
        HistGradientBoostingRegressor(**HISTOGRAM, categorical_features=[0]), missing=True
    ),
    "histogram categories missing": lambda: sklearn_case(
        HistGradientBoostingRegressor(**HISTOGRAM, categorical_features=[0, 2]), missing=False
    ),
    "histogram two classes": lambda: sklearn_case(
        HistGradientBoostingClassifier(**HISTOGRAM, categorical_features=[0]), number=2
    ),
    "histogram classes": lambda: sklearn_case(
        HistGradientBoostingClassifier(**HISTOGRAM), number=3, missing=True
    ),
    "histogram of a frame": lambda: wrapped_case(
        "sklearn.ensemble", "HistGradientBoostingRegressor", **HISTOGRAM
    ),
    "ebm": lambda: ebm_case(missing=False, categories=False),
    "ebm missing": lambda: ebm_case(missing=True, categories=True),
    "ebm two classes": lambda: ebm_case(missing=True, categories=True, number=2),
    "ebm classes": lambda: ebm_case(missing=False, categories=True, number=3),
}


@pytest.mark.parametrize("name", CASES)
def test_spectrum_is_that_of_the_library_s_own_predictions(name: str) -> None:
    case = CASES[name]()
    missing = ABSENT if case.missing else 0.0
    found = tree_spectrum(
        case.model, INPUTS, max_order=4, missing={1: missing} if missing else None
    )
    wanted = brute(case.predict, missing)
    got = np.atleast_2d(found.variance)
    assert (wanted.sum(axis=1) > 0).all()
    assert (got[:, 1:2] > 1e-3 * got.sum(axis=1, keepdims=True)).all() or "ebm classes" in name
    np.testing.assert_allclose(
        got[:, :4], wanted, rtol=0, atol=1e-10 * wanted.sum(axis=1, keepdims=True).min()
    )
    assert (got[:, 4] == 0).all()
    assert understands(case.model)


@pytest.mark.parametrize(
    "options",
    [
        {"name": "XGBRegressor", "enable_categorical": True, "max_cat_to_onehot": 1},
        {"name": "XGBRegressor", "named": False},
        {"name": "XGBRFRegressor", "named": False},
        {"name": "XGBClassifier", "named": False, "early_stopping_rounds": 2},
    ],
    ids=lambda o: " ".join(map(str, o.values())),
)
def test_wrappers_of_xgboost_are_read_like_their_boosters(options: dict) -> None:
    """Their output is a sum in float32, so it agrees to that."""
    few = {"n_estimators": 40, "max_depth": 3, "n_jobs": 1, "learning_rate": 0.8}
    case = wrapped_case("xgboost", **few, **options)
    found = tree_spectrum(case.model, INPUTS, max_order=4, missing={1: ABSENT})
    np.testing.assert_allclose(
        found.variance[:4], brute(case.predict, ABSENT)[0], rtol=0, atol=1e-5 * found.total_variance
    )
    if "early_stopping_rounds" in options:
        assert case.model.best_iteration + 1 < case.model.get_booster().num_boosted_rounds()
