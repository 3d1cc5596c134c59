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
from itertools import combinations

import numpy as np
import torch
from torch import Tensor

from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator

NODES = 4
"""Grid points per input of a subset: two independent shifted lattices of two."""
BACKGROUNDS = (8, 4, 2)
"""Backgrounds per subset and replicate; fewer where the budget is small."""
PILOT = 6
"""Replicates of the dearest order before the first look at the errors."""
TOTAL_BLOCK = 1024
"""Points per replicate of the total variance."""
DEFAULT_BUDGET = 2**25
POINTS_AT_ONCE = 2**17


def differences_spectrum(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None = None,
    seed: int,
) -> OrderSpectrum:
    """Estimate V_1 .. V_max_order and the total variance, each from its own random points.

    After a pilot, replicates go where they lower the error most per evaluation, until the
    standard error of every share is at most `tolerance` or the next replicate would pass the
    budget (default 2^25 evaluations).
    """
    budget = DEFAULT_BUDGET if budget is None else budget
    streams = _streams(evaluate, max_order, budget, seed)
    for stream, n in zip(streams, _pilot([s.cost for s in streams]), strict=True):
        stream.advance(n)
    while True:
        spectrum = _assemble(evaluate, streams, tolerance)
        wanted = _plan(streams, spectrum, tolerance)
        left = budget - evaluate.evaluations
        price = sum(n * s.cost for n, s in zip(wanted, streams, strict=True))
        share = min(1.0, left / price) if price else 0.0
        now = [int(n * share) for n in wanted]
        if spectrum.converged or not any(now):
            return spectrum if evaluate.outputs is not None else spectrum.output(0)
        for n, stream in zip(now, streams, strict=True):
            if n > 0:
                stream.advance(n)


def _streams(evaluate: Evaluator, max_order: int, budget: int, seed: int) -> list[_Stream]:
    dim = evaluate.inputs.dim
    for backgrounds in BACKGROUNDS:
        orders = range(1, max_order + 1)
        costs = [math.comb(dim, k) * NODES**k * backgrounds for k in orders] + [TOTAL_BLOCK]
        pilot = sum(n * cost for n, cost in zip(_pilot(costs), costs, strict=True))
        if pilot <= budget / 2:
            break
    if pilot > budget:
        raise ValueError(
            f"mixed differences visit every subset: orders 1 to {max_order} of {dim} inputs need "
            f"{pilot:,} evaluations at least, the budget is {budget:,}. Raise the budget or lower "
            "max_order"
        )
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    orders = [_Order(evaluate, k, backgrounds, generator) for k in range(1, max_order + 1)]
    return [*orders, _Total(evaluate, generator)]


