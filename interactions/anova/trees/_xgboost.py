"""XGBoost: boosters and their scikit-learn wrappers, forests and DART among them.

Inputs are float32. Numbers below a threshold go left; of categories those listed go right, all
others left. Read off the model's own JSON document.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from ._structure import (
    Reading,
    Tree,
    Trees,
    UnreadableModelError,
    below_in_float32,
    complement,
)

CATEGORICAL = 1
"""What `split_type` holds where a split is by categories."""


def handles(model: object) -> bool:
    return any(
        c.__module__.startswith("xgboost.") and c.__name__ in ("Booster", "XGBModel")
        for c in type(model).__mro__
    )


def read(model: object) -> Reading:
    import xgboost

    booster = model
    if isinstance(model, xgboost.XGBModel):
        booster = model.get_booster()
        # The wrappers, unlike boosters, predict with what early stopping found best.
        stopped = booster.attr("best_iteration")
        booster = booster if stopped is None else booster[: int(stopped) + 1]
    learner = json.loads(booster.save_raw("json"))["learner"]
    gradient = learner["gradient_booster"]
    if gradient["name"] not in ("gbtree", "dart"):
        raise UnreadableModelError(f"XGBoost's booster {gradient['name']!r} holds no trees")
    document = gradient["gbtree"]["model"] if gradient["name"] == "dart" else gradient["model"]
    weights = gradient.get("weight_drop", [1.0] * len(document["trees"]))
    sizes = learner["learner_model_param"]
    outputs = max(1, int(sizes["num_class"]), int(sizes.get("num_target", 1)))
    trees = [
        _tree(tree, weight, output, outputs)
        for tree, weight, output in zip(
            document["trees"], weights, document["tree_info"], strict=True
        )
    ]

    def predict(x: np.ndarray) -> np.ndarray:
        points = xgboost.DMatrix(
            x,
            feature_names=booster.feature_names,
            feature_types=booster.feature_types,
            enable_categorical=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return booster.predict(points, output_margin=True)

    return Reading(
        trees=Trees.of(trees),
        dim=int(sizes["num_feature"]),
        predict=predict,
        output="raw margin (before the link)",
    )


def _tree(tree: Mapping[str, Any], weight: float, output: int, outputs: int) -> Tree:
    if int(tree["tree_param"]["size_leaf_vector"]) > 1:
        raise UnreadableModelError(
            "XGBoost's trees with a vector at each leaf are not read: train with "
            'multi_strategy="one_output_per_tree"'
        )
    left = np.array(tree["left_children"])
    number = np.array(tree["split_conditions"], dtype=np.float32)
    leaf = left < 0
    value = np.zeros((len(left), outputs))
    # The product, too, is rounded to float32.
    value[leaf, output] = np.float32(weight) * number[leaf]
    return Tree(
        feature=np.where(leaf, -1, tree["split_indices"]),
        left=left,
        right=np.array(tree["right_children"]),
        cut=below_in_float32(number),
        missing_left=np.array(tree["default_left"], dtype=bool),
        value=value,
        pieces={
            node: complement(_categories(tree["categories"][start : start + size]))
            for node, start, size in zip(
                tree["categories_nodes"],
                tree["categories_segments"],
                tree["categories_sizes"],
                strict=True,
            )
        },
    )


def _categories(codes: list[int]) -> np.ndarray:
    """Numbers that round to float32 and then down to these codes."""
    return below_in_float32(np.array([[code, code + 1] for code in codes]))
