"""Categories, dates and groups of columns, where only rows or samples are at hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from interactions import Empirical, Marginals, order_spectrum_from_samples
from interactions.anova import population_spectrum

N = 192
RNG = np.random.default_rng(0)
START = pd.Timestamp("2020-01-01")
ROWS = RNG.integers(0, 2, (N, 2)) + np.array([0, 1])
FRAME = pd.DataFrame(
    {
        "kind": pd.Categorical(RNG.choice(["b", "a"], N), categories=["b", "never", "a"]),
        "street": ROWS[:, 0],
        "day": START + pd.to_timedelta(RNG.choice([0, 3, 40], N), unit="D"),
        "town": np.array(["Bern", "Rome", "Oslo"])[ROWS.sum(axis=1) - 1],
    }
)
GROUPS = {"address": ["town", "street"]}
INPUTS = Empirical(FRAME, groups=GROUPS)


def address(frame: pd.DataFrame) -> pd.Series:
    """A function of the group that neither of its columns is enough for."""
    return 1 + frame["street"] * ((frame["town"] == "Rome") + 2.0)


def of_frames(frame: pd.DataFrame) -> pd.Series:
    return (frame["kind"] == "a") * address(frame) + (frame["day"] - START).dt.days / 20


def of_numbers(x: torch.Tensor) -> torch.Tensor:
    """The same of the numbers that stand for the frame: towns are sorted, dates are days."""
    return (x[:, 0] == 2) * (1 + x[:, 1] * ((x[:, 3] == 2) + 2.0)) + x[:, 2] / 20


def truth() -> np.ndarray:
    """Of a product p q the variance is v_p m_q^2 + m_p^2 v_q at order 1 and v_p v_q at order 2."""
    p, q = FRAME["kind"] == "a", address(FRAME)
    v, w, day = p.var(ddof=0), q.var(ddof=0), ((FRAME["day"] - START).dt.days / 20).var(ddof=0)
    return np.array([v * q.mean() ** 2 + p.mean() ** 2 * w + day, v * w, 0.0, 0.0])


def test_a_population_of_categories_dates_and_groups_is_measured() -> None:
    own = population_spectrum(of_frames, FRAME, groups=GROUPS)
    np.testing.assert_allclose(own.variance, truth(), rtol=1e-9, atol=1e-12)
    assert own.standard_error[0] > 0.01
    # A group of rows that lacks a town or the first day is written in the same numbers.
    numbers = population_spectrum(of_numbers, FRAME, groups=GROUPS)
    np.testing.assert_allclose(numbers.variance, own.variance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(numbers.standard_error, own.standard_error, rtol=1e-9, atol=1e-12)
    # Columns of arrays are grouped by number.
    table = population_spectrum(of_numbers, INPUTS.coded(FRAME), groups={"address": [1, 3]})
    np.testing.assert_allclose(table.standard_error, numbers.standard_error, rtol=1e-9)


def test_the_error_of_a_population_is_that_of_other_rows() -> None:
    """The variance of a category's share p is p (1 - p), whose error is |1 - 2p| sd(p) / sqrt n."""
    n, p = 4000, 0.2
    town = pd.DataFrame({"town": np.where(np.random.default_rng(1).random(n) < p, "Bern", "Rome")})
    s = population_spectrum(lambda frame: frame["town"] == "Bern", town)
    assert s.variance[0] == pytest.approx(p * (1 - p), abs=4 * s.standard_error[0])
    expected = (1 - 2 * p) * np.sqrt(p * (1 - p) / n)
    # Of 16 groups an error is known to 18%.
    assert s.standard_error[0] == pytest.approx(expected, rel=0.6)


def samples(n: int = 33 * 200) -> pd.DataFrame:
    return INPUTS.frame(INPUTS.expand(INPUTS.sample(n, generator=0)).numpy())


def test_samples_hold_categories_dates_and_groups() -> None:
    x = samples()
    # By name, whatever the order of the columns and whatever else there is.
    given = x[[*reversed(x.columns)]].assign(note="new")
    s = order_spectrum_from_samples(given, of_frames(x).to_frame("price"), INPUTS)
    assert s.outputs == ("price",)
    one = s.output("price")
    assert (np.abs(one.variance - truth()) <= 4 * one.standard_error)[:2].all()
    assert one.share_standard_error[1] < 0.01
    # The numbers that stand for the frame, and the points themselves, are the same.
    table = torch.as_tensor(INPUTS.coded(x))
    y = of_numbers(table)
    for points in (table, INPUTS.collapse(table), INPUTS.collapse(table).numpy()):
        other = order_spectrum_from_samples(points, y, INPUTS)
        np.testing.assert_allclose(other.variance, one.variance, rtol=1e-9, atol=1e-12)


def test_marginals_know_their_categories_in_samples() -> None:
    inputs = Marginals({"sex": {"f": 0.6, "m": 0.4}, "rooms": [1, 2, 3]})
    x = inputs.frame(inputs.sample(33 * 100, generator=0).numpy())
    y = (x["sex"] == "m") * x["rooms"]
    s = order_spectrum_from_samples(x[["rooms", "sex"]], y, inputs, max_order=2)
    v, w = 0.24, 2 / 3
    truth = [v * 4 + 0.16 * w, v * w, 0.0]
    assert (np.abs(s.variance - truth) <= 4 * s.standard_error)[:2].all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda x: x.drop(columns="town"), r"the inputs have columns \['town'\]"),
        (lambda x: x.assign(town="Paris"), "column 'town' holds 'Paris', which is not among"),
        (lambda x: x.assign(kind="never"), "column 'kind' holds"),
        (lambda x: x.assign(street=7), "group 'address' takes whole rows .* row 0 of these points"),
        (lambda x: x.assign(day=START), "column 'day' is not distributed as"),
        (lambda x: x.set_axis(range(4), axis=1).iloc[:, :3], "the inputs have 4 columns, .* 3"),
    ],
)
def test_samples_that_are_none_of_the_inputs_are_refused_by_name(change, message: str) -> None:
    x = samples(500)
    with pytest.raises(ValueError, match=message):
        order_spectrum_from_samples(change(x), of_frames(x), INPUTS)
