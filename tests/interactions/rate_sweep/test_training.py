"""A sweep with a loss, an optimizer, a step and a look of one's own, over strengths of any kind."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from interactions import Empirical, OrderPenalty, sweep_rates
from interactions.penalty import weights_from_order

SHORT = {"rates": (0.0, 0.5), "seeds": (0, 1), "epochs": 3, "max_order": 2}
PENALTIES = {"values": (0.0, 0.3, 3.0), "seeds": (0, 1)}
PENALTIES |= {"epochs": 30, "max_order": 2, "batch_size": 30}


@pytest.fixture
def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(80, 2, generator=generator) * 2 - 1
    return x, x[:, 0] * x[:, 1] * 3 + x[:, 0]


def network(rate: float, outputs: int = 1) -> nn.Module:
    return nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(rate), nn.Linear(16, outputs))


def plain(strength: float) -> nn.Module:
    return network(0.0)


def adam(model: nn.Module, rate: float) -> Optimizer:
    return torch.optim.Adam(model.parameters(), lr=1e-3)


def usual(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor, rate: float) -> None:
    optimizer.zero_grad()
    functional.mse_loss(model(x).flatten(), y).backward()
    optimizer.step()


def same(one: pd.DataFrame, other: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(one, other)


def test_what_is_taken_by_default_written_out_gives_the_same(data) -> None:
    usual_way = sweep_rates(network, *data, **SHORT).runs
    for own in (
        {"loss": functional.mse_loss},
        {"loss": nn.MSELoss()},
        {"optimizer": adam},
        {"learning_rate": 1e-3},
        {"step": usual},
        {"values": SHORT["rates"], "name": "rate", "rates": None},
    ):
        same(sweep_rates(network, *data, **SHORT | own).runs, usual_way)


def test_a_loss_of_ones_own_is_minimised_and_reported(data) -> None:
    """The mean minimises squares and the 90% quantile its pinball loss: networks of a bias."""
    x, y = data

    def constant(rate: float) -> nn.Module:
        model = nn.Sequential(nn.Linear(2, 1, bias=False), nn.Linear(1, 1))
        for parameter in [*model[0].parameters(), *model[1].parameters()]:
            nn.init.zeros_(parameter)
        return model

    def pinball(outputs: Tensor, y: Tensor) -> Tensor:
        assert outputs.shape == y.shape == (len(y),)
        return torch.maximum(0.9 * (y - outputs), 0.1 * (outputs - y)).mean()

    biases = []

    def look(model: nn.Module, rate: float, seed: int, epoch: int) -> None:
        biases.append(model[1].bias.item())

    only = {"rates": (0.0,), "seeds": (0,), "epochs": 150, "learning_rate": 0.05, "max_order": 1}
    error = sweep_rates(constant, x, y, loss=pinball, callback=look, **only).runs["error"][0]
    order = torch.tensor(np.random.default_rng(0).permutation(80))
    test, train = order[:20], order[20:]
    assert biases[-1] == pytest.approx(y[train].quantile(0.9).item(), abs=0.3)
    assert abs(biases[-1] - y[train].mean()) > 0.8
    assert error == pytest.approx(pinball(torch.full((20,), biases[-1]), y[test]).item(), rel=1e-5)


def test_a_loss_of_ones_own_gets_integers_as_integers_and_several_outputs_as_they_are(data) -> None:
    x, y = data
    labels = (y > 0).long()
    kinds = []

    def loss(outputs: Tensor, y: Tensor) -> Tensor:
        kinds.append((outputs.shape[1:], y.dtype))
        return functional.cross_entropy(outputs, y.long())

    theirs = sweep_rates(lambda r: network(r, 2), x, labels, loss="cross_entropy", **SHORT).runs
    frame = pd.DataFrame(x.numpy(), columns=["a", "b"])
    for y in (labels, labels.numpy(), labels.tolist(), pd.Series(labels.numpy())):
        same(sweep_rates(lambda r: network(r, 2), frame, y, loss=loss, **SHORT).runs, theirs)
    assert set(kinds) == {((2,), torch.int64)}
    kinds.clear()
    sweep_rates(lambda r: network(r, 2), frame, labels.double(), loss=loss, **SHORT)
    assert set(kinds) == {((2,), torch.float32)}


def decayed(model: nn.Module, strength: float) -> Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05, weight_decay=2 * strength)


def penalised(model: nn.Module, optimizer: Optimizer, x: Tensor, y: Tensor, rate: float) -> None:
    optimizer.zero_grad()
    squares = sum((p**2).sum() for p in model.parameters())
    (functional.mse_loss(model(x).flatten(), y) + rate * squares).backward()
    optimizer.step()


def sgd(model: nn.Module, strength: float) -> Optimizer:
    return torch.optim.SGD(model.parameters(), lr=0.05)


def test_a_penalty_is_swept_in_the_optimizer_or_in_the_step_alike(data) -> None:
    in_optimizer = sweep_rates(plain, *data, optimizer=decayed, **PENALTIES).runs
    in_step = sweep_rates(plain, *data, optimizer=sgd, step=penalised, **PENALTIES).runs
    assert in_optimizer.columns[0] == "strength"
    pd.testing.assert_frame_equal(in_optimizer, in_step, rtol=1e-3, atol=1e-6)
    total = in_optimizer.groupby("strength")["total"].mean()
    assert total.is_monotonic_decreasing
    assert total[3.0] < 0.01 * total[0.0]


def half_squares(strength: float):
    """What `decayed` adds to the gradient, as a penalty."""
    return lambda model, x: strength * sum(p.square().sum() for p in model.parameters())


def test_a_penalty_of_the_model_joins_the_loss(data) -> None:
    in_optimizer = sweep_rates(plain, *data, optimizer=decayed, **PENALTIES).runs
    in_loss = sweep_rates(plain, *data, optimizer=sgd, penalty=half_squares, **PENALTIES).runs
    pd.testing.assert_frame_equal(in_optimizer, in_loss, rtol=1e-3, atol=1e-6)


def test_an_order_penalty_is_swept_and_takes_interactions(data) -> None:
    inputs = Empirical(data[0])

    def penalty(strength: float) -> OrderPenalty:
        weights = weights_from_order(2)
        return OrderPenalty(inputs, weights=weights, strength=strength, fresh=True)

    options = {"seeds": (0,), "epochs": 60, "max_order": 2, "learning_rate": 1e-2}
    runs = sweep_rates(plain, *data, values=(0.0, 3.0), penalty=penalty, **options).runs
    without, with_it = runs["total"] * runs["share_2"]
    assert with_it < 0.3 * without


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"penalty": lambda strength: 1.0}, TypeError, "penalty must be a function of the rate"),
        ({"penalty": 1.0}, TypeError, "penalty must be callable"),
        ({"penalty": half_squares, "step": usual}, ValueError, "a step of your own has its own"),
    ],
)
def test_penalties_that_are_none_are_refused(data, options, error, says) -> None:
    with pytest.raises(error, match=says):
        sweep_rates(plain, *data, **SHORT, **options)


class GaussianDropout(nn.Module):
    """Multiplies values by 1 + std times a normal number in training."""

    def __init__(self, std: float) -> None:
        super().__init__()
        self.std = std

    def forward(self, x: Tensor) -> Tensor:
        return x * (1 + self.std * torch.randn_like(x)) if self.training else x


class DropConnect(nn.Linear):
    """A linear layer that drops weights in training."""

    def __init__(self, rate: float) -> None:
        super().__init__(2, 16)
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        weight = functional.dropout(self.weight, self.rate, self.training)
        return functional.linear(x, weight, self.bias)


@pytest.mark.parametrize(
    ("first", "strengths"),
    [
        (lambda std: [GaussianDropout(std), nn.Linear(2, 16)], {"values": (0.0, 1.5)}),
        (lambda rate: [DropConnect(rate)], {"rates": (0.0, 0.8)}),
    ],
    ids=["Gaussian dropout", "DropConnect"],
)
def test_noise_of_any_kind_takes_variance_from_what_is_learned(data, first, strengths) -> None:
    def build(strength: float) -> nn.Module:
        return nn.Sequential(*first(strength), nn.ReLU(), nn.Linear(16, 1))

    long = {"seeds": (0, 1), "epochs": 40, "learning_rate": 1e-2, "max_order": 2}
    sweep = sweep_rates(build, *data, **strengths, **long)
    (_, none), (_, strong) = sweep.runs.groupby(sweep.name)["total"].mean().items()
    assert strong < 0.8 * none


def test_lbfgs_may_ask_for_the_loss_as_often_as_it_likes(data) -> None:
    def lbfgs(model: nn.Module, rate: float) -> Optimizer:
        return torch.optim.LBFGS(model.parameters(), max_iter=20)

    only = {"rates": (0.0,), "seeds": (0,), "epochs": 2, "batch_size": 60, "max_order": 1}
    runs = sweep_rates(network, *data, optimizer=lbfgs, **only).runs
    assert runs["error"][0] < 0.2 * data[1].var()


def test_a_look_after_every_epoch_changes_nothing(data) -> None:
    seen = []

    def look(model: nn.Module, rate: float, seed: int, epoch: int) -> None:
        torch.randn(7)
        seen.append((rate, seed, epoch, model.training))
        model.eval()

    unseen = sweep_rates(network, *data, **SHORT).runs
    same(sweep_rates(network, *data, callback=look, **SHORT).runs, unseen)
    expected = [(r, s, e, True) for r in (0.0, 0.5) for s in (0, 1) for e in (1, 2, 3)]
    assert seen == expected


def test_a_strength_without_effect_is_warned_of_and_one_with_effect_is_not(data) -> None:
    """Warnings are errors in these tests: no other sweep here gives one."""
    few = PENALTIES | {"epochs": 1}
    with pytest.warns(UserWarning, match="the strength had no effect: on every seed all strengths"):
        sweep_rates(plain, *data, optimizer=sgd, **few)
    # Rates that are the same on some of the seeds only are no such case.
    sweep_rates(lambda r: network(0.0 if torch.initial_seed() else r), *data, **SHORT)


def test_progress_counts_epochs_and_is_asked_for(data, capsys, monkeypatch) -> None:
    sweep_rates(network, *data, **SHORT)
    assert capsys.readouterr().err == ""
    sweep_rates(network, *data, progress=True, **SHORT)
    assert "/12 [" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="progress=True needs tqdm: pip install"):
        sweep_rates(network, *data, progress=True, **SHORT)
