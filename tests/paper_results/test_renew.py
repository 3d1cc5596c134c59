"""Pages tell what the stored tables give, to the last digit that is printed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paper_results import renew
from paper_results.told.digits import found, renewed

ROOT = Path(__file__).parents[2]
BLOCKS = {
    f"{page.relative_to(ROOT)}, {block[1]}": block[0]
    for page in renew.PAGES
    for block in renew.BLOCK.finditer(page.read_text(encoding="utf-8"))
}


def as_a_page(block: str) -> str:
    return f"<!-- numbers: {block}\n<!-- end -->"


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_says_what_the_stored_tables_give(block: str) -> None:
    page = as_a_page(BLOCKS[block])
    assert renew.renewed(page) == page


def test_every_marked_block_is_one() -> None:
    marks = sum(page.read_text(encoding="utf-8").count("<!-- numbers") for page in renew.PAGES)
    assert marks == len(BLOCKS) == 8


def test_a_stale_number_is_put_right_and_nothing_else() -> None:
    page = as_a_page(
        "results -->\n| what | ours |\n|---|---|\n| Fig 3, x | 2.05e6 | .1e6 (to 1e-8) |"
    )
    assert "| Fig 3, x | 1.05e6 | 1.0e6 (to 8e-8) |" in renew.renewed(page)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("results -->\n|---|\n| Fig 99 | .5 |", "nothing computes the row"),
        ("results -->\n|---|\n| Fig 3 | .5 |", "has the numbers"),
        ("verdicts -->\n|---|\n| C1 | .5 |", "has the numbers"),
        ("nothing -->\nof .5", "nothing computes the numbers of 'nothing': choose from"),
    ],
)
def test_what_nothing_computes_is_refused(block: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        renew.renewed(as_a_page(block))


def test_numbers_are_found_without_what_says_where_they_were_taken() -> None:
    cell = "law (1-r)^k: .50 at r = .25, .5, order 3: -.013 ± .012, 63% of 1.05e6; (to 8e-8)"
    numbers = [number[0] for number in found(cell)]
    assert numbers == [".50", "-.013", ".012", "63%", "1.05e6", "8e-8"]


def test_numbers_are_put_in_to_the_digits_that_stand_there() -> None:
    cell = ".12 -.013 .500 0.50 63% 1.05e6 8e-8 .98"
    values = [0.1251, 0.0131, -0.0001, -0.25, 0.625, 1.0551e6, 7.6e-8, 1.0]
    assert renewed(cell, values) == ".13 .013 .000 -0.25 62% 1.06e6 8e-8 1.00"
    with pytest.raises(ValueError, match="has the numbers"):
        renewed(".5", [])


VERDICT = re.compile(r"^\| (C\d+) [^|]* \| ([^|]*) \|$", re.MULTILINE)


@pytest.mark.parametrize("page", [ROOT / "README.md", ROOT / "paper_results" / "README.md"])
def test_verdicts_are_those_of_the_report(page: Path) -> None:
    """As far as one word says: holds, does not, only if, open."""
    report = (ROOT / "paper_results" / "REPORT.md").read_text(encoding="utf-8")
    told = dict(
        re.findall(r"^\| \*\*(C\d+)\*\* \| [^|]* \| \*\*(.*?)\*\* \|", report, re.MULTILINE)
    )
    verdicts = dict(VERDICT.findall(page.read_text(encoding="utf-8")))
    assert len(verdicts) == len(told) == 11
    for claim, verdict in verdicts.items():
        kind = told[claim].replace("not run", "open")
        word = "only" if " only if " in kind else kind.split(";")[0]
        assert word in verdict, (claim, kind)


def test_the_front_page_names_no_number_in_its_verdicts() -> None:
    verdicts = VERDICT.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    assert not [verdict for _, verdict in verdicts if found(verdict)]
