"""The ANOVA-kernel U-statistic: two routes to one number, unbiased, with errors that cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from interactions import (
    MLPEnsemble,
    Normal,
    OrderSpectrum,
    Rademacher,
    Uniform,
    order_spectrum,
    order_spectrum_from_samples,
)
from interactions.anova.kernel import Sample, _dual, _primal, array_mean, default_degrees
from interactions.planted import PlantedInteractions, Product, ishigami, sine

FIVE = Uniform(-1.0, 1.0, dim=5)
WIDE = Uniform(-1.0, 1.0, dim=25)


def measure(function, inputs, **options):
    return order_spectrum(function, inputs, **{"method": "kernel", **options})


@pytest.mark.parametrize(("order", "degree"), [(1, 4), (2, 3), (3, 2), (4, 1)])
def test_features_and_kernel_give_the_same_pairs(order: int, degree: int) -> None:
    x = FIVE.sample(32 * 9, generator=0).view(32, 9, 5)
    sample = Sample(x, torch.stack([x.prod(dim=-1), x[..., 0].exp()], dim=-1))
    off = ~torch.eye(32, dtype=torch.bool)
    for memory in (2**28, 2**20):
        a, b = (route(sample, FIVE, order, degree, memory)[:, off] for route in (_primal, _dual))
        assert a.abs().max() > 0
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12 * a.abs().max().item())


def test_features_equal_the_definition_over_pairs_of_points() -> None:
    x = FIVE.sample(32 * 3, generator=0).view(32, 3, 5)
    f = x[..., :1] * x[..., 1:2] + 1
    h = _primal(Sample(x, f), FIVE, 2, 2, 2**28)[0]
    phi = FIVE.basis(x.flatten(0, 1), 2)
    k = torch.einsum("ajn,bjn->abj", phi, phi)
    e2 = (k.sum(-1) ** 2 - (k**2).sum(-1)) / 2
    values = e2 * f.reshape(-1, 1) * f.reshape(1, -1)
    expected = values.view(32, 3, 32, 3).mean(dim=(1, 3))
    off = ~torch.eye(32, dtype=torch.bool)
    torch.testing.assert_close(h[off], expected[off], rtol=1e-10, atol=1e-10)


def test_the_error_of_an_array_mean_is_unbiased() -> None:
    rng = np.random.default_rng(0)
    blocks, linear, rest = 12, 0.8, 2.0
    one = rng.normal(size=(20_000, blocks)) * linear
    e = np.triu(rng.normal(size=(20_000, blocks, blocks)) * rest, 1)
    h = 1 + one[:, :, None] + one[:, None, :] + e + e.transpose(0, 2, 1)
    result = array_mean(h)
    truth = 4 * linear**2 / blocks + 2 * rest**2 / (blocks * (blocks - 1))
    assert result.mean.var() == pytest.approx(truth, rel=0.05)
    assert result.error.mean() == pytest.approx(truth, rel=0.05)
    assert result.quadratic.mean() == pytest.approx(2 * rest**2 / (blocks * (blocks - 1)), rel=0.02)


def truncated(function, inputs, degrees: list[int]) -> np.ndarray:
    """V_1 .. V_K of each output up to the degree of its order, by projection on a tensor grid."""
    dim, size = inputs.dim, 16
    nodes, weights = (torch.as_tensor(a) for a in inputs.quadrature(size))
    grid = torch.cartesian_prod(*[nodes] * dim)
    with torch.no_grad():
        table = torch.cat([function(g.float()) for g in grid.split(2**16)]).double()
    table = table.reshape(*[size] * dim, -1)
    points = torch.zeros(size, dim, dtype=torch.float64)
    points[:, 0] = nodes
    basis = inputs.basis(points, max(degrees))[:, 0]
    change = weights[:, None] * torch.cat([torch.ones(size, 1), basis], dim=1)
    for axis in range(dim):
        table = torch.tensordot(table, change, dims=([axis], [0])).movedim(-1, axis)
    index = np.indices(table.shape[:-1])
    order, degree = (index > 0).sum(axis=0), index.max(axis=0)
    return np.stack(
        [
            table[torch.as_tensor((order == k) & (degree <= q))].square().sum(dim=0)
            for k, q in enumerate(degrees, start=1)
        ],
        axis=-1,
    )


def test_agrees_with_the_truth_it_states_on_trained_networks_over_20_seeds(trained) -> None:
    """Unbiased for the variance up to the degree, which at 5 inputs is nearly all of it."""
    stated = truncated(trained, FIVE, default_degrees(5, 3))
    whole = order_spectrum(trained, FIVE, max_order=3, method="exact").variance[:, :3]
    assert np.all((whole - stated) / whole.sum(axis=1, keepdims=True) < 0.01)
    spectra = [measure(trained, FIVE, budget=60_000, tolerance=0.001, seed=s) for s in range(20)]
    z = np.array([(s.variance[:, :3] - stated) / s.standard_error[:, :3] for s in spectra])
    assert np.abs(z).max() < 4.5
    assert np.abs(z.mean(axis=0)).max() < 4.5 / math.sqrt(20)


@pytest.mark.parametrize("triples", [1, 2, 300])
def test_sees_planted_triples_among_2300(triples: int) -> None:
    f = PlantedInteractions(WIDE, {3: 1.0}, {3: triples}, seed=1)
    s = measure(f, WIDE, budget=60_000, tolerance=0.02)
    assert s.converged
    z = (s.variance - f.spectrum(WIDE, 3).variance) / s.standard_error
    assert np.abs(z).max() < 4


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        pytest.param(ishigami(), Uniform(-math.pi, math.pi, dim=3), id="ishigami"),
        pytest.param(Product((0, 1, 2)), Normal(0.5, 1.0, dim=4), id="product on normal"),
        pytest.param(
            PlantedInteractions(Rademacher(dim=12), {1: 1.0, 2: 2.0, 4: 0.5}, {2: 4, 4: 3}),
            Rademacher(dim=12),
            id="planted on ±1",
        ),
    ],
)
def test_agrees_with_the_closed_form_over_20_seeds(function, inputs) -> None:
    truth = function.spectrum(inputs, 2).variance
    spectra = [
        measure(function, inputs, max_order=2, budget=40_000, tolerance=0.001, seed=s)
        for s in range(20)
    ]
    z = np.array([(s.variance - truth) / s.standard_error for s in spectra])
    assert np.abs(z).max() < 4.5
    assert np.abs(z.mean(axis=0)).max() < 4.5 / math.sqrt(20)


def test_what_the_basis_leaves_out_is_counted_above_and_the_degree_is_named() -> None:
    wild = Product((0,), factor=sine(40.0))
    s = measure(wild, FIVE, budget=40_000)
    assert s.share[0] < 0.5
    assert s.share[-1] > 0.5
    assert "degree 12/8/6" in s.method


def test_several_functions_share_one_sample(trained: MLPEnsemble) -> None:
    together = measure(trained, FIVE, budget=20_000)
    assert together.variance.shape == (3, 4)
    alone = measure(trained.select([1]), FIVE, budget=20_000)
    np.testing.assert_allclose(together.variance[1], alone.variance[0], rtol=0.2, atol=0.1)


def test_from_samples_measures_what_the_user_has() -> None:
    f = PlantedInteractions(WIDE, {1: 1.0, 2: 1.0}, {1: 2, 2: 3})
    x = WIDE.sample(33 * 400, generator=0)
    s = order_spectrum_from_samples(x, f(x) + 10, WIDE, max_order=2)
    z = (s.variance - f.spectrum(WIDE, 2).variance) / s.standard_error
    assert np.abs(z).max() < 4
    assert s.evaluations == 32 * 400
    both = order_spectrum_from_samples(x, torch.stack([f(x), 2 * f(x)], 1), WIDE, max_order=2)
    np.testing.assert_allclose(both.variance[1], 4 * both.variance[0])


def test_constant_functions_and_bad_samples() -> None:
    s = measure(lambda x: torch.full((len(x),), 3.0), FIVE, budget=10_000)
    assert s.constant
    assert not s.variance.any()
    x = FIVE.sample(2000, generator=0)
    for bad_x, bad_y, message in (
        (x[:, :3], x[:, 0], r"points \[n, 5\]"),
        (x, x[:5, 0], "as many values"),
        (x, x[:, 0] * math.nan, "NaN"),
        (x[:50], x[:50, 0], "at least 132 points"),
    ):
        with pytest.raises(ValueError, match=message):
            order_spectrum_from_samples(bad_x, bad_y, FIVE)
    with pytest.raises(ValueError, match="at least"):
        measure(Product((0,)), FIVE, budget=100)


@pytest.mark.slow
def test_intervals_cover_over_200_seeds(trained: MLPEnsemble) -> None:
    stated = np.pad(truncated(trained, FIVE, default_degrees(5, 3)), [(0, 0), (0, 1)])
    exact = order_spectrum(trained, FIVE, max_order=3, method="exact")
    stated[:, 3] = exact.total_variance - stated.sum(axis=1)
    cases = [(trained, FIVE, OrderSpectrum.known(stated, method="stated"), 40_000)]
    for triples in (1, 2, 300):
        f = PlantedInteractions(WIDE, {3: 1.0}, {3: triples}, seed=1)
        cases.append((f, WIDE, f.spectrum(WIDE, 3), 20_000))
    for function, inputs, truth, budget in cases:
        hits = {"variance": [], "share": []}
        for seed in range(200):
            s = measure(function, inputs, budget=budget, tolerance=0.001, seed=seed)
            for of, value in (("variance", truth.variance), ("share", truth.share)):
                low, high, _ = s.interval(0.95, of=of)
                hits[of].append((low <= value) & (value <= high))
        for of, hit in hits.items():
            share = np.mean(hit, axis=0)
            assert np.all((share >= 0.90) & (share <= 0.99)), (function, of, share)


def test_a_sample_too_large_to_multiply_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    f = PlantedInteractions(WIDE, {3: 1.0})
    monkeypatch.setattr("interactions.anova.kernel.MOST_WORK", 0.0)
    s = measure(f, WIDE, tolerance=1e-4)
    assert not s.converged
    assert s.evaluations <= 2 * 2**13


def test_hundreds_of_inputs_are_measured_where_differences_refuse() -> None:
    inputs = Uniform(-1.0, 1.0, dim=400)
    f = PlantedInteractions(inputs, {1: 1.0, 2: 1.0}, {1: 20, 2: 20})
    s = measure(f, inputs, max_order=2, budget=2**14, tolerance=0.001)
    z = (s.variance - f.spectrum(inputs, 2).variance) / s.standard_error
    assert np.abs(z).max() < 4
    with pytest.raises(ValueError, match=r"need [\d,]+ evaluations at least"):
        measure(f, inputs, max_order=3, method="differences")
