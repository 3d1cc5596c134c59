"""Numbers of pages that no verdict rests on are those that the questions' own summaries give."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.questions import adaptive, error_by_order, regularizers
from interactions import MLPEnsemble
from paper_results import STORED
from paper_results.told import results


def test_errors_over_those_of_dropout_are_those_of_the_summary() -> None:
    table = pd.read_csv(STORED / "adaptive-controlled-paper" / "table.csv")
    rows = adaptive.summary(table).set_index(["stopped", "method"])
    own = rows.loc[[(False, "by order"), (False, "weight decay")]]
    assert (own["tables"] == 12).all()
    told = own[["ratio", "ratio_low", "ratio_high"]].to_numpy().ravel()
    assert results.on_tables() == pytest.approx(told.tolist())


def test_acting_by_order_is_not_told_apart_from_weight_decay_on_tables() -> None:
    """Acting by order gains no more than weight decay does: the interval of the ratio holds 1."""
    table = pd.read_csv(STORED / "adaptive-controlled-paper" / "table.csv")
    table = table[(table["table"] != adaptive.CONTROL) & ~table["stopped"]]
    errors = table.groupby(["table", "method"])["test_error"].mean().unstack()
    ratio = np.log(errors["by order"] / errors["weight decay"])
    assert abs(ratio.mean()) < 2.2 * ratio.sem()


def test_penalising_orders_that_the_truth_has_not_leaves_less_error() -> None:
    table = pd.read_csv(STORED / "regularizers-penalties-paper" / "table.csv")
    rows = regularizers.summary(table).set_index(["target", "steps", "regularizer", "where"])
    best = rows.loc["pairs", 2000].xs("best", level="where")["error_ratio"]
    dropout, _, decay, _ = results.acting_on_order()
    ours = best["order penalty from 3"]
    # Those are ratios of means, strengths chosen on other repeats; these are means of ratios.
    assert dropout == pytest.approx(
        ours / best[["input dropout", "activation dropout"]].min(), abs=0.03
    )
    assert decay == pytest.approx(ours / best[["coupled L2", "decoupled L2"]].min(), abs=0.03)


def test_a_strength_is_chosen_without_the_repeat_that_it_is_judged_by() -> None:
    """Each of two strengths is best in one repeat: judged by the other, both choose wrongly."""
    values = {("a", 1.0): (0.0, 9.0), ("a", 2.0): (9.0, 0.0)}
    table = pd.DataFrame(
        [
            {"regularizer": name, "strength": strength, "repeat": r, "value": v}
            for (name, strength), of in values.items()
            for r, v in enumerate(of)
        ]
    )
    assert results.best_errors(table, ["a"]).tolist() == [9.0, 9.0]


def test_the_order_penalty_leaves_what_is_asked_of_every_order_on_three_targets() -> None:
    """Within 3%, where input dropout, of which (1-r)^k is asked, is off by far more than .2."""
    table = pd.read_csv(STORED / "order_penalty-controlled-paper" / "table.csv")
    means = table.groupby(["target", "profile", "order"])[["asked", "reached"]].mean()
    means = means.reset_index()
    dropped = means["profile"].str.startswith("input dropout")
    ours = means[~dropped & (means["profile"] != "none")]
    assert len(ours) == 27
    assert (ours["reached"] / ours["asked"] - 1).abs().max() < 0.03
    sines = means["target"] == "sines"
    assert (means["reached"] - means["asked"])[dropped & sines].min() > 0.2
    survival = sines & means["profile"].str.startswith("survival")
    assert (means["reached"] - means["asked"])[survival].abs().max() < 0.03


def errors_by_order() -> pd.DataFrame:
    table = pd.read_csv(
        STORED / "error_by_order-controlled-paper" / "table.csv", dtype={"order": str}
    )
    return table[(table["part"] == "regularizers") & (table["target"] != "bike")]


def test_errors_of_all_orders_sum_to_the_test_error() -> None:
    table = errors_by_order()
    keys = ["target", "regularizer", "strength", "steps"]
    orders = table[table["quantity"] == "error"].groupby(keys)["value"].sum()
    whole = table[table["quantity"] == "test_error"].set_index(keys)
    gap = (orders - whole["value"]).abs() / whole["standard_error"]
    assert len(gap) == 2 * 19 * 4
    assert gap.max() < 2


def test_of_noise_all_error_is_variance_and_penalties_spare_the_orders_below() -> None:
    table = errors_by_order()
    last = table[(table["steps"] == table["steps"].max()) & (table["quantity"] == "bias")]
    z = (last["value"] / last["standard_error"]).abs()
    # A hundred biases are nothing: one or two are three errors away by chance.
    assert (z[last["target"] == "noise"] < 3).mean() > 0.97
    mixture = last[last["target"] == "mixture"].assign(z=z).set_index(["regularizer", "order"])
    for name, spared, taken in (
        ("order penalty from 2", ["1"], ["2", "3", "4"]),
        ("order penalty from 3", ["1"], ["3", "4"]),
    ):
        for order in spared:
            assert (mixture.loc[(name, order), "z"] < 3).all()
        for order in taken:
            assert (mixture.loc[(name, order), "z"] > 3).all()


def test_wider_networks_have_less_bias_then_more_variance_and_no_peak() -> None:
    path = STORED / "error_by_order-controlled-paper" / "table.csv"
    table = pd.read_csv(path, dtype={"order": str})
    table = table[(table["part"] == "widths") & table["order"].isin(["3", "4", ">4"])]
    error = table.groupby(["quantity", "width"])["value"].sum()
    bias, variance = error["bias"], error["variance"]
    assert bias[4] > bias[8] > bias[16] > 1.5 * bias[32]
    assert variance[32] < variance[128] < variance[256] < variance[512]
    settings = error_by_order.Settings()
    parameters = MLPEnsemble((6, 125, 1), seeds=[0]).flat.shape[1]
    assert parameters == pytest.approx(settings.samples, abs=8)
