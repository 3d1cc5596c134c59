"""Inputs by name, each of its own distribution: closed forms, and what is refused."""

from __future__ import annotations

import itertools
import math
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import special, stats

from interactions import Empirical, Marginals, Normal, Uniform, order_spectrum
from interactions.anova import strongest_interactions
from interactions.inputs.continuous import Continuous

CONTINUOUS = {
    "uniform": stats.uniform(-1, 2),
    "normal": stats.norm(40, 12),
    "beta": stats.beta(2, 5),
    "u-shaped beta": stats.beta(0.5, 0.5),
    "lognormal": stats.lognorm(0.5),
    "exponential": stats.expon(),
    "gamma below 1": stats.gamma(0.3),
    "triangular": stats.triang(0.3),
    "Laplace": stats.laplace(),
    "heavy tail": stats.t(5),
    "skewed, by a solver": stats.skewnorm(4),
    "histogram": stats.rv_histogram(np.histogram([0, 1, 1, 3, 4, 4, 4, 9], bins=5))(),
}


def one(distribution) -> Continuous:
    return Continuous(distribution.ppf, distribution.isf, "it")


@pytest.mark.parametrize("distribution", CONTINUOUS.values(), ids=CONTINUOUS.keys())
def test_quantiles_are_those_of_scipy(distribution) -> None:
    u = np.concatenate([np.linspace(0.001, 0.999, 400), [1e-9, 1e-6, 1 - 1e-6]])
    inputs = Marginals({"it": distribution})
    got = inputs.quantile(torch.as_tensor(u)[:, None], torch.arange(1))[:, 0].numpy()
    spread = np.ptp(distribution.ppf([0.16, 0.84]))
    exact = distribution.ppf(u)
    assert (np.abs(got - exact) <= 2e-9 * np.maximum(np.abs(exact), spread)).all()
    single = inputs.quantile(torch.as_tensor(u, dtype=torch.float32)[:, None], torch.arange(1))
    assert single.dtype == torch.float32
    assert (np.diff(got[:400]) >= 0).all()


MOMENTS = {
    "beta": (stats.beta(2, 5), lambda k: special.beta(2 + k, 5) / special.beta(2, 5)),
    "u-shaped beta": (
        stats.beta(0.5, 0.5),
        lambda k: special.beta(0.5 + k, 0.5) / special.beta(0.5, 0.5),
    ),
    "lognormal": (stats.lognorm(0.5), lambda k: math.exp(k**2 / 8)),
    "exponential": (stats.expon(), math.factorial),
    "uniform": (stats.uniform(), lambda k: 1 / (k + 1)),
}


@pytest.mark.parametrize(("distribution", "moment"), MOMENTS.values(), ids=MOMENTS.keys())
@pytest.mark.parametrize("size", [4, 16, 64])
def test_a_rule_integrates_the_polynomials_of_a_gauss_rule(distribution, moment, size) -> None:
    nodes, weights = one(distribution).quadrature(size)
    assert len(nodes) == size
    for k in range(min(2 * size, 12)):
        assert weights @ nodes**k == pytest.approx(moment(k), rel=1e-8)
    # A rule for kinks is one between each neighbouring pair, and exact on each.
    kink = float(distribution.ppf(0.3))
    nodes, weights = one(distribution).quadrature(8, breakpoints=[kink])
    assert (np.sort(nodes)[:8] < kink).all()
    assert (np.sort(nodes)[8:] > kink).all()
    assert weights[nodes < kink].sum() == pytest.approx(0.3, rel=1e-8)
    for k in range(12):
        assert weights @ nodes**k == pytest.approx(moment(k), rel=1e-8)


def test_recurrences_are_those_of_the_classical_polynomials() -> None:
    for mine, known in (
        (stats.uniform(-1, 2), Uniform(-1.0, 1.0, dim=1)),
        (stats.norm(40, 12), Normal(40.0, 12.0, dim=1)),
    ):
        for got, exact in zip(one(mine).recurrence(12), known.recurrence(12), strict=True):
            np.testing.assert_allclose(got, exact, rtol=1e-10, atol=1e-10)


BETA, LOGNORMAL = stats.beta(2, 5), stats.lognorm(0.4)
WEIGHTS = {"f": 0.6, "m": 0.3, "x": 0.1}
MIXED = Marginals(
    {
        "dose": BETA,
        "income": LOGNORMAL,
        "sex": WEIGHTS,
        "visits": stats.poisson(2.0),
        "age": np.array([20.0, 30.0, 30.0, 50.0]),
    }
)
MOMENTS_OF = {
    "dose": (2 / 7, 2 * 3 / (7 * 8)),
    "income": (math.exp(0.08), math.exp(0.32)),
    "sex": (0.5, 0.7),
    "visits": (2.0, 6.0),
    "age": (32.5, (400 + 2 * 900 + 2500) / 4),
}


