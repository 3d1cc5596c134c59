"""Settings and files: what is read is checked, what is written is whole."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.running import store
from experiments.running.context import Context
from experiments.running.settings import change, choose


@dataclass(frozen=True)
class Example:
    rates: tuple[float, ...] = (0.0, 0.5)
    names: tuple[str, ...] = ("a",)
    width: int = 3
    noise: float = 1.0
    fast: bool = True


def test_assignments_change_fields_of_every_type() -> None:
    changed = change(
        Example(), ["rates=0,0.25,0.75", "names=b,c", "width=7", "noise=2", "fast=False"]
    )
    assert changed == Example((0.0, 0.25, 0.75), ("b", "c"), 7, 2.0, False)
    assert change(Example(), ["rates=0.5"]).rates == (0.5,)
    assert change(Example(), ["names=b,", "rates=0.5,"]) == Example(names=("b",), rates=(0.5,))
    assert all(isinstance(r, float) for r in changed.rates)


@pytest.mark.parametrize("text", ["width=2.5", "rates=a,b", "noise=much", "fast=1", "names=1"])
def test_values_of_another_type_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected something like"):
        change(Example(), [text])


def test_the_first_protocol_is_the_default() -> None:
    presets = {("a", "quick"): 1, ("a", "paper"): 2, ("b", "quick"): 3}
    assert choose(presets, protocol=None, preset="paper") == ("a", 2)
    assert choose(presets, protocol="b", preset="quick") == ("b", 3)


def test_repeats_of_different_run_seeds_share_no_seed() -> None:
    assert not set(Context(seed=0).seeds(1000)) & set(Context(seed=1).seeds(1000))


def test_a_full_disk_is_named_and_keeps_what_was_there(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "table.csv"
    store.write_whole(path, "old")

    def full(path, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(store, "write_synced", full)
    with pytest.raises(UserError, match=r"No space left on device.*untouched"):
        store.write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
