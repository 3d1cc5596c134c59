"""Agreement by number: published points beside ours, joined on named keys."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

ERRORS = 3.0
"""Standard errors of our mean within which a published point agrees."""


@dataclass(frozen=True)
class Agreement:
    """How many published points there are, how many were compared, and how many agree.

    `largest_gap` is ours minus published where that is largest in size, `value_there` what was
    published there and `where` the keys of that point. Nothing compared has no gap.
    """

    published: int
    compared: int
    inside: int
    largest_gap: float | None
    value_there: float | None
    where: str

    @property
    def share_inside(self) -> float | None:
        return self.inside / self.compared if self.compared else None


def agreement(published: pd.DataFrame, ours: pd.DataFrame, keys: Sequence[str]) -> Agreement:
    """Compare two tables with columns `keys` and value.

    `published` has a column reading, the absolute error with which its values were read; `ours`
    has one standard_error. A point agrees where the values differ by at most three of our standard
    errors and the reading error. Where ours is one run, whose error is not known (NaN), it has to
    be within the reading error.

    Raises ValueError if a key names two points of one table.
    """
    keys = list(keys)
    for name, table in (("published", published), ("ours", ours)):
        if table.duplicated(keys).any():
            twice = table[table.duplicated(keys)][keys].iloc[0].to_dict()
            raise ValueError(f"the table {name!r} has more than one value at {twice}")
    both = published.merge(ours, on=keys, suffixes=("_published", "_ours"))
    both = both.dropna(subset=["value_published", "value_ours"])
    if both.empty:
        return Agreement(len(published), 0, 0, None, None, "")
    gap = both["value_ours"] - both["value_published"]
    allowed = ERRORS * both["standard_error"].fillna(0.0) + both["reading"]
    worst = gap.abs().idxmax()
    return Agreement(
        published=len(published),
        compared=len(both),
        inside=int((gap.abs() <= allowed).sum()),
        largest_gap=float(gap[worst]),
        value_there=float(both.loc[worst, "value_published"]),
        where=", ".join(_name(key, both.loc[worst, key]) for key in keys),
    )


def _name(key: str, value: object) -> str:
    return f"{key} {value:g}" if isinstance(value, float) else str(value)
