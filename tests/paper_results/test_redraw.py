"""Stored runs are drawn anew from their tables, and nothing else of them changes."""

from __future__ import annotations

import io
import shutil
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from experiments import discovery
from experiments.running.bound import SUMS, DamagedError, bind, verified
from experiments.running.stored import check, runs_in
from paper_results import STORED
from paper_results.bind import bind_all
from paper_results.redraw import redraw_all

DRAWN, SWEPT, OLD = (
    "decay_law-controlled-quick",
    "regularizers-controlled-paper-sweep",
    "surviving_effects-controlled-paper",
)


class Square:
    """A figure that draws a square under another name than before."""

    @staticmethod
    def draw(table) -> dict[str, Figure]:
        assert len(table)
        return {"square": Figure(figsize=(1, 1))}


class Old:
    """A figure that misses a column."""

    @staticmethod
    def draw(table) -> dict[str, Figure]:
        return {"old": table["a column of today"]}


@pytest.fixture
def copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in (DRAWN, SWEPT, OLD):
        shutil.copytree(STORED / name, tmp_path / name)
    shutil.copy(STORED / "README.md", tmp_path)
    bind_all(tmp_path)
    figures = {"decay_law": Square, "surviving_effects": Old}
    monkeypatch.setattr(discovery, "load_figure", figures.__getitem__)
    return tmp_path


def test_pictures_are_drawn_anew_and_the_rest_stays_bound(copy: Path, capsys) -> None:
    before = {run.folder.name: verified(run.folder) for run in runs_in(copy)}
    (failed,) = redraw_all(copy)
    check(copy)
    after = {run.folder.name: verified(run.folder) for run in runs_in(copy)}
    assert before[SWEPT] == after[SWEPT]
    assert before[OLD] == after[OLD]
    assert failed.startswith(f"{OLD} (KeyError('a column of today')): run it again, python -m")
    picture = after[DRAWN].pop("square.png")
    assert Image.open(io.BytesIO(picture)).size[0] > 10
    assert before[DRAWN].pop("decay_law.png")
    assert before[DRAWN] == after[DRAWN]
    assert {path.name for path in (copy / DRAWN).iterdir()} == {*after[DRAWN], "square.png", SUMS}
    assert capsys.readouterr().out == f"{DRAWN}: square.png\n"


def test_pictures_are_of_the_formats_that_lay_there(copy: Path) -> None:
    bind(copy / DRAWN, verified(copy / DRAWN) | {"decay_law.pdf": b"drawn"})
    bind_all(copy)
    redraw_all(copy)
    found = {name for name in verified(copy / DRAWN) if name.startswith("square")}
    assert found == {"square.png", "square.pdf"}


def test_nothing_is_drawn_where_a_run_is_damaged(copy: Path) -> None:
    table = copy / OLD / "table.csv"
    table.write_bytes(table.read_bytes() + b"1")
    before = verified(copy / DRAWN)
    with pytest.raises(DamagedError, match=OLD):
        redraw_all(copy)
    assert verified(copy / DRAWN) == before
