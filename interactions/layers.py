"""A network from one of its hidden layers on: hidden units as inputs."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from .inputs import Empirical


def from_layer(
    module: nn.Module, layer: str, x: Tensor
) -> tuple[Callable[[Tensor], Tensor], Empirical]:
    """Split a network at a layer: the map from that layer's units to the output.

    Dropout acts on hidden units as on inputs, so the spectrum of this map is what activation
    dropout at the layer bears on. Its inputs are the units' activations under `x`, as the product
    of their marginals: real units are dependent, and the map may then meet combinations that
    never occur. Dead units are constant columns and carry no variance.

    Parameters
    ----------
    module : torch module in eval mode
    layer : str
        Name of a submodule as in `module.named_modules()`; its output is where the split is.
    x : tensor [n, ...]
        Points in the shape the module takes.

    Returns
    -------
    function, inputs
        For `order_spectrum`: `function` maps units [n, u] to the module's output, `inputs` is
        their Empirical distribution.
    """
    names = dict(module.named_modules())
    if layer not in names or layer == "":
        raise ValueError(f"no layer {layer!r}: choose from {[n for n in names if n]}")
    if any(m.training for m in module.modules()):
        raise ValueError("the module is in training mode: call its .eval() first")
    seen: list[Tensor] = []
    handle = names[layer].register_forward_hook(lambda _m, _i, out: seen.append(out.detach()))
    try:
        with torch.no_grad():
            module(x)
    finally:
        handle.remove()
    if len(seen) != 1:
        raise ValueError(f"layer {layer!r} runs {len(seen)} times in one pass; it must run once")
    shape = seen[0].shape[1:]
    one = x[:1]

    def function(units: Tensor) -> Tensor:
        values = units.to(seen[0]).unflatten(1, shape)
        hook = names[layer].register_forward_hook(lambda _m, _i, _out: values)
        try:
            with torch.no_grad():
                # What lies before the layer sees one point again and again, and is overruled.
                out = module(one.expand(len(units), *one.shape[1:]))
        finally:
            hook.remove()
        return out.flatten(1) if out.ndim > 2 else out

    return function, Empirical(seen[0].flatten(1))
