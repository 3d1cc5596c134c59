"""Batches: every epoch visits every row once, each member in its own order."""

from __future__ import annotations

import math
from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from interactions import MLPEnsemble, Samples, Stream, Uniform
from interactions.planted import Product

NET = MLPEnsemble((2, 1), seeds=[0, 1, 2], dtype=torch.float64)
X = torch.arange(40.0)[:, None].expand(40, 2)


def rows_of(batch, member: int) -> list[int]:
    """The rows a batch holds, which their values name; those that fill up have weight 0."""
    inside = batch.weight[member, :, 0] > 0
    assert torch.equal(batch.x[member, :, 0], batch.y[member, :, 0])
    assert batch.weight[member].sum().item() == pytest.approx(1)
    return batch.x[member, inside, 0].int().tolist()


def test_every_epoch_goes_through_the_whole_set_in_smaller_last_batches() -> None:
    data = Samples(X, torch.arange(40.0), batch_size=7)
    assert data.steps_per_epoch == 6
    batches = list(data.feed(NET).batches(range(3), 12))
    orders = {}
    for member in range(3):
        for epoch in range(2):
            seen = [rows_of(b, member) for b in batches[6 * epoch : 6 * epoch + 6]]
            assert [len(rows) for rows in seen] == [7] * 5 + [5]
            orders[member, epoch] = list(chain(*seen))
            assert sorted(orders[member, epoch]) == list(range(40))
    assert len({tuple(order) for order in orders.values()}) == 6


@given(
    size=st.integers(1, 40),
    batch_size=st.integers(1, 50),
    pieces=st.lists(st.integers(1, 9), min_size=1, max_size=5),
)
def test_batches_do_not_depend_on_how_they_are_asked_for_nor_on_neighbours(
    size, batch_size, pieces
) -> None:
    data = Samples(X, torch.arange(40.0), batch_size, sizes=[40, size, 1])
    whole = list(data.feed(NET).batches(range(3), sum(pieces)))
    feed = data.feed(NET)
    cut = [batch for piece in pieces for batch in feed.batches([1], piece)]
    assert [rows_of(b, 0) for b in cut] == [rows_of(b, 1) for b in whole]
    epoch = list(chain(*(rows_of(b, 0) for b in cut[: math.ceil(size / batch_size)])))
    assert set(epoch) <= set(range(size))
    assert len(set(epoch)) == len(epoch)


def test_the_full_batch_is_every_step_the_same() -> None:
    first, second = Samples(X, X[:, 0]).feed(NET).batches(range(3), 2)
    assert first.x.shape == (40, 2)
    assert first.y.shape == (40, 1)
    assert first.weight == 1 / 40
    assert torch.equal(first.x, second.x)


def test_integer_labels_stay_integers() -> None:
    labels = torch.arange(40) % 3
    (batch,) = Samples(X, labels, batch_size=8).feed(NET).batches([0, 2], 1)
    assert batch.y.dtype == torch.long
    assert torch.equal(batch.y, batch.x[..., 0].long() % 3)


def test_a_stream_draws_fresh_points_and_noise_of_each_members_own() -> None:
    stream = Stream(Uniform(-1.0, 1.0, dim=2), Product((0, 1)), 5000, noise=0.5)
    first, second = stream.feed(NET).batches(range(3), 2)
    assert first.x.shape == (3, 5000, 2)
    assert not torch.equal(first.x, second.x)
    assert not torch.equal(first.x[0], first.x[1])
    noise = first.y[..., 0] - first.x[..., 0] * first.x[..., 1]
    assert (noise.std(dim=1) - 0.5).abs().max() < 4.5 * 0.5 / 10_000**0.5
    (alone,) = stream.feed(NET).batches([1], 1)
    assert torch.equal(alone.x[0], first.x[1])
    assert torch.equal(alone.y[0], first.y[1])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Samples(X, X[:-1, 0]), r"x \[n, d\] and y \[n\]"),
        (lambda: Samples(X[:, 0], X[:, 0]), r"x \[n, d\] and y \[n\]"),
        (lambda: Samples(X, X[:, 0] * math.nan), "NaN or infinite values in y"),
        (lambda: Samples(X, X[:, 0], batch_size=0), "positive"),
        (lambda: Samples(X, X[:, 0], sizes=[3, 41]), "between 1 and 40"),
        (lambda: Stream(Uniform(-1.0, 1.0, dim=2), Product((0,)), 0), "batch_size must be"),
        (lambda: Stream(Uniform(-1.0, 1.0, dim=2), Product((0,)), 4, noise=-0.1), "noise must be"),
    ],
)
def test_bad_samples_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
