"""What a user hands over, tensors, arrays and data frames, as an array of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse
from torch import Tensor


def of_pandas(data: Any) -> Any:
    """A data frame of another library (polars, Arrow) as one of pandas; anything else as it is."""
    return data.to_pandas() if hasattr(data, "to_pandas") else data


def numbers(values: object, name: str, *, finite: bool = False) -> np.ndarray:
    """Values of any array-like, data frames included, as float64; float32 is kept.

    Raises
    ------
    TypeError
        For dates, text and other values that are not numbers, naming the columns; for sparse
        matrices and tables that are no arrays.
    ValueError
        For values that are masked. With `finite`, for NaN and infinity, naming the columns.
    """
    if sparse.issparse(values):
        raise TypeError(f"{name} must be a dense array, got a sparse one: give {name}.toarray()")
    if isinstance(values, dict) or getattr(getattr(values, "dtype", None), "names", None):
        raise TypeError(f"{name} must be an array or a data frame: give pandas.DataFrame({name})")
    if np.ma.is_masked(values):
        raise ValueError(
            f"{name} has masked values, which are missing ones: drop their rows, or fill them "
            "(.filled)"
        )
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    names = [*values.columns] if isinstance(values, pd.DataFrame) else None
    table = values if names is not None else np.asarray(values)
    if names is not None:
        dtypes = [table.iloc[:, j].dtype for j in range(len(names))]
        wrong = [n for n, t in zip(names, dtypes, strict=True) if not _numeric(t)]
        # Missing numbers of nullable columns become NaN, and are then found as such.
        table = table if wrong else table.to_numpy(dtype=np.float64, na_value=np.nan)
    else:
        wrong = [] if _numeric(table.dtype) else ["all"]
    if wrong:
        raise TypeError(
            f"{name} must be numbers: columns {wrong} hold others (dates, text or objects). Give "
            "dates as numbers of days and categories as codes"
        )
    table = table if table.dtype == np.float32 else table.astype(np.float64)
    if finite and not np.isfinite(table).all():
        bad = np.flatnonzero(~np.isfinite(table.reshape(len(table), -1)).all(axis=0))
        shown = [names[j] for j in bad] if names is not None else bad.tolist()
        raise ValueError(f"{name} has NaN or infinite values in columns {shown}")
    return table


def distinct(ascending: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distinct values of an array that is sorted, and how often each occurs.

    What np.unique says, which sorts once more.
    """
    starts = np.flatnonzero(np.append(True, ascending[1:] != ascending[:-1]))
    return ascending[starts], np.diff(starts, append=len(ascending))


def _numeric(dtype: object) -> bool:
    return pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_complex_dtype(dtype)
