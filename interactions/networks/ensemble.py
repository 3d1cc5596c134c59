"""Many multilayer perceptrons as one batched module."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..dropout import KINDS, Dropout
from .masks import MaskStreams

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}
MODULES = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid}
INITS = ("glorot_uniform", "torch")


def member_seed(seed: int, purpose: str) -> int:
    """A seed of a member's own for one purpose, so that streams never overlap."""
    words = [int(seed), *purpose.encode()]
    return int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) >> 1


def group_by_shape(sizes: Sequence[Sequence[int]]) -> dict[tuple[int, ...], list[int]]:
    """Which networks of a sweep over widths and depths can be one ensemble: those of one shape.

    Maps each shape (inputs, hidden widths, outputs) to the positions that have it.
    """
    groups: dict[tuple[int, ...], list[int]] = {}
    for position, shape in enumerate(sizes):
        groups.setdefault(tuple(shape), []).append(position)
    return groups


class MLPEnsemble(nn.Module):
    """E networks of one shape, trained and evaluated together.

    All parameters live in one tensor `flat` [E, P], each member's in one row. Every member has
    its own seed, from which its weights and its masks are drawn; neither depends on its
    neighbours. Outputs are linear: of a classifier they are logits.

    Parameters
    ----------
    sizes : sequence of int
        Inputs, hidden widths, outputs; (25, 32, 32, 32, 1) has three hidden layers.
    seeds : sequence of int
        One per member. Members with one seed start from the same weights.
    dropout : Dropout or a sequence of one per member
        None by default (rates 0).
    activation : "relu" (by default), "tanh" or "sigmoid"
    init : "glorot_uniform" (Keras: Glorot-uniform weights, zero biases) or "torch"
        (nn.Linear's: weights and biases U(-1/sqrt(fan_in), 1/sqrt(fan_in)))
        Drawn in float64 on the CPU, so that a seed starts alike in every dtype and on every device.
    dtype, device : float32 on the CPU by default

    Raises
    ------
    ValueError
        For fewer than two sizes or sizes below 1, no seed, unknown names, and dropouts that are
        not as many as the seeds or not made for the number of hidden layers.

    Examples
    --------
    >>> import torch
    >>> from interactions import Dropout, MLPEnsemble
    >>> networks = MLPEnsemble((3, 8, 1), seeds=[0, 1], dropout=[Dropout(), Dropout(hidden=0.5)])
    >>> networks(torch.zeros(5, 3)).shape
    torch.Size([5, 2])
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
        if init not in INITS:
            raise ValueError(f"init must be one of {list(INITS)}, got {init!r}")
        if not len(seeds):
            raise ValueError("an ensemble needs at least one seed")
        start = torch.stack([_initial(sizes, s, init) for s in seeds])
        self._build(sizes, seeds, dropout, activation, start.to(device, dtype))

    def _build(
        self,
        sizes: Sequence[int],
        seeds: Sequence[int],
        dropout: Dropout | Sequence[Dropout],
        activation: str,
        flat: Tensor,
    ) -> None:
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {list(ACTIVATIONS)}, got {activation!r}")
        self.sizes = tuple(int(s) for s in sizes)
        self.seeds = tuple(int(s) for s in seeds)
        self.activation = activation
        per_member = [dropout] * len(seeds) if isinstance(dropout, Dropout) else list(dropout)
        if len(per_member) != len(self.seeds):
            raise ValueError(f"{len(per_member)} dropouts were given for {len(self.seeds)} seeds")
        self.dropout = tuple(per_member)
        rates = np.array([d.rates(len(sizes) - 2) for d in per_member])
        kinds = [KINDS[d.kind] for d in per_member]
        self.flat = nn.Parameter(flat)
        # What kept values are multiplied by in training, and all values at test time [E, layers].
        # Scaling the layer's weights instead comes to the same and costs less.
        in_training = [[k.in_training(r) for r in row] for k, row in zip(kinds, rates, strict=True)]
        at_test = [[k.at_test(r) for r in row] for k, row in zip(kinds, rates, strict=True)]
        double = torch.float64
        self.register_buffer("train_scale", torch.tensor(in_training, dtype=double).to(self.flat))
        self.register_buffer("eval_scale", torch.tensor(at_test, dtype=double).to(self.flat))
        self.streams = MaskStreams(
            rates, [member_seed(s, "masks") for s in self.seeds], self.flat.device
        )

    @property
    def members(self) -> int:
        """How many networks there are, E."""
        return len(self.seeds)

    def layers(self) -> list[tuple[Tensor, Tensor]]:
        """Weights [E, in, out] and biases [E, 1, out] of every layer, as views of `flat`."""
        return layer_views(self.flat, self.sizes)

    def outputs(self, x: Tensor) -> Tensor:
        """Answers [E, n, outputs] to points shared by all members, [n, d], or theirs, [E, n, d].

        In training mode every call draws fresh masks from the members' streams.
        """
        if x.shape[-1] != self.sizes[0] or x.ndim not in (2, 3):
            raise ValueError(f"needs points [n, {self.sizes[0]}], got {tuple(x.shape)}")
        h = x.expand(self.members, -1, -1)
        scale = self.train_scale if self.training else self.eval_scale
        activate = ACTIVATIONS[self.activation]
        for i, (weight, bias) in enumerate(self.layers()):
            if i > 0:
                h = activate(h)
            if self.training:
                mask = self.streams.draw(i, h.shape[1], h.shape[2])
                h = h if mask is None else h * mask
            h = torch.baddbmm(bias, h, weight * scale[:, i, None, None])
        return h

    def forward(self, x: Tensor) -> Tensor:
        """Answers of all members to shared points [n, d], as [n, E], or [n, E · outputs]."""
        return self.outputs(x).transpose(0, 1).flatten(1)

    def with_parameters(self, flat: Tensor) -> MLPEnsemble:
        """The same members in eval mode with other parameters, a snapshot's say.

        `flat` is [E, P], or [S, E, P] for S snapshots of every member: an ensemble of S · E
        members, those of the first snapshot first. As one function of [n, S · E] answers it is
        measured by one call of `order_spectrum`.
        """
        if flat.ndim not in (2, 3) or flat.shape[-2:] != self.flat.shape:
            raise ValueError(
                f"needs parameters {list(self.flat.shape)}, or several of these stacked; "
                f"got {list(flat.shape)}"
            )
        flat = flat.detach().reshape(-1, flat.shape[-1])
        return self._copy(list(range(self.members)) * (len(flat) // self.members), flat)

    def select(self, members: Sequence[int]) -> MLPEnsemble:
        """An ensemble of some of the members, copied, in eval mode."""
        return self._copy(members, self.flat.detach()[list(members)])

    def member(self, index: int) -> nn.Sequential:
        """One member as plain torch modules, with copies of its weights, in the same mode.

        Dropout layers stand where the member's rates are positive: `nn.Dropout`, or
        `interactions.dropout.ClassicDropout` where its kind is classic (of another kind, its
        `Kind.module`). They draw from torch's global generator.
        """
        drop, modules = self.dropout[index], []
        rates = drop.rates(len(self.sizes) - 2)
        for i, (weight, bias) in enumerate(self.layers()):
            if i > 0:
                modules.append(MODULES[self.activation]())
            if rates[i] > 0:
                modules.append(KINDS[drop.kind].module(rates[i]))
            linear = nn.Linear(*weight.shape[1:], dtype=self.flat.dtype, device=self.flat.device)
            with torch.no_grad():
                linear.weight.copy_(weight[index].T)
                linear.bias.copy_(bias[index, 0])
            modules.append(linear)
        return nn.Sequential(*modules).train(self.training)

    @classmethod
    def from_modules(
        cls, modules: Sequence[nn.Sequential], *, seeds: Sequence[int] | None = None
    ) -> MLPEnsemble:
        """Gather plain networks of one shape, with copies of their weights, in their mode.

        Each is a Sequential of Linear layers with biases, one kind of activation (ReLU, Tanh or
        Sigmoid) between any two, and dropout (`nn.Dropout` or `ClassicDropout`) before any
        Linear. `seeds`, from which masks are drawn, are 0, 1, .. unless given.
        """
        if not modules:
            raise ValueError("needs at least one network")
        parsed = [_parse(m) for m in modules]
        if len({(sizes, activation) for sizes, activation, _, _ in parsed}) > 1:
            raise ValueError(
                "the networks differ in shape or activation: make one ensemble of each kind "
                f"({sorted({(*sizes, act or '') for sizes, act, _, _ in parsed})})"
            )
        sizes, activation, _, _ = parsed[0]
        seeds = range(len(modules)) if seeds is None else seeds
        ensemble = cls.__new__(cls)
        nn.Module.__init__(ensemble)
        flat = torch.stack([weights for _, _, _, weights in parsed])
        ensemble._build(sizes, seeds, [d for _, _, d, _ in parsed], activation or "relu", flat)
        return ensemble.train(modules[0].training)

    def _copy(self, members: Sequence[int], flat: Tensor) -> MLPEnsemble:
        copy = MLPEnsemble.__new__(MLPEnsemble)
        nn.Module.__init__(copy)
        copy._build(
            self.sizes,
            [self.seeds[i] for i in members],
            [self.dropout[i] for i in members],
            self.activation,
            flat.to(self.flat, copy=True),
        )
        return copy.eval()


def layer_views(flat: Tensor, sizes: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Weights [E, in, out] and biases [E, 1, out] of every layer, as views of flat [E, P]."""
    shapes = list(itertools.pairwise(sizes))
    pieces = iter(flat.split([n for i, o in shapes for n in (i * o, o)], dim=1))
    return [(next(pieces).unflatten(1, s), next(pieces).unsqueeze(1)) for s in shapes]


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


