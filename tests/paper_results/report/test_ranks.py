"""A reader's toy run beside stored evidence is shown as theirs, and judged nowhere."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pandas as pd
import pytest

from experiments.running.bound import bind
from experiments.running.stored import Run, Wanted, choose
from experiments.running.tables import encode
from paper_results import STORED
from paper_results.evidence import items
from paper_results.report import pages, pictures
from paper_results.report.claims import read_claims
from paper_results.report.verdicts import judge

NOISE = Wanted("pure_noise", "controlled")
SWEEP = Wanted("regularizers", "controlled", swept=True)
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def put(folder: Path, run: Run, table: pd.DataFrame | None = None, **record: object) -> Path:
    """A run as another, with another table and record, bound as the command line leaves it."""
    text, types = encode(run.table if table is None else table)
    told = json.dumps({**run.record, "types": types, **record})
    folder.mkdir(parents=True)
    bind(folder, {"table.csv": text.encode(), "record.json": told.encode()})
    return folder


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    """Toy runs of the reader: two repeats, few steps, a small preset, another grid."""
    run, sweep = (choose(wanted, [STORED]).run for wanted in (NOISE, SWEEP))
    less = run.table[run.table["repeat"] < 2].head(200)
    changed = run.record["settings"] | {"max_steps": 300, "repeats": 2}
    put(tmp_path / "toy", run, less, preset="quick", settings=changed)
    put(tmp_path / "large toy", run, less, settings=changed)
    put(tmp_path / "toy sweep", sweep, sweep.table.head(40), grid=["batch_size=16"])
    return tmp_path


def test_verdicts_are_those_on_the_stored_runs(mine, verdicts) -> None:
    touched = 0
    for claim in read_claims(pages.CLAIMS):
        if any(of in (NOISE, SWEEP) for check in claim.checks for of in check.of):
            verdict = judge(claim, [mine, STORED])
            assert verdict.text == verdicts[claim.name].text
            pairs = zip(verdict.evidence, verdicts[claim.name].evidence, strict=True)
            assert all(one.estimate == other.estimate for one, other in pairs)
            named = [run.folder.name for e in verdict.evidence for run in e.theirs]
            assert {"large toy", "toy sweep"} & set(named)
            assert all(w.startswith("stored") for e in verdict.evidence for w in e.why)
            touched += 1
    assert touched


def test_toys_outrank_nothing_and_full_runs_stand_for_the_stored(mine) -> None:
    folders = [mine, STORED]
    stored = choose(NOISE, [STORED]).run
    choice = choose(NOISE, folders)
    assert choice.run.folder == stored.folder
    assert choice.why == "stored: yours has other settings or a smaller preset"
    assert [run.folder.name for run in choice.beside] == ["large toy", "toy"]
    assert choose(SWEEP, folders).run.folder.parent == STORED
    full = put(mine / "full", stored, seed=1)
    choice = choose(NOISE, folders)
    assert choice.run.folder == full
    assert choice.why == "yours: as full as the one stored"
    assert {run.folder.name for run in choice.beside} == {"large toy", "toy"}


def test_a_smaller_preset_unchanged_is_no_full_run(tmp_path) -> None:
    stored = choose(Wanted("decay_law", "controlled"), [STORED]).run
    assert stored.record["preset"] == "paper"
    (quick,) = STORED.glob("decay_law-controlled-quick/record.json")
    put(tmp_path / "quick", Run(quick.parent, json.loads(quick.read_text())))
    choice = choose(Wanted("decay_law", "controlled"), [tmp_path, STORED])
    assert choice.run.folder == stored.folder
    assert [run.folder.name for run in choice.beside] == ["quick"]


def test_without_stored_evidence_the_readers_fullest_counts(mine, tmp_path) -> None:
    choice = choose(NOISE, [mine, tmp_path / "nothing"])
    assert (choice.run.folder.name, choice.why) == ("large toy", "yours: none is stored")
    assert choose(NOISE, [tmp_path / "nothing"]) is None


def test_pages_say_which_run_a_number_rests_on_and_show_the_readers(mine, monkeypatch) -> None:
    monkeypatch.setattr(pictures, "png", lambda *_: PIXEL)
    folders = [mine, STORED]
    (item,) = (item for item in items.ALL if item.name == "Fig 5")
    (claim,) = (claim for claim in read_claims(pages.CLAIMS) if claim.name == "C5")
    report = pages.Report((pages._section(item, folders),), (judge(claim, folders),))
    written = pages.write(report, mine / "report")
    for path in (path for path in written if path.suffix in (".md", ".html")):
        text = path.read_text()
        assert "pure_noise-controlled-paper, stored: yours has other settings" in text
        assert text.count("controlled, yours, not judged") >= 2
        assert "--set max_steps=300" in text
        assert "not judged, yours" in text
