"""Batched training equals the same training of plain modules, member by member."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from torch import nn

from interactions import Dropout, FirstRise, MLPEnsemble, Rademacher, Samples, Stream, Uniform, fit
from interactions.networks import ACTIVATIONS
from interactions.planted import Product

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(40, 4, generator=GENERATOR, dtype=torch.float64)
Y = torch.randn(40, generator=GENERATOR, dtype=torch.float64)


def ensemble(seeds=(0, 1, 2), **options) -> MLPEnsemble:
    return MLPEnsemble((4, 8, 6, 1), seeds=seeds, dtype=torch.float64, **options)


def looped(net: MLPEnsemble, member: int, steps: int, optimizer, rates=None) -> torch.Tensor:
    """One member trained by torch.autograd and torch.optim, with the ensemble's own masks."""
    weights = [p[member].detach().clone().requires_grad_() for layer in net.layers() for p in layer]
    opt = optimizer(weights)
    streams = MLPEnsemble(net.sizes, seeds=net.seeds, dropout=net.dropout).streams
    drop = net.dropout[member]
    for step in range(steps):
        h = X
        for i in range(3):
            mask = streams.draw(i, len(h), h.shape[1])
            if mask is not None:
                keep = 1 - drop.rates(2)[i] if drop.kind == "inverted" else 1.0
                h = h * mask[member] / keep
            h = h @ weights[2 * i] + weights[2 * i + 1]
            h = ACTIVATIONS[net.activation](h) if i < 2 else h
        loss = nn.functional.mse_loss(h.squeeze(-1), Y)
        opt.zero_grad()
        loss.backward()
        if rates is not None:
            opt.param_groups[0]["lr"] = rates(step)
        opt.step()
    return torch.cat([w.detach().flatten() for w in weights])


OPTIMIZERS = {
    "adam": lambda weights: torch.optim.Adam(weights, lr=0.01),
    "sgd": lambda weights: torch.optim.SGD(weights, lr=0.01),
}


