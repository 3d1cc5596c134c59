"""Bars: what they count and say, and that there are none unless asked for."""

from __future__ import annotations

import sys
from typing import ClassVar

import numpy as np
import pytest
import torch

from interactions import Uniform, order_spectrum
from interactions.anova import (
    held_out_distillation,
    mean_order,
    population_spectrum,
    strongest_interactions,
    subset_variances,
    superset_index,
)
from interactions.planted import Product, g_function

INPUTS = Uniform(0.0, 1.0, dim=3)
F = g_function((0.0, 1.0, 2.0))
DATA = np.random.default_rng(0).uniform(size=(40, 3))


class Recorder:
    """What tqdm is told."""

    bars: ClassVar[list[Recorder]] = []

    def __init__(self, *, desc: str | None, unit: str, **_: object) -> None:
        self.desc, self.unit, self.total, self.n = desc, unit, None, 0
        self.texts: list[str] = []
        self.closed = False
        self.bars.append(self)

    def update(self, n: int) -> None:
        assert n >= 0
        assert not self.closed
        self.n += n

    def refresh(self) -> None:
        pass

    def set_postfix_str(self, text: str) -> None:
        self.texts.append(text)

    def close(self) -> None:
        self.closed = True


@pytest.fixture(autouse=True)
def bars(monkeypatch: pytest.MonkeyPatch) -> list[Recorder]:
    pytest.importorskip("tqdm")
    monkeypatch.setattr("tqdm.auto.tqdm", Recorder)
    monkeypatch.setattr(Recorder, "bars", [])
    return Recorder.bars


@pytest.mark.parametrize("method", ["exact", "differences", "kernel", "auto"])
def test_a_spectrum_counts_every_evaluation_against_its_budget(method: str, bars) -> None:
    s = order_spectrum(F, INPUTS, method=method, budget=50_000, tolerance=0.05, progress=True)
    (bar,) = bars
    assert bar.n == s.evaluations
    assert bar.total == (25_000 if method == "auto" else 50_000)  # a grid gets half
    assert bar.closed
    # The last thing said is the error of the result.
    assert bar.texts[-1] == f"shares ± {np.nanmax(s.share_standard_error):.2g}, wanted 0.05"
    plain = order_spectrum(F, INPUTS, method=method, budget=50_000, tolerance=0.05)
    np.testing.assert_array_equal(s.variance, plain.variance)


@pytest.mark.parametrize(
    ("call", "total"),
    [
        (lambda **o: mean_order(F, INPUTS, budget=4000, **o).evaluations, 4000),
        (lambda **o: superset_index(F, INPUTS, [(0, 1)], budget=4000, **o), 4000),
        (
            lambda **o: strongest_interactions(F, INPUTS, budget=9000, **o).attrs["evaluations"],
            9000,
        ),
        (lambda **o: subset_variances(F, INPUTS, size=8, **o), None),
    ],
    ids=["mean_order", "superset_index", "strongest_interactions", "subset_variances"],
)
def test_others_show_one_bar_that_is_about_full_in_the_end(call, total, bars) -> None:
    result = call(progress="mine")
    (bar,) = bars
    assert bar.desc == "mine"
    assert bar.closed
    assert total is None or 0.99 * total <= bar.total <= total
    assert 0.9 * bar.total <= bar.n <= bar.total
    assert not isinstance(result, int) or bar.n == result


def test_a_population_has_a_bar_for_its_rows_and_one_for_each_group(bars) -> None:
    s = population_spectrum(F, DATA, budget=40_000, tolerance=0.1, progress=True)
    assert [bar.desc for bar in bars] == [None, *(f"group {i} of 5" for i in range(1, 6))]
    assert sum(bar.n for bar in bars) == s.evaluations


def test_trees_are_counted_as_they_are_fit(bars) -> None:
    x = torch.as_tensor(DATA)
    held_out_distillation(x, F(x), max_order=2, folds=2, trees=2, progress=True)
    (bar,) = bars
    assert bar.n == bar.total == 4
    assert "trees" in bar.unit


def test_no_bar_is_made_unless_it_is_asked_for(bars) -> None:
    order_spectrum(F, INPUTS)
    assert not bars


def test_a_bar_does_not_outlive_a_function_that_fails(bars) -> None:
    def breaks(x: torch.Tensor) -> torch.Tensor:
        return x.sum(dim=1) if not bars or bars[0].n < 1000 else x[:, 0] * torch.nan

    with pytest.raises(ValueError, match="NaN"):
        order_spectrum(breaks, INPUTS, method="kernel", budget=50_000, progress=True)
    assert bars[0].closed


def test_without_tqdm_it_is_said_before_the_function_is_called(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)

    def never(x: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    with pytest.raises(ImportError, match=r"pip install \"interactions\[progress\]\""):
        order_spectrum(never, INPUTS, progress=True)
    order_spectrum(Product((0,)), INPUTS)
