"""On real data with real interactions, what rate is best, and which orders are learned when?

The paper's Fig 6 on UCI bike sharing (Washington D.C.): four sigmoid layers of 128, dropout on
the inputs and after every layer, Adam on batches of 32; train before July 2012, test after. The
spectrum is that of the network under the product of the test inputs' own marginals: real inputs
are dependent, and interaction variance has an unambiguous meaning only for independent ones.
Beside it stand boosted trees on the test hours, as released.

`controlled` holds out a fifth of the training hours, by which every network is stopped, and takes
the placements of dropout apart. It trains until the error on these hours no longer falls. Every
error stands beside that of a constant, the mean of the training hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from interactions import Empirical, MLPEnsemble, Samples, fit, order_spectrum
from interactions.networks import ACTIVATIONS

from ..running.context import Context
from ..running.data import bike_sharing
from ..tasks import (
    Pair,
    answers,
    bike_hours,
    dropout_at,
    dropout_cells,
    tree_shares,
    with_trees_if_possible,
)

QUESTION = "On bike sharing data, which drop rate is best, and which orders are learned when?"
DATA = ("bike_sharing",)
PLACEMENTS = ("both", "hidden", "input")


@dataclass(frozen=True)
class Settings:
    """`epochs` are those after which errors and spectra are measured; the last ends training.

    Boosted trees are fit after `tree_epochs`; without any, or without XGBoost, there are none.
    `validation` is the share of the training hours, drawn at random, that is held out.
    """

    rates: tuple[float, ...] = (0.0, 0.05, 0.125, 0.25, 0.375, 0.5)
    placements: tuple[str, ...] = field(default=("both",), metadata={"among": PLACEMENTS})
    repeats: int = 2
    epochs: tuple[int, ...] = field(default=(0, 5, 10, 20), metadata={"range": "[0, 1e7]"})
    tree_epochs: tuple[int, ...] = field(default=(), metadata={"range": "[0, 1e7]"})
    validation: float = field(default=0.0, metadata={"range": "[0, 1)"})
    activation: str = field(default="sigmoid", metadata={"among": ACTIVATIONS})
    width: int = 128
    depth: int = 4
    batch_size: int = 32
    learning_rate: float = 1e-3
    max_order: int = field(default=3, metadata={"range": "[1, 13]"})
    tolerance: float = 0.03
    budget: int = 2**20

    def __post_init__(self) -> None:
        if extra := set(self.tree_epochs) - set(self.epochs):
            raise ValueError(f"tree_epochs {sorted(extra)} are not among the epochs")


RELEASED = Settings()
CONTROLLED = Settings(
    rates=(0.0, 0.05, 0.125),
    placements=("both", "hidden"),
    validation=0.2,
    # Three times as cheap as the released steps, to the same error on held-out hours.
    batch_size=128,
    learning_rate=3e-3,
)
TINY = {
    "rates": (0.0, 0.05, 0.25, 0.5),
    "repeats": 1,
    "epochs": (0, 1),
    "width": 8,
    "batch_size": 512,
    "max_order": 2,
    "budget": 100_000,
    "tolerance": 1.0,
}
PRESETS = {
    ("released", "tiny"): replace(RELEASED, **TINY),
    ("released", "quick"): RELEASED,
    ("released", "paper"): replace(
        RELEASED,
        epochs=(0, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 475),
        tree_epochs=(5, 20, 100, 475),
    ),
    ("controlled", "tiny"): replace(CONTROLLED, **TINY),
    ("controlled", "quick"): replace(CONTROLLED, epochs=(0, 5, 10, 20), repeats=2),
    ("controlled", "paper"): replace(
        CONTROLLED,
        epochs=(0, 5, 10, 20, 40, 60, 80, 100, 120, 150),
        repeats=8,
        # Mixed differences would be chosen for some networks, and cost as much as all the rest.
        budget=2**17,
    ),
}


def shards(settings: Settings) -> list[Settings]:
    """Three rates each: steps are short, and cost little more for many networks than for few."""
    s = with_trees_if_possible(settings, "tree_epochs")
    return [replace(s, rates=s.rates[i : i + 3]) for i in range(0, len(s.rates), 3)]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: placement, rate, repeat, epoch, quantity, order, value and its error.

    Quantities: train_mse, test_mse, validation_mse, with `constant`, that of a constant on the
    same hours; variance and share by order; tree_share, of orders 1 to 3. At rate 0 the
    placements are one network, "none".
    """
    s = settings
    whole, test = bike_hours(bike_sharing(context.data_dir))
    train, held_out = _hold_out(whole, s.validation, context)
    cells = dropout_cells(s.placements, s.rates)
    members = [(p, r, i) for p, r in cells for i in range(s.repeats)]
    ensemble = MLPEnsemble(
        (train[0].shape[1], *[s.width] * s.depth, 1),
        seeds=context.seeds(s.repeats) * len(cells),
        dropout=[dropout_at(p, r) for p, r, _ in members],
        activation=s.activation,
        device=context.device,
    )
    data = Samples(*train, batch_size=s.batch_size)
    steps = [e * data.steps_per_epoch for e in s.epochs]
    with context.progress(max(steps), f"training {len(members)} networks") as advance:
        result = fit(
            ensemble,
            data,
            steps=max(steps),
            learning_rate=s.learning_rate,
            snapshots=steps,
            progress=advance,
        )
    then = ensemble.with_parameters(torch.stack([result.snapshots[step] for step in steps]))
    keys = [
        {"placement": p, "rate": r, "repeat": i, "epoch": e}
        for e in s.epochs
        for p, r, i in members
    ]
    rows: list[dict[str, object]] = []
    parts = {"train_mse": train, "test_mse": test}
    if s.validation > 0:
        parts["validation_mse"] = held_out
    for quantity, (x, y) in parts.items():
        constant = (y - train[1].mean()).double().square().mean().item()
        for key, value in zip(keys, _mse(then, x, y), strict=True):
            rows.append(key | {"quantity": quantity, "value": value, "constant": constant})
    # One sample measures every network at every epoch.
    spectrum = order_spectrum(
        then,
        Empirical(test[0]),
        max_order=s.max_order,
        tolerance=s.tolerance,
        budget=s.budget,
        seed=context.seed,
    )
    for row in spectrum.to_frame().itertuples():
        key = keys[row.output] | {"order": row.order}
        share = {"value": row.share, "standard_error": row.share_standard_error}
        variance = {"value": row.variance, "standard_error": row.standard_error}
        rows.append({**key, "quantity": "share", **share})
        rows.append({**key, "quantity": "variance", **variance})
    rows += _trees(keys, then, test[0], s, context)
    columns = ["placement", "rate", "repeat", "epoch", "quantity", "order"]
    columns += ["value", "standard_error", "constant"]
    table = pd.DataFrame(rows, columns=columns)
    return table.astype({"constant": float, "standard_error": float})


