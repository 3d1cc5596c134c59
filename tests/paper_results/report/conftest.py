"""Every claim judged once, for all tests of the report."""

from __future__ import annotations

import functools
from pathlib import Path

import pandas as pd
import pytest

from experiments.running.stored import Run, runs_in
from paper_results import STORED
from paper_results.report.claims import read_claims
from paper_results.report.pages import CLAIMS
from paper_results.report.verdicts import Verdict, judge


@pytest.fixture(scope="session")
def verdicts() -> dict[str, Verdict]:
    """Verdicts by claim, from what stored runs measured: without columns of published numbers."""
    runs = {run.folder: run for run in runs_in(STORED)}
    read = Run.__dict__["table"].func

    @functools.cache
    def measured(folder: Path) -> pd.DataFrame:
        table = read(runs[folder])
        return table.drop(columns=[c for c in table if c.startswith(("published", "log_"))])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "table", property(lambda run: measured(run.folder)))
        return {claim.name: judge(claim, [STORED]) for claim in read_claims(CLAIMS)}