def products(names: list[str]) -> np.ndarray:
    """Variance by order of the product of some of the inputs, from their first two moments."""
    variance = np.zeros(len(names) + 1)
    for on in itertools.product((False, True), repeat=len(names)):
        parts = [
            MOMENTS_OF[n][1] - MOMENTS_OF[n][0] ** 2 if o else MOMENTS_OF[n][0] ** 2
            for n, o in zip(names, on, strict=True)
        ]
        variance[sum(on)] += math.prod(parts)
    return variance[1:]


@pytest.mark.parametrize(
    "names",
    [["dose"], ["income"], ["sex", "visits"], ["dose", "income", "sex"], ["income", "age"]],
    ids=str,
)
def test_closed_forms_of_mixed_inputs(names: list[str]) -> None:
    columns = [MIXED.names.index(n) for n in names]

    def function(x):
        return math.prod(x[:, j] for j in columns)

    truth = np.zeros(4)
    truth[: len(names)] = products(names)
    exact = order_spectrum(function, MIXED, method="exact")
    np.testing.assert_allclose(exact.variance, truth, rtol=1e-8, atol=1e-8 * truth.sum())
    for method in ("kernel", "differences"):
        s = order_spectrum(function, MIXED, method=method, tolerance=0.05, seed=2)
        off = np.abs(s.share - truth / truth.sum())
        error = np.nan_to_num(s.share_standard_error)
        assert (off <= 4 * error + np.nan_to_num(s.left_out) + 1e-9).all(), method


def test_a_column_is_the_same_alone_and_among_marginals() -> None:
    column = np.random.default_rng(0).gamma(2.0, size=300)
    mine, data = Marginals({"a": column, "b": column}), Empirical(np.stack([column, column], 1))
    np.testing.assert_allclose(mine.support(1), data.support(1))
    np.testing.assert_allclose(mine.quadrature(20), data.quadrature(20))
    np.testing.assert_allclose(mine.recurrence(8), data.recurrence(8))
    assert "intervals of these rows of a, b" in mine.caveat
    assert not Marginals({"a": [1, 2]}).caveat


def test_drawing_points_asks_no_solver() -> None:
    calls = []

    def ppf(q):
        calls.append(np.size(q))
        return stats.norm.ppf(q)

    inputs = Marginals({"a": Continuous(ppf, stats.norm.isf, "mine"), "b": [0, 1]})
    spent = sum(calls)
    assert spent < 10_000
    x = inputs.sample(200_000, generator=0)
    assert sum(calls) == spent
    assert stats.kstest(x[:, 0], "norm").pvalue > 1e-4
    assert x[:, 1].mean() == pytest.approx(0.5, abs=0.005)


def test_functions_get_values_as_they_were_given() -> None:
    kinds = pd.Series(pd.Categorical(["a", "b", "b"], categories=["b", "a"]))
    inputs = Marginals(
        {
            "sex": WEIGHTS,
            "kind": kinds,
            "visits": stats.poisson(2.0),
            "dose": BETA,
            "ok": [True, False],
        }
    )
    frame = inputs.frame(inputs.sample(100, generator=0).numpy())
    assert set(frame["sex"]) == {*WEIGHTS}
    assert frame["kind"].dtype == kinds.dtype
    assert frame["visits"].dtype.kind == "i"
    assert frame["ok"].dtype == bool
    top = strongest_interactions(
        lambda f: (f["sex"] == "f") * (f["kind"] == "a") + f["dose"], inputs, count=1, budget=40_000
    )
    assert top["subset"][0] == ("sex", "kind")


def test_marginals_show_themselves_and_can_be_stored() -> None:
    shown = repr(Marginals({"age": stats.norm(40, scale=12), "sex": WEIGHTS}))
    assert shown == "Marginals(age: norm(40, scale=12), sex: 3 values)"
    again = pickle.loads(pickle.dumps(MIXED))
    assert torch.equal(again.sample(5, generator=0), MIXED.sample(5, generator=0))


REFUSED = {
    "number": ({"age": 3.0}, "'age' must be a frozen distribution.*got 3.0"),
    "no parameters": ({"dose": stats.beta}, r"'dose': give beta its parameters, beta\(\.\.\)"),
    "negative weight": ({"sex": {"f": -1.0}}, r"weights of 'sex' must be positive.*\[-1.0\]"),
    "two rows": ({"a": [[1, 2]]}, r"'a' must be values in one row, got shape \(1, 2\)"),
    "nothing": ({}, "needs a dict by name"),
    "many at once": ({"a": stats.norm([0, 1], 1)}, "must be one distribution"),
    "too many values": ({"n": stats.randint(0, 10**8)}, "'n' takes 100,000,000 values"),
    "missing": ({"city": ["a", None]}, r"missing values in columns \['city'\]"),
    "two inputs": ({"u": Uniform(0.0, 1.0, dim=2)}, "'u' is one input.* of 2"),
    "no name": ({1: [1, 2]}, "called by text, got 1"),
    "not a number": ({"a": stats.norm(np.nan, 1)}, "finite values"),
}


@pytest.mark.parametrize(("given", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_impossible_marginals_are_refused_by_name(given, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Marginals(given)
