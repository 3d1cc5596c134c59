"""Selectivity: how much harder a regularizer acts on each further order of interaction.

Regularizers of growing strength give a path of spectra, the first without regularizer. Slopes of
two paths are compared where both leave as much: `reaches` finds the place, `spectrum_at` what is
there, between the strengths that were tried.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .spectrum import OrderSpectrum

LEAST = 3.0
"""Standard errors that the variance of an order must exceed, with and without the regularizer."""


@dataclass(frozen=True, kw_only=True)
class Selectivity:
    """Slope of log(V_k with / V_k without) against k, one per function.

    Shapes [...] are the leading axes of the spectra: () for one function.

    Attributes
    ----------
    slope, standard_error : float64 arrays [...]
        Per order. 0 is pure shrinkage, negative acts on interactions. NaN where fewer than two
        orders could be used.
    log_ratio : float64 array [..., max_order]
        log(V_k with / V_k without); NaN for orders that were not used.
    """

    slope: np.ndarray
    standard_error: np.ndarray
    log_ratio: np.ndarray

    @property
    def used(self) -> np.ndarray:
        """Which of the orders 1 .. max_order the slope rests on, bool [..., max_order]."""
        return ~np.isnan(self.log_ratio)


def selectivity(regularized: OrderSpectrum, plain: OrderSpectrum) -> Selectivity:
    """Compare spectra of a function learned with a regularizer and of one learned without.

    Used are the orders whose variance exceeds 3 standard errors in both, so none that is not
    there, and none where the method of measurement knows no standard error. What lies above
    max_order has no order and is not used.

    The slope is that of ordinary least squares. Log ratios of trained networks do not lie on a
    line exactly, and a fit weighted by their errors would answer with another slope whenever an
    order is measured better; this one does not depend on the budget. Its standard error is
    propagated to first order from those of the variances, taken as independent: it is that of
    the measurement, not of training, which differs between seeds.

    For input dropout at rate r on products of mean-zero inputs the slope is 2 log(1 - r)
    (`interactions.theory.dilated`).

    Parameters
    ----------
    regularized, plain : OrderSpectrum
        With the same orders; leading axes are broadcast, so many regularized functions may be
        compared with one.
    """
    if regularized.max_order != plain.max_order:
        raise ValueError(
            f"the spectra must have the same orders, got {regularized.max_order} and "
            f"{plain.max_order}"
        )
    shape = np.broadcast_shapes(regularized.variance.shape, plain.variance.shape)
    orders = np.arange(1, plain.max_order + 1)
    used = np.ones((*shape[:-1], len(orders)), dtype=bool)
    log_ratio, squared_error = np.zeros(used.shape), np.zeros(used.shape)
    for sign, spectrum in ((1, regularized), (-1, plain)):
        variance, error = spectrum.variance[..., :-1], spectrum.standard_error[..., :-1]
        seen = (variance > 0) & (variance > LEAST * error)
        known = np.where(seen, variance, 1.0)
        log_ratio += sign * np.log(known)
        squared_error += (error / known) ** 2
        used &= seen
    count = used.sum(axis=-1, keepdims=True)
    distance = np.where(used, orders - (used * orders).sum(-1, keepdims=True) / count.clip(1), 0.0)
    square = (distance**2).sum(axis=-1, keepdims=True)
    weights = distance / np.where(square > 0, square, np.nan)
    return Selectivity(
        slope=(weights * log_ratio).sum(axis=-1),
        standard_error=np.sqrt((weights**2 * np.where(used, squared_error, 0.0)).sum(axis=-1)),
        log_ratio=np.where(used, log_ratio, np.nan),
    )


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

    NaN where the variance of a spectrum on either side does not exceed `LEAST` of its standard
    errors; all NaN at position NaN. Errors of the two sides are taken as independent.
    """
    if math.isnan(position):
        return OrderSpectrum.known(np.full_like(path[0].variance, np.nan), method="not reached")
    after = math.ceil(position)
    weights = {after: 1 - (after - position), after - 1: after - position}
    log, squared_error = 0.0, 0.0
    for index, weight in weights.items():
        if weight > 0:
            variance, error = path[index].variance, path[index].standard_error
            variance = np.where(variance > LEAST * error, variance, np.nan)
            log = log + weight * np.log(variance)
            squared_error = squared_error + (weight * error / variance) ** 2
    variance = np.exp(log)
    return OrderSpectrum.known(
        variance, error=variance * np.sqrt(squared_error), method="interpolated along a path"
    )
