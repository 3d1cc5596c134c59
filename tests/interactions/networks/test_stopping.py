"""Every rule stops each member where a plain loop that watches it would."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from interactions import Dropout, FirstRise, MLPEnsemble, Patience, Samples, Tolerance, fit

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(60, 4, generator=GENERATOR, dtype=torch.float64)
Y = torch.randn(60, generator=GENERATOR, dtype=torch.float64)
TRAIN, TEST = Samples(X[:40], Y[:40]), Samples(X[40:], Y[40:])
DROPS = [Dropout(), Dropout(hidden=0.5), Dropout(inputs=0.3), Dropout(0.3, 0.2, "classic")]
STEPS = 400


def ensemble() -> MLPEnsemble:
    return MLPEnsemble((4, 8, 6, 1), seeds=range(4), dropout=DROPS, dtype=torch.float64)


def paths(data: Samples = TRAIN, **options) -> tuple[torch.Tensor, MLPEnsemble]:
    """Parameters [STEPS + 1, E, P] of training that nothing stops."""
    net = ensemble()
    kept = fit(net, data, steps=STEPS, snapshots=range(STEPS + 1), **options).snapshots
    return torch.stack([kept[t] for t in range(STEPS + 1)]), net


def losses(path: torch.Tensor, net: MLPEnsemble, data: Samples) -> torch.Tensor:
    """Eval-mode losses [STEPS + 1, E]."""
    answers = net.with_parameters(path)(data.x).T.unflatten(0, path.shape[:2])
    return (answers - data.y).square().mean(dim=-1).detach()


def assert_stopped_at(result, net, path, expected: list[int | None], reason: str) -> None:
    assert len({e for e in expected if e is not None}) > 1, "the test's problem is trivial"
    for i, stop in enumerate(expected):
        assert result.reason[i] == ("steps" if stop is None else reason)
        assert result.steps[i] == (STEPS if stop is None else stop)
        held = path[result.weights_from[i], i]
        torch.testing.assert_close(net.flat[i].detach(), held, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("every", [1, 3])
@pytest.mark.parametrize("batch_size", [None, 16])
def test_first_rise(every: int, batch_size) -> None:
    data = Samples(TRAIN.x, TRAIN.y, batch_size)
    path, plain = paths(data, learning_rate=0.005)
    seen = losses(path, plain, TRAIN)[every::every]
    expected = [
        next((every * (t + 2) for t, (a, b) in enumerate(pairwise(seen[:, i])) if b > a), None)
        for i in range(4)
    ]
    net = ensemble()
    result = fit(net, data, steps=STEPS, learning_rate=0.005, stop=FirstRise(every))
    assert_stopped_at(result, net, path, expected, "first rise")
    assert torch.equal(result.weights_from, result.steps)


def test_tolerance_of_the_loss() -> None:
    path, plain = paths()
    seen = losses(path, plain, TRAIN)[2::2]
    expected = [
        next(
            (2 * t + 4 for t, (a, b) in enumerate(pairwise(seen[:, i])) if abs(b - a) < 3e-4), None
        )
        for i in range(4)
    ]
    net = ensemble()
    rule = Tolerance(3e-4, of="loss", every=2)
    result = fit(net, TRAIN, steps=STEPS, stop=rule)
    assert_stopped_at(result, net, path, expected, "tolerance")


def test_tolerance_of_the_gradient() -> None:
    """With gradient descent the step itself tells the gradient, penalties and masks included."""
    options = {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.01}
    path, _ = paths(**options)
    norms = (path[1:] - path[:-1]).norm(dim=2) / 0.05
    at_most = 1.01 * norms.min(dim=0).values.max().item()
    expected = [
        next((t + 1 for t, norm in enumerate(norms[:, i]) if norm <= at_most), None)
        for i in range(4)
    ]
    net = ensemble()
    result = fit(net, TRAIN, steps=STEPS, stop=Tolerance(at_most), **options)
    assert_stopped_at(result, net, path, expected, "tolerance")


@pytest.mark.parametrize("restore", [True, False])
@pytest.mark.parametrize("patience", [0, 1, 3])
def test_patience(patience: int, restore: bool) -> None:
    path, plain = paths(learning_rate=0.01)
    seen = losses(path, plain, TEST)[5::5]
    expected, best = [], []
    for i in range(4):
        lowest, waited, stop, at = float("inf"), 0, None, None
        for t, value in enumerate(seen[:, i].tolist()):
            waited += 1
            if value < lowest - 1e-3:
                lowest, waited, at = value, 0, 5 * (t + 1)
            if waited >= max(1, patience) and stop is None:
                stop = 5 * (t + 1)
                break
        expected.append(stop)
        best.append(at)
    net = ensemble()
    rule = Patience(TEST, patience, every=5, least=1e-3, restore=restore)
    result = fit(net, TRAIN, steps=STEPS, learning_rate=0.01, stop=rule)
    assert_stopped_at(result, net, path, expected, "patience")
    assert result.weights_from.tolist() == (best if restore else result.steps.tolist())


def test_training_that_ends_before_patience_does_restores_the_best_look_too() -> None:
    net = ensemble()
    result = fit(net, TRAIN, steps=STEPS, learning_rate=0.01, stop=Patience(TEST, 10**6))
    assert result.reason == ["steps"] * 4
    assert (result.weights_from < STEPS).all()
    path, plain = paths(learning_rate=0.01)
    assert torch.equal(losses(path, plain, TEST)[1:].argmin(dim=0) + 1, result.weights_from)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Tolerance(0.1, of="weights"), '"gradient" or "loss"'),
        (lambda: FirstRise(every=0), "every must be positive"),
        (lambda: Tolerance(0.1, every=0), "every must be positive"),
        (lambda: Patience(TEST, 3, every=0), "every must be positive"),
    ],
)
def test_bad_rules_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
