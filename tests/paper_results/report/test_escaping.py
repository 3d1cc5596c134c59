"""Whatever a record, a table or a folder says is shown letter by letter, and does nothing."""

from __future__ import annotations

import html
import re
import shlex
from pathlib import Path

import pytest

from experiments.running.stored import Run, Wanted
from paper_results.evidence import items
from paper_results.report import escaping, pages

EVIL = "</code><script>alert(1)</script> | `rm -rf ~` $(reboot)\n\x1b[2J ![x](http://x) \u202e"


@pytest.fixture
def written(tmp_path: Path) -> dict[str, str]:
    """Both pages on one item, whose run says evil in everything that it says."""
    record = {
        "experiment": "decay_law",
        "protocol": EVIL,
        "preset": EVIL,
        "settings": {"sines": [EVIL, 2], EVIL: EVIL},
        "grid": [EVIL],
        "seeds": [EVIL],
        "device": EVIL,
        "commit": EVIL,
        "seconds": 60.0,
    }
    run = Run(tmp_path / EVIL.replace("/", ""), record)
    shown = [
        pages.Shown("controlled", run, "", EVIL),
        pages.Shown("controlled", None, EVIL),
        pages.Shown("controlled", None, Wanted("decay_law", "controlled").missing()),
    ]
    section = pages.Section(items.ALL[0], None, tuple(shown))
    pages.write(pages.Report((section,), ()), tmp_path)
    return {name: (tmp_path / name).read_text() for name in ("REPORT.md", "report.html")}


def test_no_page_holds_what_would_act(written) -> None:
    for text in written.values():
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "<script" not in written["report.html"]


def test_html_shows_what_was_said(written) -> None:
    text = html.unescape(written["report.html"])
    assert "<script>alert(1)</script> | `rm -rf ~` $(reboot)\\n\\x1b[2J" in text


def test_markdown_keeps_its_rows_and_shows_code_as_code(written) -> None:
    rows = [line for line in written["REPORT.md"].splitlines() if line.startswith("| controlled")]
    assert len(rows) == 3
    for row in rows:
        assert len(re.findall(r"(?<!\\)\|", row)) == 9, row
        # Outside of code no tag, no picture and no code of its own.
        outside = re.sub(r"(?<!\\)(`+) .*? \1(?!`)|(?<!\\)`[^`]*`", "", row)
        assert not re.search(r"<\w|(?<!\\)[`\[]", outside), outside
    assert "not run: python -m experiments" in rows[2]


@pytest.mark.parametrize("text", ["a", "`", "a``b", "a|b", "`a`", "\x1b`"])
def test_code_is_fenced_by_more_than_it_holds(text: str) -> None:
    shown = str(escaping.code(text))
    fence = re.match("`+", shown)[0]
    assert shown.endswith(fence)
    inner = shown[len(fence) : -len(fence)]
    assert len(fence) not in {len(run) for run in re.findall("`+", inner)}
    assert not re.search(r"(?<!\\)\|", inner)


def test_names_and_numbers_are_as_they_were() -> None:
    for text in ("pure_noise, V_k", "(1-r)^k", "-0.5 ± 1e-05", "x > 0", "about ~3", "Fig 1: ok!"):
        assert escaping.for_markdown(text) == text
    for value in (3, None, 0.5):
        assert escaping.for_markdown(value) is value
        assert escaping.for_html(value) is value
    assert escaping.for_markdown("a_b _c_ *d* <e> ~~f~~") == r"a_b \_c\_ \*d\* &lt;e> \~\~f\~\~"
    assert escaping.link("a b/(c).png") == "a%20b/%28c%29.png"


def test_a_command_is_typed_as_words_whatever_they_hold() -> None:
    """As a shell reads it: a word for each thing said, and no other command."""
    named = {"experiment": "decay_law", "protocol": EVIL, "preset": "x; reboot", "seed": EVIL}
    changed = {"protocol": "controlled", "preset": "quick", "settings": {"sines": [EVIL]}}
    for record, said in (
        (named | {"settings": {}}, ["--protocol", EVIL, "--preset", "x; reboot"]),
        (named | changed, ["--protocol", "controlled", "--preset", "quick", "--set"]),
    ):
        command = Run(Path(), record).command
        words = shlex.split(command)
        assert words[:5] == ["python", "-m", "experiments", "run", "decay_law"]
        assert words[5 : 5 + len(said)] == said
        assert words[-2:] == ["--seed", EVIL]
        if "sines" in record["settings"]:
            assert words[10] == f"sines={EVIL},"
        parts = shlex.shlex(command, posix=False, punctuation_chars=True)
        assert not {";", "|", "&", "(", ")", "<", ">"} & set(parts)