@pytest.mark.parametrize("optimizer", list(OPTIMIZERS))
@pytest.mark.parametrize("kind", ["inverted", "classic"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_a_batch_trains_as_a_loop_with_the_same_masks(optimizer, kind, activation) -> None:
    drops = [Dropout(0.25, 0.5, kind), Dropout(kind=kind), Dropout(0.0, (0.1, 0.2), kind)]
    net = ensemble(dropout=drops, activation=activation)
    expected = torch.stack([looped(net, i, 20, OPTIMIZERS[optimizer]) for i in range(3)])
    start = net.flat.detach().clone()
    fit(net, Samples(X, Y), steps=20, optimizer=optimizer, learning_rate=0.01)
    assert (net.flat - start).norm() > 0.01
    assert ((net.flat - expected).norm() / expected.norm()).item() < 1e-10


def test_the_cosine_schedule_falls_to_zero_along_half_a_cosine() -> None:
    net = ensemble()
    expected = looped(
        net, 1, 10, OPTIMIZERS["sgd"], lambda t: 0.01 * (1 + math.cos(math.pi * t / 10)) / 2
    )
    fit(net, Samples(X, Y), steps=10, optimizer="sgd", learning_rate=0.01, schedule="cosine")
    torch.testing.assert_close(net.flat[1], expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(
    "data",
    [
        Samples(X, Y),
        Samples(X, Y, batch_size=7),
        Stream(Uniform(-1.0, 1.0, dim=4), Product((0, 1)), 16, noise=0.1),
    ],
    ids=["full batch", "minibatches", "stream"],
)
def test_a_seed_repeats_bit_for_bit_and_neighbours_do_not_matter(data) -> None:
    drop = Dropout(0.25, 0.5)
    first, again = ensemble(dropout=drop), ensemble(dropout=drop)
    alone = ensemble(seeds=(1,), dropout=drop)
    for net in (first, again, alone):
        fit(net, data, steps=100)
    assert torch.equal(first.flat, again.flat)
    torch.testing.assert_close(alone.flat[0], first.flat[1], rtol=1e-9, atol=1e-9)
    assert not torch.allclose(first.flat[0], first.flat[1])


def test_minibatches_go_through_the_whole_set_every_epoch() -> None:
    net = ensemble()
    x = torch.arange(40.0)[:, None].expand(40, 4)
    data = Samples(x, torch.arange(40.0), batch_size=7)
    assert data.steps_per_epoch == 6
    batches = data.batches(net)
    epochs = []
    for _ in range(2):
        seen = [next(batches) for _ in range(6)]
        assert [y.shape for _, y in seen] == [(3, 7)] * 5 + [(3, 5)]
        assert all(torch.equal(bx[..., 0], by) for bx, by in seen)
        epochs.append(torch.cat([y for _, y in seen], dim=1))
    for epoch in epochs:
        assert torch.equal(epoch.sort(dim=1).values, torch.arange(40.0).double().expand(3, 40))
    assert not torch.equal(epochs[0], epochs[1])
    assert not torch.equal(epochs[0][0], epochs[0][1])


def test_each_member_may_have_its_own_training_set() -> None:
    together = ensemble()
    xs, ys = torch.stack([X, -X, X + 1]), torch.stack([Y, 2 * Y, Y])
    fit(together, Samples(xs, ys), steps=20)
    for member in range(3):
        alone = ensemble(seeds=(member,))
        fit(alone, Samples(xs[member], ys[member]), steps=20)
        torch.testing.assert_close(alone.flat[0], together.flat[member], rtol=1e-9, atol=1e-11)


def test_first_rise_stops_each_member_at_its_own_first_rise() -> None:
    """Checked against a plain loop that looks at the eval loss after every step."""
    rates = [Dropout(), Dropout(hidden=0.5), Dropout(inputs=0.3)]
    net = ensemble(dropout=rates)
    shadow = ensemble(dropout=rates)
    result = fit(net, Samples(X, Y), steps=400, learning_rate=0.02, stop=FirstRise())
    assert len(set(result.steps.tolist())) > 1
    assert "first rise" in result.reason
    for member, steps in enumerate(result.steps.tolist()):
        if result.reason[member] != "first rise":
            continue
        asked = [0, *range(1, steps + 1)]
        path = fit(
            copy := ensemble(dropout=rates),
            Samples(X, Y),
            steps=steps,
            learning_rate=0.02,
            snapshots=asked,
        ).snapshots
        torch.testing.assert_close(net.flat[member], copy.flat[member])
        losses = [
            (shadow.with_parameters(path[t])(X)[:, member] - Y).square().mean().item()
            for t in asked[1:]
        ]
        assert all(b <= a for a, b in pairwise(losses[:-1]))
        assert losses[-1] > losses[-2]


def test_snapshots_hold_the_parameters_after_the_step() -> None:
    net = ensemble()
    start = net.flat.detach().clone()
    result = fit(net, Samples(X, Y), steps=10, snapshots=[0, 5, 10])
    assert torch.equal(result.snapshots[0], start)
    assert torch.equal(result.snapshots[10], net.flat)
    half = ensemble()
    fit(half, Samples(X, Y), steps=5)
    assert torch.equal(result.snapshots[5], half.flat)


def test_a_diverging_member_is_named_and_leaves_the_others_alone() -> None:
    ys = torch.stack([Y, Y * 1e160, Y])
    net, calm = ensemble(), ensemble()
    result = fit(net, Samples(X.expand(3, -1, -1), ys), steps=5, optimizer="sgd")
    assert result.reason == ["steps", "diverged", "steps"]
    fit(calm, Samples(X, Y), steps=5, optimizer="sgd")
    torch.testing.assert_close(net.flat[[0, 2]], calm.flat[[0, 2]], rtol=1e-10, atol=1e-12)


def test_progress_counts_every_step() -> None:
    counted = []
    fit(ensemble(), Samples(X, Y), steps=120, progress=counted.append)
    assert sum(counted) == 120


def test_training_learns_a_planted_product() -> None:
    inputs, target = Rademacher(dim=4), Product((0, 1))
    net = MLPEnsemble((4, 32, 1), seeds=[0, 1])
    fit(net, Stream(inputs, target, 64), steps=1000, learning_rate=5e-3)
    x = inputs.sample(500, generator=0, dtype=torch.float32)
    assert (net(x) - target(x)[:, None]).square().mean() < 0.01


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Samples(X, Y[:-1]), r"x \[n, d\] and y \[n\]"),
        (lambda: Samples(X, Y * math.nan), "NaN or infinite values in y"),
        (lambda: Samples(X, Y, batch_size=0), "positive"),
        (lambda: fit(ensemble(), Samples(X, Y), steps=1, optimizer="lbfgs"), "adam"),
        (lambda: fit(ensemble(), Samples(X, Y), steps=1, schedule="step"), "cosine"),
        (lambda: fit(ensemble(), Samples(X, Y), steps=-1), "negative"),
        (lambda: fit(ensemble(), Samples(X, Y), steps=3, snapshots=[4]), "outside"),
        (lambda: fit(ensemble(), Samples(X, Y, 8), steps=3, stop=FirstRise()), "full batch"),
        (lambda: fit(ensemble(), Samples(X[None], Y[None]), steps=3), "1 training sets"),
    ],
)
def test_bad_settings_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()
