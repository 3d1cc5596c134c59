"""Blocks: members of an ensemble that are trained together, as many as fit the processor's cache.

On a GPU all members that are still running make one block, whose steps are recorded as a CUDA
graph. Members that draw nothing at random are kept apart from others, because training them
takes less: no masks, and no second forward pass for a rule that looks at the training set.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from ..penalty import OrderPenalty
from .ensemble import MLPEnsemble, layer_views
from .gradients import Network, Pass, Scratch, backward, forward
from .graphs import Recorded
from .losses import LOSSES
from .masked_stream import MaskedFeed
from .noise import InputNoise
from .optimizers import Descent, Optimizer
from .penalties import MemberPenalties
from .samples import SampleFeed, StreamFeed
from .state import DIVERGED, RUNNING, STOPPED_BY_RULE, MemberState
from .stopping import Rule

BLOCK_BYTES = 2**23
"""Activations of the members trained together on a CPU, which should stay in its cache."""
EVAL_ROWS = 2**12
"""Rows of a training or validation set whose loss is evaluated at once."""


@dataclass(frozen=True)
class Plan:
    """What all blocks of one training share.

    Attributes
    ----------
    feed : the batches of every member
    full_batch : bool
        Every step sees the whole training set.
    watched : SampleFeed or None
        The set whose loss the rule looks at; `feed` itself where that is the training set.
    loss : a name in `losses.LOSSES`
    """

    ensemble: MLPEnsemble
    feed: SampleFeed | StreamFeed | MaskedFeed
    rows_per_step: int
    full_batch: bool
    watched: SampleFeed | None
    loss: str
    descent: Descent
    noise: InputNoise
    penalties: MemberPenalties
    rule: Rule | None


class Block:
    """Some members of an ensemble, their state, and the steps that change it.

    Parameters
    ----------
    state : MemberState
        That of all members, from which the block's own is copied.
    members : sequence of int
        Which members.
    scratch : Scratch
        Memory for a step, which blocks that take turns may share.

    Attributes
    ----------
    members : list of int
    index : the same as a tensor [B], on the device
    state : MemberState of B members
    """

    def __init__(
        self, plan: Plan, state: MemberState, members: Sequence[int], scratch: Scratch
    ) -> None:
        e = plan.ensemble
        self.members = [int(i) for i in members]
        self.index = torch.tensor(self.members, dtype=torch.long, device=e.flat.device)
        self.state = state.rows(self.index)
        self._plan, self._scratch = plan, scratch
        parameters = self.state.parameters
        self._gradient = torch.empty_like(parameters)
        self._gradient_views = layer_views(self._gradient, e.sizes)
        layers = layer_views(parameters, e.sizes)
        self._in_training = Network(layers, _scales(e.train_scale[self.index]), e.activation)
        self._in_eval = Network(layers, _scales(e.eval_scale[self.index]), e.activation)
        self._limits = [e.streams.limits(i, self.members) for i in range(len(layers))]
        self._optimizer = Optimizer(plan.descent, self.index, like=parameters)
        self._loss = LOSSES[plan.loss]
        std = plan.noise.std[self.index]
        self._noise_std = std.to(parameters)[..., None] if std.any() else None
        self._penalty = plan.penalties.of_kind(plan.penalties.kinds[self.members[0]])
        if self._penalty is not None:
            # Memory of its own, for the loss may have computed the next step's pass already.
            self._penalty_scratch = Scratch()
            self._penalty_gradient = torch.empty_like(parameters)
            self._penalty_views = layer_views(self._penalty_gradient, e.sizes)
            self._strength = plan.penalties.strength[self.index].to(parameters)[..., None]
            self._form = self._penalty.form(parameters)
        self._watched = None if plan.watched is None else plan.watched.whole(self.members)
        on_cpu = parameters.device.type == "cpu"
        # Without anything random, what the rule computes is the forward pass of the next step.
        random = self._noise_std is not None or (e.streams.rates[self.members] > 0).any()
        watches_batch = plan.watched is plan.feed and plan.full_batch
        self._looks_ahead = on_cpu and watches_batch and not random
        self._ahead: _Ahead | None = None
        self._update = self._take_step if on_cpu else Recorded(self._take_step)
        self._judge = self._apply_rule if on_cpu else Recorded(self._apply_rule)

    def running(self) -> list[int]:
        """Members that have not stopped; waits for the device."""
        outcome = self.state.outcome.tolist()
        return [i for i, o in zip(self.members, outcome, strict=True) if o == RUNNING]

    def train(self, first: int, done: int, snapshots: Mapping[int, Tensor]) -> None:
        """Take the steps first + 1 .. done; copy parameters to the rows of snapshots due."""
        plan, count = self._plan, done - first
        # Another block may have written over the scratch since.
        self._ahead = None
        draws = zip(
            plan.feed.batches(self.members, count),
            self._noises(count),
            plan.penalties.draw(self.members, plan.rows_per_step, count, like=self._gradient),
            plan.ensemble.streams.bits_of_steps(
                plan.rows_per_step,
                plan.ensemble.sizes[:-1],
                steps=count,
                members=self.members,
                inputs=not plan.feed.masks_inputs,
            ),
            *self._optimizer.sizes(first, done),
            strict=True,
        )
        for step, (batch, noise, compared, bits, *sizes) in enumerate(draws, start=first + 1):
            self._update(*batch, noise, *compared, *sizes, *bits)
            if plan.rule is not None and step % plan.rule.every == 0:
                self._judge()
            if step in snapshots:
                snapshots[step][self.index] = self.state.parameters

    def _noises(self, count: int) -> Iterator[Tensor | None]:
        """Noise for the inputs [B, n, d] of every step, before its scale."""
        plan = self._plan
        for _ in range(count):
            yield (
                None
                if self._noise_std is None
                else plan.noise.draw(
                    self.members, plan.rows_per_step, plan.ensemble.sizes[0], like=self._gradient
                )
            )

    def _take_step(
        self,
        x: Tensor,
        y: Tensor,
        weight: Tensor | float,
        noise: Tensor | None,
        compared: Tensor | None,
        counts: Tensor | None,
        size: Tensor,
        shrink: Tensor,
        root: Tensor,
        *bits: Tensor | None,
    ) -> None:
        """One step of every member that is still running, on one batch.

        Its arguments are a `Batch`, noise for its inputs, the points that an order penalty compares
        and how much each counts, one of each of `StepSizes`, and the random bits of each layer's
        mask: plain tensors, as a recorded graph needs them.
        """
        if self._ahead is not None:
            loss, derivative, passed = self._ahead
            self._ahead = None
        else:
            if noise is not None:
                x = x + noise * self._noise_std
            passed = forward(
                x, self._in_training, self._scratch, lambda layer: self._mask(layer, bits[layer])
            )
            loss, derivative = self._loss(passed.outputs, y, weight)
        backward(derivative, passed, self._in_training, self._gradient_views, self._scratch)
        if self._penalty is not None and compared is not None and counts is not None:
            self._add_order_penalty(self._penalty, compared, counts)
        self._optimizer.add_penalties(self._gradient, self.state.parameters)
        outcome = self.state.outcome
        outcome.masked_fill_(~torch.isfinite(loss) & (outcome == RUNNING), DIVERGED)
        self._optimizer.step(self.state, self._gradient, size, shrink, root)

    def _add_order_penalty(self, penalty: OrderPenalty, compared: Tensor, counts: Tensor) -> None:
        """Add the gradient of the order penalty of the networks as they answer at test time."""
        scratch, views = self._penalty_scratch, self._penalty_views
        passed = forward(compared, self._in_eval, scratch)
        answers = passed.outputs.unflatten(1, (-1, counts.shape[1]))
        derivative = penalty.derivative(answers, counts, self._form).flatten(1, 2)
        backward(derivative * self._strength, passed, self._in_eval, views, scratch)
        self._gradient.add_(self._penalty_gradient)

    def _mask(self, layer: int, bits: Tensor | None) -> Tensor | None:
        """The mask of a layer's inputs as 0 and 1; None where nobody drops."""
        if bits is None:
            return None
        # Only the derivative of tanh looks at masks again, so others may share their memory.
        name = f"mask{layer}" if self._in_training.activation == "tanh" else "mask"
        mask = self._scratch(name, *bits.shape, like=self._gradient)
        return torch.le(bits, self._limits[layer], out=mask)

    def _apply_rule(self) -> None:
        """Let the rule look at every member, and stop those it names."""
        rule, state = self._plan.rule, self.state
        if rule.watches == "gradient":
            value = torch.linalg.vector_norm(self._gradient, dim=1)
        elif self._looks_ahead:
            x, y, weight = self._watched
            passed = forward(x, self._in_training, self._scratch)
            self._ahead = _Ahead(*self._loss(passed.outputs, y, weight), passed)
            value = self._ahead.loss
        else:
            value = self._watched_loss()
        stop = rule.judge(state.memory, value, state.parameters, state.taken)
        state.outcome.masked_fill_(stop & (state.outcome == RUNNING), STOPPED_BY_RULE)

    def _watched_loss(self) -> Tensor:
        """The eval-mode loss on the set the rule watches, [B]."""
        x, y, weight = self._watched
        total = torch.zeros_like(self.state.parameters[:, 0])
        for start in range(0, x.shape[-2], EVAL_ROWS):
            rows = slice(start, start + EVAL_ROWS)
            some = weight if isinstance(weight, float) else weight[:, rows]
            passed = forward(x[..., rows, :], self._in_eval, self._scratch, keep=False)
            y_rows = y[..., rows, :] if y.is_floating_point() else y[..., rows]
            total += self._loss(passed.outputs, y_rows, some)[0]
        return total


