"""Masks by importance and expected targets: the expected loss and gradient are dropout's own."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from interactions import Dropout, MaskedStream, MLPEnsemble, Rademacher, Uniform, fit
from interactions.networks.masked_stream import kept_of, numbers_dropped, strata
from interactions.planted import Product
from interactions.theory import best_predictor

RATES = torch.tensor([0.0, 0.3, 0.75], dtype=torch.float64)


def all_masks(dim: int) -> Tensor:
    return torch.tensor(list(itertools.product([False, True], repeat=dim)))


def loss_and_gradient(net: MLPEnsemble, rate: float, x: Tensor, y: Tensor, chances: Tensor):
    """Squared loss of a network averaged over masks with these chances, and its gradient."""
    shown = x * all_masks(x.shape[1])[:, None] / (1 - rate)
    error = net.outputs(shown.flatten(0, 1))[0, :, 0].view(len(chances), -1) - y
    loss = chances @ error.square().mean(dim=1)
    return loss, torch.autograd.grad(loss, net.flat)[0]


@pytest.mark.parametrize("member", range(3))
def test_strata_leave_loss_and_gradient_as_they_are_over_all_masks(member: int) -> None:
    dim, rate = 4, RATES[member].item()
    x = Uniform(-1.0, 1.0, dim=dim).sample(9, generator=0)
    net = MLPEnsemble((dim, 6, 1), seeds=[3], dtype=torch.float64)
    dropped = dim - all_masks(dim).sum(dim=1)
    plain = rate ** dropped.double() * (1 - rate) ** (dim - dropped.double())
    chance, weight = (of_rate[member] for of_rate in strata(RATES, dim))
    ways = torch.tensor([math.comb(dim, n) for n in range(dim + 1)])
    by_strata = (chance * weight / ways)[dropped]
    wanted = loss_and_gradient(net, rate, x, x.prod(dim=1), plain)
    found = loss_and_gradient(net, rate, x, x.prod(dim=1), by_strata)
    torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


def test_strata_are_drawn_by_their_chances_with_weights_of_two_at_most() -> None:
    chance, weight = strata(RATES, 5)
    torch.testing.assert_close(chance.sum(dim=1), torch.ones(3).double())
    assert weight.min() >= 0
    assert weight.max() <= 2
    # Over starts that cover [0, 1) evenly.
    rows, starts = 7, (torch.arange(2000).double() + 0.5) / 2000
    drawn = torch.stack([numbers_dropped(chance, rows, s.expand(3, 1)) for s in starts])
    for n in range(6):
        share = (drawn == n).double().mean(dim=(0, 2))
        torch.testing.assert_close(share, chance[:, n], rtol=0, atol=1e-3)
    # In every batch, but for one row.
    once = (drawn == 0).sum(dim=2) - rows * chance[:, 0]
    assert once.abs().max() < 1


def test_masks_that_drop_as_many_inputs_are_all_alike_likely() -> None:
    orders = torch.tensor(list(itertools.permutations([0.1, 0.4, 0.5, 0.9])))[None]
    for n in range(5):
        kept = kept_of(orders, torch.full((1, 24), n))[0]
        masks, counts = kept.unique(dim=0, return_counts=True)
        assert (masks.sum(dim=1) == 4 - n).all()
        assert counts.tolist() == [24 / math.comb(4, n)] * math.comb(4, n)


def step_of(members: int, rate: float, kind: str, *, by_importance: bool, expected: bool):
    """The gradient of every member at the same weights, as one step of SGD takes it, [E, P].

    Also that of the loss averaged over all points and masks. The target is a product on ±1.
    """
    inputs, target = Rademacher(dim=2), Product((0, 1))
    mean = best_predictor(target, 0.0, inputs)
    net = MLPEnsemble(
        (2, 5, 1),
        seeds=range(members),
        dropout=Dropout(inputs=rate, kind=kind),
        dtype=torch.float64,
    )
    net.flat.data.copy_(net.flat[:1].detach().expand_as(net.flat))
    one = net.select([0]).train()
    masks, points = all_masks(2), all_masks(2) * 2.0 - 1
    scale = one.train_scale[0, 0]
    shown = (points * masks[:, None] * scale).double()
    plain = MLPEnsemble((2, 5, 1), seeds=[0], dtype=torch.float64)
    error = plain.outputs(shown.flatten(0, 1))[0, :, 0].view(4, 4) - target(points)
    kept = masks.sum(dim=1).double()
    loss = ((1 - rate) ** kept * rate ** (2 - kept)) @ error.square().mean(dim=1)
    wanted = torch.autograd.grad(loss, plain.flat)[0][0]
    stream = MaskedStream(
        inputs,
        (lambda x, kept: mean(x * kept)) if expected else (lambda x, kept: target(x)),
        256,
        by_importance=by_importance,
    )
    before = net.flat.detach().clone()
    fit(net, stream, steps=1, optimizer="sgd", learning_rate=1.0)
    return before - net.flat.detach(), wanted


@pytest.mark.parametrize("kind", ["inverted", "classic"])
@pytest.mark.parametrize("by_importance", [False, True])
@pytest.mark.parametrize("expected", [False, True])
def test_steps_are_dropouts_own_on_average(kind: str, by_importance: bool, expected: bool) -> None:
    found, wanted = step_of(400, 0.75, kind, by_importance=by_importance, expected=expected)
    assert wanted.abs().max() > 0.1
    error = found.std(dim=0) / 20
    assert ((found.mean(dim=0) - wanted).abs() <= 4 * error + 1e-12).all()


def test_batches_do_not_depend_on_neighbours() -> None:
    net = MLPEnsemble((3, 1), seeds=[5, 6, 7], dropout=[Dropout(inputs=r) for r in (0.1, 0.5, 0)])
    stream = MaskedStream(Uniform(-1.0, 1.0, dim=3), lambda x, kept: x[:, 0], 40, True)
    whole = list(stream.feed(net).batches([0, 1, 2], 2))
    alone = list(stream.feed(net).batches([1], 2))
    for all_members, one in zip(whole, alone, strict=True):
        for found, wanted in zip(one, all_members, strict=True):
            assert torch.equal(found[0], wanted[1])


def test_what_cannot_be_trained_is_refused() -> None:
    stream = MaskedStream(Uniform(-1.0, 1.0, dim=2), lambda x, kept: x[:, 0], 4)
    net = MLPEnsemble((2, 1), seeds=[0])
    with pytest.raises(ValueError, match="input noise comes before masks"):
        fit(net, stream, steps=1, input_noise=0.1)
    with pytest.raises(ValueError, match="batch_size must be positive"):
        MaskedStream(Uniform(-1.0, 1.0, dim=2), lambda x, kept: x[:, 0], 0)
