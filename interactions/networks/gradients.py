"""Forward and backward passes of a batch of networks, written out.

Saves what automatic differentiation would keep and do beside: one tensor per layer is kept, the
activations with dropped units set to 0. Dropout scales a layer's weights, not its inputs, which
comes to the same. Of ReLU and sigmoid the derivative follows from these activations alone, and
vanishes where they are 0, so dropped units need no further look.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Layers = Sequence[tuple[Tensor, Tensor]]

ACTIVATE = {"relu": torch.relu_, "tanh": torch.tanh_, "sigmoid": torch.sigmoid_}
FEW = 16
"""Columns of a product below which it pays to compute its transpose."""


class Scratch:
    """Memory for tensors that every step writes anew, by name: fresh pages cost more than sums."""

    def __init__(self) -> None:
        self._memory: dict[str, Tensor] = {}
        self._views: dict[str, Tensor] = {}

    def __call__(self, name: str, *shape: int, like: Tensor) -> Tensor:
        """Uninitialised tensor of a shape, with the dtype and on the device of `like`."""
        view = self._views.get(name)
        if view is None or view.shape != shape or view.dtype != like.dtype:
            size = math.prod(shape)
            memory = self._memory.get(name)
            if memory is None or memory.numel() < size or memory.dtype != like.dtype:
                memory = self._memory[name] = torch.empty(
                    size, dtype=like.dtype, device=like.device
                )
            view = self._views[name] = memory[:size].view(shape)
        return view


def forward(
    x: Tensor,
    layers: Layers,
    scales: Sequence[Tensor | None],
    activation: str,
    scratch: Scratch,
    draw: Callable[[int], Tensor | None] | None = None,
    *,
    keep: bool = True,
) -> tuple[Tensor, list[Tensor], list[Tensor | None]]:
    """Outputs [E, n, c], inputs of every layer, and masks, for points [n, d] or [E, n, d].

    `layers` are weights [E, in, out] and biases [E, 1, out], `scales` [E, 1, 1] what each layer's
    inputs are multiplied by; `draw(layer)` gives a mask of 0 and 1 for the inputs of a layer.
    Without `keep` only the outputs are good.
    """
    members = len(layers[0][0])
    h = x.expand(members, -1, -1)
    inputs, masks = [], []
    for i, ((weight, bias), scale) in enumerate(zip(layers, scales, strict=True)):
        if i > 0:
            ACTIVATE[activation](h)
        mask = None if draw is None else draw(i)
        if mask is not None:
            # The points are not ours to write to.
            out = scratch("x", *h.shape, like=bias) if i == 0 else h
            h = torch.mul(h, mask, out=out)
        inputs.append(h)
        masks.append(mask)
        name = f"h{i}" if keep else f"eval{i % 2}"
        out = scratch(name, members, h.shape[1], weight.shape[2], like=bias)
        h = torch.bmm(h, weight if scale is None else weight * scale, out=out).add_(bias)
    return h, inputs, masks


def backward(
    derivative: Tensor,
    inputs: Sequence[Tensor],
    masks: Sequence[Tensor | None],
    gradients: Layers,
    layers: Layers,
    scales: Sequence[Tensor | None],
    activation: str,
    scratch: Scratch,
) -> None:
    """Write to `gradients`, by weights and biases, given the loss's derivative by the outputs.

    `inputs` and `masks` are what `forward` gave.
    """
    aten = torch.ops.aten
    d = derivative
    for i in reversed(range(len(layers))):
        weight, scale, h = layers[i][0], scales[i], inputs[i]
        if weight.shape[2] < FEW:
            by_weight = torch.bmm(d.transpose(1, 2), h).transpose(1, 2)
        else:
            by_weight = torch.bmm(h.transpose(1, 2), d)
        if scale is None:
            gradients[i][0].copy_(by_weight)
        else:
            torch.mul(by_weight, scale, out=gradients[i][0])
        torch.sum(d, dim=1, keepdim=True, out=gradients[i][1])
        if i == 0:
            return
        scaled = weight if scale is None else weight * scale
        d = torch.bmm(d, scaled.transpose(1, 2), out=scratch(f"d{i % 2}", *h.shape, like=h))
        if activation == "relu":
            aten.threshold_backward.grad_input(d, h, 0, grad_input=d)
        elif activation == "sigmoid":
            aten.sigmoid_backward.grad_input(d, h, grad_input=d)
        else:
            if masks[i] is not None:
                d.mul_(masks[i])
            aten.tanh_backward.grad_input(d, h, grad_input=d)
