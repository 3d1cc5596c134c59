"""Penalties and kinds of dropout that are the same thing twice, and those that are not."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import nn

from interactions import Dropout, MLPEnsemble, Samples, fit
from interactions.dropout import ClassicDropout

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(50, 4, generator=GENERATOR, dtype=torch.float64)
Y = X[:, 0] * X[:, 1] + 0.1 * torch.randn(50, generator=GENERATOR, dtype=torch.float64)
STEPS, RATE, DECAY = 50, 0.02, 0.3
OPTIMIZERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}


def network(**options) -> MLPEnsemble:
    return MLPEnsemble((4, 8, 8, 1), seeds=[7], dtype=torch.float64, **options)


def flat(module: nn.Module) -> torch.Tensor:
    linears = [m for m in module if isinstance(m, nn.Linear)]
    return torch.cat([p.flatten() for m in linears for p in (m.weight.T, m.bias)])


def trajectory(name: str, *, by_hand: float = 0.0, weight_decay: float = 0.0) -> torch.Tensor:
    """Parameters after every step of one of torch's optimizers, [STEPS, P].

    `by_hand` λ adds λ/2 |w|² to the loss, `weight_decay` is the optimizer's.
    """
    module = network().member(0)
    optimizer = OPTIMIZERS[name](module.parameters(), lr=RATE, weight_decay=weight_decay)
    passed = []
    for _ in range(STEPS):
        penalty = sum(p.square().sum() for p in module.parameters())
        loss = (module(X)[:, 0] - Y).square().mean() + by_hand / 2 * penalty
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        passed.append(flat(module).detach())
    return torch.stack(passed)


def fitted(name: str) -> torch.Tensor:
    """The same of this package's training."""
    result = fit(
        network(),
        Samples(X, Y),
        steps=STEPS,
        optimizer=name,
        learning_rate=RATE,
        weight_decay=DECAY,
        snapshots=range(1, STEPS + 1),
    )
    return torch.stack([result.snapshots[step][0] for step in range(1, STEPS + 1)])


@pytest.mark.parametrize("name", ["sgd", "adam"])
def test_l2_by_hand_is_the_weight_decay_of_sgd_and_of_adam(name: str) -> None:
    by_hand = trajectory(name, by_hand=DECAY)
    assert (by_hand - trajectory(name)).norm(dim=1)[-1] > 0.1
    for same in (trajectory(name, weight_decay=DECAY), fitted(name)):
        torch.testing.assert_close(same, by_hand, rtol=0.0, atol=1e-9)


def test_adamw_is_another_update() -> None:
    decoupled = trajectory("adamw", weight_decay=DECAY)
    torch.testing.assert_close(fitted("adamw"), decoupled, rtol=0.0, atol=1e-9)
    torch.testing.assert_close(trajectory("adamw"), trajectory("adam"), rtol=0.0, atol=1e-9)
    # It shrinks, but not as the same λ in the loss does.
    apart = (decoupled - trajectory("adam", by_hand=DECAY)).norm(dim=1)
    assert (apart[[0, -1]] > 0.05).all()


@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_a_layers_mean_over_all_masks_is_its_answer_at_test_time(kind: str) -> None:
    rate, x = 0.3, X[0]
    masks = torch.tensor(list(itertools.product([0.0, 1.0], repeat=4)), dtype=torch.float64)
    chance = ((1 - rate) ** masks * rate ** (1 - masks)).prod(dim=1)
    kept = masks * x / (1 - rate if kind == "inverted" else 1.0)
    layer = nn.Dropout(rate) if kind == "inverted" else ClassicDropout(rate)
    torch.testing.assert_close(chance @ kept, layer.eval()(x), rtol=1e-12, atol=1e-12)


def test_classic_dropout_is_inverted_dropout_with_weights_divided_by_what_is_kept() -> None:
    """Mask by mask and at test time, so in expectation too; gradients by the weights differ."""
    rates = (0.25, 0.5, 0.125)
    inverted, classic = (
        network(dropout=Dropout(rates[0], rates[1:], kind)) for kind in ("inverted", "classic")
    )
    with torch.no_grad():
        for (weight, _), rate in zip(classic.layers(), rates, strict=True):
            weight /= 1 - rate
    answers = []
    for net in (inverted, classic):
        in_training = net.train()(X)
        in_training.square().mean().backward()
        answers.append((in_training.detach(), net.eval()(X).detach()))
    (train, test), (classic_train, classic_test) = answers
    assert (train - test).abs().max() > 0.1
    torch.testing.assert_close(classic_train, train, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(classic_test, test, rtol=1e-12, atol=1e-12)
    assert (inverted.flat.grad - classic.flat.grad).norm() > 0.1 * inverted.flat.grad.norm()
