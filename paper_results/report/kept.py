"""Sensitivities kept beside the pages: computed anew only where what they rest on has changed.

They take most of the time that a report takes. The file tells, for every claim, the sum of all
that they are computed from: runs, published numbers, the claim's own entry, and the source that
computes. Without the file, or with another sum, they are computed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import lru_cache
from pathlib import Path

import pandas as pd

from experiments.running.bound import SUMS
from experiments.running.store import write_whole

from .. import PUBLISHED
from .sensitivity import Sensitivity, Tried, sensitivities
from .verdicts import Verdict

KEPT = "sensitivity.json"
"""The file's name."""
Told = tuple[tuple[Verdict, tuple[Sensitivity, ...]], ...]


def told(
    verdicts: Sequence[Verdict], folder: Path, step: Callable[[str], None] = lambda what: None
) -> Told:
    """Vary every verdict, or read what became of it from the folder; writes it there."""
    kept = _read(folder / KEPT)
    found, written = [], {}
    for verdict in verdicts:
        step(f"varying {verdict.claim.name}")
        name, sum_ = verdict.claim.name, _made_from(verdict)
        same = kept.get(name, {}).get("made_from") == sum_
        told_ = _decoded(kept[name]["respects"]) if same else sensitivities(verdict)
        found.append((verdict, told_))
        written[name] = {"made_from": sum_, "respects": [asdict(s) for s in told_]}
    if written:
        write_whole(folder / KEPT, json.dumps(written, indent=1, ensure_ascii=False) + "\n")
    return tuple(found)


def _read(path: Path) -> dict[str, dict]:
    """What was kept; nothing where it is not whole."""
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        for entry in kept.values():
            _decoded(entry["respects"])
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return {}
    return kept


def _decoded(respects: Sequence[dict]) -> tuple[Sensitivity, ...]:
    return tuple(
        Sensitivity(s["respect"], tuple(Tried(**t) for t in s["tried"]), s["note"])
        for s in respects
    )


def _made_from(verdict: Verdict) -> str:
    total = hashlib.sha256(_source())
    total.update(repr(verdict.claim).encode())
    for e in verdict.evidence:
        total.update(f"{e.state} {e.missing}".encode())
        for run in e.runs:
            total.update((run.folder / SUMS).read_bytes())
    return total.hexdigest()


@lru_cache(maxsize=1)
def _source() -> bytes:
    """All that computes numbers or verdicts, what was published, and the version of pandas."""
    root = Path(__file__).parents[2]
    rooms = ("paper_results/report", "paper_results/evidence", "experiments/questions")
    folders = [root / room for room in rooms]
    paths = [path for folder in folders for path in sorted(folder.glob("*.py"))]
    paths += sorted(PUBLISHED.glob("*.csv"))
    return b"\0".join([pd.__version__.encode(), *(path.read_bytes() for path in paths)])
