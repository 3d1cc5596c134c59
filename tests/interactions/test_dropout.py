"""Masks: their rates, their independence, and their streams."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interactions import Dropout, MLPEnsemble
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


@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_the_mean_training_answer_of_a_linear_network_is_its_eval_answer(kind: str) -> None:
    """Inverted scales up in training, classic scales down at test time: both balance."""
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    net = MLPEnsemble((6, 1), seeds=[3], dropout=Dropout(0.4, kind=kind), dtype=torch.float64)
    with torch.no_grad():
        net.train()
        draws = torch.stack([net(x) for _ in range(4000)])
        expected = net.eval()(x)
    error = draws.std(dim=0) / 4000**0.5
    assert error.min() > 0
    assert ((draws.mean(dim=0) - expected).abs() <= 4.5 * error).all()


def test_classic_answers_are_one_minus_r_times_inverted_ones_at_test_time() -> None:
    x = torch.ones(2, 6)
    inverted, classic = (
        MLPEnsemble((6, 1), seeds=[3], dropout=Dropout(0.4, kind=kind)).eval()(x)
        for kind in ("inverted", "classic")
    )
    torch.testing.assert_close(classic, 0.6 * inverted)


def test_eval_is_deterministic_and_training_is_not() -> None:
    net = MLPEnsemble((3, 8, 1), seeds=[0], dropout=Dropout(0.5, 0.5))
    x = torch.ones(5, 3)
    net.eval()
    assert torch.equal(net(x), net(x))
    net.train()
    assert not torch.equal(net(x), net(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dropout(1.0), r"\[0, 1\)"),
        (lambda: Dropout(0.1, (0.2, -0.1)), r"\[0, 1\)"),
        (lambda: Dropout(0.1, kind="gaussian"), "inverted"),
        (lambda: Dropout(hidden=(0.1, 0.2)).rates(3), "3 hidden layers"),
    ],
)
def test_bad_rates_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
