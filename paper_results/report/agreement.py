"""How far published points lie from ours: largest gaps, as they are and in standard errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Gap:
    """Ours minus published at one point: `of` what was published there, `where` its keys."""

    gap: float
    of: float
    where: str
    in_errors: float | None
    """Its size in our standard errors, less the reading error; None where ours has no error."""


@dataclass(frozen=True)
class Agreement:
    """How far the points that are published lie from ours, of those that both have.

    `median_gap` is that of the sizes of all gaps, `largest` the point where it is largest, and
    `most_errors` the one where it is most standard errors. None where nothing was compared, or
    where no point of ours has an error.
    """

    published: int
    compared: int
    median_gap: float | None = None
    largest: Gap | None = None
    most_errors: Gap | None = None


def agreement(published: pd.DataFrame, ours: pd.DataFrame, keys: Sequence[str]) -> Agreement:
    """Compare two tables with columns `keys` and value.

    `published` has a column reading, the absolute error with which its values were read; `ours`
    has one standard_error, of the mean over repeats: NaN from one repeat, 0 where nothing is
    random. What is within the reading error counts as 0 standard errors.

    Raises ValueError if a key names two points of one table.
    """
    keys = list(keys)
    for name, table in (("published", published), ("ours", ours)):
        if table.duplicated(keys).any():
            twice = table[table.duplicated(keys)][keys].iloc[0].to_dict()
            raise ValueError(f"the table {name!r} has more than one value at {twice}")
    both = published.merge(ours, on=keys, suffixes=("_published", "_ours"))
    both = both.dropna(subset=["value_published", "value_ours"]).reset_index(drop=True)
    if both.empty:
        return Agreement(len(published), 0)
    gap = both["value_ours"] - both["value_published"]
    beyond = (gap.abs() - both["reading"]).clip(lower=0)
    errors = (beyond / both["standard_error"].replace(0.0, np.nan)).where(beyond > 0, 0.0)
    errors = errors.where(both["standard_error"] > 0)

    def at(place: int) -> Gap:
        row = both.loc[place]
        where = ", ".join(_name(key, row[key]) for key in keys)
        known = None if np.isnan(errors[place]) else float(errors[place])
        return Gap(float(gap[place]), float(row["value_published"]), where, known)

    return Agreement(
        published=len(published),
        compared=len(both),
        median_gap=float(gap.abs().median()),
        largest=at(gap.abs().idxmax()),
        most_errors=at(errors.idxmax()) if errors.notna().any() else None,
    )


def _name(key: str, value: object) -> str:
    return f"{key} {value:g}" if isinstance(value, float) else str(value)
