"""Splitting a network at a layer changes nothing it computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from interactions import Dropout, Empirical, MLPEnsemble, order_spectrum
from interactions.networks.layers import from_layer, split_ensemble

torch.manual_seed(0)
NET = nn.Sequential(
    nn.Linear(6, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 5), nn.ReLU(), nn.Linear(5, 2)
).eval()
X = torch.randn(300, 6)


@pytest.mark.parametrize("layer", ["0", "1", "2", "4"])
def test_the_upper_part_at_the_layers_own_units_is_the_network(layer: str) -> None:
    function, inputs = from_layer(NET, layer, X)
    units = NET[: int(layer) + 1](X)
    assert isinstance(inputs, Empirical)
    assert inputs.dim == units.shape[1]
    torch.testing.assert_close(function(units.detach()), NET(X).detach())
    torch.testing.assert_close(function(units.detach().double()), NET(X).detach())


def test_the_last_linear_layer_is_all_main_effects_and_dead_units_carry_none() -> None:
    function, inputs = from_layer(NET, "4", X)
    s = order_spectrum(function, inputs, max_order=2, method="exact")
    assert s.share[:, 0].min() > 1 - 1e-6
    dead = nn.Sequential(nn.Linear(6, 4), nn.ReLU(), nn.Linear(4, 1)).eval()
    with torch.no_grad():
        dead[0].bias[1] = -1e3
    function, inputs = from_layer(dead, "1", X)
    assert inputs.support_sizes[1] == 1
    s = order_spectrum(lambda u: function(u)[:, 0], inputs, max_order=1, method="kernel")
    assert abs(s.share[0] - 1) < 4 * s.share_standard_error[0] + 1e-3


def test_hooks_are_removed() -> None:
    before = NET(X)
    function, _ = from_layer(NET, "1", X)
    function(torch.zeros(3, 8))
    assert torch.equal(NET(X), before)
    assert not NET[1]._forward_hooks


def test_images_are_flattened_and_put_back() -> None:
    net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(72, 3)).eval()
    images = torch.randn(20, 1, 8, 8)
    function, inputs = from_layer(net, "1", images)
    assert inputs.dim == 72
    torch.testing.assert_close(function(net[:2](images).detach().flatten(1)), net(images).detach())


def test_unknown_layers_and_training_mode_are_refused() -> None:
    with pytest.raises(ValueError, match=r"no layer 'top'.*'0', '1'"):
        from_layer(NET, "top", X)
    with pytest.raises(ValueError, match="training mode"):
        from_layer(nn.Sequential(nn.Linear(6, 1)), "0", X)
    shared = nn.ReLU()
    twice = nn.Sequential(nn.Linear(6, 6), shared, nn.Linear(6, 6), shared).eval()
    with pytest.raises(ValueError, match="runs 2 times"):
        from_layer(twice, "1", X)


KINDS = {
    "inverted": Dropout(0.2, (0.5, 0.25)),
    "classic": Dropout(0.2, (0.5, 0.25), "classic"),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("layer", [0, 1, 2])
def test_an_ensemble_is_split_as_its_members_are(layer: int, kind: str) -> None:
    sizes = (6, 8, 5, 2)
    ensemble = MLPEnsemble(sizes, seeds=[0, 1], dropout=[KINDS[kind], Dropout()], init="torch")
    ensemble.eval()
    tail, units = split_ensemble(ensemble, layer, X)
    assert tail.sizes == sizes[layer:]
    assert units.shape == (2, 300, sizes[layer])
    with torch.no_grad():
        torch.testing.assert_close(tail.outputs(units), ensemble.outputs(X))
    for i in range(2 if layer else 0):
        member = ensemble.member(i)
        names = [name for name, m in member.named_modules() if isinstance(m, nn.ReLU)]
        function, inputs = from_layer(member, names[layer - 1], X)
        torch.testing.assert_close(tail.select([i])(units[i]), function(units[i]))
        torch.testing.assert_close(
            torch.as_tensor(Empirical(units[i]).support(0)[0]),
            torch.as_tensor(inputs.support(0)[0]),
        )


@pytest.mark.parametrize("layer", [-1, 2])
def test_an_ensemble_has_no_layer_beyond_its_hidden_ones(layer: int) -> None:
    with pytest.raises(ValueError, match="layer must lie between 0 and 1"):
        split_ensemble(MLPEnsemble((6, 8, 1), seeds=[0]), layer, X)
