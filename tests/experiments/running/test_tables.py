"""Tables kept as CSV come back as they were."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.running.tables import decode, encode, infer


@given(st.lists(st.floats(), min_size=1), st.data())
def test_a_table_comes_back_from_csv_bit_for_bit(floats, data) -> None:
    size = len(floats)
    texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1)
    single = st.floats(width=32)
    whole = st.integers(-(2**63), 2**63 - 1)
    frame = pd.DataFrame(
        {
            "float": np.array(floats),
            "single": np.array(data.draw(st.lists(single, min_size=size, max_size=size)), "f4"),
            "int": data.draw(st.lists(whole, min_size=size, max_size=size)),
            "bool": data.draw(st.lists(st.booleans(), min_size=size, max_size=size)),
            "text": data.draw(st.lists(texts, min_size=size, max_size=size)),
        }
    )
    back = decode(*encode(frame))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)
    ours, theirs = back["float"].to_numpy(), frame["float"].to_numpy()
    numbers = ~np.isnan(theirs)
    assert ours[numbers].tobytes() == theirs[numbers].tobytes()


@pytest.mark.parametrize(
    "columns", [{"a": ["1", 2]}, {"a": [True, None]}, {"a": ["x", ""]}, {1: [2]}]
)
def test_a_table_that_csv_would_change_is_refused(columns) -> None:
    with pytest.raises(TypeError, match="must come back from CSV as it was"):
        encode(pd.DataFrame(columns))


def test_missing_texts_and_numbers_stay_missing() -> None:
    frame = pd.DataFrame({"order": ["1", np.nan, "None", "nan"], "x": [1.0, math.nan, 2.0, 3.0]})
    pd.testing.assert_frame_equal(decode(*encode(frame)), frame)


def test_a_table_without_types_is_read_as_pandas_does() -> None:
    frame = pd.DataFrame({"x": [0.1, math.nan], "n": [1, -2], "b": [True, False], "t": ["a", "b"]})
    pd.testing.assert_frame_equal(infer(frame.to_csv(index=False)), frame)


def test_without_types_whole_numbers_with_gaps_stay_texts() -> None:
    # Floats are written 1.0, so that 1 beside a gap was a text, such as an order.
    back = infer("order,size,of,nothing\n1,1.0,-3,\n,,,\n2,2.0,4,\n")
    assert back["order"].tolist()[::2] == ["1", "2"]
    assert back["of"].tolist()[::2] == ["-3", "4"]
    assert back["size"].tolist()[::2] == [1.0, 2.0]
    assert back.isna().iloc[1].all()
    assert back["nothing"].dtype.kind == "f"


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ("", {}),
        ("x\n1\n", {}),
        ("x\n1,2\n", {"x": "int64"}),
        ("x\n1.5\n", {"x": "int64"}),
        (f"x\n{'9' * 400}\n", {"x": "int64"}),
        (f"x\n{'9' * 5000}\n", {"x": "int64"}),
        ("x\nmany\n", {"x": "float64"}),
        ("x\n1\n", {"x": "float9"}),
        ("x\n1\n", {"x": "int0"}),
        ("x\n1\n", {"x": "\x1b"}),
        ("x\n" + "a" * 200_000, {"x": "str"}),
    ],
)
def test_what_is_no_table_of_its_types_is_refused(text: str, types: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        decode(text, types)
