"""From numbers to verdicts: the 99% interval, the rule, and what the stored runs say."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from scipy.stats import t as student

from experiments.running.context import UserError
from experiments.running.stored import Wanted, find
from paper_results.evidence.distillation import trees_overstate
from paper_results.evidence.estimates import Estimate
from paper_results.evidence.numbers import NUMBERS
from paper_results.report.pages import CLAIMS, RESULTS, STORED, error, number
from paper_results.report.verdicts import Check, Claim, Evidence, Verdict, judge, read_claims

AT_MOST_1 = Check(number="ties", says="a number", at_most=1.0)
AT_LEAST_1 = Check(number="ties", says="a number", at_least=1.0)


@pytest.mark.parametrize(
    ("value", "error", "state"),
    [
        (0.5, 0.1, "inside"),
        (0.9, 0.1, "open"),
        (1.1, 0.1, "open"),
        (1.5, 0.1, "outside"),
        (1.0, 0.0, "inside"),
        (0.5, math.nan, "open"),
    ],
)
def test_a_number_must_clear_its_bound_by_its_interval(value, error, state) -> None:
    assert AT_MOST_1.state(Estimate(value, error)) == state


QUANTILES = {None: 2.5758293, 2: 63.6567412, 3: 9.9248432, 4: 5.8409093, 10: 3.2498355}
"""Of the normal and of Student's t at 99.5%, from tables, by repeats: one more than freedom."""


@pytest.mark.parametrize("repeats", QUANTILES)
@pytest.mark.parametrize("error", [0.001, 2.0])
def test_the_boundary_is_that_of_99_percent_on_either_side_of_either_bound(repeats, error) -> None:
    margin = QUANTILES[repeats] * error
    just_less, just_more = margin * (1 - 1e-6), margin * (1 + 1e-6)
    for check, into in ((AT_MOST_1, -1), (AT_LEAST_1, 1)):
        states = [
            check.state(Estimate(1 + into * distance, error, repeats))
            for distance in (just_more, just_less, 0.0, -just_less, -just_more)
        ]
        assert states == ["inside", "open", "open", "open", "outside"]


def test_an_interval_that_touches_its_bound_is_inside_or_open_never_outside() -> None:
    """About 0, so that its ends are the margin to the last bit."""
    zero, margin = Estimate(0.0, 0.5, 10), 0.5 * student.ppf(0.995, 9)
    for bounds, state in (
        ({"at_least": -margin}, "inside"),
        ({"at_most": margin}, "inside"),
        ({"at_least": margin}, "open"),
        ({"at_most": -margin}, "open"),
    ):
        assert Check(number="ties", says="", **bounds).state(zero) == state


def test_a_number_between_two_bounds_can_leave_on_either_side() -> None:
    check = Check(number="ties", says="a number", at_least=0.0, at_most=1.0)
    states = [check.state(Estimate(v, 0.01)) for v in (-1.0, 0.5, 2.0)]
    assert states == ["outside", "inside", "outside"]
    assert check.bounds == "0 to 1"
    # Wide enough to cross both.
    assert check.state(Estimate(0.5, 1.0)) == "open"


def verdict_on(
    monkeypatch: pytest.MonkeyPatch, *checks: tuple[float | None, str | None], name: str = "C0"
) -> Verdict:
    """The verdict on a claim whose checks come out at these numbers, of at most 1; None: no run."""
    values = iter([value for value, _ in checks if value is not None])
    monkeypatch.setitem(NUMBERS, "ties", lambda: Estimate(next(values), 0.01))
    made = tuple(
        Check(
            number="ties",
            says="",
            of=() if value is not None else (Wanted("decay_law", "released"),),
            at_most=1.0,
            only_if=only_if,
        )
        for value, only_if in checks
    )
    return judge(Claim(name, "A sentence.", "nowhere", made), [])


IN, OUT, OPEN, NO_RUN = 0.5, 1.5, 1.01, None


@pytest.mark.parametrize(
    ("checks", "text"),
    [
        ([(IN, None)], "holds"),
        ([(OUT, None)], "does not hold"),
        ([(OPEN, None)], "not decided: more repeats are needed"),
        ([(NO_RUN, None)], "not run"),
        ([(IN, None), (IN, "it rains")], "holds"),
        ([(IN, None), (OUT, "it rains")], "holds only if it rains"),
        ([(IN, None), (OPEN, "it rains")], "not decided: more repeats are needed"),
        ([(IN, None), (NO_RUN, "it rains")], "not run"),
        # What fails fails, whatever has not been run.
        ([(OUT, None), (NO_RUN, None), (OPEN, "it rains")], "does not hold"),
        ([(NO_RUN, None), (OUT, "it rains")], "not run"),
        ([(OPEN, None), (OUT, "it rains")], "not decided: more repeats are needed"),
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
        ([(OPEN, "it snows"), (NO_RUN, "it hails")], "not run; open: only if it snows"),
        # What is known to limit a claim is not open, whatever else is said of it.
        ([(OPEN, "it rains"), (OUT, "it rains"), (IN, "it snows")], "holds only if it rains"),
    ],
)
def test_open_conditions_are_shown_beside_those_that_fail(monkeypatch, conditions, text) -> None:
    assert verdict_on(monkeypatch, (IN, None), *conditions).text == text


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


def test_every_claim_and_contradiction_has_its_checks() -> None:
    claims = read_claims(CLAIMS)
    assert [c.name for c in claims] == [f"C{i}" for i in range(1, 12)] + [
        f"E{i}" for i in range(1, 15)
    ]
    for claim in claims:
        assert any(check.only_if is None for check in claim.checks), claim.name


def test_a_claim_that_asks_for_no_such_number_is_named(tmp_path: Path) -> None:
    text = '[[claim]]\nname = "C1"\nsentence = "s"\nwhere = "w"\n[[claim.check]]\nsays = "x"\n'
    path = tmp_path / "claims.toml"
    path.write_text(text + 'number = "nonsense"\nat_most = 1.0\n')
    with pytest.raises(UserError, match=r"claim C1: .*no number 'nonsense'"):
        read_claims(path)
    path.write_text(text + 'number = "ties"\n')
    with pytest.raises(UserError, match=r"claim C1: .*at_least or at_most"):
        read_claims(path)


def test_a_verdict_follows_the_table_it_is_read_from() -> None:
    """The trees' share of order 1, moved as far below the unbiased one, is not overstated."""
    run = find(Wanted("pure_noise", "released"), [STORED])
    claim = next(c for c in read_claims(CLAIMS) if c.name == "C4")
    check = claim.checks[0]
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


def told(text: str) -> dict[str, list[list[str]]]:
    """What REPORT.md says of claims: by name, a verdict, number, error and state for each check."""
    rows: dict[str, list[list[str]]] = {}
    name = ""
    for line in text.partition("## Items")[0].splitlines():
        cells = [cell.strip().strip("*") for cell in line.strip("|").split("|")]
        if len(cells) == 8 and re.search(r"inside|outside|open", cells[5]):
            name = cells[0] or name
            rows.setdefault(name, []).append([*cells[2:5], cells[5].rpartition(": ")[2]])
    return rows


def test_the_report_says_what_stored_runs_give_from_what_they_measured_alone(verdicts) -> None:
    said = {
        name: [
            [verdict.text if i == 0 else "", number(e.estimate.value), error(e.estimate), e.state]
            for i, e in enumerate(verdict.evidence)
        ]
        for name, verdict in verdicts.items()
    }
    assert said == told((RESULTS / "REPORT.md").read_text(encoding="utf-8"))
