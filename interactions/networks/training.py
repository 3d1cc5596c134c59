"""Training an ensemble: every member by itself, all in one computation.

Members share nothing but the arithmetic: each has its own weights, masks, batches, penalties and
stopping time. They are trained in blocks that fit the processor's cache (on a GPU, all in one),
`CHECK_EVERY` steps at a time; then members that have stopped are taken out. A stopped member
keeps the weights it stopped with.

A seed repeats bit for bit on one device with the same members and threads. What a member draws
does not depend on who trains beside it, but the rounding of its sums may, and training amplifies
rounding: two ensembles that share a member agree on its weights to 1e-5 for some 20 steps in
float32, and drift apart over hundreds. So keep the composition of an ensemble fixed where results
must repeat.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from .ensemble import MLPEnsemble, layer_views, member_seed
from .gradients import Scratch, backward, forward
from .losses import LOSSES, check_targets
from .samples import SampleFeed, Samples, Stream
from .stopping import Patience, Rule

CHECK_EVERY = 32
"""Steps between looks at which members have stopped, which wait for the device."""
BLOCK_BYTES = 2**23
"""Activations of the members trained together on a CPU, which should stay in its cache."""
REGROUP = 1 / 16
"""Blocks are formed anew once more members have stopped than this share of those left."""
AHEAD = {"cpu": 2**14, "cuda": 2**19}
"""Units of a layer whose masks are drawn at once, for several steps where batches are small."""
EVAL_ROWS = 2**12
"""Rows of a training or validation set whose loss is evaluated at once."""
BETAS, EPSILON = (0.9, 0.999), 1e-8
OPTIMIZERS = ("adam", "adamw", "sgd")
OPTIONS = ("learning_rate", "weight_decay", "l1", "input_noise")
RUNNING, RULE, DIVERGED = range(3)


@dataclass(frozen=True)
class FitResult:
    """What training did, member by member.

    Attributes
    ----------
    steps : int tensor [E]
        Steps each member took.
    reason : list of str [E]
        Why it stopped: "steps" (all that were asked), the rule's "first rise", "tolerance" or
        "patience", or "diverged" (NaN or infinite loss or parameters).
    snapshots : dict from step to tensor [E, P]
        Parameters after the asked steps (0 is the start), of a stopped member those it stopped
        with. `MLPEnsemble.with_parameters` takes one, or several stacked.
    weights_from : int tensor [E]
        The step after which a member had the weights it now holds: `steps`, or its best look
        under `Patience`.
    """

    steps: Tensor
    reason: list[str]
    snapshots: dict[int, Tensor]
    weights_from: Tensor


def fit(
    ensemble: MLPEnsemble,
    data: Samples | Stream,
    *,
    steps: int,
    loss: str = "squared",
    optimizer: str = "adam",
    learning_rate: float | Sequence[float] = 1e-3,
    schedule: str = "constant",
    weight_decay: float | Sequence[float] = 0.0,
    l1: float | Sequence[float] = 0.0,
    input_noise: float | Sequence[float] = 0.0,
    stop: Rule | None = None,
    snapshots: Sequence[int] = (),
    progress: Callable[[int], None] | None = None,
) -> FitResult:
    """Minimise every member's mean loss; leaves the ensemble in eval mode.

    What may be a sequence is one number for all members, or one per member. Rates of dropout
    are the ensemble's, sample sizes the data's. Float32 products use TF32 only if you have asked
    torch for it.

    Parameters
    ----------
    steps : int
        Updates at most.
    loss : "squared", "cross_entropy" (softmax; integer labels) or "binary" (logits, y in [0, 1])
    optimizer : "adam" or "adamw" (betas .9, .999, epsilon 1e-8) or "sgd"
        As in torch.optim.
    schedule : "constant" or "cosine" (learning rate falls to 0 along half a cosine)
    weight_decay : float
        λ; all parameters w. With "sgd" and "adam" λ w joins the gradient, which is λ |w|² / 2 in
        the loss; with "adamw" weights shrink by learning_rate · λ a step, apart from the gradient.
    l1 : float
        λ of λ |w|_1 in the loss, over all parameters.
    input_noise : float
        Standard deviation of normal noise added to the inputs in training, before dropout.
    stop : FirstRise, Tolerance or Patience, optional
        A rule that watches the training set needs `Samples`.
    snapshots : steps after which parameters are kept
    progress : called with the number of steps done since the last call
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {list(OPTIMIZERS)}, got {optimizer!r}")
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {list(LOSSES)}, got {loss!r}")
    if schedule not in ("constant", "cosine"):
        raise ValueError(f'schedule must be "constant" or "cosine", got {schedule!r}')
    if steps < 0:
        raise ValueError(f"steps must not be negative, got {steps}")
    if late := [s for s in snapshots if not 0 <= s <= steps]:
        raise ValueError(f"snapshots {late} lie outside the {steps} steps of training")
    if stop is not None and stop.watches == "training" and not isinstance(data, Samples):
        raise ValueError(f'"{stop.reason}" looks at the training set, and a Stream has none')
    with torch.no_grad():
        training = _Training(
            ensemble,
            data,
            steps=steps,
            loss=loss,
            optimizer=optimizer,
            schedule=schedule,
            learning_rate=_per_member("learning_rate", learning_rate, ensemble),
            weight_decay=_per_member("weight_decay", weight_decay, ensemble),
            l1=_per_member("l1", l1, ensemble),
            input_noise=_per_member("input_noise", input_noise, ensemble),
            rule=stop,
            snapshot_steps=snapshots,
        )
        return training.run(progress)


