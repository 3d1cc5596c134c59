"""From the claims and the runs found to verdicts: the rule knows bounds and errors, no claim."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from experiments.running.stored import Choice, Run, choose

from .. import published
from ..evidence.estimates import Estimate, NotInTableError
from ..evidence.numbers import NUMBERS
from .claims import LEVEL, MISSING, OPEN, OUTSIDE, Check, Claim, lacking

NOT_RUN, NOT_DECIDED = "not run", "open"
ONLY_IF = "only if"


@dataclass(frozen=True)
class Evidence:
    """A check with its number, from which runs, or what has to be run for it."""

    check: Check
    state: str
    estimate: Estimate | None
    runs: tuple[Run, ...]
    missing: tuple[str, ...]
    why: tuple[str, ...] = ()
    """Why it rests on each of these runs."""
    theirs: tuple[Run, ...] = ()
    """Runs of the reader that were not judged, the fullest of each kind, ..."""
    their_estimate: Estimate | None = None
    """... and the number with them in place, if they give it."""

    @property
    def tables(self) -> tuple[pd.DataFrame, ...]:
        """The tables its number is computed from; none where a run is missing."""
        if self.missing and not self.estimate:
            return ()
        runs = iter(self.runs)
        sources = self.check.of
        return tuple(published(s) if isinstance(s, str) else next(runs).table for s in sources)

    @property
    def reason(self) -> str:
        """Why an open number is open, and how much would settle it; empty for all others."""
        if self.state != OPEN or self.estimate is None:
            return ""
        estimate, unit = self.estimate, self.estimate.unit
        if short := lacking(estimate):
            return f"n = {estimate.fewest} ({unit}): {short} more are needed to decide anything"
        low, high = estimate.interval(LEVEL)
        text = f"its 99% interval, {low:.3g} to {high:.3g}, crosses what is asked"
        more = self.check.needed(estimate)
        return text if more is None else f"{text}; if it stays, n = {more} ({unit}) would decide"

    @property
    def rests_on(self) -> str:
        """Name what the number's error is over: repeats and their number, or why it has none."""
        if self.estimate is None:
            return ""
        if self.estimate.fewest is not None:
            return f"n = {self.estimate.fewest} ({self.estimate.unit})"
        if not self.check.of:
            return "closed form"
        if not self.runs:
            return "as published"
        return "its own error is known" if self.estimate.standard_error else "exact"

    @property
    def commands(self) -> list[str]:
        """What computes the number again; the report alone, where no run is needed."""
        return [run.command for run in self.runs] or ["python -m experiments report"]


@dataclass(frozen=True)
class Verdict:
    """`kind` is the verdict in a word or two, in which what was not run is open.

    `deciding` is the piece of evidence it rests on.
    """

    claim: Claim
    kind: str
    text: str
    deciding: Evidence
    evidence: tuple[Evidence, ...]


def judge(claim: Claim, folders: Sequence[Path]) -> Verdict:
    """Give the verdict on a claim from the runs in these folders."""
    return conclude(claim, tuple(_evidence(check, folders) for check in claim.checks))


def conclude(claim: Claim, evidence: tuple[Evidence, ...]) -> Verdict:
    """Give the verdict on a claim from its evidence, a piece for every check.

    It rests on the claim's own checks first; once these are all inside, on its conditions.
    """
    yes, no = ("shown", "not shown") if claim.is_finding else ("holds", "does not hold")
    kinds = {OUTSIDE: (no, no), MISSING: (OPEN, NOT_RUN), OPEN: (OPEN, NOT_DECIDED)}
    for state, (kind, text) in kinds.items():
        for e in evidence:
            if e.check.only_if is None and e.state == state:
                return Verdict(claim, kind, text, e, evidence)
    limits = _limits(evidence)
    if not limits:
        return Verdict(claim, yes, yes, evidence[0], evidence)
    first = next(iter(limits))
    head = f"{yes} {_only_if(limits[first])}" if first == OUTSIDE else f"{yes} in its own setting"
    said = {MISSING: NOT_RUN, OPEN: NOT_DECIDED}
    rest = [f"{said[state]}: {_only_if(limits[state])}" for state in limits if state in said]
    text = "; ".join([head, *rest])
    kind = ONLY_IF if first == OUTSIDE else OPEN
    return Verdict(claim, kind, text, limits[first][0], evidence)


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


def number_of(check: Check, tables: Sequence[pd.DataFrame]) -> Estimate:
    """Compute a check's number from its tables; its repeats are what the check says they are.

    Raises NotInTableError where the tables do not have what it needs.
    """
    estimate = NUMBERS[check.number](*tables, **check.options)
    return replace(estimate, unit=check.repeat or estimate.unit)


def _evidence(check: Check, folders: Sequence[Path]) -> Evidence:
    choices: list[Choice] = []
    missing: list[str] = []
    tables: list[pd.DataFrame] = []
    for source in check.of:
        if isinstance(source, str):
            tables.append(published(source))
        elif choice := choose(source, folders):
            choices.append(choice)
            tables.append(choice.run.table)
        else:
            missing.append(source.missing())
    estimate = None
    if not missing:
        try:
            estimate = number_of(check, tables)
        except NotInTableError as error:
            # A run with other rates or orders than the number asks for.
            missing.append(str(error))
    theirs = tuple(choice.beside[0] for choice in choices if choice.beside)
    return Evidence(
        check,
        check.state(estimate),
        estimate,
        tuple(choice.run for choice in choices),
        tuple(missing),
        tuple(choice.why for choice in choices),
        theirs,
        _theirs(check, folders) if theirs and not missing else None,
    )


def _theirs(check: Check, folders: Sequence[Path]) -> Estimate | None:
    """The number from the reader's runs where there are such, though they are not judged."""
    tables = []
    for source in check.of:
        if isinstance(source, str):
            tables.append(published(source))
        else:
            choice = choose(source, folders)
            tables.append((choice.beside or (choice.run,))[0].table)
    try:
        with warnings.catch_warnings(action="ignore"):
            return number_of(check, tables)
    except Exception:  # A table cut down at will may break any number, and decides none.
        return None
