"""A batch of networks equals a loop over plain ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from interactions import Dropout, MLPEnsemble
from interactions.networks import ACTIVATIONS

X = torch.randn(11, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
KEEP = {"inverted": 1.0, "classic": 0.75}


def plain(net: MLPEnsemble, member: int, x: Tensor) -> Tensor:
    """The answer of one member in eval mode by torch.nn.functional, one layer after another."""
    layers = net.layers()
    rates = net.dropout[member].rates(len(layers) - 1)
    for i, (weight, bias) in enumerate(layers):
        if net.dropout[member].kind == "classic":
            x = x * (1 - rates[i])
        x = nn.functional.linear(x, weight[member].T, bias[member, 0])
        if i < len(layers) - 1:
            x = ACTIVATIONS[net.activation](x)
    return x.squeeze(-1)


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("init", ["glorot_uniform", "torch"])
@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_an_ensemble_answers_as_its_members_one_by_one(activation, init, kind) -> None:
    net = MLPEnsemble(
        (4, 8, 5, 1),
        seeds=[3, 1, 2],
        dropout=Dropout(0.25, (0.1, 0.5), kind=kind),
        activation=activation,
        init=init,
        dtype=torch.float64,
    ).eval()
    assert net(X).shape == (11, 3)
    for member in range(3):
        torch.testing.assert_close(net(X)[:, member], plain(net, member, X), rtol=1e-12, atol=1e-12)
    own = torch.stack([X, 2 * X, -X])
    for member in range(3):
        torch.testing.assert_close(
            net.outputs(own)[member, :, 0], plain(net, member, own[member]), rtol=1e-12, atol=1e-12
        )


def test_weights_depend_on_the_members_own_seed_alone() -> None:
    alone, beside = MLPEnsemble((4, 8, 1), seeds=[5]), MLPEnsemble((4, 8, 1), seeds=[1, 5, 9])
    assert torch.equal(alone.flat[0], beside.flat[1])
    assert not torch.equal(beside.flat[0], beside.flat[1])


def test_initial_weights_have_the_stated_distributions() -> None:
    net = MLPEnsemble((40, 60, 1), seeds=range(20))
    (weight, bias), _ = net.layers()
    bound = (6 / 100) ** 0.5
    assert bias.abs().max() == 0
    assert weight.abs().max() <= bound
    assert weight.var().item() == pytest.approx(bound**2 / 3, rel=0.02)
    (weight, bias), _ = MLPEnsemble((40, 60, 1), seeds=range(20), init="torch").layers()
    assert bias.var().item() == pytest.approx(1 / 40 / 3, rel=0.1)
    assert weight.var().item() == pytest.approx(1 / 40 / 3, rel=0.02)


def test_select_and_with_parameters_copy_members() -> None:
    net = MLPEnsemble((4, 8, 1), seeds=[0, 1, 2], dropout=Dropout(0.5, kind="classic"))
    net.eval()
    x = X.float()
    torch.testing.assert_close(net.select([2, 0])(x), net(x)[:, [2, 0]])
    doubled = net.with_parameters(2 * net.flat)
    assert not doubled.training
    assert torch.equal(doubled.flat, 2 * net.flat)


def test_several_outputs_lie_side_by_side() -> None:
    net = MLPEnsemble((4, 8, 3), seeds=[0, 1]).eval()
    x = X.float()
    assert net(x).shape == (11, 6)
    torch.testing.assert_close(net(x)[:, 3:], net.outputs(x)[1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sizes": (4,), "seeds": [0]}, "inputs and outputs"),
        ({"sizes": (4, 0, 1), "seeds": [0]}, "positive"),
        ({"sizes": (4, 1), "seeds": []}, "at least one seed"),
        ({"sizes": (4, 1), "seeds": [0], "activation": "gelu"}, "activation must be one of"),
        ({"sizes": (4, 1), "seeds": [0], "init": "zeros"}, "init must be one of"),
        ({"sizes": (4, 1), "seeds": [0], "dropout": [Dropout()] * 2}, "2 dropouts"),
    ],
)
def test_bad_shapes_and_names_are_refused(arguments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPEnsemble(**arguments)
    with pytest.raises(ValueError, match=r"\[n, 4\]"):
        MLPEnsemble((4, 1), seeds=[0])(torch.zeros(3, 5))
