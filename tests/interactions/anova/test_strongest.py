"""Which inputs interact."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

from interactions import Uniform
from interactions.anova import interaction_terms, strongest_interactions
from interactions.planted import PlantedInteractions, g_function


@pytest.mark.parametrize("order", [1, 2, 3])
def test_planted_subsets_come_first_with_their_variance(order: int) -> None:
    inputs = Uniform(-1.0, 1.0, dim=20)
    f = PlantedInteractions(inputs, {order: 1.0}, {order: 3}, seed=2)
    found = strongest_interactions(f, inputs, order=order, count=5, budget=40_000)
    assert set(found["subset"][:3]) == {tuple(u) for u in f.chosen[order].tolist()}
    z = (found["variance"][:3] - 1 / 3) / found["standard_error"][:3]
    assert np.abs(z).max() < 4
    assert (found["variance"][3:].abs() < 0.02).all()


def test_all_subsets_agree_with_the_closed_form_over_8_seeds() -> None:
    """Their means, and their errors as a whole.

    One estimate of a weak subset is skewed: where it is low by chance its error is too.
    """
    inputs, g = Uniform(0.0, 1.0, dim=4), g_function((0.0, 0.5, 1.0, 2.0))
    truth = g.subset_variances(inputs)
    for order in (1, 2, 3):
        off: dict[tuple[int, ...], list[float]] = {}
        errors: dict[tuple[int, ...], list[float]] = {}
        for seed in range(8):
            found = strongest_interactions(
                g, inputs, order=order, count=99, budget=40_000, seed=seed
            )
            assert list(found["variance"]) == sorted(found["variance"], reverse=True)
            for row in found.itertuples():
                off.setdefault(row.subset, []).append(row.variance - truth[row.subset])
                errors.setdefault(row.subset, []).append(row.standard_error)
        assert len(off) == {1: 4, 2: 6, 3: 4}[order]
        mean, spread = (np.array([h(v) for v in off.values()]) for h in (np.mean, np.std))
        claimed = np.sqrt([np.mean(np.square(v)) for v in errors.values()])
        assert np.abs(mean / claimed).max() < 4.5 / 8**0.5
        assert 0.7 < np.median(spread / claimed) < 1.4


def test_impossible_requests_are_refused() -> None:
    inputs = Uniform(0.0, 1.0, dim=4)
    with pytest.raises(ValueError, match="between 1 and"):
        strongest_interactions(g_function((0.0,)), inputs, order=5)
    with pytest.raises(ValueError, match="one output"):
        strongest_interactions(lambda x: x, inputs)
    with pytest.raises(ValueError, match="at least"):
        strongest_interactions(g_function((0.0,)), inputs, budget=50)


def test_terms_for_simpler_models_are_the_planted_subsets_lower_orders_first() -> None:
    inputs = Uniform(-1.0, 1.0, dim=8)
    f = PlantedInteractions(inputs, {1: 1.0, 2: 1.0, 3: 1.0}, {1: 1, 2: 3, 3: 2}, seed=2)
    terms = interaction_terms(f, inputs, max_order=3, budget=20_000)
    assert [len(u) for u in terms] == [2, 2, 2, 3, 3]
    assert set(terms) == {tuple(u) for k in (2, 3) for u in f.chosen[k].tolist()}
    # InterpretML takes Python's own integers only.
    assert {type(j) for u in terms for j in u} == {int}
    assert interaction_terms(f, inputs, max_order=1) == []
    with pytest.raises(TypeError, match="no order was shown to be enough"):
        interaction_terms(f, inputs, max_order=None)


def test_what_was_not_measured_is_not_listed_as_nothing() -> None:
    """An input without a function in the basis has no subset, rather than one of variance 0 ± 0."""
    found = strongest_interactions(
        lambda x: x[:, 1] * x[:, 3] + x[:, 1],
        Uniform(-1.0, 1.0, dim=6),
        order=2,
        count=15,
        budget=20_000,
    )
    assert found["subset"].tolist() == [(1, 3)]


def test_it_says_whether_the_memory_or_the_budget_keeps_errors_large() -> None:
    inputs = Uniform(-1.0, 1.0, dim=20)
    f = PlantedInteractions(inputs, {2: 1.0}, seed=2)
    found = {m: strongest_interactions(f, inputs, budget=60_000, memory=m) for m in (2**22, 2**26)}
    assert {m: t.attrs["limit"] for m, t in found.items()} == {2**22: "memory", 2**26: "budget"}
    errors = [t["standard_error"].mean() for t in found.values()]
    assert errors[1] < errors[0]


def test_a_frame_gives_terms_that_the_boosting_machine_of_interpretml_takes() -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(300, 3)), columns=["a", "b", "c"])

    def f(x: pd.DataFrame) -> pd.Series:
        return x["a"] * x["b"] + x["c"]

    terms = interaction_terms(f, frame, budget=20_000)
    assert terms == [("a", "b")]
    glassbox = pytest.importorskip("interpret.glassbox", reason="pip install interpret-core")
    options = {"max_rounds": 20, "outer_bags": 1, "n_jobs": 1, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Its own, of its own dependencies.
        machine = glassbox.ExplainableBoostingRegressor(interactions=terms, **options)
        machine.fit(frame, f(frame))
    assert machine.term_names_ == ["a", "b", "c", "a & b"]
