"""Finding the reader of a model."""

from __future__ import annotations

from . import _interpret, _lightgbm, _sklearn, _xgboost
from ._structure import Reading, UnreadableModelError

READERS = (_xgboost, _lightgbm, _sklearn, _interpret)
"""One file per library, each with `handles(model)` and `read(model)`."""


def read(model: object) -> Reading:
    """The trees of a fitted model; UnreadableModelError where its splits are not understood."""
    for reader in READERS:
        if reader.handles(model):
            return reader.read(model)
    raise UnreadableModelError(
        f"{type(model).__module__}.{type(model).__name__} is no tree ensemble that is understood: "
        "XGBoost, LightGBM, scikit-learn's trees, forests and gradient boosting, InterpretML's "
        "EBM. order_spectrum measures any function"
    )


def understands(model: object) -> bool:
    """Whether `tree_spectrum` can read a model, a fitted one."""
    try:
        read(model)
    except UnreadableModelError:
        return False
    return True
