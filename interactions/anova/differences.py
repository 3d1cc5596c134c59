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
from functools import cached_property
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator

NODES = 6
"""Grid points per input of a subset: two independent shifted lattices of three."""
BACKGROUNDS = (2, 4, 8)
"""Choices of backgrounds per grid; the pilot finds which lowers the error most per evaluation."""
LEAST = 5
"""Replicates of every order, at least. Where a single subset carries the variance its estimates
are skewed, and intervals from fewer replicates cover too seldom."""
TOTAL_BLOCK = 1024
"""Points per replicate of the total variance."""
PILOT_BLOCKS = 4
DEFAULT_BUDGET = 2**25
POINTS_AT_ONCE = 2**17
ROUNDING = 1e-13
"""Root mean square of a subset's replicates that is taken for 0, in units of the variance."""
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
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    orders = [_Order(evaluate, k, generator) for k in range(1, max_order + 1)]
    streams: list[_Stream] = [*orders, _Total(evaluate, generator)]
    wanted = _first_round(evaluate, streams, tolerance, budget)
    while True:
        for n, stream in zip(wanted, streams, strict=True):
            if n > 0:
                stream.advance(n)
        spectrum = _assemble(evaluate, streams, tolerance)
        needed = _needed(streams, _in_shares(streams, spectrum), tolerance)
        more = [min(n - s.replicates, s.replicates) for n, s in zip(needed, streams, strict=True)]
        wanted = _afford(streams, [max(n, 0) for n in more], budget - evaluate.evaluations)
        if spectrum.converged or not any(wanted):
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
    pilot = _Total(evaluate, orders[0].generator)
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


def _limit_backgrounds(orders: list[_Order], budget: int) -> None:
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


