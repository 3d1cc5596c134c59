"""The laws of dropout against brute force over masks and exact quadrature, to 1e-10."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import Empirical, Normal, Rademacher, Uniform
from interactions.anova import subset_variances
from interactions.networks.layers import from_layer
from interactions.planted import (
    IDENTITY,
    Factor,
    Product,
    SumOfProducts,
    Term,
    affine,
    anova_parts,
    cosine,
    covariance,
    expectation,
    ishigami,
    paper_generator,
    pure,
    sine,
)
from interactions.theory import (
    amplitude,
    best_predictor,
    curvature,
    dilated,
    dropped_out_spectrum,
    first_step,
    gradient_at_zero,
    learning_curve,
    masked,
    noise_stability,
    product_fit,
    resampled,
    step_scale,
    survival,
    surviving_subsets,
)

DIM = 3
COEFFICIENTS = st.floats(0.1, 2).flatmap(lambda c: st.sampled_from([c, -c]))
# Slow enough for the tensor grids below, also where inverted dropout stretches the inputs.
FREQUENCIES = st.floats(0.3, 2.0)
FACTORS = st.one_of(
    st.just(IDENTITY),
    FREQUENCIES.map(sine),
    FREQUENCIES.map(cosine),
    st.builds(affine, st.just(IDENTITY), COEFFICIENTS, st.floats(-1, 1)),
    st.just(Factor(lambda x: x**2 - 0.5)),
)
TERMS = st.builds(
    Term,
    coefficient=COEFFICIENTS,
    factors=st.dictionaries(st.integers(0, DIM - 1), FACTORS, min_size=1, max_size=DIM),
)
PLANTED = st.lists(TERMS, min_size=1, max_size=3).map(lambda t: SumOfProducts(tuple(t)))
CONTINUOUS = st.one_of(
    st.builds(
        lambda low, width: Uniform(low, low + width, dim=DIM), st.floats(-2, 1), st.floats(0.3, 3)
    ),
    st.builds(lambda m, s: Normal(m, s, dim=DIM), st.floats(-1, 1), st.floats(0.2, 0.4)),
)
INPUTS = st.one_of(
    CONTINUOUS,
    st.just(Rademacher(dim=DIM)),
    st.integers(0, 99).map(
        lambda s: Empirical(np.random.default_rng(s).normal(0.3, size=(6, DIM)))
    ),
)
RATES = st.floats(0.0, 0.9)
SUBSETS = [u for k in range(1, DIM + 1) for u in itertools.combinations(range(DIM), k)]
MASKS = torch.tensor(list(itertools.product([0.0, 1.0], repeat=DIM)), dtype=torch.float64)
MEAN_ZERO = [Uniform(-1.0, 1.0, dim=5), Normal(dim=5), Rademacher(dim=5)]


def grid(inputs, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points [n, DIM] and weights [n] of the tensor rule: exact expectations over the inputs."""
    rules = [inputs.quadrature(size, coordinate=j) for j in range(DIM)]
    points = itertools.product(*(x for x, _ in rules))
    weights = itertools.product(*(w for _, w in rules))
    return torch.tensor(list(points)), torch.tensor(list(weights)).prod(dim=1)


def dropped(x: torch.Tensor, w: torch.Tensor, rate: float, kind: str) -> tuple:
    """Points under every mask as training sees them [m, n, DIM], and their joint weights [m, n]."""
    scale = 1 / (1 - rate) if kind == "inverted" else 1.0
    kept = MASKS.sum(dim=1)
    chance = (1 - rate) ** kept * rate ** (DIM - kept)
    return x * MASKS[:, None] * scale, chance[:, None] * w


def everywhere(f, z: torch.Tensor) -> torch.Tensor:
    """F at points [m, n, DIM], as [m, n]."""
    return f(z.flatten(0, 1)).unflatten(0, z.shape[:2])


