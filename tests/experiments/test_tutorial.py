"""The tutorial runs, and its page is what it makes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.tutorial import render

NUMBER = re.compile(r"-?\d[\d,]*\.?\d*(?:e-?\d+)?")


def test_cells_are_told_apart_and_stripped_of_their_marks() -> None:
    script = "# %% [markdown]\n# # A title\n#\n# text\n\n# %%\nprint(1)  # kept\n"
    assert list(render.cells(script)) == [
        (True, "# A title\n\ntext\n\n"),
        (False, "print(1)  # kept\n"),
    ]


def test_what_is_printed_and_drawn_stands_below_its_lines(tmp_path: Path) -> None:
    script = (
        "# %% [markdown]\n# text\n# %%\nx = 1\n# %%\nprint(x + 1)\n"
        "from matplotlib import pyplot\n_ = pyplot.plot([1, 2])\n"
    )
    page = render.page(script, tmp_path)
    assert page.startswith("text\n\n```python\nx = 1\n```\n\n```python\nprint(x + 1)")
    assert "```\n2\n```\n\n![what the lines above draw](picture-" in page
    (picture,) = tmp_path.glob("*.png")
    assert picture.name in page


@pytest.mark.slow
def test_the_page_is_what_the_tutorial_makes(tmp_path: Path) -> None:
    """Its words and code to the letter; numbers up to what training amplifies of rounding."""
    page = render.page(render.SCRIPT.read_text(encoding="utf-8"), tmp_path)
    stored = render.PAGE.read_text(encoding="utf-8")
    assert NUMBER.sub("0", page).split() == NUMBER.sub("0", stored).split()
    for name in re.findall(r"\((picture-\d+\.png)\)", stored):
        assert (render.FOLDER / name).is_file()
        assert (tmp_path / name).is_file()