def _parse(module: nn.Module) -> tuple[tuple[int, ...], str | None, Dropout, Tensor]:
    """Sizes, activation (None without hidden layers), dropout and parameters [P] of a network."""
    if not isinstance(module, nn.Sequential):
        raise ValueError(f"needs torch.nn.Sequential networks, got {type(module).__name__}")
    names = {kind: name for name, kind in MODULES.items()}
    kinds = {kind.module: name for name, kind in KINDS.items()}
    sizes, rates, weights = [], [], []
    activations, found = set(), set()
    rate, activated = 0.0, True
    for layer in module:
        if type(layer) in names and sizes and not activated and rate == 0:
            activations.add(names[type(layer)])
            activated = True
        elif type(layer) in kinds and activated and rate == 0:
            rate = layer.p
            found |= {kinds[type(layer)]} if rate > 0 else set()
        elif type(layer) is nn.Linear and layer.bias is not None and activated:
            sizes += [layer.out_features] if sizes else [layer.in_features, layer.out_features]
            rates.append(rate)
            weights += [layer.weight.detach().T.flatten(), layer.bias.detach()]
            rate, activated = 0.0, False
        else:
            raise ValueError(
                f"cannot place {layer} in an ensemble: networks must be Linear layers with "
                "biases, an activation between any two, at most one dropout before each"
            )
    if not sizes or activated or rate > 0:
        raise ValueError("a network must end with a Linear layer: outputs are linear")
    if len(activations) > 1 or len(found) > 1:
        raise ValueError(
            f"one network mixes {sorted(activations | found)}: an ensemble has one activation, "
            "a network one kind of dropout"
        )
    drop = Dropout(rates[0], tuple(rates[1:]) or 0.0, *found)
    return tuple(sizes), next(iter(activations), None), drop, torch.cat(weights)
