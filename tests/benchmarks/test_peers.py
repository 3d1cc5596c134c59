"""Peers are used rightly, truths are true, and the table says what its rows say."""

from __future__ import annotations

import importlib.util
import os
import signal

import numpy as np
import pandas as pd
import pytest

from tests.benchmarks import peers
from tests.benchmarks.peer_errors import TRUTHS, errors, rivals, truth, truths
from tests.benchmarks.peer_functions import (
    CASES,
    ORDERS,
    Shares,
    by_differences,
    kinked,
    mixed_differences,
)
from tests.benchmarks.peer_methods import METHODS, Method, numpy_chaos, openturns_full, uniform

NETWORK = "network of 10 inputs"


def three(x: np.ndarray) -> np.ndarray:
    """Variances 1/3, 1/9 and 1/27: shares 9/13, 3/13 and 1/13."""
    return x[:, 0] + x[:, 1] * x[:, 2] + x[:, 0] * x[:, 1] * x[:, 2]


SHARES = np.array([9, 3, 1, 0]) / 13
CLOSE = {
    "this package, surrogate": 0.02,
    "this package, kernel": 0.02,
    "this package, from samples": 0.02,
    "full chaos, by numpy": 1e-9,
    "OpenTURNS, full chaos": 1e-9,
    "OpenTURNS, sparse chaos": 1e-9,
    "chaospy, regression": 1e-9,
    "tntorch, cross interpolation": 1e-9,
    "GPJax, orthogonal additive kernel": 0.02,
    "boosted trees, as released": 0.1,
    "SALib, Sobol' design": 0.1,
    "scipy, sobol_indices": 0.05,
}
"""How near they come to a polynomial of degree 3; chaoses and tensor trains hold it exactly."""
POINTS = {
    "full chaos, by numpy": 500,
    "OpenTURNS, full chaos": 500,
    "OpenTURNS, sparse chaos": 500,
    "chaospy, regression": 500,
    "GPJax, orthogonal additive kernel": 100,
    "this package, kernel": 20_000,
}
"""Where fewer than 5000 suffice, or more are needed."""


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", METHODS)
def test_what_a_method_tells_of_a_polynomial_is_right(name: str) -> None:
    method = METHODS[name]
    if importlib.util.find_spec(method.module) is None:
        pytest.skip(f'{method.module} is not installed: pip install "interactions[peers]"')
    told = method.call(three, 3, POINTS.get(name, 5000), 0).share
    known = ~np.isnan(told)
    assert known[0]
    assert known.all() == (method.module not in ("SALib", "scipy"))
    np.testing.assert_allclose(told[known], SHARES[known], atol=CLOSE[name])


def test_what_checks_truths_is_unbiased_and_its_error_covers() -> None:
    case = CASES["Sobol's G of 8 inputs"]
    truth = case.known()
    z = []
    for seed in range(20):
        found = by_differences(kinked, case.dim, tolerance=0.2, seed=seed)
        z.append((found.share - truth) / found.error)
    assert np.abs(np.mean(z, axis=0)).max() < 4 / np.sqrt(20)
    assert 0.6 < np.std(z) < 1.5


def test_mixed_differences_see_their_own_order_only() -> None:
    rng = np.random.default_rng(0)
    found = [mixed_differences(three, 3, order=k, n=2000, rng=rng) for k in (1, 2, 3)]
    error = [f.std() / len(f) ** 0.5 for f in found]
    off = np.array([f.mean() for f in found]) - [1 / 3, 1 / 9, 1 / 27]
    assert np.abs(off / error).max() < 4
    none = mixed_differences(lambda x: x.sum(axis=1), 3, order=2, n=10, rng=rng)
    assert np.abs(none).max() < 1e-12


@pytest.mark.parametrize("dim", [3, 10])
def test_the_chaos_by_numpy_is_the_full_chaos_of_openturns(dim: int) -> None:
    pytest.importorskip("openturns", reason="OpenTURNS is not installed")

    def wave(x: np.ndarray) -> np.ndarray:
        return np.sin(2 * x[:, 0] + x[:, 1]) + x[:, 1] * x[:, 2] ** 2

    a, b = (m(wave, dim, 600, 0).share for m in (numpy_chaos, openturns_full))
    np.testing.assert_allclose(a, b, atol=1e-9)


# Runs ---------------------------------------------------------------------------------------------


def constant(shares: np.ndarray, evaluations: int = 10):
    """A method that knows the answer."""

    def call(f, dim, budget, seed):
        f(uniform(evaluations, dim, seed))
        return Shares(shares)

    return call


