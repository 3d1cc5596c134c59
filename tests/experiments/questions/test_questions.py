"""Every question answers in a tidy table, from its seed alone, as do its shards."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pandas as pd
import pytest
import torch

from experiments import discovery
from experiments.running.context import Context
from experiments.running.data import MODEL_VARIABLE

NEED_DATA = ("bike_share", "newsgroups", "digits", "vision")
KEYS = ("part", "sense", "quantity", "target", "placement", "order", "noise", "rate", "repeat")
KEYS += ("depth", "layer", "masks", "steps", "epoch")
RUNS = [(n, protocol) for n in discovery.NAMES for protocol in discovery.outline(n).protocols]
# Digits measure 784 inputs, which takes minutes: that a seed repeats is seen on the others too.
# Of vision the part that draws, training, is repeated by tests of its own.
REPEATED = [
    pytest.param(n, marks=pytest.mark.slow) if n in ("digits", "vision") else n
    for n in discovery.NAMES
]
SHARDED = [n for n in discovery.NAMES if isinstance(discovery.load(n), discovery.Sharded)]


@pytest.fixture
def context(name: str, request: pytest.FixtureRequest, monkeypatch) -> Context:
    """Of a question; tests of those that need data or a model skip where there is none."""
    if name == "language_model":
        monkeypatch.setenv(MODEL_VARIABLE, str(request.getfixturevalue("minilm")))
    data_dir = request.getfixturevalue("data_dir") if name in NEED_DATA else None
    return Context(data_dir=data_dir, quiet=True)


@pytest.fixture(scope="module")
def tiny() -> Callable[[str, str, Context], pd.DataFrame]:
    """The table of a tiny preset, computed once for all tests of it."""

    @cache
    def run(name: str, protocol: str, context: Context) -> pd.DataFrame:
        module = discovery.load(name)
        return module.run(module.PRESETS[protocol, "tiny"], context)

    return run


@pytest.mark.parametrize(("name", "protocol"), RUNS)
def test_every_question_runs_under_every_protocol_and_is_drawn(
    name: str, protocol: str, context: Context, tiny
) -> None:
    table = tiny(name, protocol, context)
    assert len(table) > 0
    assert len(discovery.load(name).summary(table)) > 0
    figures = discovery.load_figure(name).draw(table)
    assert next(iter(figures)) == name


@pytest.mark.parametrize(("name", "protocol"), RUNS)
def test_what_a_run_leaves_is_what_it_measured(
    name: str, protocol: str, context: Context, tiny
) -> None:
    table = tiny(name, protocol, context)
    named = [column for column in table if "published" in column or column.startswith("log_")]
    assert not named
    if "quantity" in table:
        assert not table["quantity"].astype(str).str.contains("published").any()


@pytest.mark.parametrize("name", REPEATED)
def test_a_seed_gives_the_same_table_whatever_was_drawn_before(
    name: str, context: Context, tiny
) -> None:
    module, protocol = discovery.load(name), discovery.outline(name).protocols[0]
    first = tiny(name, protocol, context)
    torch.rand(3), np.random.rand(3)
    again = module.run(module.PRESETS[protocol, "tiny"], context)
    pd.testing.assert_frame_equal(again, first, check_exact=True)


@pytest.mark.parametrize("name", SHARDED)
def test_the_table_of_a_run_is_that_of_its_shards(name: str, context: Context, tiny) -> None:
    """To rounding, which training amplifies, and sampling that stops elsewhere."""
    module, protocol = discovery.load(name), discovery.outline(name).protocols[0]
    whole = tiny(name, protocol, context)
    shards = module.shards(module.PRESETS[protocol, "tiny"])
    assert len(shards) > 1
    table = pd.concat([module.run(part, context) for part in shards], ignore_index=True)
    keys = [c for c in KEYS if c in whole.columns]
    ours, theirs = (t[keys].sort_values(keys, ignore_index=True) for t in (table, whole))
    pd.testing.assert_frame_equal(ours, theirs)
    if name == "decay_law":
        pd.testing.assert_frame_equal(table, whole)


@pytest.mark.parametrize(("name", "protocol"), RUNS)
def test_every_protocol_has_three_presets(name: str, protocol: str) -> None:
    presets = [preset for of, preset in discovery.outline(name).presets if of == protocol]
    assert presets == ["tiny", "quick", "paper"]
