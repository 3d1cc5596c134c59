"""Figure 7: what networks learn of each order when, with and without dropout."""

from __future__ import annotations

import numpy as np
import pandas as pd

from experiments.questions import learning_curves
from interactions import Uniform
from interactions.planted import paper_generator

from .. import published
from .estimates import Estimate, mean_over_repeats, only, order_text, select
from .points import SHARE, as_points, averaged, rate_label


def slowed_more(table: pd.DataFrame, *, target: str, rate: float, high: int, low: int) -> Estimate:
    """Subtract the log of how dropout delays a low order from the same of a high one.

    A delay is the ratio, by repeat, of the epochs at which networks with and without dropout hold
    half of what they will ever hold of the effect.
    """
    half = learning_curves.half_epochs(select(table, target=target))
    half = half.assign(order=order_text(half["order"]))

    def log_delay(order: int) -> pd.Series:
        epochs = [
            select(half, order=str(order), rate=r).set_index("repeat")["epoch"] for r in (rate, 0.0)
        ]
        return np.log(epochs[0] / epochs[1])

    return mean_over_repeats(log_delay(high) - log_delay(low))


def kept_later_more(
    table: pd.DataFrame, *, target: str, rate: float, high: int, low: int
) -> Estimate:
    """Compare by what factor that which dropout leaves rises with training, at two orders.

    The log of the factor for the high order minus that for the low one, by repeat. What dropout
    leaves is the amplitude over that of the same repeat without. It rises from when networks
    without dropout hold half of that order's effect to the end of training.
    """
    kept = learning_curves.kept(table)
    kept = select(kept.assign(order=order_text(kept["order"])), target=target, rate=rate)

    def log_rise(order: int) -> pd.Series:
        cell = select(kept, order=str(order)).set_index("repeat")
        return np.log(cell["last"].astype(float) / cell["early"].astype(float))

    return mean_over_repeats(log_rise(high) - log_rise(low))


def generators_share(*, generator: int, order: int) -> Estimate:
    """Compute an order's share of a generator of Fig 7 on U(-1, 1), in closed form."""
    spectrum = paper_generator(generator).spectrum(Uniform(-1.0, 1.0, dim=25), 3)
    return Estimate(float(spectrum.share[..., order - 1]), 0.0)


GENERATORS = {
    "generator 1": 1,
    "generator 2 on inputs 2, 3": 2,
    "generator 2": 2,
    "generator 3": 3,
}
"""Fig 7's number of each target; the released code's second generator reads inputs 2 and 3."""


def fig_7_published() -> pd.DataFrame:
    """Read Fig 7's shares by epoch: a pane per generator and order, a series per rate."""
    t = published("fig7")
    return as_points(
        t,
        quantity=SHARE,
        pane=_pane(t["generator"], t["order"]),
        series=rate_label(t["dropout_rate"]),
        x=t["epoch"],
        value=t["mean"],
        reading=3e-9,
    )


def fig_7_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average the shares that boosted trees give in our run, as published."""
    t = only(table, quantity="tree_share", target=list(GENERATORS))
    points = as_points(
        t,
        quantity=SHARE,
        pane=_pane(t["target"].map(GENERATORS), t["order"]),
        series=rate_label(t["rate"]),
        x=t["epoch"],
        value=t["value"],
    )
    return averaged(points)


def _pane(generators: pd.Series, orders: pd.Series) -> pd.Series:
    return "generator " + generators.astype(str) + ", order " + order_text(orders)
