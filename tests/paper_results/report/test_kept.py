"""What would change verdicts is computed once, and again when anything that it rests on changes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from paper_results.report import kept
from paper_results.report.sensitivity import Sensitivity, Tried
from paper_results.report.verdicts import Verdict

SAID = (
    Sensitivity("seed", (Tried("without repeat 0", "open"), Tried("second half", ""))),
    Sensitivity("width", (), "no number of several widths"),
)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the claims whose sensitivities were computed."""
    names: list[str] = []

    def compute(verdict: Verdict) -> tuple[Sensitivity, ...]:
        names.append(verdict.claim.name)
        return SAID

    monkeypatch.setattr(kept, "sensitivities", compute)
    return names


def test_nothing_is_computed_twice(verdicts, counted, tmp_path: Path) -> None:
    some = [verdicts["C1"], verdicts["C6"]]
    first = kept.told(some, tmp_path)
    assert kept.told(some, tmp_path) == first
    assert [told for _, told in first] == [SAID, SAID]
    assert counted == ["C1", "C6"]


@pytest.mark.parametrize("changed", ["claim", "run", "source", "state"])
def test_any_change_in_what_it_rests_on_computes_anew(
    changed, verdicts, counted, tmp_path: Path, monkeypatch
) -> None:
    verdict = verdicts["C1"]
    kept.told([verdict], tmp_path)
    evidence = verdict.evidence[0]
    if changed == "claim":
        verdict = replace(verdict, claim=replace(verdict.claim, sentence="Another."))
    elif changed == "run":
        (run,) = evidence.runs
        other = tmp_path / "run"
        other.mkdir()
        (other / kept.SUMS).write_text("another")
        verdict = replace(
            verdict, evidence=(replace(evidence, runs=(replace(run, folder=other),)),)
        )
    elif changed == "state":
        verdict = replace(verdict, evidence=(replace(evidence, state="open"),))
    else:
        monkeypatch.setattr(kept, "_source", lambda: b"another")
    kept.told([verdict], tmp_path)
    assert counted == ["C1", "C1"]


@pytest.mark.parametrize("damaged", ["", "[]", '{"C1": {}}', '{"C1": {"made_from": 1}}'])
def test_a_file_that_is_not_whole_is_written_anew(damaged, verdicts, counted, tmp_path) -> None:
    (tmp_path / kept.KEPT).write_text(damaged)
    kept.told([verdicts["C1"]], tmp_path)
    assert counted == ["C1"]
    assert list(json.loads((tmp_path / kept.KEPT).read_text())) == ["C1"]
