"""Monte Carlo mixed differences: unbiased for any function, with no basis to choose.

For a subset u of k inputs, put a small random grid on u and draw backgrounds z for the other
inputs. On the table of values f(x_u, z), a centred bilinear form along every axis of u leaves
the effects of u and its supersets; averaging its value over pairs of DIFFERENT backgrounds leaves
only that of u, so each pair is an unbiased estimate of V_u, the square of an expectation needing
two independent copies (a U-statistic in the background, as Sobol's and Liu & Owen's superset
index use pairs in the inputs: J. Am. Stat. Assoc. 101, 2006).

One replicate visits EVERY subset of an order with fresh points, so no effect can hide in
subsets that were not looked at. Replicates of a subset are independent and subsets are
independent of each other: the variance of the sum is the sum of the subsets' variances.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import torch

from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator
from ._limits import budget_of, ended
from ._replicates import BACKGROUNDS, NODES, TOTAL_BLOCK, OrderReplicates, TotalReplicates

LEAST = 5
"""Replicates of every order, at least. Where a single subset carries the variance its estimates
are skewed, and intervals from fewer replicates cover too seldom."""
PILOT_BLOCKS = 4
DEFAULT_BUDGET = 2**25
TELLING_POINTS = 100
"""Points that must carry the variance among those that give the total: the errors of fewer are
themselves unknown."""
TELLING_BACKGROUNDS = 10
"""Backgrounds that must carry it among those of each order, whose grids look around each."""


def differences_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None,
    seed: int,
) -> OrderSpectrum:
    """Estimate V_1 .. V_max_order and the total variance, each from its own random points.

    A pilot, whose values do not enter the estimates, sets the number of backgrounds and divides
    the work. Replicates are then added where they lower the error most per evaluation, until
    every share's standard error is at most `tolerance` or the budget (default 2^25 evaluations)
    is spent.
    """
    budget = DEFAULT_BUDGET if budget is None else budget
    least = evaluate.evaluations + least_evaluations(evaluate.inputs.dim, max_order)
    if least > budget:
        raise ValueError(
            f"mixed differences visit every subset: orders 1 to {max_order} of "
            f"{evaluate.inputs.dim} inputs need {least:,} evaluations at least, the budget is "
            f"{budget:,}. Raise the budget or lower max_order"
        )
    evaluate.bar.within(budget)
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    orders = [OrderReplicates(evaluate, k, generator) for k in range(1, max_order + 1)]
    streams: list[_Stream] = [*orders, TotalReplicates(evaluate, generator)]
    wanted = _first_round(evaluate, streams, tolerance, budget)
    while True:
        for n, stream in zip(wanted, streams, strict=True):
            if n > 0:
                stream.advance(n)
        spectrum = _assemble(evaluate, streams, tolerance)
        evaluate.bar.reached(spectrum.share_standard_error, tolerance)
        needed = _needed(streams, _in_shares(streams, spectrum), tolerance)
        lacking = [max(n - s.replicates, 0) for n, s in zip(needed, streams, strict=True)]
        more = [min(n, s.replicates) for n, s in zip(lacking, streams, strict=True)]
        wanted = _afford(streams, more, budget - evaluate.evaluations)
        if spectrum.converged or not any(wanted):
            if not spectrum.converged and any(lacking):
                price = sum(n * s.cost for n, s in zip(lacking, streams, strict=True))
                changes = [budget_of(evaluate.evaluations + price)]
                reason = ended("budget", changes, spectrum.share_standard_error, tolerance)
                spectrum = replace(spectrum, reason=reason)
            spectrum = _doubted(spectrum, streams)
            return spectrum if evaluate.outputs is not None else spectrum.output(0)


def least_evaluations(dim: int, max_order: int) -> int:
    """Evaluations below which the method refuses: every subset must be visited."""
    subsets = (math.comb(dim, k) * NODES**k for k in range(1, max_order + 1))
    return LEAST * (BACKGROUNDS[0] * sum(subsets) + TOTAL_BLOCK)


def _first_round(
    evaluate: Evaluator, streams: list[_Stream], tolerance: float, budget: int
) -> list[int]:
    """Replicates to start with, from a pilot where the budget has room for one."""
    *orders, _ = streams
    _limit_backgrounds(orders, budget)
    pilot = TotalReplicates(evaluate, orders[0].generator)
    looks = [max(2, min(16, 2**16 // order.cost)) for order in orders]
    price = sum(n * order.cost for n, order in zip(looks, orders, strict=True))
    left = budget - evaluate.evaluations
    least = least_evaluations(evaluate.inputs.dim, len(orders))
    if price + PILOT_BLOCKS * TOTAL_BLOCK <= min(left / 4, left - least):
        pilot.advance(PILOT_BLOCKS)
        variance, error, _ = pilot.estimate()
        total = np.where(evaluate.is_constant(variance), np.inf, variance)
        spread = [o.settle(n, total) for n, o in zip(looks, orders, strict=True)]
        spread = np.stack([*spread, error * pilot.replicates]) / total**2
        needed = _needed(streams, spread, tolerance)
    else:
        for order in orders:
            order.backgrounds = BACKGROUNDS[0]
        needed = [max(s.cost for s in streams) * LEAST // s.cost for s in streams]
    least = LEAST * sum(s.cost for s in streams)
    if least > budget - evaluate.evaluations:
        for order in orders:
            order.backgrounds = BACKGROUNDS[0]
        least = LEAST * sum(s.cost for s in streams)
    # Cheap replicates are not worth saving: many of them make the errors trustworthy.
    needed = [max(n, min(64, 2**17 // s.cost)) for n, s in zip(needed, streams, strict=True)]
    extra = _afford(
        streams, [max(n - LEAST, 0) for n in needed], budget - evaluate.evaluations - least
    )
    return [LEAST + n for n in extra]


def _limit_backgrounds(orders: list[OrderReplicates], budget: int) -> None:
    """The most backgrounds with which the least number of replicates fits the budget."""
    for b in BACKGROUNDS:
        for order in orders:
            before, order.backgrounds = order.backgrounds, b
        if b > BACKGROUNDS[0] and LEAST * sum(order.cost for order in orders) > 0.7 * budget:
            for order in orders:
                order.backgrounds = before
            return


def _afford(streams: list[_Stream], wanted: list[int], left: int) -> list[int]:
    """As many of the wanted replicates as the evaluations left allow, in proportion."""
    price = sum(n * s.cost for n, s in zip(wanted, streams, strict=True))
    fits = min(1.0, max(left, 0) / price) if price else 0.0
    return [int(n * fits) for n in wanted]


def _in_shares(streams: list[_Stream], spectrum: OrderSpectrum) -> np.ndarray:
    """What one replicate of each stream adds to the squared error of a share, [streams, m]."""
    total = np.where(spectrum.constant, np.inf, spectrum.total_variance)
    weight = np.ones((len(streams), len(total)))
    weight[-1] = 1 - np.nan_to_num(spectrum.share[..., -1])
    spread = np.stack([s.estimate()[1] * s.replicates for s in streams])
    return weight**2 * spread / total**2


def _needed(streams: list[_Stream], spread: np.ndarray, tolerance: float) -> list[int]:
    """Replicates of each stream that reach the tolerance at the least cost, for every output.

    The share above max_order collects the errors of all streams, so its error is the one to
    bring down: minimise sum n_s c_s subject to sum spread_s / n_s <= tolerance^2.
    """
    cost = np.array([[float(s.cost)] for s in streams])
    needed = np.sqrt(spread / cost) * np.sqrt(spread * cost).sum(axis=0)
    needed = needed.max(axis=1) / max(tolerance, 1e-9) ** 2
    return [int(min(np.ceil(1.05 * n), 1e15)) for n in needed]


_Stream = OrderReplicates | TotalReplicates


def _assemble(evaluate: Evaluator, streams: list[_Stream], tolerance: float) -> OrderSpectrum:
    """Spectrum of the running estimates; the orders and the total are independent."""
    *orders, total_stream = streams
    v, v_var, v_df = (
        np.stack(c, axis=-1) for c in zip(*[o.estimate() for o in orders], strict=True)
    )
    total, total_var, total_df = (c[:, None] for c in total_stream.estimate())
    constant = evaluate.is_constant(total)
    total = np.where(constant, 0.0, total)
    known = v.sum(axis=-1, keepdims=True)
    scale = np.where(constant, np.nan, total)

    variance = np.where(constant, 0.0, np.concatenate([v, total - known], axis=-1))
    # Everything above is what the orders leave of the total.
    variance_parts = [v_var[..., None], v_df[..., None]]
    above = np.concatenate([v_var, total_var], axis=-1), np.concatenate([v_df, total_df], axis=-1)
    each, rest = (_satterthwaite(a, d) for a, d in (variance_parts, above))
    error_var = np.concatenate([each[0], rest[0][:, None]], axis=-1)
    df = np.concatenate([each[1], rest[1][:, None]], axis=-1)

    # Shares V_k / T of every order and of all up to it, to first order in the errors. What lies
    # above the last errs as what lies up to it.
    n = v.shape[-1]
    sums = np.vstack([np.eye(n), np.tril(np.ones((n, n)))])
    share = np.concatenate([v, total - known], axis=-1) / scale
    from_total = (v @ sums.T / scale) ** 2 * total_var / scale**2
    from_orders, orders_df = _satterthwaite(sums * v_var[:, None], v_df[:, None])
    error, error_df = _satterthwaite(
        np.stack([from_orders / scale**2, from_total], axis=-1),
        np.stack([orders_df, np.broadcast_to(total_df, orders_df.shape)], axis=-1),
    )
    error = np.sqrt(error)
    (own, up_to), (own_df, up_to_df) = (np.split(a, 2, axis=-1) for a in (error, error_df))
    share_error = np.concatenate([own, up_to[:, -1:]], axis=-1)
    nothing = np.zeros_like(up_to[:, :1])
    backgrounds = "/".join(str(o.backgrounds) for o in orders)
    return OrderSpectrum(
        variance=variance,
        standard_error=np.where(constant, 0.0, np.sqrt(error_var)),
        share=share,
        share_standard_error=share_error,
        degrees_of_freedom=df,
        share_degrees_of_freedom=np.concatenate([own_df, up_to_df[:, -1:]], axis=-1),
        method=f"mixed differences ({NODES} random nodes, {backgrounds} backgrounds by order)",
        evaluations=evaluate.evaluations,
        converged=bool(np.all((share_error <= tolerance) | constant)),
        cumulative_standard_error=np.concatenate([up_to, nothing], axis=-1),
        cumulative_degrees_of_freedom=np.concatenate([up_to_df, nothing + np.inf], axis=-1),
    )


def _doubted(spectrum: OrderSpectrum, streams: list[_Stream]) -> OrderSpectrum:
    """The spectrum with what is not known marked so: orders that no point showed anything of.

    Where rare points carry the variance, replicates that missed them agree on too little.
    """
    *orders, total = streams
    constant = spectrum.constant
    unseen = np.stack([o.unseen(spectrum.total_variance) for o in orders], axis=-1)
    # The error of everything above is that of the other orders and the total.
    unseen = np.concatenate([unseen, np.zeros_like(unseen[:, :1])], axis=-1)
    unseen |= constant[:, None]
    fourth = total.fourth()
    telling = [total.replicates * TOTAL_BLOCK / TELLING_POINTS]
    telling += [o.replicates * o.count * o.backgrounds / TELLING_BACKGROUNDS for o in orders]
    few = ~constant & (fourth > min(telling))
    doubts = [spectrum.reason] if spectrum.reason else []
    if constant.any():
        doubts.append(f"no variation seen in {spectrum.evaluations:,} points, which proves none")
    if unseen[~constant].any():
        doubts.append("an order of which no replicate showed anything has an unknown error")
    if few.any():
        doubts.append("rare points carry the variance, and too few of them were seen")
    return replace(
        spectrum,
        standard_error=np.where(unseen, np.nan, spectrum.standard_error),
        share_standard_error=np.where(unseen, np.nan, spectrum.share_standard_error),
        cumulative_standard_error=np.where(few[:, None], np.nan, spectrum.cumulative_error()[0]),
        converged=spectrum.converged and not doubts,
        reason="; ".join(doubts),
    )


def _satterthwaite(variances: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of independent variance estimates along the last axis, and its degrees of freedom."""
    total = variances.sum(axis=-1)
    spread = (variances**2 / df).sum(axis=-1)
    return total, np.where(spread > 0, total**2 / np.where(spread > 0, spread, 1.0), np.inf)
