"""Gradients written out are those of automatic differentiation."""

from __future__ import annotations

import pytest
import torch

from interactions.networks.gradients import Network, Scratch, backward, forward

X = torch.randn(40, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_written_out_gradients_are_those_of_automatic_differentiation(activation) -> None:
    g = torch.Generator().manual_seed(1)
    shapes = [(4, 8), (8, 20), (20, 3)]
    layers = [
        (torch.randn(2, i, o, generator=g).double(), torch.randn(2, 1, o, generator=g).double())
        for i, o in shapes
    ]
    scales = [None, torch.tensor([[[1.5]], [[1.0]]], dtype=torch.float64), None]
    drawn = [None, (torch.rand(2, 40, 8, generator=g) < 0.7).double(), None]
    ours = [(torch.empty_like(w), torch.empty_like(b)) for w, b in layers]
    network, scratch = Network(layers, scales, activation), Scratch()
    passed = forward(X, network, scratch, lambda layer: drawn[layer])
    backward(passed.outputs.clone(), passed, network, ours, scratch)
    own = [(w.clone().requires_grad_(), b.clone().requires_grad_()) for w, b in layers]
    h = X
    for i, (weight, bias) in enumerate(own):
        h = getattr(torch, activation)(h) if i > 0 else h
        h = h * drawn[i] if drawn[i] is not None else h
        h = h @ (weight * (1.0 if scales[i] is None else scales[i])) + bias
    torch.testing.assert_close(passed.outputs, h.detach())
    wanted = torch.autograd.grad(h.square().sum() / 2, [t for pair in own for t in pair])
    for got, want in zip([t for pair in ours for t in pair], wanted, strict=True):
        torch.testing.assert_close(got, want)
