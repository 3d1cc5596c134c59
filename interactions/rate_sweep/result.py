"""What a sweep found: by strength, the held-out error and the shares of the orders."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from ..printing import html_table
from ..saving import Saved
from . import text

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BOOTSTRAPS = 2000
LEVEL = 0.95
"""Confidence that the truly best strength is the best found or tied with it."""


@dataclass(frozen=True, repr=False)
class RateSweep(Saved):
    """What `sweep_rates` found.

    Attributes
    ----------
    runs : DataFrame
        One row per strength and seed. The first column is the strength, called "rate" or what
        `name` said; then `seed`, `error` (held-out mean loss), `total` (variance of the trained
        model, summed over outputs) and its shares by order, "share_1", .. and "share_>k". Shares
        of a constant model are NaN.

    Examples
    --------
    >>> import torch
    >>> from interactions import sweep_rates
    >>> x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    >>> def build(rate):
    ...     return torch.nn.Sequential(torch.nn.Dropout(rate), torch.nn.Linear(2, 1))
    >>> options = {"rates": (0.0, 0.5), "seeds": range(2), "epochs": 3, "max_order": 2}
    >>> sweep = sweep_rates(build, x, x[:, 0], **options)
    >>> sweep.best_rate in (0.0, 0.5)
    True
    """

    runs: pd.DataFrame

    @property
    def name(self) -> str:
        """What the strength is called: "rate", or another."""
        return str(self.runs.columns[0])

    @property
    def best_rate(self) -> float:
        """The rate, or other strength, of the least mean held-out error; see `tied`."""
        return float(self._errors.mean().idxmin())

    @property
    def best_rate_error(self) -> float:
        """Standard error of `best_rate`: of drawing other seeds, and of the grid of rates.

        The first is the standard deviation of the best rate over resampled seeds (bootstrap), the
        second `grid_error`. NaN for a single seed.
        """
        rates, seeds = self._errors.columns.to_numpy(), len(self._errors)
        if seeds == 1:
            return float("nan")
        drawn = np.random.default_rng(0).integers(seeds, size=(BOOTSTRAPS, seeds))
        best = rates[self._errors.to_numpy()[drawn].mean(axis=1).argmin(axis=1)]
        return float(np.hypot(best.std(), grid_error(rates)))

    @property
    def tied(self) -> list[float]:
        """The other rates that cannot be told from the best, ascending; all of them for one seed.

        A rate is told from the best where its error exceeds the best's, seed by seed, by more
        than its standard error allows: Student's t, one-sided, shared among the other rates
        (Bonferroni). So with 95% confidence the rate that is truly best is the one found or among
        these (Hsu, Ann. Stat. 9, 1981), as far as seeds can tell.
        """
        above, others = self._above, self._errors.columns.drop(self.best_rate)
        if not len(others):
            return []
        most = stats.t.ppf(1 - (1 - LEVEL) / len(others), len(above) - 1) * above.sem()
        told = above.mean() > most  # False where a single seed leaves the error unknown.
        return [float(rate) for rate in sorted(others) if not told[rate]]

    def to_frame(self) -> pd.DataFrame:
        """One row per rate: means over seeds and, in columns "..._se", their standard errors.

        `above_best` is the error above that at the best rate, on the same seed; `tied` says which
        rates it cannot tell from the best.
        """
        above = self._above.stack().rename("above_best")
        runs = self.runs.join(above, on=["seed", self.name]).drop(columns="seed")
        groups = runs.groupby(self.name)
        columns = ["error", "above_best", "total", *runs.filter(like="share_").columns]
        mean, error = groups.mean()[columns], groups.sem()[columns].add_suffix("_se")
        return mean.join(error)[[c + end for c in columns for end in ("", "_se")]].reset_index()

    def plot(self, axes: Sequence[Axes] | None = None) -> np.ndarray:
        """Draw the held-out error and the shares of the orders by rate; returns the two axes.

        Bars are standard errors over seeds. Rings mark the best rate and those tied with it.
        `axes` are two of matplotlib's, by default of a new figure. Needs matplotlib.
        """
        from .drawing import draw

        return draw(self, axes)

    @cached_property
    def _errors(self) -> pd.DataFrame:
        """Held-out errors, a row per seed and a column per rate."""
        return self.runs.pivot_table(index="seed", columns=self.name, values="error")

    @cached_property
    def _above(self) -> pd.DataFrame:
        return self._errors.sub(self._errors[self.best_rate], axis=0)

    def __repr__(self) -> str:
        rates, seeds = self.runs[self.name].nunique(), self.runs["seed"].nunique()
        return (
            f"RateSweep({rates} {self.name}s, {seeds} seeds, best {self.name} {self.best_rate:g})"
        )

    def __str__(self) -> str:
        return f"{text.table(self._rows())}\n{self._verdict}"

    def _repr_html_(self) -> str:
        return html_table(self._verdict, self._rows())

    def _rows(self) -> list[list[str]]:
        return text.rows(self.to_frame(), self.best_rate)

    @property
    def _verdict(self) -> str:
        (seeds, rates), tied = self._errors.shape, self.tied
        if seeds == 1:
            return f"least error at {self.name} {self.best_rate:g}: one seed knows no error of it"
        by = f"{seeds} seeds"
        if tied and len(tied) == rates - 1:
            return (
                f"no best {self.name}: {by} cannot tell the {rates} {self.name}s apart (the least "
                f"error is at {self.best_rate:g})"
            )
        found = f"best {self.name} {self.best_rate:g} ± {self.best_rate_error:.2g}"
        if tied:
            return f"{found}, which {by} cannot tell from {', '.join(f'{r:g}' for r in tied)}"
        return f"{found}, told from every other by {by}" if rates > 1 else found


def grid_error(rates: Sequence[float], repeats: int = 1) -> float:
    """Standard error that a grid of rates adds to a best rate, the mean over `repeats` of theirs.

    A best rate is known to the nearest of the rates tried: rounding to a grid of this step, the
    widest there is, has variance step^2 / 12. Repeats round on their own. 0 for a single rate.
    """
    step = np.diff(np.unique(rates)).max(initial=0.0)
    return float(step / np.sqrt(12 * repeats))
