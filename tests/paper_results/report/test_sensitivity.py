"""What would change a verdict: a repeat, a width, the length of training or a bound, one by one."""

from __future__ import annotations

import pandas as pd
import pytest

from paper_results.evidence.estimates import Estimate, by_repeat, mean_over_repeats, select
from paper_results.evidence.numbers import NUMBERS
from paper_results.report.claims import Check, Claim
from paper_results.report.sensitivity import Sensitivity, sensitivities
from paper_results.report.verdicts import Evidence, Verdict, conclude, number_of

REPEATS = range(6)
"""As many as decide, when one is left out."""


def table(value: dict[tuple[int, int], list[float]]) -> pd.DataFrame:
    """Rows by width and number of steps, a value per repeat."""
    return pd.DataFrame(
        {"width": width, "after": after, "repeat": r, "value": v}
        for (width, after), values in value.items()
        for r, v in enumerate(values)
    )


def mean_at(t: pd.DataFrame, *, width: int = 32, after: int | None = None) -> Estimate:
    rows = select(t, width=width)
    rows = select(rows, after=rows["after"].max() if after is None else after)
    return mean_over_repeats(by_repeat(rows, "value"))


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch):
    """The verdict on checks of a table, each with its options and bounds."""
    monkeypatch.setitem(NUMBERS, "mean_at", mean_at)

    def judge(t: pd.DataFrame, *checks: dict) -> Verdict:
        evidence = []
        for entry in checks:
            said = {"number": "mean_at", "says": "", "why": "", "bound": "", "repeat": "data set"}
            check = Check(**said, of=("table",), **entry)
            estimate = number_of(check, [t])
            evidence.append(Evidence(check, check.state(estimate), estimate, (), ()))
        claim = Claim("C0", "", "", "", "", tuple(e.check for e in evidence))
        return conclude(claim, tuple(evidence))

    return judge


@pytest.fixture
def told(judged, monkeypatch):
    """How a verdict on a table varies, by respect."""

    def tell(t: pd.DataFrame, *checks: dict) -> dict[str, Sensitivity]:
        monkeypatch.setattr(Evidence, "tables", property(lambda e: (t,)))
        return {s.respect: s for s in sensitivities(judged(t, *checks))}

    return tell


def near(middle: float) -> list[float]:
    return [middle + 0.01 * (-1) ** r for r in REPEATS]


def test_a_verdict_that_rests_on_one_repeat_says_so(told) -> None:
    values = [*near(1.0)[:5], 9.0]
    found = told(table({(32, 10): values}), {"at_most": 2.0})["seed"]
    # Of itself open; without the last it lies within, and so does the half that lacks it.
    assert [(t.name, t.became) for t in found.changes] == [
        ("without repeat 5", "holds"),
        ("first half of the repeats", "holds"),
    ]
    assert len(found.tried) == len(REPEATS) + 2
    assert found.text.startswith("unchanged in 6 of 8; without repeat 5: holds")


def test_repeats_that_agree_change_nothing(told) -> None:
    found = told(table({(32, 10): near(1.0)}), {"at_most": 2.0})["seed"]
    assert found.changes == ()
    assert found.text == "unchanged in 8 of 8"


def test_what_is_open_for_want_of_repeats_is_not_varied_by_them(told) -> None:
    found = told(table({(32, 10): [1.0, 1.01, 1.0]}), {"at_most": 2.0})["seed"]
    assert found.text == "not varied: it is open for want of repeats"


def test_repeats_of_something_else_in_the_table_are_none(told) -> None:
    more = table({(32, 10): near(1.0), (64, 10): near(1.0) * 3})
    checks = {"at_most": 2.0, "options": {"width": 32}}
    assert len(told(more, checks)["seed"].tried) == len(REPEATS) + 2


def test_every_width_there_is_is_tried(told) -> None:
    widths = {(32, 10): near(1.0), (64, 10): near(1.1), (128, 10): near(3.0)}
    found = told(table(widths), {"at_most": 2.0})["width"]
    # At 32 it stands already.
    assert [t.name for t in found.tried] == ["width 64", "width 128"]
    assert found.text == "unchanged in 1 of 2; width 128: does not hold"
    alone = told(table({(32, 10): near(1.0)}), {"at_most": 2.0})["width"]
    assert alone.text == "not varied: no number of several widths"


def test_training_that_ended_earlier_is_a_table_cut_short(told) -> None:
    looks = {(32, 100): near(3.0), (32, 1000): near(1.1), (32, 2000): near(1.0)}
    found = told(table(looks), {"at_most": 2.0})["training"]
    assert [t.name for t in found.tried] == [
        "training ended after 5%",
        "training ended after 50%",
    ]
    assert [t.became for t in found.tried] == ["does not hold", ""]
    # A number that names its own length keeps it.
    own = told(table(looks), {"at_most": 2.0, "options": {"after": 1000}})["training"]
    assert own.text == "not varied: nothing it rests on was looked at more than once"


def test_bounds_are_halved_and_raised_by_half(told) -> None:
    found = told(table({(32, 10): near(0.9)}), {"at_most": 1.0})["bound"]
    assert [(t.name, t.became) for t in found.tried] == [
        ("bounds halved", "does not hold"),
        ("bounds half as large again", ""),
    ]
    # The upper end of its interval: .9 + 4.03 * .0044.
    assert found.note == "it would change at a bound of 0.918"


def test_two_bounds_move_about_their_middle_and_a_sign_does_not_move(told) -> None:
    t = table({(32, 10): near(1.4)})
    both = told(t, {"at_least": 0.5, "at_most": 1.5})["bound"]
    assert [t.became for t in both.tried] == ["does not hold", ""]
    sign = told(t, {"at_least": 0.0})["bound"]
    assert sign.text.startswith("not varied: every bound is 0, a sign; it would change at")


def test_conditions_that_change_are_named(told) -> None:
    looks = {(32, 1000): near(1.0), (32, 2000): near(3.0)}
    inside = {"at_most": 2.0, "options": {"after": 1000}}
    found = told(table(looks), inside, {"at_most": 2.0, "only_if": "it is early"})["training"]
    assert found.text == "unchanged in 0 of 1; training ended after 50%: holds"
    also = {"at_most": 2.5, "only_if": "it rains", "options": {"after": 2000}}
    found = told(table(looks), inside, {"at_most": 2.0, "only_if": "it is early"}, also)
    assert found["training"].changes[0].became == "“it is early” not needed"


def test_what_a_part_cannot_tell_is_open(told) -> None:
    looks = {(32, 1000): near(1.0), (64, 2000): near(1.0)}
    found = told(table(looks), {"at_most": 2.0, "options": {"width": 64}})["training"]
    assert found.changes[0].became == "open"


def test_every_claim_is_varied_in_all_four_respects(verdicts) -> None:
    """On the stored runs; what is not varied says why."""
    cheap = [verdicts[name] for name in ("C1", "C4", "C6", "C11")]
    for verdict in cheap:
        found = sensitivities(verdict)
        assert [s.respect for s in found] == ["seed", "width", "training", "bound"]
        assert all(s.tried or s.note for s in found)
