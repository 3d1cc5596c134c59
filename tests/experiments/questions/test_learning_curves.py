"""Learning over time: the targets, when half of an effect is held, and what dropout keeps."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.questions import learning_curves
from experiments.running.context import Context
from interactions import Uniform
from interactions.planted import covariance

CONTEXT = Context(quiet=True)


def test_effects_to_be_learned_are_of_one_order_and_the_generators_are_not() -> None:
    inputs = Uniform(-1.0, 1.0, dim=5)
    for order in (1, 2, 3):
        variance = learning_curves.target(f"pure {order}", inputs).spectrum(inputs, 3).variance
        np.testing.assert_allclose(variance, np.eye(4)[order - 1], atol=1e-12)
    mixture = learning_curves.target("mixture", inputs)
    np.testing.assert_allclose(mixture.spectrum(inputs, 3).variance, [1, 1, 1, 0], atol=1e-12)
    # Called a pair, and 97% a main effect.
    pair = learning_curves.target("generator 2", inputs).spectrum(inputs, 3)
    assert pair.share[0] == pytest.approx(0.974, abs=1e-3)
    moved = learning_curves.target("generator 2 on inputs 2, 3", inputs)
    assert set(moved.subset_variances(inputs)) == {(2,), (2, 3)}
    assert covariance(moved, moved, inputs) == pytest.approx(pair.total_variance)


def test_half_epochs_and_what_is_kept_are_read_off_the_amplitudes() -> None:
    """Without dropout half is reached at epoch 3, with it at 6: kept early .25, last .5."""
    curves = {0.0: [0.0, 0.4, 0.8, 1.0], 0.25: [0.0, 0.1, 0.2, 0.5], 0.5: [0.0, 0.0, 0.01, 0.02]}
    table = pd.DataFrame(
        [
            {"target": "pure 2", "order": "2", "rate": r, "repeat": 0, "epoch": e}
            | {"quantity": "amplitude", "value": v}
            for r, values in curves.items()
            for e, v in zip((0, 2, 4, 8), values, strict=True)
        ]
    )
    half = learning_curves.half_epochs(table).set_index("rate")
    assert half.loc[0.0, "epoch"] == pytest.approx(2.5)
    assert half.loc[0.25, "epoch"] == pytest.approx(4 + 4 * 0.05 / 0.3)
    assert np.isnan(half.loc[0.5, "epoch"])
    kept = learning_curves.kept(table).set_index("rate")
    assert kept.loc[0.25, ["early", "last"]].tolist() == pytest.approx([0.25, 0.5])
    assert kept.loc[0.0, ["early", "last"]].tolist() == [1, 1]


def test_boosted_trees_share_all_variance_among_their_orders() -> None:
    pytest.importorskip("xgboost")
    tiny = replace(
        learning_curves.PRESETS["released", "tiny"],
        tree_epochs=(2,),
        targets=("generator 1",),
        rates=(0.0,),
        repeats=1,
    )
    table = learning_curves.run(tiny, CONTEXT)
    trees = table[table["quantity"] == "tree_share"]
    assert trees["order"].tolist() == ["1", "2", "3"]
    assert trees["epoch"].tolist() == [2, 2, 2]
    assert trees["value"].sum() == pytest.approx(1)


def test_the_summary_says_where_the_mean_test_error_is_least() -> None:
    key = {"target": "pure 2", "rate": 0.0, "repeat": 0, "standard_error": 0.0}
    rows = [
        key | {"epoch": e, "quantity": "test_mse", "value": v}
        for e, v in ((0, 3.0), (5, 1.0), (9, 2.0))
    ]
    rows += [
        key | {"epoch": e, "quantity": "share", "order": "2", "value": e / 9} for e in (0, 5, 9)
    ]
    rows += [
        key | {"epoch": e, "quantity": "amplitude", "order": "2", "value": v}
        for e, v in ((0, 0.0), (5, 0.5), (9, 1.0))
    ]
    (row,) = learning_curves.summary(pd.DataFrame(rows)).to_dict("records")
    assert (row["best_mse"], row["best_epoch"], row["last_mse"]) == (1.0, 5, 2.0)
    assert row["share"] == 1.0
    assert (row["half_epoch"], row["most"], row["kept_last"]) == (5.0, 1.0, 1.0)


def test_a_repeat_has_the_same_data_at_every_rate() -> None:
    inputs = Uniform(-1.0, 1.0, dim=10)
    s = replace(learning_curves.PRESETS["controlled", "tiny"], rates=(0.0, 0.25, 0.5))
    x, y = learning_curves._data("pure 1", s, inputs, CONTEXT)
    assert x.shape == (6, 64, 10)
    assert x[0].equal(x[2])
    assert x[0].equal(x[4])
    assert y[1].equal(y[3])
    assert not y[0].equal(y[1])
    x, y = learning_curves._data("pure 1", replace(s, shared_data=True), inputs, CONTEXT)
    assert (x.shape, y.shape) == ((64, 10), (64,))
