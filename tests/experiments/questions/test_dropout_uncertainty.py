"""Labels, networks and densities of the question on uncertainty."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.questions import dropout_uncertainty
from experiments.running.context import Context
from figures.dropout_uncertainty import WIDEST
from interactions import Uniform

CONTEXT = Context(quiet=True)


def test_released_labels_are_mostly_main_effects_and_signs_are_all_interaction() -> None:
    inputs = Uniform(-1.0, 1.0, dim=4)
    x = inputs.sample(100_000, generator=0)
    for kind in dropout_uncertainty.LABELS:
        for order in (1, 2, 3, 4):
            labels = dropout_uncertainty.label(kind, order)
            assert (labels(x) > 0).double().mean().item() == pytest.approx(0.5, abs=0.01)
            share = labels.spectrum(inputs, 3).share
            if kind == "sign":
                assert share[min(order, 4) - 1] == pytest.approx(1)
            else:
                assert share[0] > 0.75


def test_the_released_dropout_network_holds_no_interaction() -> None:
    """Before its last squashing it is linear: mixed differences of its logit vanish."""
    torch.manual_seed(0)
    network = dropout_uncertainty._AsReleased(2, 4, (16,), 0.0, CONTEXT)
    deep = dropout_uncertainty._AsReleased(2, 4, (16, 16, 16), 0.0, CONTEXT)
    corners = torch.tensor([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
    x = torch.cat([corners, torch.zeros(4, 2)], dim=1).expand(2, -1, -1)
    sign = torch.tensor([1.0, -1.0, -1.0, 1.0])
    for one, none in ((network, True), (deep, False)):
        mixed = (torch.logit(one(x).double()) * sign).sum(dim=1).abs()
        assert (mixed < 1e-5).all() if none else (mixed > 1e-3).all()


def test_a_density_has_area_one_and_the_kernels_of_its_points() -> None:
    values = np.random.default_rng(0).beta(2, 2, size=4000)
    curve = list(dropout_uncertainty._densities(dropout_uncertainty.GRID, values, 4000))
    x, density = np.array(curve).T
    assert np.trapezoid(density, x) == pytest.approx(1, abs=0.01)
    bandwidth = 0.1 * values.std() * 4000**-0.2
    kernels = np.exp(-(((x[:, None] - values) / bandwidth) ** 2) / 2).sum(axis=1)
    expected = kernels / (4000 * bandwidth * np.sqrt(2 * np.pi))
    np.testing.assert_allclose(density, expected, atol=0.03 * expected.max())


def test_early_stopping_keeps_the_weights_of_the_best_epoch() -> None:
    s = replace(dropout_uncertainty.RELEASED, learning_rate=0.5, batch_size=16)
    x = Uniform(-1.0, 1.0, dim=4).sample(200, generator=0, dtype=torch.float32)
    y = (x[:, 0] > 0).float()
    x, y = x.expand(3, -1, -1), y.expand(3, -1)
    network = dropout_uncertainty._AsReleased(3, 4, (8,), 0.0, CONTEXT)
    taken = network.fit(x, y, 30, s)
    assert (taken < 30).any()
    again = dropout_uncertainty._AsReleased(3, 4, (8,), 0.0, CONTEXT)
    again.fit(x, y, int(taken[0]) - 1, s)
    torch.testing.assert_close(network.weights[0][0], again.weights[0][0])


def test_uncertainty_is_the_spread_over_masks_and_error_that_of_single_answers() -> None:
    """Answers 0 and 1 in turn to a label of 1: mean and spread one half, error one half."""
    turn = itertools.count()
    x, y = torch.zeros(1, 3, 4), torch.ones(1, 3)
    mean, spread, error = dropout_uncertainty._readings(
        lambda x: torch.full(x.shape[:2], float(next(turn) % 2)), x, y, 4
    )
    assert mean.tolist() == spread.tolist() == [[0.5] * 3]
    assert error.tolist() == [0.5]


def readings(steps: dict[tuple[str, int], tuple[int, ...]]) -> pd.DataFrame:
    """Test errors of networks after steps, by regime and repeat, and a label of main effects."""
    row = {"label": "and", "order": 1, "x": None}
    networks = [
        row | {"regime": r, "repeat": i, "steps": n, "quantity": q, "value": float(n)}
        for (r, i), of_network in steps.items()
        for n in of_network
        for q in ("test_mse", "uncertainty")
    ]
    of_label = {"regime": "label", "repeat": 0, "quantity": "share", "x": 1.0, "value": 0.75}
    return pd.DataFrame([*networks, row | of_label])


def test_networks_that_stop_when_they_will_are_averaged_and_others_apart() -> None:
    apart = dropout_uncertainty.summary(readings({("dropout", i): (10, 20) for i in (0, 1)}))
    assert apart["steps"].tolist() == apart["test_mse"].tolist() == [10, 20]
    assert apart["main_effects_of_label"].tolist() == [0.75, 0.75]
    (row,) = dropout_uncertainty.summary(
        readings({("dropout", 0): (10,), ("dropout", 1): (30,)})
    ).to_dict("records")
    assert (row["test_mse"], row["uncertainty_error"]) == (20.0, 10.0)


def test_runs_as_released_end_where_the_figure_takes_them_for_that() -> None:
    assert dropout_uncertainty.RELEASED.widest == WIDEST < dropout_uncertainty.CONTROLLED.widest
