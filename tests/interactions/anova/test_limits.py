"""What a measurement that was ended says: which setting to change, and to about what."""

from __future__ import annotations

import ast
import re

import numpy as np
import pytest

from interactions import OrderSpectrum, Uniform, order_spectrum
from interactions.planted import PlantedInteractions

INPUTS = Uniform(-1.0, 1.0, dim=20)
F = PlantedInteractions(INPUTS, {1: 1.0, 2: 1.0, 3: 1.0})


def advised(s: OrderSpectrum) -> dict[str, int]:
    """Settings that the reason names as what its tolerance would take."""
    found = dict(re.findall(r"(memory|budget)=([\d_*]+)", s.reason))
    return {name: eval_of_power(text) for name, text in found.items()}


def eval_of_power(text: str) -> int:
    base, _, exponent = text.partition("**")
    return ast.literal_eval(base) ** int(exponent or 1)


def reached(s: OrderSpectrum) -> float:
    return float(re.search(r"tolerance=([\d.e-]+) is reached", s.reason)[1])


@pytest.mark.parametrize(
    ("method", "tolerance", "given", "ended_by", "named"),
    [
        ("kernel", 0.01, {"memory": 2**22}, "memory", {"memory"}),
        ("kernel", 0.008, {"budget": 40_000}, "budget", {"budget"}),
        ("kernel", 0.005, {"memory": 2**21, "budget": 40_000}, "memory", {"memory", "budget"}),
        ("differences", 0.015, {"budget": 80_000, "max_order": 1}, "budget", {"budget"}),
    ],
)
def test_what_is_advised_reaches_the_tolerance(method, tolerance, given, ended_by, named) -> None:
    options = {"method": method, "tolerance": tolerance, **given}
    s = order_spectrum(F, INPUTS, **options)
    assert not s.converged
    assert s.reason.startswith(f"the {ended_by} ended the measurement")
    assert f"tolerance={tolerance:g} would take" in s.reason
    assert set(advised(s)) == named
    assert all(advised(s)[name] > given[name] for name in named)
    assert order_spectrum(F, INPUTS, **{**options, **advised(s)}).converged


def test_the_tolerance_that_is_said_to_be_reached_is() -> None:
    s = order_spectrum(F, INPUTS, method="kernel", tolerance=0.001, memory=2**22)
    error = np.nanmax(s.share_standard_error)
    assert error <= reached(s) <= 1.1 * error
    again = order_spectrum(F, INPUTS, method="kernel", tolerance=1.2 * reached(s), memory=2**22)
    assert again.converged


def test_where_no_setting_helps_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("interactions.anova._limits.MOST_WORK", 0.0)
    s = order_spectrum(F, INPUTS, method="kernel", tolerance=1e-4)
    assert "the arithmetic ended the measurement; tolerance=0.0001 is out of reach" in s.reason
    assert not advised(s)


def test_a_tolerance_of_zero_spends_the_budget_and_asks_for_no_more() -> None:
    s = order_spectrum(F, INPUTS, method="kernel", tolerance=0.0, budget=40_000)
    assert (
        s.reason
        == f"the budget ended the measurement; tolerance={reached(s):g} is reached as it is"
    )
