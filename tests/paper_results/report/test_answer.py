"""The opening: every claim told once, and every number placed by its distance from its bounds."""

from __future__ import annotations

import math

import pytest

from paper_results.evidence.estimates import Estimate
from paper_results.report import answer
from paper_results.report.claims import Check, Claim
from paper_results.report.verdicts import Evidence, Verdict

SAID = {"number": "ties", "says": "a number", "why": "it tells", "bound": "it is neutral"}


def evidence(estimate: Estimate | None, **bounds: float) -> Evidence:
    check = Check(**SAID, **bounds)
    return Evidence(check, check.state(estimate), estimate, (), ())


def verdict(name: str, kind: str) -> Verdict:
    claim = Claim(name, "Sentence.", "Paper.", "Fig 0", f"short {name}", ())
    return Verdict(claim, kind, kind, evidence(Estimate(0.0, 0.0), at_most=1.0), ())


def test_every_claim_is_told_once_under_its_kind() -> None:
    kinds = ["holds", "only if", "does not hold", "open", "open", "holds"]
    found = answer.paragraph(
        [verdict(f"C{i}", kind) for i, kind in enumerate(kinds)]
        + [verdict("E1", "shown"), verdict("E2", "open")]
    )
    assert "Of the paper's 6 claims 2 hold as stated (C0: short C0; C5: short C5), 1 holds" in found
    assert (
        "under conditions (C1: short C1), 1 does not hold (C2: short C2), and 2 are open" in found
    )
    assert "Of 2 places" in found
    assert "disagree, numbers show 1 (E2 not, or not yet)." in found


@pytest.mark.parametrize(
    ("value", "bounds", "place"),
    [
        (0.5, {"at_most": 1.0}, 0.5),
        (1.5, {"at_most": 1.0}, -0.5),
        (1.5, {"at_least": 1.0}, 0.5),
        (0.5, {"at_least": 1.0}, -0.5),
        # Between two bounds the nearer counts.
        (0.25, {"at_least": 0.0, "at_most": 1.0}, 0.25),
        (3.0, {"at_least": 0.0, "at_most": 1.0}, -2.0),
    ],
)
def test_a_number_is_placed_by_half_widths_from_its_nearest_bound(value, bounds, place) -> None:
    half = 2.5758293
    assert answer.place(evidence(Estimate(value, 1 / half), **bounds)) == pytest.approx(place)


def test_a_number_leaves_the_grey_where_it_is_no_longer_open() -> None:
    for value in (-1.0, 0.7, 0.99, 1.01, 1.3, 4.0):
        for repeats in (5, 12):
            piece = evidence(Estimate(value, 0.07, repeats), at_most=1.0)
            inside, outside = answer.place(piece) >= 1, answer.place(piece) < -1
            expected = "inside" if inside else "outside" if outside else "open"
            assert piece.state == expected


def test_what_has_no_error_is_as_far_as_can_be_and_what_is_not_known_nowhere() -> None:
    assert answer.place(evidence(Estimate(0.5, 0.0), at_most=1.0)) == math.inf
    assert answer.place(evidence(Estimate(1.5, 0.0), at_most=1.0)) == -math.inf
    assert answer.place(evidence(None, at_most=1.0)) == 0
    assert answer.place(evidence(Estimate(0.5, math.nan, 1), at_most=1.0)) == 0


def test_rows_say_what_the_picture_needs(verdicts) -> None:
    claims = [v for v in verdicts.values() if not v.claim.is_finding]
    rows = answer.numbers(claims)
    assert len(rows) == sum(len(v.evidence) for v in claims)
    assert rows["is_deciding"].sum() == len(claims) == rows["claim"].nunique()
    assert set(rows["state"]) <= {"inside", "outside", "open", "few"}
    short = [e for v in claims for e in v.evidence if e.estimate and (e.estimate.fewest or 5) < 5]
    assert (rows["state"] == "few").sum() == len(short)
