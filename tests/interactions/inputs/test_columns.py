"""Columns of data frames: measured as numbers, handed to functions as the frame had them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from interactions import Empirical, Uniform, order_spectrum
from interactions.inputs.columns import encoded_frame

N = 60
RNG = np.random.default_rng(0)
EVERY_KIND = pd.DataFrame(
    {
        "count": RNG.integers(0, 50, N),
        "size": RNG.normal(size=N).astype(np.float32),
        "flag": RNG.random(N) < 0.5,
        "nullable count": pd.array(RNG.integers(0, 5, N), dtype="Int64"),
        "nullable flag": pd.array(RNG.random(N) < 0.3, dtype="boolean"),
        "kind": pd.Categorical(RNG.choice(["b", "a"], N), categories=["b", "never", "a"]),
        "grade": pd.Categorical(
            RNG.choice(["low", "high"], N), categories=["low", "high"], ordered=True
        ),
        "text": RNG.choice(["Bern", "Rome"], N),
        "object": pd.Series(RNG.choice([1, "one", (1, 2)][:2], N), dtype=object),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(RNG.integers(0, 900, N), unit="D"),
        "zoned": pd.Timestamp("2020-01-01", tz="Europe/Zurich")
        + pd.to_timedelta(RNG.integers(0, 9, N), unit="s"),
        "month": pd.period_range("2020-01", periods=N, freq="M"),
    }
)


def test_every_kind_of_column_comes_back_as_the_frame_had_it() -> None:
    inputs = Empirical(EVERY_KIND)
    _, values = encoded_frame(EVERY_KIND, "data")
    pd.testing.assert_frame_equal(inputs.frame(values), EVERY_KIND)
    # And forth again, by name and whatever the columns' own types are now.
    other = EVERY_KIND.astype({"kind": object, "day": object, "count": float})
    np.testing.assert_array_equal(inputs.coded(other[[*reversed(other.columns)]]), values)
    drawn = inputs.frame(inputs.sample(20, generator=0).numpy())
    assert drawn.dtypes.equals(EVERY_KIND.dtypes)
    assert all(drawn[name].isin(EVERY_KIND[name]).all() for name in EVERY_KIND)
    assert inputs.names == tuple(EVERY_KIND)


def test_dates_are_days_and_categories_stand_in_their_order() -> None:
    inputs = Empirical(EVERY_KIND)
    day = [*EVERY_KIND].index("day")
    days = (EVERY_KIND["day"] - EVERY_KIND["day"].min()).dt.days
    np.testing.assert_array_equal(inputs.support(day)[0], np.unique(days))
    kind = [*EVERY_KIND].index("kind")
    np.testing.assert_array_equal(inputs.support(kind)[0], [0, 2])


def _of_frames(frame: pd.DataFrame) -> pd.Series:
    return (frame["kind"] == "a") * (1 + frame["count"]) + (frame["text"] == "Rome")


def test_a_function_of_data_frames_is_given_them() -> None:
    frame = EVERY_KIND[["count", "kind", "text"]]
    of_frames = order_spectrum(_of_frames, Empirical(frame))
    of_codes = order_spectrum(lambda x: (x[:, 1] == 2) * (1 + x[:, 0]) + x[:, 2], Empirical(frame))
    np.testing.assert_allclose(of_frames.variance, of_codes.variance, rtol=1e-12)
    # What a frame has and arrays have not is asked for by name.
    numbers = EVERY_KIND[["count", "size"]]
    by_name = order_spectrum(lambda f: f["count"] * f["size"], numbers, max_order=2)
    by_number = order_spectrum(lambda x: x[:, 0] * x[:, 1], numbers, max_order=2)
    np.testing.assert_allclose(by_name.variance, by_number.variance, rtol=1e-6)


def test_columns_that_pandas_numbered_have_no_names() -> None:
    data = RNG.normal(size=(20, 2))
    assert Empirical(pd.DataFrame(data)).names is None
    assert Empirical(data).names is None
    assert Uniform(0.0, 1.0, dim=2).names is None
    assert Empirical(pd.DataFrame(data, columns=[3, 4])).names == ("3", "4")


REFUSED = {
    "missing number": (pd.DataFrame({"age": [1.0, None]}), r"NaN or missing.*\['age'\].*dropna"),
    "missing text": (pd.DataFrame({"a": [1, 2], "city": ["x", None]}), r"missing.*\['city'\]"),
    "missing date": (pd.DataFrame({"day": pd.to_datetime(["2020-01-01", None])}), r"\['day'\]"),
    "infinite": (pd.DataFrame({"age": [1.0, np.inf]}), r"infinite values in columns \['age'\]"),
    "lists": (pd.DataFrame({"words": [["a"], ["b"]]}), "column 'words' .* such as lists"),
    "complex": (pd.DataFrame({"wave": [1j, 2.0]}), "column 'wave' .* two columns"),
    "repeated": (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"several columns called \['a'\]"),
    "empty": (pd.DataFrame({"a": []}), r"shape \[n, d\], got \(0, 1\)"),
}


@pytest.mark.parametrize(("frame", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_measured_is_refused_by_the_columns_name(frame, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Empirical(frame)


def test_a_column_whose_values_a_type_cannot_tell_apart_is_named() -> None:
    frame = pd.DataFrame({"a": [0.0, 1.0], "stamp": [1e9, 1e9 + 1]})
    with pytest.raises(ValueError, match="column 'stamp' has a standard deviation"):
        order_spectrum(torch.nn.Linear(2, 1).eval(), frame, max_order=1)
