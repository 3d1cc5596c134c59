"""The class planted in 20 Newsgroups, and the best rates read off accuracies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.questions import newsgroups


def test_thresholds_change_the_class_of_as_many_documents_as_they_say() -> None:
    frequency = {
        name: [(1 - threshold(k)) ** k for k in (1, 2, 3)]
        for name, threshold in newsgroups.THRESHOLDS.items()
    }
    assert frequency["released"] == pytest.approx([0.3, 0.2601, 0.2836], abs=1e-4)
    assert frequency["text"] == pytest.approx([0.5, 0.25, 0.125])
    assert frequency["even"] == pytest.approx([0.3, 0.3, 0.3])
    rng = np.random.default_rng(0)
    x, y = np.zeros((20_000, 1)), np.zeros(20_000, dtype=int)
    for order in (1, 2, 3):
        points, labels = newsgroups._planted(x, y, order, newsgroups.CONTROLLED, rng)
        assert points.shape == (20_000, 1 + order)
        share = (labels == newsgroups.NEW_CLASS).double().mean().item()
        assert share == pytest.approx(0.3, abs=0.015)


def test_the_best_rate_is_the_mean_of_the_repeats_and_known_to_its_grid() -> None:
    best = {0: 0.25, 1: 0.5}
    table = pd.DataFrame(
        [
            {"order": 1, "rate": r, "repeat": i, "accuracy": 1 - abs(r - b)}
            | {"accuracy_new": 0.5, "accuracy_old": 0.5, "share_new": 0.3}
            for i, b in best.items()
            for r in (0.0, 0.25, 0.5)
        ]
    )
    found = newsgroups.summary(table).set_index("rate")
    assert found["best_rate"].tolist() == [0.375] * 3
    grid = 0.25 / 24**0.5
    assert found.loc[0.0, "best_rate_error"] == pytest.approx(np.hypot(0.125, grid))
    assert found.loc[0.25, "accuracy"] == pytest.approx(0.875)
    assert found.loc[0.25, "error"] == pytest.approx(0.125)
