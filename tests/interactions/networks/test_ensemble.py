"""A batch of networks equals a loop over plain ones."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from interactions import Dropout, MLPEnsemble
from interactions.dropout import ClassicDropout
from interactions.networks import ACTIVATIONS, group_by_shape

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


@pytest.mark.parametrize("activation", list(ACTIVATIONS))
@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_members_and_plain_modules_are_the_same_networks(activation, kind) -> None:
    drops = [Dropout(0.25, (0.1, 0.5), kind), Dropout(kind=kind), Dropout(0.0, (0.0, 0.3), kind)]
    net = MLPEnsemble(
        (4, 8, 5, 2), seeds=[3, 1, 2], dropout=drops, activation=activation, dtype=torch.float64
    )
    modules = [net.member(i) for i in range(3)]
    assert all(m.training for m in modules)
    back = MLPEnsemble.from_modules(modules, seeds=net.seeds)
    assert back.training
    assert torch.equal(back.flat, net.flat)
    assert (back.sizes, back.activation, back.seeds) == (net.sizes, net.activation, net.seeds)
    for i, module in enumerate(modules):
        assert isinstance(module, nn.Sequential)
        assert back.dropout[i].rates(2) == net.dropout[i].rates(2)
        torch.testing.assert_close(
            module.eval()(X), net.eval().outputs(X)[i], rtol=1e-12, atol=1e-12
        )
        torch.testing.assert_close(back.eval()(X), net(X), rtol=1e-12, atol=1e-12)
    with torch.no_grad():
        modules[0][-1].weight.zero_()
    assert net.flat.norm(dim=1).min() == back.flat.norm(dim=1).min()


@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_dropout_of_plain_modules_has_the_rate_and_the_scale_of_the_members(kind) -> None:
    net = MLPEnsemble((4, 1), seeds=[0], dropout=Dropout(0.25, kind=kind))
    drop = net.member(0)[0]
    ones = torch.ones(100_000)
    kept = drop(ones)
    scale = {"inverted": 1 / 0.75, "classic": 1.0}[kind]
    assert set(kept.unique().tolist()) == {0.0, torch.tensor(scale).item()}
    assert abs((kept > 0).float().mean() - 0.75) < 4.5 * (0.25 * 0.75 / 100_000) ** 0.5
    torch.testing.assert_close(drop.eval()(ones), ones * KEEP[kind])


def test_any_plain_networks_of_one_shape_can_be_gathered() -> None:
    modules = [
        nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(p), nn.Linear(6, 3)).double().eval()
        for p in (0.0, 0.5)
    ]
    net = MLPEnsemble.from_modules(modules)
    assert not net.training
    assert net.seeds == (0, 1)
    expected = torch.cat([m(X) for m in modules], dim=1)
    torch.testing.assert_close(net(X), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    ("modules", "message"),
    [
        ([], "at least one"),
        ([nn.Linear(4, 1)], "needs torch.nn.Sequential networks, got Linear"),
        ([nn.Sequential(nn.Linear(4, 1, bias=False))], "cannot place Linear"),
        ([nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 1))], "cannot place Linear"),
        ([nn.Sequential(nn.Linear(4, 3), nn.GELU(), nn.Linear(3, 1))], "cannot place GELU"),
        (
            [nn.Sequential(nn.Linear(4, 3), nn.Dropout(0.5), nn.Sigmoid(), nn.Linear(3, 1))],
            "cannot place Dropout",
        ),
        ([nn.Sequential(nn.Linear(4, 1), nn.Sigmoid())], "end with a Linear"),
        ([nn.Sequential(nn.Dropout(0.5))], "end with a Linear"),
        ([nn.Sequential(nn.Linear(4, n)) for n in (1, 2)], "differ in shape"),
        (
            [
                nn.Sequential(
                    nn.Dropout(0.1),
                    nn.Linear(4, 3),
                    nn.ReLU(),
                    ClassicDropout(0.1),
                    nn.Linear(3, 1),
                )
            ],
            "mixes",
        ),
    ],
)
def test_other_modules_are_refused(modules, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MLPEnsemble.from_modules(modules)


def test_networks_of_one_shape_are_grouped() -> None:
    shapes = [(4, 8, 1), (4, 8, 8, 1), [4, 8, 1]]
    assert group_by_shape(shapes) == {(4, 8, 1): [0, 2], (4, 8, 8, 1): [1]}


def test_snapshots_may_be_stacked() -> None:
    net = MLPEnsemble((4, 8, 1), seeds=[0, 1], dropout=Dropout(0.5, kind="classic"))
    stacked = net.with_parameters(torch.stack([net.flat, 2 * net.flat]))
    x = X.float()
    expected = torch.cat([net.with_parameters(k * net.flat)(x) for k in (1, 2)], dim=1)
    torch.testing.assert_close(stacked(x), expected)
    with pytest.raises(ValueError, match="needs parameters"):
        net.with_parameters(net.flat[:1])


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
