"""The grid knows atoms, columns, steps and needles, or says that it does not.

The cases are those of a review of the measurement, each standing for its kind.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interactions import Empirical, Normal, OrderSpectrum, Uniform, order_spectrum
from interactions.anova import population_spectrum, subset_variances
from interactions.anova._axes import axes
from interactions.anova._evaluate import Evaluator
from interactions.anova._random_grids import RandomGrids, tabulate
from interactions.anova.exact import read, spectrum_of_grid
from interactions.planted import Factor, Product, SumOfProducts, Term, g_function
from tests.benchmarks.battery_cases import cases

RNG = np.random.default_rng(0)


def grid(function, inputs, **options) -> OrderSpectrum:
    return order_spectrum(function, inputs, max_order=min(3, inputs.dim), method="exact", **options)


def off(s: OrderSpectrum, truth) -> float:
    """Largest deviation in standard errors."""
    return float(np.abs((s.variance - truth) / np.maximum(s.standard_error, 1e-300)).max())


def case(name: str):
    family, own = name.split(": ")
    return next(c for c in cases(family) if c.name == own)


# Atoms and columns --------------------------------------------------------------------------------


def test_an_atom_is_a_node_with_its_own_weight() -> None:
    data = RNG.normal(size=(400, 2))
    data[::2, 1] = 0.0
    s = order_spectrum(lambda x: x[:, 0] + 3 * (x[:, 1] == 0), Empirical(data), max_order=2)
    truth = data[:, 0].var() + 9 / 4
    assert s.total_variance == pytest.approx(truth, rel=1e-10)
    assert s.variance[1] == pytest.approx(0, abs=1e-10)


def test_an_atom_among_more_rows_than_a_grid_holds_is_found() -> None:
    data = RNG.normal(size=(5000, 3))
    data[::2, 1] = 0.0
    f = SumOfProducts(
        (Term(1.0, {0: Factor(lambda x: x)}), Term(3.0, {1: Factor(lambda x: (x == 0).double())}))
    )
    s = grid(lambda x: f(x), Empirical(data), tolerance=0.002)
    assert s.converged
    assert off(s, f.spectrum(Empirical(data), 3).variance) < 4


@pytest.mark.parametrize("method", ["auto", "exact"])
def test_a_table_is_asked_for_its_own_codes_only(method: str) -> None:
    codes = np.column_stack([np.tile(np.arange(100), 5), RNG.normal(size=(500, 2))])
    effect = torch.as_tensor(RNG.normal(size=100))
    table = {code: value.item() for code, value in enumerate(effect)}
    s = order_spectrum(
        lambda x: [table[c] + a * b for c, a, b in x.tolist()],
        Empirical(codes),
        method=method,
        budget=2**17,
    )
    assert s.converged
    assert s.variance[0] == pytest.approx(effect.var(correction=0).item(), rel=0.05)


@pytest.mark.parametrize("rows", [60, 700, 5000])
@pytest.mark.parametrize("dim", [1, 2, 4])
def test_no_value_is_visited_that_a_column_does_not_hold(rows: int, dim: int) -> None:
    """Columns of whole numbers, of repeated and of distinct values, with and without atoms."""
    kinds = [RNG.integers(0, 300, rows), RNG.normal(size=rows).round(2), RNG.normal(size=rows)]
    kinds.append(np.where(RNG.random(rows) < 0.6, 0.0, RNG.exponential(size=rows)))
    data = np.column_stack(kinds[-dim:]).astype(float)
    held = [set(column) for column in data.T.tolist()]
    outside = 0

    def f(x: torch.Tensor) -> torch.Tensor:
        nonlocal outside
        outside += sum(len(set(c) - own) for c, own in zip(x.T.tolist(), held, strict=True))
        return (x * torch.arange(1, dim + 1)).sum(dim=1).sin()

    order_spectrum(f, Empirical(data), max_order=1, method="exact", budget=2**16)
    assert outside == 0


def test_a_column_of_few_values_is_enumerated_beside_others() -> None:
    """Thirty codes beside columns of a thousand values: the codes' effects are exact."""
    data = np.column_stack([np.tile(np.arange(30), 40), RNG.normal(size=(1200, 2))])
    effect = torch.as_tensor(RNG.normal(size=30))
    s = grid(lambda x: effect[x[:, 0].long()] * x[:, 1] + x[:, 2], Empirical(data))
    f = SumOfProducts(
        (
            Term(1.0, {0: Factor(lambda x: effect[x.long()]), 1: Factor(lambda x: x)}),
            Term(1.0, {2: Factor(lambda x: x)}),
        )
    )
    truth = f.spectrum(Empirical(data), 3).variance
    np.testing.assert_allclose(s.variance, truth, rtol=1e-9, atol=1e-9)


