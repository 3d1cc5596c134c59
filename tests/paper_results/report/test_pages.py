"""The report's pages: everything named, every picture there, and no network needed."""

from __future__ import annotations

import html
import io
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure
from PIL import Image

from paper_results import STORED
from paper_results.evidence import items
from paper_results.evidence.estimates import Estimate
from paper_results.report import pages, pictures


def dot(points, look: str, *, beside=()) -> Figure:
    """In place of a figure's drawing, which takes most of the time a report takes."""
    return Figure(figsize=(0.2, 0.2))


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory, verdicts) -> tuple[pages.Report, Path]:
    """The report on the stored runs, its pictures dots, and the folder it was written to."""
    folder = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pages, "judge", lambda claim, folders: verdicts[claim.name])
        patch.setattr(pages, "draw", dot)
        patch.setattr(pages.verdicts_figure, "draw", lambda rows: dot(rows, ""))
        patch.setattr(pictures, "WIDEST", 8)
        content = pages.build([STORED])
        pages.write(content, folder)
    return content, folder


class Links(HTMLParser):
    """Collects what a page refers to, and the tags it leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [v for name, v in attrs if name in ("src", "href") and v is not None]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_the_page_needs_no_network(written) -> None:
    _, folder = written
    page = Links()
    text = (folder / "report.html").read_text()
    page.feed(text)
    assert page.open == []
    assert len(page.links) > 20
    assert all(link.startswith(("data:image/webp;base64,", "#")) for link in page.links)
    assert not re.search(r"@import|url\(|<script|<link", text)


def test_both_texts_name_every_item_claim_and_contradiction(written) -> None:
    content, folder = written
    assert len(content.claims) == 11
    assert len(content.findings) == 14
    for name in ("REPORT.md", "report.html"):
        text = (folder / name).read_text()
        for item in items.ALL:
            assert f"{item.name}: {item.title}" in text
        for verdict in content.verdicts:
            assert verdict.text in html.unescape(text)
            assert re.search(rf"\b{verdict.claim.name}\b", text)


def test_what_has_not_been_run_says_how_to_run_it(tmp_path: Path, monkeypatch) -> None:
    """Without any runs only what was published is left."""
    (item,) = (item for item in items.ALL if item.name == "Fig 5")
    monkeypatch.setattr(pages, "draw", dot)
    section = pages._section(item, [tmp_path])
    missing = [shown.missing for shown in section.shown]
    assert missing[1] == (
        "not run: python -m experiments run pure_noise --protocol text --preset paper"
    )
    pages.write(pages.Report((section,), ()), tmp_path)
    for name in ("REPORT.md", "report.html"):
        text = html.unescape((tmp_path / name).read_text())
        assert all(reason in text for reason in missing)


def test_what_is_stored_leaves_nothing_to_run(written) -> None:
    content, _ = written
    assert not [shown.missing for s in content.sections for shown in s.shown if not shown.run]


def test_pictures_named_in_the_markdown_are_there(written) -> None:
    _, folder = written
    named = re.findall(r"!\[.*?\]\((.*?)\)", (folder / "REPORT.md").read_text())
    assert len(named) >= 12
    assert all((folder / name).is_file() for name in named)


def test_rows_of_a_markdown_table_have_as_many_cells_as_its_head(written) -> None:
    _, folder = written
    head = None
    for line in (folder / "REPORT.md").read_text().splitlines():
        if not line.startswith("|"):
            head = None
            continue
        cells = line.count("|")
        head = head or cells
        assert cells == head, line


def test_stored_noise_networks_are_laid_beside_every_published_bar(written) -> None:
    content, _ = written
    section = next(s for s in content.sections if s.item.name == "Fig 5")
    (released,) = (s for s in section.shown if s.protocol == "released")
    for _, found in released.agreements:
        assert found.compared == found.published > 70


def test_an_item_is_drawn_as_published_and_as_ours_alike(tmp_path: Path) -> None:
    (item,) = (item for item in items.ALL if item.name == "Table C.1")
    section = pages._section(replace(item, protocols=("released",)), [STORED])
    ours, published = (d.put(tmp_path) for d in (section.shown[0].picture, section.published))
    assert ours.file == tmp_path / "table_c1-released.png"
    assert ours.sum != published.sum
    sizes = {
        Image.open(io.BytesIO(picture.file.read_bytes())).size for picture in (ours, published)
    }
    assert len(sizes) == 1
    assert min(sizes.pop()) > 400


def test_numbers_have_three_digits_and_errors_where_there_are_any() -> None:
    assert [pages.number(v) for v in (0.0, 0.12345, 12345.0, 1e-4, None, float("nan"))] == [
        "0",
        "0.123",
        "1.2e+04",
        "1.0e-04",
        "–",
        "–",
    ]
    assert pages.error(Estimate(1.0, 0.25, 4)) == "± 0.25"
    assert pages.error(Estimate(1.0, 0.0)) == ""
    assert pages.error(Estimate(1.0, 0.0, 5)) == "± 0"
    assert pages.error(Estimate(1.0, float("nan"), 1)) == "± unknown"


def test_the_page_that_is_stored_is_what_the_stored_runs_give(written) -> None:
    """From what they measured alone; where pictures lie is a matter of the folder."""

    def told(folder: Path) -> list[str]:
        lines = (folder / "REPORT.md").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith("![")]

    _, folder = written
    assert told(folder) == told(pages.RESULTS)


def test_the_pages_open_with_the_answer_and_a_line_for_each_claim(written) -> None:
    content, folder = written
    first, picture, head, _, *table = (
        line for line in (folder / "REPORT.md").read_text().splitlines()[1:20] if line
    )
    assert first == pages.escaping.for_markdown(content.answer)
    assert picture.startswith("![")
    assert "verdicts.png" in picture
    assert head.startswith("| | claim | verdict |")
    assert [line.split("|")[1].strip(" *") for line in table[:11]] == [
        f"C{k}" for k in range(1, 12)
    ]
    for line, verdict in zip(table, content.claims, strict=False):
        assert verdict.text in html.unescape(line)
        assert verdict.deciding.rests_on in line


def test_there_is_a_line_for_every_verdict_with_its_number(written) -> None:
    content, _ = written
    lines = pages.lines(content)
    assert [name for name, _, _ in lines] == [v.claim.name for v in content.verdicts]
    _, kind, text = lines[0]
    assert kind == "holds"
    assert re.fullmatch(r"effects of order k .*: 1 ± \S+, n = 32 \(draw of masks\)", text)


def test_every_step_is_told_of(tmp_path) -> None:
    said: list[str] = []
    content = pages.build([tmp_path], said.append)
    pages.write(content, tmp_path / "out", said.append)
    assert len(said) == pages.steps()
    assert said[0] == "reading the runs"
    assert said[-1] == "drawing and writing report.html"
