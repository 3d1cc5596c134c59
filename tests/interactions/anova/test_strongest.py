"""Which inputs interact."""

from __future__ import annotations

import numpy as np
import pytest

from interactions import Uniform
from interactions.anova import strongest_interactions
from interactions.planted import PlantedInteractions, g_function


@pytest.mark.parametrize("order", [1, 2, 3])
def test_planted_subsets_come_first_with_their_variance(order: int) -> None:
    inputs = Uniform(-1.0, 1.0, dim=20)
    f = PlantedInteractions(inputs, {order: 1.0}, {order: 3}, seed=2)
    found = strongest_interactions(f, inputs, order=order, count=5, budget=40_000)
    assert set(found["subset"][:3]) == {tuple(u) for u in f.chosen[order].tolist()}
    z = (found["variance"][:3] - 1 / 3) / found["standard_error"][:3]
    assert np.abs(z).max() < 4
    assert found["variance"][3:].abs().max() < 0.02


def test_all_subsets_agree_with_the_closed_form() -> None:
    inputs, g = Uniform(0.0, 1.0, dim=4), g_function((0.0, 0.5, 1.0, 2.0))
    truth = g.subset_variances(inputs)
    for order in (1, 2, 3):
        found = strongest_interactions(g, inputs, order=order, count=99)
        z = [(row.variance - truth[row.subset]) / row.standard_error for row in found.itertuples()]
        assert len(z) == {1: 4, 2: 6, 3: 4}[order]
        assert np.abs(z).max() < 4.5
        assert list(found["variance"]) == sorted(found["variance"], reverse=True)


def test_impossible_requests_are_refused() -> None:
    inputs = Uniform(0.0, 1.0, dim=4)
    with pytest.raises(ValueError, match="between 1 and"):
        strongest_interactions(g_function((0.0,)), inputs, order=5)
    with pytest.raises(ValueError, match="one output"):
        strongest_interactions(lambda x: x, inputs)
    with pytest.raises(ValueError, match="at least"):
        strongest_interactions(g_function((0.0,)), inputs, budget=50)
