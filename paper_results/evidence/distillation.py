"""Figure 4: what boosted trees of growing depth say of a spectrum that is known."""

from __future__ import annotations

import math

import pandas as pd

from .. import published
from .estimates import Estimate, by_repeat, mean_over_repeats, only, select
from .noise import networks
from .points import SHARE, as_points, averaged, order_label


def trees_overstate(table: pd.DataFrame, *, order: int) -> Estimate:
    """Subtract an order's unbiased share from what boosted trees give it: a share, by repeat.

    Of networks fit to noise without dropout.
    """
    undropped = networks(table, "none", 0.0)
    trees, unbiased = (
        by_repeat(undropped, "share", measure=measure, order=str(order))
        for measure in ("released", "unbiased")
    )
    return mean_over_repeats(trees - unbiased)


def given_too_low(table: pd.DataFrame, *, true_order: int, samples: int, measure: str) -> Estimate:
    """Subtract what a network has below a pure product's order from what is measured there.

    A share, by repeat: the network's own share of these orders is the measure "exact".
    """
    low = table[table["order"] < true_order]
    measured, exact = (
        by_repeat(low, "share", measure=m, true_order=true_order, samples=samples)
        for m in (measure, "exact")
    )
    return mean_over_repeats(measured - exact)


def published_given_to(
    fig4: pd.DataFrame, *, true_order: int, samples: int, order: int, runs: int
) -> Estimate:
    """Read the share that Fig 4 gives an order of a pure product; the error is over its runs.

    The spread drawn is a standard deviation that divides by the number of runs.
    """
    row = select(
        fig4, n_distill_samples=samples, true_order=true_order, estimated_order=order
    ).iloc[0]
    spread = row["normalized_effect_spread"]
    return Estimate(row["normalized_effect_mean"], spread / math.sqrt(runs - 1), runs)


def published_bar_over_largest_variance(
    fig4: pd.DataFrame, *, true_order: int, samples: int
) -> Estimate:
    """Divide Fig 4's error bar by m (1-m), the largest variance a share of mean m can have.

    Above 1 the bar cannot be the variance it is called.
    """
    row = select(
        fig4, n_distill_samples=samples, true_order=true_order, estimated_order=true_order
    ).iloc[0]
    mean = row["normalized_effect_mean"]
    return Estimate(row["normalized_effect_spread"] / (mean * (1 - mean)), 0.0)


def fig_4_published() -> pd.DataFrame:
    """Read Fig 4's shares: a pane per number of samples, a series per order given."""
    t = published("fig4")
    return as_points(
        t,
        quantity=SHARE,
        pane=t["n_distill_samples"].map("{} samples".format),
        series=order_label(t["estimated_order"]),
        x=t["true_order"],
        value=t["normalized_effect_mean"],
        reading=3e-9,
    )


def fig_4_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average the shares that boosted trees of growing depth give in our run."""
    t = only(table, measure="staged")
    points = as_points(
        t,
        quantity=SHARE,
        pane=t["samples"].map("{} samples".format),
        series=order_label(t["order"]),
        x=t["true_order"],
        value=t["share"],
    )
    return averaged(points)
