"""One input of a model, part by part: tokens, patches, columns, present or absent.

Each player is a part of the input that is there, or is replaced by a baseline. The model's answer
is then a function of independent present and absent players, and `order_spectrum` says which
orders of interaction among them carry its variance:

    function, inputs = masking(model, image, players=patches((28, 28), 4), baseline=0.0)
    print(order_spectrum(function, inputs))

What an absent part is replaced by and how often it is absent are part of the question: other
baselines and other probabilities have other spectra, and the result's `method` names them. At
probability 1/2 effects are those of the Walsh transform, at others of its biased form: O'Donnell,
*Analysis of Boolean Functions* (2014), chapters 1 and 8.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from .inputs import Bernoulli

ALWAYS = -1
"""Label of what is always present."""
Baseline = float | np.ndarray | Tensor | Callable[[Tensor, Tensor], Any]


def masking(
    model: Callable[..., Any],
    x: Tensor | np.ndarray,
    *,
    players: Tensor | np.ndarray | Sequence[Sequence[int]] | None = None,
    baseline: Baseline = 0.0,
    keep: float | Sequence[float] = 0.5,
    names: Sequence[str] | None = None,
) -> tuple[nn.Module, Bernoulli]:
    """A model's answer to one input as a function of which of its players are present.

    Up to 16 players are measured on a grid of all 2^16 subsets, exactly, as far as
    `order_spectrum` has the memory (for hundreds of outputs memory=2**30); more by sampling.

    Parameters
    ----------
    model : torch module or callable
        Maps a batch [n, *shape of x] to [n] or [n, m]. A module must be in eval mode.
    x : tensor or array
        One input, without the axis of a batch. Of a module that has parameters it is taken to
        their device. The model is given tensors, or arrays where `x` is one.
    players : integer array, or list of index groups, optional
        Labels 0, 1, .. of every element of `x`, -1 where it is always present, in a shape that
        broadcasts to that of `x` (`patches`, superpixels, `tokens`); or for every player the
        places it holds in the flattened `x`, those in none always present. Default: every element
        is a player.
    baseline : number, array or callable
        What stands where a player is absent: one value, or one for each element of `x`. Token ids
        are replaced by that of the mask token. A callable builds the batch itself: it is given
        `x` and `present` [n, *shape of x], True or False, and returns what the model is called
        with, a tensor, a tuple of arguments or a dict of named ones (`unattended`).
    keep : float or sequence of floats
        Probability that a player is present, inside of (0, 1): one for all or one for each.
    names : sequence of str, optional
        Of the players.

    Returns
    -------
    function, inputs
        For `order_spectrum`: `function` maps present and absent players, 1 and 0, [n, players],
        to the model's answers; `inputs` is their distribution, a `Bernoulli`.

    Raises
    ------
    ValueError
        For labels that are not 0, 1, .. or -1, overlapping or empty groups, a baseline that does
        not fit `x`, and probabilities outside of (0, 1).
    """
    if not callable(model):
        raise TypeError(f"model must be callable, got {type(model).__name__}")
    if not isinstance(x, (Tensor, np.ndarray)):
        raise TypeError(f"x must be one input, a tensor or an array; got {type(x).__name__}")
    own = [*model.parameters()] if isinstance(model, nn.Module) else []
    one = torch.as_tensor(x).detach()
    if own:
        floating = one.is_floating_point() and own[0].is_floating_point()
        one = one.to(own[0].device, own[0].dtype if floating else None)
    labels = _labels(players, tuple(one.shape))
    absent = baseline if callable(baseline) else _filler(baseline, one)
    count = int(labels.max()) + 1
    if np.size(keep) not in (1, count):
        raise ValueError(f"keep has {np.size(keep)} probabilities for {count} players")
    function = Masked(
        model, one, labels.to(one.device), absent, arrays=not own and isinstance(x, np.ndarray)
    )
    inputs = Bernoulli(
        keep, dim=count, names=names, caveat=_caveat(np.asarray(keep, dtype=float), baseline)
    )
    return function, inputs


class Masked(nn.Module):
    """A model as a function of its players: see `masking`."""

    def __init__(
        self,
        model: Callable[..., Any],
        x: Tensor,
        labels: Tensor,
        absent: Tensor | Callable[[Tensor, Tensor], Any],
        *,
        arrays: bool,
    ) -> None:
        super().__init__()
        self.model, self.x, self.labels, self.absent = model, x, labels, absent
        self.arrays = arrays
        # Not .eval(): whether the model is in training mode is the user's to know.
        self.training = False

    def forward(self, players: Tensor) -> Any:
        here = (players > 0.5).to(self.x.device)
        # The last column is that of label -1.
        here = torch.cat([here, torch.ones_like(here[:, :1])], dim=1)
        present = here[:, self.labels]
        if callable(self.absent):
            batch = self.absent(self.x, present)
        else:
            batch = torch.where(present, self.x, self.absent)
            batch = batch.numpy() if self.arrays else batch
        if isinstance(batch, Mapping):
            return self.model(**batch)
        return self.model(*batch) if isinstance(batch, tuple) else self.model(batch)


def unattended(x: Tensor, present: Tensor) -> dict[str, Tensor]:
    """Arguments of a Hugging Face model by which absent tokens are not attended to.

    A `baseline` of `masking`, for token ids `x`. Positions stay as they are.
    """
    return {"input_ids": x.expand(present.shape), "attention_mask": present.long()}


def patches(shape: tuple[int, int], size: int) -> Tensor:
    """Labels [height, width] of square patches of an image, row by row.

    `size` is a patch's side in pixels; those at the right and lower edge may be smaller.
    """
    if len(shape) != 2 or min(shape) < 1 or size < 1:
        raise ValueError(
            f"patches takes the height and width of an image and a patch's side in pixels, as in "
            f"patches((28, 28), 4); got {shape}, {size}"
        )
    down, right = (torch.arange(n) // size for n in shape)
    return down[:, None] * (int(right[-1]) + 1) + right


def tokens(ids: Tensor | Sequence[int], *, always: Collection[int] = ()) -> Tensor:
    """Labels [tokens] by which every token is a player but those with an id in `always`.

    Of a Hugging Face tokenizer, `always=tokenizer.all_special_ids`.
    """
    mine = ~torch.isin(torch.as_tensor(ids), torch.tensor([*always], dtype=torch.long))
    return torch.where(mine, mine.cumsum(dim=0) - 1, ALWAYS)


def _labels(players: object, shape: tuple[int, ...]) -> Tensor:
    """Label of every element of x, in its shape."""
    size = math.prod(shape)
    if players is None:
        labels = torch.arange(size).reshape(shape)
    elif isinstance(players, (Tensor, np.ndarray)):
        labels = torch.as_tensor(players).detach().cpu()
        if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
            raise TypeError(f"players must be integer labels, got an array of {labels.dtype}")
        try:
            labels = labels.long().expand(shape)
        except RuntimeError:
            raise ValueError(
                f"players of shape {tuple(labels.shape)} do not broadcast to the shape of x, "
                f"{shape}"
            ) from None
    else:
        labels = _labels_of_groups(players, size).reshape(shape)
    found = labels.unique().tolist()
    found = found[1:] if found and found[0] == ALWAYS else found
    if not found or found != [*range(len(found))]:
        raise ValueError(
            f"players must be labelled 0, 1, .. with none left out, and {ALWAYS} where x is always "
            f"present; got labels {found[:10]}"
        )
    return labels


def _labels_of_groups(groups: Iterable[Iterable[int]], size: int) -> Tensor:
    labels = torch.full((size,), ALWAYS)
    for player, group in enumerate(groups):
        places = torch.as_tensor([*group])
        if not len(places) or places.is_floating_point():
            raise ValueError(f"player {player} must hold places of x, got {group!r}")
        if places.min() < 0 or places.max() >= size:
            raise ValueError(
                f"player {player} holds places outside of x, which has {size} elements: "
                f"{places.tolist()}"
            )
        if (labels[places] != ALWAYS).any():
            raise ValueError(f"player {player} holds a place that another player holds")
        labels[places] = player
    return labels


def _filler(baseline: object, x: Tensor) -> Tensor:
    """The baseline in the type of x, in a shape that broadcasts to that of x."""
    value = torch.as_tensor(baseline).detach()
    own = value.to(x.device, x.dtype)
    if not x.is_floating_point() and (own != value.to(x.device)).any():
        raise ValueError(
            f"x holds whole numbers, {x.dtype}, and so must the baseline; got {baseline!r}"
        )
    try:
        own.expand(x.shape)
    except RuntimeError:
        raise ValueError(
            f"the baseline of shape {tuple(own.shape)} does not broadcast to the shape of x, "
            f"{tuple(x.shape)}"
        ) from None
    return own


def _caveat(keep: np.ndarray, baseline: object) -> str:
    """What the result says of its question."""
    low, high = f"{keep.min():g}", f"{keep.max():g}"
    often = f"probability {low}" if low == high else f"probabilities from {low} to {high}"
    if callable(baseline):
        what = getattr(baseline, "__name__", type(baseline).__name__)
    else:
        what = f"{np.asarray(baseline).item():g}" if np.size(baseline) == 1 else "an array"
    return (
        f"for one input, players present with {often}, absent ones replaced by {what}: "
        "the answer depends on both"
    )
