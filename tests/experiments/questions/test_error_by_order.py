"""Errors by order of trained networks: they sum to the test error, and noise is all variance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.questions import error_by_order
from experiments.running.context import Context
from interactions import MLPEnsemble

CONTEXT = Context(quiet=True)
TINY = error_by_order.PRESETS["controlled", "tiny"]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return error_by_order.run(TINY, CONTEXT)


def test_orders_sum_to_the_test_error(table: pd.DataFrame) -> None:
    keys = ["part", "target", "regularizer", "strength", "width", "steps"]
    errors = table[table["quantity"] == "error"].groupby(keys)["value"].sum()
    seen = table[table["quantity"] == "test_error"].set_index(keys)
    assert len(errors) == len(seen) == 2 * 3 * 2 + 2
    seen = seen.loc[errors.index]
    assert ((errors - seen["value"]).abs() < 2 * seen["standard_error"] + 1e-3).all()
    parts = table[table["quantity"].isin(["bias", "variance"])].groupby(keys)["value"].sum()
    pd.testing.assert_series_equal(parts, errors)


def test_of_noise_nothing_is_bias_and_of_the_mixture_nearly_all_before_it_is_learned(
    table: pd.DataFrame,
) -> None:
    early = table[(table["part"] == "regularizers") & (table["steps"] == 5)]
    sums = early.groupby(["target", "quantity"])["value"].sum()
    assert sums["mixture", "bias"] > 0.5 * sums["mixture", "error"]
    noise = early[(early["target"] == "noise") & (early["quantity"] == "bias")]
    assert (noise["value"].abs() < 4 * noise["standard_error"] + 0.02).all()


def test_a_regularizer_changes_what_its_name_says() -> None:
    s = replace(TINY, regularizers=tuple(error_by_order.REGULARIZERS), decays=(2.0,))
    plain, *cells = error_by_order.cells_of(s)
    changed = {
        cell.regularizer: {f for f, v in cell._asdict().items() if v != getattr(plain, f)}
        - {"regularizer", "strength"}
        for cell in cells
    }
    assert changed["activation dropout"] == {"dropout"}
    assert changed["decoupled L2"] == {"decay"}
    assert changed["order penalty from 3"] == {"order", "penalty"}
    inputs = error_by_order.task_of("mixture", s, CONTEXT)[0].inputs
    penalties = {cell.regularizer: cell.order_penalty(inputs) for cell in cells}
    assert penalties["input dropout"] is None
    assert penalties["order penalty from 2"].profile[0] == 0


def test_fewer_than_three_networks_have_no_errors() -> None:
    with pytest.raises(ValueError, match="3 repeats at least"):
        error_by_order.Settings(repeats=2)


def test_of_bike_sharing_the_variance_is_told_by_order_and_the_error_as_a_whole(data_dir) -> None:
    s = replace(TINY, targets=("bike",), regularizers=("activation dropout",), steps=(20,))
    table = error_by_order.run(replace(s, widths=()), replace(CONTEXT, data_dir=data_dir))
    assert set(table["quantity"]) == {"variance", "test_error"}
    of_order = table[table["quantity"] == "variance"]
    assert list(of_order["order"][:4]) == ["0", "1", "2", ">2"]
    assert (of_order.groupby("regularizer")["value"].sum() > 0).all()


def test_of_bike_sharing_the_orders_of_variance_sum_to_what_networks_differ_in(data_dir) -> None:
    s = replace(TINY, targets=("bike",), width=32, depth=2, repeats=5)
    context = Context(data_dir=data_dir, quiet=True)
    task, target = error_by_order.task_of("bike", s, context)
    assert target is None
    networks = MLPEnsemble((task.inputs.dim, 32, 32, 1), seeds=range(5))
    table = error_by_order._measured(networks, "bike", task, target, s, context)
    own = table[table["quantity"] == "variance"]
    x = task.inputs.expand(task.inputs.sample(2**13, generator=1)).to(networks.flat)
    with torch.no_grad():
        apart = networks(x).double().var(dim=1).numpy()
    error = np.hypot(np.linalg.norm(own["standard_error"]), apart.std() / len(x) ** 0.5)
    assert abs(own["value"].sum() - apart.mean()) < 3 * error
    assert error < 0.2 * apart.mean()
