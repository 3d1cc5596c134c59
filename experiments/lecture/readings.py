"""Why dropout works, read in three ways: interaction effects, an ensemble, co-adaptation."""

from __future__ import annotations

import numpy as np
import pandas as pd

from interactions import Dropout

from ..questions import co_adaptation, subnetworks, surviving_effects
from ..running.context import Context
from .networks import Cell, shares_of, train
from .shown import Effect, Pane, Shown, over_repeats, points

RATES = (0.0, 0.125, 0.25, 0.375, 0.5)


def interaction_effects(context: Context) -> Shown:
    """L1: effects that survive, and importance by order against the rate."""
    settings = surviving_effects.Settings(rates=(0.0, 0.25, 0.5, 0.75), repeats=8, masks=20_000)
    counted = surviving_effects.run(settings, context)
    counted = counted[counted["order"] <= 12].assign(series=lambda t: "r = " + t["rate"].map(str))
    half = counted[(counted["rate"] == 0.5) & (counted["order"] == 3)]
    cells = [Cell("dropout", rate, dropout=Dropout(hidden=rate)) for rate in RATES]
    table, _ = train(cells, context, steps=[300])
    shares = shares_of(table)
    low = shares[shares["order"].isin(["1", "2"])].pivot_table(
        "share", "repeat", "strength", aggfunc="sum"
    )
    high = shares[shares["order"] == "4"].pivot_table("share", "repeat", "strength")
    return Shown(
        "Of C(25,k) effects of order k dropout leaves (1-r)^k, so that the higher the rate, the "
        "sooner the curves turn down. In what networks learn, the shares of orders 1 and 2 rise "
        "with the rate, and those of orders 3 and above fall.",
        (
            over_repeats(
                "of order 3 at r = .5, counted over (1-r)^k C(25,k), less 1",
                half["counted"] / half["law"] - 1,
                0,
            ),
            over_repeats("share of orders 1 and 2, r = .5 less r = 0", low[0.5] - low[0.0], 1),
            over_repeats("share of order 4, r = .5 less r = 0", high[0.5] - high[0.0], -1),
        ),
        (
            Pane(
                "effects that survive, of 25 inputs",
                "order k",
                "number",
                points(counted, "series", "order", "counted"),
                log=True,
            ),
            Pane(
                "what networks learn of a mixture",
                "drop rate r on hidden units",
                "share of variance",
                points(shares, "series", "strength", "share"),
            ),
        ),
    )


def ensemble(context: Context) -> Shown:
    """L5: the average of all subnetworks, the scaled network, and some random ones."""
    settings = subnetworks.Settings(
        depths=(1, 2),
        rates=(0.5,),
        repeats=8,
        units=8,
        masks=(1, 4, 16, 64),
        draws=4,
        samples=500,
        steps=800,
    )
    table = subnetworks.run(settings, context)
    table = table[table["order"] > 0]
    # Of each repeat: the variance of what lies between, over that of the exact average.
    total = table.groupby(["depth", "repeat", "quantity", "masks"])["variance"].sum().unstack(0)
    average = total.xs(("average", 0), level=["quantity", "masks"])
    scaled = total.xs(("scaled", 0), level=["quantity", "masks"]) / average
    drawn = total.xs("monte carlo", level="quantity")
    drawn = drawn.div(average, level="repeat")
    panes = []
    for depth in settings.depths:
        random = drawn[depth].rename("y").reset_index().assign(series="random subnetworks")
        own = pd.concat([scaled[depth].rename("y").reset_index()] * 2)
        own["masks"] = np.repeat([min(settings.masks), max(settings.masks)], len(scaled))
        lines = pd.concat([random, own.assign(series="the scaled network")])
        title = f"{depth} hidden layer{'s' * (depth > 1)}, 256 subnetworks"
        shown = points(lines, "series", "masks", "y").assign(y=lambda t: t["y"].clip(lower=1e-9))
        panes.append(Pane(title, "subnetworks averaged", "off the exact average", shown, log=True))
    one = drawn.xs(1, level="masks")[2]
    return Shown(
        "With one hidden layer the scaled network is the average of all 256 subnetworks exactly: "
        "its line lies at the bottom. With two it is not, but far nearer than a random subnetwork, "
        "and as near as the average of as many as where the lines cross.",
        (
            Effect("1 layer: scaled off the average", scaled[1].max(), 0),
            over_repeats(
                "2 layers: log of scaled over one subnetwork", np.log(scaled[2] / one), -1
            ),
            over_repeats("2 layers: scaled off the average, root", np.sqrt(scaled[2]), 1),
        ),
        tuple(panes),
    )


def adaptation(context: Context) -> Shown:
    """L6: do weights shrink, and are units less alike?"""
    settings = co_adaptation.Settings(
        targets=("mixture",), rates=(0.0, 0.25, 0.5), repeats=8, steps=(0, 1000), points=1000
    )
    table = co_adaptation.run(settings, context)
    table = table[(table["steps"] == 1000) & (table["layer"] <= 3)]
    table = table.assign(series="hidden layer " + table["layer"].map(str))

    def change(quantity: str, layer: int) -> pd.Series:
        rows = table[(table["quantity"] == quantity) & (table["layer"] == layer)]
        by_rate = rows.pivot_table("value", "repeat", "rate")
        return by_rate[0.5] - by_rate[0.0]

    panes = [
        Pane(
            title,
            "drop rate r on hidden units",
            ylabel,
            points(table[table["quantity"] == quantity], "series", "rate", "value"),
        )
        for title, ylabel, quantity in (
            ("do weights shrink?", "norm of the layer's weights", "l2"),
            ("are units less alike?", "mean |correlation| of units", "correlation"),
        )
    ]
    return Shown(
        "Weights shrink at every layer, as the reading says. Units of the last hidden layer do not "
        "grow less alike, but more: the upper line on the right rises with the rate.",
        (
            over_repeats("norm of layer 1, r = .5 less r = 0", change("l2", 1), -1),
            over_repeats("correlation in layer 3, r = .5 less r = 0", change("correlation", 3), 1),
        ),
        tuple(panes),
    )
