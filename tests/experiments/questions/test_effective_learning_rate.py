"""One step under dropout, against the step along its expected gradient."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.questions import effective_learning_rate
from experiments.running.context import Context
from interactions import Dropout, MLPEnsemble, Samples, fit

CONTEXT = Context(quiet=True)
TINY = effective_learning_rate.PRESETS["controlled", "tiny"]
RELEASED = effective_learning_rate.PRESETS["released", "tiny"]


def test_steps_of_networks_are_those_along_their_expected_gradient() -> None:
    """SGD: the mean over drawn masks against the average over all masks, within four errors."""
    settings = replace(TINY, orders=(1, 2, 4), draws=64, points=8)
    table = effective_learning_rate.run(settings, CONTEXT)
    table = table[(table["optimizer"] == "sgd") & table["expected"].notna()]
    assert set(table["part"]) == {"start", "training"}
    assert set(table["model"]) == {"products", "depth 1", "depth 2"}
    for row in table.itertuples():
        assert abs(row.moved - row.expected) <= 4 * row.standard_error + 1e-3, row


def test_the_one_step_is_the_optimizers_own() -> None:
    task = effective_learning_rate._Task(2, TINY, CONTEXT)
    weights = MLPEnsemble((4, 8, 1), seeds=[0], dtype=torch.float64).flat.detach()
    ensemble = task.network(weights, 1, Dropout(inputs=0.5), 3)
    moved = task.moved(ensemble, task.drawn(ensemble))
    for optimizer in ("sgd", "adam"):
        again = task.network(weights, 1, Dropout(inputs=0.5), 3)
        before = task.amplitudes(again)
        x, y = task.batch(0)
        rate = effective_learning_rate.SMALL
        fit(again, Samples(x, y), steps=1, optimizer=optimizer, learning_rate=rate)
        torch.testing.assert_close(task.amplitudes(again) - before, moved[optimizer])


def test_steps_along_the_effect_are_those_without_dropout_at_rate_zero() -> None:
    table = effective_learning_rate.run(replace(TINY, rates=(0.0,)), CONTEXT)
    start = table[table["part"] == "start"]
    np.testing.assert_allclose(start["moved"], 1, rtol=1e-6)


def test_norms_are_those_of_two_networks_that_share_nothing_but_the_data(monkeypatch) -> None:
    """At rate 0 the norm is 1 only in the middle; every run has a start of its own."""
    starts = []
    whole = effective_learning_rate.MLPEnsemble

    def noted(sizes, *, seeds, dtype, **options) -> MLPEnsemble:
        starts.extend(seeds)
        assert dtype == torch.float64
        return whole(sizes, seeds=seeds, dtype=dtype, **options)

    monkeypatch.setattr(effective_learning_rate, "MLPEnsemble", noted)
    settings = replace(RELEASED, orders=(1,), norm_rates=(0.0, 0.5), norm_data=1, norm_repeats=40)
    table = effective_learning_rate.run(settings, CONTEXT)
    assert len(set(starts)) == len(starts) == 3 * 40
    norms = table.groupby("rate")["norm"]
    assert (table["norm"] - 1).abs().min() > 1e-6
    assert abs(norms.median()[0.0] - 1) < 0.25
    assert norms.median()[0.5] < norms.median()[0.0]


def test_networks_of_all_rates_share_a_data_set_and_the_next_have_another(monkeypatch) -> None:
    seen = []
    step = effective_learning_rate.fit

    def noted(network, data, **options) -> object:
        seen.append((data.x, data.y))
        return step(network, data, **options)

    monkeypatch.setattr(effective_learning_rate, "fit", noted)
    tiny = {"norm_rates": (0.5,), "norm_points": 16, "norm_width": 4}
    settings = replace(RELEASED, orders=(2,), norm_data=3, norm_repeats=2, **tiny)
    table = effective_learning_rate.run(settings, CONTEXT)
    assert table["data_set"].tolist() == [0, 0, 1, 1, 2, 2]
    assert len(seen) == 3 * 4
    own = [seen[i : i + 4] for i in (0, 4, 8)]
    assert all(x is group[0][0] and y is group[0][1] for group in own for x, y in group)
    assert not any(torch.equal(a[0][0], b[0][0]) for a, b in combinations(own, 2))
    x, y = own[0][0]
    assert (y - 100 * x[:, 0] * x[:, 1]).abs().max() < 0.01


def test_the_summary_has_means_of_first_steps_and_medians_of_norms() -> None:
    cell = {"placement": "input", "model": "depth 1", "kind": "classic", "optimizer": "sgd"}
    cell |= {"order": 1, "rate": 0.5, "law": 0.5, "expected": 0.4}
    table = pd.DataFrame(
        [
            cell | {"part": part, "repeat": i, "moved": x, "norm": x}
            for part in ("start", "training", "norm")
            for i, x in enumerate((0.1, 0.2, 0.9))
        ]
    )
    found = effective_learning_rate.summary(table).set_index("part")
    assert found.index.tolist() == ["start", "norm"]
    assert found.loc["start", "moved"] == pytest.approx(0.4)
    assert found.loc["norm", "norm"] == pytest.approx(0.2)
