"""Does the best drop rate fall as the order of a class planted in 20 Newsgroups rises?

The paper's Table C.1: documents get k columns of U(0, 1), and class 21 where all of them exceed a
threshold; networks of five ReLU layers of 512, dropout after each. `released` has the notebook's
threshold .7^k, under which 30%, 26% and 28% of documents change class for k = 1, 2, 3, and a
learning rate that grows with the drop rate. `text` has threshold .5: 50%, 25% and 12.5%, so the
orders differ in how much of the task is the planted class. `controlled` has the threshold that
gives the class 30% at every k, one learning rate, and a split and columns of each repeat's own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from sklearn.feature_extraction.text import TfidfVectorizer

from interactions import Dropout, MLPEnsemble, Samples, fit
from interactions.rate_sweep import grid_error

from ..running.context import Context
from ..running.data import twenty_newsgroups

QUESTION = "Does the best rate fall as the order of a class planted in 20 Newsgroups rises?"
DATA = ("20newsgroups",)
THRESHOLDS = {
    "released": lambda k: 0.7**k,
    "text": lambda k: 0.5,
    "even": lambda k: 1 - 0.3 ** (1 / k),
}
NEW_CLASS = 21


@dataclass(frozen=True)
class Settings:
    """`threshold` is "released" (.7^k), "text" (.5) or "even" (the new class has 30% at every k).

    `shared_data`: one split and one draw of the columns for all repeats, as released.
    `rate_speeds_up`: the learning rate is multiplied by 1 + r.
    """

    orders: tuple[int, ...] = (1, 2, 3)
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)
    repeats: int = 5
    threshold: str = field(default="released", metadata={"among": THRESHOLDS})
    shared_data: bool = True
    rate_speeds_up: bool = True
    documents: int = 1000
    features: int = 1000
    width: int = 512
    depth: int = 5
    epochs: int = 50
    batch_size: int = 128
    learning_rate: float = 1e-3


RELEASED = Settings()
TEXT = replace(RELEASED, threshold="text")
CONTROLLED = replace(RELEASED, threshold="even", shared_data=False, rate_speeds_up=False)
TINY = {
    "orders": (1, 2),
    "rates": (0.0, 0.5),
    "repeats": 2,
    "documents": 60,
    "features": 20,
    "width": 8,
    "epochs": 2,
}
QUICK = {"orders": (1, 3), "rates": (0.0, 0.375), "repeats": 1}
PRESETS = {
    ("released", "tiny"): replace(RELEASED, **TINY),
    ("released", "quick"): replace(RELEASED, **QUICK),
    ("released", "paper"): RELEASED,
    ("text", "tiny"): replace(TEXT, **TINY),
    ("text", "quick"): replace(TEXT, **QUICK),
    ("text", "paper"): replace(TEXT, repeats=3),
    ("controlled", "tiny"): replace(CONTROLLED, **TINY),
    ("controlled", "quick"): replace(CONTROLLED, **QUICK),
    # As many as it takes to tell the best rates of order 1 and 3 apart.
    ("controlled", "paper"): replace(CONTROLLED, repeats=10),
}


def shards(settings: Settings) -> list[Settings]:
    """An order each."""
    return [replace(settings, orders=(order,)) for order in settings.orders]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per order, rate and repeat: accuracy on test documents, by kind of class."""
    s = settings
    (x, y), (x_test, y_test) = _documents(s, context)
    rows: list[dict[str, object]] = []
    seeds = context.seeds(s.repeats)
    epoch = math.ceil(round(0.8 * len(x)) / s.batch_size)
    total = len(s.orders) * s.repeats * s.epochs * epoch
    with context.progress(total, "training on documents") as advance:
        for order in s.orders:
            for repeat, seed in enumerate(seeds):
                rng = np.random.default_rng([seeds[0] if s.shared_data else seed, order])
                train = rng.permutation(len(x))[: round(0.8 * len(x))]
                with_class = _planted(x[train], y[train], order, s, rng)
                x_new, y_new = _planted(x_test, y_test, order, s, rng)
                ensemble = MLPEnsemble(
                    (s.features + order, *[s.width] * s.depth, NEW_CLASS + 1),
                    seeds=[seed] * len(s.rates),
                    dropout=[Dropout(hidden=rate) for rate in s.rates],
                    device=context.device,
                )
                speed = [s.learning_rate * (1 + rate * s.rate_speeds_up) for rate in s.rates]
                fit(
                    ensemble,
                    Samples(*with_class, batch_size=s.batch_size),
                    steps=s.epochs * epoch,
                    loss="cross_entropy",
                    learning_rate=speed,
                    progress=advance,
                )
                with torch.no_grad():
                    right = ensemble.outputs(x_new.to(context.device)).argmax(dim=-1).cpu() == y_new
                new = y_new == NEW_CLASS
                for rate, hits in zip(s.rates, right.double(), strict=True):
                    rows.append(
                        {
                            "order": order,
                            "rate": rate,
                            "repeat": repeat,
                            "accuracy": hits.mean().item(),
                            "accuracy_new": hits[new].mean().item(),
                            "accuracy_old": hits[~new].mean().item(),
                            "share_new": new.double().mean().item(),
                        }
                    )
    return pd.DataFrame(rows)


def _documents(
    s: Settings, context: Context
) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """TF-IDF and class of the first documents of both parts, as scikit-learn orders them."""
    (texts, y), (test_texts, y_test) = twenty_newsgroups(context.data_dir)
    vectorizer = TfidfVectorizer(max_features=s.features)
    x = vectorizer.fit_transform(texts[: s.documents]).toarray()
    x_test = vectorizer.transform(test_texts[: s.documents]).toarray()
    return (x, y[: s.documents]), (x_test, y_test[: s.documents])


def _planted(
    x: np.ndarray, y: np.ndarray, order: int, s: Settings, rng: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Documents with k columns more, and the new class where all of these are high."""
    columns = rng.uniform(size=(len(x), order))
    high = (columns > THRESHOLDS[s.threshold](order)).all(axis=1)
    points = torch.tensor(np.hstack([x, columns]), dtype=torch.float32)
    return points, torch.tensor(np.where(high, NEW_CLASS, y))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean accuracies by order and rate, and by order the best rate.

    `error` is the standard error of the mean accuracy. `best_rate` is the mean over repeats of the
    rate of the highest accuracy; its standard error is that over repeats, and that of rounding
    each to the grid of rates.
    """
    groups = table.groupby(["order", "rate"])
    out = groups[["accuracy", "accuracy_new", "accuracy_old", "share_new"]].mean()
    out.insert(1, "error", groups["accuracy"].sem())
    most = table.loc[table.groupby(["order", "repeat"])["accuracy"].idxmax()]
    best = most.groupby("order")["rate"]
    rounding = [grid_error(table["rate"], repeats) for repeats in best.count()]
    out = out.join(best.mean().rename("best_rate"), on="order")
    error = np.hypot(best.sem(), rounding).rename("best_rate_error")
    return out.join(error, on="order").reset_index()
