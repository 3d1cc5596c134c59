"""What users met and could not make sense of: each input, and what its answer must say."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from interactions import (
    Empirical,
    Uniform,
    order_spectrum,
    order_spectrum_from_samples,
    sweep_rates,
)
from interactions.anova import (
    held_out_distillation,
    mean_order,
    released_distillation,
    strongest_interactions,
    superset_index,
)
from interactions.checks import whole_number

INPUTS = Uniform(-1.0, 1.0, dim=3)
MODEL = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.2), nn.Linear(4, 1))
X = INPUTS.sample(200, generator=0)
FRAME = pd.DataFrame(X.numpy(), columns=["age", "income", "rooms"])
WITH_DATES = FRAME.assign(rooms=pd.Timestamp("2026-01-01"))
WITH_HOLES = FRAME.assign(income=[np.nan, *FRAME["income"][1:]])


def f(x: Tensor) -> Tensor:
    return x[:, 0] + x[:, 1] * x[:, 2]


def from_samples(x: object, y: object, **options: object) -> object:
    return order_spectrum_from_samples(x, y, INPUTS, **options)


UNCLEAR: dict[str, tuple[Callable[[], object], str]] = {
    "tolerance of a text": (
        lambda: order_spectrum(f, INPUTS, tolerance="1%"),
        "tolerance must be a number such as 0.01, got '1%'",
    ),
    "tolerance of a text, from samples": (
        lambda: from_samples(X, f(X), tolerance="1%"),
        "tolerance must be a number such as 0.01, got '1%'",
    ),
    "tolerance of nothing": (
        lambda: order_spectrum(f, INPUTS, tolerance=None),
        "tolerance must be a number such as 0.01, got None",
    ),
    **{
        f"seed of a text, {name}": (call, "seed must be a whole number, got 'a'")
        for name, call in {
            "order_spectrum": lambda: order_spectrum(f, INPUTS, seed="a"),
            "from samples": lambda: from_samples(X, f(X), seed="a"),
            "mean_order": lambda: mean_order(f, INPUTS, seed="a"),
            "strongest": lambda: strongest_interactions(f, INPUTS, seed="a"),
            "superset_index": lambda: superset_index(f, INPUTS, [(0, 1)], seed="a"),
        }.items()
    },
    "seed of a half": (lambda: order_spectrum(f, INPUTS, seed=0.5), "a whole number, got 0.5"),
    "seed below 0": (
        lambda: order_spectrum(f, INPUTS, seed=-1),
        "seed must not be negative, got -1",
    ),
    "budget of a text": (
        lambda: order_spectrum(f, INPUTS, budget="1e6"),
        "budget must be a whole number, got '1e6'",
    ),
    "budget of a mean order": (
        lambda: mean_order(f, INPUTS, budget="1e6"),
        "budget must be a whole number, got '1e6'",
    ),
    "memory with a unit": (
        lambda: order_spectrum(f, INPUTS, memory="1GB"),
        "memory, in bytes, must be a whole number, got '1GB'",
    ),
    "ranges of one's own": (
        lambda: Uniform([0, 1], [1, 2], dim=2),
        "one low for all inputs, a number; got [0, 1]. Where inputs differ, use Marginals",
    ),
    "dim without its name": (
        lambda: Uniform(-1, 1, 4),
        "takes dim by its name: Uniform(-1, 1, dim=4)",
    ),
    "missing values": (lambda: Empirical(WITH_HOLES), "income"),
    "a module where its factory is meant": (
        lambda: sweep_rates(MODEL, X, f(X)),
        "factory must be a function that builds a new module for a rate, such as lambda rate: ",
    ),
    "one rate": (
        lambda: sweep_rates(lambda rate: MODEL, X, f(X), rates=0.5),
        "rates must be several numbers, as in rates=(0.0, 0.25, 0.5); got 0.5",
    ),
    "a number of seeds": (
        lambda: sweep_rates(lambda rate: MODEL, X, f(X), seeds=3),
        "seeds must be several numbers, as in seeds=range(3); got 3",
    ),
    "samples of a function": (
        lambda: from_samples(X, f),
        "y must be an array of numbers, got a function: order_spectrum measures a function",
    ),
    "samples by a column's name": (
        lambda: from_samples(FRAME, "income"),
        "y must be an array of numbers, got 'income'",
    ),
    "samples with dates": (lambda: from_samples(WITH_DATES, f(X)), "x must be numbers: columns "),
    "samples of no distribution": (
        lambda: order_spectrum_from_samples(X, f(X), FRAME),
        "inputs must be the distribution that x was drawn from",
    ),
    "held-out distillation of a model": (
        lambda: held_out_distillation(MODEL, INPUTS),
        "x must be an array of numbers, got Sequential: distillation takes points and values",
    ),
    "held-out distillation of points and a model": (
        lambda: held_out_distillation(X, MODEL),
        "y must be an array of numbers, got Sequential",
    ),
    "held-out distillation of a distribution": (
        lambda: held_out_distillation(INPUTS, f(X)),
        "x must be an array of numbers, got Uniform",
    ),
    "distillation of a model": (
        lambda: released_distillation(MODEL, INPUTS),
        "x must be an array of numbers, got Sequential: distillation takes points and values",
    ),
    "complex outputs": (
        lambda: order_spectrum(lambda x: torch.complex(x[:, 0], x[:, 1]), INPUTS),
        "returns complex numbers, whose variance is that of two real functions: return real and",
    ),
    "complex samples": (
        lambda: from_samples(FRAME, FRAME["age"] * 1j),
        "y must be real numbers, got complex ones: give real and imaginary part as two columns",
    ),
    "complex tensors": (lambda: from_samples(X, f(X) * 1j), "y must be real numbers, got complex"),
    "a count below 1": (
        lambda: strongest_interactions(f, INPUTS, count=-1),
        "count must be positive, got -1",
    ),
    "a count in words": (
        lambda: strongest_interactions(f, INPUTS, count="ten"),
        "count must be a whole number, got 'ten'",
    ),
}


@pytest.mark.parametrize(("call", "says"), UNCLEAR.values(), ids=UNCLEAR.keys())
def test_an_answer_says_what_was_wrong(call: Callable[[], object], says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(says)):
        call()


def test_data_frames_are_taken_as_the_numbers_they_hold() -> None:
    own = order_spectrum_from_samples(FRAME, f(X), INPUTS)
    of_tensor = order_spectrum_from_samples(X, f(X), INPUTS)
    np.testing.assert_array_equal(own.variance, of_tensor.variance)
    y = pd.Series(f(X).numpy())
    own = held_out_distillation(FRAME, y, max_order=2, folds=2, trees=5)
    of_tensor = held_out_distillation(X, f(X), max_order=2, folds=2, trees=5)
    np.testing.assert_array_equal(own.variance, of_tensor.variance)


def test_whole_numbers_of_any_type_are_taken() -> None:
    for number in (3, 3.0, np.int64(3), np.float32(3)):
        assert whole_number("n", number, least=0) == 3
        assert type(whole_number("n", number, least=0)) is int
    for bad in (True, "3", None, 3j):
        with pytest.raises(TypeError, match="n must be a whole number"):
            whole_number("n", bad, least=0)
    for bad in (2.5, np.nan, np.inf):
        with pytest.raises(ValueError, match="n must be a whole number"):
            whole_number("n", bad, least=0)
    with pytest.raises(ValueError, match="n must be at least 3, got 2"):
        whole_number("n", 2, least=3)
    spectra = [order_spectrum(f, INPUTS, seed=seed, budget=1e4) for seed in (3, np.int64(3))]
    np.testing.assert_array_equal(spectra[0].variance, spectra[1].variance)
