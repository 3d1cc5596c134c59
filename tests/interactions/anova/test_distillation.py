"""The paper's boosted trees, to stand beside the true spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interactions import Uniform, order_spectrum
from interactions.anova import held_out_distillation, released_distillation
from interactions.anova._evaluate import CHECKS
from interactions.planted import Product, paper_generator

INPUTS = Uniform(-1.0, 1.0, dim=4)


@pytest.fixture
def xgboost() -> None:
    """Skip without the extra."""
    pytest.importorskip("xgboost")


@pytest.mark.usefixtures("xgboost")
def test_an_additive_function_is_all_order_one() -> None:
    s = order_spectrum(paper_generator(1), INPUTS, method="distillation")
    assert s.share[0] > 0.98
    assert 1000 <= s.evaluations <= 1000 + CHECKS
    assert "biased" in s.method


@pytest.mark.usefixtures("xgboost")
def test_pure_triples_leak_into_low_orders_which_the_paper_says_never_happens() -> None:
    x = INPUTS.sample(100, generator=0)
    s = released_distillation(x, Product((0, 1, 2))(x))
    assert s.share[:2].sum() > 0.2


@pytest.mark.usefixtures("xgboost")
def test_it_claims_no_standard_error() -> None:
    x = INPUTS.sample(100, generator=0)
    s = released_distillation(x, torch.stack([x[:, 0], x[:, 1]], dim=1))
    assert s.variance.shape == (2, 4)
    assert np.isnan(s.standard_error).all()
    assert not s.converged


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xgboost", None)
    with pytest.raises(ImportError, match=r"interactions\[xgboost\]"):
        order_spectrum(Product((0,)), INPUTS, method="distillation")


def test_held_out_trees_tell_orders_apart_given_enough_points() -> None:
    x = INPUTS.sample(4000, generator=0)
    additive = held_out_distillation(x, x[:, 0] + x[:, 1] ** 2)
    assert additive.share[0] > 0.98
    pair = held_out_distillation(x, x[:, 0] * x[:, 1])
    assert abs(pair.share[0]) < 0.03
    assert pair.share[1] > 0.8
    assert pair.share.sum() == pytest.approx(1)


def test_held_out_trees_err_towards_high_orders_with_few_points() -> None:
    x = INPUTS.sample(200, generator=0)
    s = held_out_distillation(x, x[:, 0] * x[:, 1])
    assert s.share[-1] > 0.1
    assert s.share[0] < 0.05


def test_held_out_trees_see_dependent_inputs_as_they_are() -> None:
    """Of two equal inputs, the product is a function of one: no interaction is needed."""
    column = INPUTS.sample(2000, generator=0)[:, :1]
    s = held_out_distillation(column.expand(-1, 2), column[:, 0] ** 2, max_order=2)
    assert s.share[0] > 0.98


def test_held_out_errors_are_those_of_the_points_and_not_of_the_trees() -> None:
    """Over 30 samples the result moves by more: other samples grow other trees."""
    spectra = [
        held_out_distillation(x, x[:, 0] * x[:, 1], max_order=2, folds=2, trees=50)
        for x in (INPUTS.sample(400, generator=s) for s in range(30))
    ]
    spread = np.std([s.share for s in spectra], axis=0, ddof=1)
    stated = np.mean([s.share_standard_error for s in spectra], axis=0)
    assert stated.min() > 0
    assert np.all(spread > stated)


@pytest.mark.parametrize("seeds", [60, pytest.param(300, marks=pytest.mark.slow)])
def test_held_out_errors_cover_where_trees_learn_all_there_is(seeds: int) -> None:
    """A flag's effect is two numbers that every sample gives: what is left to err are the points.

    Half of the variance is the flag's and half is noise, so that the errors of a variance, of a
    share and of the total differ from each other.
    """
    hits = {"variance": [], "share": []}
    errors, values = [], []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x = torch.as_tensor(rng.choice([-1.0, 1.0], size=(400, 1)))
        y = x[:, 0] + torch.as_tensor(rng.normal(size=400))
        s = held_out_distillation(x, y, max_order=1, folds=2, trees=60)
        for of, truth in (("variance", 1.0), ("share", 0.5)):
            low, high, _ = s.interval(0.95, of=of)
            hits[of].append((low <= truth) & (truth <= high))
        errors.append([*s.standard_error, *s.share_standard_error])
        values.append([*s.variance, *s.share])
    ratio = np.sqrt(np.mean(np.square(errors), axis=0)) / np.std(values, axis=0, ddof=1)
    assert np.all((ratio > 0.75) & (ratio < 1.33)), ratio
    assert all(np.mean(hit, axis=0).min() > 0.85 for hit in hits.values()), hits


def test_bad_samples_are_refused() -> None:
    x = torch.zeros(10, 2)
    for bad, message in (
        ((x, torch.zeros(9)), r"x \[n, d\] and y \[n\]"),
        ((x, torch.full((10,), float("nan"))), "NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            held_out_distillation(*bad)
    with pytest.raises(ValueError, match="between 1 and"):
        held_out_distillation(x, torch.zeros(10), max_order=3)
    with pytest.raises(ValueError, match="folds"):
        held_out_distillation(x, torch.zeros(10), max_order=1, folds=11)
    assert held_out_distillation(x, torch.ones(10), max_order=1).constant
