"""Many multilayer perceptrons as one batched module."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from .dropout import Dropout, MaskStreams

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
INITS = ("glorot_uniform", "torch")


def member_seed(seed: int, purpose: str) -> int:
    """A seed of a member's own for one purpose, so that streams never overlap."""
    words = [int(seed), *purpose.encode()]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0] >> 1)


class MLPEnsemble(nn.Module):
    """E networks of one shape, trained and evaluated together.

    All parameters live in one tensor `flat` [E, P], each member's in one row. Every member has
    its own seed, from which its weights and its masks are drawn; neither depends on its
    neighbours.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden widths, outputs; (25, 32, 32, 32, 1) has three hidden layers.
    seeds : sequence of int
        One per member. Members with one seed start from the same weights.
    dropout : Dropout or a sequence of one per member
    activation : "relu", "tanh" or "sigmoid"
    init : "glorot_uniform" (Keras: Glorot-uniform weights, zero biases) or "torch"
        (nn.Linear's: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)))
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        seeds: Sequence[int],
        dropout: Dropout | Sequence[Dropout] = Dropout(),  # noqa: B008 (frozen)
        activation: str = "relu",
        init: str = "glorot_uniform",
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
    ) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise ValueError(f"sizes must name inputs and outputs, all positive; got {sizes}")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {list(ACTIVATIONS)}, got {activation!r}")
        if init not in INITS:
            raise ValueError(f"init must be one of {list(INITS)}, got {init!r}")
        self.sizes = tuple(int(s) for s in sizes)
        self.seeds = tuple(int(s) for s in seeds)
        if not self.seeds:
            raise ValueError("an ensemble needs at least one seed")
        self.activation = activation
        per_member = [dropout] * len(seeds) if isinstance(dropout, Dropout) else list(dropout)
        if len(per_member) != len(self.seeds):
            raise ValueError(f"{len(per_member)} dropouts were given for {len(self.seeds)} seeds")
        self.dropout = tuple(per_member)
        rates = np.array([d.rates(len(sizes) - 2) for d in per_member])
        classic = np.array([d.kind == "classic" for d in per_member])
        start = torch.stack([_initial(self.sizes, s, init) for s in self.seeds])
        self.flat = nn.Parameter(start.to(device, dtype))
        # What kept values are multiplied by in training, and all values at test time.
        train_scale = np.where(classic[:, None], 1.0, 1 / (1 - rates))
        eval_scale = np.where(classic[:, None], 1 - rates, 1.0)
        self._scaled_in_eval = (eval_scale != 1).any(axis=0)
        self.register_buffer("train_scale", torch.as_tensor(train_scale).to(self.flat))
        self.register_buffer("eval_scale", torch.as_tensor(eval_scale).to(self.flat))
        self.streams = MaskStreams(
            rates, [member_seed(s, "masks") for s in self.seeds], self.flat.device
        )

    @property
    def members(self) -> int:
        return len(self.seeds)

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights [E, in, out] and biases [E, 1, out] of every layer, as views of `flat`."""
        shapes = list(zip(self.sizes[:-1], self.sizes[1:], strict=True))
        pieces = iter(self.flat.split([n for i, o in shapes for n in (i * o, o)], dim=1))
        return [(next(pieces).unflatten(1, s), next(pieces).unsqueeze(1)) for s in shapes]

    def outputs(self, x: Tensor) -> Tensor:
        """Answers [E, n, outputs] to points shared by all members, [n, d], or theirs, [E, n, d].

        In training mode every call draws fresh masks from the members' streams.
        """
        if x.shape[-1] != self.sizes[0] or x.ndim not in (2, 3):
            raise ValueError(f"needs points [n, {self.sizes[0]}], got {tuple(x.shape)}")
        h = x.expand(self.members, -1, -1)
        activate = ACTIVATIONS[self.activation]
        layers = self.layers()
        for i, (weight, bias) in enumerate(layers):
            h = torch.baddbmm(bias, self._drop(h, i), weight)
            if i < len(layers) - 1:
                h = activate(h)
        return h

    def forward(self, x: Tensor) -> Tensor:
        """Answers of all members to shared points [n, d], as [n, E], or [n, E · outputs]."""
        return self.outputs(x).transpose(0, 1).flatten(1)

    def _drop(self, h: Tensor, layer: int) -> Tensor:
        if self.training:
            mask = self.streams.draw(layer, h.shape[1], h.shape[2])
            return h if mask is None else h * (mask * self.train_scale[:, layer, None, None])
        return h * self.eval_scale[:, layer, None, None] if self._scaled_in_eval[layer] else h

    def with_parameters(self, flat: Tensor) -> MLPEnsemble:
        """The same ensemble in eval mode with other parameters [E, P], a snapshot's say."""
        return self._copy(range(self.members), flat)

    def select(self, members: Sequence[int]) -> MLPEnsemble:
        """An ensemble of some of the members, copied, in eval mode."""
        return self._copy(members, self.flat[list(members)])

    def _copy(self, members: Sequence[int], flat: Tensor) -> MLPEnsemble:
        copy = MLPEnsemble(
            self.sizes,
            seeds=[self.seeds[i] for i in members],
            dropout=[self.dropout[i] for i in members],
            activation=self.activation,
            dtype=self.flat.dtype,
            device=self.flat.device,
        )
        copy.flat.data.copy_(flat.detach())
        return copy.eval()


def _initial(sizes: Sequence[int], seed: int, init: str) -> Tensor:
    """One member's parameters [P] in float64, the same on every device."""
    generator = torch.Generator().manual_seed(member_seed(seed, "weights"))
    pieces = []
    for fan_in, fan_out in itertools.pairwise(sizes):
        bound = (6 / (fan_in + fan_out)) ** 0.5 if init == "glorot_uniform" else fan_in**-0.5
        u = torch.rand(fan_in * fan_out + fan_out, generator=generator, dtype=torch.float64)
        piece = bound * (2 * u - 1)
        if init == "glorot_uniform":
            piece[fan_in * fan_out :] = 0
        pieces.append(piece)
    return torch.cat(pieces)