def _trees(
    keys: list[dict], then: MLPEnsemble, x: torch.Tensor, s: Settings, context: Context
) -> Iterator[dict[str, object]]:
    """Shares of V_1 + V_2 + V_3 by boosted trees, as released."""
    which = [i for i, key in enumerate(keys) if key["epoch"] in s.tree_epochs]
    with context.progress(len(which), "boosted trees") as advance:
        for i in which:
            for order, share in enumerate(tree_shares(then.select([i]), x), start=1):
                yield keys[i] | {"quantity": "tree_share", "order": str(order), "value": share}
            advance(1)


def _hold_out(hours: Pair, part: float, context: Context) -> tuple[Pair, Pair]:
    """Training hours, and a random part held out from them; the same for every network."""
    x, y = hours
    generator = torch.Generator().manual_seed(context.seed)
    order = torch.randperm(len(x), generator=generator)
    held_out = order[: round(part * len(x))].sort().values
    rest = order[len(held_out) :].sort().values
    return (x[rest], y[rest]), (x[held_out], y[held_out])


def _mse(ensemble: MLPEnsemble, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    x, y = x.to(ensemble.flat), y.to(ensemble.flat)
    errors = answers(ensemble, x, chunk=2**7) - y[:, None]
    return errors.double().square().mean(dim=0).cpu().numpy()


def stopped(table: pd.DataFrame) -> pd.DataFrame:
    """Errors of every network at the look its validation error is least, else at the last look.

    A row per placement, rate and repeat: epoch, train_mse, test_mse and `constant`, the test error
    of a constant; `above_plain`, the test error above that of the same repeat without dropout.
    """
    keys = ["placement", "rate", "repeat"]
    errors = table[table["quantity"].str.endswith("_mse")]
    looks = errors.pivot_table("value", [*keys, "epoch"], "quantity", sort=False)
    watched = "validation_mse" in looks
    looks = looks.reset_index("epoch")
    groups = looks.groupby(level=keys, sort=False)
    look = (lambda g: g.iloc[g["validation_mse"].argmin()]) if watched else (lambda g: g.iloc[-1])
    out = groups.apply(look)
    out["constant"] = errors.loc[errors["quantity"] == "test_mse", "constant"].iloc[0]
    out = out.reset_index()
    plain = out[out["placement"] == "none"].set_index("repeat")["test_mse"]
    out["above_plain"] = out["test_mse"] - out["repeat"].map(plain)
    return out


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Errors where networks stop (see `stopped`), and shares at the last look.

    Means over repeats and standard errors, a row per placement and rate.
    """
    keys = ["placement", "rate"]
    ends = stopped(table).groupby(keys, sort=False)
    out = ends[["epoch", "train_mse", "test_mse", "constant", "above_plain"]].mean()
    out["test_mse_error"] = ends["test_mse"].sem()
    out["above_plain_error"] = ends["above_plain"].sem()
    last = table[table["epoch"] == table["epoch"].max()]
    shares = last[last["quantity"] == "share"]
    out = out.join(shares.pivot_table("value", keys, "order", sort=False))
    trees = last[last["quantity"] == "tree_share"]
    if len(trees):
        out = out.join(
            trees.pivot_table("value", keys, "order", sort=False).add_prefix("tree_share")
        )
    return out.reset_index().rename_axis(columns=None)
