"""Claims find their numbers by name, and every number decides something."""

from __future__ import annotations

from paper_results.evidence.numbers import NUMBERS, SUBJECTS, numbers_in
from paper_results.report.claims import read_claims
from paper_results.report.pages import CLAIMS


def test_every_number_decides_a_claim() -> None:
    asked = {check.number for claim in read_claims(CLAIMS) for check in claim.checks}
    assert asked == set(NUMBERS)


def test_no_two_subjects_have_a_number_of_one_name() -> None:
    assert len(NUMBERS) == sum(len(numbers_in(subject)) for subject in SUBJECTS)


def test_helpers_and_points_are_no_numbers() -> None:
    assert not {"mean_over_repeats", "largest_gap", "networks", "fig_8_ours"} & set(NUMBERS)