class _Ahead(NamedTuple):
    """The forward pass of the next step, done already because the rule wanted its loss [B]."""

    loss: Tensor
    derivative: Tensor
    passed: Pass


def cut_into_blocks(plan: Plan, state: MemberState, members: Sequence[int]) -> list[Block]:
    """Blocks of equal size, at most, that hold each of the members once, in their order.

    Those that draw masks or noise come first, those that draw nothing in blocks of their own, and
    so do those of each kind of order penalty.
    """
    e = plan.ensemble
    on_cpu = e.flat.device.type == "cpu"
    drawn = (e.streams.rates > 0).any(axis=1) | (plan.noise.std[:, 0] > 0).cpu().numpy()
    parts: list[np.ndarray] = []
    for draws in (True, False):
        some = [i for i in members if drawn[i] == draws]
        for kind in sorted({plan.penalties.kinds[i] for i in some}):
            alike = [i for i in some if plan.penalties.kinds[i] == kind]
            most = _most_members(plan, kind) if on_cpu else len(members)
            parts += np.array_split(alike, math.ceil(len(alike) / most))
    # Blocks take turns, and on a CPU share memory that is in the cache already; a GPU's recorded
    # graph writes to the memory it was recorded with.
    shared = Scratch()
    return [Block(plan, state, part, shared if on_cpu else Scratch()) for part in parts]


def _most_members(plan: Plan, kind: int) -> int:
    """How many members of a kind of order penalty fit the cache of a processor."""
    e, penalty = plan.ensemble, plan.penalties.of_kind(kind)
    compared = 0 if penalty is None else penalty.differences.corners
    numbers = plan.rows_per_step * (1 + compared) * sum(e.sizes) + e.flat.shape[1]
    return max(1, BLOCK_BYTES // (numbers * e.flat.element_size()))


def _scales(scale: Tensor) -> list[Tensor | None]:
    """Per layer the members' scales [B, 1, 1], or None where all are 1."""
    return [s[:, None, None] if (s != 1).any() else None for s in scale.unbind(dim=1)]
