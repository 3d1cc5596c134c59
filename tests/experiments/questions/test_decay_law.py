"""What networks trained under input dropout keep of an effect."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.questions import decay_law
from experiments.running.context import Context
from interactions import Uniform
from interactions.planted import Product

CONTEXT = Context(quiet=True)


def test_the_table_says_how_masks_and_targets_were_drawn() -> None:
    tiny = decay_law.PRESETS["controlled", "tiny"]
    for masks, targets in itertools.product((False, True), repeat=2):
        settings = replace(tiny, products=(1,), by_importance=masks, expected_targets=targets)
        table = decay_law.run(settings, CONTEXT)
        assert set(table["masks"]) == {"by importance" if masks else "as drawn"}
        assert set(table["targets"]) == {"expected" if targets else "as drawn"}


def test_expected_targets_are_told_to_rows_that_show_the_whole_effect() -> None:
    target, x = Product((0, 1)), torch.tensor([[2.0, 3.0, 4.0]] * 2)
    kept = torch.tensor([[True, True, False], [True, False, True]])
    inputs = Uniform(-1.0, 1.0, dim=3)
    assert decay_law._expected(target, inputs)(x, kept).tolist() == [6.0, 0.0]
    assert decay_law._drawn(target)(x, kept).tolist() == [6.0, 6.0]


def test_a_rate_of_zero_leaves_the_effect_whole() -> None:
    settings = decay_law.Settings(
        products=(1,), sines=(), rates=(0.0, 0.5), repeats=2, steps=400, batch_size=256
    )
    table = decay_law.run(settings, CONTEXT)
    by_rate = table.groupby("rate")["amplitude"].mean()
    assert by_rate[0.0] == pytest.approx(1, abs=0.02)
    assert by_rate[0.5] == pytest.approx(0.5, abs=0.05)


@pytest.mark.slow
def test_quick_decay_law_meets_its_bars() -> None:
    table = decay_law.summary(decay_law.run(decay_law.PRESETS["controlled", "quick"], CONTEXT))
    for row in table.itertuples():
        wanted = row.law if row.target == "product" else row.dilation
        if row.law >= 0.03:
            margin = max(3 * row.standard_error, 0.1 * wanted)
            assert abs(row.amplitude - wanted) <= margin, row
    apart = table[(table["target"] != "product") & (table["rate"] == 0.5)].iloc[0]
    assert abs(apart["amplitude"] - apart["law"]) > 0.2


def test_amplitude_and_root_of_variance_agree_where_the_effect_is_learned() -> None:
    settings = decay_law.Settings(
        products=(2,), sines=(), rates=(0.25,), repeats=2, dim=3, steps=600, batch_size=256
    )
    table = decay_law.run(settings, CONTEXT)
    np.testing.assert_allclose(table["root_variance_ratio"], table["amplitude"].abs(), atol=0.05)
    np.testing.assert_allclose(table[["law", "dilation"]], 0.5625)


def test_the_summary_has_means_and_standard_errors_over_repeats() -> None:
    row = {"target": "product", "order": 1, "rate": 0.5, "law": 0.5, "dilation": 0.5}
    table = pd.DataFrame([row | {"amplitude": a, "root_variance_ratio": 2 * a} for a in (0.4, 0.6)])
    (found,) = decay_law.summary(table).to_dict("records")
    assert found["amplitude"] == pytest.approx(0.5)
    assert found["root_variance_ratio"] == pytest.approx(1.0)
    assert found["standard_error"] == pytest.approx(0.1)
