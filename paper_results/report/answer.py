"""What the report opens with: the answer in a paragraph, a picture and a table of a line each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

from .claims import LEVEL, MISSING, OPEN, lacking
from .verdicts import ONLY_IF, Evidence, Verdict

KINDS = {
    "holds": ("holds as stated", "hold as stated"),
    ONLY_IF: ("holds under conditions", "hold under conditions"),
    "does not hold": ("does not hold", "do not hold"),
    OPEN: ("is open", "are open"),
}
"""Kinds of verdict, and what is said of one claim that has it, or of several."""


def paragraph(verdicts: Sequence[Verdict]) -> str:
    """Tell which claims hold, hold in part, do not and are open, and what is shown beside."""
    claims = [v for v in verdicts if not v.claim.is_finding]
    findings = [v for v in verdicts if v.claim.is_finding]
    told = []
    for kind, (of_one, of_several) in KINDS.items():
        named = [f"{v.claim.name}: {v.claim.short}" for v in claims if v.kind == kind]
        if named:
            words = of_one if len(named) == 1 else of_several
            told.append(f"{len(named)} {words} ({'; '.join(named)})")
    shown = [v for v in findings if v.kind == "shown"]
    others = [v.claim.name for v in findings if v.kind != "shown"]
    rest = f" ({', '.join(others)} not, or not yet)" if others else ""
    return (
        f"Of the paper's {len(claims)} claims {_series(told)}. Of {len(findings)} places where its "
        f"text, numbers and code were found to disagree, numbers show {len(shown)}{rest}."
    )


def _series(parts: Sequence[str]) -> str:
    *most, last = parts or ["none were judged"]
    return f"{', '.join(most)}, and {last}" if most else last


def numbers(verdicts: Sequence[Verdict]) -> pd.DataFrame:
    """Place the numbers of all claims by how far they lie within what is asked.

    Columns as figures/verdicts.py draws them.
    """
    return pd.DataFrame(
        {
            "claim": f"{v.claim.name}  {v.claim.short}",
            "verdict": v.kind,
            "state": _state(e),
            "place": place(e),
            "is_condition": e.check.only_if is not None,
            "is_deciding": e is v.deciding,
        }
        for v in verdicts
        for e in v.evidence
    )


def _state(evidence: Evidence) -> str:
    if evidence.estimate is not None and lacking(evidence.estimate):
        return "few"
    return OPEN if evidence.state == MISSING else evidence.state


def place(evidence: Evidence) -> float:
    """Count the half-widths of its interval by which a number lies within what is asked.

    Negative beyond it, infinite where it has no error. What was not run stands at 0.
    """
    estimate, check = evidence.estimate, evidence.check
    if estimate is None:
        return 0.0
    low, high = estimate.interval(LEVEL)
    above = _over(estimate.value - check.at_least, estimate.value - low, high - estimate.value)
    below = _over(check.at_most - estimate.value, high - estimate.value, estimate.value - low)
    return min(above, below)


def _over(distance: float, within: float, beyond: float) -> float:
    width = within if distance >= 0 else beyond
    if math.isinf(width) or distance == 0:
        return 0.0
    return distance / width if width else math.copysign(math.inf, distance)