def effect(f: SumOfProducts, subset: tuple[int, ...], inputs, x: torch.Tensor) -> torch.Tensor:
    """f_u at points x [n, d], from its own centred factors."""
    total = torch.zeros(len(x), dtype=x.dtype)
    for weight, factors in anova_parts(f, inputs).get(subset, []):
        product = torch.full_like(total, weight)
        for j, h in factors.items():
            nodes, weights = (torch.as_tensor(a) for a in inputs.quadrature(80, coordinate=j))
            product = product * (h(x[:, j]) - weights @ h(nodes))
        total += product
    return total


@pytest.mark.parametrize("inputs", MEAN_ZERO, ids=repr)
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_masking_a_mean_zero_product_keeps_one_minus_r_to_the_k(inputs, order: int) -> None:
    product, rate = Product(tuple(range(order))), 0.3
    before = product.spectrum(inputs, 5).variance
    after = dropped_out_spectrum(product, inputs, rate, 5).variance
    np.testing.assert_allclose(after, survival(rate, order) ** 2 * before, rtol=1e-12, atol=1e-15)
    # Amplitude, and the second route: the average over all masks of an opaque function.
    blind = masked(lambda x: product(x), rate)
    x = inputs.sample(200, generator=0)
    torch.testing.assert_close(blind(x), survival(rate, order) * product(x), rtol=1e-10, atol=1e-12)


@settings(max_examples=12)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_masking_leaks_as_the_formula_says(f, rate: float, inputs) -> None:
    """(1-r)^|v| sum over u ⊇ v of r^|u \\ v| f_u(x_v, 0) is the ANOVA part of the average."""
    after = masked(f, rate)
    x = inputs.sample(40, generator=1)
    scale = max(1.0, f(x).abs().max().item())
    torch.testing.assert_close(
        after(x), masked(lambda z: f(z), rate)(x), rtol=0, atol=1e-10 * scale
    )
    for v in SUBSETS:
        zeroed = torch.zeros_like(x)
        zeroed[:, list(v)] = x[:, list(v)]
        leaked = sum(
            rate ** (len(u) - len(v)) * effect(f, u, inputs, zeroed)
            for u in SUBSETS
            if set(v) <= set(u)
        )
        expected = (1 - rate) ** len(v) * leaked
        got = effect(after, v, inputs, x)
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10 * scale)


def test_leakage_shrinks_main_effects_of_an_uncentred_pair_by_the_fourth_power() -> None:
    inputs = Uniform(-0.5, 1.5, dim=2)
    before = Product((0, 1)).spectrum(inputs, 2).variance
    after = dropped_out_spectrum(Product((0, 1)), inputs, 0.5, 2).variance
    assert before[0] > 0.1
    np.testing.assert_allclose(after, before * 0.5**4, rtol=1e-12)


@settings(max_examples=12)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_resampling_keeps_one_minus_r_to_the_size_of_every_subset(f, rate: float, inputs) -> None:
    after = resampled(f, rate, inputs)
    x = inputs.sample(40, generator=1)
    scale = max(1.0, f(x).abs().max().item())
    for u in SUBSETS:
        expected = survival(rate, len(u)) * effect(f, u, inputs, x)
        torch.testing.assert_close(
            effect(after, u, inputs, x), expected, rtol=0, atol=1e-10 * scale
        )
    stability = covariance(after, f, inputs)
    assert noise_stability(f, inputs, rate) == pytest.approx(stability, rel=1e-10, abs=1e-12)


def test_noise_stability_is_the_covariance_of_resampled_pairs() -> None:
    inputs, rate = Uniform(-math.pi, math.pi, dim=3), 0.4
    f = ishigami()
    generator = torch.Generator().manual_seed(0)
    x, fresh = (inputs.sample(400_000, generator=generator) for _ in range(2))
    kept = torch.rand(x.shape, generator=generator, dtype=x.dtype) >= rate
    a, b = f(x), f(torch.where(kept, x, fresh))
    joint = (a - a.mean()) * (b - b.mean())
    error = joint.std().item() / math.sqrt(len(joint))
    assert abs(joint.mean().item() - noise_stability(f, inputs, rate)) < 4 * error


