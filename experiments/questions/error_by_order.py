"""Which orders of networks' errors are bias and which variance, and what takes each?

The mean squared error splits by interaction order, and every order into bias, what the mean of
networks over data sets is off by, and variance, by how much a network differs from that mean
(`interactions.error_by_order`). Networks learn the same function from data sets of their own: a
planted mixture of orders 1 to 4 with noise, or nothing but noise, so that all they learn is
variance. Of bike sharing the truth is not known and the rows' columns depend on each other: there
the variance is measured by order, which needs no truth, and the test error as a whole.

Each regularizer along a path of strengths, after several numbers of steps; and networks of one
hidden layer and growing width, through the width at which they have as many parameters as there
are samples.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import pandas as pd
from torch import Tensor

from interactions import (
    Dropout,
    ErrorByOrder,
    Inputs,
    MLPEnsemble,
    OrderPenalty,
    Samples,
    Uniform,
    error_by_order,
    fit,
)
from interactions.networks import group_by_shape, member_seed
from interactions.penalty import weights_from_order
from interactions.planted import Planted, PlantedInteractions, pure_noise

from ..running.context import Context
from ..tasks import Task, answers, bike_task, dropout_at, planted_task

QUESTION = "Which orders of networks' errors are bias, which variance, and what takes each?"
DATA = ("bike_sharing",)
PART_OF_MEAN = 0.9
"""Part of their mean that networks are compared with where the truth is not known."""
ORDERS = {"noise": 3, "mixture": 4, "bike": 2}
"""Targets, and the orders told apart."""
REGULARIZERS: dict[str, tuple[str, Callable[[Any], dict[str, Any]]]] = {
    "input dropout": ("rates", lambda rate: {"dropout": dropout_at("input", rate)}),
    "activation dropout": ("rates", lambda rate: {"dropout": dropout_at("activation", rate)}),
    "decoupled L2": ("decays", lambda decay: {"decay": decay}),
    "order penalty": ("penalties", lambda strength: {"order": 1, "penalty": strength}),
    "order penalty from 2": ("penalties", lambda strength: {"order": 2, "penalty": strength}),
    "order penalty from 3": ("penalties", lambda strength: {"order": 3, "penalty": strength}),
}
"""By name: the setting that holds the path of strengths, and what a strength makes of a `Cell`."""


@dataclass(frozen=True)
class Settings:
    """`regularizers` at their strengths (`rates`, `decays`, `penalties`) on `targets`.

    Networks are measured after each of `steps`; those of `widths` learn the mixture without
    regularizer, with one hidden layer, for `width_steps`.
    """

    targets: tuple[str, ...] = field(
        default=tuple(ORDERS), metadata={"among": ORDERS, "empty": True}
    )
    regularizers: tuple[str, ...] = field(
        default=tuple(REGULARIZERS), metadata={"among": REGULARIZERS}
    )
    rates: tuple[float, ...] = field(default=(0.125, 0.25, 0.5), metadata={"range": "(0, 1)"})
    decays: tuple[float, ...] = field(default=(0.3, 1.0, 3.0), metadata={"range": "(0, 1e3]"})
    penalties: tuple[float, ...] = field(default=(0.1, 0.3, 1.0), metadata={"range": "(0, 1e3]"})
    widths: tuple[int, ...] = field(
        default=(4, 8, 16, 32, 64, 128, 256, 512), metadata={"empty": True}
    )
    repeats: int = 10
    steps: tuple[int, ...] = (100, 300, 1000, 3000)
    width_steps: int = 10_000
    samples: int = 1000
    noise: float = 0.5
    width: int = 32
    depth: int = 3
    batch_size: int = 128
    learning_rate: float = 2e-3
    tolerance: float = 0.01
    budget: int = 2**16

    def __post_init__(self) -> None:
        if self.repeats < 3:
            raise ValueError(f"errors over networks take 3 repeats at least, got {self.repeats}")


PRESETS = {
    ("controlled", "tiny"): Settings(
        targets=("noise", "mixture"),
        regularizers=("activation dropout", "order penalty from 2"),
        rates=(0.5,),
        penalties=(1.0,),
        widths=(4, 8),
        repeats=3,
        steps=(5, 10),
        width_steps=10,
        samples=64,
        width=8,
        depth=1,
        budget=2**14,
    ),
    ("controlled", "quick"): Settings(
        targets=("noise", "mixture"),
        rates=(0.25,),
        decays=(1.0,),
        penalties=(0.3,),
        widths=(4, 32, 128),
        repeats=5,
        steps=(100, 600),
        width_steps=1000,
        samples=500,
        budget=2**15,
    ),
    ("controlled", "paper"): Settings(),
}


def shards(settings: Settings) -> list[Settings]:
    """A target each, and a width each."""
    targets = [replace(settings, targets=(target,), widths=()) for target in settings.targets]
    return targets + [replace(settings, targets=(), widths=(width,)) for width in settings.widths]


class Cell(NamedTuple):
    """A regularizer at one strength, and what this makes of a network and its training."""

    regularizer: str = "none"
    strength: float = 0.0
    dropout: Dropout = Dropout()
    decay: float = 0.0
    order: int = 0
    penalty: float = 0.0

    def order_penalty(self, inputs: Inputs) -> OrderPenalty | None:
        """Noise sensitivity, or orders from 2 or 3 on."""
        if self.order == 0:
            return None
        weights = None if self.order == 1 else weights_from_order(self.order)
        return OrderPenalty(inputs, weights=weights, strength=self.penalty)


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long: part, target, regularizer, strength, width, steps, order, quantity, value, its error.

    `part` is "regularizers" or "widths". Quantities are bias, variance and error of every order (0
    is the mean), and `test_error` and `noise` of all; of bike sharing variance and test_error
    alone.
    """
    tables = [
        _of_target(name, "regularizers", (settings.width,) * settings.depth, settings, context)
        for name in settings.targets
    ]
    tables += [
        _of_target("mixture", "widths", (width,), settings, context) for width in settings.widths
    ]
    return pd.concat(tables, ignore_index=True)


