"""Networks fit to pure noise: what is measured, when, and by which measure."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.questions import pure_noise
from experiments.running.context import Context

CONTEXT = Context(quiet=True)


def test_noise_networks_are_measured_at_every_look() -> None:
    """A look earlier in a longer training is the end of a shorter one."""
    tiny = replace(pure_noise.PRESETS["controlled", "tiny"], also_after=())
    short = pure_noise.run(tiny, CONTEXT)
    long = pure_noise.run(replace(tiny, steps=40, also_after=(20,)), CONTEXT)
    assert set(long["after"]) == {20, 40}
    early = long[long["after"] == 20].reset_index(drop=True)
    assert (early["steps"] == 20).all()
    np.testing.assert_allclose(early["variance"], short["variance"], rtol=1e-4, atol=1e-6)


def test_the_summary_has_means_over_repeats_and_totals_over_orders() -> None:
    key = {
        "rule": "equal steps",
        "width": 8,
        "measure": "unbiased",
        "after": 9,
        "placement": "none",
        "rate": 0.0,
    }
    table = pd.DataFrame(
        [
            key
            | {"repeat": i, "order": k, "share": share, "variance": total * share, "steps": 5 + i}
            for i, (total, first) in enumerate(((2.0, 0.2), (6.0, 0.6)))
            for k, share in (("1", first), (">1", 1 - first))
        ]
    )
    (row,) = pure_noise.summary(table).to_dict("records")
    assert row["1"] == pytest.approx(0.4)
    assert row["1_error"] == pytest.approx(0.2)
    assert (row["total"], row["total_error"]) == pytest.approx((4.0, 2.0))
    assert row["steps"] == 5.5


def test_networks_without_dropout_are_a_shard_of_their_own() -> None:
    settings = replace(
        pure_noise.CONTROLLED, placements=("input", "both"), rates=(0.0, 0.5), widths=(8,)
    )
    shards = [(s.placements, s.rates) for s in pure_noise.shards(settings)]
    assert shards == [((), (0.0,)), (("input",), (0.5,)), (("both",), (0.5,))]


def test_shards_are_those_of_the_published_rule_first() -> None:
    shards = pure_noise.shards(replace(pure_noise.RELEASED, rates=(0.0, 0.5)))
    assert [(*s.rules, *s.widths) for s in shards[::4]] == [
        (rule, width) for rule in ("equal steps", "first rise") for width in (32, 128)
    ]


def test_boosted_trees_see_the_data_set_of_every_network() -> None:
    pytest.importorskip("xgboost")
    settings = replace(
        pure_noise.PRESETS["text", "tiny"],
        boosted_trees=True,
        samples=50,
        train_samples=50,
        placements=(),
        rates=(0.0,),
    )
    (both,), (alone,) = (
        [t[t["measure"] == "released"] for t in [pure_noise.run(s, CONTEXT)]]
        for s in (settings, replace(settings, repeats=1))
    )
    trees = both.pivot_table("variance", "repeat", "order")
    np.testing.assert_allclose(trees.loc[0], alone.set_index("order")["variance"], rtol=1e-4)
    assert (trees.loc[0] != trees.loc[1]).all()
    assert both["method"].str.contains("exact").all()


def test_what_the_first_rise_stops_is_what_as_many_equal_steps_train() -> None:
    tiny = replace(
        pure_noise.PRESETS["released", "tiny"], placements=("both",), rates=(0.5,), repeats=1
    )
    risen = pure_noise.run(replace(tiny, rules=("first rise",), max_steps=400), CONTEXT)
    (steps,) = set(risen["steps"])
    assert 1 < steps < 400
    equal = pure_noise.run(replace(tiny, rules=("equal steps",), steps=steps), CONTEXT)
    assert set(equal["steps"]) == {steps}
    np.testing.assert_allclose(risen["variance"], equal["variance"], rtol=1e-4, atol=1e-6)
