"""Selectivities of regularizers: slopes along paths, and what the networks learn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.questions import regularizers
from experiments.running.context import Context, UserError
from figures import regularizers as picture
from interactions import Uniform
from interactions.planted import PlantedInteractions
from interactions.theory import dropped_out_spectrum

CONTEXT = Context(quiet=True)


def networks_of(spectra: dict[tuple[str, float], np.ndarray]) -> pd.DataFrame:
    """What the selectivity of regularizers is computed from: exact spectra, errors growing."""
    rows = []
    for error, ((name, strength), variances) in enumerate(spectra.items()):
        key = {"target": "products", "regularizer": name, "strength": strength, "repeat": 0}
        key |= {"steps": 100, "standard_error": 0.0}
        rows.append(key | {"quantity": "test_error", "value": 1.0 + error})
        for order, variance in zip(("1", "2", "3", ">3"), variances, strict=True):
            rows.append(key | {"quantity": "variance", "order": order, "value": variance})
    return pd.DataFrame(rows)


def slopes_of(networks: pd.DataFrame) -> pd.DataFrame:
    rows = pd.DataFrame(regularizers.selectivities(networks))
    return rows[rows["quantity"] == "selectivity"]


def test_slopes_along_a_path_are_those_of_the_law_and_none_of_shrinkage() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    planted = PlantedInteractions(inputs, {1: 1.0, 2: 1.0, 3: 1.0})
    plain = planted.spectrum(inputs, 3).variance
    spectra = {("none", 0.0): plain}
    for rate in (0.125, 0.25, 0.5):
        after = dropped_out_spectrum(planted, inputs, rate, 3)
        spectra["input dropout", rate] = after.variance
    spectra |= {("L1", 0.1): 0.8 * plain, ("L1", 0.2): 0.4 * plain}
    # A path that falls: four units are weaker than two, and the first to leave less than half.
    spectra |= {("smaller width", 4.0): plain * [1, 0.25, 0.0625, 1]}
    spectra |= {("smaller width", 2.0): plain * [0.1, 0, 0, 1]}
    rows = slopes_of(networks_of(spectra))
    slopes = rows.set_index(["regularizer", "where", "strength"])["value"].sort_index()
    for rate in (0.125, 0.25, 0.5):
        assert slopes["input dropout", "strength", rate] == pytest.approx(2 * np.log(1 - rate))
    assert slopes["input dropout", "best", 0.125] == pytest.approx(2 * np.log(0.875))
    assert slopes["L1"][["half", "strength", "best"]].to_numpy() == pytest.approx(0, abs=1e-12)
    assert slopes["L1"]["quarter"].isna().all()
    dropout = rows[rows["regularizer"] == "input dropout"].set_index("where")
    np.testing.assert_allclose(dropout["value"], dropout["theory"])
    totals = [plain.sum(), *(spectra["input dropout", r].sum() for r in (0.125, 0.25, 0.5))]
    half = np.interp(np.log(2), -np.log(np.array(totals) / totals[0]), range(4))
    expected = np.interp(half, range(4), [0, *(2 * np.log(1 - r) for r in (0.125, 0.25, 0.5))])
    assert dropout.loc["half", "value"] == pytest.approx(expected)
    width = rows[rows["regularizer"] == "smaller width"].set_index(["where", "strength"])
    assert width.loc[("strength", 4.0), "value"] == pytest.approx(np.log(0.25))
    assert width.loc[("strength", 4.0), "order"] == "1 2 3"
    half = width.loc["half"].iloc[0]
    assert -np.log(4) < half["value"] < 0
    # An order that is exactly 0 has no logarithm.
    assert np.isnan(width.loc["quarter"].iloc[0]["value"])
    assert (rows["order"] == "1 2 3").all()
    assert not rows["bound"].any()
    assert rows["theory"].notna().sum() == 6


def test_an_order_lost_in_its_errors_counts_at_three_of_them_and_makes_the_slope_a_bound() -> None:
    """Order 3 keeps .5, of which 3 standard errors are .6: the slope is half of log .6 - log .1."""
    plain = np.array([4.0, 2.0, 1.0, 0.0])
    table = networks_of({("none", 0.0): plain, ("L1", 1.0): plain * [0.1, 0.1, 0.5, 0]})
    noisy = (table["regularizer"] == "L1") & (table["order"] == "3")
    table.loc[noisy, "standard_error"] = 0.2
    rows = slopes_of(table).set_index("where")
    assert (rows["order"] == "1 2 3").all()
    assert rows["bound"].tolist() == [1.0] * 4
    assert rows.loc["strength", "value"] == pytest.approx(np.log(6) / 2)
    slopes = pd.DataFrame(regularizers.selectivities(table)).assign(target="products")
    summary = regularizers.summary(pd.concat([table, slopes]))
    assert summary["orders"].tolist() == ["1 2 3"] * 3
    assert summary["bounds"].tolist() == [1, 1, 1]
    # Errors are 1 without it and 2 with it; in between their logarithms are those of the totals.
    assert summary["where"].tolist() == ["half", "quarter", "best"]
    left = (0.4 + 0.2 + 0.5) / 7
    there = [2 ** (np.log(part) / np.log(left)) for part in (0.5, 0.25)]
    assert summary["error_ratio"].tolist() == pytest.approx([*there, 2.0])


def test_every_target_has_its_mark_in_the_picture() -> None:
    assert set(picture.TARGETS) == set(regularizers.ORDERS)


def test_of_pairs_all_of_order_3_is_noise() -> None:
    settings = replace(regularizers.PRESETS["penalties", "tiny"], samples=20_000)
    task = regularizers.task_of("pairs", settings, CONTEXT)
    assert task.x.shape == (2, 20_000, 10)
    assert regularizers.ORDERS["pairs"] == 3
    assert task.truth.double().var(dim=0).mean().item() == pytest.approx(1.0, abs=0.15)
    inputs, seeds = Uniform(-1.0, 1.0, dim=10), CONTEXT.seeds(2)
    planted = PlantedInteractions(inputs, {1: 0.5, 2: 0.5}, {1: 3, 2: 3}, seed=seeds[0])
    torch.testing.assert_close(task.truth[:, 0], planted(task.fresh))


def products(**changes: object) -> pd.DataFrame:
    settings = replace(
        regularizers.PRESETS["controlled", "paper"],
        targets=("products",),
        regularizers=("input dropout",),
        **changes,
    )
    table = regularizers.run(settings, CONTEXT)
    return table[(table["quantity"] == "selectivity") & (table["steps"] == max(settings.steps))]


def test_a_little_training_brings_input_dropout_on_products_near_the_law() -> None:
    slopes = products(rates=(0.25,), repeats=2, steps=(800,), data=(1,))
    slopes = slopes[slopes["where"] == "strength"]
    assert (slopes["value"] / slopes["theory"]).between(0.7, 1.1).all()


@pytest.mark.slow
def test_input_dropout_on_products_has_the_slope_of_the_law() -> None:
    """At the paper preset; up to r = 1/4, where inputs kept fully are 42% of all or more.

    To 8%: the third order, the highest there is, also holds what the networks' answers are off by.
    """
    slopes = products()
    at = slopes[(slopes["where"] == "half") | (slopes["strength"] <= 0.25)]
    groups = at.groupby(["where", "strength"], dropna=False)
    assert len(groups) == 5
    for _, group in groups:
        error = group["value"].sem()
        assert len(group) == 10
        assert error < 0.02
        assert group["value"].mean() == pytest.approx(group["theory"].mean(), rel=0.08)


def test_regularizers_learn_from_hours_that_are_not_held_out(data_dir) -> None:
    settings = replace(
        regularizers.PRESETS["controlled", "quick"], samples=1000, data=(2, 8), repeats=3
    )
    task = regularizers.task_of("bike", settings, replace(CONTEXT, data_dir=data_dir))
    assert task.x.shape == (3, 8000, 13)
    held_out = {tuple(row) for row in task.fresh.tolist()}
    assert len(held_out) > 2000
    for x in task.x:
        rows = {tuple(row) for row in x.tolist()}
        assert len(rows) == 8000
        assert not rows & held_out
    assert not torch.equal(task.x[0], task.x[1])
    with pytest.raises(UserError, match="16000 hours were asked for"):
        regularizers.task_of(
            "bike", replace(settings, data=(16,)), replace(CONTEXT, data_dir=data_dir)
        )


def test_targets_of_regularizers_have_variance_near_one() -> None:
    settings = replace(regularizers.PRESETS["controlled", "quick"], samples=20_000, data=(1,))
    for name, orders in (("noise", 0), ("mixture", 4), ("products", 3)):
        task = regularizers.task_of(name, settings, CONTEXT)
        noise = {"noise": 1.0, "mixture": 0.25, "products": 0.0}[name]
        variance = task.truth.double().var(dim=0).mean().item()
        assert variance == pytest.approx(float(orders > 0), abs=0.1)
        assert task.y.double().var().item() == pytest.approx(variance + noise, abs=0.1)


def test_the_usual_protocol_looks_at_no_penalty() -> None:
    """Its runs are stored, with the settings they had before there were penalties."""
    usual = regularizers.PRESETS["controlled", "paper"]
    assert not set(usual.regularizers) & set(regularizers.PENALTIES)
    assert usual.targets == ("noise", "mixture", "products", "bike")
    assert len(usual.regularizers) == 14
    of_penalties = regularizers.PRESETS["penalties", "paper"].regularizers
    assert set(regularizers.PENALTIES) < set(of_penalties)


def test_strengths_must_grow_along_a_path() -> None:
    with pytest.raises(ValueError, match="widths must go from weak to strong"):
        regularizers.Settings(widths=(2, 4))


def test_a_regularizer_changes_what_its_name_says_and_nothing_else() -> None:
    s = replace(
        regularizers.PRESETS["controlled", "tiny"],
        rates=(0.25,),
        regularizers=tuple(regularizers.REGULARIZERS),
        penalties=(1.0,),
        gradients=(0.1,),
        pairs=(0.2,),
        walsh=(0.3,),
        mixing=(0.4,),
    )
    cells = {cell.regularizer: cell for cell in regularizers._cells(s, "signs")}
    elsewhere = {cell.regularizer for cell in regularizers._cells(s, "mixture")}
    assert set(cells) - elsewhere == {"Walsh sparsity"}
    plain = cells.pop("none")
    assert set(regularizers.REGULARIZERS) - set(cells) == {"early stopping"}
    changed = {
        name: {f: v for f, v in cell._asdict().items() if v != getattr(plain, f)}
        for name, cell in cells.items()
    }
    for name, changes in changed.items():
        assert changes.pop("regularizer") == name
        changes.pop("strength")
    assert changed["coupled L2"] == {"weight_decay": 0.1}
    assert changed["decoupled L2"] == {"weight_decay": 1.0, "optimizer": "adamw"}
    assert changed["L1"] == {"l1": 0.01}
    assert changed["input noise"] == {"input_noise": 0.5}
    assert changed["smaller width"] == {"hidden": (4, 4, 4)}
    assert changed["smaller depth"] == {"hidden": (8,)}
    assert changed["more data"] == {"data": 2}
    assert changed["order penalty from 3"] == {"penalty": ("orders", 3, 1.0)}
    assert changed["input gradient"] == {"penalty": ("gradient", 0, 0.1)}
    assert changed["pair interaction"] == {"penalty": ("pair", 0, 0.2)}
    assert changed["Walsh sparsity"] == {"penalty": ("walsh", 0, 0.3)}
    assert changed["mixup"] == {"mix": 0.4}
    dropout = changed["activation dropout, classic"]["dropout"]
    assert (dropout.inputs, dropout.hidden, dropout.kind) == (0.0, 0.25, "classic")
    dropout = changed["input dropout"]["dropout"]
    assert (dropout.inputs, dropout.hidden, dropout.kind) == (0.25, 0.0, "inverted")
