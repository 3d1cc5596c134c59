"""LightGBM: boosters and their scikit-learn wrappers.

Inputs are doubles. Numbers up to a threshold go left; of categories those listed go left, all
others and missing ones right. A feature without missing values in training takes NaN for 0; with
`zero_as_missing` zeros are missing too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._structure import Reading, Tree, Trees, UnreadableModelError, in_order

ZERO = float(np.float32(1e-35))
"""LightGBM's own: numbers no larger are read as 0."""
BELOW_ZERO = float(np.nextafter(-ZERO, -np.inf))


def handles(model: object) -> bool:
    return any(
        c.__module__.startswith("lightgbm.") and c.__name__ in ("Booster", "LGBMModel")
        for c in type(model).__mro__
    )


def read(model: object) -> Reading:
    booster = getattr(model, "booster_", model)
    document = booster.dump_model()
    infos, outputs = document["tree_info"], document["num_tree_per_iteration"]
    # Forests predict a mean; their raw score is a sum all the same.
    forest = document.get("average_output", False)
    scale = outputs / len(infos) if forest else 1.0
    trees = [
        _tree(info["tree_structure"], n % outputs, outputs, scale) for n, info in enumerate(infos)
    ]
    return Reading(
        trees=Trees.of(trees),
        dim=document["max_feature_idx"] + 1,
        predict=lambda x: scale * booster.predict(x, raw_score=True),
        output="mean of trees" if forest else "raw score (before the link)",
    )


def _tree(structure: Mapping[str, Any], output: int, outputs: int, scale: float) -> Tree:
    visits = list(in_order(structure, _children))
    n = len(visits)
    feature, left, right = (np.full(n, -1) for _ in range(3))
    cut, missing_left = np.full(n, np.nan), np.zeros(n, dtype=bool)
    value, pieces = np.zeros((n, outputs)), {}
    for i, (node, left[i], right[i]) in enumerate(visits):
        if left[i] < 0:
            value[i, output] = scale * node["leaf_value"]
            continue
        feature[i] = node["split_feature"]
        if node["decision_type"] == "==":
            pieces[i] = _categories(node["threshold"])
        elif node["decision_type"] == "<=":
            cut[i], missing = _beyond_zero(node["threshold"]), node["missing_type"]
            missing_left[i] = cut[i] >= 0 if missing == "None" else node["default_left"]
            if missing == "Zero":
                pieces[i] = _apart_from_zero(cut[i], missing_left[i])
        else:
            raise UnreadableModelError(f"LightGBM's split {node['decision_type']!r} is unknown")
    return Tree(feature, left, right, cut, missing_left, value, pieces)


def _children(node: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
    if "leaf_coeff" in node:
        raise UnreadableModelError("LightGBM's linear trees are not constant at their leaves")
    return (node["left_child"], node["right_child"]) if "split_feature" in node else None


def _categories(threshold: str) -> np.ndarray:
    """Numbers that a conversion to integers, towards zero, takes for the codes of "1||3"."""
    codes = np.array([int(code) for code in threshold.split("||")], dtype=np.float64)
    low = np.where(codes == 0, -1.0, np.nextafter(codes, -np.inf))
    return np.stack([low, np.nextafter(codes + 1, -np.inf)], axis=1)


def _beyond_zero(cut: float) -> float:
    """The cut of the numbers themselves, where those near 0 are read as 0."""
    if -ZERO <= cut <= ZERO:
        return BELOW_ZERO if cut < 0 else ZERO
    return cut


def _apart_from_zero(cut: float, zero_left: bool) -> np.ndarray:
    """What goes left where zeros go their own way."""
    parts = [(-np.inf, min(cut, BELOW_ZERO)), (ZERO, max(cut, ZERO))]
    if zero_left:
        parts.append((BELOW_ZERO, ZERO))
    return np.array([(low, high) for low, high in parts if low < high])
