"""What every result that a user is handed can do, of whatever measurement."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib import pyplot
from matplotlib.axes import Axes

from interactions import FitResult
from interactions.printing import WIDTH
from interactions.saving import Saved
from interactions.sufficient import Sufficient
from tests.interactions.test_saving import RESULTS

TRAINED = FitResult(
    steps=torch.tensor([10, 20, 20]),
    reason=["patience", "steps", "steps"],
    snapshots={0: torch.zeros(3, 7)},
    weights_from=torch.tensor([4, 20, 20]),
)
EVERY = {**RESULTS, "fit_result": TRAINED}


def kinds(cls: type) -> set[type]:
    """The classes of a class, those of theirs included, that the library has."""
    own = {c for c in cls.__subclasses__() if c.__module__.startswith("interactions.")}
    return own.union(*map(kinds, own))


def test_every_kind_of_result_is_here() -> None:
    assert {type(result) for result in RESULTS.values()} == kinds(Saved)


@pytest.mark.parametrize("name", EVERY)
def test_a_result_is_one_line_and_a_page(name: str) -> None:
    result = EVERY[name]
    line = repr(result)
    assert line.startswith(f"{type(result).__name__}(")
    assert "\n" not in line
    assert len(line) <= WIDTH
    page = result._repr_html_()
    assert page.startswith("<p>")
    # What is not known is said to be, in words.
    assert "nan" not in line + str(result) + page
    if not isinstance(result, Sufficient):
        assert page.count("<tr>") >= 2


@pytest.mark.parametrize("name", EVERY)
def test_a_result_is_a_table_unless_it_is_a_single_answer(name: str) -> None:
    result = EVERY[name]
    if isinstance(result, Sufficient):
        assert not hasattr(result, "to_frame")
        return
    frame = result.to_frame()
    assert isinstance(frame, pd.DataFrame)
    assert len(frame)
    assert all(isinstance(column, str) for column in frame)


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_is_drawn_into_the_axes_given_unless_it_is_a_single_answer(name: str) -> None:
    result = RESULTS[name]
    if isinstance(result, Sufficient):
        assert not hasattr(result, "plot")
        return
    count = 2 if name == "rate_sweep" else 1
    figure, axes = pyplot.subplots(1, count)
    with np.errstate(invalid="ignore"):  # The results to be stored hold infinities.
        drawn = result.plot(axes)
    assert np.ravel(drawn).tolist() == np.ravel(axes).tolist()
    assert all(isinstance(ax, Axes) and ax.has_data() for ax in np.ravel(drawn))
    # And what was drawn can be shown.
    figure.canvas.draw()
    pyplot.close(figure)


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_says_its_kind_in_json(name: str) -> None:
    assert json.loads(RESULTS[name].to_json())["kind"] == type(RESULTS[name]).__name__