def test_closed_form_after_masking_equals_the_tensor_grid() -> None:
    inputs = Uniform(-1.0, 1.5, dim=3)
    after = masked(paper_generator(3), 0.35)
    grid = subset_variances(lambda x: after(x), inputs, size=20)
    closed = after.subset_variances(inputs)
    for u, value in grid.items():
        assert value == pytest.approx(closed.get(u, 0.0), rel=1e-10, abs=1e-14)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_dilation_of_a_product_is_one_minus_r_to_the_k(order: int) -> None:
    inputs, rate = Uniform(-1.0, 1.0, dim=4), 0.3
    product = Product(tuple(range(order)))
    assert amplitude(dilated(product, rate), product, inputs) == pytest.approx(0.7**order, 1e-12)


def test_dilation_of_a_sine_is_far_from_one_minus_r() -> None:
    inputs = Uniform(-1.0, 1.0, dim=1)
    f = Product((0,), factor=sine(2.5))
    g = dilated(f, 0.5)
    assert amplitude(g, f, inputs) == pytest.approx(0.765, abs=5e-4)
    ratio = g.spectrum(inputs, 1).variance[0] / f.spectrum(inputs, 1).variance[0]
    assert math.sqrt(ratio) == pytest.approx(0.799, abs=5e-4)
    x = inputs.sample(9, generator=0)
    torch.testing.assert_close(dilated(lambda z: f(z), 0.5)(x), g(x))


KINDS = pytest.mark.parametrize("kind", ["classic", "inverted"])
ORDERS = pytest.mark.parametrize("order", [1, 2, 3])


@KINDS
@settings(max_examples=20)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_masked_is_the_average_over_all_masks_of_either_kind(kind, f, rate, inputs) -> None:
    x = inputs.sample(40, generator=1)
    z, weights = dropped(x, torch.ones(len(x), dtype=x.dtype), rate, kind)
    brute = (weights * everywhere(f, z)).sum(dim=0)
    scale = max(1.0, brute.abs().max().item())
    got = masked(f, rate, kind=kind)
    torch.testing.assert_close(got(x), brute, rtol=0, atol=1e-10 * scale)
    torch.testing.assert_close(
        masked(lambda t: f(t), rate, kind=kind)(x), brute, rtol=0, atol=1e-10 * scale
    )


def test_inverted_masks_leave_a_product_whole() -> None:
    x = Uniform(-1.0, 1.0, dim=4).sample(20, generator=0)
    product = Product((0, 1, 2, 3))
    torch.testing.assert_close(masked(product, 0.6, kind="inverted")(x), product(x))


@settings(max_examples=20)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_spectra_of_every_sense_equal_the_tensor_grid(f, rate: float, inputs) -> None:
    for after in (
        masked(f, rate),
        resampled(f, rate, inputs),
        dilated(f, rate),
        product_fit(f, rate, inputs),
    ):
        closed = after.subset_variances(inputs)
        if sum(closed.values()) < 1e-25:
            # It varies by rounding alone, as a fit of what no product shows: the grid refuses that.
            continue
        brute = subset_variances(lambda x, g=after: g(x), inputs, size=24)
        scale = max(1.0, *brute.values())
        for u, value in brute.items():
            assert closed.get(u, 0.0) == pytest.approx(value, rel=1e-10, abs=1e-10 * scale)


@settings(max_examples=8)
@given(f=PLANTED, g=PLANTED, rate=RATES, inputs=CONTINUOUS)
def test_training_under_input_dropout_ends_at_the_best_predictor(f, g, rate, inputs) -> None:
    """Its residual is orthogonal to every function of the masked inputs, and it is a dilation."""
    x, w = grid(inputs, 24)
    z, weights = dropped(x, w, rate, "inverted")
    best = best_predictor(f, rate, inputs)
    answer, other = everywhere(best, z), everywhere(g, z)
    scale = max(1.0, (weights * (f(x) * other).abs()).sum().item())
    assert abs((weights * (f(x) - answer) * other).sum().item()) < 1e-10 * scale
    # What it explains is the noise stability.
    explained = (weights * f(x) * answer).sum() - expectation(f, inputs) ** 2
    wanted = noise_stability(f, inputs, rate)
    assert explained.item() == pytest.approx(wanted, rel=1e-10, abs=1e-10)
    # At test time nothing is dropped.
    torch.testing.assert_close(best(x), dilated(f, rate)(x))


