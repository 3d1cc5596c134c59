"""Rare points: measured, or said to be unknown; never 0 ± 0."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interactions import OrderSpectrum, Uniform, order_spectrum
from interactions.anova import mean_order, strongest_interactions, superset_index
from tests.interactions.anova.rare_cases import OTHERS, RULER, Rare, above, every, unit

CASES = {**RULER, **OTHERS}
LONGEST = ("among a hundred inputs", "one in ten thousand, beside lines", "no fourth moment")
"""Left to the seeds of the slow test; each has a quicker one of its kind."""
QUICK = [name for name in CASES if name not in LONGEST]


def right(s: OrderSpectrum, case: Rare) -> bool:
    """Whether every share is the true one within four standard errors, unknown ones not counted."""
    truth = case.orders / case.orders.sum()
    return bool(np.all(~(np.abs(s.share - truth) > 4 * s.share_standard_error + 1e-9)))


@pytest.mark.parametrize("case", [CASES[name] for name in QUICK], ids=QUICK)
def test_rare_points_are_measured_by_default(case: Rare) -> None:
    s = order_spectrum(case, case.inputs)
    assert s.share_standard_error.max() < 0.05, s
    assert right(s, case), (s, case.orders / case.orders.sum())


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_nine_of_ten_seeds_measure_and_no_other_claims_to(case: Rare) -> None:
    spectra = [order_spectrum(case, case.inputs, seed=seed) for seed in range(1, 11)]
    claims = [s for s in spectra if s.converged]
    assert len(claims) >= 7
    assert sum(right(s, case) for s in claims) >= len(claims) - 1
    assert sum(right(s, case) for s in spectra) >= 9


def test_the_cases_know_their_orders() -> None:
    """Against the plain variance of an event, and against a sample."""
    p = 0.2**3
    assert RULER["order 3 alone"].orders.sum() == pytest.approx(p * (1 - p))
    assert RULER["order 3 alone"].orders[2] == pytest.approx((0.2 * 0.8) ** 3)
    case = OTHERS["two events"]
    values = case(case.inputs.sample(400_000, generator=0))
    assert values.var().item() == pytest.approx(case.orders.sum(), rel=0.1)


def test_nothing_seen_is_not_nothing() -> None:
    """What is constant at every point that was looked at is not proven so."""
    for method in ("kernel", "differences"):
        s = order_spectrum(
            lambda x: torch.ones(len(x)), unit(6), method=method, budget=100_000, max_order=2
        )
        assert s.constant
        assert not s.variance.any()
        assert np.isnan(s.standard_error).all()
        assert not s.converged
        assert "no variation seen" in s.reason


def test_orders_that_no_difference_showed_have_an_unknown_error() -> None:
    """Each alone, on a function of one input: the orders above are nothing that was seen."""
    s = order_spectrum(lambda x: x[:, 0], unit(4), method="differences", max_order=2)
    assert s.standard_error[0] > 0
    assert np.isnan(s.standard_error[1])
    assert not s.converged
    assert "no replicate showed anything" in s.reason


def test_differences_do_not_claim_what_too_few_rare_points_say() -> None:
    case = RULER["order 3 alone"]
    for seed in range(4):
        s = order_spectrum(case, case.inputs, method="differences", budget=2**19, seed=seed)
        assert not np.any((s.standard_error == 0) & (case.orders > 0))
        assert not s.converged or right(s, case)


def test_a_kernel_order_without_functions_has_an_error_all_the_same() -> None:
    s = order_spectrum(lambda x: x[:, 0], unit(8), method="kernel", max_order=3)
    assert np.all(s.standard_error > 0)
    assert s.converged
    assert s.left_out >= 0
    assert any("without a basis, agrees" in check for check in s.checks)


def test_a_basis_that_misses_a_wave_is_contradicted_or_says_so() -> None:
    s = order_spectrum(
        lambda x: (1500 * x[:, 0]).sin() + x[:, 1], Uniform(-1.0, 1.0, dim=8), method="kernel"
    )
    assert not s.converged
    assert "leave out" in s.reason or "contradicts" in s.reason


def test_routes_agree_on_a_rare_event() -> None:
    case = RULER["order 3 beside lines"]
    s = order_spectrum(case, case.inputs)
    index = superset_index(case, case.inputs, [(1, 2, 3)], budget=2**19)
    off = index["variance"][0] - s.variance[2]
    assert abs(off) < 4 * np.hypot(index["standard_error"][0], s.standard_error[2])
    whole = mean_order(case, case.inputs, budget=2**20)
    truth = case.orders @ [1, 2, 3, 4] / case.orders.sum()
    assert abs(whole.mean_order - truth) < 4 * whole.standard_error
    assert s.mean_order == pytest.approx(truth, abs=0.1)


def test_the_strongest_pair_is_found_where_a_flag_is_rare() -> None:
    case = RULER["fast wave under a flag"]
    found = strongest_interactions(case, case.inputs)
    assert found["subset"][0] == (3, 7)
    assert found["standard_error"][0] < 0.2 * found["variance"][0]


def test_indices_of_an_input_that_showed_nothing_are_unknown() -> None:
    rare = Rare(unit(4), [(1, every((0, 1), above(0.9999))), (1, {2: lambda x: x})])
    found = mean_order(rare, rare.inputs, budget=20_000)
    assert np.isnan(found.total_index_standard_error[3])
    assert found.total_index_standard_error[2] > 0
    assert superset_index(rare, rare.inputs, [(0, 3)], budget=20_000)["standard_error"].isna().all()