def task_of(name: str, s: Settings, context: Context) -> tuple[Task, Planted | None]:
    """A data set for every repeat, and the planted function that all are of."""
    if name == "bike":
        return bike_task(context, samples=s.samples, repeats=s.repeats), None
    inputs = Uniform(-1.0, 1.0, dim={"noise": 10, "mixture": 6}[name])
    target: Planted = pure_noise()
    if name == "mixture":
        orders = range(1, ORDERS[name] + 1)
        own = member_seed(context.seed, "target")
        target = PlantedInteractions(
            inputs, dict.fromkeys(orders, 0.25), dict.fromkeys(orders, 3), seed=own
        )
    noise = 1.0 if name == "noise" else s.noise
    options = {"samples": s.samples, "noise": noise, "fresh": 1}
    return planted_task([target] * s.repeats, inputs, context, **options), target


def cells_of(s: Settings) -> list[Cell]:
    """Every regularizer at every strength, none first."""
    cells = [Cell()]
    for name in s.regularizers:
        path, change = REGULARIZERS[name]
        cells += [Cell(name, float(v), **change(v)) for v in getattr(s, path)]
    return cells


def _of_target(
    name: str, part: str, hidden: tuple[int, ...], s: Settings, context: Context
) -> pd.DataFrame:
    task, target = task_of(name, s, context)
    cells = cells_of(s) if part == "regularizers" else [Cell()]
    looks = s.steps if part == "regularizers" else (s.width_steps,)
    tables = []
    groups = group_by_shape([(int(cell.decay > 0),) for cell in cells]).values()
    what = f"{name}: training {len(cells) * s.repeats} networks of width {hidden[0]}"
    with context.progress(len(groups) * max(looks), what) as advance:
        for group in groups:
            own = [cells[i] for i in group]
            ensemble, snapshots = _train(own, hidden, task, looks, s, context, advance)
            for look in looks:
                trained = ensemble.with_parameters(snapshots[look])
                for i, cell in enumerate(own):
                    models = trained.select(range(i * s.repeats, (i + 1) * s.repeats))
                    rows = _measured(models, name, task, target, s, context)
                    keys = {"part": part, "target": name, "regularizer": cell.regularizer}
                    keys |= {"strength": cell.strength, "width": hidden[0], "steps": look}
                    tables.append(rows.assign(**keys))
    table = pd.concat(tables, ignore_index=True)
    return table[[*keys, "order", "quantity", "value", "standard_error"]]


def _train(
    cells: list[Cell],
    hidden: tuple[int, ...],
    task: Task,
    looks: tuple[int, ...],
    s: Settings,
    context: Context,
    advance: Callable[[int], None],
) -> tuple[MLPEnsemble, dict[int, Tensor]]:
    every = [cell for cell in cells for _ in range(s.repeats)]
    ensemble = MLPEnsemble(
        (task.inputs.dim, *hidden, 1),
        seeds=context.seeds(s.repeats) * len(cells),
        dropout=[cell.dropout for cell in every],
        device=context.device,
    )
    copies = len(cells)
    penalties = [cell.order_penalty(task.inputs) for cell in cells]
    result = fit(
        ensemble,
        Samples(task.x.repeat(copies, 1, 1), task.y.repeat(copies, 1), batch_size=s.batch_size),
        steps=max(looks),
        optimizer="adamw" if cells[0].decay > 0 else "adam",
        learning_rate=s.learning_rate,
        weight_decay=[cell.decay for cell in every],
        order_penalty=[penalty for penalty in penalties for _ in range(s.repeats)],
        snapshots=looks,
        progress=advance,
    )
    return ensemble, result.snapshots


def _measured(
    models: MLPEnsemble,
    name: str,
    task: Task,
    target: Planted | None,
    s: Settings,
    context: Context,
) -> pd.DataFrame:
    """Error by order of the networks of one cell, a row per order and quantity."""

    def measured(truth: Callable[[Tensor], Tensor]) -> ErrorByOrder:
        return error_by_order(
            models,
            truth,
            task.inputs,
            max_order=ORDERS[name],
            tolerance=s.tolerance,
            budget=s.budget,
            seed=member_seed(context.seed, "spectrum") % 2**32,
        )

    if target is not None:
        return measured(target).to_frame()
    # What networks differ in is the same whatever they are compared with. Their mean takes most out
    # that is common to them; all of it would leave the mean an error of nothing but rounding.
    table = measured(lambda x: PART_OF_MEAN * models(x.to(models.flat)).mean(dim=1)).to_frame()
    gaps = answers(models, task.fresh.to(models.flat)).cpu() - task.truth
    square = gaps.double().square().mean(dim=0)
    row = {"order": "all", "quantity": "test_error", "value": square.mean().item()}
    row |= {"standard_error": square.std().item() / len(square) ** 0.5}
    return pd.concat([table[table["quantity"] == "variance"], pd.DataFrame([row])])


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """At the end of training, by part, target, regularizer, strength and width: every order's
    bias and variance, and the test error.
    """
    last = table[table["steps"] == table.groupby("part")["steps"].transform("max")]
    last = last[last["quantity"].isin(["bias", "variance", "test_error"])]
    last = last.assign(what=last["quantity"].str.cat(last["order"].astype(str), sep=" "))
    keys = ["part", "target", "regularizer", "strength", "width"]
    out = last.pivot_table(index=keys, columns="what", values="value", sort=False)
    return out.reset_index()
