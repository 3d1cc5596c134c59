"""Batched training equals the same training of plain modules, member by member."""

from __future__ import annotations

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn import functional

from interactions import (
    Dropout,
    FirstRise,
    MLPEnsemble,
    Rademacher,
    Samples,
    Stream,
    Uniform,
    fit,
    order_spectrum,
)
from interactions.networks import ACTIVATIONS, member_seed
from interactions.planted import Product

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(40, 4, generator=GENERATOR, dtype=torch.float64)
Y = torch.randn(40, generator=GENERATOR, dtype=torch.float64)
LABELS = torch.randint(3, (40,), generator=GENERATOR)
DROPS = [Dropout(0.25, 0.5), Dropout(), Dropout(0.0, (0.1, 0.2), "classic")]
TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def ensemble(seeds=(0, 1, 2), *, sizes=(4, 8, 6, 1), dtype=torch.float64, **options) -> MLPEnsemble:
    return MLPEnsemble(sizes, seeds=seeds, dtype=dtype, **options)


def parameters(linears: list[nn.Linear]) -> torch.Tensor:
    return torch.cat([t.detach().flatten() for f in linears for t in (f.weight.T, f.bias)])


def looped(net, member, data, steps, optimizer, *, loss, penalty=None, noise=0.0, rate=None):
    """One member trained as plain torch modules, with the ensemble's own masks and batches."""
    linears = [copy.deepcopy(m) for m in net.member(member) if isinstance(m, nn.Linear)]
    weights = [p for f in linears for p in f.parameters()]
    opt = optimizer(weights)
    streams = MLPEnsemble(net.sizes, seeds=net.seeds, dropout=net.dropout).streams
    batches = data.feed(net).batches(range(net.members), steps)
    noises = torch.Generator().manual_seed(member_seed(net.seeds[member], "noise"))
    drop = net.dropout[member]
    rates = drop.rates(len(linears) - 1)
    for step, (xs, ys, weight) in enumerate(batches):
        h, y = (xs[member], ys[member]) if xs.ndim == 3 else (xs, ys)
        if noise > 0:
            h = h + noise * torch.randn(h.shape, generator=noises, dtype=h.dtype)
        for i, linear in enumerate(linears):
            mask = streams.draw(i, len(h), h.shape[1])
            if mask is not None:
                h = h * mask[member] / (1 - rates[i] if drop.kind == "inverted" else 1.0)
            h = linear(h)
            h = ACTIVATIONS[net.activation](h) if i < len(linears) - 1 else h
        if torch.is_tensor(weight):
            h, y = h[weight[member, :, 0] > 0], y[weight[member, :, 0] > 0]
        value = loss(h, y)
        if penalty is not None:
            value = value + penalty(torch.cat([w.flatten() for w in weights]))
        opt.zero_grad()
        value.backward()
        if rate is not None:
            opt.param_groups[0]["lr"] = rate(step)
        opt.step()
    return parameters(linears)


def assert_trains_as_a_loop(
    make, data, options, optimizer, dtype, *, loss=functional.mse_loss, **plain
) -> None:
    """`optimizer` and `plain` hold what each member's loop is given, one after another."""
    steps = 20 if dtype == torch.float64 else 2
    net = make(dtype)
    own = [{name: values[i] for name, values in plain.items()} for i in range(net.members)]
    expected = torch.stack(
        [looped(net, i, data, steps, optimizer[i], loss=loss, **own[i]) for i in range(net.members)]
    )
    start = net.flat.detach().clone()
    fit(net, data, steps=steps, **options)
    assert ((net.flat - start).norm(dim=1) > 1e-3).all()
    assert ((net.flat - expected).norm() / expected.norm()).item() < TOLERANCE[dtype]


def adam(rate=0.01, **options):
    return lambda weights: torch.optim.Adam(weights, lr=rate, **options)


def adamw(rate=0.01, **options):
    return lambda weights: torch.optim.AdamW(weights, lr=rate, **options)


def sgd(rate=0.01, **options):
    return lambda weights: torch.optim.SGD(weights, lr=rate, **options)


DTYPES = pytest.mark.parametrize("dtype", list(TOLERANCE), ids=["float64", "float32"])


