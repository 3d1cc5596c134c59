"""A report is left as it is where nothing that it is made from has changed, and only there."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.running.bound import DamagedError, bind
from paper_results.report import unchanged

LINES = [("C1", "holds", "effects survive: 1 ± 0.1, n = 5 (draw)")]


@pytest.fixture
def kept(tmp_path: Path) -> tuple[Path, Path]:
    """A folder of a run, and one with a report made from it."""
    runs, out = tmp_path / "runs", tmp_path / "out"
    (runs / "a run").mkdir(parents=True)
    bind(runs / "a run", {"table.csv": b"1"})
    (out / "pictures").mkdir(parents=True)
    files = [out / "REPORT.md", out / "pictures" / "a.png"]
    for file in files:
        file.write_text("as written")
    unchanged.keep(LINES, [runs], out, files)
    return runs, out


def test_what_is_kept_is_told_again(kept) -> None:
    runs, out = kept
    assert unchanged.told([runs], out) == unchanged.Kept(LINES, [out / "REPORT.md"])


def another_run(runs: Path, out: Path) -> None:
    (runs / "another").mkdir()
    bind(runs / "another", {"table.csv": b"1"})


def another_table(runs: Path, out: Path) -> None:
    bind(runs / "a run", {"table.csv": b"2"})


def another_page(runs: Path, out: Path) -> None:
    (out / "REPORT.md").write_text("edited")


def no_picture(runs: Path, out: Path) -> None:
    (out / "pictures" / "a.png").unlink()


def no_json(runs: Path, out: Path) -> None:
    (out / unchanged.KEPT).write_text("[]")


@pytest.mark.parametrize("change", [another_run, another_table, another_page, no_picture, no_json])
def test_any_change_is_noticed(change, kept) -> None:
    change(*kept)
    runs, out = kept
    assert unchanged.told([runs], out) is None


@pytest.mark.parametrize("name", ["figures/style.py", "paper_results/published/fig1.csv"])
def test_source_and_what_was_published_count(name, kept, monkeypatch, tmp_path) -> None:
    runs, out = kept
    before = unchanged.made_from([runs], out)
    for package in unchanged.PACKAGES:
        (tmp_path / "root" / package).mkdir(parents=True)
    monkeypatch.setattr(unchanged, "ROOT", tmp_path / "root")
    without = unchanged.made_from([runs], out)
    place = tmp_path / "root" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text("")
    assert len({before, without, unchanged.made_from([runs], out)}) == 3


def test_a_damaged_run_is_named(kept) -> None:
    runs, out = kept
    (runs / "a run" / "table.csv").write_text("3")
    with pytest.raises(DamagedError, match=r"table\.csv is not what was written"):
        unchanged.told([runs], out)
