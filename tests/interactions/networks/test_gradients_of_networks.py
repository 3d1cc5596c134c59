"""What dropout does to a network's gradient, measured over many draws of masks, against theory."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from interactions import Dropout, MLPEnsemble, Uniform
from interactions.planted import Product
from interactions.theory import Masked, step_scale

RATE, WIDTH, DRAWS = 0.375, 16, 500
KINDS = pytest.mark.parametrize("kind", ["classic", "inverted"])
# A ReLU unit without bias is a linear function plus an even one: no order 3.
ORDERS = pytest.mark.parametrize("order", [1, 2, 4])


def reflected(dim: int) -> Tensor:
    """Points of U(-1,1)^dim in all their reflections: products of inputs are exactly pure."""
    signs = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=dim)), dtype=torch.float64)
    base = Uniform(-1.0, 1.0, dim=dim).sample(8, generator=0)
    return (base[:, None] * signs).flatten(0, 1)


def networks(dim: int, dropout: Dropout, draws: int, *, from_zero: bool) -> MLPEnsemble:
    """One network `draws` times, each with its own masks; its last layer zero where asked."""
    ensemble = MLPEnsemble((dim, WIDTH, 1), seeds=range(draws), dropout=dropout).double()
    start = ensemble.flat[:1].detach().clone()
    if from_zero:
        start[:, (dim + 1) * WIDTH :] = 0
    ensemble.flat.data.copy_(start.expand_as(ensemble.flat))
    return ensemble


def gradients(ensemble: MLPEnsemble, x: Tensor, y: Tensor) -> Tensor:
    """Of the mean squared error in training mode, [E, P]."""
    ensemble.train()
    (gradient,) = torch.autograd.grad(
        (ensemble.outputs(x).squeeze(-1) - y).square().mean(dim=1).sum(), ensemble.flat
    )
    return gradient


def assert_mean(samples: Tensor, wanted: Tensor) -> None:
    """The mean over draws is as wanted, in chi-square over the entries and each within 4 to 5."""
    error = samples.std(dim=0) / math.sqrt(len(samples))
    apart = (samples.mean(dim=0) - wanted).abs()
    still = error <= 1e-14
    assert (apart[still] <= 1e-12).all()
    z = apart[~still] / error[~still]
    # Many entries at once: of 100 one lies beyond 4 errors in 160 cases.
    assert z.max() < 4.5
    assert z.square().sum() < stats.chi2.ppf(1 - 1e-5, len(z))


def projection(samples: Tensor, on: Tensor) -> tuple[float, float]:
    """<sample, on> / <on, on>: mean over draws and its standard error."""
    scale = samples @ on / (on @ on)
    return scale.mean().item(), scale.std().item() / math.sqrt(len(scale))


@KINDS
@ORDERS
def test_expected_gradients_under_input_dropout_are_the_mean_over_all_masks(kind, order) -> None:
    """Sampled masks of training against the loss averaged over all 2^d masks."""
    x = reflected(4)
    y = Product(tuple(range(order)), scale=10.0**order)(x)
    measured = gradients(networks(4, Dropout(inputs=RATE, kind=kind), DRAWS, from_zero=False), x, y)
    one = networks(4, Dropout(), 1, from_zero=False)
    scale = 1 / (1 - RATE) if kind == "inverted" else 1.0

    def loss(z: Tensor) -> Tensor:
        return (one.outputs(z)[0, :, 0] - y).square()

    (exact,) = torch.autograd.grad(Masked(loss, RATE, scale)(x).mean(), one.flat)
    assert exact.abs().max() > 0.1
    assert_mean(measured, exact[0])


@KINDS
@ORDERS
def test_a_relu_unit_under_input_dropout_steps_by_its_degree_one_not_by_the_order(
    kind, order
) -> None:
    """From zero, on an effect of all inputs: (1-r)^(k-1) inverted, (1-r)^k before test scaling."""
    x = reflected(order)
    y = Product(tuple(range(order)), scale=10.0**order)(x)
    dropout = Dropout(inputs=RATE, kind=kind)
    # The last layer's bias aside, whose gradient is the mean of y.
    last = slice((order + 1) * WIDTH, -1)
    measured = gradients(networks(order, dropout, DRAWS, from_zero=True), x, y)[:, last]
    before = gradients(networks(order, Dropout(), 1, from_zero=True), x, y)[0, last]
    assert before.abs().max() > 0.05
    at_test = 1 - RATE if kind == "classic" else 1.0
    wanted = step_scale(RATE, order, kind=kind, degree=1) / at_test
    assert_mean(measured, wanted * before)
    scale, error = projection(measured, before)
    assert abs(scale - wanted) < 4 * error


@ORDERS
def test_activation_dropout_before_the_last_layer_takes_all_orders_alike(order) -> None:
    """From zero, inverted masks leave the expected gradient of every effect whole, classic ones
    1 - r of it: the output is linear in the masked units, whatever the order in the inputs.
    """
    x = reflected(4)
    y = Product(tuple(range(order)), scale=10.0**order)(x)
    before = gradients(networks(4, Dropout(), 1, from_zero=True), x, y)[0]
    assert before.abs().max() > 0.05
    for kind, wanted in (("inverted", 1.0), ("classic", 1 - RATE)):
        measured = gradients(
            networks(4, Dropout(hidden=RATE, kind=kind), DRAWS, from_zero=True), x, y
        )
        assert_mean(measured, wanted * before)
        scale, error = projection(measured, before)
        assert abs(scale - wanted) < 4 * error
        if order > 1:
            assert abs(scale - (1 - RATE) ** order) > 10 * error


def test_activation_dropout_before_the_last_layer_adds_a_ridge_penalty() -> None:
    """Away from zero: the loss without dropout plus r/(1-r) sum_i v_i^2 E h_i^2."""
    x = reflected(4)
    y = Product((0, 1), scale=10.0)(x)
    measured = gradients(networks(4, Dropout(hidden=RATE), DRAWS, from_zero=False), x, y)
    one = networks(4, Dropout(), 1, from_zero=False)
    (weight, bias), (last, _) = one.layers()
    units = torch.relu(x @ weight[0] + bias[0])
    penalty = RATE / (1 - RATE) * (last[0, :, 0].square() * units.square().mean(dim=0)).sum()
    loss = (one.outputs(x).squeeze(-1) - y).square().mean(dim=1).sum() + penalty
    (exact,) = torch.autograd.grad(loss, one.flat)
    assert_mean(measured, exact[0])
