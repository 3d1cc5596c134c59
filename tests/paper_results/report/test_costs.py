"""What runs cost is what their records say, told once a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.running.stored import Run
from paper_results import STORED
from paper_results.report.costs import costs, told
from paper_results.report.pages import MARKDOWN, RESULTS


def run(name: str, *shards: tuple[float, str, str | None]) -> Run:
    told = [
        {"seconds": s, "started": at, "commit": commit, "device": "a CPU"}
        for s, at, commit in shards
    ]
    return Run(Path(name), {"shards": {str(i): shard for i, shard in enumerate(told)}})


def test_a_run_cost_what_its_shards_cost_and_is_told_once() -> None:
    long = run("long", (60.0, "2026-02-02", "b"), (90.0, "2026-02-01", "a"))
    short = run("short", (30.0, "2026-02-03", None))
    found = costs([short, long, short])
    assert [cost.run for cost in found] == ["long", "short"]
    assert [cost.minutes for cost in found] == [2.5, 0.5]
    assert found[0].started == "2026-02-01"
    assert found[0].commits == ("b", "a")
    assert found[1].commits == ("unknown",)
    assert found[0].device == "a CPU"
    assert told(found) == "2 runs by 3 commits, 0.1 hours of one process in all."
    assert told(found[1:]).startswith("1 runs by one commit, ")


def test_the_report_tells_the_cost_of_every_run_it_rests_on() -> None:
    text = (RESULTS / MARKDOWN).read_text(encoding="utf-8").split("## What it cost", 1)[1]
    rows = {cells[1].strip(): cells for cells in (row.split("|") for row in text.splitlines()[6:])}
    for name, cells in rows.items():
        record = json.loads((STORED / name / "record.json").read_text(encoding="utf-8"))
        seconds = sum(shard["seconds"] for shard in record["shards"].values())
        assert float(cells[2]) == pytest.approx(seconds / 60, rel=6e-3)
    assert f"{len(rows)} runs by" in text
