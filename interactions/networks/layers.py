"""A network from one of its hidden layers on: hidden units as inputs."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..dropout import Dropout
from ..inputs import Empirical
from .ensemble import ACTIVATIONS, MLPEnsemble


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


def split_ensemble(ensemble: MLPEnsemble, layer: int, x: Tensor) -> tuple[MLPEnsemble, Tensor]:
    """Split every member of an ensemble at a hidden layer, as `from_layer` splits one module.

    Parameters
    ----------
    layer : int
        Which hidden layer, from 1; 0 stands for the inputs.
    x : tensor [n, d]
        Points.

    Returns
    -------
    tail, units
        An ensemble of the later layers, in eval mode, and what its members have as inputs under
        `x` [E, n, u]: activations before dropout. Each member's are its own, so each is measured
        by itself: `order_spectrum(tail.select([i]), Empirical(units[i]))`.
    """
    sizes = ensemble.sizes
    if not 0 <= layer <= len(sizes) - 2:
        raise ValueError(f"layer must lie between 0 and {len(sizes) - 2}, got {layer}")
    rates = [d.rates(len(sizes) - 2) for d in ensemble.dropout]
    kinds = [d.kind for d in ensemble.dropout]
    flat = ensemble.flat.detach()

    def part(of_sizes: tuple[int, ...], first: int, parameters: slice) -> MLPEnsemble:
        last = first + len(of_sizes) - 1
        own = [
            Dropout(r[first], r[first + 1 : last] or 0.0, kind)
            for r, kind in zip(rates, kinds, strict=True)
        ]
        shape = MLPEnsemble(
            of_sizes,
            seeds=ensemble.seeds,
            dropout=own,
            activation=ensemble.activation,
            dtype=flat.dtype,
            device=flat.device,
        )
        return shape.with_parameters(flat[:, parameters])

    later = sum((a + 1) * b for a, b in itertools.pairwise(sizes[layer:]))
    tail = part(sizes[layer:], layer, slice(flat.shape[1] - later, None))
    if layer == 0:
        return tail, x.to(flat).expand(ensemble.members, -1, -1)
    head = part(sizes[: layer + 1], 0, slice(flat.shape[1] - later))
    with torch.no_grad():
        return tail, ACTIVATIONS[ensemble.activation](head.outputs(x.to(flat)))
