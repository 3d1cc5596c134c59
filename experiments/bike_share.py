"""On real data with real interactions, what rate is best, and which orders are learned when?

The paper's Fig 6 on UCI bike sharing (Washington D.C.): four sigmoid layers of 128, dropout on
the inputs and after every layer, Adam on batches of 32; train before July 2012, test after. The
spectrum is that of the network under the product of the test inputs' own marginals: real inputs
are dependent, and interaction variance has an unambiguous meaning only for independent ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from interactions import Dropout, Empirical, MLPEnsemble, Samples, fit, order_spectrum

from .running.context import Context
from .running.data import bike_sharing

QUESTION = "On bike sharing data, which drop rate is best, and which orders are learned when?"
DROPPED = ("cnt", "instant", "casual", "registered")
SPLIT = "2012-07-01"


@dataclass(frozen=True)
class Settings:
    """`epochs` are those after which errors and spectra are measured; the last ends training."""

    rates: tuple[float, ...] = (0.0, 0.05, 0.125, 0.25, 0.375, 0.5)
    repeats: int = 2
    epochs: tuple[int, ...] = (0, 5, 10, 20)
    width: int = 128
    depth: int = 4
    batch_size: int = 32
    learning_rate: float = 1e-3
    max_order: int = 3
    tolerance: float = 0.03
    budget: int = 2**20


PRESETS = {
    ("released", "quick"): Settings(),
    ("released", "paper"): Settings(
        repeats=5,
        epochs=(0, 5, 10, 15, 20, 25, 30, 35, 40, 45, 50, 75, 100, 150, 200, 300, 400, 475),
        tolerance=0.01,
        budget=2**23,
    ),
}


def shards(settings: Settings) -> list[Settings]:
    """A rate each."""
    return [replace(settings, rates=(r,)) for r in settings.rates]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: rate, repeat, epoch, quantity (errors, variance and share by order), value."""
    s = settings
    (x_train, y_train), (x_test, y_test) = split(bike_sharing(context.data_dir))
    members = [(r, i) for r in s.rates for i in range(s.repeats)]
    ensemble = MLPEnsemble(
        (x_train.shape[1], *[s.width] * s.depth, 1),
        seeds=context.seeds(s.repeats) * len(s.rates),
        dropout=[Dropout(inputs=r, hidden=r) for r, _ in members],
        activation="sigmoid",
        device=context.device,
    )
    data = Samples(x_train, y_train, batch_size=s.batch_size)
    per_epoch = data.steps_per_epoch
    steps = [e * per_epoch for e in s.epochs]
    with context.progress(max(steps), f"training {len(members)} networks") as advance:
        result = fit(
            ensemble,
            data,
            steps=max(steps),
            learning_rate=s.learning_rate,
            snapshots=steps,
            progress=advance,
        )
    inputs = Empirical(x_test)
    rows: list[dict[str, object]] = []
    with context.progress(len(steps) * len(s.rates), "measuring variance by order") as advance:
        for epoch, step in zip(s.epochs, steps, strict=True):
            then = ensemble.with_parameters(result.snapshots[step])
            errors = {
                "train_mse": _mse(then, x_train, y_train),
                "test_mse": _mse(then, x_test, y_test),
            }
            for r, rate in enumerate(s.rates):
                which = range(r * s.repeats, (r + 1) * s.repeats)
                spectrum = order_spectrum(
                    then.select(which),
                    inputs,
                    max_order=s.max_order,
                    tolerance=s.tolerance,
                    budget=s.budget,
                    seed=context.seed,
                )
                for repeat, member in enumerate(which):
                    cell = {"rate": rate, "repeat": repeat, "epoch": epoch}
                    for quantity, mse in errors.items():
                        rows.append(cell | {"quantity": quantity, "value": mse[member]})
                frame = spectrum.to_frame()
                for row in frame.itertuples():
                    cell = {"rate": rate, "repeat": row.output, "epoch": epoch, "order": row.order}
                    for quantity, error in (
                        ("variance", "standard_error"),
                        ("share", "share_standard_error"),
                    ):
                        rows.append(
                            cell
                            | {
                                "quantity": quantity,
                                "value": getattr(row, quantity),
                                "standard_error": getattr(row, error),
                            }
                        )
                advance(1)
    columns = ["rate", "repeat", "epoch", "quantity", "order", "value", "standard_error"]
    return pd.DataFrame(rows)[columns]


Pair = tuple[torch.Tensor, torch.Tensor]


def split(hours: pd.DataFrame) -> tuple[Pair, Pair]:
    """Train and test points and targets, float32, standardised by the training part.

    As released: 13 inputs (all columns but the counts and the row number), the date as the index
    of the day, hours before July 2012 for training.
    """
    train = torch.tensor((hours["dteday"] < SPLIT).to_numpy(copy=True))
    day = hours["dteday"].astype("category").cat.codes
    x = hours.assign(dteday=day).drop(columns=list(DROPPED)).to_numpy(dtype=np.float64)
    y = hours["cnt"].to_numpy(dtype=np.float64)
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    y = (y - y[train].mean()) / y[train].std()
    points, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return (points[train], targets[train]), (points[~train], targets[~train])


def _mse(ensemble: MLPEnsemble, x: torch.Tensor, y: torch.Tensor) -> np.ndarray:
    with torch.no_grad():
        x, y = x.to(ensemble.flat), y.to(ensemble.flat)
        answers = torch.cat([ensemble(chunk) for chunk in x.split(2**11)])
    return (answers - y[:, None]).double().square().mean(dim=0).cpu().numpy()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Errors and shares after the last epoch, means over repeats, a row per rate."""
    last = table[table["epoch"] == table["epoch"].max()]
    errors = last[last["quantity"].isin(["train_mse", "test_mse"])]
    shares = last[last["quantity"] == "share"]
    out = errors.pivot_table("value", "rate", "quantity")[["train_mse", "test_mse"]]
    out = out.join(shares.pivot_table("value", "rate", "order"))
    return out.reset_index().rename_axis(columns=None)
