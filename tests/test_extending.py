"""The steps of EXTENDING.md, taken in a copy of this checkout, lead where the page says."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from interactions import order_spectrum
from interactions.anova import METHODS
from interactions.dropout import KINDS

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "EXTENDING.md").read_text()
BLOCKS = re.findall(r"```(?:python|toml)\n(.*?)```", PAGE, flags=re.DOTALL)
PLACE = re.compile(r"# (append to )?(\S+/\S+\.(?:py|toml))\n")

STEPS = """
import sys
import matplotlib
matplotlib.use("Agg")
from experiments.__main__ import app
from paper_results.evidence import items
# Nothing published needs to be drawn to judge the claim.
items.ALL, items.LECTURE = items.ALL[:1], ()
for arguments in (["run", "sampling_error", "--preset", "tiny"], ["report", "--out", "results"]):
    sys.argv = ["experiments", *arguments]
    app(standalone_mode=False)
import pytest
sys.exit(pytest.main(["-q", "tests/experiments/questions/test_sampling_error.py"]))
"""


@pytest.fixture(scope="module")
def extended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, without what it stores of runs, with the page's files in it."""
    copy = tmp_path_factory.mktemp("extended")
    stored = shutil.ignore_patterns("reproduced", "pictures", "__pycache__", "*.html")
    for package in ("interactions", "experiments", "figures", "paper_results"):
        shutil.copytree(ROOT / package, copy / package, ignore=stored)
    shutil.copy(ROOT / "pyproject.toml", copy)
    for block in BLOCKS:
        if place := PLACE.match(block):
            path = copy / place[2]
            path.parent.mkdir(parents=True, exist_ok=True)
            assert path.exists() == bool(place[1]), f"{place[2]} is there before, or is not"
            with path.open("a") as file:
                file.write(block[place.end() :])
    return copy


def test_a_question_its_figure_its_test_and_its_claim_run(extended: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STEPS], cwd=extended, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
    folder = extended / "results" / "sampling_error-controlled-tiny"
    assert len(pd.read_csv(folder / "table.csv")) == 2 * 5
    assert (folder / "sampling_error.png").is_file()
    assert re.search(r"^\s*E99\s+shown\s+-?[\d.e-]+\s+± [\d.]+ \(5\)$", done.stdout, re.MULTILINE)
    report = (extended / "results" / "REPORT.md").read_text()
    assert "Sampled shares are off by nothing but noise." in report
    assert "sampling_error --protocol controlled --preset tiny" in report


def test_distributions_estimators_dropout_and_regularizers_come_from_outside(monkeypatch) -> None:
    # Entered only to be taken out again at the end.
    monkeypatch.setitem(METHODS, "pick-freeze", None)
    monkeypatch.setitem(KINDS, "unscaled", None)
    outside = ModuleType("outside")
    monkeypatch.setitem(sys.modules, "outside", outside)
    for block in BLOCKS:
        if not PLACE.match(block):
            exec(block, vars(outside))
    inputs = outside.Arcsine(3)
    for method in ("exact", "kernel", "differences"):
        spectrum = order_spectrum(
            lambda x: x[:, 0] + x[:, 1] * x[:, 2], inputs, max_order=2, method=method
        )
        assert spectrum.share[1] == pytest.approx(1 / 3, abs=0.05)


def test_every_block_of_the_page_is_a_file_or_runs() -> None:
    assert len(BLOCKS) == PAGE.count("```") // 2 - PAGE.count("```sh\n")
    assert sum(bool(PLACE.match(block)) for block in BLOCKS) == 5
    assert "(EXTENDING.md)" in (ROOT / "README.md").read_text()
