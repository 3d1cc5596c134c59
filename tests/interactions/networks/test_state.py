"""The state of some members is a copy, and is written back to their rows alone."""

from __future__ import annotations

import pytest
import torch

from interactions import Samples, Tolerance
from interactions.networks.state import RUNNING, MemberState
from interactions.networks.stopping import Patience

RULES = {
    "none": None,
    "tolerance": Tolerance(0.1, of="loss"),
    "patience": Patience(Samples(torch.zeros(2, 1), torch.zeros(2)), 1),
}


@pytest.mark.parametrize("moments", [True, False])
@pytest.mark.parametrize("rule", list(RULES))
def test_rows_are_copied_out_changed_and_written_back(rule, moments) -> None:
    parameters = torch.arange(12.0).reshape(4, 3)
    memory = {} if RULES[rule] is None else RULES[rule].start(parameters)
    state = MemberState.start(parameters, moments=moments, memory=memory)
    assert (state.outcome == RUNNING).all()
    assert (state.moments is None) == (not moments)
    index = torch.tensor([3, 1])
    part = state.rows(index)
    tensors = [part.parameters, part.taken, part.outcome, *part.memory.values()]
    for values in (*tensors, *(part.moments or ())):
        assert len(values) == 2
        values.fill_(1)
    assert torch.equal(state.parameters, torch.arange(12.0).reshape(4, 3))
    state.write(index, part)
    own = [state.parameters, state.taken, state.outcome, *state.memory.values()]
    fresh = MemberState.start(
        torch.arange(12.0).reshape(4, 3),
        moments=moments,
        memory={} if RULES[rule] is None else RULES[rule].start(torch.arange(12.0).reshape(4, 3)),
    )
    untouched = [fresh.parameters, fresh.taken, fresh.outcome, *fresh.memory.values()]
    own += list(state.moments or ())
    untouched += list(fresh.moments or ())
    for values, before in zip(own, untouched, strict=True):
        assert (values[index] == 1).all()
        assert torch.equal(values[[0, 2]], before[[0, 2]])
