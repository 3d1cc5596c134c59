"""What boosted trees make of a network's orders."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.questions import distillation_accuracy
from experiments.running.context import Context
from figures.distillation_accuracy import NAMES
from interactions import Uniform, order_spectrum
from interactions.planted import Product

CONTEXT = Context(quiet=True)


def test_boosted_trees_give_high_orders_to_low_ones_where_points_are_few() -> None:
    pytest.importorskip("xgboost")
    settings = distillation_accuracy.Settings(
        orders=(3,), samples=(200,), repeats=2, steps=1500, measures=("staged", "kernel", "exact")
    )
    rows = distillation_accuracy.summary(distillation_accuracy.run(settings, CONTEXT))
    low = rows.set_index("measure")["too_low"]
    assert low["exact"] < 0.02
    assert low["staged"] > 0.1
    # The kernel's share of low orders has a spread of .12 over samples of 200 points, and no bias.
    assert abs(low["kernel"]) < 3.5 * 0.12 / 2**0.5


def test_what_trees_hold_is_measured_on_the_trees_that_are_read() -> None:
    pytest.importorskip("xgboost")
    inputs = Uniform(-1.0, 1.0, dim=5)
    points = inputs.sample(2000, generator=3, dtype=torch.float32)
    values = Product((0, 1, 2), scale=3**1.5)(points)
    measured = {
        measure: list(distillation_accuracy._measured(measure, None, points, values, inputs, 0))
        for measure in ("staged", "staged trees")
    }
    stages = distillation_accuracy._stages(points.numpy(), values.double().numpy())
    fresh = points[1000:].numpy()
    read = [np.var(stage.predict(fresh).astype(float)) for stage in stages]
    assert [variance for _, variance, _ in measured["staged"]] == pytest.approx(read)
    summed = order_spectrum(
        lambda x: sum(torch.as_tensor(stage.predict(x.numpy())) for stage in stages),
        inputs,
        method="kernel",
        budget=20_000,
    )
    held = np.array([share for _, _, share in measured["staged trees"]])
    assert (np.abs(held - summed.share[:3]) < 4 * summed.share_standard_error[:3]).all()
    # The last stage is read as order 3 whole, and holds much of the lower ones.
    assert measured["staged"][2][2] > 1.5 * held[2]


def test_what_is_too_low_is_summed_below_the_true_order_and_averaged_over_networks() -> None:
    shares = {0: (0.1, 0.3, 0.6), 1: (0.2, 0.4, 0.4)}
    table = pd.DataFrame(
        [
            {"measure": "staged", "samples": 100, "true_order": 3, "repeat": i, "order": k}
            | {"share": share}
            for i, of_network in shares.items()
            for k, share in enumerate(of_network, start=1)
        ]
    )
    (row,) = distillation_accuracy.summary(table).to_dict("records")
    assert row["too_low"] == pytest.approx(0.5)
    assert row["too_low_error"] == pytest.approx(0.1)
    assert [row[k] for k in (1, 2, 3)] == pytest.approx([0.15, 0.35, 0.5])


def test_the_kernel_and_the_exact_spectrum_need_no_trees_and_few_points_are_left_out() -> None:
    tiny = distillation_accuracy.PRESETS["controlled", "tiny"]
    few = distillation_accuracy.FEWEST_FOR_KERNEL - 1
    table = distillation_accuracy.run(replace(tiny, samples=(few,)), CONTEXT)
    assert set(table["measure"]) == {"exact"}
    # Of one network the exact spectrum does not depend on the points.
    more = distillation_accuracy.run(replace(tiny, samples=(few, few + 1)), CONTEXT)
    exact = more[more["measure"] == "exact"].groupby(["true_order", "repeat", "order"])["share"]
    assert (exact.max() == exact.min()).all()
    assert set(more["measure"]) == {"exact", "kernel"}


def test_the_figure_has_a_name_for_every_measure() -> None:
    assert tuple(NAMES) == distillation_accuracy.MEASURES
