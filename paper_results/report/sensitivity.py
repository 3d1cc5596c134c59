"""Which verdicts would be others: the same checks on parts of the tables, and with other bounds.

A variation takes a check and its tables, and gives others in their place; nothing here knows a
claim. What the stored tables do not hold, such as a second width, is not varied, and said so.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ..evidence.estimates import NotInTableError
from ..evidence.numbers import NUMBERS
from .claims import INSIDE, LEVEL, OPEN, OUTSIDE, Check, lacking
from .verdicts import Evidence, Verdict, conclude, number_of

Asked = tuple[Check, Sequence[pd.DataFrame]]
"""A check and the tables its number is computed from."""
LOOKS = ("after", "epoch", "steps")
"""Columns that say how long a network had trained; the first that a table has counts."""
SHORTER = (0.125, 0.25, 0.5)
"""Parts of the longest training at which it is taken to have ended, at the nearest look."""
SCALES = {"halved": 0.5, "half as large again": 1.5}
"""What bounds are multiplied by, or half their distance where there are two."""
WORDS = {INSIDE: "not needed", OUTSIDE: "needed", OPEN: "open"}
"""What a condition of a claim is, by the state of its number."""


@dataclass(frozen=True)
class Variation:
    """Another choice in one respect; None in place of check and tables leaves both as they are."""

    name: str
    change: Callable[[Evidence], Asked | None]


@dataclass(frozen=True)
class Tried:
    """A variation, and what the verdict became; empty where it stayed."""

    name: str
    became: str


@dataclass(frozen=True)
class Sensitivity:
    """What a verdict does under variations in one respect; `note` says what was not varied."""

    respect: str
    tried: tuple[Tried, ...]
    note: str = ""

    @property
    def changes(self) -> tuple[Tried, ...]:
        return tuple(t for t in self.tried if t.became)

    @property
    def text(self) -> str:
        if not self.tried:
            return f"not varied: {self.note}"
        others = [f"{t.name}: {t.became}" for t in self.changes]
        stayed = len(self.tried) - len(others)
        told = f"unchanged in {stayed} of {len(self.tried)}"
        return "; ".join([told, *others, *([self.note] if self.note else [])])


def sensitivities(verdict: Verdict) -> tuple[Sensitivity, ...]:
    """Vary seed, width, length of training and bound of a verdict, one at a time."""
    return (
        _by_seed(verdict),
        vary(verdict, "width", *_widths(verdict)),
        vary(verdict, "training", *_trainings(verdict)),
        vary(verdict, "bound", *_bounds(verdict)),
    )


def vary(verdict: Verdict, respect: str, variations: Sequence[Variation], note: str) -> Sensitivity:
    """Conclude anew under every variation, and tell what became of the verdict.

    What changes neither a number nor a bound, as leaving out a repeat of something else in the
    table, is no variation.
    """
    tried = []
    for variation in variations:
        evidence = tuple(_varied(e, variation) for e in verdict.evidence)
        if list(map(_judged, evidence)) != list(map(_judged, verdict.evidence)):
            became = _difference(verdict, conclude(verdict.claim, evidence))
            tried.append(Tried(variation.name, became))
    if not tried and not note:
        note = "its numbers rest on one choice of it"
    return Sensitivity(respect, tuple(tried), note)


def _judged(e: Evidence) -> tuple[object, ...]:
    return e.estimate, e.check.at_least, e.check.at_most


def _varied(e: Evidence, variation: Variation) -> Evidence:
    changed = None if e.estimate is None else variation.change(e)
    if changed is None:
        return e
    check, tables = changed
    try:
        same = tables is e.tables and check.options == e.check.options
        estimate = e.estimate if same else number_of(check, tables)
    except (NotInTableError, KeyError, IndexError, ValueError):
        # The part left does not hold all the rows that the number needs.
        return replace(e, state=OPEN, estimate=None)
    # A part of the repeats may be fewer than may decide: what is asked is where they point.
    state = OPEN if lacking(e.estimate) else check.state(estimate, fewest=2)
    return replace(e, check=check, state=state, estimate=estimate)


def _difference(old: Verdict, new: Verdict) -> str:
    """Tell a verdict that is another, or the conditions that changed their state."""
    if old.kind != new.kind:
        return new.kind
    pairs = zip(old.evidence, new.evidence, strict=True)
    changed = {
        o.check.only_if: f"“{o.check.only_if}” {WORDS.get(n.state, n.state)}"
        for o, n in pairs
        if o.check.only_if is not None and o.state != n.state
    }
    return ", ".join(changed.values())


def _by_seed(verdict: Verdict) -> Sensitivity:
    """Each repeat left out, and each half of them alone, of all numbers whose error is theirs."""
    if verdict.deciding.estimate is not None and lacking(verdict.deciding.estimate):
        return Sensitivity("seed", (), "it is open for want of repeats")
    asked = [e for e in verdict.evidence if _is_over_repeats(e)]
    there = sorted({r for e in asked for t in e.tables if "repeat" in t for r in t["repeat"]})
    without = {f"without repeat {r:g}": r for r in there}
    each = [Variation(name, _of([q for q in there if q != r])) for name, r in without.items()]
    tried = vary(verdict, "seed", each, "").tried
    if not tried:
        return Sensitivity("seed", (), "nothing it rests on is random")
    # Of the repeats that a table has, those that any of the numbers is taken from.
    counted = [without[t.name] for t in tried]
    half = len(counted) // 2
    halves = {"first half of the repeats": counted[:half], "second half": counted[half:]}
    both = [Variation(name, _of(kept)) for name, kept in halves.items()]
    return Sensitivity("seed", tried + vary(verdict, "seed", both, "").tried)


def _of(repeats: Sequence[int]) -> Callable[[Evidence], Asked | None]:
    def change(e: Evidence) -> Asked | None:
        if not _is_over_repeats(e):
            return None
        return e.check, [t[t["repeat"].isin(repeats)] if "repeat" in t else t for t in e.tables]

    return change


def _is_over_repeats(e: Evidence) -> bool:
    return e.estimate is not None and e.estimate.fewest is not None


def _widths(verdict: Verdict) -> tuple[list[Variation], str]:
    """Every width, of all numbers that are of networks of one width."""
    asked = [e for e in verdict.evidence if "width" in _options(e.check)]
    widths = sorted({w for e in asked for t in e.tables if "width" in t for w in t["width"]})
    if len(widths) < 2:
        return [], "no number of several widths"

    def at(width: int) -> Callable[[Evidence], Asked | None]:
        def change(e: Evidence) -> Asked | None:
            if "width" not in _options(e.check):
                return None
            return replace(e.check, options={**e.check.options, "width": width}), e.tables

        return change

    return [Variation(f"width {width:g}", at(int(width))) for width in widths], ""


def _options(check: Check) -> set[str]:
    return set(inspect.signature(NUMBERS[check.number]).parameters)


def _trainings(verdict: Verdict) -> tuple[list[Variation], str]:
    """As if training had ended earlier; numbers that name their own length keep it."""
    own = [e for e in verdict.evidence if not e.check.options.keys() & set(LOOKS)]
    looks: dict[float, None] = {}
    for table in (t for e in own for t in e.tables):
        column = next((c for c in LOOKS if c in table), None)
        if column is not None:
            looks |= dict.fromkeys(_shorter(table[column]))
    if not looks:
        return [], "nothing it rests on was looked at more than once"

    def ended(part: float) -> Callable[[Evidence], Asked | None]:
        def change(e: Evidence) -> Asked | None:
            if e.check.options.keys() & set(LOOKS):
                return None
            return e.check, [_cut(t, part) for t in e.tables]

        return change

    return [Variation(f"training ended after {100 * p:.3g}%", ended(p)) for p in sorted(looks)], ""


def _shorter(column: pd.Series) -> list[float]:
    """Parts of the longest training at which there are looks, the nearest to those in SHORTER."""
    looks = np.unique(column.dropna())
    earlier = looks[(looks > 0) & (looks < looks.max())] / looks.max()
    if not len(earlier):
        return []
    nearest = {float(earlier[np.abs(np.log(earlier / part)).argmin()]) for part in SHORTER}
    return sorted(nearest)


def _cut(table: pd.DataFrame, part: float) -> pd.DataFrame:
    column = next((c for c in LOOKS if c in table), None)
    if column is None:
        return table
    # Rows that are of no look, as of the data alone, stay.
    return table[~(table[column] > part * table[column].max() * (1 + 1e-9))]


def _bounds(verdict: Verdict) -> tuple[list[Variation], str]:
    """Bounds halved and half as large again; a bound of 0 stays, being a sign."""
    note = _until(verdict.deciding)
    if all(_scaled(e.check, 0.5) == e.check for e in verdict.evidence):
        return [], "; ".join(filter(None, ["every bound is 0, a sign", note]))

    def times(by: float) -> Callable[[Evidence], Asked]:
        return lambda e: (_scaled(e.check, by), e.tables)

    return [Variation(f"bounds {name}", times(by)) for name, by in SCALES.items()], note


def _scaled(check: Check, by: float) -> Check:
    ends = [b for b in (check.at_least, check.at_most) if math.isfinite(b)]
    middle = sum(ends) / 2 if len(ends) == 2 else 0.0
    low, high = (middle + by * (b - middle) for b in (check.at_least, check.at_most))
    return replace(check, at_least=low, at_most=high)


def _until(evidence: Evidence) -> str:
    """Name the bounds at which the deciding number would no longer decide as it does."""
    if evidence.estimate is None or evidence.state not in {INSIDE, OUTSIDE}:
        return ""
    check, (low, high) = evidence.check, evidence.estimate.interval(LEVEL)
    inside = evidence.state == INSIDE
    ends = []
    if math.isfinite(check.at_least) and (inside or high < check.at_least):
        ends.append(low if inside else high)
    if math.isfinite(check.at_most) and (inside or low > check.at_most):
        ends.append(high if inside else low)
    return f"it would change at a bound of {' or '.join(f'{e:.4g}' for e in ends)}"
