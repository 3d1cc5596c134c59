"""What does input dropout do to the mean of an effect of order k, given the inputs?

The paper's Fig 1: the product of k inputs, k = 1 .. 4, each zeroed at rate r, averaged in bins.
`released` follows the notebook: one grid of [-2, 2] stands in for all k inputs, so the curve is
(1-r)^k x^k over X. `controlled` draws k independent inputs. Their product has mean zero given any
fewer of them, so it is averaged in bins of its own undropped value f, where the law is the line
(1-r)^k f. Beside it x² - ⅓, a pure effect that is not zero at zero: there a dropped input leaves
f(0), and the mean is (1-r) f + r f(0), not the (1-r) f of the paper's Theorem 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from interactions.theory import survival

from ..errors import UserError
from ..running.context import Context

QUESTION = "What does input dropout do to the mean of an effect of order k, given the inputs?"
EDGES = np.linspace(-1.0, 1.0, 20)
FEWEST = 1000
"""Points a bin needs, to have a mean and an error of it."""
ONE_GRID, PRODUCTS, BOWL = "one input, copied", "independent inputs", "x² - ⅓"
"""Targets: what the inputs of a product are, and the effect that is not zero at zero."""


@dataclass(frozen=True)
class Settings:
    """`points` are those of the grid (`shared`, one column for all inputs) or drawn per repeat."""

    orders: tuple[int, ...] = (1, 2, 3, 4)
    rates: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    repeats: int = 10
    points: int = 1_000_000
    shared: bool = True


TINY = Settings(rates=(0.0, 0.5), repeats=2, points=100_000)
CONTROLLED = Settings(points=500_000, shared=False)
PRESETS = {
    ("released", "tiny"): TINY,
    ("released", "quick"): Settings(),
    ("released", "paper"): Settings(repeats=40),
    ("controlled", "tiny"): replace(TINY, shared=False),
    ("controlled", "quick"): CONTROLLED,
    ("controlled", "paper"): Settings(repeats=40, shared=False),
}


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per target, order, rate, repeat and bin: mean, its standard error, and the law."""
    s = settings
    rows: list[dict[str, object]] = []
    with context.progress(s.repeats * len(s.rates), "averaging over masks") as advance:
        for repeat, seed in enumerate(context.seeds(s.repeats)):
            for rate in s.rates:
                rng = np.random.default_rng([seed, round(rate * 2**16)])
                for cell in _on_one_grid(s, rate, rng) if s.shared else _apart(s, rate, rng):
                    rows.append({"rate": rate, "repeat": repeat} | cell)
                advance(1)
    if not rows:
        raise UserError(f"no bin has {FEWEST} of {s.points} points: give more with --set points=")
    return pd.DataFrame(rows)


def _on_one_grid(s: Settings, rate: float, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    x = np.linspace(-2.0, 2.0, s.points)
    # What lies outside of the bins is not drawn; the notebook drops it afterwards.
    x = x[(x >= EDGES[0]) & (x < EDGES[-1])]
    for order in s.orders:
        kept = _kept(rng, (order, len(x)), rate)
        power = np.arange(order + 1, order + 2)
        # Mean of x^k over each bin: curved where bins are wide.
        mean = np.diff(EDGES[:, None] ** power, axis=0) / (power * np.diff(EDGES)[:, None])
        law = survival(rate, order) * mean[:, 0]
        yield from _binned(ONE_GRID, order, x, x**order * kept, law)


def _apart(s: Settings, rate: float, rng: np.random.Generator) -> Iterator[dict[str, object]]:
    for order in s.orders:
        x = rng.uniform(-1.0, 1.0, (order, s.points))
        product = x.prod(axis=0)
        keep = survival(rate, order)
        law = keep * _means(product, product)
        masked = product * _kept(rng, x.shape, rate)
        yield from _binned(PRODUCTS, order, product, masked, law)
    x = rng.uniform(-1.0, 1.0, s.points)
    kept = _kept(rng, (1, s.points), rate)
    bowl = (1 - rate) * (_means(x, x**2) - 1 / 3) - rate / 3
    yield from _binned(BOWL, 1, x, (x * kept) ** 2 - 1 / 3, bowl)


def _kept(rng: np.random.Generator, shape: tuple[int, int], rate: float) -> np.ndarray:
    """Where a mask keeps all inputs, [n]."""
    return (rng.random(shape, dtype=np.float32) >= rate).all(axis=0)


def _means(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Mean of y in each bin of x; 0 where a bin is empty."""
    which = np.digitize(x, EDGES[1:-1])
    count = np.bincount(which, minlength=len(EDGES) - 1)
    return np.bincount(which, y, len(EDGES) - 1) / count.clip(1)


def _binned(
    target: str, order: int, x: np.ndarray, y: np.ndarray, law: np.ndarray
) -> Iterator[dict[str, object]]:
    count = np.bincount(np.digitize(x, EDGES[1:-1]), minlength=len(EDGES) - 1)
    mean = _means(x, y)
    error = np.sqrt((_means(x, y**2) - mean**2).clip(0) / count.clip(1))
    middle = (EDGES[:-1] + EDGES[1:]) / 2
    names = ("x", "count", "mean", "standard_error", "law")
    for row in zip(middle, count, mean, error, law, strict=True):
        # Products of many inputs are rarely far from zero.
        if row[1] >= FEWEST:
            yield {"target": target, "order": order} | dict(zip(names, row, strict=True))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per target, order and rate: what is left of the effect, and the largest gaps.

    `slope` is that of the means on the undropped effect; `leftover` is what their mean over all
    points has beyond (1-r)^k of the effect's own, 0 according to the paper's Theorem 1. Both have
    standard errors over repeats.
    """
    keys = ["target", "order", "rate"]
    whole = table[table["rate"] == 0].groupby(["target", "order", "x"])["law"].mean()
    table = table.join(whole.rename("whole"), on=["target", "order", "x"])
    rows = []
    for names, cell in table.groupby(keys, sort=False):
        kept = survival(names[2], names[1])
        lines = pd.DataFrame([_line(bins, kept) for _, bins in cell.groupby("repeat")])
        mean, sem = lines.mean(), lines.sem()
        bins = cell.groupby("x")[["mean", "law"]].mean()
        squares = cell["standard_error"].pow(2).groupby(cell["x"])
        error = squares.sum().pow(0.5) / squares.size()
        gap = (bins["mean"] - bins["law"]).abs()
        rows.append(
            dict(zip(keys, names, strict=True))
            | {
                "survival": kept,
                "slope": mean["slope"],
                "slope_error": sem["slope"],
                "leftover": mean["leftover"],
                "leftover_error": sem["leftover"],
                "gap_to_law": gap.max(),
                "gap_in_errors": (gap / error).where(error > 0).max(),
            }
        )
    return pd.DataFrame(rows)


def _line(bins: pd.DataFrame, kept: float) -> dict[str, float]:
    """Slope of the means on the undropped effect, and what is left over, over all points."""
    weight = bins["count"] / bins["count"].sum()
    mean = weight @ bins["whole"]
    centred = bins["whole"] - mean
    return {
        "slope": weight @ (centred * bins["mean"]) / (weight @ centred**2),
        "leftover": weight @ bins["mean"] - kept * mean,
    }
