"""What a row of the lecture shows: numbers with their errors, a picture, and two sentences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

ERRORS = 3.0
"""Standard errors by which an effect must be seen, and within which nothing may be."""


ROUNDING = 1e-9
"""Below it, exact numbers are 0."""


@dataclass(frozen=True)
class Effect:
    """A number and the standard error of its mean; 0 where it is exact.

    `sign` is that which it should have, 0 where the point is that there is nothing to be seen.
    """

    says: str
    value: float
    sign: int
    error: float = 0.0

    @property
    def is_seen(self) -> bool:
        """Whether it lies at least 3 standard errors on its side of 0, or within them of it."""
        least = ERRORS * self.error or ROUNDING
        return abs(self.value) < least if self.sign == 0 else self.sign * self.value >= least

    def __str__(self) -> str:
        told = f"{self.says}: {self.value:.3g}"
        if self.error == 0:
            return told
        away = abs(self.value) / self.error
        return f"{told} ± {self.error:.2g}, {away:.1f} standard errors from 0"


def over_repeats(says: str, values: pd.Series | np.ndarray | Sequence[float], sign: int) -> Effect:
    """The mean of a value per repeat, with its standard error."""
    values = np.asarray(values, dtype=float)
    error = values.std(ddof=1) / math.sqrt(len(values))
    return Effect(says, float(values.mean()), sign, float(error))


@dataclass(frozen=True)
class Pane:
    """A part of a picture: lines of points with errors, by series, over numbers or words.

    `points` has columns series, x, y and error; `marks` are places on the x axis, by what they are.
    """

    title: str
    xlabel: str
    ylabel: str
    points: pd.DataFrame
    log: bool = False
    marks: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True)
class Shown:
    """A row as it was shown, with two sentences on what to see."""

    see: str
    effects: tuple[Effect, ...]
    panes: tuple[Pane, ...]

    @property
    def is_seen(self) -> bool:
        """Whether all of its effects are."""
        return all(effect.is_seen for effect in self.effects)


def points(table: pd.DataFrame, series: str, x: str, y: str) -> pd.DataFrame:
    """Means of `y` over the repeats of every series and x, with standard errors."""
    groups = table.groupby([series, x], sort=False)[y]
    out = pd.DataFrame({"y": groups.mean(), "error": groups.sem().fillna(0.0)}).reset_index()
    return out.rename(columns={series: "series", x: "x"})