def hang(f, dim, budget, seed):
    os.kill(os.getpid(), signal.SIGPROF)


@pytest.fixture
def table(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "made_with", lambda: "some day; some machine")
    return peers.Table(tmp_path / "peers.csv")


class Here:
    """A worker in this process."""

    def run(self, function, method, budget, seed):
        return peers.run(three, 3, method, budget, seed)


def test_a_run_is_a_row_and_counts_what_was_taken(monkeypatch, table) -> None:
    monkeypatch.setitem(METHODS, "known", Method(constant(SHARES)))
    for row in peers.runs(table, Here(), "f", "known", 1000, seeds=2):
        table.add(row)
    rows = table.rows()
    assert rows["seed"].tolist() == [0, 1]
    assert (rows["evaluations"] == 10).all()
    assert (rows["note"] == "").all()
    # What is there is not measured again.
    assert not list(peers.runs(table, Here(), "f", "known", 1000, seeds=2))
    assert len(list(peers.runs(table, Here(), "f", "known", 1000, seeds=3))) == 1


def test_what_fails_or_is_refused_is_a_row_that_says_so(monkeypatch) -> None:
    def refuse(f, dim, budget, seed):
        raise ValueError("needs 5 evaluations")

    def fail(f, dim, budget, seed):
        raise MemoryError("too much")

    monkeypatch.setitem(METHODS, "refuse", Method(refuse))
    monkeypatch.setitem(METHODS, "fail", Method(fail))
    assert Here().run("f", "refuse", 1, 0) == {"note": "refused: ValueError: needs 5 evaluations"}
    assert Here().run("f", "fail", 1, 0) == {"note": "failed: MemoryError: too much"}


class Slow:
    """A worker that takes a time in proportion to the budget."""

    def __init__(self) -> None:
        self.asked = []

    def run(self, function, method, budget, seed):
        self.asked.append((budget, seed))
        if budget > 10_000:
            return {"note": "stopped: over 20 s"}
        return {"evaluations": budget, "cpu_seconds": budget / 100, "note": ""}


@pytest.mark.parametrize(
    ("budgets", "asked", "notes"),
    [
        (
            (1000, 4000, 16_000),
            [*[(1000, s) for s in range(5)], (4000, 0), (4000, 1)],
            ["not run: 40 s a run", "not run: at 4,000 evaluations not run: 40 s a run"],
        ),
        (
            (1000, 16_000, 32_000),
            [*[(1000, s) for s in range(5)], (16_000, 0)],
            ["stopped: over 20 s", "not run: at 16,000 evaluations stopped: over 20 s"],
        ),
    ],
)
def test_what_takes_too_long_is_not_repeated_and_nothing_larger_is_run(
    table, budgets, asked, notes
) -> None:
    worker = Slow()
    for _ in range(2):
        for budget in budgets:
            for row in peers.runs(table, worker, "f", "m", budget, seeds=5):
                table.add(row)
        assert worker.asked == asked
    told = table.rows()["note"]
    assert told[told != ""].tolist() == notes


@pytest.mark.slow
def test_a_process_that_is_lost_is_a_row_and_another_one_goes_on() -> None:
    with peers.Worker({"f": three}) as worker:
        os.kill(worker.process.pid, signal.SIGPROF)
        lost = worker.run("f", "scipy, sobol_indices", 2000, 0)
        assert lost["note"] == "stopped: over 20 s"


# Tables -------------------------------------------------------------------------------------------


def rows_of(*cells: tuple) -> pd.DataFrame:
    """Rows of function, method, budget, seed, four shares and, perhaps, a note."""
    found = []
    for function, method, budget, seed, share, *note in cells:
        row = {"function": function, "method": method, "budget": budget, "seed": seed}
        row |= {"evaluations": np.nan if note else budget, "cpu_seconds": 2.0, "wall_seconds": 3.0}
        row |= dict(zip([f"share_{k}" for k in ORDERS], share, strict=True))
        row |= {f"error_{k}": 0.003 for k in ORDERS}
        found.append(row | {"note": note[0] if note else ""})
    return pd.DataFrame(found)


HALF = (0.5, 0.5, 0.0, 0.0)
UNKNOWN = (np.nan,) * 4