def _pilot(costs: list[int]) -> list[int]:
    """Replicates before the first look; cheap streams get a quarter of the dearest one's cost."""
    return [max(PILOT, PILOT * max(costs) // (4 * cost)) for cost in costs]


class _Order:
    """Running sums of the replicates of every subset of one order."""

    def __init__(
        self, evaluate: Evaluator, order: int, backgrounds: int, generator: torch.Generator
    ) -> None:
        self.evaluate, self.order, self.backgrounds = evaluate, order, backgrounds
        self.generator = generator
        device = evaluate.device
        subsets = list(combinations(range(evaluate.inputs.dim), order))
        self.subsets = torch.tensor(subsets, device=device)
        self.points = NODES**order * backgrounds
        self.cost = len(subsets) * self.points
        self.replicates = 0
        shape = (len(subsets), evaluate.outputs or 1)
        self._sum = torch.zeros(shape, dtype=torch.float64, device=device)
        self._square = torch.zeros_like(self._sum)

    def advance(self, replicates: int) -> None:
        """Visit every subset `replicates` more times."""
        count = len(self.subsets)
        evaluate = self.evaluate
        row_bytes = 3 * evaluate.inputs.dim * 8 + 32 * (evaluate.outputs or 1)
        rows = min(POINTS_AT_ONCE, evaluate.memory // 4 // row_bytes)
        visits = torch.arange(replicates * count, device=self.subsets.device) % count
        for which in visits.split(max(1, rows // self.points)):
            values = self._visit(self.subsets[which])
            self._sum.index_add_(0, which, values)
            self._square.index_add_(0, which, values.square())
        self.replicates += replicates

    def _visit(self, subsets: Tensor) -> Tensor:
        """One unbiased estimate of V_u per row of `subsets` [s, k], as [s, m]."""
        s, k = subsets.shape
        b = self.backgrounds
        evaluate = self.evaluate
        inputs = evaluate.inputs
        z = inputs.sample(s * b, generator=self.generator, dtype=evaluate.dtype)
        nodes = inputs.quantile(
            _shifted_lattices((s, k), self.generator, evaluate.dtype),
            subsets[:, :, None],
        )
        grid = torch.cartesian_prod(*[torch.arange(NODES, device=z.device)] * k).reshape(-1, k)
        on_grid = nodes[:, torch.arange(k, device=z.device), grid]
        x = z.view(s, b, 1, -1).expand(s, b, NODES**k, inputs.dim).clone()
        place = subsets[:, None, None, :].expand(s, b, NODES**k, k)
        x.scatter_(3, place, on_grid[:, None].expand_as(place))
        table = evaluate(x.view(-1, inputs.dim)).view(s, b, NODES**k, -1)
        form = _centred_form(table.device)
        centred = table.view(s, b, *[NODES] * k, -1)
        for axis in range(2, 2 + k):
            centred = torch.tensordot(centred, form, dims=([axis], [0])).movedim(-1, axis)
        centred = centred.reshape(table.shape)
        all_pairs = (table.sum(dim=1) * centred.sum(dim=1)).sum(dim=1)
        same = (table * centred).sum(dim=(1, 2))
        return (all_pairs - same) / (b * (b - 1))

    def estimate(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """V_k, the variance of this estimate, and its degrees of freedom, each [m]."""
        n = self.replicates
        mean = self._sum / n
        spread = ((self._square / n - mean.square()) * n / (n - 1)).clamp(min=0)
        total = spread.sum(dim=0)
        # Satterthwaite, Biometrics Bulletin 2 (1946).
        df = (n - 1) * total.square() / spread.square().sum(dim=0).clamp(min=1e-300)
        return _numpy(mean.sum(dim=0)), _numpy(total / n), np.maximum(_numpy(df), 1.0)


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

    order = None

    def __init__(self, evaluate: Evaluator, generator: torch.Generator) -> None:
        self.evaluate, self.generator = evaluate, generator
        self.cost = TOTAL_BLOCK
        self.replicates = 0
        self._centre: Tensor | None = None
        self._powers = 0.0

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
    return OrderSpectrum(
        variance=variance,
        standard_error=np.where(constant, 0.0, np.sqrt(error_var)),
        share=share,
        share_standard_error=share_error,
        degrees_of_freedom=df,
        share_degrees_of_freedom=share_df,
        method=f"mixed differences ({orders[0].backgrounds} backgrounds, {NODES} random nodes)",
        evaluations=evaluate.evaluations,
        converged=bool(np.all((share_error <= tolerance) | constant)),
    )


def _satterthwaite(variances: np.ndarray, df: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sum of independent variance estimates along the last axis, and its degrees of freedom."""
    total = variances.sum(axis=-1)
    spread = (variances**2 / df).sum(axis=-1)
    return total, np.where(spread > 0, total**2 / np.where(spread > 0, spread, 1.0), np.inf)


def _plan(streams: list[_Stream], spectrum: OrderSpectrum, tolerance: float) -> list[int]:
    """Replicates to add to each stream, at most doubling it.

    Minimises the cost of bringing the error of the share above max_order, which collects every
    stream's, to the tolerance.
    """
    total = spectrum.total_variance
    total = np.where(spectrum.constant, np.inf, total)
    explained = 1 - np.nan_to_num(spectrum.share[..., -1])
    unit, cost = [], []
    for stream in streams:
        weight = np.abs(explained) if isinstance(stream, _Total) else 1.0
        unit.append(weight**2 * stream.estimate()[1] * stream.replicates / total**2)
        cost.append(float(stream.cost))
    unit, cost = np.array(unit), np.array(cost)[:, None]
    goal = max(tolerance, 1e-12) ** 2
    needed = np.sqrt(unit / cost) * np.sqrt(unit * cost).sum(axis=0) / goal
    needed = needed.max(axis=1)
    return [
        int(np.clip(np.ceil(n) - s.replicates, 0, s.replicates))
        for n, s in zip(needed, streams, strict=True)
    ]
