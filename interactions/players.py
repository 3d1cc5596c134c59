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
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from pandas.api.types import is_numeric_dtype
from torch import Tensor, nn

from .inputs import Bernoulli
from .inputs.groups import players as columns_of
from .models import as_function

ALWAYS = -1
"""Label of what is always present."""
Baseline: TypeAlias = float | np.ndarray | Tensor | pd.DataFrame | Callable[[Tensor, Tensor], Any]
Players = Tensor | np.ndarray | Sequence[Sequence[int]] | Mapping[str, Sequence[Any]]


def masking(
    model: Callable[..., Any],
    x: Tensor | np.ndarray | pd.DataFrame,
    *,
    players: Players | None = None,
    baseline: Baseline = 0.0,
    keep: float | Sequence[float] = 0.5,
    names: Sequence[str] | None = None,
) -> tuple[nn.Module, Bernoulli]:
    """A model's answer to one input as a function of which of its players are present.

    Up to 16 players are measured on a grid of all 2^16 subsets, exactly, as far as
    `order_spectrum` has the memory (for hundreds of outputs memory=2**30); more by sampling.

    Parameters
    ----------
    model : torch module, callable or estimator
        Maps a batch [n, *shape of x] to [n] or [n, m]. A module must be in eval mode.
    x : tensor, array or data frame
        One input, without the axis of a batch, or one row of a table. Of a module that has
        parameters it is taken to their device. The model is given tensors, or arrays or frames
        where `x` is one.
    players : integer array, or list of index groups, optional
        Labels 0, 1, .. of every element of `x`, -1 where it is always present, in a shape that
        broadcasts to that of `x` (`patches`, superpixels, `tokens`); or for every player the
        places it holds in the flattened `x`, those in none always present. Default: every element
        is a player. For a row of a table a dict of columns by name, {"address": ["street",
        "town"]}; the others are players of their own.
    baseline : number, array, data frame or callable
        What stands where a player is absent: one value, or one for each element of `x`. Token ids
        are replaced by that of the mask token. For a row of a table it is another row. A callable
        builds the batch itself: it is given `x` and `present` [n, *shape of x], True or False, and
        returns what the model is called with, a tensor, a tuple of arguments or a dict of named
        ones (`unattended`); or an iterator over parts of the batch, the numbers of their rows and
        what the model is called with for these (`taken_out`).
    keep : float or sequence of floats
        Probability that a player is present, inside of (0, 1): one for all or one for each.
    names : sequence of str, optional
        Of the players. Default: those of the columns of a table.

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
    if not callable(model) and not hasattr(model, "predict"):
        raise TypeError(f"model must be callable or an estimator, got {type(model).__name__}")
    model = as_function(model)
    if isinstance(x, pd.DataFrame):
        row = _Row(x, baseline)
        called, members = columns_of(players, [*x.columns], x.shape[1])
        inputs = _present(keep, called if names is None else names, len(members), "another row")
        return Masked(model, torch.arange(x.shape[1]), _labels(members, x.shape[1:]), row), inputs
    if not isinstance(x, (Tensor, np.ndarray)):
        raise TypeError(f"x must be one input, a tensor or an array; got {type(x).__name__}")
    own = [*model.parameters()] if isinstance(model, nn.Module) else []
    one = torch.as_tensor(x).detach()
    if own:
        floating = one.is_floating_point() and own[0].is_floating_point()
        one = one.to(own[0].device, own[0].dtype if floating else None)
    labels = _labels(players, tuple(one.shape))
    absent = baseline if callable(baseline) else _filler(baseline, one)
    arrays = not own and isinstance(x, np.ndarray)
    function = Masked(model, one, labels.to(one.device), absent, arrays=arrays)
    return function, _present(keep, names, int(labels.max()) + 1, _called(baseline))


def _present(
    keep: float | Sequence[float], names: Sequence[str] | None, count: int, baseline: str
) -> Bernoulli:
    """Which players are present, as a distribution that says what its answers depend on."""
    if np.size(keep) not in (1, count):
        raise ValueError(f"keep has {np.size(keep)} probabilities for {count} players")
    own = np.asarray(keep, dtype=float)
    low, high = f"{own.min():g}", f"{own.max():g}"
    often = f"probability {low}" if low == high else f"probabilities from {low} to {high}"
    caveat = (
        f"for one input, players present with {often}, absent ones replaced by {baseline}: "
        "the answer depends on both"
    )
    return Bernoulli(keep, dim=count, names=names, caveat=caveat)


class Masked(nn.Module):
    """A model as a function of its players: see `masking`."""

    def __init__(
        self,
        model: Callable[..., Any],
        x: Tensor,
        labels: Tensor,
        absent: Tensor | Callable[[Tensor, Tensor], Any],
        *,
        arrays: bool = False,
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
        if not callable(self.absent):
            batch = torch.where(present, self.x, self.absent)
            return self._answer(batch.numpy() if self.arrays else batch)
        batch = self.absent(self.x, present)
        if not isinstance(batch, Iterator):
            return self._answer(batch)
        rows, parts = zip(*((rows, self._answer(part)) for rows, part in batch), strict=True)
        return torch.cat([*map(torch.as_tensor, parts)])[torch.cat(rows).argsort()]

    def _answer(self, batch: Any) -> Any:
        if isinstance(batch, Mapping):
            return self.model(**batch)
        return self.model(*batch) if isinstance(batch, tuple) else self.model(batch)


def unattended(x: Tensor, present: Tensor) -> dict[str, Tensor]:
    """Arguments of a Hugging Face model by which absent tokens are not attended to.

    A `baseline` of `masking`, for token ids `x`. Positions stay as they are.
    """
    return {"input_ids": x.expand(present.shape), "attention_mask": present.long()}


def taken_out(x: Tensor, present: Tensor) -> Iterator[tuple[Tensor, dict[str, Tensor]]]:
    """Arguments of a Hugging Face model that is given only the tokens that are present.

    A `baseline` of `masking`, for token ids `x`. The others keep their positions, which begin at 0
    as BERT's do, so that the answer is that of `unattended` for half of the work: an encoder does
    not compute what is absent. Rows of as many tokens are a batch without padding.
    """
    counts = present.sum(dim=1)
    if not counts.all():
        raise ValueError(
            "no token is left where all are absent: let some always be present, "
            "tokens(ids, always=tokenizer.all_special_ids)"
        )
    for count in counts.unique():
        rows = torch.nonzero(counts == count)[:, 0]
        places = present[rows].nonzero()[:, 1].reshape(len(rows), -1)
        yield rows, {"input_ids": x[places], "position_ids": places}


class _Row:
    """Builds data frames of a row of a table and of the one that stands where it is absent."""

    def __init__(self, x: pd.DataFrame, baseline: object) -> None:
        if not isinstance(baseline, pd.DataFrame):
            raise TypeError(
                "for a row of a table the baseline must be another row, a data frame as "
                f"frame.iloc[[0]]; got {type(baseline).__name__}"
            )
        if len(x) != 1 or len(baseline) != 1:
            raise ValueError(
                f"x and the baseline must be one row each, as frame.iloc[[0]]; they have {len(x)} "
                f"and {len(baseline)}"
            )
        missing = [column for column in x if column not in baseline]
        if missing:
            raise ValueError(f"the baseline lacks columns {missing}")
        self.both = pd.concat([baseline[[*x.columns]], x], ignore_index=True)
        # Numbers of two types are numbers together; others would be objects that are neither.
        other = [
            c
            for c in x
            if self.both[c].dtype != x[c].dtype and not is_numeric_dtype(self.both[c].dtype)
        ]
        if other:
            raise TypeError(
                f"columns {other} have other types in the baseline than in x, as categories of "
                "another list: take both from one frame"
            )

    def __call__(self, x: Tensor, present: Tensor) -> pd.DataFrame:
        rows = present.long().cpu().numpy()
        columns = [self.both.iloc[rows[:, j], j].reset_index(drop=True) for j in x.tolist()]
        return pd.concat(columns, axis=1)


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


def _called(baseline: object) -> str:
    """What the result says absent players were replaced by."""
    if callable(baseline):
        return getattr(baseline, "__name__", type(baseline).__name__)
    return f"{np.asarray(baseline).item():g}" if np.size(baseline) == 1 else "an array"