def example() -> pd.DataFrame:
    """Ours off by .01 in two orders, one peer by .02, one that tells order 1 only, one not run."""
    ours = [(0.5 + d, 0.5 - d, 0.0, 0.0) for d in (0.01, -0.01, 0.01, -0.01, 0.01)]
    peer = [(0.5 + d, 0.5 - d, 0.0, 0.0) for d in (0.02, 0.02, 0.02, 0.02, 0.02)]
    return rows_of(
        (NETWORK, TRUTHS[1], np.nan, 0, (0.503, 0.497, 0.0, 0.0)),
        (NETWORK, TRUTHS[2], np.nan, 0, (0.497, 0.503, 0.0, 0.0)),
        *[(NETWORK, "this package, surrogate", 1000, s, v) for s, v in enumerate(ours)],
        *[(NETWORK, "OpenTURNS, sparse chaos", 1000, s, v) for s, v in enumerate(peer)],
        *[(NETWORK, "scipy, sobol_indices", 1000, s, (0.5, *UNKNOWN[1:])) for s in range(5)],
        (NETWORK, "chaospy, regression", 1000, 0, HALF),
        (NETWORK, "chaospy, regression", 1000, 1, UNKNOWN, "not run: 20 s a run"),
    )


def test_errors_are_root_mean_squares_over_seeds_and_told_orders() -> None:
    table = errors(example()).set_index("method")
    ours = table.loc["this package, surrogate"]
    assert ours["error"] == pytest.approx(0.01 / np.sqrt(2))
    assert ours["error_1"] == pytest.approx(0.01)
    assert ours["error_3"] == 0
    assert ours["spread"] == pytest.approx(0.0)
    assert (ours["runs"], ours["cpu_seconds"], ours["told"]) == (5, 2.0, "1, 2, 3, >3")
    assert table.loc["scipy, sobol_indices", "told"] == "1"


def test_nothing_is_told_of_fewer_than_five_runs() -> None:
    row = errors(example()).set_index("method").loc["chaospy, regression"]
    assert row["runs"] == 1
    assert np.isnan(row["error"])
    assert row["note"] == "not run: 20 s a run"


def test_two_ways_to_a_truth_are_compared_and_joined_by_their_errors() -> None:
    (row,) = truths(example()).to_dict("records")
    assert row["apart"] == pytest.approx(0.006)
    assert row["in errors"] == pytest.approx(0.006 / (0.003 * np.sqrt(2)))
    rows = example()
    rows.loc[1, [f"error_{k}" for k in ORDERS]] = 0.006
    share, error = truth(rows, NETWORK)
    assert share[0] == pytest.approx(0.8 * 0.503 + 0.2 * 0.497)
    assert error[0] == pytest.approx(0.003 * np.sqrt(0.8))


def test_who_is_ahead_is_told_beyond_two_standard_errors_only() -> None:
    (row,) = rivals(errors(example())).to_dict("records")
    assert row["peer"] == "OpenTURNS, sparse chaos"
    assert row["times"] == pytest.approx(2)
    assert row["ahead"] == "ours"
    table = errors(example()).assign(spread=0.01)
    assert rivals(table)["ahead"].tolist() == [""]


# What is stored -----------------------------------------------------------------------------------


def test_the_page_tells_what_the_stored_table_says() -> None:
    (block,) = peers.BLOCK.findall(peers.PAGE.read_text(encoding="utf-8"))
    assert block == peers.page_tables(errors(peers.read(peers.TABLE)))


def test_the_stored_table_has_five_runs_or_a_reason_for_all_that_was_asked() -> None:
    table = errors(peers.read(peers.TABLE))
    assert ((table["runs"] >= 5) | (table["note"] != "")).all()
    asked = table.groupby(["method", "function"])["budget"].apply(set)
    assert set(asked.index) == {(m, f) for m in METHODS for f in CASES}
    assert all(budgets == set(peers.BUDGETS) for budgets in asked)
    # None took more evaluations than it was given.
    assert (table["evaluations"].fillna(0) <= table["budget"]).all()


def test_the_truths_of_networks_are_told_alike_in_two_ways() -> None:
    known = truths(peers.read(peers.TABLE))
    assert set(known["function"]) == set(CASES)
    assert known["standard error"].max() < 0.006
    assert (known["in errors"].dropna() < 4).all()


def test_no_peer_is_ahead_on_networks_but_those_the_page_names() -> None:
    ahead = rivals(errors(peers.read(peers.TABLE)))
    page = peers.PAGE.read_text(encoding="utf-8")
    for name in set(ahead["ahead"]) - {"ours", ""}:
        words = page.split("<!-- peers -->")[0].replace("\n", " ")
        assert name.split(",")[0] in words, name
