"""The source a shard is named by: editing one question leaves the shards of all others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments import discovery
from experiments.running import source
from experiments.running.shards import split
from experiments.running.source import source_hash, sources

ROOT = source.ROOT


def test_the_source_is_that_of_the_experiment_and_all_it_imports(tmp_path, monkeypatch) -> None:
    for name, content in {
        "experiments/__init__.py": "",
        "experiments/questions/__init__.py": "",
        "experiments/questions/one.py": "from interactions import f\nfrom ..shared import g\n",
        "experiments/questions/two.py": "import interactions.deep\n",
        "experiments/shared.py": "from . import data\n",
        "experiments/data.py": "x = 1\n",
        "interactions/__init__.py": "from .deep import f\n",
        "interactions/deep.py": "import torch\ndef f(): ...\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(source, "ROOT", tmp_path)

    def hashes() -> dict[str, str]:
        return {name: source_hash.__wrapped__(name) for name in ("one", "two")}

    def changed(file: str) -> set[str]:
        before = hashes()
        with (tmp_path / file).open("a") as opened:
            opened.write("y = 2\n")
        after = hashes()
        return {name for name in before if before[name] != after[name]}

    assert changed("experiments/questions/one.py") == {"one"}
    assert changed("experiments/data.py") == {"one"}
    assert changed("interactions/deep.py") == {"one", "two"}
    (tmp_path / "experiments/questions/three.py").write_text("")
    assert hashes() == hashes()
    assert changed("experiments/questions/__init__.py") == {"one", "two"}


@pytest.mark.parametrize("name", discovery.NAMES)
def test_a_question_rests_on_the_library_and_what_questions_share_alone(name: str) -> None:
    own = f"experiments.questions.{name}"
    shared = {"experiments", "experiments.questions"}
    shared |= {f"experiments.{room}" for room in ("data_sets", "errors", "tasks")}
    running = {f"experiments.running.{room}" for room in ("context", "data", "store")}
    running |= {f"experiments.running.{room}" for room in ("documents", "download")}
    for module in sources(name).keys() - {own, *shared, "experiments.running", *running}:
        assert module.split(".")[0] == "interactions", f"{name} rests on {module}"


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The tree that shards are named by, to be edited."""
    for package in ("experiments", "interactions", "figures", "paper_results"):
        for path in (ROOT / package).rglob("*.py"):
            to = tmp_path / path.relative_to(ROOT)
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
    monkeypatch.setattr(source, "ROOT", tmp_path)
    yield tmp_path
    source_hash.cache_clear()


def shard_names() -> dict[str, list[str]]:
    """Of every question's default protocol, by the source as it is now."""
    source_hash.cache_clear()
    out = {}
    for name in discovery.NAMES:
        settings = next(iter(discovery.load(name).PRESETS.values()))
        out[name] = [shard.name for shard in split(name, settings, seed=0)]
    return out


def test_a_comment_in_a_question_renames_the_shards_of_that_question_alone(copy: Path) -> None:
    before = shard_names()
    for edited in discovery.NAMES:
        with (copy / "experiments" / "questions" / f"{edited}.py").open("a") as file:
            file.write("# A comment.\n")
        after = shard_names()
        assert {name for name in before if before[name] != after[name]} == {edited}
        assert not set(before[edited]) & set(after[edited])
        before = after


def test_what_shows_judges_or_schedules_renames_none_and_the_library_all(copy: Path) -> None:
    before = shard_names()
    for path in ("figures/style.py", "paper_results/__init__.py", "experiments/running/runs.py"):
        with (copy / path).open("a") as file:
            file.write("# A comment.\n")
    assert shard_names() == before
    with (copy / "interactions" / "spectrum.py").open("a") as file:
        file.write("# A comment.\n")
    after = shard_names()
    assert all(not set(before[name]) & set(after[name]) for name in before)
