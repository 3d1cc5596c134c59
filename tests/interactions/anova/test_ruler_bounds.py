"""Bounds that are kept: the budget to the point, the memory, and what messages say of them."""

from __future__ import annotations

import itertools
import re
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from interactions import Empirical, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova import (
    _memory,
    mean_order,
    strongest_interactions,
    subset_variances,
    superset_index,
)
from interactions.anova._evaluate import CHECKS, Evaluator
from interactions.anova._memory import metered

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
METHODS = ("auto", "exact", "differences", "kernel", "surrogate", "distillation")
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


# Memory -------------------------------------------------------------------------------------------

HIDDEN = 2000
WEIGHTS = np.random.default_rng(0).normal(size=(3, HIDDEN))


class Wide(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.as_tensor(WEIGHTS))

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x @ self.weights).sum(dim=1)


def scripted() -> Callable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return torch.jit.script(Wide().eval())


WIDE = {
    "numpy": lambda: lambda x: np.tanh(x @ WEIGHTS).sum(axis=1),
    "module": lambda: Wide().eval(),
    "TorchScript": scripted,
    "vmap": lambda: torch.vmap(lambda r: torch.tanh(r @ torch.as_tensor(WEIGHTS)).sum()),
    "arrays behind tensors": lambda: lambda x: torch.as_tensor(np.tanh(x.numpy() @ WEIGHTS).sum(1)),
}


@pytest.mark.parametrize("make", WIDE.values(), ids=WIDE.keys())
def test_a_call_allocates_no_more_than_half_of_the_memory(make: Callable[[], Callable]) -> None:
    for memory in (2**22, 2**25):
        evaluate = Evaluator(make(), INPUTS["uniform"], seed=0, memory=memory)
        rows = evaluate.rows
        assert memory / 16 < rows * HIDDEN * 8 <= memory / 2
        x = INPUTS["uniform"].sample(8 * rows, generator=0)
        evaluate(x)
        with metered(CPU) as usage:
            evaluate(x)
        assert usage.peak < 0.6 * memory


def test_where_two_points_do_not_fit_the_memory_is_said_to_be_too_small() -> None:
    def heavy(x: Tensor) -> Tensor:
        return x[:, :1].expand(-1, 2**23).contiguous().sum(dim=1)

    with pytest.raises(ValueError, match=r"takes [\d,]+ MiB for two points, memory is 16 MiB"):
        order_spectrum(heavy, INPUTS["uniform"], memory=2**24)


def test_a_process_that_grows_unseen_by_the_meters_ends_the_growth_of_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A library with an allocator of its own: a MiB a point that neither meter sees."""
    held = [0]
    monkeypatch.setattr(_memory, "highest_memory", lambda: held[0])

    def f(x: Tensor) -> Tensor:
        held[0] = max(held[0], len(x) * 2**20)
        return x[:, 0]

    evaluate = Evaluator(f, INPUTS["uniform"], seed=0, memory=2**28)
    evaluate(INPUTS["uniform"].sample(2**14, generator=0))
    assert held[0] <= 1.5 * 2**28
    assert 64 <= evaluate.rows <= 256


def test_what_is_listed_for_many_inputs_and_one_column_of_output() -> None:
    """The default budget grows with the inputs; [n, 1] is one output."""
    inputs = Uniform(-1.0, 1.0, dim=60)
    pair = lambda x: (x[:, 0] + 3 * x[:, 7] * x[:, 41])[:, None]  # noqa: E731
    found = strongest_interactions(pair, inputs, count=2)
    assert found["subset"][0] == (7, 41)
    assert found["share"][0] == pytest.approx(0.75, abs=0.1)
    assert superset_index(pair, inputs, [(7, 41)])["share"][0] == pytest.approx(0.75, abs=0.1)
    few = subset_variances(lambda x: pair(x.repeat(1, 20)), Uniform(-1.0, 1.0, dim=3), size=4)
    assert few[1, 2] == pytest.approx(1.0)


def test_a_pair_that_the_basis_misses_is_said_to_be_missing() -> None:
    inputs = Uniform(0.0, 1.0, dim=8)

    def rough(x: Tensor) -> Tensor:
        return 0.1 * x[:, 0] * x[:, 1] + torch.sin(400 * x[:, 3]) * torch.sin(400 * x[:, 6])

    with pytest.warns(UserWarning, match=r"inputs \[3, 6\].*superset_index"):
        found = strongest_interactions(rough, inputs)
    assert found["subset"][0] == (3, 6) or found.attrs["unseen"][3] > 0.1