def test_subsets_of_a_table_with_codes_are_exact() -> None:
    data = np.column_stack([np.tile(np.arange(40), 5), RNG.normal(size=200)])
    effect = torch.as_tensor(RNG.normal(size=40))
    found = subset_variances(lambda x: effect[x[:, 0].long()] + x[:, 1], Empirical(data))
    assert found[0,] == pytest.approx(effect.var(correction=0).item(), rel=1e-9)
    assert found[0, 1] == pytest.approx(0, abs=1e-9)


# Errors that hold ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "rare: p .01, needle",
        "steps: two steps",
        "steps: staircase",
        "frequency: 150",
        "kinked: |x0||x1| + relu",
        "kinked: relu of columns",
        "atoms: half zero",
        "atoms: table of 100",
        "tails: powers",
    ],
)
def test_what_converges_is_right_within_four_errors(name: str) -> None:
    c = case(name)
    for seed in range(2):
        s = order_spectrum(c, c.inputs, max_order=c.max_order, method="exact", seed=seed)
        if s.converged:
            total = c.truth.sum()
            assert np.all(np.abs(s.variance - c.truth) <= 4 * s.standard_error + 1e-9 * total)


def test_a_needle_is_found_or_the_grid_has_not_converged() -> None:
    """Widths down to a ten-thousandth of an input, in two and in five inputs."""
    for dim in (2, 5):
        inputs = Uniform(-1.0, 1.0, dim=dim)
        for width in (1e-1, 1e-2, 1e-3):

            def f(x: torch.Tensor, width: float = width) -> torch.Tensor:
                return x[:, 0] + width**-0.5 * ((x[:, 1] - 0.37).abs() < width)

            truth = 1 / 3 + (1 - width)
            for seed in range(3):
                s = order_spectrum(f, inputs, max_order=2, method="exact", seed=seed, budget=2**17)
                near = abs(s.total_variance - truth) <= 4 * s.standard_error.max()
                assert near or not s.converged, (dim, width, seed)


def test_the_error_of_a_rare_corner_is_not_that_of_the_grids_that_missed_it() -> None:
    """Its lower orders need two means over rare values, which no grid of few nodes has met."""
    c = case("rare: p 9e-4")
    s = order_spectrum(c, c.inputs, method="exact", budget=2**18)
    assert not s.converged
    assert np.all(np.abs(s.variance - c.truth)[:2] <= 4 * s.standard_error[:2])
    assert "rare" in s.reason


def test_smooth_functions_keep_ten_digits_on_columns_too() -> None:
    data = RNG.exponential(size=(3000, 3))
    f = SumOfProducts(
        (
            Term(1.0, {0: Factor(torch.sin), 1: Factor(torch.cos)}),
            Term(0.5, {2: Factor(lambda x: torch.exp(-x))}),
        )
    )
    s = grid(lambda x: f(x), Empirical(data))
    truth = f.spectrum(Empirical(data), 3).variance
    np.testing.assert_allclose(s.variance, truth, rtol=1e-10, atol=1e-12 * truth.sum())
    assert s.standard_error.max() <= 1e-11 * truth.sum()


def test_a_function_of_one_input_is_measured_by_one() -> None:
    s = order_spectrum(lambda x: (x[:, 0] > 0.3).double(), Uniform(0.0, 1.0, dim=1), max_order=1)
    assert off(s, [0.21, 0.0]) < 4
    assert s.standard_error[0] < 0.01


