"""Weight decay beside dropout, at the same total variance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.questions import weight_decay
from experiments.running.context import Context

CONTEXT = Context(quiet=True)


def test_decay_is_compared_with_dropout_at_the_same_total_variance() -> None:
    """Halfway in the logarithm of the total, decay's share is halfway; beyond, unknown."""
    cells = [
        ("none", 0.0, 16.0, 0.2),
        ("coupled decay", 0.1, 1.0, 0.6),
        ("input dropout", 0.25, 4.0, 0.7),
        ("input dropout", 0.5, 0.5, 0.9),
    ]
    table = pd.DataFrame(
        [
            {"measure": "unbiased", "regularizer": kind, "strength": s, "repeat": 0}
            | {"order": order, "share": part, "variance": part * total}
            for kind, s, total, first in cells
            for order, part in (("1", first), (">1", 1 - first))
        ]
    )
    pairs = weight_decay.matched(table).set_index(["rate", "order"])
    assert pairs.loc[(0.25, "1"), "decay_share"] == pytest.approx(0.4)
    assert pairs.loc[(0.25, ">1"), "dropout_share"] == pytest.approx(0.3)
    assert np.isnan(pairs.loc[(0.5, "1"), "decay_share"])
    summary = weight_decay.summary(table).set_index(["measure", "strength"])
    assert summary.loc[("dropout - decay", 0.25), "1"] == pytest.approx(0.3)


def test_every_regularizer_is_trained_as_it_is_called() -> None:
    settings = replace(
        weight_decay.PRESETS["controlled", "tiny"],
        coupled=(0.1,),
        decoupled=(2.0,),
        activation=(0.25,),
        input=(0.5,),
    )
    cells = weight_decay._cells(settings)
    assert cells["adam"] == [
        ("none", 0.0),
        ("coupled decay", 0.1),
        ("activation dropout", 0.25),
        ("input dropout", 0.5),
    ]
    assert cells["adamw"] == [("decoupled decay", 2.0)]
    dropped = {name: weight_decay._dropout(name, 0.25) for name, _ in cells["adam"]}
    assert {n: (d.inputs, d.hidden) for n, d in dropped.items()} == {
        "none": (0.0, 0.0),
        "coupled decay": (0.0, 0.0),
        "activation dropout": (0.0, 0.25),
        "input dropout": (0.25, 0.0),
    }
    shards = weight_decay.shards(settings)
    assert [weight_decay._cells(s) for s in shards] == [
        {"adam": [cells["adam"][0]]},
        {"adam": [cells["adam"][1]]},
        {"adamw": cells["adamw"]},
        {"adam": [cells["adam"][2]]},
        {"adam": [cells["adam"][3]]},
    ]


def test_enough_decay_leaves_nothing_of_what_was_learned_and_less_than_no_decay() -> None:
    settings = replace(
        weight_decay.PRESETS["controlled", "tiny"], coupled=(100.0,), steps=300, repeats=1
    )
    rows = weight_decay.summary(weight_decay.run(settings, CONTEXT))
    totals = rows.set_index(["regularizer", "strength"])["total"]
    assert totals["coupled decay", 100.0] < 0.1 * totals["none", 0.0]


def test_a_loss_of_half_the_size_is_coupled_decay_of_twice_the_strength() -> None:
    """And nothing to decoupled decay."""
    tiny = replace(weight_decay.PRESETS["controlled", "tiny"], activation=(), input=())
    tiny = replace(tiny, coupled=(0.5,), decoupled=(50.0,), plain=False, repeats=1, steps=100)
    one = weight_decay.run(replace(tiny, coupled=(1.0,)), CONTEXT)
    half = weight_decay.run(replace(tiny, loss_scale=0.5), CONTEXT)
    other = weight_decay.run(tiny, CONTEXT)
    np.testing.assert_allclose(half["variance"], one["variance"], rtol=1e-4)
    coupled = (half["regularizer"] == "coupled decay").to_numpy()
    assert (half["variance"] != other["variance"])[coupled].all()
    np.testing.assert_allclose(half["variance"][~coupled], other["variance"][~coupled], rtol=1e-4)
