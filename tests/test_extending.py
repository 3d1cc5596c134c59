"""The steps of EXTENDING.md, taken in a copy of this checkout, lead where the page says."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pandas as pd
import pytest
import torch

from interactions import Inputs, order_spectrum, order_spectrum_from_samples
from interactions.anova import METHODS
from interactions.dropout import KINDS
from interactions.planted import Factor, Product

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
    told = r"^  E99 +shown +sampling is unbiased: -?[\d.e-]+ ± \S+, n = 5 \(seed\)$"
    assert re.search(told, done.stdout, re.MULTILINE)
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
    at = 0.3
    kinked = Product((0, 1), factor=Factor(lambda x: (x - at).abs(), kinks=(at,)))
    mean = 2 / math.pi * (math.sqrt(1 - at**2) + at * math.asin(at))
    square = 1 / 2 + at**2
    spectrum = order_spectrum(kinked, inputs, max_order=2, method="exact")
    assert spectrum.total_variance == pytest.approx(square**2 - mean**4, rel=1e-9)
    x = inputs.sample(33 * 200, generator=0)
    assert order_spectrum_from_samples(x, x[:, 0], inputs, max_order=1).share[0] > 0.95
    with pytest.raises(ValueError, match="column 2 is not distributed"):
        order_spectrum_from_samples(x * torch.tensor([1, 1, 0.9]), x[:, 0], inputs, max_order=1)


class Dice(Inputs):
    """A fair die per input, which states no more than it must."""

    dim = 3
    support_sizes = np.full(3, 6.0)

    def quantile(self, u, coordinate):
        return 1 + (6 * u).floor()

    def quadrature(self, size, *, coordinate=0, breakpoints=()):
        return np.arange(1.0, 7.0), np.full(6, 1 / 6)

    def knots(self, size, *, coordinate=0):
        return np.arange(1.0, 7.0)

    def recurrence(self, degree):
        raise NotImplementedError


def test_a_distribution_of_few_values_is_visited_in_full() -> None:
    spectrum = order_spectrum(lambda x: (x == 6).all(dim=1).double(), Dice(), method="exact")
    assert spectrum.standard_error.max() == 0
    p = 1 / 6
    np.testing.assert_allclose(
        spectrum.variance[:3],
        [3 * p**5 * (1 - p), 3 * p**4 * (1 - p) ** 2, p**3 * (1 - p) ** 3],
        rtol=1e-10,
    )


def test_every_block_of_the_page_is_a_file_or_runs() -> None:
    assert len(BLOCKS) == PAGE.count("```") // 2 - PAGE.count("```sh\n")
    assert sum(bool(PLACE.match(block)) for block in BLOCKS) == 5
    assert "(EXTENDING.md)" in (ROOT / "README.md").read_text()
