"""Pictures are drawn and packed when what they show has changed, and only then."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from experiments.errors import UserError
from paper_results.report import pictures
from paper_results.report.pictures import Drawing, Picture, packed_in

POINTS = pd.DataFrame({"x": [0.0, 1.0], "name": ["a", "b"]})


def drawer() -> tuple[Callable[..., Figure], list[int]]:
    """What draws a line, and a list as long as the number of times it did."""
    times: list[int] = []

    def draw(points: pd.DataFrame, *others: object) -> Figure:
        times.append(len(others))
        figure = Figure(figsize=(1, 1))
        figure.subplots().plot(points["x"])
        return figure

    return draw, times


def test_what_lies_there_already_is_not_drawn_again(tmp_path: Path) -> None:
    draw, times = drawer()
    first = Drawing("line", "a line", draw, (POINTS,)).put(tmp_path)
    before = first.file.read_bytes()
    Drawing("line", "a line", draw, (POINTS.copy(),)).put(tmp_path)
    assert len(times) == 1
    assert first.file.read_bytes() == before


@pytest.mark.parametrize(
    "other",
    [
        {"tables": (POINTS.assign(x=[0.0, 1.0 + 1e-15]),)},
        {"tables": (POINTS.assign(name=["a", "c"]),)},
        {"tables": (POINTS.rename(columns={"name": "names"}),)},
        {"tables": (POINTS, POINTS)},
        {"options": ("bars",)},
    ],
    ids=["a number", "a word", "a column", "another table", "another look"],
)
def test_any_change_in_what_it_shows_draws_it_anew(other, tmp_path: Path) -> None:
    draw, times = drawer()
    told = {"tables": (POINTS,), "options": ()}
    for made_from in (told, told | other):
        Drawing("line", "a line", draw, **made_from).put(tmp_path)
    assert len(times) == 2


def test_other_source_that_draws_draws_anew(tmp_path: Path, monkeypatch) -> None:
    draw, times = drawer()
    drawing = Drawing("line", "a line", draw, (POINTS,))
    drawing.put(tmp_path)
    monkeypatch.setattr(pictures, "_drawing_source", lambda: b"another")
    drawing.put(tmp_path)
    assert len(times) == 2


def test_a_file_that_is_no_picture_is_drawn_over(tmp_path: Path) -> None:
    (tmp_path / "line.png").write_bytes(b"damaged")
    picture = Drawing("line", "a line", drawer()[0], (POINTS,)).put(tmp_path)
    assert picture.packed().startswith("data:image/webp;base64,")


def test_the_same_numbers_give_the_same_file(tmp_path: Path) -> None:
    files = []
    for name in ("one", "two"):
        folder = tmp_path / name
        folder.mkdir()
        files.append(
            Drawing("line", "a line", drawer()[0], (POINTS,)).put(folder).file.read_bytes()
        )
    assert files[0] == files[1]


def test_a_page_tells_what_it_holds_by_the_sum_of_its_file(tmp_path: Path) -> None:
    picture = Drawing("line", "a line", drawer()[0], (POINTS,)).put(tmp_path)
    page = tmp_path / "report.html"
    assert packed_in(page) == {}
    page.write_text(f'<img data-of="{picture.sum}" src="{picture.packed()}" alt="a line">')
    assert packed_in(page) == {picture.sum: picture.packed()}


def test_a_run_whose_picture_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.png").write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"run\.png is not a picture .*: run it again"):
        Picture("run", "a run", tmp_path / "run.png").packed()
