"""What is stored is what was written: any digit changed anywhere is noticed, and named."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

import pytest

from experiments.__main__ import app
from experiments.errors import UserError
from experiments.running.bound import SUMS, DamagedError, bound_names, is_bound, verified
from experiments.running.stored import check, runs_in
from paper_results import STORED, bind
from paper_results.report import pages

TRIES = 500


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(shutil.copytree(STORED, tmp_path_factory.mktemp("copy") / "reproduced"))


def test_all_that_is_stored_is_bound_and_whole() -> None:
    check(STORED)
    folders = sorted(path for path in STORED.iterdir() if path.is_dir())
    assert len(runs_in(STORED)) == len(folders) > 30
    assert set(bound_names(STORED)) == {"README.md", *(f"{p.name}/{SUMS}" for p in folders)}
    for folder in folders:
        assert is_bound(folder)
        assert {*bound_names(folder), SUMS} == {path.name for path in folder.iterdir()}


def changed(content: bytes, random: Random) -> bytes:
    """With a digit, or where there is none another byte, made another."""
    places = (random.randrange(len(content)) for _ in range(10_000))
    at = next((i for i in places if content[i] in b"0123456789"), len(content) // 2)
    other = random.choice([b for b in b"0123456789" if b != content[at]])
    return content[:at] + bytes([other]) + content[at + 1 :]


def test_every_digit_changed_and_every_table_cut_is_named(copy: Path) -> None:
    random = Random(TRIES)
    files = sorted(path for path in copy.rglob("*") if path.is_file())
    tables = [path for path in files if path.name.startswith("table.csv")]
    whole = {path: path.read_bytes() for path in files}
    tried = [(random.choice(files), "digit") for _ in range(TRIES)]
    for path, kind in [*tried, *((path, "cut") for path in tables)]:
        content = whole[path]
        path.write_bytes(
            changed(content, random) if kind == "digit" else content[: len(content) // 2]
        )
        with pytest.raises(DamagedError) as noticed:
            verified(path.parent)
        # A sum that was changed speaks against the file it is of.
        assert path.name in str(noticed.value) or path.name == SUMS
        path.write_bytes(content)
    check(copy)


@pytest.mark.parametrize("name", ["table.csv", "record.json", "decay_law.png", SUMS, "README.md"])
@pytest.mark.parametrize("command", ["report", "status", "report of mine"])
def test_report_and_status_name_what_is_damaged(
    name, command, copy, monkeypatch, tmp_path, capsys
) -> None:
    monkeypatch.setattr("paper_results.STORED", copy)
    monkeypatch.setattr(pages, "RESULTS", tmp_path)
    path = copy / name if name == "README.md" else copy / "decay_law-controlled-paper" / name
    content = path.read_bytes()
    path.write_bytes(changed(content, Random(1)))
    arguments = {
        "report": ["report"],
        "status": ["status", "--out", str(copy)],
        "report of mine": ["report", "--out", str(tmp_path)],
    }
    try:
        with pytest.raises(UserError, match=path.parent.name) as noticed:
            app(arguments[command], standalone_mode=False)
    finally:
        path.write_bytes(content)
    assert noticed.value.status != 0
    assert path.name in str(noticed.value) or name == SUMS
    assert not list(tmp_path.iterdir())


def test_a_stored_run_taken_away_is_missed(copy: Path) -> None:
    folder = copy / "decay_law-controlled-quick"
    folder.rename(copy.parent / "aside")
    with pytest.raises(DamagedError, match=r"decay_law-controlled-quick.* is missing"):
        check(copy)
    (copy.parent / "aside").rename(folder)


def test_what_is_changed_on_purpose_is_bound_anew(copy: Path) -> None:
    path = copy / "decay_law-controlled-quick" / "record.json"
    content = path.read_bytes()
    path.write_bytes(content.replace(b'"seed": 0', b'"seed": 1'))
    bind.bind_all(copy)
    check(copy)
    path.write_bytes(content)
    bind.bind_all(copy)
    assert (copy / SUMS).read_bytes() == (STORED / SUMS).read_bytes()
