"""What claims.toml states, and the rule by which a number bears on a claim: bounds, errors, n."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student

from experiments.running.context import UserError
from experiments.running.stored import Wanted, find
from paper_results import STORED
from paper_results.evidence.estimates import Estimate, largest, largest_gap
from paper_results.report.claims import FEWEST, Check, lacking, read_claims
from paper_results.report.pages import CLAIMS

SAID = {"number": "ties", "says": "a number", "why": "it tells", "bound": "it is neutral"}
AT_MOST_1 = Check(**SAID, at_most=1.0)
AT_LEAST_1 = Check(**SAID, at_least=1.0)


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


QUANTILES = {None: 2.5758293, 5: 4.6040949, 6: 4.0321430, 10: 3.2498355}
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
        assert Check(**SAID, **bounds).state(zero) == state


def test_a_number_between_two_bounds_can_leave_on_either_side() -> None:
    check = Check(**SAID, at_least=0.0, at_most=1.0)
    states = [check.state(Estimate(v, 0.01)) for v in (-1.0, 0.5, 2.0)]
    assert states == ["outside", "inside", "outside"]
    assert check.bounds == "0 to 1"
    # Wide enough to cross both.
    assert check.state(Estimate(0.5, 1.0)) == "open"


@pytest.mark.parametrize("repeats", [2, 4, 5, 6])
def test_fewer_than_five_repeats_decide_nothing(repeats) -> None:
    far = Estimate(100.0, 0.001, repeats, "data set")
    assert FEWEST == 5
    assert lacking(far) == max(0, 5 - repeats)
    assert AT_MOST_1.state(far) == ("open" if repeats < 5 else "outside")
    assert AT_LEAST_1.state(far) == ("open" if repeats < 5 else "inside")
    assert AT_MOST_1.state(far, fewest=2) == "outside"


def test_what_has_no_repeats_lacks_none() -> None:
    """Closed forms, exact tables, numbers as published."""
    assert lacking(Estimate(2.0, 0.0)) == 0
    assert AT_MOST_1.state(Estimate(2.0, 0.0)) == "outside"


def test_a_largest_number_lacks_what_its_poorest_cell_lacks() -> None:
    cells = {"gap": [5.0, 0.1], "standard_error": [0.01, 0.01], "repeats": [10, 3]}
    assert lacking(largest_gap(pd.DataFrame(cells))) == 2


def test_the_repeats_needed_are_those_at_which_the_interval_clears_its_bound() -> None:
    estimate = Estimate(0.9, 0.1, 6)
    needed = AT_MOST_1.needed(estimate)

    def state(n: int) -> str:
        return AT_MOST_1.state(Estimate(0.9, 0.1 * math.sqrt(6 / n), n))

    assert (state(needed), state(needed - 1)) == ("inside", "open")
    # On the bound itself, of one repeat, or without: no number of repeats is known to.
    for other in (Estimate(1.0, 0.1, 6), Estimate(0.9, math.nan, 1), Estimate(0.9, 0.0)):
        assert AT_MOST_1.needed(other) is None


@pytest.mark.parametrize("together", [False, True], ids=["independent", "alike"])
def test_a_true_largest_gap_at_its_bound_is_outside_in_less_than_one_of_a_hundred(together) -> None:
    """Every one of twelve cells at the bound, which is the worst case, from six repeats each.

    Each cell judged alone strays far more often, so that the choice of the largest needs its
    allowance.
    """
    tries, cells, repeats = 3000, 12, 6
    rng = np.random.default_rng(0)
    shape = (tries, 1 if together else cells, repeats)
    noise = rng.standard_normal(shape) + 0.3 * rng.standard_normal((tries, cells, repeats))
    gap = 1 + noise.mean(axis=-1)
    error = noise.std(axis=-1, ddof=1) / math.sqrt(repeats)
    found = [
        largest(Estimate(g, e, repeats) for g, e in zip(gaps, errors, strict=True))
        for gaps, errors in zip(gap, error, strict=True)
    ]
    outside = np.mean([AT_MOST_1.state(e) == "outside" for e in found])
    alone = np.mean([AT_MOST_1.state(replace(e, cells=())) == "outside" for e in found])
    assert outside <= 0.01
    if not together:
        assert alone > 0.01
    # And no more cautious than it must be: a gap well above its bound is seen.
    above = largest_gap(pd.DataFrame({"gap": [1.5, 1.0], "standard_error": 0.05, "repeats": 10}))
    assert AT_MOST_1.state(above) == "outside"


def test_every_claim_and_contradiction_has_its_checks() -> None:
    claims = read_claims(CLAIMS)
    assert [c.name for c in claims] == [f"C{i}" for i in range(1, 12)] + [
        f"E{i}" for i in range(1, 15)
    ]
    for claim in claims:
        assert any(check.only_if is None for check in claim.checks), claim.name


def test_a_claim_that_asks_for_no_such_number_is_named(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(toml(number="nonsense"))
    with pytest.raises(UserError, match=r"claim C1: .*no number 'nonsense'"):
        read_claims(path)
    path.write_text(toml().replace("at_most = 1.0", ""))
    with pytest.raises(UserError, match=r"claim C1: .*at_least or at_most"):
        read_claims(path)


ENTRY = {
    "claim": {"name": "C1", "sentence": "s", "paper": "p", "where": "w", "short": "x"},
    "claim.check": {
        "number": "ties",
        "says": "n",
        "why": "it tells",
        "bound": "it is neutral",
        "of": ["decay_law controlled"],
        "repeat": "data set",
    },
}


def toml(without: str = "", **changed: str) -> str:
    lines = ["[[claim]]"]
    for table, entries in ENTRY.items():
        lines += [f"[[{table}]]"] * (table != "claim")
        lines += [
            f"{key} = {changed.get(key, value)!r}"
            for key, value in entries.items()
            if key != without
        ]
    return "\n".join([*lines, "at_most = 1.0", ""])


@pytest.mark.parametrize(
    "word", ["sentence", "paper", "where", "short", "says", "why", "bound", "repeat"]
)
def test_an_entry_without_its_reasons_is_refused(word, tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(toml())
    (claim,) = read_claims(path)
    assert claim.checks[0].of == (Wanted("decay_law", "controlled"),)
    for text in (toml(without=word), toml(**{word: " "})):
        path.write_text(text)
        with pytest.raises(UserError, match=rf"claim C1: {word} is needed"):
            read_claims(path)


def test_reasons_are_sentences() -> None:
    for claim in read_claims(CLAIMS):
        for check in claim.checks:
            for words in (claim.paper, check.why, check.bound):
                assert words.endswith("."), words


def test_networks_on_one_data_set_are_not_called_data_sets() -> None:
    """A run's record says whether its repeats share their data."""
    told = 0
    for claim in read_claims(CLAIMS):
        for check in claim.checks:
            runs = [find(source, [STORED]) for source in check.of if isinstance(source, Wanted)]
            # A run that is not stored yet shares nothing.
            for run in filter(None, runs):
                shared = run.record["settings"].get("shared_data")
                if shared is not None:
                    assert ("one data set" in check.repeat) == shared, (claim.name, check.number)
                    told += 1
    assert told
