"""Results as JSON: every one comes back to the last bit, and so do files of earlier versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from interactions import ErrorByOrder, OrderSpectrum, RateSweep, Selectivity
from interactions.anova import MeanOrder, Purified
from interactions.saving import Saved
from interactions.sufficient import Sufficient

SAVED = Path(__file__).with_name("saved")

THIRDS = np.array([[1.0, 1.0, -0.1], [np.nan, np.inf, -0.0]]) / 3

RESULTS: dict[str, Saved] = {
    "order_spectrum": OrderSpectrum(
        variance=THIRDS,
        standard_error=np.array([[5e-324, 1e308, np.nan]] * 2),
        share=THIRDS,
        share_standard_error=np.array([[0.1, 0.2, 0.30000000000000004]] * 2),
        degrees_of_freedom=np.full((2, 3), np.inf),
        share_degrees_of_freedom=np.full((2, 3), 63.0),
        method='kernel, "quoted" ±',
        evaluations=2**40,
        converged=False,
        left_out=np.array([0.0, np.nan]),
        reason="the budget ended the measurement",
        checks=("one", "two"),
        cumulative_standard_error=np.zeros((2, 3)),
        outputs=("cat", "dog"),
    ),
    "one_output": OrderSpectrum.known(np.array([2.0, 1.0]), method="closed form"),
    "rate_sweep": RateSweep(
        pd.DataFrame(
            {
                "rate": [0.0, 0.5],
                "seed": [0, 1],
                "error": [1 / 3, 0.1],
                "total": [2.0, 0.0],
                "share_1": [1.0, np.nan],
                "share_>1": [1e-17, np.nan],
            }
        )
    ),
    "selectivity": Selectivity(
        slope=np.float64(-1 / 3),
        standard_error=np.float64(np.nan),
        log_ratio=np.array([-0.1, np.nan, -0.7]),
        bound=np.bool_(True),
    ),
    "mean_order": MeanOrder(
        mean_order=np.array([1.1, np.nan]),
        standard_error=np.array([0.1, np.nan]),
        total_index=np.array([[0.1, 0.2], [0.0, 0.0]]),
        total_index_standard_error=np.array([[0.01, 0.02], [np.nan, np.nan]]),
        variance=np.array([1 / 7, 0.0]),
        evaluations=1000,
    ),
    "purified": Purified(
        {
            (0, 1): np.array([[-1 / 3, 1 / 3], [1 / 3, -1 / 3]]),
            (0,): np.array([0.1, -0.1]),
            (1,): np.array([0.2, -0.2]),
            (): np.array(1 / 7),
        },
        np.full((2, 2), 0.25),
    ),
    "error_by_order": ErrorByOrder(
        bias=np.array([0.0, 1 / 3, -1e-17, np.nan]),
        bias_standard_error=np.array([0.1, 0.2, np.nan, np.nan]),
        bias_degrees_of_freedom=np.array([3.0, np.inf, 1.5, np.inf]),
        variance=np.array([0.1, 1 / 7, 0.0, 2.0]),
        variance_standard_error=np.array([0.01, 0.02, 0.0, 0.3]),
        variance_degrees_of_freedom=np.full(4, 9.0),
        error=np.array([0.1, 1 / 3 + 1 / 7, 0.0, 2.0]),
        error_standard_error=np.array([0.1, 0.2, 0.3, np.nan]),
        error_degrees_of_freedom=np.full(4, 9.0),
        noise=0.1 + 0.2,
        noise_standard_error=float("nan"),
        test_error=2.9,
        test_error_standard_error=0.05,
        models=10,
        method="from labels of 1,024 rows",
    ),
    "sufficient": Sufficient(
        order=None,
        smallest=False,
        share=0.95,
        level=0.9,
        cumulative=0.1 + 0.2,
        at_least=float("nan"),
        more_evaluations=None,
        doubt="the error of the shares is not known",
    ),
}


def same(a: object, b: object) -> None:
    """Equal to the last bit, of the same type and shape, NaN being NaN and -0 not 0."""
    assert type(a) is type(b)
    if isinstance(a, Saved):
        for f in fields(a):
            same(getattr(a, f.name), getattr(b, f.name))
    elif isinstance(a, pd.DataFrame):
        pd.testing.assert_frame_equal(a, b, check_exact=True)
    elif isinstance(a, Mapping):
        assert [*a] == [*b]
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, np.ndarray | np.generic | float):
        a, b = np.asarray(a), np.asarray(b)
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)
        if a.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(a), np.signbit(b))
    else:
        assert a == b


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_comes_back_to_the_last_bit(name: str) -> None:
    result = RESULTS[name]
    text = result.to_json()
    same(type(result).from_json(text), result)
    # No NaN or Infinity, which other languages do not read.
    json.loads(text, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))


@pytest.mark.parametrize("name", RESULTS)
def test_files_of_version_1_are_read(name: str) -> None:
    result = RESULTS[name]
    stored = (SAVED / f"version_1_{name}.json").read_text(encoding="utf-8")
    same(type(result).from_json(stored), result)


def test_a_frame_keeps_words_tuples_and_its_index() -> None:
    @dataclass(frozen=True)
    class Table(Saved):
        frame: pd.DataFrame

    frame = pd.DataFrame({"name": ["a", "b"], "subset": [(0, 1), (2,)], 3: [1, 2]}, index=[5, 7])
    same(Table.from_json(Table(frame).to_json()), Table(frame))


def changed(**changes: object) -> str:
    return json.dumps({**json.loads(RESULTS["selectivity"].to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("result.json", r"not JSON .* Path\(\.\.\.\)\.read_text\(\)"),
        ("[1, 2]", "not a saved result"),
        ('{"format": "other"}', "does not say format"),
        (
            changed(version=2),
            "written in version 2 of the format, and this package reads version 1",
        ),
        (
            changed(kind="RateSweep"),
            r"holds a RateSweep, not a Selectivity: .* RateSweep\.from_json",
        ),
        (changed(fields={"slope": 1.0}), r"lacks \['bound', 'log_ratio', 'standard_error'\]"),
        (changed(fields={"slop": 1.0}), r"a Selectivity has no fields \['slop'\]"),
    ],
)
def test_text_that_cannot_be_read_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Selectivity.from_json(text)


def test_what_json_cannot_hold_is_refused_when_it_is_written() -> None:
    with pytest.raises(TypeError, match="from_json takes the text itself, got bytes"):
        Selectivity.from_json(b"{}")
    with pytest.raises(TypeError, match="a set in it cannot be saved"):
        RateSweep({1, 2}).to_json()
    with pytest.raises(TypeError, match="complex128 cannot be saved"):
        Purified({(): np.array(1j)}, np.ones(1)).to_json()
