"""Questions are found by looking in the folder, and outlined without being imported."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

from experiments import discovery
from experiments.errors import UserError

ROOT = Path(__file__).parents[2]


def test_every_file_in_the_folder_is_a_question_with_a_figure() -> None:
    files = {p.stem for p in (ROOT / "experiments" / "questions").glob("*.py")} - {"__init__"}
    assert set(discovery.NAMES) == files
    assert len(discovery.NAMES) == len(files)
    assert discovery.NAMES[:3] == discovery.HEADLINE
    for name in files:
        assert (ROOT / "figures" / f"{name}.py").is_file()


@pytest.mark.parametrize("name", discovery.NAMES)
def test_the_outline_is_what_the_module_says(name: str) -> None:
    question, outline = discovery.load(name), discovery.outline(name)
    assert outline.asks == question.QUESTION
    assert outline.presets == tuple(question.PRESETS)
    assert all(isinstance(s, question.Settings) for s in question.PRESETS.values())
    assert callable(discovery.load_figure(name).draw)


def test_the_protocol_meant_where_none_is_named_comes_first() -> None:
    assert discovery.outline("pure_noise").protocols == ["released", "text", "controlled", "sgd"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('QUESTION = "Why?"\nPRESETS: dict = {("b", "x"): 1, ("a", "x"): 2}', ["b", "a"]),
        ('QUESTION = "Why?"', None),
        ('QUESTION = "Why?"\nPRESETS = dict(a=1)', None),
        ('QUESTION = "Why?"\nPRESETS = {("a", preset): 1 for preset in ("x", "y")}', None),
        ('QUESTION = "Why?"\nPRESETS = {**OTHERS, ("a", "x"): 1}', None),
        ('QUESTION = ask()\nPRESETS = {("a", "x"): 1}', None),
    ],
)
def test_a_source_must_write_out_what_it_asks_and_its_presets(
    source, expected, tmp_path, monkeypatch
) -> None:
    (tmp_path / "mine.py").write_text(source)
    monkeypatch.setattr(discovery, "FOLDER", tmp_path)
    monkeypatch.setattr(discovery, "NAMES", ("mine",))
    if expected is None:
        with pytest.raises(ValueError, match=r"mine\.py must write out QUESTION"):
            discovery.outline("mine")
    else:
        assert discovery.outline("mine").protocols == expected


@pytest.mark.parametrize("find", [discovery.outline, discovery.load, discovery.load_figure])
def test_an_unknown_name_is_answered_with_the_nearest(find) -> None:
    with pytest.raises(UserError, match=r"'decay-law'; did you mean 'decay_law'\?"):
        find("decay-law")
    with pytest.raises(UserError, match="unknown experiment 'zzz': choose from decay_law"):
        find("zzz")


def test_a_module_that_lacks_a_part_is_refused(monkeypatch, toy) -> None:
    assert isinstance(discovery.load("toy"), discovery.Sharded)
    monkeypatch.delattr(toy, "shards")
    assert not isinstance(discovery.load("toy"), discovery.Sharded)
    monkeypatch.delattr(toy, "summary")
    with pytest.raises(TypeError, match="must have QUESTION, Settings, PRESETS, run and summary"):
        discovery.load("toy")
    monkeypatch.setitem(sys.modules, "figures.toy", ModuleType("figures.toy"))
    with pytest.raises(TypeError, match="must have draw"):
        discovery.load_figure("toy")
