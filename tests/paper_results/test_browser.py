"""In a browser, wide and narrow, pages are quiet, ask no network, and fit the screen."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

from paper_results import STORED

BROWSE = Path(__file__).with_name("browse.py")
PAGES = ("explorer.html", "report.html")


@pytest.fixture(scope="module")
def browser() -> None:
    """Skips where there is no browser, or none that starts."""
    if importlib.util.find_spec("PyQt6") is None:
        pytest.skip("no browser: pip install PyQt6-WebEngine")
    tried = [sys.executable, "-c", "from PyQt6 import QtWebEngineWidgets"]
    said = subprocess.run(tried, capture_output=True, text=True, check=False)
    if said.returncode:
        pytest.skip(f"the browser does not start: {said.stderr.strip().splitlines()[-1]}")


def seen(page: Path, width: int) -> dict:
    asked = [sys.executable, str(BROWSE), str(page), str(width)]
    run = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=180)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout.splitlines()[-1])


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("width", [1280, 400])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_quiet_asks_no_network_and_is_no_wider_than_the_screen(
    page: str, width: int
) -> None:
    told = seen(STORED.parent / page, width)
    assert told["said"] == []
    assert told["requests"] == []
    assert told["wider"] <= 0
    # The explorer has nine controls, the report none; each changes what is shown.
    assert len(told["moved"]) == (9 if page == "explorer.html" else 0)
    assert all(changed for _, changed in told["moved"]), told["moved"]


@pytest.mark.usefixtures("browser")
def test_a_page_that_errs_or_asks_is_seen_to(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text(
        '<form id="f"><select name="s"><option>1</option></select></form>'
        '<div style="width: 900px">.</div><img src="file:///nothing.png"><script>none()</script>'
    )
    told = seen(page, 400)
    assert "none is not defined" in told["said"][0]
    assert told["requests"] == ["file:///nothing.png"]
    assert told["wider"] > 0
    assert told["moved"] == [["f s", False]]