def _per_member(name: str, value: float | Sequence[float], ensemble: MLPEnsemble) -> Tensor:
    """A number for all members or one per member, as [E, 1] in float64."""
    values = torch.as_tensor(value, dtype=torch.float64)
    if values.ndim > 1 or (values.ndim == 1 and len(values) != ensemble.members):
        raise ValueError(
            f"{name} must be one number or one for each of {ensemble.members} members, "
            f"got shape {list(values.shape)}"
        )
    if not (torch.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"{name} must be finite and not negative, got {value}")
    return values.expand(ensemble.members)[:, None].to(ensemble.flat.device)


@dataclass
class _Training:
    """All that one call of `fit` knows: its options, and the state of every member [E, ..]."""

    ensemble: MLPEnsemble
    data: Samples | Stream
    steps: int
    loss: str
    optimizer: str
    schedule: str
    learning_rate: Tensor  # [E, 1], as the next three
    weight_decay: Tensor
    l1: Tensor
    input_noise: Tensor
    rule: Rule | None
    snapshot_steps: Sequence[int]

    def __post_init__(self) -> None:
        ensemble, data, rule = self.ensemble, self.data, self.rule
        self.feed, self.rows_per_step = data.feed(ensemble), data.rows_per_step
        self.full_batch = isinstance(data, Samples) and data.batch_size is None
        self.watched: SampleFeed | None = None
        if rule is not None and rule.watches == "training":
            self.watched = self.feed
        elif isinstance(rule, Patience):
            self.watched = rule.validation.feed(ensemble)
        for feed in (self.feed, self.watched):
            if isinstance(feed, SampleFeed):
                check_targets(self.loss, feed.y, tuple(feed.x.shape[:-1]), ensemble.sizes[-1])
        flat = ensemble.flat.detach()
        device = flat.device
        counters = torch.zeros(ensemble.members, dtype=torch.long, device=device)
        self.state = {"flat": flat, "taken": counters, "why": counters.to(torch.int8)}
        if self.optimizer != "sgd":
            self.state |= {"mean": torch.zeros_like(flat), "square": torch.zeros_like(flat)}
        if rule is not None:
            self.state |= {f"rule {k}": v for k, v in rule.start(flat).items()}
        self.snapshots = {s: flat.clone() for s in sorted(self.snapshot_steps)}
        self.scratch = Scratch()
        self.noise_generators = [
            torch.Generator(device).manual_seed(member_seed(s, "noise")) if std > 0 else None
            for s, std in zip(ensemble.seeds, self.input_noise[:, 0].tolist(), strict=True)
        ]

    def run(self, progress: Callable[[int], None] | None) -> FitResult:
        on_cpu = self.ensemble.flat.device.type == "cpu"
        blocks = self._blocks(range(self.ensemble.members))
        for first in range(0, self.steps, CHECK_EVERY):
            done = min(first + CHECK_EVERY, self.steps)
            for block in blocks:
                # Blocks take turns, and on a CPU share memory that is in the cache already; a
                # GPU's recorded graph writes to the memory it was recorded with.
                block.run(first, done, self.scratch if on_cpu else block.scratch)
            if progress is not None:
                progress(done - first)
            left = [i for block in blocks for i in block.running()]
            stopped = sum(len(block.members) for block in blocks) - len(left)
            # Moving members about costs little, recording a GPU's graphs anew more.
            if stopped > REGROUP * len(left):
                self._write_back(blocks, done)
                blocks = self._blocks(left)
            if not left:
                break
        self._write_back(blocks, self.steps)
        return self._result()

    def _blocks(self, members: Sequence[int]) -> list[_Block]:
        """Members cut into blocks of equal size, those that draw nothing in training apart."""
        e = self.ensemble
        drawn = (e.streams.rates > 0).any(axis=1) | (self.input_noise[:, 0] > 0).cpu().numpy()
        most = len(members)
        if e.flat.device.type == "cpu":
            numbers = self.rows_per_step * sum(e.sizes) + e.flat.shape[1]
            most = max(1, BLOCK_BYTES // (numbers * e.flat.element_size()))
        blocks = []
        for some in ([i for i in members if drawn[i] == d] for d in (True, False)):
            count = math.ceil(len(some) / most) if some else 0
            blocks += [_Block(self, list(part)) for part in np.array_split(some, max(count, 1))]
        return [block for block in blocks if block.members]

    def _write_back(self, blocks: Sequence[_Block], done: int) -> None:
        """Copy the blocks' state to that of all members; to snapshots to come as well."""
        for block in blocks:
            for name, values in block.state.items():
                self.state[name][block.index] = values
        for step, kept in self.snapshots.items():
            if step > done:
                kept.copy_(self.state["flat"])

    def _result(self) -> FitResult:
        state, flat = self.state, self.state["flat"]
        state["why"][~torch.isfinite(flat).all(dim=1)] = DIVERGED
        weights_from = state["taken"]
        if isinstance(self.rule, Patience) and self.rule.restore:
            weights_from = state["rule best_step"]
            looked = weights_from > 0
            flat.copy_(torch.where(looked[:, None], state["rule best_parameters"], flat))
            weights_from = torch.where(looked, weights_from, state["taken"])
        reasons = {RUNNING: "steps", DIVERGED: "diverged"}
        if self.rule is not None:
            reasons[RULE] = self.rule.reason
        self.ensemble.eval()
        return FitResult(
            steps=state["taken"],
            reason=[reasons[w] for w in state["why"].tolist()],
            snapshots=self.snapshots,
            weights_from=weights_from.clone(),
        )


class _Block:
    """Some members, their state, and the steps that change it."""

    def __init__(self, training: _Training, members: Sequence[int]) -> None:
        t, e = training, training.ensemble
        self.training, self.members = t, [int(i) for i in members]
        self.index = torch.tensor(self.members, dtype=torch.long, device=e.flat.device)
        self.state = {name: values[self.index] for name, values in t.state.items()}
        self.rule_state = {
            name.removeprefix("rule "): values
            for name, values in self.state.items()
            if name.startswith("rule ")
        }
        self.scratch = Scratch()
        self.loss = LOSSES[t.loss]
        flat = self.state["flat"]
        self.layers = layer_views(flat, e.sizes)
        self.gradient = torch.empty_like(flat)
        self.gradients = layer_views(self.gradient, e.sizes)
        self.train_scales = _scales(e.train_scale[self.index])
        self.eval_scales = _scales(e.eval_scale[self.index])
        self.limits = [e.streams.limits(i, self.members) for i in range(len(self.layers))]
        own = {name: getattr(t, name)[self.index] for name in OPTIONS}
        self.learning_rate, self.weight_decay = own["learning_rate"], own["weight_decay"]
        decays = bool((self.weight_decay > 0).any())
        self.decoupled = decays and t.optimizer == "adamw"
        self.l2 = self.weight_decay.to(flat) if decays and not self.decoupled else None
        self.l1 = own["l1"].to(flat) if (own["l1"] > 0).any() else None
        self.noise = own["input_noise"].to(flat)[..., None] if own["input_noise"].any() else None
        self.watched = t.watched.whole(self.members) if t.watched is not None else None
        on_cpu = flat.device.type == "cpu"
        # Without anything random, what the rule computes is the forward pass of the next step.
        draws = self.noise is not None or (e.streams.rates[self.members] > 0).any()
        self.looks_ahead = on_cpu and t.watched is t.feed and t.full_batch and not draws
        self.ahead: tuple | None = None
        self.update = self._update if on_cpu else _Recorded(self._update)
        self.judge = self._judge if on_cpu else _Recorded(self._judge)

    def running(self) -> list[int]:
        """Members that have not stopped; waits for the device."""
        why = self.state["why"].tolist()
        return [i for i, w in zip(self.members, why, strict=True) if w == RUNNING]

    def run(self, first: int, done: int, scratch: Scratch) -> None:
        """Take the steps first + 1 .. done."""
        t, count, self.scratch, self.ahead = self.training, done - first, scratch, None
        sizes, shrinks, roots = self._step_sizes(first, done)
        batches = t.feed.batches(self.members, count)
        draws = zip(batches, self._noises(count), self._bits(count), strict=True)
        for k, (batch, noise, bits) in enumerate(draws):
            step = first + k + 1
            self.update(*batch, noise, sizes[k], shrinks[k], roots[k], *bits)
            if t.rule is not None and step % t.rule.every == 0:
                self.judge()
            if step in t.snapshots:
                t.snapshots[step][self.index] = self.state["flat"]

    def _step_sizes(self, first: int, done: int) -> tuple[Tensor, Tensor, Tensor]:
        """Of every step: what its direction and the weights' decay are multiplied by [B, 1], and
        the root that corrects Adam's second moment for its start at 0.
        """
        t, like = self.training, self.state["flat"]
        steps = torch.arange(first, done, dtype=torch.float64, device=like.device)
        factor = torch.ones_like(steps)
        if t.schedule == "cosine":
            factor = 0.5 * (1 + torch.cos(math.pi * steps / t.steps))
        rate = factor[:, None, None] * self.learning_rate
        shrink = rate * self.weight_decay
        if t.optimizer != "sgd":
            rate = rate / (1 - BETAS[0] ** (steps + 1))[:, None, None]
        root = (1 - BETAS[1] ** (steps + 1)).sqrt()
        return rate.to(like), shrink.to(like), root.to(like)

    def _noises(self, count: int) -> Iterator[Tensor | None]:
        """Noise for the inputs [B, n, d] of every step, before its scale."""
        if self.noise is None:
            yield from [None] * count
            return
        t = self.training
        shape = (len(self.members), t.rows_per_step, t.ensemble.sizes[0])
        for _ in range(count):
            noise = torch.zeros(shape, dtype=self.gradient.dtype, device=self.gradient.device)
            for own, i in zip(noise, self.members, strict=True):
                if t.noise_generators[i] is not None:
                    own.normal_(generator=t.noise_generators[i])
            yield noise

    def _bits(self, count: int) -> Iterator[list[Tensor | None]]:
        """The random bits behind every layer's masks, of every step."""
        t = self.training
        rows, widths = t.rows_per_step, t.ensemble.sizes[:-1]
        ahead = max(1, AHEAD[self.index.device.type] // (rows * max(widths)))
        for start in range(0, count, ahead):
            masks = min(ahead, count - start)
            bits = [
                t.ensemble.streams.bits(i, rows, width, masks=masks, members=self.members)
                for i, width in enumerate(widths)
            ]
            for k in range(masks):
                yield [None if b is None else b[k] for b in bits]

    def _update(
        self,
        x: Tensor,
        y: Tensor,
        weight: Tensor | float,
        noise: Tensor | None,
        size: Tensor,
        shrink: Tensor,
        root: Tensor,
        *bits: Tensor | None,
    ) -> None:
        """One step of every member that is still running."""
        t, state = self.training, self.state
        flat, why, g = state["flat"], state["why"], self.gradient
        activation = t.ensemble.activation
        network = self.layers, self.train_scales, activation, self.scratch

        def draw(layer: int) -> Tensor | None:
            if bits[layer] is None:
                return None
            name = f"mask{layer}" if activation == "tanh" else "mask"
            mask = self.scratch(name, *bits[layer].shape, like=flat)
            return torch.le(bits[layer], self.limits[layer], out=mask)

        if self.ahead is not None:
            (loss, derivative), inputs, masks = self.ahead
            self.ahead = None
        else:
            if noise is not None:
                x = x + noise * self.noise
            outputs, inputs, masks = forward(x, *network, draw)
            loss, derivative = self.loss(outputs, y, weight)
        backward(derivative, inputs, masks, self.gradients, *network)
        if self.l2 is not None:
            g.addcmul_(flat, self.l2)
        if self.l1 is not None:
            g.addcmul_(flat.sign(), self.l1)
        why.masked_fill_(~torch.isfinite(loss) & (why == RUNNING), DIVERGED)
        running = why == RUNNING
        if t.optimizer == "sgd":
            step = g * size
        else:
            mean, square = state["mean"], state["square"]
            mean.lerp_(g, 1 - BETAS[0])
            square.mul_(BETAS[1]).addcmul_(g, g, value=1 - BETAS[1])
            step = square.sqrt().div_(root).add_(EPSILON)
            torch.div(mean, step, out=step).mul_(size)
        if self.decoupled:
            step.addcmul_(flat, shrink)
        # What a diverged member computes is NaN, which no multiplication by 0 would keep out.
        flat.copy_(torch.where(running[:, None], flat - step, flat))
        state["taken"].add_(running)

    def _judge(self) -> None:
        """Let the rule look at every member, and stop those it names."""
        t, state, why = self.training, self.state, self.state["why"]
        if t.rule.watches == "gradient":
            value = torch.linalg.vector_norm(self.gradient, dim=1)
        elif self.looks_ahead:
            x, y, weight = self.watched
            network = self.layers, self.train_scales, t.ensemble.activation, self.scratch
            outputs, inputs, masks = forward(x, *network)
            self.ahead = self.loss(outputs, y, weight), inputs, masks
            value = self.ahead[0][0]
        else:
            value = self._watched_loss()
        stop = t.rule.judge(self.rule_state, value, state["flat"], state["taken"])
        why.masked_fill_(stop & (why == RUNNING), RULE)

    def _watched_loss(self) -> Tensor:
        """The eval-mode loss on the set the rule watches, [B]."""
        t = self.training
        x, y, weight = self.watched
        network = self.layers, self.eval_scales, t.ensemble.activation, self.scratch
        total = torch.zeros_like(self.state["flat"][:, 0])
        for start in range(0, x.shape[-2], EVAL_ROWS):
            rows = slice(start, start + EVAL_ROWS)
            some = weight if isinstance(weight, float) else weight[:, rows]
            outputs, _, _ = forward(x[..., rows, :], *network, keep=False)
            y_rows = y[..., rows, :] if y.is_floating_point() else y[..., rows]
            total += self.loss(outputs, y_rows, some)[0]
        return total


class _Recorded:
    """A method that changes tensors in place, recorded once as a CUDA graph and then replayed.

    Arguments that are tensors are copied to the addresses the graph was recorded with; others
    must be the same at every call. The first call runs as it stands, on a stream of its own, as
    recording asks.
    """

    def __init__(self, method: Callable[..., None]) -> None:
        self.method = method
        self.graph: torch.cuda.CUDAGraph | None = None
        self.arguments: list | None = None

    def __call__(self, *arguments: object) -> None:
        if self.arguments is None:
            self.arguments = [a.clone() if isinstance(a, Tensor) else a for a in arguments]
            stream = torch.cuda.Stream()
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                self.method(*self.arguments)
            torch.cuda.current_stream().wait_stream(stream)
            return
        for own, given in zip(self.arguments, arguments, strict=True):
            if isinstance(own, Tensor):
                own.copy_(given)
        if self.graph is None:
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.method(*self.arguments)
        self.graph.replay()


def _scales(scale: Tensor) -> list[Tensor | None]:
    """Per layer the members' scales [B, 1, 1], or None where all are 1."""
    return [s[:, None, None] if (s != 1).any() else None for s in scale.unbind(dim=1)]
