"""From numbers to verdicts: the 99% interval, the rule, and what the stored runs say."""

from __future__ import annotations

import pytest

from experiments.running.stored import Wanted, find
from paper_results import STORED
from paper_results.evidence.distillation import trees_overstate
from paper_results.evidence.estimates import Estimate
from paper_results.evidence.numbers import NUMBERS
from paper_results.report.claims import Check, Claim, read_claims
from paper_results.report.pages import CLAIMS
from paper_results.report.verdicts import Evidence, Verdict, judge

SAID = {"number": "ties", "says": "a number", "why": "it tells", "bound": "it is neutral"}
AT_MOST_1 = Check(**SAID, at_most=1.0)


def verdict_on(
    monkeypatch: pytest.MonkeyPatch, *checks: tuple[float | None, str | None], name: str = "C0"
) -> Verdict:
    """The verdict on a claim whose checks come out at these numbers, of at most 1; None: no run."""
    values = iter([value for value, _ in checks if value is not None])
    monkeypatch.setitem(NUMBERS, "ties", lambda: Estimate(next(values), 0.01))
    made = tuple(
        Check(
            **SAID,
            of=() if value is not None else (Wanted("decay_law", "released"),),
            at_most=1.0,
            only_if=only_if,
        )
        for value, only_if in checks
    )
    return judge(Claim(name, "A sentence.", "As they say it.", "nowhere", "short", made), [])


IN, OUT, OPEN, NO_RUN = 0.5, 1.5, 1.01, None


@pytest.mark.parametrize(
    ("checks", "text"),
    [
        ([(IN, None)], "holds"),
        ([(OUT, None)], "does not hold"),
        ([(OPEN, None)], "open"),
        ([(NO_RUN, None)], "not run"),
        ([(IN, None), (IN, "it rains")], "holds"),
        ([(IN, None), (OUT, "it rains")], "holds only if it rains"),
        ([(IN, None), (OPEN, "it rains")], "holds in its own setting; open: only if it rains"),
        ([(IN, None), (NO_RUN, "it rains")], "holds in its own setting; not run: only if it rains"),
        # What fails fails, whatever has not been run.
        ([(OUT, None), (NO_RUN, None), (OPEN, "it rains")], "does not hold"),
        ([(NO_RUN, None), (OUT, "it rains")], "not run"),
        ([(OPEN, None), (OUT, "it rains")], "open"),
    ],
)
def test_the_rule_can_give_every_verdict(monkeypatch, checks, text) -> None:
    assert verdict_on(monkeypatch, *checks).text == text


@pytest.mark.parametrize(
    ("conditions", "text"),
    [
        ([(OUT, "it rains"), (OUT, "it pours")], "holds only if it rains, and only if it pours"),
        ([(OPEN, "it snows"), (OUT, "it rains")], "holds only if it rains; open: only if it snows"),
        (
            [(OUT, "it rains"), (OPEN, "it snows"), (NO_RUN, "it hails"), (OPEN, "it pours")],
            "holds only if it rains; not run: only if it hails; "
            "open: only if it snows, and only if it pours",
        ),
        (
            [(OPEN, "it snows"), (NO_RUN, "it hails")],
            "holds in its own setting; not run: only if it hails; open: only if it snows",
        ),
        # What is known to limit a claim is not open, whatever else is said of it.
        ([(OPEN, "it rains"), (OUT, "it rains"), (IN, "it snows")], "holds only if it rains"),
    ],
)
def test_open_conditions_are_shown_beside_those_that_fail(monkeypatch, conditions, text) -> None:
    assert verdict_on(monkeypatch, (IN, None), *conditions).text == text


def test_the_kind_of_a_verdict_is_that_of_its_worst_number(monkeypatch) -> None:
    """What was not run is open, and so is a claim with a condition that is."""
    kinds = {
        ((IN, None),): "holds",
        ((OUT, None), (OPEN, None)): "does not hold",
        ((IN, None), (NO_RUN, None)): "open",
        ((IN, None), (OUT, "it rains"), (OPEN, "it snows")): "only if",
        ((IN, None), (NO_RUN, "it rains")): "open",
        ((IN, None), (OPEN, "it rains")): "open",
    }
    for checks, kind in kinds.items():
        assert verdict_on(monkeypatch, *checks).kind == kind


def test_a_finding_is_shown_where_a_claim_holds(monkeypatch) -> None:
    assert verdict_on(monkeypatch, (IN, None), name="E0").text == "shown"
    assert verdict_on(monkeypatch, (OUT, None), name="E0").text == "not shown"
    limited = verdict_on(monkeypatch, (IN, None), (OUT, "it rains"), name="E0")
    assert limited.text == "shown only if it rains"


def test_a_verdict_rests_on_the_check_that_decides_it(monkeypatch) -> None:
    verdict = verdict_on(monkeypatch, (IN, None), (OPEN, "it snows"), (OUT, "it rains"))
    assert verdict.deciding is verdict.evidence[2]
    assert verdict_on(monkeypatch, (IN, None), (OPEN, None)).deciding.estimate.value == OPEN
    assert verdict_on(monkeypatch, (IN, None), (IN, "it rains")).deciding.check.only_if is None


def test_a_verdict_follows_the_table_it_is_read_from() -> None:
    """The trees' share of order 1, moved as far below the unbiased one, is not overstated."""
    run = find(Wanted("pure_noise", "released"), [STORED])
    checks = [check for claim in read_claims(CLAIMS) for check in claim.checks]
    check = next(check for check in checks if check.number == "trees_overstate")
    before = trees_overstate(run.table, **check.options)
    assert check.state(before) == "outside"
    moved = run.table.copy()
    trees = (moved["measure"] == "released") & (moved["order"] == "1")
    moved.loc[trees, "share"] -= 2 * before.value
    assert check.state(trees_overstate(moved, **check.options)) == "inside"


def test_evidence_from_runs_tells_their_commands() -> None:
    run = find(Wanted("pure_noise", "released"), [STORED])
    none = Evidence(AT_MOST_1, "inside", Estimate(0.0, 0.0), (), ())
    one = Evidence(AT_MOST_1, "inside", Estimate(0.0, 0.0), (run,), ())
    assert none.commands == ["python -m experiments report"]
    assert one.commands == [run.command]
