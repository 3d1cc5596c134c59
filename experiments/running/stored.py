"""Runs that lie in folders: found by experiment and protocol, read, and told how to repeat."""

from __future__ import annotations

import gzip
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd

from .. import discovery
from ..errors import UserError
from .tables import decode, infer

BEST_FIRST = ("paper", "quick", "tiny")
"""Presets, where an experiment was run under several: the larger budget counts."""


@dataclass(frozen=True)
class Wanted:
    """An experiment under a protocol, run once or swept over a grid."""

    experiment: str
    protocol: str
    swept: bool = False

    def missing(self) -> str:
        """Why there is no run, and the command that makes one."""
        if self.experiment not in discovery.NAMES:
            return f"no experiment {self.experiment!r} yet"
        if self.protocol not in discovery.outline(self.experiment).protocols:
            return f"{self.experiment} has no protocol {self.protocol!r} yet"
        verb = "sweep" if self.swept else "run"
        return f"not run: {_command(verb, self.experiment, self.protocol, 'paper')}"


@dataclass(frozen=True)
class Run:
    """A folder with a run's table, record and pictures."""

    folder: Path
    record: Mapping[str, Any]

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.record["experiment"], self.record["protocol"], "grid" in self.record)

    @cached_property
    def table(self) -> pd.DataFrame:
        """As it was written, types and all.

        Raises UserError if it is not the table that the record tells of.
        """
        path, types = _table(self.folder), self.record.get("types")
        with (gzip.open if path.suffix == ".gz" else open)(path, "rt", newline="") as file:
            text = file.read()
        try:
            return infer(text) if types is None else decode(text, types)
        except (KeyError, ValueError) as error:
            raise UserError(
                f"{path} is not the table its record tells of ({error!r}): run it again"
            ) from error

    @property
    def pictures(self) -> list[Path]:
        """The experiment's main picture first."""
        main = self.folder / f"{self.record['experiment']}.png"
        others = sorted(p for p in self.folder.glob("*.png") if p != main)
        return [main, *others] if main.is_file() else others

    @property
    def command(self) -> str:
        """What to type for the same run: today's preset, and every setting that differs from it."""
        r, verb = self.record, "sweep" if self.wanted.swept else "run"
        words = [_command(verb, r["experiment"], r["protocol"], r["preset"])]
        words += [f"--set {name}={_text(value)}" for name, value in self.differing().items()]
        words += [f"--grid {axis}" for axis in r.get("grid", [])]
        if self.wanted.swept:
            words += [f"--seeds {_text(r['seeds'])}"] * (r["seeds"] != [0])
        elif r["seed"]:
            words.append(f"--seed {r['seed']}")
        return " ".join(words)

    @property
    def source(self) -> str:
        """Where the run was made: commit, device and time."""
        r = self.record
        commit, changed, _ = str(r.get("commit") or "unknown").partition("+changes")
        after = " with changes" if changed else ""
        return f"commit {commit[:10]}{after}, {r['device']}, {r['seconds'] / 60:.1f} minutes"

    def differing(self) -> dict[str, object]:
        """Settings of the record that are not those of its preset as it is now."""
        r = self.record
        usual = _preset(r["experiment"], r["protocol"], r["preset"])
        return {n: value for n, value in r["settings"].items() if value != usual.get(n, value)}


def _preset(experiment: str, protocol: str, preset: str) -> dict[str, object]:
    settings = discovery.load(experiment).PRESETS.get((protocol, preset))
    # Through JSON, as the record went: tuples are lists there.
    return {} if settings is None else json.loads(json.dumps(asdict(settings)))


def find(wanted: Wanted, folders: Sequence[Path]) -> Run | None:
    """The run in the first folder that has one."""
    for folder in folders:
        runs = [run for run in runs_in(folder) if run.wanted == wanted]
        if runs:
            return min(runs, key=lambda run: BEST_FIRST.index(run.record["preset"]))
    return None


def runs_in(folder: Path) -> list[Run]:
    """Every finished run or sweep in a folder.

    Raises UserError if a record cannot be read.
    """
    runs = []
    for path in sorted(folder.glob("*/record.json")):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            known = record["experiment"] in discovery.NAMES and record["preset"] in BEST_FIRST
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is not the record of a run ({error!r}): remove it") from error
        if known and _table(path.parent).is_file():
            runs.append(Run(path.parent, record))
    return runs


def _table(folder: Path) -> Path:
    """Where a run's table is; a large one may be kept compressed, until it is run anew."""
    plain, packed = folder / "table.csv", folder / "table.csv.gz"
    return packed if packed.is_file() and not plain.is_file() else plain


def _command(verb: str, experiment: str, protocol: str, preset: str) -> str:
    return f"python -m experiments {verb} {experiment} --protocol {protocol} --preset {preset}"


def _text(value: object) -> str:
    if isinstance(value, (list, tuple)):
        value = ",".join(map(str, value)) + "," * (len(value) == 1)
    return shlex.quote(str(value))
