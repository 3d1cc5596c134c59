"""Weights and hidden units: each quantity against a loop, and what dropout does to them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from experiments.questions import co_adaptation
from experiments.running.context import Context
from interactions import MLPEnsemble, Uniform

CONTEXT = Context(quiet=True)


def test_weights_and_correlations_are_those_of_a_loop() -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(400, 3, generator=generator)
    ensemble = MLPEnsemble((3, 6, 5, 1), seeds=[0, 1], init="torch").eval()
    with torch.no_grad():
        # A dead unit in the second hidden layer of the second member.
        weight, bias = ensemble.layers()[1]
        weight[1, :, 2], bias[1, 0, 2] = 0.0, -1.0
    found = co_adaptation.measured(ensemble, x)
    assert [len(of_layer) for of_layer in found] == [6, 6, 3]
    for i in range(2):
        modules = list(ensemble.member(i))
        h = x
        for layer, linear in enumerate(modules[::2]):
            w = linear.weight.detach().double().numpy()
            mine = {name: values[i].item() for name, values in found[layer].items()}
            assert mine["l2"] == pytest.approx(np.sqrt((w**2).sum()))
            assert mine["mean_abs"] == pytest.approx(np.abs(w).mean())
            if layer == 2:
                break
            norms = (w**2).sum(axis=1)
            assert mine["units_share"] == pytest.approx(
                norms.sum() ** 2 / (norms**2).sum() / len(w)
            )
            h = torch.relu(linear(h))
            units = h.detach().double().numpy()
            alive = units[:, units.std(axis=0) > 0]
            assert mine["live_share"] == pytest.approx(alive.shape[1] / len(w))
            pairs = np.corrcoef(alive.T)[np.triu_indices(alive.shape[1], 1)]
            assert mine["correlation"] == pytest.approx(np.abs(pairs).mean(), abs=1e-6)
    assert found[1]["live_share"][1] < 1


def test_effective_shares_count_what_is_there() -> None:
    shares = co_adaptation._effective_share(torch.tensor([[1.0, 1, 1, 1], [3.0, 0, 0, 0]]))
    assert shares.tolist() == [1.0, 0.25]
    same = torch.randn(1, 50, 1).expand(1, 50, 3)
    live, correlation = co_adaptation._correlation(same.double())
    assert live.item() == 1
    assert correlation.item() == pytest.approx(1)
    _, alone = co_adaptation._correlation(same[..., :1].double())
    assert alone.isnan().all()


def test_the_noise_and_the_mixture_have_one_total_variance() -> None:
    s = co_adaptation.Settings(samples=4000)
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    for target in co_adaptation.TARGETS:
        _, y = co_adaptation._data(target, inputs, [0, 1, 2], s)
        assert y.var().item() == pytest.approx(4, abs=0.3)


def test_dropout_shrinks_weights_fit_to_noise() -> None:
    settings = replace(
        co_adaptation.Settings(), targets=("noise",), rates=(0.0, 0.5), repeats=2, steps=(0, 300)
    )
    found = co_adaptation.summary(co_adaptation.run(settings, CONTEXT))
    sizes = found[found["quantity"] == "l2"]
    assert len(sizes) == 4
    assert (sizes["change"] < -4 * sizes["change_error"]).all()
