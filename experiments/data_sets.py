"""Tables with a number to predict, planted and real, and their rows split anew by repeat."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from interactions import Empirical, Uniform
from interactions.networks import member_seed
from interactions.planted import PlantedInteractions

from .running.context import Context
from .running.data import bike_sharing, r_table
from .tasks import bike_hours


class Source(NamedTuple):
    """A table of R's packages, the column to predict, and those that are left out.

    These say who a row is, tell the answer, or are categories of dozens. `log` predicts the
    logarithm.
    """

    name: str
    target: str
    without: tuple[str, ...] = ()
    log: bool = False


SOURCES = {
    "auto": Source("ISLR/Auto", "mpg", ("name",)),
    "boston": Source("MASS/Boston", "medv", ("black",)),
    "college": Source("ISLR/College", "Grad.Rate"),
    "sacramento": Source("modeldata/Sacramento", "price", ("city", "zip"), log=True),
    "concrete": Source("modeldata/concrete", "compressive_strength"),
    "babies": Source("openintro/babies", "bwt", ("case",)),
    "saratoga": Source("mosaicData/SaratogaHouses", "price", log=True),
    "wage": Source("ISLR/Wage", "logwage", ("wage", "race")),
    "computers": Source("Ecdat/Computers", "price", log=True),
    "diamonds": Source("ggplot2/diamonds", "price", log=True),
}
"""392 to 53,940 rows, the smallest first."""
PLANTED = {"mixture": (1, 2, 3, 4), "additive": (1,)}
"""Orders of planted functions of six inputs, of equal variance and 1 together."""
PLANTED_ROWS, NOISE = 5000, 0.5
TRAINING, HELD_OUT = 0.6, 0.2
"""Shares of the rows, where no fewer are asked for."""


class Table(NamedTuple):
    """Columns [n, D], numbers to predict [n], and the columns of each category."""

    x: Tensor
    y: Tensor
    groups: dict[str, list[int]]


def table_of(name: str, context: Context) -> Table:
    """All complete rows of a table: one of SOURCES or PLANTED, or "bike".

    Raises MissingDataError where a real one is not to be had.
    """
    if name in PLANTED:
        return _planted(name, context)
    if name == "bike":
        parts = bike_hours(bike_sharing(context.data_dir))
        x, y = (torch.cat(both).double() for both in zip(*parts, strict=True))
        return Table(x, y, {})
    source = SOURCES[name]
    frame = r_table(source.name, context.data_dir)
    frame = frame.drop(columns=["rownames", *source.without]).dropna()
    y = torch.tensor(frame.pop(source.target).to_numpy(dtype=np.float64, copy=True))
    x, groups = in_numbers(frame.loc[:, frame.nunique() > 1])
    return Table(x, y.log() if source.log else y, groups)


def in_numbers(frame: pd.DataFrame) -> tuple[Tensor, dict[str, list[int]]]:
    """Numbers as they are, categories of two as 0 and 1, of more one-hot; the latter's columns."""
    columns: list[np.ndarray] = []
    groups: dict[str, list[int]] = {}
    for name, values in frame.items():
        if pd.api.types.is_numeric_dtype(values):
            columns.append(values.to_numpy(dtype=np.float64))
            continue
        levels = sorted(set(values))
        shown = levels if len(levels) > 2 else levels[1:]
        if len(shown) > 1:
            groups[str(name)] = [len(columns) + i for i in range(len(shown))]
        columns += [(values == level).to_numpy(dtype=np.float64) for level in shown]
    return torch.tensor(np.stack(columns, axis=1)), groups


def _planted(name: str, context: Context) -> Table:
    """A planted function under noise, the same for all repeats."""
    orders = PLANTED[name]
    inputs = Uniform(-1.0, 1.0, dim=6)
    own = member_seed(context.seed, "target")
    shares = dict.fromkeys(orders, 1 / len(orders))
    target = PlantedInteractions(inputs, shares, dict.fromkeys(orders, 3), seed=own)
    generator = torch.Generator().manual_seed(member_seed(context.seed, "rows"))
    x = inputs.sample(PLANTED_ROWS, generator=generator)
    noise = torch.randn(PLANTED_ROWS, generator=generator, dtype=x.dtype)
    return Table(x, target(x) + NOISE * noise, {})


Rows = tuple[Tensor, Tensor]
"""Points [R, n, D] and numbers to predict [R, n] of every repeat."""


class Split(NamedTuple):
    """Rows of three kinds of every repeat, and what redraws inputs.

    `inputs` are the columns of all rows, for which no number to predict is needed; by these columns
    are standardised, too. What is to be predicted is standardised by the training rows: `unit` [R]
    is what a mean square counts in units of the table's variance.
    """

    train: Rows
    held_out: Rows
    test: Rows
    inputs: Empirical
    unit: list[float]


def split_of(
    table: Table, context: Context, *, repeats: int, rows: int, held_out: int, test: int
) -> Split:
    """Shuffle a table for every repeat, and take as many rows of each kind, or all there are."""
    count = len(table.y)
    sizes = [min(rows, int(TRAINING * count)), min(held_out, int(HELD_OUT * count))]
    sizes.append(min(test, count - sum(sizes)))
    shuffled = []
    for seed in context.seeds(repeats):
        generator = torch.Generator().manual_seed(member_seed(seed, "split"))
        shuffled.append(torch.randperm(count, generator=generator)[: sum(sizes)])
    chosen = torch.stack(shuffled)
    columns = (table.x - table.x.mean(dim=0)) / table.x.std(dim=0)
    y = table.y[chosen]
    mean, spread = (f(y[:, : sizes[0]], dim=1, keepdim=True) for f in (torch.mean, torch.std))
    x, y = columns[chosen].float(), ((y - mean) / spread).float()
    parts = zip(x.split(sizes, dim=1), y.split(sizes, dim=1), strict=True)
    inputs = Empirical(columns.numpy(), groups=table.groups or None)
    return Split(*parts, inputs, (spread[:, 0].square() / table.y.var()).tolist())
