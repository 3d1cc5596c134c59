"""The ANOVA-kernel U-statistic: two routes to one number, unbiased, with errors that cover."""

from __future__ import annotations

import functools
import math
from types import SimpleNamespace

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
from interactions.anova._array_mean import array_mean
from interactions.anova._evaluate import Evaluator
from interactions.anova._pairs import Sample, _dual, _primal
from interactions.anova._prepare import Prepared, prepare
from interactions.anova.basis import Adapted, Polynomials
from interactions.anova.kernel import prepared_spectrum
from interactions.planted import PlantedInteractions, Product, ishigami, sine

FIVE = Uniform(-1.0, 1.0, dim=5)
THREE = Uniform(-1.0, 1.0, dim=3)
WIDE = Uniform(-1.0, 1.0, dim=25)


def measure(function, inputs, **options):
    return order_spectrum(function, inputs, **{"method": "kernel", **options})


def cubics(x: torch.Tensor) -> torch.Tensor:
    return FIVE.basis(x, 3)


RAGGED = Polynomials(Uniform(-1.0, 1.0, dim=5), (4, 3, 2, 1))
SPARSE = SimpleNamespace(
    widths=lambda order: [2, 0, 1, 3, 1],
    features=lambda x, order: torch.cat(
        [cubics(x)[:, 0, :2], cubics(x)[:, 2, :1], cubics(x)[:, 3], x[:, 4:]], dim=1
    ),
)


@pytest.mark.parametrize("basis", [RAGGED, SPARSE], ids=["equal widths", "ragged widths"])
@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_features_and_kernel_give_the_same_pairs(basis, order: int) -> None:
    x = FIVE.sample(32 * 9, generator=0).view(32, 9, 5)
    columns = [x.prod(dim=-1), x[..., 0].exp(), *(x[..., 1:] ** 3).unbind(dim=-1)]
    off = ~torch.eye(32, dtype=torch.bool)
    # One function multiplies out the functions, many the features.
    for f in (columns[:1], columns * 8):
        sample = Sample(x, torch.stack(f, dim=-1), torch.ones(32, 9))
        for memory in (2**28, 2**20):
            a, b = (route(sample, basis, order, memory)[:, off] for route in (_primal, _dual))
            assert a.abs().max() > 0
            torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12 * a.abs().max().item())


def test_features_equal_the_definition_over_pairs_of_points() -> None:
    x = FIVE.sample(32 * 3, generator=0).view(32, 3, 5)
    f = x[..., :1] * x[..., 1:2] + 1
    h = _primal(Sample(x, f, torch.ones(32, 3)), Polynomials(FIVE, (2, 2)), 2, 2**28)[0]
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


def stated(function, inputs, basis: Adapted) -> np.ndarray:
    """V_1 .. V_K inside of a basis and the rest, on a grid split at the knots, [m, K + 1]."""
    dim = inputs.dim
    grid = [
        inputs.quadrature(2, coordinate=j, breakpoints=basis.knots[j].tolist()) for j in range(dim)
    ]
    points = torch.cartesian_prod(*[torch.as_tensor(x) for x, _ in grid])
    with torch.no_grad():
        whole = torch.cat([function(g.float()) for g in points.split(2**16)]).double()
    whole = whole.reshape(*[len(x) for x, _ in grid], -1)
    variance = []
    for k in range(1, len(basis.kept) + 1):
        table, ends = whole, np.cumsum(basis.widths(k))
        for axis, (x, w) in enumerate(grid):
            column = torch.zeros(len(x), dim, dtype=torch.float64)
            column[:, axis] = torch.as_tensor(x)
            start = ends[axis] - basis.widths(k)[axis]
            functions = basis.features(column, k)[:, start : ends[axis]]
            change = torch.as_tensor(w)[:, None] * torch.cat([torch.ones(len(x), 1), functions], 1)
            table = torch.tensordot(table, change, dims=([axis], [0])).movedim(-1, axis)
        order = (np.indices(table.shape[:-1]) > 0).sum(axis=0)
        variance.append(table[torch.as_tensor(order == k)].square().sum(dim=0).numpy())
    weights = torch.as_tensor(functools.reduce(np.multiply.outer, [w for _, w in grid]))
    mean = torch.tensordot(weights, whole, dims=dim)
    total = torch.tensordot(weights, (whole - mean).square(), dims=dim).numpy()
    return np.stack([*variance, total - sum(variance)], axis=-1)


def fixed_basis(function, inputs, budget: int, **options) -> Prepared:
    evaluate = Evaluator(function, inputs, seed=0)
    settings = {"max_order": 2, "tolerance": 0.01, "seed": 0, **options}
    return prepare(evaluate, budget=budget, **settings)


def measure_on(prepared: Prepared, function, inputs, *, budget: int, seed: int) -> OrderSpectrum:
    evaluate = Evaluator(function, inputs, seed=seed)
    own = prepared._replace(generator=torch.Generator().manual_seed(1000 + seed))
    order = len(prepared.basis.kept)
    return prepared_spectrum(evaluate, own, max_order=order, tolerance=0.001, budget=budget)


