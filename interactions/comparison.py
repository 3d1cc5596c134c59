"""Selectivity: how much harder a regularizer acts on each further order of interaction.

Regularizers of growing strength give a path of spectra, the first without regularizer. Slopes of
two paths are compared where both leave as much: `reaches` finds the place, `spectrum_at` what is
there, between the strengths that were tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .plots import new_axes
from .printing import aligned, html_table, with_error
from .saving import Saved
from .spectrum import OrderSpectrum

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LEAST = 3.0
"""Standard errors that the variance of an order must exceed to be seen."""

SELECTIVITY = "Selectivity: slope per order, and log(variance with / without) by order"
"""What is printed above its table."""


@dataclass(frozen=True, kw_only=True)
class Selectivity(Saved):
    """Slope of log(V_k with / V_k without) against k, one per function.

    Shapes [...] are the leading axes of the spectra: () for one function.

    Attributes
    ----------
    slope, standard_error : float64 arrays [...]
        Per order. 0 is pure shrinkage, negative acts on interactions. NaN where fewer than two
        orders could be used.
    log_ratio : float64 array [..., max_order]
        log(V_k with / V_k without); NaN for orders that were not used.
    bound : bool array [...]
        Whether an order below 3 standard errors counts at these: the slope itself is lower.

    Examples
    --------
    >>> from interactions import OrderSpectrum, selectivity
    >>> plain, half = (OrderSpectrum.known([v, v, 0.0], method="by hand") for v in (1.0, 0.5))
    >>> selectivity(half, plain).log_ratio.round(3)
    array([-0.693, -0.693])
    """

    slope: np.ndarray
    standard_error: np.ndarray
    log_ratio: np.ndarray
    bound: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """Which of the orders 1 .. max_order the slope rests on, bool [..., max_order]."""
        return ~np.isnan(self.log_ratio)

    def to_frame(self) -> pd.DataFrame:
        """One row per function: slope, standard_error, bound, and log_ratio_1, .. by order."""
        ratios = self.log_ratio.reshape(-1, self.log_ratio.shape[-1])
        return pd.DataFrame(
            {
                "slope": np.ravel(self.slope),
                "standard_error": np.ravel(self.standard_error),
                "bound": np.ravel(self.bound),
                **{f"log_ratio_{k}": ratios[:, k - 1] for k in range(1, ratios.shape[1] + 1)},
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw log(V_k with / V_k without) of the orders used, and the slope through them.

        Returns the axes, new ones by default. Needs matplotlib.
        """
        ax = new_axes() if ax is None else ax
        orders = np.arange(1, self.log_ratio.shape[-1] + 1)
        slopes = np.ravel(self.slope)
        for i, (slope, ratio) in enumerate(
            zip(slopes, self.log_ratio.reshape(len(slopes), -1), strict=True)
        ):
            used = ~np.isnan(ratio)
            at, here = orders[used], ratio[used]
            points = ax.plot(at, here, "o", color=f"C{i}")
            if not np.isnan(slope):
                # A line of least squares passes through the means.
                line = here.mean() + slope * (at - at.mean())
                name = f"function {i}: " if len(slopes) > 1 else ""
                label = f"{name}slope {slope:.3g} ± {np.ravel(self.standard_error)[i]:.2g}"
                ax.plot(at, line, color=points[0].get_color(), label=label)
        ax.axhline(0.0, color="0.5", linewidth=0.8)
        ax.set_xticks(orders)
        ax.set_xlabel("order of interaction")
        ax.set_ylabel("log(variance with / without)")
        ax.spines[["top", "right"]].set_visible(False)
        if not np.isnan(slopes).all():
            ax.legend(frameon=False)
        return ax

    def _rows(self) -> list[list[str]]:
        frame = self.to_frame()
        orders = [name for name in frame.columns if name.startswith("log_ratio_")]
        head = ["function", "slope ± error", "bound"]
        rows = [head + [f"order {name.rpartition('_')[2]}" for name in orders]]
        for i, row in frame.iterrows():
            slope = with_error(row["slope"], row["standard_error"], ".4g")
            ratios = ["not used" if np.isnan(row[name]) else f"{row[name]:.3f}" for name in orders]
            rows.append([str(i), slope, "yes" if row["bound"] else "no", *ratios])
        return rows

    def __repr__(self) -> str:
        slopes = np.ravel(self.slope)
        if len(slopes) > 1:
            return f"Selectivity({len(slopes)} functions)"
        slope = with_error(slopes[0], np.ravel(self.standard_error)[0], ".4g", padded=False)
        return f"Selectivity(slope {slope})"

    def __str__(self) -> str:
        return "\n".join([SELECTIVITY, *aligned(self._rows())])

    def _repr_html_(self) -> str:
        return html_table(SELECTIVITY, self._rows())


