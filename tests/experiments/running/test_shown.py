"""What is told of a run before it computes: fields, presets, times, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments import discovery
from experiments.errors import UserError
from experiments.running.plans import Plan
from experiments.running.settings import Kind, described
from experiments.running.shown import WIDTH, dry, left, show, took


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*"))


@pytest.fixture
def two_presets(toy, monkeypatch):
    usual = toy.PRESETS["controlled", "quick"]
    many = tuple(range(100, 150))
    presets = toy.PRESETS | {("controlled", "paper"): replace(usual, scale=3.0, cells=many)}
    monkeypatch.setattr(toy, "PRESETS", presets | {("released", "quick"): usual})
    return toy


def test_fields_are_shown_with_their_values_and_what_they_take(two_presets, tmp_path) -> None:
    shown = show("toy", None, "quick", [tmp_path])
    lines = shown.splitlines()
    assert lines[:2] == ["toy: What is a normal draw?", "  protocols: controlled, released"]
    assert "  cells  0,1,2,3  (whole numbers in [0, 999])" in lines
    assert "  scale  1.0  (number in [-1e9, 1e9])" in lines
    assert "  fails  none  (whole numbers in [0, 999], or none)" in lines
    assert "  quick: no run of it is stored; as above" in lines
    assert "  paper: no run of it is stored; " in shown
    assert "scale=3.0" in shown
    assert max(map(len, lines)) <= WIDTH
    other = show("toy", "controlled", "paper", [tmp_path])
    assert "  scale  3.0  (number in [-1e9, 1e9])" in other.splitlines()
    assert "cells=0,1,2,3" in other
    assert show("toy", "released", "quick", []).count("no run of it is stored") == 1


def test_every_kind_of_field_is_described() -> None:
    assert described(Kind(bool)) == "True or False"
    assert described(Kind(str, among=("a", "b"))) == "text: a, b"
    assert described(Kind(float, True, 2, "[0, 1)")) == "2 numbers in [0, 1)"


def test_what_is_unknown_is_refused_as_by_run(toy) -> None:
    with pytest.raises(UserError, match="unknown experiment 'tyo'; did you mean 'toy'"):
        show("tyo", None, "quick", [])
    with pytest.raises(UserError, match="preset 'papr' is not one of"):
        show("toy", None, "papr", [])


def test_a_dry_run_tells_what_is_missing_and_writes_nothing(toy, invoke, tmp_path, capsys) -> None:
    out = tmp_path / "out"
    invoke("run", "toy", "--dry-run", "--out", out, "--set", "scale=2.0")
    shown = capsys.readouterr().out
    assert "  settings: scale=2.0\n" in shown
    assert "of 4 shards 0 done, 4 missing\n" in shown
    assert f"would be left in {out / 'toy-controlled-quick-scale=2.0'}" in shown
    assert shown.rstrip().endswith("nothing was computed or written")
    assert not out.exists()
    assert toy.ran == []
    invoke("run", "toy", "--out", out, "--set", "cells=0,1")
    before = files(out)
    toy.ran.clear()
    capsys.readouterr()
    invoke("run", "toy", "--dry-run", "--out", out)
    shown = capsys.readouterr().out
    assert "of 4 shards 2 done, 2 missing, about 0 s of computing left" in shown
    assert "missing, cells=2" in shown
    assert "missing, cells=0" not in shown
    assert files(out) == before
    assert toy.ran == []


def test_times_are_those_of_finished_runs_as_the_preset_is_first(
    toy, invoke, tmp_path, monkeypatch
) -> None:
    wanted = ("toy", "controlled", "quick")
    assert took(*wanted, [tmp_path / "none"]) == "no run of it is stored"
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    invoke("run", "toy", "--out", mine, "--set", "scale=2.0")
    assert took(*wanted, [mine]).startswith("0 s of computing on ")
    assert took(*wanted, [mine]).endswith(", with other settings")
    invoke("run", "toy", "--out", theirs)
    assert not took(*wanted, [mine, theirs]).endswith("settings")
    assert took("toy", "controlled", "paper", [mine, theirs]) == "no run of it is stored"
    plan = Plan(*wanted, discovery.load("toy").PRESETS[wanted[1:]], (7,))
    assert "; 0 s of computing on " in dry(plan, tmp_path / "new", None, [theirs])
    two = [wanted[:2], ("toy", "released")]
    assert left(two, "quick", [theirs]) == (
        ": about 0 s of computing to go, and 1 of unknown length"
    )
    assert left(two[:1], "quick", [theirs]) == ": about 0 s of computing to go"
    assert left(two, "paper", [theirs]) == ""
