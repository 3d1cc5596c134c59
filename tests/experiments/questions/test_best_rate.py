"""Best rates: what is planted, where the least error lies, and how well that is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.questions import best_rate
from experiments.running.context import Context
from experiments.tasks import planted_data
from interactions import Uniform

CONTEXT = Context(quiet=True)


def test_the_twin_plants_effects_of_one_order_and_equal_size() -> None:
    s = best_rate.Settings()
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    for order in s.orders:
        target = best_rate.PlantedInteractions(inputs, {order: 1.0}, {order: s.subsets}, seed=1)
        share = target.spectrum(inputs, 3).share
        assert share[order - 1] == pytest.approx(1)
        _, y = planted_data([target], inputs, [1], samples=20_000, noise=0.0)
        assert y.var().item() == pytest.approx(1, abs=0.1)
        _, noisy = planted_data([target], inputs, [1], samples=20_000, noise=0.5)
        assert (noisy - y).std().item() == pytest.approx(0.5, abs=0.02)


def test_little_training_favours_a_lower_rate_the_higher_the_order() -> None:
    settings = best_rate.Settings(
        orders=(1, 3),
        noises=(1.0,),
        placements=("activation",),
        rates=(0.0, 0.25),
        repeats=2,
        steps=(300,),
    )
    best = best_rate.summary(best_rate.run(settings, CONTEXT)).set_index("order")["best_rate"]
    assert best[1] == 0.25
    assert best[3] == 0.0


def test_noise_raises_the_best_rate() -> None:
    settings = best_rate.Settings(
        orders=(1,),
        noises=(0.25, 2.0),
        placements=("activation",),
        rates=(0.125, 0.375),
        repeats=2,
        steps=(1000,),
    )
    found = best_rate.summary(best_rate.run(settings, CONTEXT)).set_index("noise")["best_rate"]
    assert found[0.25] == 0.125
    assert found[2.0] == 0.375


def test_the_error_of_a_best_rate_holds_the_grids() -> None:
    best = {1: (0.25, 0.25), 2: (0.0, 0.5)}
    table = pd.DataFrame(
        [
            {"placement": "input", "steps": 1, "noise": 1.0, "order": k, "rate": r, "repeat": i}
            | {"error": abs(r - b)}
            for k, of_repeat in best.items()
            for i, b in enumerate(of_repeat)
            for r in (0.0, 0.25, 0.5)
        ]
    )
    found = best_rate.summary(table).set_index("order")
    assert found["best_rate"].tolist() == [0.25, 0.25]
    grid = 0.25 / 24**0.5
    assert found.loc[1, "best_rate_error"] == pytest.approx(grid)
    assert found.loc[2, "best_rate_error"] == pytest.approx(np.hypot(0.25, grid))
