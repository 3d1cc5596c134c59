"""Bike sharing: where networks stop, and how they compare with a constant."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from experiments.questions import bike_share
from experiments.running.context import Context
from experiments.running.data import bike_sharing
from experiments.tasks import bike_hours
from paper_results import published

CONTEXT = Context(quiet=True)


def test_networks_on_bike_sharing_stop_where_held_out_hours_are_answered_best() -> None:
    errors = {"validation_mse": [3.0, 1.0, 2.0], "test_mse": [5.0, 4.0, 1.0]}
    table = pd.DataFrame(
        [
            {"placement": p, "rate": r, "repeat": 0, "epoch": e, "quantity": quantity}
            | {"value": v + r, "constant": 6.0}
            for p, r in (("none", 0.0), ("both", 0.5))
            for quantity, values in errors.items()
            for e, v in zip((0, 1, 2), values, strict=True)
        ]
    )
    ends = bike_share.stopped(table)
    assert ends["epoch"].tolist() == [1, 1]
    assert ends["test_mse"].tolist() == [4.0, 4.5]
    assert ends["above_plain"].tolist() == [0.0, 0.5]
    last = bike_share.stopped(table[table["quantity"] == "test_mse"])
    assert last["test_mse"].tolist() == [1.0, 1.5]


def test_a_constant_lies_between_the_published_networks_of_the_highest_rates(data_dir) -> None:
    """The mean of the training hours: 2.16 there, for the test hours have another mean."""
    (_, y_train), (_, y_test) = bike_hours(bike_sharing(data_dir))
    constant = (y_test - y_train.mean()).double().square().mean().item()
    assert constant == pytest.approx(2.1557, abs=1e-3)
    read = published("fig6")
    last = read[(read["epoch"] == 475) & (read["quantity"] == "test_mse")]
    last = last.set_index("dropout_rate")["mean"]
    assert last[0.5] > constant > last[0.375] > y_test.double().var().item()


def test_the_summary_has_errors_where_networks_stop_and_shares_of_the_last_look() -> None:
    row = {"placement": "none", "rate": 0.0, "constant": 6.0, "order": None}
    errors = [
        row | {"repeat": i, "epoch": e, "quantity": q, "value": e + i}
        for i in (0, 2)
        for e in (0, 4)
        for q in ("train_mse", "test_mse")
    ]
    shares = [
        row | {"repeat": i, "epoch": e, "quantity": q, "order": "1", "value": v + e / 10}
        for i in (0, 2)
        for e in (0, 4)
        for q, v in (("share", 0.5), ("tree_share", 0.25))
    ]
    (found,) = bike_share.summary(pd.DataFrame(errors + shares)).to_dict("records")
    assert (found["epoch"], found["test_mse"], found["test_mse_error"]) == (4, 5, 1)
    assert found["1"] == pytest.approx(0.9)
    assert found["tree_share1"] == pytest.approx(0.65)


def test_held_out_hours_are_no_training_hours() -> None:
    x = torch.arange(20.0)[:, None]
    train, held_out = bike_share._hold_out((x, x[:, 0]), 0.25, Context(seed=3))
    assert len(held_out[0]) == 5
    assert sorted(torch.cat([train[1], held_out[1]]).tolist()) == list(range(20))
    again, _ = bike_share._hold_out((x, x[:, 0]), 0.25, Context(seed=4))
    assert not torch.equal(train[0], again[0])


def test_boosted_trees_have_shares_of_three_orders_at_their_epochs(data_dir) -> None:
    pytest.importorskip("xgboost")
    tiny = bike_share.PRESETS["released", "tiny"]
    s = replace(tiny, rates=(0.25,), tree_epochs=(1,), max_order=1)
    table = bike_share.run(s, Context(data_dir=data_dir, quiet=True))
    trees = table[table["quantity"] == "tree_share"]
    assert trees["order"].tolist() == ["1", "2", "3"]
    assert set(trees["epoch"]) == {1}
    assert trees["value"].sum() == pytest.approx(1)


def test_runs_without_xgboost_have_shards_of_their_own(monkeypatch) -> None:
    paper = bike_share.PRESETS["released", "paper"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: object())
    assert [s.tree_epochs for s in bike_share.shards(paper)] == [paper.tree_epochs] * 2
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    without = bike_share.shards(paper)
    assert [s.tree_epochs for s in without] == [()] * 2
    assert [s.rates for s in without] == [paper.rates[:3], paper.rates[3:]]
