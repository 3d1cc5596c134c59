"""Claims as paper_results/claims.toml states them, and the rule by which a number bears on one."""

from __future__ import annotations

import math
import tomllib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments.errors import UserError
from experiments.running.stored import Wanted

from ..evidence.estimates import Estimate
from ..evidence.numbers import NUMBERS

LEVEL = 0.99
"""Level of the interval about a number, by Student's t over repeats, that must clear its bounds."""
FEWEST = 5
"""Repeats below which no number decides: Student's t trusts a spread that so few hardly show."""
MOST_NAMED = 10_000
"""Repeats above which their number is no plan but a way of saying no."""
REASONS = {
    "sentence": "the claim in a line",
    "paper": "what the paper says, as its authors would put it",
    "where": "its figure, table or theorem",
    "short": "the claim in a few words, for pictures",
    "number": "a function in paper_results/evidence",
    "says": "the number in words",
    "why": "why this number tests what the paper says",
    "bound": "why these bounds",
    "repeat": "what the number's error is taken over, such as a data set",
}
"""What an entry of claims.toml has to say, so that an author of the paper could check the rule."""
INSIDE, OUTSIDE, OPEN, MISSING = "inside", "outside", "open", "not run"


@dataclass(frozen=True)
class Check:
    """A number, the tables it is taken from, and the bounds within which it supports its claim.

    A table in `of` is a run's, as Wanted, or one of paper_results/published, by its name. `says`
    puts the number into words, `why` says why it tests the claim and `bound` why this bound does;
    `repeat` names what its error is taken over, such as data sets. A check with `only_if` never
    refutes its claim but limits it: where the number lies outside its bounds, the claim holds only
    if what `only_if` says is so.
    """

    number: str
    says: str
    why: str
    bound: str
    of: tuple[Wanted | str, ...] = ()
    repeat: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    at_least: float = -math.inf
    at_most: float = math.inf
    only_if: str | None = None

    def state(self, estimate: Estimate | None, *, fewest: int = FEWEST) -> str:
        """Say where the number's interval of LEVEL lies: within its bounds, outside, or across one.

        A number of fewer repeats than `fewest` is open, and so is one of unknown error, NaN.
        """
        if estimate is None:
            return MISSING
        if lacking(estimate, fewest):
            return OPEN
        low, high = estimate.interval(LEVEL)
        if low >= self.at_least and high <= self.at_most:
            return INSIDE
        return OUTSIDE if high < self.at_least or low > self.at_most else OPEN

    def needed(self, estimate: Estimate) -> int | None:
        """Count the repeats with which the number would clear its bounds if value and spread stay.

        None where that is not known: of a largest number, of unknown errors, on the bound itself,
        or beyond MOST_NAMED.
        """
        n = estimate.repeats
        distance = min(abs(estimate.value - b) for b in (self.at_least, self.at_most))
        if n is None or estimate.cells or not estimate.standard_error > 0 or distance == 0:
            return None
        counts = range(max(n, FEWEST), MOST_NAMED + 1)

        def clears(count: int) -> bool:
            error = estimate.standard_error * math.sqrt(n / count)
            low, high = replace(estimate, standard_error=error, repeats=count).interval(LEVEL)
            return high - low <= 2 * distance

        found = bisect_left(counts, True, key=clears)
        return counts[found] if found < len(counts) else None

    @property
    def bounds(self) -> str:
        if math.isinf(self.at_most):
            return f"at least {self.at_least:g}"
        if math.isinf(self.at_least):
            return f"at most {self.at_most:g}"
        return f"{self.at_least:g} to {self.at_most:g}"


def lacking(estimate: Estimate, fewest: int = FEWEST) -> int:
    """Count the repeats a number lacks to decide anything; 0 where its error is no matter of these.

    Closed forms, exact numbers and numbers as published have no repeats, and lack none.
    """
    return 0 if estimate.fewest is None else max(0, fewest - estimate.fewest)


@dataclass(frozen=True)
class Claim:
    """A sentence of the paper (C1 ..), or a finding about it (E1 ..), and what decides it.

    `sentence` is it in a line, `short` in a few words, `paper` what the paper says, as its authors
    would put it.
    """

    name: str
    sentence: str
    paper: str
    where: str
    short: str
    checks: tuple[Check, ...]

    @property
    def is_finding(self) -> bool:
        return self.name.startswith("E")


def read_claims(path: Path) -> list[Claim]:
    """Claims from a TOML file.

    Raises UserError that names the claim where something is missing, unknown, without bounds or
    without its reasons.
    """
    entries = tomllib.loads(path.read_text(encoding="utf-8"))["claim"]
    claims = []
    for entry in entries:
        try:
            checks = tuple(_check(**check) for check in entry.pop("check"))
            _said(entry, "sentence", "paper", "where", "short")
            claims.append(Claim(**entry, checks=checks))
        except (KeyError, TypeError, ValueError) as error:
            raise UserError(f"{path}, claim {entry.get('name')}: {error}") from error
    return claims


def _said(entry: Mapping[str, Any], *words: str) -> None:
    for word in words:
        if not str(entry.get(word, "")).strip():
            raise ValueError(f"{word} is needed: {REASONS[word]}")


def _check(*, of: Sequence[str] = (), **entry: Any) -> Check:
    _said(entry, "number", "says", "why", "bound")
    check = Check(of=tuple(map(_source, of)), **entry)
    if any(isinstance(source, Wanted) for source in check.of):
        _said(entry, "repeat")
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