def test_agrees_with_the_truth_it_states_on_trained_networks_over_20_seeds(train_on_noise) -> None:
    networks = train_on_noise(THREE)
    prepared = fixed_basis(networks, THREE, 60_000)
    truth = stated(networks, THREE, prepared.basis)
    assert np.all(truth > 0.01 * truth.sum(axis=1, keepdims=True))
    spectra = [measure_on(prepared, networks, THREE, budget=40_000, seed=s) for s in range(20)]
    z = np.array([(s.variance - truth) / s.standard_error for s in spectra])
    assert np.abs(z).max() < 4.5
    assert np.abs(z.mean(axis=0)).max() < 4.5 / math.sqrt(20)


@pytest.mark.slow
def test_the_mean_over_400_seeds_at_a_tiny_budget_is_the_truth_it_states(train_on_noise) -> None:
    networks = train_on_noise(THREE)
    prepared = fixed_basis(networks, THREE, 60_000)
    truth = stated(networks, THREE, prepared.basis)
    spectra = [measure_on(prepared, networks, THREE, budget=600, seed=s) for s in range(400)]
    values = np.array([s.variance for s in spectra])
    z = (values.mean(axis=0) - truth) / (values.std(axis=0, ddof=1) / math.sqrt(400))
    assert np.abs(z).max() < 3


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


def test_what_the_basis_leaves_out_is_counted_above_and_said() -> None:
    """Between knots as coarse as its waves a function cannot be read."""
    s = measure(Product((0,), factor=sine(1500.0)), FIVE, budget=60_000)
    assert s.share[-1] > 0.5
    assert s.left_out > 0.5
    assert "outside of the basis" in str(s)


def test_several_functions_share_one_sample(trained: MLPEnsemble) -> None:
    together = measure(trained, FIVE, budget=20_000)
    assert together.variance.shape == (3, 4)
    alone = measure(trained.select([1]), FIVE, budget=20_000)
    np.testing.assert_allclose(together.variance[1], alone.variance[0], rtol=0.2, atol=0.1)


def test_functions_measured_a_few_at_a_time_give_the_same(trained: MLPEnsemble) -> None:
    """Little memory splits the functions, not the result."""
    x = FIVE.sample(33 * 64, generator=0).float()
    y = trained(x).detach().repeat(1, 20)
    a, b = (order_spectrum_from_samples(x, y, FIVE, memory=m) for m in (2**28, 2**20))
    np.testing.assert_allclose(a.variance, b.variance, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(a.share_standard_error, b.share_standard_error, rtol=1e-2)


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
@pytest.mark.parametrize("case", ["trained", 1, 2, 300])
def test_intervals_cover_over_200_seeds(case: str | int, train_on_noise) -> None:
    if case == "trained":
        inputs, function, budget, order = THREE, train_on_noise(THREE), 30_000, 2
    else:
        inputs, budget, order = WIDE, 20_000, 3
        function = PlantedInteractions(inputs, {3: 1.0}, {3: case}, seed=1)
    prepared = fixed_basis(function, inputs, 120_000, max_order=order)
    if case == "trained":
        truth = OrderSpectrum.known(stated(function, THREE, prepared.basis), method="stated")
    else:
        truth = function.spectrum(inputs, 3)
    hits = {"variance": [], "share": []}
    for seed in range(200):
        s = measure_on(prepared, function, inputs, budget=budget, seed=seed)
        for of, value in (("variance", truth.variance), ("share", truth.share)):
            low, high, _ = s.interval(0.95, of=of)
            hits[of].append((low <= value) & (value <= high))
    # An order of no variance at all is covered more often: its estimate is a sum of few squares,
    # whose error grows with it.
    most = np.where(truth.variance > 0, 0.99, 1.0)
    for of, hit in hits.items():
        share = np.mean(hit, axis=0)
        assert np.all((share >= 0.90) & (share <= most)), (of, share)


def test_a_sample_too_large_to_multiply_is_not_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    f = PlantedInteractions(WIDE, {3: 1.0})
    monkeypatch.setattr("interactions.anova._limits.MOST_WORK", 0.0)
    s = measure(f, WIDE, tolerance=1e-4)
    assert not s.converged
    assert "the arithmetic ended the measurement" in s.reason


def test_the_memory_bounds_the_sample_and_says_so() -> None:
    f = PlantedInteractions(WIDE, {3: 1.0})
    s = measure(f, WIDE, tolerance=1e-4, memory=2**22)
    assert "the memory ended the measurement" in s.reason


def test_hundreds_of_inputs_are_measured_where_differences_refuse() -> None:
    inputs = Uniform(-1.0, 1.0, dim=400)
    f = PlantedInteractions(inputs, {1: 1.0, 2: 1.0}, {1: 20, 2: 20})
    s = measure(f, inputs, max_order=2, tolerance=0.02)
    assert s.converged
    z = (s.variance - f.spectrum(inputs, 2).variance) / s.standard_error
    assert np.abs(z).max() < 4
    with pytest.raises(ValueError, match=r"need [\d,]+ evaluations at least"):
        measure(f, inputs, max_order=3, method="differences")


def test_a_small_sample_that_misses_a_loose_tolerance_grows() -> None:
    """By a point in every block at least, however few there are."""
    f = Product((0, 1, 2))
    for seed in range(20):
        s = measure(f, FIVE, tolerance=0.1, seed=seed)
        assert s.share_standard_error.max() <= 0.1
