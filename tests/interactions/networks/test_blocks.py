"""Members are trained in blocks, and which block a member is in changes nothing."""

from __future__ import annotations

import math

import pytest
import torch

from interactions import Dropout, FirstRise, MLPEnsemble, Samples, fit
from interactions.networks import blocks, training

GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(40, 4, generator=GENERATOR, dtype=torch.float64)
Y = torch.randn(40, generator=GENERATOR, dtype=torch.float64)


def ensemble(seeds, dropout) -> MLPEnsemble:
    return MLPEnsemble((4, 8, 6, 1), seeds=seeds, dropout=dropout, dtype=torch.float64)


def cuts_of(monkeypatch, net: MLPEnsemble, **options) -> list[list[list[int]]]:
    """The members of every block, each time that blocks are formed while a network trains."""
    cuts = []

    def spy(*arguments):
        made = blocks.cut_into_blocks(*arguments)
        cuts.append([block.members for block in made])
        return made

    monkeypatch.setattr(training, "cut_into_blocks", spy)
    fit(net, Samples(X, Y), **{"steps": 1} | options)
    return cuts


def test_blocks_hold_each_member_once_and_those_that_draw_nothing_apart(monkeypatch) -> None:
    drops = [Dropout(0.1), Dropout(), Dropout(hidden=0.2), Dropout(), Dropout(), Dropout(0.1)]
    noise = [0.0, 0.0, 0.0, 0.5, 0.0, 0.0]
    net = ensemble(range(6), drops)
    assert cuts_of(monkeypatch, net, input_noise=noise) == [[[0, 2, 3, 5], [1, 4]]]
    # A member needs 8 bytes for 40 rows of 19 units and for its 101 parameters: 6,888 bytes.
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 3 * 6888)
    assert cuts_of(monkeypatch, net, input_noise=noise) == [[[0, 2], [3, 5], [1, 4]]]
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 3 * 6888 - 1)
    assert cuts_of(monkeypatch, ensemble(range(3), Dropout())) == [[[0, 1], [2]]]


def test_members_that_have_stopped_are_taken_out(monkeypatch) -> None:
    monkeypatch.setattr(training, "CHECK_EVERY", 10)
    net = ensemble(range(12), Dropout(0.1, 0.2))
    cuts = cuts_of(monkeypatch, net, steps=60, learning_rate=0.02, stop=FirstRise(every=5))
    sizes = [sum(map(len, cut)) for cut in cuts]
    assert sizes[0] == 12
    assert len(sizes) > 2
    assert sizes == sorted(set(sizes), reverse=True)


@pytest.mark.parametrize("bytes_per_block", [1, 2**14, 2**30])
def test_how_members_are_cut_into_blocks_does_not_matter(bytes_per_block, monkeypatch) -> None:
    whole, cut = (ensemble(range(7), Dropout(0.25, 0.5)) for _ in range(2))
    fit(whole, Samples(X, Y, batch_size=7), steps=100)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", bytes_per_block)
    fit(cut, Samples(X, Y, batch_size=7), steps=100)
    assert ((whole.flat - cut.flat).norm() / whole.flat.norm()).item() < 1e-9


@pytest.mark.parametrize("batch_size", [None, 16])
def test_taking_out_stopped_members_changes_no_result(batch_size, monkeypatch) -> None:
    """The first members to stop are the same bit for bit, later ones up to rounding."""
    data, drop = Samples(X, Y, batch_size), Dropout(0.1, 0.2)
    options = {"steps": 100, "learning_rate": 0.02, "snapshots": range(0, 101, 10)}
    without, taken_out = (ensemble(range(12), drop) for _ in range(2))
    monkeypatch.setattr(training, "REGROUP", math.inf)
    monkeypatch.setattr(training, "CHECK_EVERY", 10)
    expected = fit(without, data, stop=FirstRise(every=5), **options)
    monkeypatch.setattr(training, "REGROUP", 0)
    result = fit(taken_out, data, stop=FirstRise(every=5), **options)
    assert torch.equal(result.steps, expected.steps)
    assert result.reason == expected.reason
    assert len(set(result.steps.tolist())) > 2
    first = result.steps <= 10 * math.ceil(result.steps.min() / 10)
    assert 0 < first.sum() < 12
    assert torch.equal(taken_out.flat[first], without.flat[first])
    assert ((taken_out.flat - without.flat).norm() / without.flat.norm()).item() < 1e-9
    for step, kept in result.snapshots.items():
        assert ((kept - expected.snapshots[step]).norm() / kept.norm()).item() < 1e-9


def test_a_look_at_the_training_set_is_the_next_steps_forward_pass(monkeypatch) -> None:
    """Without anything random a rule costs nothing: a loss of its own is never computed."""

    def refuse(_self):
        raise AssertionError("the loss was computed apart")

    monkeypatch.setattr(blocks.Block, "_watched_loss", refuse)
    stop = FirstRise()
    fit(ensemble(range(3), Dropout()), Samples(X, Y), steps=40, stop=stop)
    for drop, data, options in (
        (Dropout(0.1), Samples(X, Y), {}),
        (Dropout(), Samples(X, Y, batch_size=8), {}),
        (Dropout(), Samples(X, Y), {"input_noise": 0.1}),
    ):
        with pytest.raises(AssertionError, match="computed apart"):
            fit(ensemble(range(3), drop), data, steps=2, stop=stop, **options)


@pytest.mark.parametrize("rows_at_once", [1, 7, 40])
def test_how_many_rows_a_look_takes_at_once_does_not_matter(rows_at_once, monkeypatch) -> None:
    whole, pieces = (ensemble(range(3), Dropout(0.1, 0.2, "classic")) for _ in range(2))
    data, stop = Samples(X, Y, batch_size=16, sizes=[40, 20, 1]), FirstRise(every=3)
    expected = fit(whole, data, steps=60, learning_rate=0.02, stop=stop)
    monkeypatch.setattr(blocks, "EVAL_ROWS", rows_at_once)
    result = fit(pieces, data, steps=60, learning_rate=0.02, stop=stop)
    assert torch.equal(result.steps, expected.steps)
    assert torch.equal(pieces.flat, whole.flat)


def test_a_forward_pass_done_ahead_outlives_no_turn_of_another_block(monkeypatch) -> None:
    """Blocks share memory for a step, so what one left there is gone at its next turn."""
    whole, cut = (ensemble(range(4), Dropout()) for _ in range(2))
    stop = FirstRise()
    expected = fit(whole, Samples(X, Y), steps=80, stop=stop)
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 1)
    result = fit(cut, Samples(X, Y), steps=80, stop=stop)
    assert torch.equal(result.steps, expected.steps)
    assert ((whole.flat - cut.flat).norm() / whole.flat.norm()).item() < 1e-9