@DTYPES
@pytest.mark.parametrize(("name", "plain"), [("adam", adam()), ("sgd", sgd()), ("adamw", None)])
@pytest.mark.parametrize("kind", ["inverted", "classic"])
@pytest.mark.parametrize("activation", list(ACTIVATIONS))
def test_rates_per_layer_and_kinds_of_dropout(name, plain, kind, activation, dtype) -> None:
    drops = [Dropout(0.25, 0.5, kind), Dropout(kind=kind), Dropout(0.0, (0.1, 0.2), kind)]
    assert_trains_as_a_loop(
        lambda dtype: ensemble(dropout=drops, activation=activation, dtype=dtype),
        Samples(X, Y),
        {"optimizer": name, "learning_rate": 0.01},
        [plain or adamw(weight_decay=0.0)] * 3,
        dtype,
    )


DECAYS = [0.0, 0.1, 1.0]


@DTYPES
@pytest.mark.parametrize(
    ("name", "plain", "by_hand"),
    [
        ("adam", adam, False),
        ("adam", adam, True),
        ("sgd", sgd, False),
        ("sgd", sgd, True),
        ("adamw", adamw, False),
    ],
)
def test_weight_decay_by_the_optimizer_and_as_a_term_of_the_loss(
    name, plain, by_hand, dtype
) -> None:
    """Coupled decay is half the squared norm in the loss; AdamW's is apart from the gradient."""
    optimizers = [plain() if by_hand else plain(weight_decay=w) for w in DECAYS]
    penalties = {"penalty": [lambda w, d=d: 0.5 * d * w.square().sum() for d in DECAYS]}
    assert_trains_as_a_loop(
        lambda dtype: ensemble(dropout=DROPS, dtype=dtype),
        Samples(X, Y),
        {"optimizer": name, "learning_rate": 0.01, "weight_decay": DECAYS},
        optimizers,
        dtype,
        **(penalties if by_hand else {}),
    )


@DTYPES
@pytest.mark.parametrize(("name", "plain"), [("adam", adam), ("sgd", sgd)])
def test_l1_and_a_learning_rate_of_each_members_own(name, plain, dtype) -> None:
    rates, l1 = [0.01, 0.003, 0.02], [0.0, 0.3, 0.01]
    assert_trains_as_a_loop(
        lambda dtype: ensemble(dropout=DROPS, dtype=dtype),
        Samples(X, Y),
        {"optimizer": name, "learning_rate": rates, "l1": l1},
        [plain(r) for r in rates],
        dtype,
        penalty=[lambda w, c=c: c * w.abs().sum() for c in l1],
    )


@pytest.mark.parametrize("batch_size", [None, 7])
def test_input_noise(batch_size) -> None:
    std = [0.5, 0.0, 2.0]
    assert_trains_as_a_loop(
        lambda dtype: ensemble(dropout=DROPS, dtype=dtype),
        Samples(X, Y, batch_size),
        {"input_noise": std, "learning_rate": 0.01},
        [adam()] * 3,
        torch.float64,
        noise=std,
    )


OWN = Samples(torch.stack([X, -X, X + 1]), torch.stack([Y, 2 * Y, Y]))


@DTYPES
@pytest.mark.parametrize(
    "data",
    [
        Samples(X, Y, batch_size=7),
        Samples(X, Y, batch_size=100),
        Samples(X, Y, sizes=[40, 13, 1]),
        Samples(X, Y, batch_size=7, sizes=[40, 13, 21]),
        OWN,
        Samples(OWN.x, OWN.y, batch_size=7),
        Samples(OWN.x, OWN.y, batch_size=7, sizes=[40, 13, 21]),
        Stream(Uniform(-1.0, 1.0, dim=4), Product((0, 1)), 16, noise=0.1),
    ],
    ids=["batches", "large batch", "sizes", "sizes in batches", "own", "own in batches", "all", ""],
)
def test_batches_and_sample_sizes_and_own_training_sets(data, dtype) -> None:
    assert_trains_as_a_loop(
        lambda dtype: ensemble(dropout=DROPS, dtype=dtype),
        data,
        {"learning_rate": 0.01},
        [adam()] * 3,
        dtype,
    )


