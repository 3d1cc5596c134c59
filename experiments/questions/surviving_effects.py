"""How many effects of order k are there, and how many survive dropout?

The paper's Fig 3: of d inputs C(d,k) subsets have size k, and dropout at rate r keeps all of a
subset's inputs with probability (1-r)^k. `released` is that curve, d = 25. `controlled` counts:
masks are drawn, and a mask that keeps m inputs keeps C(m,k) subsets whole. The paper says that
growth and decay "roughly cancel": `peak` is the order at which the product is largest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from interactions.theory import surviving_subsets

from ..running.context import Context

QUESTION = "How many effects of order k are there, and how many survive dropout?"


@dataclass(frozen=True)
class Settings:
    """`masks` are drawn per rate and repeat; 0 draws none and leaves the closed form alone."""

    dim: int = 25
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
    repeats: int = 1
    masks: int = field(default=0, metadata={"range": "[0, 1e6]"})


TINY = Settings(rates=(0.0, 0.5))
COUNTED = Settings(repeats=8, masks=100_000)
PRESETS = {
    ("released", "tiny"): TINY,
    ("released", "quick"): Settings(),
    ("released", "paper"): Settings(),
    ("controlled", "tiny"): replace(TINY, repeats=2, masks=100),
    ("controlled", "quick"): COUNTED,
    ("controlled", "paper"): Settings(repeats=32, masks=1_000_000),
}


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per rate, repeat and order: the law, and the count where masks are drawn."""
    s = settings
    orders = np.arange(1, s.dim + 1)
    # C(m, k) for every m a mask may keep, [d + 1, d].
    whole = np.array([[math.comb(m, int(k)) for k in orders] for m in range(s.dim + 1)], float)
    rows = []
    for rate in s.rates:
        law = [surviving_subsets(s.dim, int(k), rate) for k in orders]
        for repeat, seed in enumerate(context.seeds(s.repeats)):
            counted = np.full(s.dim, np.nan)
            if s.masks:
                rng = np.random.default_rng([seed, round(rate * 2**16)])
                kept = (rng.random((s.masks, s.dim), dtype=np.float32) >= rate).sum(axis=1)
                counted = np.bincount(kept, minlength=s.dim + 1) @ whole / s.masks
            for k in orders:
                rows.append(
                    {
                        "rate": rate,
                        "repeat": repeat,
                        "order": int(k),
                        "law": law[k - 1],
                        "counted": counted[k - 1],
                    }
                )
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """A row per rate: the order with most survivors, how many, and how far counts are off."""
    rows = []
    for rate, of_rate in table.groupby("rate"):
        means = of_rate.groupby("order")[["law", "counted"]].mean()
        error = of_rate.groupby("order")["counted"].sem()
        rows.append(
            {
                "rate": rate,
                "peak": means["law"].idxmax(),
                "survivors_at_peak": means["law"].max(),
                "survivors_of_order_1": means["law"].iloc[0],
                # Where hardly any mask keeps a whole subset, the error is not known either.
                "largest_gap_in_errors": ((means["counted"] - means["law"]).abs() / error)
                .where((error > 0) & (error < 0.02 * means["counted"]))
                .max(),
            }
        )
    return pd.DataFrame(rows)