@settings(max_examples=20)
@given(f=PLANTED, rate=RATES, inputs=INPUTS)
def test_the_product_fit_solves_the_normal_equations(f, rate: float, inputs) -> None:
    """Against dense least squares on all products of the masked inputs, of both kinds."""
    x, w = grid(inputs, 24)
    fitted = product_fit(f, rate, inputs)(x)
    for kind, at_test in (("inverted", x), ("classic", (1 - rate) * x)):
        z, weights = dropped(x, w, rate, kind)
        # Centring each input changes the basis, not its span, and keeps the solution accurate.
        middle = torch.stack([(weights * z[..., j]).sum() for j in range(DIM)])
        spread = [(weights * (z[..., j] - middle[j]) ** 2).sum() for j in range(DIM)]

        root = torch.stack(spread).sqrt()

        def features(t, middle=middle, root=root) -> torch.Tensor:
            u = (t - middle) / root
            return torch.stack([u[..., list(s)].prod(dim=-1) for s in [(), *SUBSETS]], dim=-1)

        phi = features(z).flatten(0, 1)
        gram = phi.T @ (weights.flatten()[:, None] * phi)
        right = phi.T @ (weights * f(x)).flatten()
        brute = features(at_test) @ torch.linalg.solve(gram, right)
        scale = max(1.0, brute.abs().max().item())
        torch.testing.assert_close(fitted, brute, rtol=0, atol=1e-10 * scale)


@ORDERS
@pytest.mark.parametrize("inputs", MEAN_ZERO, ids=repr)
def test_the_product_fit_keeps_one_minus_r_to_the_k_of_mean_zero_inputs(inputs, order) -> None:
    product = Product(tuple(range(order)))
    kept = amplitude(product_fit(product, 0.3, inputs), product, inputs)
    assert kept == pytest.approx(0.7**order, rel=1e-12)


@settings(max_examples=30)
@given(rate=RATES, inputs=CONTINUOUS, order=st.integers(1, DIM))
def test_the_product_fit_keeps_less_where_inputs_have_a_mean(rate, inputs, order) -> None:
    """Π (1-r) Var / (Var + r mean²) of a pure product, and no leak to other orders."""
    product = pure(Product(tuple(range(order))), inputs)
    nodes, weights = inputs.quadrature(10)
    m = weights @ nodes
    variance = weights @ (nodes - m) ** 2
    each = (1 - rate) * variance / (variance + rate * m**2)
    x = inputs.sample(20, generator=0)
    torch.testing.assert_close(
        product_fit(product, rate, inputs)(x), each**order * product(x), rtol=1e-9, atol=1e-10
    )
    assert each <= 1 - rate + 1e-12


@KINDS
@settings(max_examples=8)
@given(f=PLANTED, psi=PLANTED, rate=st.floats(0, 0.6), inputs=INPUTS)
def test_gradient_and_curvature_equal_quadrature_over_inputs_and_masks(
    kind, f, psi, rate, inputs
) -> None:
    x, w = grid(inputs, 32)
    z, weights = dropped(x, w, rate, kind)
    values = everywhere(psi, z)
    slope, bend = (weights * -f(x) * values).sum().item(), (weights * values**2).sum().item()
    scale = max(1.0, (weights * (f(x) * values).abs()).sum().item(), bend)
    got = gradient_at_zero(psi, f, inputs, rate, kind=kind)
    assert got == pytest.approx(slope, rel=1e-10, abs=1e-10 * scale)
    assert curvature(psi, inputs, rate, kind=kind) == pytest.approx(bend, rel=1e-10)


