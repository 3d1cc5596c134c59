"""Masks: their rates, their independence, and their streams."""

from __future__ import annotations

import numpy as np
import torch

from interactions.networks import masks
from interactions.networks.masks import MaskStreams

CPU = torch.device("cpu")


def test_rates_are_those_asked_for_per_member_and_layer() -> None:
    rates = np.array([[0.0, 0.1], [0.5, 0.75]])
    streams = MaskStreams(rates, [1, 2], CPU)
    for layer in (0, 1):
        kept = streams.draw(layer, 1000, 33).float().mean(dim=(1, 2)).numpy()
        error = np.sqrt(rates[:, layer] * (1 - rates[:, layer]) / 33_000)
        assert np.all(np.abs(kept - (1 - rates[:, layer])) <= 4.5 * error)


def test_units_are_dropped_independently() -> None:
    mask = MaskStreams(np.array([[0.3]]), [0], CPU).draw(0, 20_000, 8)[0].double()
    correlation = np.corrcoef(mask.T.numpy()) - np.eye(8)
    assert np.abs(correlation).max() < 4.5 / np.sqrt(20_000)
    along = np.corrcoef(mask[:-1].flatten(), mask[1:].flatten())[0, 1]
    assert abs(along) < 4.5 / np.sqrt(160_000)


def test_what_a_member_draws_does_not_depend_on_its_neighbours() -> None:
    alone = MaskStreams(np.array([[0.5, 0.25]]), [7], CPU)
    beside = MaskStreams(np.array([[0.1, 0.0], [0.5, 0.25], [0.9, 0.9]]), [3, 7, 9], CPU)
    for layer in (0, 1, 0):
        assert torch.equal(alone.draw(layer, 10, 5)[0], beside.draw(layer, 10, 5)[1])


def test_a_layer_without_dropout_draws_nothing() -> None:
    streams = MaskStreams(np.array([[0.0, 0.5]]), [0], CPU)
    assert streams.draw(0, 4, 4) is None
    fresh = MaskStreams(np.array([[0.0, 0.5]]), [0], CPU)
    assert torch.equal(streams.draw(1, 4, 4), fresh.draw(1, 4, 4))


def test_masks_drawn_at_once_are_those_drawn_one_by_one() -> None:
    rates = np.array([[0.5, 0.25], [0.0, 0.9]])
    once, single = (MaskStreams(rates, [1, 2], CPU) for _ in range(2))
    for layer in (0, 1):
        ahead = once.bits(layer, 3, 5, masks=4, members=[1, 0])
        assert ahead.shape == (4, 2, 3, 5)
        for bits in ahead:
            drawn = single.draw(layer, 3, 5)
            assert torch.equal((bits <= once.limits(layer, [1, 0])).flip(0), drawn)


def test_a_rate_near_one_drops_nearly_all() -> None:
    mask = MaskStreams(np.array([[1 - 1e-9]]), [0], CPU).draw(0, 1000, 100)
    assert mask.float().mean() < 1e-3


def test_bits_of_steps_are_the_bits_of_one_step_after_another(monkeypatch) -> None:
    rates, widths = np.array([[0.5, 0.25], [0.0, 0.9]]), (3, 5)
    ahead, single = (MaskStreams(rates, [1, 2], CPU) for _ in range(2))
    # Two steps are drawn at once, so the last draw of five is of one step.
    monkeypatch.setitem(masks.AHEAD, "cpu", 2 * 4 * max(widths))
    drawn = list(ahead.bits_of_steps(4, widths, steps=5, members=[0, 1]))
    assert len(drawn) == 5
    for step in drawn:
        for layer, width in enumerate(widths):
            (wanted,) = single.bits(layer, 4, width, masks=1, members=[0, 1])
            assert torch.equal(step[layer], wanted)


def test_layers_draw_from_streams_of_their_own() -> None:
    streams = MaskStreams(np.array([[0.5, 0.5]]), [7], CPU)
    assert not torch.equal(streams.draw(0, 20, 5), streams.draw(1, 20, 5))
