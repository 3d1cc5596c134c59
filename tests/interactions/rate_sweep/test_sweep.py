"""A sweep of rates over modules of the user's own."""

from __future__ import annotations

import math
import re

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from interactions import Empirical, order_spectrum, sweep_rates

SHORT = {"rates": (0.0, 0.5), "seeds": (0, 1), "epochs": 3, "max_order": 2}


@pytest.fixture
def data() -> tuple[torch.Tensor, torch.Tensor]:
    """Two inputs and their product plus the first, with a little noise."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(200, 2, generator=generator) * 2 - 1
    return x, x[:, 0] * x[:, 1] * 3 + x[:, 0] + 0.1 * torch.randn(200, generator=generator)


def network(rate: float, outputs: int = 1) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(rate), nn.Linear(16, outputs))


def test_a_row_per_rate_and_seed_the_same_every_time(data) -> None:
    x, y = data
    one, two = (sweep_rates(network, x, y, **SHORT) for _ in range(2))
    pd.testing.assert_frame_equal(one.runs, two.runs)
    assert list(zip(one.runs["rate"], one.runs["seed"], strict=True)) == [
        (0.0, 0),
        (0.0, 1),
        (0.5, 0),
        (0.5, 1),
    ]
    shares = one.runs[["share_1", "share_2", "share_>2"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    other = sweep_rates(network, x, y, **SHORT | {"seeds": (0, 7)})
    of_both = one.runs["seed"] == 0
    pd.testing.assert_frame_equal(other.runs[of_both], one.runs[of_both])
    assert not np.isclose(other.runs["error"][~of_both], one.runs["error"][~of_both]).any()


def test_numbers_are_those_of_a_loop_written_out(data) -> None:
    x, y = data
    row = sweep_rates(network, x, y, **SHORT, batch_size=200).runs.iloc[3]
    assert (row["rate"], row["seed"]) == (0.5, 1)
    order = torch.tensor(np.random.default_rng(1).permutation(200))
    test, train = order[:50], order[50:]
    torch.manual_seed(1)
    model = network(0.5)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    shuffles = torch.Generator().manual_seed(1)
    for _ in range(3):
        rows = train[torch.randperm(150, generator=shuffles)]
        optimizer.zero_grad()
        ((model(x[rows])[:, 0] - y[rows]) ** 2).mean().backward()
        optimizer.step()
    model.eval()
    error = ((model(x[test])[:, 0] - y[test]) ** 2).mean().item()
    assert row["error"] == pytest.approx(error, rel=1e-5)
    spectrum = order_spectrum(model, Empirical(x), max_order=2, tolerance=0.02, seed=1)
    assert row["total"] == pytest.approx(spectrum.total_variance.item(), rel=1e-4)
    assert row["share_2"] == pytest.approx(spectrum.share[0, 1], abs=1e-4)


def test_the_global_random_state_and_modes_are_left_as_they_should(data) -> None:
    made = []

    def factory(rate: float) -> nn.Module:
        made.append(network(rate))
        return made[-1]

    torch.manual_seed(3)
    before = torch.get_rng_state()
    sweep_rates(factory, *data, **SHORT)
    assert torch.equal(torch.get_rng_state(), before)
    assert len(made) == 4
    assert not any(m.training for model in made for m in model.modules())


def test_every_form_of_the_same_data_gives_the_same_numbers(data) -> None:
    x, y = data
    frame = pd.DataFrame({"a": x[:, 0].numpy(), "b": x[:, 1].numpy(), "y": y.numpy()})
    expected = sweep_rates(network, x, y, **SHORT).runs
    forms = [
        (x.numpy(), y.numpy()),
        (frame[["a", "b"]], frame["y"]),
        (frame[["a", "b"]], frame[["y"]]),
        (frame, "y"),
        (x.double(), y[:, None]),
    ]
    for form in forms:
        pd.testing.assert_frame_equal(sweep_rates(network, *form, **SHORT).runs, expected)


def test_training_learns_and_finds_the_planted_order(data) -> None:
    x, y = data
    only = {"rates": (0.0,), "seeds": (0, 1), "epochs": 200, "learning_rate": 1e-2}
    sweep = sweep_rates(network, x, y, **only, max_order=1)
    variance = y.var().item()
    assert sweep.runs["error"].max() < 0.1 * variance
    # 3 x1 x2 has variance 1, x1 a third: of order 2 are three quarters.
    assert sweep.runs["share_>1"].to_numpy() == pytest.approx([0.75, 0.75], abs=0.07)
    assert sweep.best_rate == 0.0


def test_classes_are_learned_from_labels(data) -> None:
    x, y = data
    labels = (y > 0).long() + (y > 1).long()
    frame = pd.DataFrame(x.numpy(), columns=["a", "b"]).assign(label=labels.numpy())
    options = {"rates": (0.0, 0.2), "seeds": (0,), "epochs": 60, "learning_rate": 1e-2}
    sweep = sweep_rates(
        lambda r: network(r, 3), frame, "label", loss="cross_entropy", max_order=2, **options
    )
    shares = np.bincount(labels) / len(labels)
    assert sweep.runs["error"].max() < 0.7 * -(shares @ np.log(shares))
    assert sweep.runs["total"].min() > 0


def test_modules_that_ignore_the_rate_or_give_one_number_a_point_are_welcome(data) -> None:
    class Flat(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.Sequential(nn.Linear(2, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x)[:, 0]

    with pytest.warns(UserWarning, match="the rate had no effect: on every seed all rates gave"):
        runs = sweep_rates(lambda rate: Flat(), *data, **SHORT, batch_size=149).runs
    by_rate = [rows.drop(columns="rate").reset_index(drop=True) for _, rows in runs.groupby("rate")]
    pd.testing.assert_frame_equal(*by_rate)


def constant(rate: float) -> nn.Module:
    """A network of zeros, of which only the last bias learns."""
    model = nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 1))
    for p in model.parameters():
        nn.init.zeros_(p)
    return model


def test_a_constant_model_has_no_shares(data) -> None:
    with pytest.warns(UserWarning, match="the rate had no effect"):
        runs = sweep_rates(constant, *data, **SHORT).runs
    assert (runs["total"] == 0).all()
    assert runs.filter(like="share_").isna().all(axis=None)


def sgd(model: nn.Module, rate: float) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.1)


SAME = nn.Linear(2, 1)
FRAME = pd.DataFrame({"a": [0.0, 1.0, 2.0, 3.0], "b": [1.0, 2.0, 3.0, 4.0], "c": list("wxyz")})
HOLES = FRAME.assign(c=[1.0, np.nan, 2.0, 3.0])


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"x": FRAME, "y": "a"}, TypeError, "columns ['c'] of x are not numbers"),
        ({"x": HOLES, "y": "a"}, ValueError, "NaN or infinite values in columns ['c']"),
        ({"x": HOLES, "y": "c"}, ValueError, "y has NaN or infinite values in columns ['c']"),
        ({"x": FRAME, "y": "d"}, ValueError, "no DataFrame with a column 'd'"),
        ({"y": "a"}, ValueError, "no DataFrame"),
        ({"x": np.array([["a", "b"]] * 8)}, TypeError, "x must hold numbers"),
        ({"x": torch.full((8, 2), torch.nan)}, ValueError, "x has NaN"),
        ({"y": torch.full((8,), torch.inf)}, ValueError, "y has NaN"),
        ({"y": torch.zeros(7)}, ValueError, "as many rows, got [8, 2] and [7]"),
        ({"x": torch.zeros(8)}, ValueError, "needs x [n, d]"),
        ({"rates": (0.0, 1.0)}, ValueError, "must lie in [0, 1), got 1.0"),
        ({"rates": (-0.1,)}, ValueError, "must lie in [0, 1)"),
        ({"rates": ()}, ValueError, "rates must be distinct, and at least one"),
        ({"rates": 0.5}, TypeError, "several numbers, as in rates=(0.0, 0.25, 0.5); got 0.5"),
        ({"rates": "0.5"}, TypeError, "rates must be several numbers"),
        ({"rates": np.array(0.5)}, TypeError, "rates must be several numbers"),
        ({"rates": ["half"]}, TypeError, "rates must be numbers, as in"),
        ({"values": (1.0,)}, ValueError, "rates (drop rates) or values (any other strength)"),
        ({"rates": None, "values": 3}, TypeError, "values must be several numbers"),
        ({"rates": None, "values": (1.0, math.inf)}, ValueError, "values must be finite"),
        ({"name": "error"}, ValueError, "a column which the table has not yet, got 'error'"),
        ({"seeds": 3}, TypeError, "several numbers, as in seeds=range(3); got 3"),
        ({"seeds": (0, "a")}, TypeError, "seeds must be integers, as in seeds=range(5); got 'a'"),
        ({"seeds": (0.5, 1)}, TypeError, "seeds must be integers"),
        ({"seeds": (0, -1)}, ValueError, "seeds must not be negative, got -1"),
        ({"seeds": (1, 1)}, ValueError, "seeds must be distinct"),
        ({"held_out": 0.0}, ValueError, "leaves one part empty"),
        ({"held_out": 1.0}, ValueError, "leaves one part empty"),
        ({"epochs": 0}, ValueError, "epochs and batch_size must be positive"),
        ({"max_order": 3}, ValueError, "between 1 and the number of inputs"),
        ({"loss": "absolute"}, ValueError, "one of ['squared', 'cross_entropy'] or a function"),
        ({"loss": nn.L1Loss}, TypeError, "a function of outputs and targets: L1Loss(), no class"),
        ({"loss": nn.L1Loss(reduction="none")}, TypeError, "got shape [6]"),
        ({"optimizer": torch.optim.SGD}, TypeError, "optimizer must be a function of the model"),
        ({"optimizer": lambda model, rate: 0.1}, TypeError, "makes a torch optimizer"),
        ({"optimizer": sgd, "learning_rate": 0.1}, ValueError, "learning_rate is that of Adam"),
        ({"step": 3}, TypeError, "step must be callable, got 3"),
        ({"callback": "print"}, TypeError, "callback must be callable, got 'print'"),
        ({"loss": "cross_entropy"}, ValueError, "integer labels from 0 up"),
        ({"loss": "cross_entropy", "y": torch.ones(8)}, ValueError, "an output for every label"),
        ({"factory": SAME}, TypeError, "builds a new module for a rate, .* got the module Linear"),
        ({"factory": 0.5}, TypeError, "factory must be a function that builds a new module"),
        ({"factory": lambda rate: lambda x: x}, TypeError, "must give a torch.nn.Module"),
        ({"factory": lambda rate: nn.ReLU()}, ValueError, "without parameters"),
        ({"factory": lambda rate: SAME}, ValueError, "a new module every time"),
        ({"factory": lambda rate: nn.Linear(2, 3)}, ValueError, "do not fit y"),
        ({"factory": lambda rate: nn.LSTM(2, 1)}, TypeError, "must return a tensor"),
        ({"x": 1e30 * torch.randn(8, 2)}, ValueError, "diverged at rate 0.0, seed 0"),
    ],
)
def test_bad_input_is_refused_with_the_reason(change, error, message) -> None:
    generator = torch.Generator().manual_seed(0)
    good = {
        "factory": network,
        "x": torch.randn(8, 2, generator=generator),
        "y": torch.randn(8, generator=generator),
        "rates": (0.0, 0.5),
        "seeds": (0,),
        "epochs": 1,
        "max_order": 1,
    }
    message = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(error, match=message):
        sweep_rates(**good | change)
