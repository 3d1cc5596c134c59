"""The battery's truths by code of their own, and its way of counting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from interactions import Empirical, Normal, OrderSpectrum, Uniform
from interactions.inputs import Inputs
from tests.benchmarks.battery import FAMILIES, TABLE, coverage, judge, read, run, summary
from tests.benchmarks.battery_cases import Case, Outputs, cases

CASES = cases()
NAMES = [f"{c.family}: {c.name}" for c in CASES]
FINE = 400_000


def values_of(inputs: Inputs, j: int) -> tuple[np.ndarray, np.ndarray]:
    """Values and weights of one input, by sums so fine that no rule need be chosen."""
    if isinstance(inputs, Uniform):
        u = (np.arange(FINE) + 0.5) / FINE
        return inputs.low + (inputs.high - inputs.low) * u, np.full(FINE, 1 / FINE)
    if isinstance(inputs, Normal):
        z = (np.arange(FINE) + 0.5) / FINE * 24 - 12
        w = np.exp(-(z**2) / 2)
        return inputs.mean + inputs.std * z, w / w.sum()
    if isinstance(inputs, Empirical):
        column = inputs._sorted[:, j]
        return column, np.full(len(column), 1 / len(column))
    return np.array([-1.0, 1.0]), np.array([0.5, 0.5])


def spectrum_of(terms, inputs: Inputs, max_order: int) -> np.ndarray:
    """Variance by order of a sum of products, from a polynomial that counts the inputs.

    Two products contribute prod_j (E h E g + z Cov(h, g)): the coefficient of z^k is order k.
    """
    tables: dict[int, tuple] = {}
    for j in {j for t in terms for j in t.factors}:
        x, w = values_of(inputs, 0 if not isinstance(inputs, Empirical) else j)
        own = [(i, t.factors[j]) for i, t in enumerate(terms) if j in t.factors]
        h = np.stack([f(torch.as_tensor(x)).numpy() for _, f in own])
        mean = h @ w
        centred = h - mean[:, None]
        tables[j] = ({i: n for n, (i, _) in enumerate(own)}, mean, (centred * w) @ centred.T)
    variance = np.zeros(max_order + 1)
    for a, s in enumerate(terms):
        for b, t in enumerate(terms[: a + 1]):
            polynomial = np.ones(1)
            for j in {*s.factors, *t.factors}:
                where, mean, covariance = tables[j]
                m = [mean[where[i]] if i in where else 1.0 for i in (a, b)]
                c = covariance[where[a], where[b]] if a in where and b in where else 0.0
                polynomial = np.convolve(polynomial, [m[0] * m[1], c])
            twice = s.coefficient * t.coefficient * (1 if a == b else 2)
            for k, value in enumerate(polynomial[1:], start=1):
                variance[min(k, max_order + 1) - 1] += twice * value
    return variance


def few_terms(case: Case) -> list:
    """The case's products, of an ensemble only those of some outputs."""
    return case.planted.products if isinstance(case.planted, Outputs) else [case.planted]


def test_there_are_sixty_of_every_kind() -> None:
    assert len(CASES) == len(set(NAMES)) == 60
    assert {c.family for c in CASES} == set(FAMILIES)
    dims = {c.inputs.dim for c in CASES}
    assert min(dims) == 2
    assert max(dims) == 1000
    assert {type(c.inputs).__name__ for c in CASES} == {
        *("Uniform", "Normal", "Rademacher", "Empirical")
    }


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_truths_agree_with_sums_over_values(case: Case) -> None:
    parts = [spectrum_of(p.terms, case.inputs, case.max_order) for p in few_terms(case)]
    if isinstance(case.planted, Outputs):
        expected = case.planted.weights**2 @ np.stack(parts)
    else:
        expected = case.scale**2 * parts[0]
    total = case.truth.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(case.truth / total, expected / total, atol=1e-3)
    np.testing.assert_allclose(case.truth.sum(axis=-1), expected.sum(axis=-1), rtol=2e-3)


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.family not in ("rare", "tails")], ids=lambda c: c.name
)
def test_functions_have_the_variance_that_their_truths_sum_to(case: Case) -> None:
    y = case(case.inputs.sample(2**13, generator=0)).reshape(2**13, -1)[:, :5].numpy()
    # Divided by the scale, which would underflow when squared twice.
    y = (y - y.mean(axis=0)) / case.scale
    error = (y**2).std(axis=0) / 2**6.5
    total = np.atleast_2d(case.truth)[:5].sum(axis=-1) / case.scale**2
    assert np.all(np.abs((y**2).mean(axis=0) - total) <= 5 * error)


def test_sampled_and_exact_intervals_are_counted_apart() -> None:
    s = OrderSpectrum.known(
        np.array([1.0, 2.0, 3.0, 4.0]), error=np.array([0.1, 0.1, 0.0, 0.0]), method="made up"
    )
    counts = judge(s, np.array([1.1, 2.3, 3.0, 4.1]))
    assert counts["sampled"] == 2
    assert counts["covered"] == 1
    assert counts["exact"] == 2
    assert counts["right"] == 1
    assert counts["worst"] == pytest.approx(0.3 / 0.196, rel=1e-3)


def test_only_what_claims_to_have_converged_is_judged() -> None:
    row = {"family": "rare", "evaluations": 10, "seconds": 1.0, "exact": 0, "right": 0}
    rows = pd.DataFrame(
        [
            {**row, "case": "rare: a", "converged": True, "sampled": 4, "covered": 4},
            {**row, "case": "rare: b", "converged": True, "sampled": 4, "covered": 2},
            {**row, "case": "rare: c", "converged": False, "sampled": 4, "covered": 0},
        ]
    )
    share, error, sampled = coverage(rows[rows.converged])
    assert share == sampled == 0.75
    assert error == pytest.approx((0.75 * 0.25 / 2) ** 0.5)
    assert "cases below 85%: rare: b 50%" in summary(rows)


def test_a_run_is_a_row() -> None:
    row = run("smooth", "sin cos x", 0, method="auto")
    assert row["converged"]
    assert row["exact"] == row["right"] == 4
    assert row["evaluations"] > 0


def test_the_stored_table_keeps_the_bars() -> None:
    """Twenty seeds of each; 93% of intervals right over all, 85% in every family, 99.5% at most."""
    rows = read(TABLE)
    assert set(rows["case"]) == set(NAMES)
    assert (rows.groupby("case")["seed"].nunique() == 20).all()
    assert len(rows) == 1200
    done = rows[rows["converged"]]
    assert len(done) > 0.9 * len(rows)
    right = (done["covered"] + done["right"]) / (done["sampled"] + done["exact"])
    assert right.mean() >= 0.93
    assert right.groupby(done["family"]).mean().min() >= 0.85
    some = done[done["sampled"] > 0]
    assert (some["covered"] / some["sampled"]).mean() <= 0.995
    assert done["exact"].sum() == done["right"].sum()
