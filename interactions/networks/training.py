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

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pandas as pd
import torch
from torch import Tensor

from ..penalty import OrderPenalty
from ..printing import html_table
from .blocks import Block, Plan, cut_into_blocks
from .ensemble import MLPEnsemble
from .losses import LOSSES, check_targets
from .masked_stream import MaskedStream
from .noise import InputNoise
from .optimizers import OPTIMIZERS, SCHEDULES, Descent
from .penalties import MemberPenalties, member_penalties
from .samples import SampleFeed, Samples, Stream
from .state import DIVERGED, RUNNING, STOPPED_BY_RULE, MemberState
from .stopping import Patience, Rule

CHECK_EVERY = 32
"""Steps between looks at which members have stopped, which wait for the device."""
REGROUP = 1 / 16
"""Blocks are formed anew once more members have stopped than this share of those left."""


@dataclass(frozen=True, repr=False)
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

    Examples
    --------
    >>> import torch
    >>> from interactions import MLPEnsemble, Samples, fit
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> networks = MLPEnsemble((1, 4, 1), seeds=[0])
    >>> result = fit(networks, Samples(x, x[:, 0]), steps=20, snapshots=[0, 10])
    >>> sorted(result.snapshots), result.steps.tolist()
    ([0, 10], [20])
    """

    steps: Tensor
    reason: list[str]
    snapshots: dict[int, Tensor]
    weights_from: Tensor

    def to_frame(self) -> pd.DataFrame:
        """One row per member: steps, reason, weights_from."""
        parts = {"steps": self.steps.tolist(), "reason": self.reason}
        return pd.DataFrame({**parts, "weights_from": self.weights_from.tolist()})

    def __repr__(self) -> str:
        ends = ", ".join(f"{n} by {why}" for why, n in Counter(self.reason).most_common())
        return f"FitResult({len(self.reason)} members, stopped {ends})"

    def _repr_html_(self) -> str:
        frame = self.to_frame().reset_index(names="member")
        rows = [[*frame], *frame.astype(str).to_numpy().tolist()]
        return html_table(repr(self), rows)


def fit(
    ensemble: MLPEnsemble,
    data: Samples | Stream | MaskedStream,
    *,
    steps: int,
    loss: str = "squared",
    optimizer: str = "adam",
    learning_rate: float | Sequence[float] = 1e-3,
    schedule: str = "constant",
    weight_decay: float | Sequence[float] = 0.0,
    l1: float | Sequence[float] = 0.0,
    input_noise: float | Sequence[float] = 0.0,
    order_penalty: OrderPenalty | Sequence[OrderPenalty | None] | None = None,
    stop: Rule | None = None,
    snapshots: Sequence[int] = (),
    progress: Callable[[int], None] | None = None,
) -> FitResult:
    """Minimise every member's mean loss; returns steps and reasons of stopping, member by member.

    The ensemble's parameters are changed in place, and it is left in eval mode.

    What may be a sequence is one number for all members, or one per member. Rates of dropout
    are the ensemble's, sample sizes the data's. Float32 products use TF32 only if you have asked
    torch for it.

    Parameters
    ----------
    steps : int
        Updates at most.
    loss : "squared", "cross_entropy" (softmax; integer labels) or "binary" (logits, y in [0, 1])
        The mean over rows; of "squared" and "binary" also over outputs. "squared" by default.
    optimizer : "adam" or "adamw" (betas .9, .999, epsilon 1e-8) or "sgd"
        As in torch.optim; "adam" by default.
    learning_rate : float
        1e-3 by default.
    schedule : "constant" or "cosine" (learning rate falls to 0 along half a cosine)
        "constant" by default.
    weight_decay : float
        λ, over all parameters w; 0 by default. With "sgd" and "adam" λ w joins the gradient, which
        is λ |w|² / 2 in the loss; with "adamw" weights shrink by learning_rate · λ a step, apart
        from the gradient.
    l1 : float
        λ of λ |w|_1 in the loss, over all parameters; 0 by default.
    input_noise : float
        Standard deviation of normal noise added to the inputs in training, before dropout;
        0 by default.
    order_penalty : OrderPenalty, or a sequence of one or None per member
        Joins the loss; none by default. It compares points of its own, as many as a batch has rows,
        drawn afresh at every step, and answers as they are at test time, without masks. Rules that
        look at the loss do not see it.
    stop : FirstRise, Tolerance or Patience, optional
        A rule that watches the training set needs `Samples`. Without one all steps are taken.
    snapshots : steps after which parameters are kept, from 0 to `steps`
    progress : called with the number of steps done since the last call

    Raises
    ------
    ValueError
        For unknown names, numbers that are negative, not finite or not as many as the members,
        snapshots outside the steps, and data or penalties that do not fit the ensemble. A
        member that diverges raises nothing: see `FitResult.reason`.

    Examples
    --------
    >>> import torch
    >>> from interactions import MLPEnsemble, Samples, fit
    >>> x = torch.linspace(-1, 1, 50)[:, None]
    >>> networks = MLPEnsemble((1, 16, 1), seeds=[0, 1])
    >>> fit(networks, Samples(x, x[:, 0] ** 2), steps=300, learning_rate=0.01).reason
    ['steps', 'steps']
    >>> bool(((networks(x) - x**2) ** 2).mean() < 0.01)
    True
    """
    if optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer must be one of {list(OPTIMIZERS)}, got {optimizer!r}")
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {list(LOSSES)}, got {loss!r}")
    if schedule not in SCHEDULES:
        raise ValueError(f"schedule must be one of {list(SCHEDULES)}, got {schedule!r}")
    if steps < 0:
        raise ValueError(f"steps must not be negative, got {steps}")
    if late := [s for s in snapshots if not 0 <= s <= steps]:
        raise ValueError(f"snapshots {late} lie outside the {steps} steps of training")
    if stop is not None and stop.watches == "training" and not isinstance(data, Samples):
        raise ValueError(f'"{stop.reason}" looks at the training set, and a Stream has none')
    with torch.no_grad():
        plan = _plan(
            ensemble,
            data,
            loss,
            Descent(
                optimizer,
                schedule,
                steps,
                learning_rate=_per_member("learning_rate", learning_rate, ensemble),
                weight_decay=_per_member("weight_decay", weight_decay, ensemble),
                l1=_per_member("l1", l1, ensemble),
            ),
            _per_member("input_noise", input_noise, ensemble),
            member_penalties(ensemble, order_penalty),
            stop,
        )
        parameters = ensemble.flat.detach()
        state = MemberState.start(
            parameters,
            moments=optimizer != "sgd",
            memory={} if stop is None else stop.start(parameters),
        )
        kept = {s: parameters.clone() for s in sorted(snapshots)}
        _train(plan, state, kept, progress)
        return _result(plan, state, kept)


def _plan(
    ensemble: MLPEnsemble,
    data: Samples | Stream | MaskedStream,
    loss: str,
    descent: Descent,
    input_noise: Tensor,
    penalties: MemberPenalties,
    rule: Rule | None,
) -> Plan:
    """What all blocks share, once the data are on the ensemble's device and fit the loss."""
    feed = data.feed(ensemble)
    if feed.masks_inputs and input_noise.any():
        raise ValueError("input noise comes before masks, and a MaskedStream's inputs have theirs")
    watched = None
    if rule is not None and rule.watches == "training":
        watched = feed
    elif isinstance(rule, Patience):
        watched = rule.validation.feed(ensemble)
    for samples in (feed, watched):
        if isinstance(samples, SampleFeed):
            check_targets(loss, samples.y, tuple(samples.x.shape[:-1]), ensemble.sizes[-1])
    return Plan(
        ensemble=ensemble,
        feed=feed,
        rows_per_step=data.rows_per_step,
        full_batch=isinstance(data, Samples) and data.batch_size is None,
        watched=watched,
        loss=loss,
        descent=descent,
        noise=InputNoise(ensemble, input_noise),
        penalties=penalties,
        rule=rule,
    )


