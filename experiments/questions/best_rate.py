"""Does the best drop rate fall as the true order of the interactions rises, and with the noise?

A synthetic twin of the paper's Table C.1: five pure interactions of order k among ten inputs, of
variance 1 together at every k, under noise of several levels. Networks train for the same number
of steps at every rate, order and noise, with dropout after every hidden layer (as in the table) or
on the inputs; their error is that to the noiseless target at fresh points. It is read after several
numbers of steps, for the best rate depends on the length of training as well.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from interactions import MLPEnsemble, Samples, Uniform, fit
from interactions.planted import PlantedInteractions
from interactions.rate_sweep import grid_error

from ..running.context import Context
from ..tasks import dropout_at, members_of, planted_task

QUESTION = "Which drop rate is best, by the true order of the interactions and the noise?"
PLACEMENTS = ("activation", "input")


@dataclass(frozen=True)
class Settings:
    """`noises` are standard deviations of the noise on targets of variance 1.

    `steps` are those after which errors are measured; the last ends training.
    """

    orders: tuple[int, ...] = (1, 2, 3)
    noises: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    placements: tuple[str, ...] = field(default=PLACEMENTS, metadata={"among": PLACEMENTS})
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)
    repeats: int = 10
    steps: tuple[int, ...] = (300, 1000, 3000)
    dim: int = 10
    subsets: int = 5
    samples: int = 2000
    width: int = 64
    depth: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    test_points: int = 10_000


PRESETS = {
    ("controlled", "tiny"): Settings(
        orders=(1, 2),
        noises=(0.5, 1.0),
        rates=(0.0, 0.5),
        repeats=2,
        steps=(2, 4),
        samples=32,
        test_points=50,
    ),
    ("controlled", "quick"): Settings(
        noises=(0.5, 1.0, 2.0),
        placements=("activation",),
        rates=(0.0, 0.125, 0.25, 0.375, 0.5),
        repeats=5,
        steps=(300, 1000),
    ),
    ("controlled", "paper"): Settings(),
}


def shards(settings: Settings) -> list[Settings]:
    """An order and a level of noise each."""
    return [
        replace(settings, orders=(order,), noises=(noise,))
        for order, noise in itertools.product(settings.orders, settings.noises)
    ]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per order, noise, placement, rate, repeat and number of steps.

    A repeat is a target and a data set, the same at every rate; at another level of noise its
    noise is the same, scaled.
    """
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    seeds = context.seeds(s.repeats)
    members = members_of(["rate"], [(rate,) for rate in s.rates], s.repeats)
    own = members["repeat"].tolist()
    tables = []
    cells = list(itertools.product(s.orders, s.noises, s.placements))
    with context.progress(len(cells) * max(s.steps), "training at every rate") as advance:
        for order, noise, placement in cells:
            targets = [
                PlantedInteractions(inputs, {order: 1.0}, {order: s.subsets}, seed=seed)
                for seed in seeds
            ]
            task = planted_task(
                targets, inputs, context, samples=s.samples, noise=noise, fresh=s.test_points
            )
            fresh, truth = (part.to(context.device) for part in (task.fresh, task.truth))
            ensemble = MLPEnsemble(
                (s.dim, *[s.width] * s.depth, 1),
                seeds=seeds * len(s.rates),
                dropout=[dropout_at(placement, rate) for rate in members["rate"]],
                device=context.device,
            )
            result = fit(
                ensemble,
                Samples(task.x[own], task.y[own], batch_size=s.batch_size),
                steps=max(s.steps),
                learning_rate=s.learning_rate,
                snapshots=s.steps,
                progress=advance,
            )
            for steps in s.steps:
                then = ensemble.with_parameters(result.snapshots[steps])
                with torch.no_grad():
                    gaps = then(fresh) - truth[:, own]
                errors = gaps.double().square().mean(dim=0).tolist()
                key = {"order": order, "noise": noise, "placement": placement, "steps": steps}
                tables.append(members.assign(**key, error=errors))
    columns = ["order", "noise", "placement", "steps", "rate", "repeat", "error"]
    return pd.concat(tables, ignore_index=True)[columns]


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per placement, steps, noise and order: mean error by rate, and the best rate.

    `best_rate` is the mean over data sets of the rate with the least error. Its standard error is
    that over data sets, and that of rounding each to the grid of rates.
    """
    keys = ["placement", "steps", "noise", "order"]
    errors = table.pivot_table("error", keys, "rate", sort=False)
    least = table.loc[table.groupby([*keys, "repeat"])["error"].idxmin()]
    best = least.groupby(keys)["rate"]
    rounding = [grid_error(table["rate"], repeats) for repeats in best.count()]
    out = errors.join(best.mean().rename("best_rate"))
    out["best_rate_error"] = np.hypot(best.sem(), rounding)
    return out.reset_index().sort_values(keys)
