"""What most rows train: small networks on a mixture of orders whose spectra are exact.

Inputs are ten fair signs, of which there are 1,024 points: every variance is known without error,
so what errors there are come from data sets and starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd
import torch

from interactions import Dropout, MLPEnsemble, Rademacher, Samples, fit, order_spectrum
from interactions.networks import group_by_shape, member_seed
from interactions.networks.subnetworks import every_mask
from interactions.planted import PlantedInteractions

from ..running.context import Context
from ..tasks import answers, planted_data

INPUTS = Rademacher(dim=10)
ORDERS = (1, 2, 3, 4)
"""Planted with variance 1/4 each."""
NOISE = 0.5
"""Its standard deviation; half of that of what is planted."""


@dataclass(frozen=True)
class Cell:
    """Networks of one kind: what they are called, and what they are trained with."""

    name: str
    strength: float = 0.0
    hidden: tuple[int, ...] = (32, 32, 32)
    dropout: Dropout = Dropout()  # noqa: RUF009 (frozen)
    weight_decay: float = 0.0
    l1: float = 0.0
    samples: int = 1000


def train(
    cells: Sequence[Cell],
    context: Context,
    *,
    steps: Sequence[int],
    repeats: int = 6,
    noise: float = NOISE,
) -> tuple[pd.DataFrame, dict[tuple[str, float, int], MLPEnsemble]]:
    """Train all cells on the same data sets, one for each repeat; returns what they learned.

    A table with a row for every cell, repeat, number of steps, and order: `variance`, and `error`,
    the mean squared error at all points to what is planted, the same in all of their rows. And the
    networks of each cell by its name, strength and steps.
    """
    seeds, planted = context.seeds(repeats), planted_of(context, repeats)
    most = max(cell.samples for cell in cells)
    x, y = planted_data(planted, INPUTS, seeds, samples=most, noise=noise)
    every = (2 * every_mask(INPUTS.dim) - 1).float()
    truth = torch.stack([target(every) for target in planted], dim=1)
    tables, networks = [], {}
    for places in group_by_shape([cell.hidden for cell in cells]).values():
        group = [cells[place] for place in places]
        own = [cell for cell in group for _ in seeds]
        ensemble = MLPEnsemble(
            (INPUTS.dim, *group[0].hidden, 1),
            seeds=[member_seed(seed, "start") for seed in seeds] * len(group),
            dropout=[cell.dropout for cell in own],
            device=context.device,
        )
        sizes = [cell.samples for cell in own]
        data = Samples(
            x.repeat(len(group), 1, 1), y.repeat(len(group), 1), batch_size=128, sizes=sizes
        )
        with context.progress(max(steps), f"training {len(own)} networks") as advance:
            kept = fit(
                ensemble,
                data,
                steps=max(steps),
                learning_rate=2e-3,
                weight_decay=[cell.weight_decay for cell in own],
                l1=[cell.l1 for cell in own],
                snapshots=steps,
                progress=advance,
            ).snapshots
        for step in steps:
            then = ensemble.with_parameters(kept[step])
            variance = order_spectrum(then, INPUTS, max_order=4, method="exact").variance
            off = answers(then, every.to(context.device)).cpu() - truth.repeat(1, len(group))
            errors = off.double().square().mean(dim=0).tolist()
            for i, cell in enumerate(own):
                orders = ["1", "2", "3", "4", ">4"]
                row = {"cell": cell.name, "strength": cell.strength, "repeat": i % repeats}
                row |= {"steps": step, "order": orders, "variance": variance[i]}
                tables.append(pd.DataFrame(row | {"error": errors[i]}))
            for j, cell in enumerate(group):
                mine = range(j * repeats, (j + 1) * repeats)
                networks[cell.name, cell.strength, step] = then.select(mine)
    return pd.concat(tables, ignore_index=True), networks


def planted_of(context: Context, repeats: int) -> list[PlantedInteractions]:
    """What networks of every repeat learn."""
    variances, subsets = dict.fromkeys(ORDERS, 0.25), dict.fromkeys(ORDERS, 3)
    return [
        PlantedInteractions(INPUTS, variances, subsets, seed) for seed in context.seeds(repeats)
    ]


def errors_of(table: pd.DataFrame) -> pd.DataFrame:
    """One row for every cell, repeat and number of steps, with its error."""
    return table[table["order"] == "1"].drop(columns=["order", "variance"])


def shares_of(table: pd.DataFrame) -> pd.DataFrame:
    """The same rows, with each order's share of its network's variance."""
    keys = ["cell", "strength", "repeat", "steps"]
    total = table.groupby(keys)["variance"].transform("sum")
    return table.assign(share=table["variance"] / total, series="order " + table["order"])
