"""scikit-learn: decision trees, random and extra forests, gradient boosting, with histograms too.

Plain trees hold inputs as float32, histogram trees as doubles. Numbers up to a threshold go left.
Histogram trees send the categories of a bit set left, other known ones right and unknown ones
where missing values go.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import is_classifier
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.ensemble._forest import ForestClassifier, ForestRegressor
from sklearn.tree import BaseDecisionTree
from sklearn.utils.validation import check_is_fitted

from ._structure import (
    Pieces,
    Reading,
    Tree,
    Trees,
    UnreadableModelError,
    complement,
    single_values,
    up_to_in_float32,
)

FOREST = (ForestClassifier, ForestRegressor)
BOOSTING = (GradientBoostingClassifier, GradientBoostingRegressor)
HISTOGRAM = (HistGradientBoostingClassifier, HistGradientBoostingRegressor)
MARGIN = "raw prediction (before the link)"


def handles(model: object) -> bool:
    return isinstance(model, (BaseDecisionTree, *FOREST, *BOOSTING, *HISTOGRAM))


def read(model: object) -> Reading:
    check_is_fitted(model)
    if isinstance(model, HISTOGRAM):
        return _histogram(model)
    return _boosting(model) if isinstance(model, BOOSTING) else _averaged(model)


def _averaged(model: object) -> Reading:
    """A tree, or the mean of a forest's: numbers, or the probabilities of classes."""
    members = model.estimators_ if isinstance(model, FOREST) else [model]
    if is_classifier(model) and model.n_outputs_ > 1:
        raise UnreadableModelError("classifiers of several targets are not read: take one apart")
    # The probabilities of two classes sum to 1: that of the second says all.
    two = is_classifier(model) and model.n_classes_ == 2

    def value(tree: object) -> np.ndarray:
        value = tree.value[:, 0, :] if is_classifier(model) else tree.value[:, :, 0]
        return (value[:, 1:] if two else value) / len(members)

    def predict(x: np.ndarray) -> np.ndarray:
        if not is_classifier(model):
            return model.predict(x)
        return model.predict_proba(x)[:, 1] if two else model.predict_proba(x)

    return Reading(
        trees=Trees.of([_tree(m.tree_, value(m.tree_)) for m in members]),
        dim=model.n_features_in_,
        predict=_named(model, predict),
        output="probability of each class" if is_classifier(model) else "prediction",
    )


def _boosting(model: object) -> Reading:
    if not (isinstance(model.init_, (DummyClassifier, DummyRegressor)) or model.init_ == "zero"):
        raise UnreadableModelError(f"boosting starts from {model.init_}, which is no constant")
    outputs = model.estimators_.shape[1]
    trees = [
        _tree(m.tree_, model.learning_rate * m.tree_.value[:, 0] * np.eye(outputs)[output])
        for stage in model.estimators_
        for output, m in enumerate(stage)
    ]
    return Reading(
        trees=Trees.of(trees),
        dim=model.n_features_in_,
        predict=_named(model, model.decision_function if is_classifier(model) else model.predict),
        output=MARGIN if is_classifier(model) else "prediction",
    )


def _tree(tree: object, value: np.ndarray) -> Tree:
    return Tree(
        feature=tree.feature,
        left=tree.children_left,
        right=tree.children_right,
        cut=up_to_in_float32(tree.threshold),
        missing_left=tree.missing_go_to_left,
        value=value,
    )


def _histogram(model: object) -> Reading:
    predictors, outputs = model._predictors, len(model._predictors[0])
    column, categories = np.arange(model.n_features_in_), {}
    if model._preprocessor is not None:
        # Categorical columns come first inside.
        kind = model.is_categorical_
        column = np.concatenate([np.flatnonzero(kind), np.flatnonzero(~kind)])
        encoder = model._preprocessor.named_transformers_["encoder"]
        known = [_numbers(values) for values in encoder.categories_]
        categories = dict(zip(column.tolist(), known, strict=False))
    trees = [
        _histogram_tree(predictor, column, categories, np.eye(outputs)[output])
        for stage in predictors
        for output, predictor in enumerate(stage)
    ]

    def predict(x: np.ndarray) -> np.ndarray:
        raw = model._raw_predict(x)
        return raw[:, 0] if outputs == 1 else raw

    return Reading(
        trees=Trees.of(trees),
        dim=model.n_features_in_,
        predict=_named(model, predict),
        output=MARGIN,
    )


def _histogram_tree(
    predictor: object, column: np.ndarray, categories: dict[int, np.ndarray], output: np.ndarray
) -> Tree:
    nodes = predictor.nodes
    leaf = nodes["is_leaf"].astype(bool)
    feature = np.where(leaf, -1, column[np.where(leaf, 0, nodes["feature_idx"])])
    by_category = np.flatnonzero(~leaf & nodes["is_categorical"].astype(bool))
    return Tree(
        feature=feature,
        left=nodes["left"].astype(np.int64),
        right=nodes["right"].astype(np.int64),
        cut=nodes["num_threshold"],
        missing_left=nodes["missing_go_to_left"].astype(bool),
        value=np.where(leaf, nodes["value"], 0.0)[:, None] * output,
        pieces={
            int(n): _bit_set(
                predictor.raw_left_cat_bitsets[nodes["bitset_idx"][n]],
                categories[int(feature[n])],
                bool(nodes["missing_go_to_left"][n]),
            )
            for n in by_category
        },
    )


def _bit_set(bits: np.ndarray, categories: np.ndarray, unknown_left: bool) -> Pieces:
    code = np.arange(len(categories))
    left = (bits[code // 32] >> (code % 32).astype(np.uint32)) & 1 == 1
    if unknown_left:
        return complement(single_values(categories[~left]))
    return single_values(categories[left])


def _numbers(categories: np.ndarray) -> np.ndarray:
    """Known categories in order of their codes; a missing one has no code."""
    try:
        numbers = np.asarray(categories, dtype=np.float64)
    except (TypeError, ValueError):
        raise UnreadableModelError(
            "inputs are numbers: train on numbers that stand for the categories "
            f"{list(categories[:3])} .."
        ) from None
    return numbers[~np.isnan(numbers)]


def _named(
    model: object, predict: Callable[[np.ndarray], Any]
) -> Callable[[np.ndarray], np.ndarray]:
    """`predict` of a data frame where the model was trained on one."""
    names = getattr(model, "feature_names_in_", None)
    if names is None:
        return predict
    return lambda x: predict(pd.DataFrame(x, columns=names))
