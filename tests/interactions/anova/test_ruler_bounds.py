"""Bounds that are kept: the budget to the point, the memory, and what messages say of them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from interactions import Empirical, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova import mean_order, strongest_interactions, superset_index
from interactions.anova._evaluate import CHECKS

CPU = torch.device("cpu")


class Counting:
    """A function that counts the points it is asked for, in every call."""

    def __init__(self, function: Callable[[Tensor], Tensor] | None = None) -> None:
        self.function = function or (lambda x: x[:, 0] + 3 * x[:, 0] * x[:, -1])
        self.points = 0

    def __call__(self, x: Tensor) -> Tensor:
        self.points += len(x)
        return self.function(x)


INPUTS = {
    "uniform": Uniform(-1.0, 1.0, dim=3),
    "normal": Normal(dim=5),
    "signs": Rademacher(dim=6),
    "rows": Empirical(np.random.default_rng(0).integers(0, 4, size=(60, 4))),
    "many": Uniform(0.0, 1.0, dim=12),
}
METHODS = ("auto", "exact", "differences", "kernel", "distillation")
BUDGETS = (1, 9, 256, 300, 700, 3000, 6001, 20_000)
SETTINGS = list(itertools.product(METHODS, INPUTS, (1, 2), BUDGETS))


def least_named(message: str) -> int:
    """The budget that a message says is needed."""
    found = re.search(r"([\d,.e+]+) evaluations at least", message)
    assert found, message
    return int(float(found[1].replace(",", "")))


@pytest.mark.parametrize(("method", "name"), list(itertools.product(METHODS, INPUTS)))
def test_no_budget_is_exceeded_and_every_call_is_counted(method: str, name: str) -> None:
    if method == "distillation":
        pytest.importorskip("xgboost")
    assert len(SETTINGS) >= 300
    settings = [s for s in SETTINGS if s[:2] == (method, name)]
    for _, _, order, budget in settings:
        if method == "distillation" and budget > 700:
            continue
        f = Counting()
        options = {"method": method, "max_order": order, "tolerance": 0.01}
        refusal, counted = "", 0
        try:
            counted = order_spectrum(f, INPUTS[name], budget=budget, **options).evaluations
        except ValueError as error:
            refusal = str(error)
        assert f.points <= budget
        assert budget < least_named(refusal) if refusal else counted == f.points


@pytest.mark.parametrize("method", ["exact", "differences", "kernel", "distillation"])
def test_the_least_budget_that_a_message_names_is_enough(method: str) -> None:
    if method == "distillation":
        pytest.importorskip("xgboost")
    for inputs in (INPUTS["uniform"], INPUTS["signs"]):
        budget, refusal = CHECKS, ""
        try:
            order_spectrum(Counting(), inputs, method=method, max_order=2, budget=budget)
        except ValueError as error:
            refusal = str(error)
        if refusal:
            budget = least_named(refusal)
        f = Counting()
        s = order_spectrum(f, inputs, method=method, max_order=2, budget=budget)
        assert s.evaluations == f.points <= budget


def test_the_other_measurements_keep_their_budgets() -> None:
    inputs = INPUTS["uniform"]
    calls = {
        "mean order": lambda f, b: mean_order(f, inputs, budget=b).evaluations,
        "superset": lambda f, b: superset_index(f, inputs, [(0, 1), (2,)], budget=b),
        "strongest": lambda f, b: strongest_interactions(f, inputs, budget=b),
    }
    for call in calls.values():
        for budget in (9, 500, 2000, 10_000, 50_000):
            f = Counting()
            refusal = ""
            try:
                call(f, budget)
            except ValueError as error:
                refusal = str(error)
            assert f.points <= budget
            assert not refusal or budget < least_named(refusal)
    f = Counting()
    assert mean_order(f, inputs, budget=5000).evaluations == f.points


def test_a_budget_below_the_checks_calls_nothing() -> None:
    f = Counting()
    with pytest.raises(ValueError, match=r"256 evaluations at least.*it is 9"):
        order_spectrum(f, INPUTS["uniform"], budget=9)
    assert f.points == 0
