"""Forward and backward passes of a batch of networks, written out.

Automatic differentiation would keep and do more than is needed. Here one tensor per layer is
kept: its inputs, with dropped units set to 0. Dropout scales a layer's weights, not its inputs,
which comes to the same. The derivatives of ReLU and sigmoid follow from these inputs alone, and
are 0 where the inputs are, so dropped units need no further look; that of tanh needs the mask.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

Layers = Sequence[tuple[Tensor, Tensor]]
"""Weights [E, in, out] and biases [E, 1, out] of every layer, or their gradients."""
ACTIVATE = {"relu": torch.relu_, "tanh": torch.tanh_, "sigmoid": torch.sigmoid_}
FEW = 16
"""Columns of a product below which it pays to compute its transpose."""


@dataclass(frozen=True)
class Network:
    """What a pass needs to know of a batch of E networks.

    Attributes
    ----------
    layers : weights [E, in, out] and biases [E, 1, out] of every layer
    scales : tensor [E, 1, 1] or None, for every layer
        What the layer's inputs are multiplied by; None stands for 1.
    activation : "relu", "tanh" or "sigmoid"
    """

    layers: Layers
    scales: Sequence[Tensor | None]
    activation: str


class Pass(NamedTuple):
    """What a forward pass leaves behind, for the loss and for the backward pass.

    Attributes
    ----------
    outputs : tensor [E, n, outputs]
    inputs : tensor [E, n, in], for every layer
        What the layer was given, with dropped units set to 0, before the scale.
    masks : tensor [E, n, in] of 0 and 1 or None, for every layer
        What the layer's inputs were multiplied by; None where nothing was dropped.
    """

    outputs: Tensor
    inputs: list[Tensor]
    masks: list[Tensor | None]


class Scratch:
    """Memory, by name, for tensors that are written anew at every step.

    The tensor that a name gives is good until the name is asked for again. New memory at every
    step would cost more than the arithmetic, because the system clears its pages first.
    """

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
    network: Network,
    scratch: Scratch,
    draw: Callable[[int], Tensor | None] | None = None,
    *,
    keep: bool = True,
) -> Pass:
    """Send points [n, d], or each network's own [E, n, d], through a batch of networks.

    Parameters
    ----------
    draw : callable, optional
        `draw(layer)` gives the mask of the layer's inputs, or None to drop none of them. Nothing
        is dropped without it.
    keep : bool
        False saves memory by writing the inputs of one layer over those of another: then only
        the outputs may be used, and no backward pass can follow.
    """
    layers = network.layers
    members = len(layers[0][0])
    h = x.expand(members, -1, -1)
    inputs, masks = [], []
    for i, ((weight, bias), scale) in enumerate(zip(layers, network.scales, strict=True)):
        if i > 0:
            ACTIVATE[network.activation](h)
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
    return Pass(h, inputs, masks)


def backward(
    derivative: Tensor, passed: Pass, network: Network, gradients: Layers, scratch: Scratch
) -> None:
    """Write the loss's gradients by weights and biases to `gradients`.

    Parameters
    ----------
    derivative : tensor [E, n, outputs]
        Of the loss by the outputs.
    passed : what `forward` gave, with `keep`
    gradients : as `network.layers`; overwritten
    """
    aten = torch.ops.aten
    d = derivative
    for i in reversed(range(len(network.layers))):
        weight, scale, h = network.layers[i][0], network.scales[i], passed.inputs[i]
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
        if network.activation == "relu":
            aten.threshold_backward.grad_input(d, h, 0, grad_input=d)
        elif network.activation == "sigmoid":
            aten.sigmoid_backward.grad_input(d, h, grad_input=d)
        else:
            if passed.masks[i] is not None:
                d.mul_(passed.masks[i])
            aten.tanh_backward.grad_input(d, h, grad_input=d)
