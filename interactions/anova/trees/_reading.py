"""Finding the reader of a model."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

import numpy as np

from . import _interpret, _lightgbm, _xgboost
from ._structure import Reading, Trees, UnreadableModelError


def _readers(model: object) -> list[ModuleType]:
    """One file per library, each with `handles(model)` and `read(model)`."""
    readers = [_xgboost, _lightgbm, _interpret]
    if any(c.__module__.startswith("sklearn.") for c in type(model).__mro__):
        # Its classes take a second to import, which whoever has a model of them has spent.
        from . import _sklearn

        readers.append(_sklearn)
    return readers


def read(model: object) -> Reading:
    """The trees of a fitted model; UnreadableModelError where its splits are not understood."""
    for reader in _readers(model):
        if reader.handles(model):
            return reader.read(model)
    raise UnreadableModelError(
        f"{type(model).__module__}.{type(model).__name__} is no tree ensemble that is understood: "
        "XGBoost, LightGBM, scikit-learn's trees, forests and gradient boosting, InterpretML's "
        "EBM. order_spectrum measures any function"
    )


def read_sum(models: Sequence[object]) -> Reading:
    """The trees of models whose outputs are added; ValueError where these do not go together."""
    readings = [read(model) for model in models]
    if not readings:
        raise ValueError("there is no model in the list")
    kinds = {(r.dim, r.trees.outputs, r.output) for r in readings}
    if len(kinds) > 1:
        said = "; ".join(f"{dim} inputs, {m} outputs, {what}" for dim, m, what in sorted(kinds))
        raise ValueError(f"outputs of models that differ cannot be added: {said}")
    return Reading(
        trees=Trees.of([r.trees for r in readings]),
        dim=readings[0].dim,
        predict=lambda x: sum(np.asarray(r.predict(x), dtype=np.float64) for r in readings),
        output=readings[0].output,
    )


def understands(model: object) -> bool:
    """Whether `tree_spectrum` can read a model, a fitted one.

    Examples
    --------
    >>> from sklearn.linear_model import LinearRegression
    >>> from interactions.anova import understands
    >>> understands(LinearRegression())
    False
    """
    try:
        read(model)
    except UnreadableModelError:
        return False
    return True
