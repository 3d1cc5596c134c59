"""Subnetworks: batched answers equal plain loops, and averages what theory says."""

from __future__ import annotations

import itertools

import pytest
import torch

from interactions import Dropout, MLPEnsemble
from interactions.networks.subnetworks import (
    every_mask,
    random_masks,
    subnetwork_answers,
    subnetwork_average,
)
from interactions.theory import masked

X = torch.linspace(-1, 1, 21, dtype=torch.float64).reshape(7, 3)


def networks(*hidden: int, kind: str = "inverted", activation: str = "relu") -> MLPEnsemble:
    """Two members of two rates with biases that matter."""
    rates = (0.3, 0.5)
    return MLPEnsemble(
        (3, *hidden, 2),
        seeds=[1, 2],
        dropout=[Dropout(hidden=r, kind=kind) for r in rates],
        activation=activation,
        init="torch",
        dtype=torch.float64,
    ).eval()


def looped_average(ensemble: MLPEnsemble, member: int) -> torch.Tensor:
    """Every subnetwork in turn, through the plain modules of a member."""
    linears = [m for m in ensemble.member(member) if isinstance(m, torch.nn.Linear)]
    rate = ensemble.dropout[member].hidden
    scale = 1 / (1 - rate) if ensemble.dropout[member].kind == "inverted" else 1.0
    widths = ensemble.sizes[1:-1]
    total, weights = 0, 0
    for kept in itertools.product((0.0, 1.0), repeat=sum(widths)):
        pieces = torch.tensor(kept, dtype=torch.float64).split(widths)
        h = linears[0](X)
        for linear, mask in zip(linears[1:], pieces, strict=True):
            h = linear(torch.relu(h) * mask * scale)
        chance = (1 - rate) ** sum(kept) * rate ** (len(kept) - sum(kept))
        total, weights = total + chance * h.detach(), weights + chance
    assert weights == pytest.approx(1)
    return total


@pytest.mark.parametrize("kind", ["inverted", "classic"])
@pytest.mark.parametrize("hidden", [(5,), (3, 4), (2, 3, 2)])
def test_the_average_is_that_of_a_plain_loop(hidden, kind, monkeypatch) -> None:
    ensemble = networks(*hidden, kind=kind)
    monkeypatch.setattr("interactions.networks.subnetworks.MEMORY", 2**13)  # several chunks
    average = subnetwork_average(ensemble, X)
    for i in range(2):
        torch.testing.assert_close(average[i], looped_average(ensemble, i), rtol=0, atol=1e-13)


@pytest.mark.parametrize("kind", ["inverted", "classic"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_the_scaled_network_is_the_average_with_one_hidden_layer_only(kind, activation) -> None:
    one, two = (networks(*h, kind=kind, activation=activation) for h in ((8,), (4, 4)))
    gaps = [(subnetwork_average(e, X) - e.outputs(X)).abs().max().item() for e in (one, two)]
    assert gaps[0] < 1e-14
    assert gaps[1] > 1e-4


def test_one_layer_is_what_theory_says_of_masked_inputs_of_the_rest() -> None:
    ensemble = networks(4, 3)
    for i in range(2):
        plain = ensemble.member(i)
        rate = ensemble.dropout[i].hidden
        # Averages over masks of one layer within an average over those of the other.
        rest = masked(plain[-1], rate, kind="inverted")
        nested = masked(lambda u, p=plain, r=rest: r(p[3:5](u)), rate, kind="inverted")
        assert isinstance(plain[3], torch.nn.Linear)
        with torch.no_grad():
            expected = nested(plain[:2](X))
        torch.testing.assert_close(subnetwork_average(ensemble, X)[i], expected)


def test_subnetworks_that_keep_all_or_nothing_are_what_they_should() -> None:
    ensemble = networks(3, 3, kind="classic")
    masks = torch.tensor([[True] * 6, [False] * 6])
    whole, empty = subnetwork_answers(ensemble, masks, X).unbind(dim=1)
    flat = ensemble.flat.detach()
    plain = MLPEnsemble(ensemble.sizes, seeds=[1, 2], dtype=torch.float64).with_parameters(flat)
    torch.testing.assert_close(whole, plain.outputs(X))
    last_bias = ensemble.layers()[-1][1]
    torch.testing.assert_close(empty, last_bias.expand_as(empty))


def test_random_masks_keep_units_as_often_as_training_does() -> None:
    ensemble = MLPEnsemble((3, 4, 2, 1), seeds=[0, 1], dropout=Dropout(hidden=(0.25, 0.0)))
    masks = random_masks(ensemble, 10_000, generator=torch.Generator().manual_seed(0))
    assert masks.shape == (2, 10_000, 6)
    kept = masks.double().mean(dim=1)
    assert (kept[:, :4] - 0.75).abs().max() < 0.02
    assert (kept[:, 4:] == 1).all()


def test_the_mean_of_random_subnetworks_tends_to_the_average() -> None:
    ensemble = networks(4, 4)
    masks = random_masks(ensemble, 20_000, generator=torch.Generator().manual_seed(0))
    answers = subnetwork_answers(ensemble, masks, X)
    error = answers.mean(dim=1) - subnetwork_average(ensemble, X)
    z = error / (answers.std(dim=1) / 20_000**0.5)
    assert z.abs().max() < 4.5


def test_what_cannot_be_enumerated_is_refused() -> None:
    assert every_mask(2).tolist() == [[False, False], [True, False], [False, True], [True, True]]
    with pytest.raises(ValueError, match="at most 16"):
        every_mask(17)
    with pytest.raises(ValueError, match="must not drop inputs"):
        subnetwork_average(MLPEnsemble((3, 2, 1), seeds=[0], dropout=Dropout(inputs=0.5)), X)
    with pytest.raises(ValueError, match="needs masks"):
        subnetwork_answers(networks(3), every_mask(4), X)
