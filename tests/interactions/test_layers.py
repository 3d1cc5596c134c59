"""Splitting a network at a layer changes nothing it computes."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from interactions import Empirical, order_spectrum
from interactions.layers import from_layer

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