@DTYPES
@pytest.mark.parametrize("batch_size", [None, 7])
@pytest.mark.parametrize(
    ("name", "y", "outputs", "plain"),
    [
        ("squared", torch.stack([Y, Y.square(), -Y], 1), 3, functional.mse_loss),
        ("cross_entropy", LABELS, 3, functional.cross_entropy),
        ("binary", (Y > 0).double(), 1, functional.binary_cross_entropy_with_logits),
        (
            "binary",
            torch.stack([Y > 0, Y > 1], 1).double(),
            2,
            functional.binary_cross_entropy_with_logits,
        ),
    ],
    ids=["several outputs", "softmax", "logit", "several logits"],
)
def test_losses_and_heads(name, y, outputs, plain, batch_size, dtype) -> None:
    assert_trains_as_a_loop(
        lambda dtype: ensemble(sizes=(4, 8, outputs), dropout=Dropout(0.2, 0.3), dtype=dtype),
        Samples(X, y, batch_size),
        {"loss": name, "learning_rate": 0.01},
        [adam()] * 3,
        dtype,
        loss=plain,
    )


def test_the_cosine_schedule_falls_to_zero_along_half_a_cosine() -> None:
    assert_trains_as_a_loop(
        lambda dtype: ensemble(dtype=dtype),
        Samples(X, Y),
        {"optimizer": "sgd", "learning_rate": 0.01, "schedule": "cosine"},
        [sgd()] * 3,
        torch.float64,
        rate=[lambda t: 0.01 * (1 + math.cos(math.pi * t / 20)) / 2] * 3,
    )


@DTYPES
@pytest.mark.parametrize(
    "data",
    [
        Samples(X, Y),
        Samples(X, Y, batch_size=7),
        Stream(Uniform(-1.0, 1.0, dim=4), Product((0, 1)), 16, noise=0.1),
    ],
    ids=["full batch", "minibatches", "stream"],
)
def test_a_seed_repeats_bit_for_bit_and_neighbours_do_not_matter(data, dtype) -> None:
    drop, noise = Dropout(0.25, 0.5), 0.1
    first, again = ensemble(dropout=drop, dtype=dtype), ensemble(dropout=drop, dtype=dtype)
    alone = ensemble(seeds=(1,), dropout=drop, dtype=dtype)
    steps, tolerance = (100, 1e-9) if dtype == torch.float64 else (20, 1e-5)
    for net in (first, again, alone):
        fit(net, data, steps=steps, input_noise=noise)
    assert torch.equal(first.flat, again.flat)
    assert ((alone.flat[0] - first.flat[1]).norm() / alone.flat.norm()).item() < tolerance
    assert not torch.allclose(first.flat[0], first.flat[1])


def test_snapshots_hold_the_parameters_after_the_step() -> None:
    net = ensemble()
    start = net.flat.detach().clone()
    result = fit(net, Samples(X, Y), steps=10, snapshots=[0, 5, 10])
    assert torch.equal(result.snapshots[0], start)
    assert torch.equal(result.snapshots[10], net.flat)
    half = ensemble()
    fit(half, Samples(X, Y), steps=5)
    assert torch.equal(result.snapshots[5], half.flat)


def test_all_snapshots_of_all_members_are_measured_in_one_call() -> None:
    net = ensemble(dtype=torch.float32, dropout=DROPS)
    kept = fit(net, Samples(X, Y), steps=40, snapshots=[10, 40], learning_rate=0.01).snapshots
    every = net.with_parameters(torch.stack(list(kept.values())))
    options = {"method": "kernel", "budget": 2**14, "max_order": 2}
    together = order_spectrum(every, Uniform(-1.0, 1.0, dim=4), **options)
    assert together.variance.shape == (6, 3)
    x = X.float()
    for s, flat in enumerate(kept.values()):
        alone, which = net.with_parameters(flat), slice(3 * s, 3 * s + 3)
        torch.testing.assert_close(every(x)[:, which], alone(x))
        spectrum = order_spectrum(alone, Uniform(-1.0, 1.0, dim=4), **options)
        gap = abs(spectrum.variance - together.variance[which])
        assert (gap < 5 * (spectrum.standard_error + together.standard_error[which])).all()


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
@pytest.mark.parametrize("broken", [1e160, 1e300])
def test_a_diverging_member_is_named_stopped_and_leaves_the_others_alone(optimizer, broken) -> None:
    ys = torch.stack([Y, Y * broken, Y])
    net, calm = ensemble(), ensemble()
    options = {"steps": 60, "optimizer": optimizer, "learning_rate": [0.01, 1.0, 0.01]}
    result = fit(net, Samples(X.expand(3, -1, -1), ys), **options)
    assert result.reason == ["steps", "diverged", "steps"]
    assert result.steps[1] < 60
    assert result.steps[[0, 2]].tolist() == [60, 60]
    fit(calm, Samples(X, Y), **options)
    assert torch.equal(net.flat[[0, 2]], calm.flat[[0, 2]])


