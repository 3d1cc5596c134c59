"""The tables study: all methods are tuned alike, on rows that neither train nor test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments import data_sets
from experiments.questions import adaptive
from experiments.running.context import Context, UserError
from experiments.running.settings import change
from interactions import Empirical

CONTEXT = Context(quiet=True)
TINY = adaptive.PRESETS["controlled", "tiny"]
# So few rows that networks are best long before the end.
FEW = replace(TINY, rows=16, steps=(10, 50, 150), learning_rate=0.02)
PRESETS = list(adaptive.PRESETS.values())


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return adaptive.run(FEW, CONTEXT)


def test_a_row_says_what_every_method_chose_of_every_split(table: pd.DataFrame) -> None:
    keys = ["table", "stopped", "method", "repeat"]
    assert len(table) == 2 * 2 * len(adaptive.METHODS) * 2
    assert not table.duplicated(keys).any()
    assert set(table.loc[table["method"] == "none", "strength"]) == {0.0}
    at_the_end = table[~table["stopped"]]
    assert set(at_the_end["step"]) == {max(FEW.steps)}
    assert table.loc[table["stopped"], "step"].min() < max(FEW.steps)
    # Who may choose more is better on the rows it chooses by, and none is a choice of all.
    assert (table["held_out_error"] > 0).all()
    held_out = table.set_index(keys)["held_out_error"].unstack("method")
    assert (held_out.le(held_out["none"], axis=0)).all(axis=None)
    assert (
        held_out.loc[(slice(None), True), :].to_numpy() <= held_out.loc[(slice(None), False), :]
    ).all(axis=None)


def test_nothing_is_chosen_by_the_test(table: pd.DataFrame, monkeypatch) -> None:
    def with_another_test(*args, **sizes) -> data_sets.Split:
        split = data_sets.split_of(*args, **sizes)
        x, y = split.test
        return split._replace(test=(x, -y))

    monkeypatch.setattr(adaptive, "split_of", with_another_test)
    again = adaptive.run(replace(FEW, tables=("mixture",)), CONTEXT)
    before = table[table["table"] == "mixture"]
    pd.testing.assert_frame_equal(
        again.drop(columns="test_error"), before.drop(columns="test_error")
    )
    assert (again["test_error"] != before["test_error"]).all()


@pytest.mark.parametrize("settings", PRESETS)
def test_every_method_has_as_many_candidates(settings: adaptive.Settings) -> None:
    cells = adaptive.cells_of(settings)
    counts = pd.Series([cell.method for cell in cells]).value_counts()
    assert counts.pop("none") == 1
    assert set(counts.index) == set(adaptive.METHODS) - {"none"}
    assert counts.nunique() == 1
    assert len({cell[:3] for cell in cells}) == len(cells)


def test_unequal_candidates_are_refused() -> None:
    with pytest.raises(
        UserError, match="as many candidates as the others, got placements x rates 1"
    ):
        change(TINY, ["placements=hidden"])


def test_a_candidate_changes_what_its_method_says() -> None:
    cells = {cell.method: cell for cell in adaptive.cells_of(TINY)}
    assert cells["dropout"].dropout.rates(1) == (0.25, 0.25)
    assert cells["weight decay"].decay == 3.0
    inputs = Empirical(np.random.default_rng(0).normal(size=(50, 4)))
    penalties = {m: cell.penalty(inputs, (0.1, 0.5)) for m, cell in cells.items()}
    assert [m for m, p in penalties.items() if p is None] == ["none", "dropout", "weight decay"]
    profiles = {m: p.strength * p.profile for m, p in penalties.items() if p is not None}
    np.testing.assert_allclose(
        profiles["order penalty"], 0.3 * (1 - 0.5 ** np.arange(1, 5)) / (1 - 0.5**4), rtol=0.1
    )
    np.testing.assert_allclose(profiles["orders from K"], [0, 0.1, 0.3, 0.6])
    np.testing.assert_allclose(profiles["by order"][:3], [0.2, 1.0, 2.4])


def test_weights_are_variance_over_signal_and_grow_as_squares_must() -> None:
    # Orders with variances .1, .1, .2 in half the difference and signals 1, .2, .1.
    weights = adaptive.weights_of(np.array([1.1, 0.3, 0.3]), np.array([0.1, 0.1, 0.2]))
    assert weights == pytest.approx((0.1, 0.5, 2.0))
    # An order weighs at least what those below it make it weigh: 2 of the first, 3 of the second.
    assert adaptive.weights_of(np.array([1.5, 9.0]), np.array([0.5, 0.0])) == pytest.approx(
        (0.5, 1)
    )
    nothing = adaptive.weights_of(np.zeros(2), np.array([1.0, 0.0]))
    assert nothing == pytest.approx((adaptive.LARGEST_RATIO, 2 * adaptive.LARGEST_RATIO))
    assert adaptive.weights_of(np.ones(1), np.zeros(1))[0] > 0


def test_of_a_function_of_order_1_networks_of_half_the_rows_agree_on_order_1_alone() -> None:
    s = replace(TINY, width=32, steps=(50, 150))
    additive = data_sets.table_of("additive", CONTEXT)
    split = data_sets.split_of(additive, CONTEXT, repeats=2, rows=400, held_out=100, test=1)
    for weights in adaptive.weights_by_order(split, s, CONTEXT, lambda _: None):
        assert weights[0] < 0.3
        assert weights[1] > 3 * weights[0]


def test_the_summary_ranks_by_table_and_leaves_the_control_out() -> None:
    errors = {"one": (4, 2, 3, 5, 6, 1), "two": (4, 2, 1, 5, 6, 3), "additive": (1, 9, 9, 9, 9, 9)}
    rows = [
        {"table": t, "stopped": True, "method": m, "repeat": r, "test_error": e + r - 0.5}
        for t, of in errors.items()
        for m, e in zip(adaptive.METHODS, of, strict=True)
        for r in range(2)
    ]
    out = adaptive.summary(pd.DataFrame(rows)).set_index("method")
    assert out["tables"].unique().tolist() == [2]
    assert out["mean_rank"].tolist() == [4, 2, 2, 5, 6, 2]
    assert out.loc["by order", ["rank_low", "rank_high"]].tolist() == [1, 3]
    assert out["ratio"].tolist() == pytest.approx([2, 1, (3 / 4) ** 0.5, 2.5, 3, (3 / 4) ** 0.5])
    assert out.loc["none", ["ratio_low", "ratio_high"]].tolist() == pytest.approx([2, 2])
    low, high = out.loc["by order", ["ratio_low", "ratio_high"]]
    margin = 12.706 * abs(np.log(0.5) - np.log(1.5)) / 2
    assert np.log(high / low) == pytest.approx(2 * margin, rel=1e-3)


def test_one_table_has_no_interval(table: pd.DataFrame) -> None:
    out = adaptive.summary(table)
    assert out[["rank_low", "rank_high", "ratio_low", "ratio_high"]].isna().all(axis=None)