@pytest.mark.parametrize("columns", [False, True], ids=["uniform", "columns with atoms"])
def test_the_correction_has_no_bias(columns: bool) -> None:
    """Thousands of small grids, against the orders of steps that the fixed grid does not know."""
    inputs = Uniform(-1.0, 1.0, dim=3)
    if columns:
        data = RNG.normal(size=(300, 3))
        data[:100, 1] = 0.0
        data[0, 2] = 20.0
        inputs = Empirical(data)
    step = Factor(lambda x: (x > 0.3).double() - (x == 0).double(), kinks=(0.0, 0.3))
    f = SumOfProducts((Term(1.0, {0: step, 1: step, 2: step}), Term(2.0, {1: step})))
    evaluate = Evaluator(lambda x: f(x), inputs, seed=0)
    for nodes in (2, 5):
        known = axes(inputs, nodes, whole=set())
        table = tabulate(evaluate, [a.nodes[None] for a in known])[0]
        fixed = spectrum_of_grid(table, known, 2)
        rng = np.random.default_rng(0)
        grids = RandomGrids(evaluate, known, table, max_order=2, points=64, rng=rng)
        grids.add(4000)
        off = fixed[0] + grids.by_order[:, 0] - f.spectrum(inputs, 2).variance
        error = off.std(axis=0) / math.sqrt(len(off))
        assert np.all(np.abs(off.mean(axis=0)) <= 4 * error)
        assert error[0] < 0.05 * f.spectrum(inputs, 2).total_variance
        x = inputs.sample(20_000, generator=0)
        squares = (evaluate(x) - read(table, known, x.numpy())).square().numpy()
        both = math.hypot(squares.std() / math.sqrt(20_000), grids.squares.std() / math.sqrt(4000))
        assert abs(squares.mean() - grids.squares.mean()) <= 4 * both


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "tolerance"),
    [
        ("steps: random steps of 5", 0.02),
        ("steps: floors", 0.01),
        ("kinked: g of 5", 0.01),
        ("frequency: 150", 0.01),
        ("rare: p .01, needle", 0.01),
    ],
)
def test_intervals_of_what_converges_cover(name: str, tolerance: float) -> None:
    c = case(name)
    held = []
    for seed in range(100):
        s = order_spectrum(
            c, c.inputs, max_order=c.max_order, method="exact", seed=seed, tolerance=tolerance
        )
        low, high, _ = s.interval()
        sampled = s.standard_error > 1e-9 * c.truth.sum()
        held.append(((low <= c.truth) & (c.truth <= high))[sampled].mean())
    assert 0.88 <= np.mean(held) <= 0.995


def test_auto_goes_on_where_a_grid_does_not_converge() -> None:
    c = case("rare: p 9e-4")
    s = order_spectrum(c, c.inputs, tolerance=0.05)
    assert "exact" not in s.method
    assert "a grid did not converge" in s.reason
    assert off(s, c.truth) < 4


def test_kinks_that_are_known_leave_nothing_to_correct() -> None:
    f, inputs = g_function((0.0, 1.0, 4.5)), Uniform(0.0, 1.0, dim=3)
    s = grid(f, inputs)
    np.testing.assert_allclose(s.variance, f.spectrum(inputs, 3).variance, rtol=1e-10, atol=1e-14)
    assert s.standard_error.max() < 1e-11
    kink = Product((0, 1), factor=Factor(lambda x: (x - 0.3).abs(), kinks=(0.3,)))
    s = grid(kink, Normal(dim=3))
    truth = kink.spectrum(Normal(dim=3), 3).variance
    np.testing.assert_allclose(s.variance, truth, rtol=1e-9, atol=1e-12)


# Rows and their population ------------------------------------------------------------------------


def test_the_result_says_whether_its_interval_speaks_of_the_rows() -> None:
    data = RNG.normal(size=(200, 2))
    rows = order_spectrum(lambda x: x.sum(dim=1), Empirical(data), max_order=1)
    assert "intervals of these rows, not of their population" in rows.method
    assert rows.standard_error.max() < 1e-10
    of_all = population_spectrum(lambda x: x.sum(dim=1), data, max_order=1)
    assert "intervals of the population of the rows (16 groups)" in of_all.method
    np.testing.assert_array_equal(of_all.variance, rows.variance)
    # The variance of the sum of two normal inputs, from n rows, has the error 2 / sqrt(n).
    assert of_all.standard_error[0] == pytest.approx(2 / math.sqrt(200), rel=0.6)
    assert of_all.degrees_of_freedom[0] == 15


def test_intervals_of_a_population_cover_it() -> None:
    """Forty data sets of 120 rows, columns dependent: the population's marginals are normal."""
    mix = np.array([[1.0, 0.6], [0.0, 0.8]])
    held = []
    for seed in range(40):
        data = np.random.default_rng(seed).normal(size=(120, 2)) @ mix
        s = population_spectrum(
            lambda x: x[:, 0] + x[:, 0] * x[:, 1], data, max_order=2, tolerance=0.2, seed=seed
        )
        low, high, _ = s.interval()
        held.append((low[:2] <= 1) & (high[:2] >= 1))
    assert 0.85 <= np.mean(held) <= 0.99


def test_more_evaluations_do_not_narrow_a_population() -> None:
    data = RNG.normal(size=(100, 2))
    s = population_spectrum(lambda x: x[:, 0] + 2 * x[:, 0] * x[:, 1], data, max_order=2)
    assert not s.converged
    assert "more rows" in s.reason
    with pytest.raises(ValueError, match="40 rows"):
        population_spectrum(lambda x: x[:, 0], data[:30], max_order=1)