def _train(
    plan: Plan,
    state: MemberState,
    snapshots: dict[int, Tensor],
    progress: Callable[[int], None] | None,
) -> None:
    """Take all steps, `CHECK_EVERY` at a time, and form blocks anew once many have stopped."""
    steps = plan.descent.steps
    blocks = cut_into_blocks(plan, state, range(plan.ensemble.members))
    for first in range(0, steps, CHECK_EVERY):
        done = min(first + CHECK_EVERY, steps)
        for block in blocks:
            block.train(first, done, snapshots)
        if progress is not None:
            progress(done - first)
        left = [i for block in blocks for i in block.running()]
        stopped = sum(len(block.members) for block in blocks) - len(left)
        # Moving members about costs little, recording a GPU's graphs anew more.
        if stopped > REGROUP * len(left):
            _write_back(blocks, state)
            # Members that leave their block hold their weights in all snapshots to come.
            for step, parameters in snapshots.items():
                if step > done:
                    parameters.copy_(state.parameters)
            blocks = cut_into_blocks(plan, state, left)
        if not left:
            break
    _write_back(blocks, state)


def _write_back(blocks: Sequence[Block], state: MemberState) -> None:
    """Copy the blocks' state to that of all members."""
    for block in blocks:
        state.write(block.index, block.state)


def _result(plan: Plan, state: MemberState, snapshots: dict[int, Tensor]) -> FitResult:
    """Say what became of every member; give it its best weights where the rule says so."""
    rule = plan.rule
    state.outcome[~torch.isfinite(state.parameters).all(dim=1)] = DIVERGED
    weights_from = state.taken.clone()
    if isinstance(rule, Patience) and rule.restore:
        weights_from = rule.restore_best(state.memory, state.parameters, state.taken)
    reasons = {RUNNING: "steps", DIVERGED: "diverged"}
    if rule is not None:
        reasons[STOPPED_BY_RULE] = rule.reason
    plan.ensemble.eval()
    return FitResult(
        steps=state.taken,
        reason=[reasons[o] for o in state.outcome.tolist()],
        snapshots=snapshots,
        weights_from=weights_from,
    )


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
