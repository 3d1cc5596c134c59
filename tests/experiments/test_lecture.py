"""The lecture, row by row: what each shows is seen at three standard errors, on the right side."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments.errors import UserError
from experiments.lecture import penalties
from experiments.lecture.rows import ROWS, chosen, show, write_page
from experiments.lecture.shown import Effect, over_repeats, points
from experiments.running.context import Context
from figures import lecture as figure

PAGE = (Path(__file__).parents[2] / "experiments" / "lecture" / "README.md").read_text()
INSTANT = ("L2", "L7")


@pytest.mark.parametrize(
    ("value", "sign", "error", "seen"),
    [
        (0.31, 1, 0.1, True),
        (0.29, 1, 0.1, False),
        (-0.31, -1, 0.1, True),
        (-0.31, 1, 0.1, False),
        (0.29, 0, 0.1, True),
        (-0.31, 0, 0.1, False),
        (1e-12, 0, 0.0, True),
        (1e-12, 1, 0.0, False),
        (np.nan, 1, 0.1, False),
        (np.nan, 0, 0.1, False),
        (0.3, 1, np.nan, False),
    ],
)
def test_an_effect_is_seen_at_three_errors_on_its_side(value, sign, error, seen) -> None:
    assert Effect("x", value, sign, error).is_seen == seen


def test_errors_are_those_of_the_mean_over_repeats() -> None:
    effect = over_repeats("x", [1.0, 2.0, 3.0, 4.0], 1)
    assert (effect.value, effect.error) == pytest.approx((2.5, np.sqrt(5 / 3) / 2))
    assert str(effect) == "x: 2.5 ± 0.65, 3.9 standard errors from 0"
    table = pd.DataFrame({"s": "a", "at": [0, 0, 1, 1], "v": [1.0, 3.0, 5.0, 5.0]})
    found = points(table, "s", "at", "v")
    assert found["y"].tolist() == [2.0, 5.0]
    assert found["error"].tolist() == [1.0, 0.0]


@pytest.mark.parametrize(
    "name",
    [name if name in INSTANT else pytest.param(name, marks=pytest.mark.slow) for name in ROWS],
)
def test_what_a_row_shows_is_seen(name: str, tmp_path: Path, capsys) -> None:
    shown = show(name, tmp_path, Context(quiet=True))
    assert shown.is_seen, capsys.readouterr().out
    assert (tmp_path / "lecture" / f"{name}.png").stat().st_size > 10_000
    said = capsys.readouterr().out
    assert said.startswith(f"{name}: ")
    assert len(re.findall(r"[.:] [A-Z]|\.\n", said)) >= 2


def test_an_effect_that_is_not_seen_is_told(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(penalties, "DECAY", 0.0)
    shown = show("L7", tmp_path, Context(quiet=True))
    assert not shown.is_seen
    assert "NOT as it should be" in capsys.readouterr().out
    page = write_page({"L7": shown}, tmp_path).read_text()
    assert "![L7: " in page
    assert page.count("NOT as it should be") == 1


def test_rows_are_asked_for_by_name() -> None:
    assert chosen(["l3", "L12"]) == ["L3", "L12"]
    assert chosen([]) == list(ROWS)
    with pytest.raises(UserError, match=r"no row 'L13'.*choose from L1 to L12"):
        chosen(["L13"])


def test_the_page_has_every_row() -> None:
    rows = re.findall(r"^\| ((?:L\d+(?:, )?)+) \|", PAGE, re.MULTILINE)
    assert sorted(", ".join(rows).split(", ")) == sorted(ROWS)


def test_lines_are_drawn_as_they_are_told() -> None:
    shown = penalties.weight_decay(Context(quiet=True))
    (ax,) = figure.draw("title", shown.panes).axes
    lines = {c.get_label(): c.lines[0].get_ydata() for c in ax.containers}
    told = shown.panes[0].points
    for name, line in lines.items():
        np.testing.assert_array_equal(line, told.loc[told["series"] == name, "y"])
    assert len(lines) == told["series"].nunique() == 5
