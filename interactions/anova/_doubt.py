"""What a spectrum read off a basis cannot know, and whether another route agrees with it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator
from ._pairs import Sample
from ._pilot import Look

TELLING = 100.0
"""Points, at least, that the variance must be spread over: it is known to a tenth then, and the
errors of fewer are themselves unknown."""
MARGIN = 1.2
"""By which a sample that should tell is larger than one that seems to suffice."""
LEFT_OUT = 2.0
"""Share that a basis may leave out of a spectrum that has converged, in units of the tolerance;
below `LEAST_LEFT_OUT` of the variance none matters."""
LEAST_LEFT_OUT = 0.01
LEAST_KNOWN = 0.002
"""Share that a frugal reading may leave out unseen: it knows what it leaves out by few curves."""
STABILITY = 0.7
"""Probability with which pairs of points share an input: the difference between orders 2 and 4 in
their covariance is largest here."""
AGREE = 4.0
"""Standard errors that two routes may differ by."""


class Stability(NamedTuple):
    """Covariance of f at pairs of points that share some inputs, a share of variance, and error.

    An effect of order k counts STABILITY^k times, whatever its form: no basis is involved.
    """

    share: np.ndarray
    error: np.ndarray
    pairs: int


def stability(
    evaluate: Evaluator, look: Look, sample: Sample, pairs: int, generator: torch.Generator
) -> Stability:
    """Pair points of a sample with points that take each input from them, or draw it anew."""
    blocks, n, dim = sample.x.shape
    some = min(n, max(1, pairs // blocks))
    x, f, weight = (a[:, :some].flatten(0, 1) for a in sample)
    fresh = evaluate.inputs.sample(len(x), generator=generator, dtype=evaluate.dtype)
    shared = torch.rand(len(x), dim, generator=generator, device=x.device) < STABILITY
    partner = evaluate(torch.where(shared, x, fresh)) - look.centre
    f = f.double()
    # To first order the error of the ratio is that of (product - share x square).
    product, square = f * partner, f.square() / weight[:, None]
    total = square.mean(dim=0)
    share = product.mean(dim=0) / total
    error = ((product - share * square) / total).std(dim=0) / len(x) ** 0.5
    return Stability(share.cpu().numpy(), error.cpu().numpy(), len(x))


def with_left_out(spectrum: OrderSpectrum) -> OrderSpectrum:
    """The spectrum with the errors raised by what a basis leaves out, which are not only noise.

    It counts as above all orders and is missed by the highest as a rule, whose products are many
    and whose functions are few. All arrays have a leading axis of outputs.
    """
    lost = np.fmax(spectrum.left_out, LEAST_KNOWN)[:, None]
    total = np.abs(spectrum.variance.sum(axis=-1, keepdims=True))
    error, share_error = spectrum.standard_error.copy(), spectrum.share_standard_error.copy()
    error[:, -2:] = np.hypot(error[:, -2:], lost * total)
    share_error[:, -2:] = np.hypot(share_error[:, -2:], lost)
    return replace(spectrum, standard_error=error, share_standard_error=share_error)


def beyond(spectrum: OrderSpectrum) -> np.ndarray:
    """As much as may lie above the orders or outside of a basis that was not read off, [m].

    Unknown where the error is, and nothing where the function is constant.
    """
    doubt = 2 * spectrum.share_standard_error[..., -1]
    above = np.maximum(spectrum.share[..., -1], 0.0)
    return np.where(spectrum.constant, 0.0, np.minimum(above + doubt, 1.0))


def doubted(
    spectrum: OrderSpectrum, look: Look, sample: Sample, route: Stability | None, tolerance: float
) -> OrderSpectrum:
    """The spectrum with what is not known marked so: not converged, and unknown left out.

    All arrays have a leading axis of outputs.
    """
    points = sample.x.shape[0] * sample.x.shape[1]
    telling = _telling(look, sample)
    constant = spectrum.constant
    few = (telling < TELLING) & ~constant
    left_out = np.where(few | constant, np.nan, np.maximum(spectrum.left_out, 0.0))
    much = left_out > max(LEFT_OUT * tolerance, LEAST_LEFT_OUT)
    unseen = ~constant & np.isnan(spectrum.share_standard_error).any(axis=-1)
    checks = [f"the variance is spread over {np.min(telling):,.0f} points or more"]
    doubts = []
    if constant.any():
        doubts.append(f"no variation seen in {spectrum.evaluations:,} points, which proves none")
    if few.any():
        doubts.append(
            f"rare points carry the variance: as much as {np.min(telling[few]):.0f} points alone "
            f"would, of {points:,}, too few for errors to be known"
        )
    if much.any():
        doubts.append(f"the basis may leave out {np.nanmax(left_out):.2g} of a share")
    if unseen.any():
        doubts.append("an order of which no point showed anything has an unknown error")
    if route is not None and not constant.all():
        off = _disagreement(spectrum, route)
        text = (
            f"covariance at {route.pairs:,} pairs of points that share inputs with probability "
            f"{STABILITY}, without a basis"
        )
        if np.any(off > tolerance):
            left_out = np.where(off > tolerance, np.nan, left_out)
            doubts.append(f"{text}, contradicts these orders")
        else:
            checks.append(f"{text}, agrees with these orders")
    return replace(
        spectrum,
        left_out=left_out,
        cumulative_standard_error=np.where(
            np.isnan(left_out)[:, None], np.nan, spectrum.cumulative_error()[0]
        ),
        converged=spectrum.converged and not doubts,
        reason="; ".join([r for r in (spectrum.reason, *doubts) if r]),
        checks=(*spectrum.checks, *checks),
    )


def points_that_tell(constant: np.ndarray, look: Look, sample: Sample) -> float:
    """How many points a sample would need for the errors of all functions [m] to be known."""
    least = np.min(_telling(look, sample)[~constant], initial=np.inf)
    return MARGIN * TELLING / max(least, 1e-300) * sample.x.shape[0] * sample.x.shape[1]


def _telling(look: Look, sample: Sample) -> np.ndarray:
    """How many points share the variance of each output, by the sample and by the first look."""
    square = (sample.f.double().square() / sample.weight[..., None]).flatten(0, 1)
    seen = square.sum(dim=0).square() / square.square().sum(dim=0).clamp(min=1e-300)
    expected = len(square) / max(look.fourth(look.tilt), 1.0)
    return np.minimum(seen.cpu().numpy(), expected)


def _disagreement(spectrum: OrderSpectrum, route: Stability) -> np.ndarray:
    """By how much the other route lies beyond what the orders allow, as a share, [m]."""
    low = STABILITY ** np.arange(1, spectrum.max_order + 1)
    orders, above = spectrum.share[:, :-1], np.maximum(spectrum.share[:, -1], 0.0)
    least = orders @ low
    # What the basis may leave out is no contradiction: it is said already.
    said = np.nan_to_num(spectrum.left_out) * STABILITY
    most = least + above * low[-1] * STABILITY + said
    error = np.hypot(route.error, np.sqrt(np.square(spectrum.share_standard_error).sum(axis=-1)))
    beyond = np.maximum(route.share - most, least - route.share) - AGREE * error
    return np.nan_to_num(np.maximum(beyond, 0.0))
