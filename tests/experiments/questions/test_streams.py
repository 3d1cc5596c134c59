"""What is drawn for one purpose is drawn for no other: none is measured where it was trained."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch import Tensor

from experiments import tasks
from experiments.questions import (
    best_rate,
    co_adaptation,
    dropout_uncertainty,
    every_layer,
    learning_curves,
    pure_noise,
    regularizers,
    weight_decay,
)
from experiments.running.context import Context
from interactions import Inputs, Uniform
from interactions.networks import member_seed
from interactions.planted import SumOfProducts


def name(question: ModuleType) -> str:
    return question.__name__.rpartition(".")[2]


@pytest.mark.parametrize("seed", range(10))
def test_no_fresh_point_is_a_training_point(seed: int) -> None:
    task = tasks.planted_task(
        [SumOfProducts(())] * 3,
        Uniform(-1.0, 1.0, dim=4),
        Context(seed=seed, quiet=True),
        samples=64,
        noise=1.0,
        fresh=50,
    )
    assert not rows(task.fresh) & rows(task.x.flatten(0, 1))


@pytest.mark.parametrize(
    "question", [best_rate, co_adaptation, dropout_uncertainty, every_layer], ids=name
)
def test_draws_are_the_same_data_or_have_no_point_in_common(
    question: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At run seed 0, which is also the seed of the first repeat's data."""
    draws: list[Tensor] = []
    sample = Inputs.sample

    def recorded(self: Inputs, n: int, **options: object) -> Tensor:
        draws.append(sample(self, n, **options))
        return draws[-1]

    monkeypatch.setattr(Inputs, "sample", recorded)
    question.run(question.PRESETS["controlled", "tiny"], Context(quiet=True))
    sizes: dict[tuple[float, ...], set[int]] = {}
    for draw in draws:
        # Generators of one seed draw the same first point, however many are asked for.
        sizes.setdefault(tuple(draw[0].tolist()), set()).add(len(draw))
    assert len(sizes) > 1
    assert all(len(found) == 1 for found in sizes.values()), sizes.values()


@pytest.mark.parametrize(
    "question", [every_layer, learning_curves, pure_noise, regularizers, weight_decay], ids=name
)
def test_no_spectrum_is_measured_from_the_seed_of_a_data_set(
    question: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    class AskedError(Exception):
        pass

    def asked(*_: object, seed: int, **__: object) -> None:
        raise AskedError(seed)

    monkeypatch.setattr(question, "order_spectrum", asked)
    with pytest.raises(AskedError) as caught:
        question.run(question.PRESETS["controlled", "tiny"], Context(quiet=True))
    assert caught.value.args[0] % 2**32 not in Context().seeds(100)


def test_purposes_have_streams_of_their_own() -> None:
    purposes = (
        "fresh points",
        "spectrum",
        "masks",
        "copies",
        "weights",
        "batches",
        "noise",
        "penalty",
    )
    # What torch keeps of a seed.
    seeds = {member_seed(seed, p) % 2**32 for seed in range(10) for p in purposes}
    assert len(seeds - set(range(10))) == 10 * len(purposes)


def rows(points: Tensor) -> set[tuple[float, ...]]:
    return {tuple(row) for row in points.to(torch.float64).tolist()}
