"""From the claims and the runs found to verdicts: the rule knows bounds and errors, no claim."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
from scipy.stats import t as student

from experiments.errors import UserError
from experiments.running.stored import Run, Wanted, find

from .. import published
from ..evidence.estimates import Estimate, NotInTableError
from ..evidence.numbers import NUMBERS

LEVEL = 0.99
"""Level of the interval about a number, by Student's t over repeats, that must clear its bounds."""
INSIDE, OUTSIDE, OPEN, MISSING = "inside", "outside", "open", "not run"
NOT_RUN, NOT_DECIDED = "not run", "not decided: more repeats are needed"


@dataclass(frozen=True)
class Check:
    """A number, the tables it is taken from, and the bounds within which it supports its claim.

    A table in `of` is a run's, as Wanted, or one of paper_results/published, by its name. `says`
    puts the number into words. A check with `only_if` never refutes its claim but limits it: where
    the number lies outside its bounds, the claim holds only if what `only_if` says is so.
    """

    number: str
    says: str
    of: tuple[Wanted | str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    at_least: float = -math.inf
    at_most: float = math.inf
    only_if: str | None = None

    def state(self, estimate: Estimate | None) -> str:
        """Say where the number's interval of LEVEL lies: within its bounds, outside, or across one.

        A number of unknown error, NaN, is open.
        """
        if estimate is None:
            return MISSING
        freedom = math.inf if estimate.repeats is None else max(estimate.repeats - 1, 1)
        margin = student.ppf((1 + LEVEL) / 2, freedom) * estimate.standard_error
        low, high = estimate.value - margin, estimate.value + margin
        if low >= self.at_least and high <= self.at_most:
            return INSIDE
        return OUTSIDE if high < self.at_least or low > self.at_most else OPEN

    @property
    def bounds(self) -> str:
        if math.isinf(self.at_most):
            return f"at least {self.at_least:g}"
        if math.isinf(self.at_least):
            return f"at most {self.at_most:g}"
        return f"{self.at_least:g} to {self.at_most:g}"


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper (C1 ..), or a finding about it (E1 ..), and what decides it."""

    name: str
    sentence: str
    where: str
    checks: tuple[Check, ...]

    @property
    def is_finding(self) -> bool:
        return self.name.startswith("E")


@dataclass(frozen=True)
class Evidence:
    """A check with its number, from which runs, or what has to be run for it."""

    check: Check
    state: str
    estimate: Estimate | None
    runs: tuple[Run, ...]
    missing: tuple[str, ...]

    @property
    def commands(self) -> list[str]:
        """What computes the number again; the report alone, where no run is needed."""
        return [run.command for run in self.runs] or ["python -m experiments report"]


@dataclass(frozen=True)
class Verdict:
    """`deciding` is the piece of evidence the verdict rests on."""

    claim: Claim
    text: str
    deciding: Evidence
    evidence: tuple[Evidence, ...]


def read_claims(path: Path) -> list[Claim]:
    """Claims from a TOML file.

    Raises UserError that names the claim where something is missing, unknown or without bounds.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["claim"]
    claims = []
    for entry in entries:
        try:
            checks = tuple(_check(**check) for check in entry.pop("check"))
            claims.append(Claim(**entry, checks=checks))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}, claim {entry.get('name')}: {error}") from error
    return claims


def _check(*, of: Sequence[str] = (), **entry: Any) -> Check:
    check = Check(of=tuple(map(_source, of)), **entry)
    if check.number not in NUMBERS:
        raise ValueError(f"paper_results/evidence has no number {check.number!r}")
    if math.isinf(check.at_least) and math.isinf(check.at_most):
        raise ValueError(f"{check.number}: at_least or at_most is needed")
    return check


def _source(text: str) -> Wanted | str:
    experiment, protocol, *swept = text.split()
    if swept not in ([], ["swept"]):
        raise ValueError(f"'swept' is all that can follow a protocol, got {text!r}")
    return protocol if experiment == "published" else Wanted(experiment, protocol, bool(swept))


def judge(claim: Claim, folders: Sequence[Path]) -> Verdict:
    """Give the verdict on a claim from the runs in these folders.

    It rests on the claim's own checks first; once these are all inside, on its conditions.
    """
    evidence = tuple(_evidence(check, folders) for check in claim.checks)
    yes, no = ("shown", "not shown") if claim.is_finding else ("holds", "does not hold")
    for state, text in ((OUTSIDE, no), (MISSING, NOT_RUN), (OPEN, NOT_DECIDED)):
        for e in evidence:
            if e.check.only_if is None and e.state == state:
                return Verdict(claim, text, e, evidence)
    limits = _limits(evidence)
    if not limits:
        return Verdict(claim, yes, evidence[0], evidence)
    first, *others = limits
    texts = {OUTSIDE: f"{yes} {_only_if(limits[first])}", MISSING: NOT_RUN, OPEN: NOT_DECIDED}
    text = "; ".join([texts[first], *(f"{state}: {_only_if(limits[state])}" for state in others)])
    return Verdict(claim, text, limits[first][0], evidence)


def _limits(evidence: Sequence[Evidence]) -> dict[str, list[Evidence]]:
    """Sort conditions that are not met by state, the worst first; each is named in one only."""
    limits: dict[str, list[Evidence]] = {}
    named: set[str] = set()
    for state in (OUTSIDE, MISSING, OPEN):
        found = [e for e in evidence if e.check.only_if not in {None, *named} and e.state == state]
        if found:
            limits[state] = found
            named |= {e.check.only_if for e in found}
    return limits


def _only_if(limits: Sequence[Evidence]) -> str:
    conditions = dict.fromkeys(f"only if {e.check.only_if}" for e in limits)
    return ", and ".join(conditions)


def _evidence(check: Check, folders: Sequence[Path]) -> Evidence:
    runs: list[Run] = []
    missing: list[str] = []
    tables: list[pd.DataFrame] = []
    for source in check.of:
        if isinstance(source, str):
            tables.append(published(source))
        elif run := find(source, folders):
            runs.append(run)
            tables.append(run.table)
        else:
            missing.append(source.missing())
    estimate = None
    if not missing:
        try:
            estimate = NUMBERS[check.number](*tables, **check.options)
        except NotInTableError as error:
            # A run with other rates or orders than the number asks for.
            missing.append(str(error))
    return Evidence(check, check.state(estimate), estimate, tuple(runs), tuple(missing))