def test_progress_counts_every_step() -> None:
    counted = []
    fit(ensemble(), Samples(X, Y), steps=120, progress=counted.append)
    assert sum(counted) == 120


def test_threads_change_nothing_but_rounding() -> None:
    nets = [ensemble(range(5), dropout=Dropout(0.25, 0.5)) for _ in range(2)]
    before = torch.get_num_threads()
    try:
        for threads, net in zip((1, 3), nets, strict=True):
            torch.set_num_threads(threads)
            fit(net, Samples(X, Y), steps=100)
    finally:
        torch.set_num_threads(before)
    assert ((nets[0].flat - nets[1].flat).norm() / nets[0].flat.norm()).item() < 1e-9


@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_linear_networks_learn_the_ridge_regression_dropout_stands_for(kind: str) -> None:
    """Both kinds have one optimum at test time (Srivastava et al., JMLR 15, 2014, section 9.1).

    With inputs dropped at rate r the expected squared loss is the undropped one plus
    r / (1 - r) |diag(X'X)^(1/2) w|^2.
    """
    rate, x = 0.3, X - X.mean(dim=0)
    gram = x.T @ x
    ridge = gram + rate / (1 - rate) * torch.diag(gram.diagonal())
    expected = torch.linalg.solve(ridge, x.T @ (Y - Y.mean()))
    net = ensemble(range(60), sizes=(4, 1), dropout=Dropout(rate, kind=kind))
    options = {"steps": 2000, "learning_rate": 0.02, "schedule": "cosine"}
    fit(net, Samples(x, Y), **options)
    slopes = (net(torch.eye(4).double()) - net(torch.zeros(1, 4).double())).detach()
    error = slopes.std(dim=1) / 60**0.5
    assert ((slopes.mean(dim=1) - expected).abs() < 4.5 * error).all()
    plain = torch.linalg.solve(gram, x.T @ (Y - Y.mean()))
    assert ((plain - expected).abs() > 4.5 * error).any()


def test_training_learns_a_planted_product() -> None:
    inputs, target = Rademacher(dim=4), Product((0, 1))
    net = MLPEnsemble((4, 32, 1), seeds=[0, 1])
    fit(net, Stream(inputs, target, 64), steps=1000, learning_rate=5e-3)
    x = inputs.sample(500, generator=0, dtype=torch.float32)
    assert (net(x) - target(x)[:, None]).square().mean() < 0.01


def test_training_learns_classes() -> None:
    x = torch.randn(300, 2, generator=torch.Generator().manual_seed(1))
    labels = (x[:, 0] > 0).long() + 2 * (x[:, 1] > 0).long()
    net = MLPEnsemble((2, 32, 4), seeds=[0, 1])
    options = {"steps": 300, "learning_rate": 0.01, "loss": "cross_entropy"}
    fit(net, Samples(x, labels, batch_size=32), **options)
    assert (net.outputs(x).argmax(dim=-1) == labels).float().mean() > 0.95


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"optimizer": "lbfgs"}, "adam"),
        ({"schedule": "step"}, "cosine"),
        ({"loss": "hinge"}, "cross_entropy"),
        ({"steps": -1}, "negative"),
        ({"snapshots": [4]}, "outside"),
        ({"learning_rate": [0.1, 0.2]}, "learning_rate must be one number or one for each of 3"),
        ({"weight_decay": -0.1}, "weight_decay must be finite and not negative"),
        ({"l1": math.nan}, "l1 must be finite"),
        ({"input_noise": [0.1, -1.0, 0.0]}, "input_noise"),
        ({"data": Samples(X[None], Y[None])}, "1 training sets"),
        ({"data": Samples(X, Y, sizes=[3])}, "1 sizes"),
        ({"data": Samples(X, torch.stack([Y, Y], 1))}, "1 outputs"),
        ({"data": Samples(X, LABELS)}, "floating-point"),
        ({"loss": "cross_entropy"}, "integer labels"),
        ({"loss": "cross_entropy", "data": Samples(X, LABELS)}, r"labels lie in 0\.\.2"),
        ({"loss": "binary"}, r"\[0, 1\]"),
        (
            {"data": Stream(Uniform(-1.0, 1.0, dim=4), Product((0,)), 8), "stop": FirstRise()},
            "a Stream has none",
        ),
    ],
)
def test_bad_settings_are_refused(options, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        fit(ensemble(), **{"data": Samples(X, Y), "steps": 3} | options)
