"""The paper's boosted trees, to stand beside the true spectrum."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from interactions import Uniform, order_spectrum
from interactions.anova import released_distillation
from interactions.planted import Product, paper_generator

pytest.importorskip("xgboost")
INPUTS = Uniform(-1.0, 1.0, dim=4)


def test_an_additive_function_is_all_order_one() -> None:
    s = order_spectrum(paper_generator(1), INPUTS, method="distillation")
    assert s.share[0] > 0.98
    assert s.evaluations == 1000
    assert "biased" in s.method


def test_pure_triples_leak_into_low_orders_which_the_paper_says_never_happens() -> None:
    s = order_spectrum(Product((0, 1, 2)), INPUTS, method="distillation", budget=100)
    assert s.share[:2].sum() > 0.2


def test_it_claims_no_standard_error() -> None:
    x = INPUTS.sample(100, generator=0)
    s = released_distillation(x, torch.stack([x[:, 0], x[:, 1]], dim=1))
    assert s.variance.shape == (2, 4)
    assert np.isnan(s.standard_error).all()
    assert not s.converged


def test_without_the_extra_the_message_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "xgboost", None)
    with pytest.raises(ImportError, match=r"interactions\[xgboost\]"):
        order_spectrum(Product((0,)), INPUTS, method="distillation")
