"""Runs that lie in folders: found by experiment and protocol, ranked, read, and told to repeat."""

from __future__ import annotations

import gzip
import json
import shlex
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from .. import discovery
from .bound import SUMS, DamagedError, bound_names, content_of, is_bound, verified, verified_one
from .plans import BEGUN, PLAN, identity
from .records import checked
from .settings import as_text
from .shards import RECORD, TABLE
from .tables import decode, infer

PACKED = f"{TABLE}.gz"
"""A large table may be kept compressed, until it is run anew."""
MISSHAPEN = (AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError)
"""What is raised where JSON is not of the shape it should have."""
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
        name, content = verified_one(self.folder, TABLE, PACKED)
        types = self.record.get("types")
        try:
            text = (gzip.decompress(content) if name == PACKED else content).decode()
            return infer(text) if types is None else decode(text, types)
        except (EOFError, KeyError, OSError, ValueError, zlib.error) as error:
            raise DamagedError(
                f"{self.folder / name} is not the table its record tells of ({error!r}): run it "
                "again"
            ) from error

    @property
    def pictures(self) -> list[Path]:
        """The experiment's main picture first."""
        main = f"{self.record['experiment']}.png"
        found = [name for name in bound_names(self.folder) if name.endswith(".png")]
        return [self.folder / name for name in sorted(found, key=lambda name: (name != main, name))]

    @property
    def command(self) -> str:
        """What to type for the same run: today's preset, and every setting that differs from it."""
        r, verb = self.record, "sweep" if self.wanted.swept else "run"
        told = [_typed("--set", f"{n}={as_text(v)}") for n, v in self.differing().items()]
        told += [_typed("--grid", axis) for axis in r.get("grid", [])]
        if self.wanted.swept:
            told += [_typed("--seeds", _listed(r["seeds"]))] * (r["seeds"] != [0])
        elif r["seed"]:
            told.append(_typed("--seed", r["seed"]))
        return " ".join([_command(verb, r["experiment"], r["protocol"], r["preset"]), *told])

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

    @property
    def changes(self) -> str:
        """What sets it apart from its preset as it is now: settings, grid and seeds, as typed."""
        r = self.record
        told = [_typed(f"{n}={as_text(v)}") for n, v in self.differing().items()]
        told += [_typed("--grid", axis) for axis in r.get("grid", [])]
        seeds = r["seeds"] if "seeds" in r else [r.get("seed", 0)]
        return " ".join(told + [_typed("--seed", _listed(seeds))] * (seeds != [0]))

    def is_as_full_as(self, other: Run) -> bool:
        """Whether it may stand for another run of the same: with its settings, or a full preset."""
        same = all(self.record.get(n) == other.record.get(n) for n in ("preset", "settings"))
        if self.wanted.swept:
            return same and self.record.get("grid") == other.record.get("grid")
        return same or (not self.differing() and self._budget <= other._budget)

    @property
    def _budget(self) -> int:
        """The place of its preset, the largest first."""
        return BEST_FIRST.index(self.record["preset"])

    @property
    def rank(self) -> tuple[bool, int]:
        """What comes first counts: what has its preset's settings, and of these the largest."""
        return bool(self.differing()), self._budget


def _preset(experiment: str, protocol: str, preset: str) -> dict[str, object]:
    settings = discovery.load(experiment).PRESETS.get((protocol, preset))
    # Through JSON, as the record went: tuples are lists there.
    return {} if settings is None else json.loads(json.dumps(asdict(settings)))


@dataclass(frozen=True)
class Choice:
    """The run that counts, why that one, and runs beside it that do not, the best first."""

    run: Run
    why: str
    beside: tuple[Run, ...] = ()


def choose(wanted: Wanted, folders: Sequence[Path]) -> Choice | None:
    """The run that counts of those in folders; None if there is none.

    The last folder is the one whose runs are evidence. One of the folders before it, the reader's,
    takes its place only if it is as full: with the same settings (and grid), or with those of a
    preset that is as large. Of several in a folder the fullest counts.
    """
    found = [[run for run in runs_in(folder) if run.wanted == wanted] for folder in folders]
    *theirs, stored = found or [[]]
    own = sorted((run for runs in theirs for run in runs), key=lambda run: run.rank)
    if not stored:
        return Choice(own[0], "yours: none is stored", tuple(own[1:])) if own else None
    best = min(stored, key=lambda run: run.rank)
    full = [run for run in own if run.is_as_full_as(best)]
    if not full:
        why = "stored" + ": yours has other settings or a smaller preset" * bool(own)
        return Choice(best, why, tuple(own))
    rest = tuple(run for run in own if run is not full[0])
    return Choice(full[0], "yours: as full as the one stored", rest)


def find(wanted: Wanted, folders: Sequence[Path]) -> Run | None:
    """The run that counts, as `choose` says."""
    choice = choose(wanted, folders)
    return None if choice is None else choice.run


def runs_in(folder: Path) -> list[Run]:
    """Every finished run or sweep in a folder.

    Raises UserError if a record cannot be read, DamagedError if it is none.
    """
    runs = [run_of(path.parent) for path in sorted(folder.glob(f"*/{SUMS}"))]
    return [run for run in runs if run is not None]


def run_of(folder: Path) -> Run | None:
    """The run that was finished in a folder; None if it is of nothing known.

    Raises DamagedError if its record is not what was written, or was written as none.
    """
    return _run(folder, content_of(folder / SUMS))


@lru_cache(maxsize=1024)
def _run(folder: Path, sums: bytes) -> Run | None:
    """The run of a folder with these sums, its table read once; None if it is of nothing known."""
    _, content = verified_one(folder, RECORD)
    try:
        record = checked(json.loads(content), "experiment", "protocol", "preset", "settings")
    except MISSHAPEN as error:
        raise _no_record(folder, error) from error
    known = record["experiment"] in discovery.NAMES and record["preset"] in BEST_FIRST
    return Run(folder, record) if known else None


def _no_record(folder: Path, error: Exception) -> DamagedError:
    return DamagedError(f"{folder / RECORD} is not the record of a run ({error!r}): remove it")


def check(folder: Path) -> None:
    """See that all that is finished in a folder is what was written, and tells of runs.

    Raises DamagedError, naming the file, where something is not, UserError where it does not.
    """
    if is_bound(folder):
        verified(folder)
    for path in sorted(folder.glob(f"*/{SUMS}")):
        verified(path.parent)
    for run in runs_in(folder):
        check_record(run)
        _ = run.table


def check_record(run: Run) -> None:
    """See that a record says all that is to be told of a run; raises DamagedError."""
    try:
        _ = identity(run.record), run.wanted, run.command, run.changes, run.source
    except MISSHAPEN as error:
        raise _no_record(run.folder, error) from error


def unfinished(folder: Path) -> list[Path]:
    """Folders of runs that were begun and are not finished, or were made before runs were bound."""
    found = {path.parent for name in (BEGUN, PLAN, RECORD) for path in folder.glob(f"*/{name}")}
    return sorted(path for path in found if not is_bound(path))


def _command(verb: str, experiment: str, protocol: str, preset: str) -> str:
    options = _typed("--protocol", protocol, "--preset", preset)
    return f"python -m experiments {_typed(verb, experiment)} {options}"


def _typed(*words: object) -> str:
    """Words as they are typed: what a record says is quoted, and does nothing but be said."""
    return shlex.join(map(str, words))


def _listed(seeds: Sequence[int]) -> str:
    return ",".join(map(str, seeds))