def selectivity(
    regularized: OrderSpectrum, plain: OrderSpectrum, *, orders: Sequence[int] | None = None
) -> Selectivity:
    """Compare spectra of a function learned with a regularizer and of one learned without.

    The slope is that of ordinary least squares. Log ratios of trained networks do not lie on a
    line exactly, and a fit weighted by their errors would answer with another slope whenever an
    order is measured better; this one does not depend on the budget. Its standard error is
    propagated to first order from those of the variances, taken as independent: it is that of
    the measurement, not of training, which differs between seeds.

    An order is seen where its variance exceeds 3 standard errors; where the method of measurement
    knows none, no order is. What lies above max_order has no order and is not used.

    For input dropout at rate r on products of mean-zero inputs the slope is 2 log(1 - r)
    (`interactions.theory.dilated`).

    Parameters
    ----------
    regularized, plain : OrderSpectrum
        With the same orders; leading axes are broadcast, so many regularized functions may be
        compared with one.
    orders : sequence of int
        The orders that every slope rests on, so that slopes are comparable. One that the
        regularizer leaves below 3 standard errors counts at these, which is more than was
        measured: the slope is on the mild side, a `bound`. It is NaN where that bounds nothing
        (an order below the middle of `orders`), and where `plain` does not show one of them.
        By default each slope rests on the orders seen on both sides: where a regularizer
        removes an order, that order is left out, and the slope says nothing of it.

    Raises
    ------
    ValueError
        For spectra of different orders, and for orders that they do not have or fewer than two.

    Examples
    --------
    >>> from interactions import OrderSpectrum, selectivity
    >>> plain = OrderSpectrum.known([1.0, 1.0, 1.0, 0.0], method="by hand")
    >>> shrunk = OrderSpectrum.known([0.25, 0.0625, 0.015625, 0.0], method="by hand")
    >>> float(selectivity(shrunk, plain).slope.round(3))  # 2 log(1 - r) of input dropout at r = .5
    -1.386
    """
    if regularized.max_order != plain.max_order:
        raise ValueError(
            f"the spectra must have the same orders, got {regularized.max_order} and "
            f"{plain.max_order}"
        )
    known = np.arange(1, plain.max_order + 1)
    wanted = known if orders is None else np.asarray(orders)
    if not np.isin(wanted, known).all() or len(set(wanted.tolist())) != len(wanted):
        raise ValueError(f"orders must be distinct and among 1 to {plain.max_order}, got {orders}")
    if orders is not None and len(wanted) < 2:
        raise ValueError(f"orders must be two or more for a slope, got {orders}")
    error, error_plain = (s.standard_error[..., :-1] for s in (regularized, plain))
    variance, seen = _raised(regularized.variance[..., :-1], error)
    variance_plain, seen_plain = _raised(plain.variance[..., :-1], error_plain)
    used = seen_plain & np.isin(known, wanted) & (seen if orders is None else ~np.isnan(variance))
    with np.errstate(divide="ignore", invalid="ignore"):
        log_ratio = np.where(used, np.log(variance / variance_plain), np.nan)
        squared_error = (error / variance) ** 2 + (error_plain / variance_plain) ** 2
    count = used.sum(axis=-1, keepdims=True)
    distance = np.where(used, known - (used * known).sum(-1, keepdims=True) / count.clip(1), 0.0)
    square = (distance**2).sum(axis=-1, keepdims=True)
    weights = distance / np.where(square > 0, square, np.nan)
    raised = used & ~seen
    if orders is not None:
        unknown = (count < len(wanted)) | (raised & (distance < 0)).any(axis=-1, keepdims=True)
        weights = np.where(unknown, np.nan, weights)
    return Selectivity(
        slope=(weights * np.where(used, log_ratio, 0.0)).sum(axis=-1),
        standard_error=np.sqrt((weights**2 * np.where(used, squared_error, 0.0)).sum(axis=-1)),
        log_ratio=log_ratio,
        bound=raised.any(axis=-1),
    )


def _raised(variance: np.ndarray, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variances of at least LEAST standard errors, NaN where that is not positive; which are seen.

    What was raised once is not seen the next time, rounding or not.
    """
    raised = np.maximum(variance, LEAST * error)
    seen = variance > (1 + 1e-9) * LEAST * error
    return np.where(raised > 0, raised, np.nan), seen


def reaches(path: Sequence[OrderSpectrum], part: float) -> float:
    """Where along a path the total variance first is `part` of that at its start, else NaN.

    A position of 1.5 is halfway between the second spectrum and the third, in the logarithm of
    the total. Spectra are of one function each, and `part` lies between 0 and 1.
    """
    if not 0 < part < 1:
        raise ValueError(f"part must lie between 0 and 1, got {part}")
    totals = np.array([spectrum.total_variance for spectrum in path])
    goal = part * totals[0]
    below = np.flatnonzero(totals <= goal)
    if not len(below) or totals[below[0]] <= 0:
        return math.nan
    after = below[0]
    high, low = np.log(totals[after - 1 : after + 1] / goal)
    return after - 1 + high / (high - low)


def spectrum_at(path: Sequence[OrderSpectrum], position: float) -> OrderSpectrum:
    """Variances at a position along a path, their logarithms interpolated linearly.

    A variance that does not exceed `LEAST` of its standard errors counts at these, and what is
    interpolated from it has an error of 1 / `LEAST` of itself: it is not seen either. NaN where
    there is no error to raise it to, and all NaN at position NaN. Errors of the two sides are
    taken as independent.
    """
    if math.isnan(position):
        return OrderSpectrum.known(np.full_like(path[0].variance, np.nan), method="not reached")
    after = math.ceil(position)
    weights = {after: 1 - (after - position), after - 1: after - position}
    log, squared_error, all_seen = 0.0, 0.0, True
    for index, weight in weights.items():
        if weight > 0:
            error = path[index].standard_error
            variance, seen = _raised(path[index].variance, error)
            log = log + weight * np.log(variance)
            squared_error = squared_error + (weight * error / variance) ** 2
            all_seen = all_seen & seen
    variance = np.exp(log)
    error = variance * np.where(all_seen, np.sqrt(squared_error), 1 / LEAST)
    return OrderSpectrum.known(variance, error=error, method="interpolated along a path")
