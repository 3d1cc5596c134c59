"""Which order is enough: never too low an order in more than one measurement in twenty."""

from __future__ import annotations

import numpy as np
import pandas as pd

from interactions import order_spectrum
from tests.benchmarks.battery_cases import Case, cases

FUNCTIONS = (
    ("smooth: ishigami", "auto", 2**13),
    ("kinked: g of 5", "auto", 2**13),
    ("kinked: |x0||x1| + relu", "auto", 2**13),
    ("kinked: relu of columns", "auto", 2**13),
    ("steps: floors", "auto", 2**13),
    ("steps: random steps of 5", "auto", 2**13),
    ("atoms: table of 100", "auto", 2**13),
    ("atoms: rare codes", "auto", 2**13),
    ("offset: 1e4, g", "kernel", 2**14),
    ("frequency: 60", "differences", 2**17),
)
"""Functions, methods and budgets small enough to leave an error of some hundredths."""


def hardest(case: Case) -> tuple[float, int]:
    """A share just above what lies up to an order below the last, and the order it takes."""
    cumulative = np.cumsum(case.truth)[:-1] / case.truth.sum()
    at = int(np.flatnonzero(cumulative < 0.99)[-1])
    return float(cumulative[at]) + 1e-6, at + 2


def answers(name: str, method: str, budget: int, seeds: range) -> pd.DataFrame:
    """What `sufficient_order` says at .95 and at the hardest share, a row per seed and share."""
    family, _, own = name.partition(": ")
    case = next(c for c in cases(family) if c.name == own)
    cumulative = np.cumsum(case.truth)[:-1] / case.truth.sum()
    rows = []
    for seed in seeds:
        spectrum = order_spectrum(
            case,
            case.inputs,
            max_order=case.max_order,
            method=method,
            tolerance=0.03,
            budget=budget,
            seed=seed,
        )
        for kind, share in (("natural", 0.95), ("hardest", hardest(case)[0])):
            answer = spectrum.sufficient_order(share)
            too_low = answer.order is not None and cumulative[answer.order - 1] < share
            enough = np.flatnonzero(cumulative >= share)
            right = answer.order is not None and answer.order == enough[0] + 1
            # Said to be the smallest, though a lower one is enough.
            lower = (answer.order or len(cumulative) + 1) - 2
            too_high = answer.smallest and lower >= 0 and cumulative[lower] >= share
            rows.append((name, kind, seed, too_low, right, too_high, answer.order is None))
    columns = ["function", "share", "seed", "too_low", "right", "too_high", "open"]
    return pd.DataFrame(rows, columns=columns)