@pytest.mark.parametrize("inputs", MEAN_ZERO, ids=repr)
@settings(max_examples=5)
@given(rate=RATES, order=st.integers(1, 5))
def test_along_a_product_gradient_and_curvature_are_powers_of_one_minus_r(
    inputs, rate, order
) -> None:
    product = Product(tuple(range(order)))
    kept = survival(rate, order)
    at = {
        (kind, r): (
            gradient_at_zero(product, product, inputs, r, kind=kind),
            curvature(product, inputs, r, kind=kind),
        )
        for kind in ("classic", "inverted")
        for r in (0.0, rate)
    }
    gradient, bend = np.divide(at["classic", rate], at["classic", 0.0])
    assert (gradient, bend) == pytest.approx((kept, kept), rel=1e-10)
    gradient, bend = np.divide(at["inverted", rate], at["inverted", 0.0])
    assert (gradient, bend) == pytest.approx((1, 1 / kept), rel=1e-10)
    steps = {
        ("classic", "sgd"): kept**2,
        ("inverted", "sgd"): 1.0,
        ("classic", "adam"): kept,
        ("inverted", "adam"): 1.0,
    }
    for (kind, optimizer), wanted in steps.items():
        how = {"kind": kind, "optimizer": optimizer}
        assert first_step(product, product, inputs, rate, **how) == pytest.approx(wanted, 1e-10)
        assert step_scale(rate, order, **how) == pytest.approx(wanted, 1e-12)


@settings(max_examples=8)
@given(rate=RATES, order=st.integers(1, 3))
def test_the_first_step_along_a_homogeneous_direction_follows_its_degree(rate, order) -> None:
    """|x_0| x_1 .. has degree k; sign(x_0) .. sign(x_k) has degree 0, x_j^3 each degree 3k."""
    inputs = Uniform(-1.0, 1.0, dim=3)
    features = tuple(range(order))
    target = Product(features)
    sign = Product(features, factor=Factor(torch.sign, kinks=(0.0,)))
    cube = Product(features, factor=Factor(lambda x: x**3))
    for direction, degree in ((sign, 0), (cube, 3 * order)):
        for kind in ("classic", "inverted"):
            for optimizer in ("sgd", "adam"):
                how = {"kind": kind, "optimizer": optimizer}
                got = first_step(direction, target, inputs, rate, **how)
                wanted = step_scale(rate, order, degree=degree, **how)
                assert got == pytest.approx(wanted, rel=1e-10)


@KINDS
def test_measured_gradients_and_curvatures_are_the_laws(kind) -> None:
    """Sampled points and masks, as training draws them, within four standard errors."""
    inputs, rate, n = Uniform(-1.0, 1.0, dim=4), 0.375, 400_000
    scale = 1 / (1 - rate) if kind == "inverted" else 1.0
    generator = torch.Generator().manual_seed(0)
    x = inputs.sample(n, generator=generator)
    z = x * scale * (torch.rand(x.shape, generator=generator, dtype=x.dtype) >= rate)
    for order in (1, 2, 3, 4):
        product = Product(tuple(range(order)), scale=3 ** (order / 2))
        for samples, wanted in (
            (-product(x) * product(z), gradient_at_zero(product, product, inputs, rate, kind=kind)),
            (product(z) ** 2, curvature(product, inputs, rate, kind=kind)),
        ):
            error = samples.std().item() / math.sqrt(n)
            assert abs(samples.mean().item() - wanted) < 4 * error


@KINDS
def test_sgd_on_products_follows_the_learning_curve(kind) -> None:
    """Mean over 4000 models, each with its own points and masks at every step."""
    inputs, rate, order, lr = Rademacher(dim=2), 0.25, 2, 0.1
    product = Product((0, 1))
    models, steps = 4000, 40
    generator = torch.Generator().manual_seed(1)
    scale, at_test = (1 / (1 - rate), 1.0) if kind == "inverted" else (1.0, (1 - rate) ** order)
    weight = torch.zeros(models, dtype=torch.float64)
    for step in range(1, steps + 1):
        x = inputs.sample(models, generator=generator)
        z = x * scale * (torch.rand(x.shape, generator=generator, dtype=x.dtype) >= rate)
        weight += lr * (product(x) - weight * product(z)) * product(z)
        if step in (1, 10, 40):
            measured = at_test * weight
            error = measured.std().item() / math.sqrt(models)
            wanted = learning_curve(rate, order, step, kind=kind, learning_rate=lr)
            # The first classic step is the same for all models but the dropped ones.
            assert abs(measured.mean().item() - wanted) < 4 * error


