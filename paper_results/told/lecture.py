"""The numbers of the lecture's sentences, by the name of the block they stand in."""

from __future__ import annotations

import pandas as pd

from . import selectivities
from .results import Compute
from .tables import rows, stored


def every_layer() -> list[float]:
    """What interactions lose in inputs, in the first layer on noise, and gain in the second."""
    t = stored("every_layer-controlled-paper")
    t = rows(t, steps=t["steps"].max(), order="1", rate=[0.0, 0.5])

    def lost(target: str, layer: int) -> list[float]:
        first = rows(t, target=target, layer=layer).pivot_table("share", "repeat", "rate")
        change = first[0.5] - first[0.0]
        return [change.mean(), change.sem()]

    gained, error = lost("mixture", 2)
    return [*lost("mixture", 0), *lost("noise", 0), *lost("noise", 1), -gained, error]


def digits() -> list[float]:
    """What half takes of the variance of orders 1 and 2; test errors of half, none, augmented."""
    t = rows(stored("digits-controlled-paper"), look="last")
    variance = rows(t, quantity="variance").groupby(["order", "variant"])["value"].mean()
    taken = [1 - variance[order, "half"] / variance[order, "none"] for order in ("1", "2")]
    errors = rows(t, quantity="test_error").groupby("variant")["value"].mean()
    return [*taken, *errors[["half", "none", "none augmented"]]]


def co_adaptation() -> list[float]:
    """Correlation of the units of the last hidden layer on the mixture, at rate 0 and the most."""
    t = rows(stored("co_adaptation-controlled-paper"), target="mixture", quantity="correlation")
    t = t[(t["steps"] == t["steps"].max()) & (t["layer"] == t["layer"].max())]
    by_rate: pd.Series = t.groupby("rate")["value"].mean()
    return [by_rate.iloc[0], by_rate.iloc[-1]]


def early() -> list[float]:
    """Selectivity of activation dropout on the mixture after 300 steps."""
    t = rows(stored(selectivities.RUN), quantity="variance", steps=300, target="mixture")
    value, error, *_ = selectivities.selectivity(t, "activation dropout", "123")
    return [value, error]


LECTURE: dict[str, Compute] = {
    "every_layer": every_layer,
    "digits": digits,
    "co_adaptation": co_adaptation,
    "early": early,
}
