"""The networks that dropout of hidden units makes of one network, and their average.

A network with h hidden units has 2^h subnetworks, which share its weights: each keeps some of the
units, multiplied as in training. Dropout at rate r is said to train all of them and to average
them at test time (Hinton et al., arXiv:1207.0580), a subnetwork that keeps a units counting
(1-r)^a r^(h-a). The scaled network, which is what runs at test time, is that average where one
hidden layer and a linear output follow the dropout, for answers are then linear in the mask; with
more hidden layers it is an approximation.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .ensemble import ACTIVATIONS, MLPEnsemble

MOST_UNITS = 16
"""Hidden units of networks all of whose subnetworks are looked at: 65,536 of them."""
MEMORY = 2**27
"""Bytes of the activations held at once."""


def every_mask(units: int) -> Tensor:
    """All ways to keep some of the units, bool [2^units, units], True where kept.

    ValueError for more than 16 units.
    """
    if not 0 <= units <= MOST_UNITS:
        raise ValueError(f"all subnetworks of at most {MOST_UNITS} units, got {units}")
    return (torch.arange(2**units)[:, None] >> torch.arange(units)) % 2 == 1


def random_masks(ensemble: MLPEnsemble, count: int, *, generator: torch.Generator) -> Tensor:
    """Masks [E, count, h] as training draws them, of h hidden units, the first layer's first."""
    keep = 1 - _rates(ensemble)
    drawn = torch.rand(len(keep), count, keep.shape[1], generator=generator, dtype=keep.dtype)
    return drawn < keep[:, None]


def subnetwork_answers(ensemble: MLPEnsemble, masks: Tensor, x: Tensor) -> Tensor:
    """Answers [E, M, n, outputs] of M subnetworks of every member at points [n, d].

    Parameters
    ----------
    masks : bool tensor [M, h], or [E, M, h]
        True where a hidden unit is kept, the first layer's units first.
    """
    hidden = ensemble.sizes[1:-1]
    if masks.ndim not in (2, 3) or masks.shape[-1] != sum(hidden):
        raise ValueError(f"needs masks [.., {sum(hidden)}], got {list(masks.shape)}")
    activate = ACTIVATIONS[ensemble.activation]
    by_layer = masks.to(ensemble.flat).expand(ensemble.members, -1, -1).split(hidden, dim=-1)
    with torch.no_grad():
        (weight, bias), *others = ensemble.layers()
        h = torch.baddbmm(bias, x.to(ensemble.flat).expand(ensemble.members, -1, -1), weight)
        h = h[:, None]
        for i, (weight, bias) in enumerate(others):
            scaled = weight * ensemble.train_scale[:, i + 1, None, None]
            kept = activate(h) * by_layer[i][:, :, None]
            h = kept @ scaled[:, None] + bias[:, None]
    return h.expand(-1, masks.shape[-2], -1, -1)


def subnetwork_average(ensemble: MLPEnsemble, x: Tensor) -> Tensor:
    """Exact average [E, n, outputs] over all subnetworks, each by its probability in training.

    Of at most 16 hidden units; dropout of inputs is not averaged over, so must be 0.
    """
    rates = _rates(ensemble)
    every = every_mask(rates.shape[1])
    chances = torch.where(every, 1 - rates[:, None], rates[:, None]).prod(dim=-1)
    numbers = ensemble.members * len(x) * max(ensemble.sizes)
    rows = max(1, MEMORY // (2 * numbers * ensemble.flat.element_size()))
    total = torch.zeros((), dtype=ensemble.flat.dtype, device=ensemble.flat.device)
    for masks, weights in zip(every.split(rows), chances.split(rows, dim=1), strict=True):
        answers = subnetwork_answers(ensemble, masks, x)
        total = total + torch.einsum("em,emno->eno", weights.to(answers), answers)
    return total


def _rates(ensemble: MLPEnsemble) -> Tensor:
    """Drop rate [E, h] of every hidden unit, in float64."""
    rates = torch.as_tensor(ensemble.streams.rates, dtype=torch.float64)
    if (rates[:, 0] > 0).any():
        raise ValueError("subnetworks drop hidden units: the members must not drop inputs")
    return rates[:, 1:].repeat_interleave(torch.tensor(ensemble.sizes[1:-1]), dim=1)
