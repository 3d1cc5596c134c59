"""What is settled before the kernel's sample is drawn, and the drawing of it.

A pilot centres the functions and plans the size of the sample, and curves along every input choose
the basis. Where evaluations are dear, fewer points do, as long as the function is smooth and no
rare points carry it: a surrogate then makes up for a smaller sample. Where there are too few for
curves, polynomials are the basis, and what they leave out is not known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ._array_mean import BLOCKS
from ._curves import FRUGAL, THOROUGH, Reading
from ._evaluate import Evaluator
from ._pairs import Sample
from ._pilot import Look, first_look
from ._tilt import PLAIN
from .basis import Basis, adapted, family_cost, polynomials
from .surrogate import MOST_FIT, PROBE, fit_work, pays

PILOT = 2**13
"""Points of the pilot, whose values centre the functions and plan the size of the sample."""
FRUGAL_PILOT = 2**11
"""The same where evaluations are dear."""
LEAST_POINTS = 24 * BLOCKS
"""Points of the pilot, at least: 16 in a block, and half as many tilted ones."""
SUFFICES = 2
"""Times what a frugal reading needs at least, from which it leaves enough for the sample."""
LEAST_LOSS = 0.01
"""Share of variance that a frugal reading may seem to lose at any tolerance."""


class Prepared(NamedTuple):
    """What is settled before the sample is drawn, from points that are not used again as a rule.

    Attributes
    ----------
    pilot : Sample
        A small sample, centred, whose spectrum plans the size of the large one.
    look : Look
        What the first points show: the functions' means, and how to draw the sample.
    basis : Basis
    left_out : array [m]
        Bound on the share that lies outside of the basis; NaN where nothing is known of it.
    generator : torch.Generator
        The stream of random points, just behind those used up.
    surrogate : bool
        Whether the sample is adjusted by a surrogate.
    """

    pilot: Sample
    look: Look
    basis: Basis
    left_out: np.ndarray
    generator: torch.Generator
    surrogate: bool = False


def prepare(
    evaluate: Evaluator,
    *,
    max_order: int,
    tolerance: float,
    budget: int,
    seed: int,
    surrogate: bool | None = False,
) -> Prepared:
    """Draw the pilot and choose the basis, for a quarter and a third of the budget at most.

    A surrogate is prepared for with fewer evaluations; where it is None, only where it pays, or
    where the budget allows nothing else and it takes seconds.
    """
    left, frugal = budget - evaluate.evaluations, _least(evaluate, FRUGAL)
    settings = {"max_order": max_order, "budget": budget, "seed": seed}
    if surrogate is None:
        dear = left >= PROBE + frugal and pays(evaluate, max_order, seed)
        work = fit_work(left, evaluate.outputs or 1, evaluate.inputs.dim, max_order)
        if left < SUFFICES * frugal:
            return _unread(evaluate, **settings, surrogate=dear or work <= MOST_FIT)
        surrogate = dear or left < _least(evaluate, THOROUGH)
    elif surrogate and left < SUFFICES * frugal:
        return _unread(evaluate, **settings, surrogate=True)
    if surrogate:
        # Its errors may be far below a loose tolerance, and what is lost should not exceed them.
        ready = _read(evaluate, FRUGAL, tolerance=min(tolerance, LEAST_LOSS), **settings)
        if ready is not None:
            return ready._replace(surrogate=True)
    return _read(evaluate, THOROUGH, tolerance=tolerance, **settings)._replace(surrogate=surrogate)


def _read(
    evaluate: Evaluator,
    reading: Reading,
    *,
    max_order: int,
    tolerance: float,
    budget: int,
    seed: int,
) -> Prepared | None:
    """What a reading finds, or None where it is a frugal one and does not suffice."""
    frugal = reading is FRUGAL
    left = budget - evaluate.evaluations
    price = family_cost(evaluate.inputs, reading)
    least = _least(evaluate, reading)
    if left < least:
        raise ValueError(
            f"the kernel method needs {evaluate.evaluations + least:,} evaluations at least for "
            f'{evaluate.inputs.dim} inputs, the budget is {budget:,}: method="surrogate" does with '
            "fewer"
        )
    pilot = FRUGAL_PILOT if frugal else PILOT
    look, plan, generator = _first_points(evaluate, pilot, budget, seed)
    # A frugal reading is better than none.
    thorough = frugal and budget - evaluate.evaluations >= 2 * _least(evaluate, THOROUGH)
    if thorough and (look.uneven or not look.total.any()):
        return None
    # Closer knots than those of a frugal reading are left to a thorough one.
    spent = min(left // 3, reading.families * price) if frugal else left // 3
    basis = adapted(
        evaluate,
        look,
        max_order=max_order,
        tolerance=tolerance,
        budget=spent,
        sample=max(budget - evaluate.evaluations - spent, BLOCKS),
        generator=generator,
        reading=reading,
    )
    # Of a loss that is noise, and no more than that of a sample, nothing is made.
    if thorough and basis.left_out.mean() > max(reading.part * tolerance, LEAST_LOSS):
        return None
    return Prepared(plan, look, basis, basis.left_out, generator)


def _unread(
    evaluate: Evaluator, *, max_order: int, budget: int, seed: int, surrogate: bool
) -> Prepared:
    """The same of a budget that reading a basis would use up: polynomials as a sample bears."""
    least = 2 * LEAST_POINTS
    if budget - evaluate.evaluations < least:
        raise ValueError(
            f"a measurement needs {evaluate.evaluations + least:,} evaluations at least, the "
            f"budget is {budget:,}: order_spectrum_from_samples does with 132 points drawn from "
            "the inputs"
        )
    look, plan, generator = _first_points(evaluate, FRUGAL_PILOT, budget, seed)
    basis = polynomials(evaluate.inputs, max_order, sample=budget - evaluate.evaluations)
    unknown = np.full(evaluate.outputs or 1, np.nan)
    return Prepared(plan, look, basis, unknown, generator, surrogate=surrogate)


def _first_points(
    evaluate: Evaluator, most: int, budget: int, seed: int
) -> tuple[Look, Sample, torch.Generator]:
    """Look at so many plain points at most, for a quarter of the budget, and keep them to plan."""
    evaluate.bar.within(budget)
    left = budget - evaluate.evaluations
    # Half as many tilted points join them, and all are held with their bins and values.
    held = 3 * (5 * evaluate.inputs.dim + 12 * (evaluate.outputs or 1))
    n = max(16, min(most, left // 4, evaluate.memory // 4 // held) // BLOCKS)
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    look, first = first_look(evaluate, n * BLOCKS, left // 4, generator)
    weight = torch.ones_like(look.weight)
    if look.tilt is not None:
        weight = look.tilt.weight(look.bins, PLAIN)
    plan = in_blocks(look.x[first], (look.f - look.centre)[first], weight[first])
    return look, plan, generator


def _least(evaluate: Evaluator, reading: Reading) -> int:
    """Evaluations that a measurement needs, at least.

    Half for the pilot, a third for the basis, two families at least, and the rest for the sample.
    """
    return max(2 * LEAST_POINTS, 3 * 2 * family_cost(evaluate.inputs, reading))


def draw(evaluate: Evaluator, prepared: Prepared, n: int) -> Sample:
    """A fresh sample of n points in every block, its values centred and weighted.

    Few at a time, for their values come in float64.
    """
    inputs, tilt = evaluate.inputs, prepared.look.tilt
    like = {"generator": prepared.generator, "dtype": evaluate.dtype}
    rows = max(1, evaluate.memory // 16 // (8 * BLOCKS * ((evaluate.outputs or 1) + inputs.dim)))
    parts = []
    for start in range(0, n, rows):
        size = BLOCKS * min(rows, n - start)
        if tilt is None:
            x = inputs.sample(size, **like)
            weight = torch.ones(size, dtype=torch.float64, device=x.device)
        else:
            drawn = tilt.draw(size, PLAIN, **like)
            x, weight = drawn.x, drawn.weight
        parts.append(in_blocks(x, evaluate(x) - prepared.look.centre, weight))
    return join(parts)


def in_blocks(x: Tensor, f: Tensor, weight: Tensor, blocks: int = BLOCKS) -> Sample:
    """Points, centred values and weights as a sample, in the type of the points."""
    parts = (x, f * weight[:, None], weight)
    return Sample(*(a.to(x.dtype).unflatten(0, (blocks, -1)) for a in parts))


def join(samples: list[Sample]) -> Sample:
    return Sample(*(torch.cat(parts, dim=1) for parts in zip(*samples, strict=True)))
