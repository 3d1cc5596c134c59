"""Errors by order: planted bias and variance come back, from the truth and from labels alone."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from interactions import ErrorByOrder, MLPEnsemble, Rademacher, Uniform, error_by_order
from interactions.planted import PlantedInteractions

SIGNS = Rademacher(dim=5)
BIAS = np.array([0.09, 0.0, 0.04, 0.25])
VARIANCE = np.array([0.04, 0.2, 0.1, 0.3])
SETS = {1: 5, 2: 10, 3: 10}
TRUTH = PlantedInteractions(SIGNS, {1: 1.0, 2: 1.0, 3: 1.0}, SETS, seed=1)
OFF = PlantedInteractions(SIGNS, {2: BIAS[2], 3: BIAS[3]}, {2: 1, 3: 1}, seed=2)


def models_of(seed: int, count: int):
    """Truth, a bias, and of every order an effect of random size on every set: [n, count]."""
    rng = np.random.default_rng(seed)
    sizes = {k: rng.normal(size=(SETS[k], count)) * math.sqrt(VARIANCE[k] / SETS[k]) for k in SETS}
    means = math.sqrt(BIAS[0]) + rng.normal(size=count) * math.sqrt(VARIANCE[0])

    def models(x: Tensor) -> Tensor:
        out = (TRUTH(x) + OFF(x))[:, None] + torch.as_tensor(means)
        for k, subsets in TRUTH.chosen.items():
            products = torch.stack([x[:, list(u)].prod(dim=1) for u in subsets], dim=1)
            out = out + products @ torch.as_tensor(sizes[k])
        return out

    return models


def labels(seed: int, rows: int, noise: float) -> tuple[Tensor, Tensor]:
    x = SIGNS.sample(rows, generator=seed)
    generator = torch.Generator().manual_seed(seed + 1)
    return x, TRUTH(x) + noise * torch.randn(rows, generator=generator, dtype=torch.float64)


def apart(result: ErrorByOrder, of: str, truth: np.ndarray) -> np.ndarray:
    off = getattr(result, of)[: len(truth)] - truth
    return np.abs(off) / getattr(result, f"{of}_standard_error")[: len(truth)]


def test_planted_bias_and_variance_come_back_from_the_truth() -> None:
    result = error_by_order(models_of(0, 40), TRUTH, SIGNS)
    assert (apart(result, "bias", BIAS) < 3.5).all()
    assert (apart(result, "variance", VARIANCE) < 3.5).all()
    assert (apart(result, "error", BIAS + VARIANCE) < 3.5).all()
    # All on a grid: nothing lies above, and order 1 has no bias.
    assert abs(result.error[-1]) < 1e-12
    assert result.bias[3] > 5 * result.bias_standard_error[3]
    np.testing.assert_allclose(result.bias + result.variance, result.error)
    assert abs(result.total - result.test_error) < 2 * result.test_error_standard_error
    assert result.noise == 0


def test_planted_bias_variance_and_noise_come_back_from_labels_alone() -> None:
    x, y = labels(3, 8192, noise=1.5)
    result = error_by_order(models_of(1, 40), y, SIGNS, x=x)
    assert (apart(result, "bias", BIAS) < 3.5).all()
    assert (apart(result, "variance", VARIANCE) < 3.5).all()
    assert result.noise == pytest.approx(2.25, abs=4 * result.noise_standard_error)
    assert result.noise_standard_error < 0.1
    assert np.isnan(result.bias[-1])
    assert result.total == pytest.approx(result.test_error)
    noise = result.to_frame().set_index("quantity").loc["noise", "value"]
    assert noise == result.noise
    assert "mean" in str(result)
    assert ErrorByOrder.from_json(result.to_json()).noise == result.noise


def test_rows_of_another_distribution_are_weighted() -> None:
    """Rows whose first two inputs agree three times in four; without weights they are refused."""
    x, _ = labels(5, 16384, noise=0.0)
    keep = (x[:, 0] == x[:, 1]) | (torch.rand(len(x), generator=torch.manual_seed(0)) < 1 / 3)
    x = x[keep]
    y = TRUTH(x)
    weights = torch.where(x[:, 0] == x[:, 1], 1.0, 3.0)
    models = models_of(2, 20)
    with pytest.raises(ValueError, match="cannot have come from the inputs"):
        error_by_order(models, y, SIGNS, x=x)
    weighted = error_by_order(models, y, SIGNS, x=x, row_weights=weights)
    truth = error_by_order(models, TRUTH, SIGNS)
    off = np.abs(weighted.error - truth.error)[:4]
    assert (off < 0.1 * truth.error[:4] + 0.02).all()
    assert weighted.test_error == pytest.approx(truth.test_error, rel=0.05)


def test_networks_are_models_alone_and_together() -> None:
    inputs = Uniform(-1.0, 1.0, dim=2)
    ensemble = MLPEnsemble((2, 4, 1), seeds=range(4)).eval()
    together = error_by_order(ensemble, lambda x: x[:, 0], inputs, max_order=2)
    each = [ensemble.member(i) for i in range(4)]
    apart = error_by_order(each, lambda x: x[:, 0], inputs, max_order=2)
    np.testing.assert_allclose(together.error, apart.error, rtol=1e-3)
    np.testing.assert_allclose(together.bias, apart.bias, rtol=1e-2, atol=1e-4)


def test_one_model_has_an_error_and_no_parts() -> None:
    result = error_by_order(models_of(0, 1), TRUTH, SIGNS)
    assert np.isfinite(result.error).all()
    assert np.isnan(result.bias).all()
    assert np.isnan(result.variance).all()
    assert abs(result.total - result.test_error) < 0.2 * result.total


def test_what_does_not_fit_is_refused() -> None:
    models = models_of(0, 3)
    x, y = labels(0, 256, noise=0.0)
    with pytest.raises(ValueError, match="labels need the rows"):
        error_by_order(models, y, SIGNS)
    with pytest.raises(ValueError, match="target is a function"):
        error_by_order(models, TRUTH, SIGNS, x=x)
    with pytest.raises(ValueError, match="needs at least 128 rows"):
        error_by_order(models, y[:100], SIGNS, x=x[:100])
    with pytest.raises(ValueError, match="needs rows"):
        error_by_order(models, y[:100], SIGNS, x=x)
    with pytest.raises(ValueError, match="a positive number for each row"):
        error_by_order(models, y, SIGNS, x=x, row_weights=-torch.ones(256))
    with pytest.raises(ValueError, match="at least one model"):
        error_by_order([], TRUTH, SIGNS)
    with pytest.raises(ValueError, match="of must be one of"):
        error_by_order(models, TRUTH, SIGNS).interval(of="share")


@pytest.mark.slow
@pytest.mark.parametrize("known", [True, False])
def test_intervals_cover_planted_bias_and_variance(known) -> None:
    """95% intervals of 200 sets of models, and of rows where labels are all there is."""
    hits, truths = [], {"bias": BIAS, "variance": VARIANCE}
    for seed in range(200):
        models = models_of(10 + seed, 40)
        if known:
            result = error_by_order(models, TRUTH, SIGNS)
        else:
            x, y = labels(1000 + 2 * seed, 2048, noise=1.0)
            result = error_by_order(models, y, SIGNS, x=x)
        for of, truth in truths.items():
            low, high = result.interval(of=of)
            hits.append((low[:4] <= truth) & (truth <= high[:4]))
    assert 0.93 <= np.mean(hits) <= 0.98