class _Order:
    """Running sums of the replicates of every subset of one order."""

    def __init__(self, evaluate: Evaluator, order: int, generator: torch.Generator) -> None:
        self.evaluate, self.order, self.generator = evaluate, order, generator
        self.backgrounds = BACKGROUNDS[-1]
        self.count = math.comb(evaluate.inputs.dim, order)
        self.replicates = 0

    @cached_property
    def subsets(self) -> Tensor:
        """Every subset, [count, order]; made once it is known that they can be afforded."""
        subsets = list(combinations(range(self.evaluate.inputs.dim), self.order))
        return torch.tensor(subsets, device=self.evaluate.device)

    @cached_property
    def _sum(self) -> Tensor:
        return self._zeros()

    @cached_property
    def _square(self) -> Tensor:
        return self._zeros()

    def _zeros(self) -> Tensor:
        shape = (self.count, self.evaluate.outputs or 1)
        return torch.zeros(shape, dtype=torch.float64, device=self.evaluate.device)

    @property
    def cost(self) -> int:
        """Evaluations of one replicate."""
        return self.count * NODES**self.order * self.backgrounds

    def settle(self, replicates: int, total: np.ndarray) -> np.ndarray:
        """Choose the backgrounds by a pilot; returns the variance of one replicate, [m]."""
        choices = [b for b in BACKGROUNDS if b <= self.backgrounds]
        sums, squares = ([self._zeros() for _ in choices] for _ in range(2))
        for which in self._visits(replicates):
            table, centred = self._tables(self.subsets[which])
            for b, total_b, square_b in zip(choices, sums, squares, strict=True):
                values = _over_pairs(table[:, :b], centred[:, :b])
                total_b.index_add_(0, which, values)
                square_b.index_add_(0, which, values.square())
        spreads = [_spread(a, b, replicates).sum(dim=0) for a, b in zip(sums, squares, strict=True)]
        relative = [b * (_numpy(s) / total**2).sum() for b, s in zip(choices, spreads, strict=True)]
        best = int(np.argmin(relative))
        self.backgrounds = choices[best]
        return _numpy(spreads[best])

    def advance(self, replicates: int) -> None:
        """Visit every subset `replicates` more times."""
        for which in self._visits(replicates):
            values = _over_pairs(*self._tables(self.subsets[which]))
            self._sum.index_add_(0, which, values)
            self._square.index_add_(0, which, values.square())
        self.replicates += replicates

    def estimate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """V_k, the variance of this estimate, and its degrees of freedom, each [m]."""
        n = self.replicates
        spread = _spread(self._sum, self._square, n)
        total = spread.sum(dim=0)
        # Satterthwaite, Biometrics Bulletin 2 (1946).
        df = (n - 1) * total.square() / spread.square().sum(dim=0).clamp(min=1e-300)
        return _numpy(self._sum.sum(dim=0) / n), _numpy(total / n), np.maximum(_numpy(df), 1.0)

    def unseen(self, total: np.ndarray) -> np.ndarray:
        """Where all replicates of all subsets are 0, but for rounding, [m]."""
        largest = _numpy((self._square / self.replicates).amax(dim=0).sqrt())
        return largest <= ROUNDING * total

    def _visits(self, replicates: int) -> tuple[Tensor, ...]:
        """Numbers of the subsets to visit, in chunks that fit the memory."""
        row_bytes = 24 * self.evaluate.inputs.dim + 32 * (self.evaluate.outputs or 1)
        rows = min(POINTS_AT_ONCE, self.evaluate.memory // 4 // row_bytes)
        visits = torch.arange(replicates * self.count, device=self.subsets.device) % self.count
        return visits.split(max(1, rows // (NODES**self.order * self.backgrounds)))

    def _tables(self, subsets: Tensor) -> tuple[Tensor, Tensor]:
        """Values on fresh grids, and these centred along every axis, [s, b, NODES^k, m] each."""
        s, k = subsets.shape
        b, evaluate = self.backgrounds, self.evaluate
        inputs, device = evaluate.inputs, evaluate.device
        z = inputs.sample(s * b, generator=self.generator, dtype=evaluate.dtype)
        u = _shifted_lattices((s, k), self.generator, evaluate.dtype)
        nodes = inputs.quantile(u, subsets[:, :, None])
        grid = torch.cartesian_prod(*[torch.arange(NODES, device=device)] * k).reshape(-1, k)
        on_grid = nodes[:, torch.arange(k, device=device), grid]
        x = z.view(s, b, 1, -1).expand(s, b, NODES**k, inputs.dim).clone()
        place = subsets[:, None, None, :].expand(s, b, NODES**k, k)
        x.scatter_(3, place, on_grid[:, None].expand_as(place))
        table = evaluate(x.view(-1, inputs.dim)).view(s, b, NODES**k, -1)
        centred = table.view(s, b, *[NODES] * k, -1)
        for axis in range(2, 2 + k):
            centred = torch.tensordot(centred, _centred_form(device), dims=([axis], [0]))
            centred = centred.movedim(-1, axis)
        return table, centred.reshape(table.shape)


def _over_pairs(table: Tensor, centred: Tensor) -> Tensor:
    """Mean of <table_a, centred_b> over pairs of different backgrounds, [s, m]: unbiased V_u."""
    b = table.shape[1]
    every = (table.sum(dim=1) * centred.sum(dim=1)).sum(dim=1)
    same = (table * centred).sum(dim=(1, 2))
    return (every - same) / (b * (b - 1))


def _spread(total: Tensor, square: Tensor, n: int) -> Tensor:
    """Sample variance of each subset's n estimates, from their sum and sum of squares."""
    return ((square / n - (total / n).square()) * n / (n - 1)).clamp(min=0)


def _numpy(x: Tensor) -> np.ndarray:
    return x.cpu().numpy()


def _shifted_lattices(
    shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype
) -> Tensor:
    """Uniforms [*shape, NODES]: two independent lattices of NODES / 2 points, shifted at random."""
    half = NODES // 2
    shift = torch.rand(*shape, 2, 1, generator=generator, dtype=dtype, device=generator.device)
    steps = torch.arange(half, dtype=dtype, device=generator.device)
    return ((steps + shift) / half).flatten(-2)


def _centred_form(device: torch.device) -> Tensor:
    """The form A with E h(x)' A g(x) = Cov(h, g) on the nodes of `_shifted_lattices`.

    Within a lattice points are spread evenly, which serves the mean of h g; between the two they
    are independent, which makes the product of their means unbiased for E h E g.
    """
    half = NODES // 2
    form = torch.eye(NODES, dtype=torch.float64, device=device) / NODES
    form[:half, half:] = form[half:, :half] = -1 / (2 * half**2)
    return form


class _Total:
    """Running moments of plain samples, for the total variance."""

    def __init__(self, evaluate: Evaluator, generator: torch.Generator) -> None:
        self.evaluate, self.generator = evaluate, generator
        self.cost = TOTAL_BLOCK
        self.replicates = 0
        self._centre: Tensor | None = None
        self._powers: Tensor | float = 0.0

    def advance(self, replicates: int) -> None:
        for _ in range(replicates):
            x = self.evaluate.inputs.sample(
                TOTAL_BLOCK, generator=self.generator, dtype=self.evaluate.dtype
            )
            y = self.evaluate(x)
            if self._centre is None:
                # Any fixed number near the mean keeps the sums of powers accurate.
                self._centre = y.mean(dim=0)
            y = y - self._centre
            self._powers = self._powers + torch.stack([(y**p).sum(dim=0) for p in (1, 2, 3, 4)])
        self.replicates += replicates

    def fourth(self) -> np.ndarray:
        """Fourth moment over the squared second, [m]; 1 for constant functions."""
        m1, m2, m3, m4 = _numpy(self._powers) / (self.replicates * TOTAL_BLOCK)
        variance = m2 - m1**2
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        return np.where(variance > 0, fourth / np.where(variance > 0, variance, 1.0) ** 2, 1.0)

    def estimate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Total variance, the variance of this estimate, and its degrees of freedom, each [m]."""
        n = self.replicates * TOTAL_BLOCK
        m1, m2, m3, m4 = _numpy(self._powers) / n
        variance = (m2 - m1**2) * n / (n - 1)
        fourth = m4 - 4 * m1 * m3 + 6 * m1**2 * m2 - 3 * m1**4
        error = np.maximum(fourth - variance**2 * (n - 3) / (n - 1), 0) / n
        return variance, error, np.full_like(variance, n - 1)


_Stream = _Order | _Total


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
    own = [_satterthwaite(a, d) for a, d in (variance_parts, above)]
    error_var = np.concatenate([own[0][0], own[1][0][:, None]], axis=-1)
    df = np.concatenate([own[0][1], own[1][1][:, None]], axis=-1)

    # Shares V_k / T and 1 - sum V_k / T, to first order in the errors.
    share = np.concatenate([v, total - known], axis=-1) / scale
    ratio = np.concatenate([v, known], axis=-1) / scale
    from_total = ratio**2 * total_var / scale**2
    from_orders = np.concatenate([v_var, v_var.sum(axis=-1, keepdims=True)], axis=-1) / scale**2
    orders_df = np.concatenate([v_df, _satterthwaite(v_var, v_df)[1][:, None]], axis=-1)
    share_var, share_df = _satterthwaite(
        np.stack([from_orders, from_total], axis=-1),
        np.stack([orders_df, np.broadcast_to(total_df, orders_df.shape)], axis=-1),
    )
    share_error = np.sqrt(share_var)
    backgrounds = "/".join(str(o.backgrounds) for o in orders)
    return OrderSpectrum(
        variance=variance,
        standard_error=np.where(constant, 0.0, np.sqrt(error_var)),
        share=share,
        share_standard_error=share_error,
        degrees_of_freedom=df,
        share_degrees_of_freedom=share_df,
        method=f"mixed differences ({NODES} random nodes, {backgrounds} backgrounds by order)",
        evaluations=evaluate.evaluations,
        converged=bool(np.all((share_error <= tolerance) | constant)),
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
        converged=spectrum.converged and not doubts,
        reason="; ".join(doubts),
    )


def _satterthwaite(variances: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of independent variance estimates along the last axis, and its degrees of freedom."""
    total = variances.sum(axis=-1)
    spread = (variances**2 / df).sum(axis=-1)
    return total, np.where(spread > 0, total**2 / np.where(spread > 0, spread, 1.0), np.inf)
