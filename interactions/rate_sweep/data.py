"""Points and targets as a user has them, as tensors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor


def points_and_targets(x: object, y: object, loss: object) -> tuple[Tensor, Tensor]:
    """Points [n, d] in float64, and targets in float64 or, as labels, long.

    A loss of the user's own gets whole numbers as such. `y` may name a column of `x`.
    """
    if isinstance(y, str):
        if not isinstance(x, pd.DataFrame) or y not in x.columns:
            raise ValueError(f"y names a column, and x is no DataFrame with a column {y!r}")
        x, y = x.drop(columns=y), x[y]
    points, targets = _numbers("x", x), _numbers("y", y)
    if points.ndim != 2 or targets.ndim not in (1, 2) or len(points) != len(targets):
        raise ValueError(
            "needs x [n, d] and y [n] or [n, outputs] of as many rows, got "
            f"{list(points.shape)} and {list(targets.shape)}"
        )
    if loss == "cross_entropy":
        if targets.ndim != 1 or (targets != targets.round()).any() or (targets < 0).any():
            raise ValueError("cross_entropy needs y [n] of integer labels from 0 up")
        return points, targets.long()
    return points, targets.long() if callable(loss) and _is_whole(y) else targets


def _numbers(name: str, values: object) -> Tensor:
    """Finite numbers as a float64 tensor."""
    if isinstance(values, pd.Series):
        return _numbers(name, values.to_frame())[:, 0]
    if isinstance(values, pd.DataFrame):
        bad = [c for c, d in values.dtypes.items() if not pd.api.types.is_numeric_dtype(d)]
        if bad:
            raise TypeError(f"columns {bad} of {name} are not numbers: encode or drop them")
        frame = values.astype(np.float64)
        bad = frame.columns[~np.isfinite(frame).all()].tolist()
        if bad:
            raise ValueError(f"{name} has NaN or infinite values in columns {bad}")
        return torch.tensor(frame.to_numpy())
    if not isinstance(values, Tensor):
        values = np.asarray(values)
        if values.dtype.kind not in "biuf":
            raise TypeError(f"{name} must hold numbers, got {values.dtype}")
        values = torch.tensor(values)
    values = values.detach().cpu().double()
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} has NaN or infinite values")
    return values


def _is_whole(values: object) -> bool:
    """Whether values are integers or truth values by their type."""
    if isinstance(values, Tensor):
        return not values.is_floating_point()
    if isinstance(values, pd.DataFrame):
        return all(_is_whole(values[column]) for column in values)
    if isinstance(values, pd.Series):
        types = pd.api.types
        return types.is_integer_dtype(values.dtype) or types.is_bool_dtype(values.dtype)
    return np.asarray(values).dtype.kind in "biu"