@settings(max_examples=15)
@given(seed=st.integers(0, 999), rate=RATES)
def test_activation_dropout_masks_the_units_of_a_layer(seed: int, rate: float) -> None:
    """The leakage law for the last layers of a network, in their units, on a complete grid."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        layers = [torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 8), torch.nn.ReLU()]
        network = torch.nn.Sequential(*layers, torch.nn.Linear(8, 1)).double().eval()
        tail, units = from_layer(network, "1", torch.rand(5, 4, dtype=torch.float64) * 2 - 1)
    supports = [units.quadrature(5, coordinate=j) for j in range(3)]
    # Zero, where dropped units go, is one more node; it has no weight.
    nodes = [torch.tensor([*values, 0.0]) for values, _ in supports]
    weights = [torch.tensor([*w, 0.0]) for _, w in supports]
    sizes = [len(n) for n in nodes]
    x = torch.cartesian_prod(*nodes)
    parts = {u: _part(tail(x).reshape(sizes), weights, u) for u in SUBSETS}
    averaged = masked(lambda t: tail(t).squeeze(1), rate)
    table = averaged(x).reshape(sizes)
    scale = max(1.0, table.abs().max().item())
    spectrum = subset_variances(averaged, units, size=5)
    for v in SUBSETS:
        leaked = 0
        for u in SUBSETS:
            if set(v) <= set(u):
                part = parts[u]
                for j in set(u) - set(v):
                    part = part.index_select(j, torch.tensor([sizes[j] - 1])).expand(sizes)
                leaked = leaked + rate ** (len(u) - len(v)) * part
        wanted = (1 - rate) ** len(v) * leaked
        got = _part(table, weights, v)
        torch.testing.assert_close(got, wanted, rtol=0, atol=1e-10 * scale)
        square = wanted.square()
        for w in reversed(weights):
            square = square @ w
        assert spectrum[v] == pytest.approx(square.item(), rel=1e-10, abs=1e-10 * scale)


def _part(table: torch.Tensor, weights: list[torch.Tensor], subset: tuple) -> torch.Tensor:
    """The effect of a subset in a table under independent axes, at every node."""
    for axis, w in enumerate(weights):
        mean = torch.tensordot(table, w, dims=([axis], [0])).unsqueeze(axis)
        table = table - mean if axis in subset else mean.expand(table.shape)
    return table


def test_surviving_subsets_are_the_mean_number_of_fully_kept_subsets() -> None:
    kept = np.random.default_rng(0).random((20_000, 6)) < 0.75
    counts = np.array([math.comb(int(n), 3) for n in kept.sum(axis=1)])
    error = counts.std() / math.sqrt(len(counts))
    assert abs(counts.mean() - surviving_subsets(6, 3, 0.25)) < 4 * error


@pytest.mark.parametrize("rate", [1.0, -0.1, 1.5, math.nan])
def test_rates_outside_zero_to_one_are_refused(rate: float) -> None:
    product, inputs = Product((0,)), Rademacher(dim=1)
    for call in (
        lambda: survival(rate, 2),
        lambda: masked(product, rate),
        lambda: resampled(product, rate, inputs),
        lambda: dilated(product, rate),
        lambda: best_predictor(product, rate, inputs),
        lambda: product_fit(product, rate, inputs),
        lambda: step_scale(rate, 1, kind="classic"),
    ):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
            call()


def test_unknown_kinds_and_optimizers_are_refused() -> None:
    product, inputs = Product((0,)), Rademacher(dim=1)
    with pytest.raises(ValueError, match="kind must be"):
        masked(product, 0.5, kind="keras")
    with pytest.raises(ValueError, match="leaves the function alone"):
        first_step(Product((0,)), Product((1,)), Rademacher(dim=2), 0.5, kind="classic")
    with pytest.raises(ValueError, match="optimizer must be"):
        first_step(product, product, inputs, 0.5, kind="classic", optimizer="momentum")
