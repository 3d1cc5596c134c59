"""The order penalty: its expectation, the best fit under it, and its gradient."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from scipy import special
from torch import Tensor, nn

from interactions import (
    Bernoulli,
    Empirical,
    Inputs,
    Marginals,
    Normal,
    OrderPenalty,
    Rademacher,
    Uniform,
    order_spectrum,
)
from interactions.penalty import weights_for_survival, weights_from_order
from interactions.planted import SumOfProducts, Term, affine, cosine, sine

RNG = np.random.default_rng(0)
PROFILES: dict[str, dict] = {
    "noise sensitivity": {"rho": 0.5},
    "survival": {"weights": weights_for_survival(0.5, 3)},
    "from order 2": {"weights": weights_from_order(2)},
    # The mean of those of rho 1/2 and 3/4.
    "levels off": {"weights": (0.625, 0.84375, 0.9296875)},
}

# Effects of every order, none of them pure, and bounded under every distribution.
F = SumOfProducts(
    (
        Term(1.0, {0: affine(sine(), 1.0, 0.5), 1: cosine(), 2: affine(cosine(2.0), 1.0, 0.3)}),
        Term(0.7, {0: cosine(), 3: sine(2.0)}),
        Term(0.5, {0: sine(), 1: sine(), 2: sine(), 3: sine()}),
    )
)


DISTRIBUTIONS: list[Inputs] = [
    Uniform(-1.0, 1.0, dim=4),
    Normal(dim=4),
    Rademacher(dim=4),
    Bernoulli(0.3, dim=4),
    Marginals({"a": [0.0, 1.0], "b": RNG.normal(size=50), "c": {0: 0.2, 1: 0.8}, "d": [2, 3]}),
    Empirical(RNG.normal(size=(200, 4))),
]


@pytest.mark.parametrize("inputs", DISTRIBUTIONS, ids=lambda i: type(i).__name__)
@pytest.mark.parametrize("name", PROFILES)
def test_the_expected_penalty_is_the_weighted_sum_of_variances(inputs, name) -> None:
    penalty = OrderPenalty(inputs, fresh=True, strength=2.0, **PROFILES[name])
    wanted = 2.0 * penalty.profile @ F.spectrum(inputs, 4).variance[:4]
    mean, error = mean_of(penalty, 1024)
    assert error < 0.05 * wanted
    assert abs(mean - wanted) < 4 * error


def mean_of(penalty: OrderPenalty, rows: int) -> tuple[float, float]:
    """Mean of 32 draws at as many points, and its standard error."""
    torch.manual_seed(0)
    x = torch.zeros(rows, 4, dtype=torch.float64)
    drawn = torch.stack([penalty(F, x) for _ in range(32)])
    return drawn.mean().item(), drawn.std().item() / math.sqrt(32)


def test_profiles_with_negative_weights_say_so_and_are_right_in_expectation() -> None:
    inputs = DISTRIBUTIONS[0]
    with pytest.warns(UserWarning, match="difference of squares"):
        penalty = OrderPenalty(inputs, weights=(1.0, 0.0, 0.0, 0.0), fresh=True)
    wanted = F.spectrum(inputs, 4).variance[0]
    mean, error = mean_of(penalty, 4096)
    assert error < 0.1 * wanted
    assert abs(mean - wanted) < 4 * error


def test_columns_of_a_group_are_redrawn_together() -> None:
    """x0 x1 of one group is of order 1, so no mixed difference of two inputs sees it."""
    torch.manual_seed(0)
    data = torch.randn(100, 3, dtype=torch.float64)
    data[:, 1] = data[:, 0]
    inputs = Empirical(data, groups={"pair": [0, 1]})
    together = OrderPenalty(inputs, weights=weights_from_order(2))
    apart = OrderPenalty(Empirical(data), weights=weights_from_order(2))

    def product(x: Tensor) -> Tensor:
        return x[:, 0] * x[:, 1] + x[:, 2]

    assert together(product, data).abs() < 1e-12
    assert apart(product, data) > 0.1


@pytest.mark.parametrize("name", PROFILES)
def test_the_best_fit_under_the_penalty_divides_every_order_by_one_plus_its_weight(name) -> None:
    """On a grid of 3^3 values of unequal chance, for every function at once: a linear system."""
    strength, values = 0.7, 3
    inputs = Empirical(np.repeat(np.array([[-1.0], [0.1], [2.0]]), [1, 3, 2], axis=0) * [1, 1, 1])
    chance = torch.tensor([1.0, 3, 2]).double() / 6
    penalty = OrderPenalty(inputs, strength=strength, **PROFILES[name])
    target = torch.tensor(RNG.normal(size=values**3))
    one = torch.ones(values, 1).double() @ chance[None]
    parts = [torch.zeros(values**3, values**3).double() for _ in range(4)]
    for kept in itertools.product([0, 1], repeat=3):
        factors = [torch.eye(values).double() - one if k else one for k in kept]
        parts[sum(kept)] += torch.kron(torch.kron(factors[0], factors[1]), factors[2])
    weight = torch.kron(torch.kron(chance, chance), chance)
    # Of both the gradient in the space weighted by chance: of the loss g - F, of the penalty the
    # expected form, from all redrawn points and not from orders.
    system = torch.eye(values**3).double() + strength * _expected_form(penalty, one)
    best = torch.linalg.solve(system, target)
    for k in range(1, 4):
        share = 1 / (1 + strength * penalty.profile[k - 1])
        torch.testing.assert_close(parts[k] @ best, share * (parts[k] @ target), atol=1e-10, rtol=0)
    assert weight @ best == pytest.approx((weight @ target).item())


def _expected_form(penalty: OrderPenalty, one: Tensor) -> Tensor:
    """Half the Hessian of the expected penalty over the weights of the grid, by its definition.

    Answers at two corners share the inputs that neither or both redraw.
    """
    differences, dim = penalty.differences, penalty.inputs.dim
    eye = torch.eye(len(one)).double()
    total = torch.zeros(len(one) ** dim, len(one) ** dim).double()
    if differences.sets:
        designs = [
            (size / math.comb(dim, m), differences.form, np.array([np.zeros(dim), row]))
            for m, size in enumerate(differences.sets, start=1)
            for row in itertools.product([0, 1], repeat=dim)
            if sum(row) == m
        ]
    else:
        orders = list(itertools.permutations(range(dim)))
        designs = [
            (1 / len(orders), differences.form, differences.redrawn[:, list(order)])
            for order in orders
        ]
    for chance, form, redrawn in designs:
        for i, j in itertools.product(range(len(form)), repeat=2):
            factors = [eye if a == b else one for a, b in zip(redrawn[i], redrawn[j], strict=True)]
            total += (
                chance * form[i, j] * torch.kron(torch.kron(factors[0], factors[1]), factors[2])
            )
    return total


@pytest.mark.parametrize("name", PROFILES)
def test_the_written_out_derivative_is_that_of_autograd(name) -> None:
    penalty = OrderPenalty(Uniform(-1.0, 1.0, dim=4), **PROFILES[name])
    uniforms = torch.rand(3, 7, 4, dtype=torch.float64)
    points, weight = penalty.points(None, uniforms, torch.tensor(0.3).double())
    answers = torch.randn(len(points), 7, 2, dtype=torch.float64, requires_grad=True)
    (wanted,) = torch.autograd.grad(penalty.value(answers, weight), answers)
    found = penalty.derivative(answers.detach()[None], weight[None], penalty.form(answers))[0]
    torch.testing.assert_close(found, wanted, rtol=1e-10, atol=1e-12)


def test_a_large_constant_costs_no_digits() -> None:
    torch.manual_seed(0)
    x = torch.randn(100, 4)
    penalty = OrderPenalty(Normal(dim=4))
    with torch.random.fork_rng():
        plain = penalty(lambda x: x[:, 0] * x[:, 1], x)
    assert penalty(lambda x: 4096 + x[:, 0] * x[:, 1], x) == pytest.approx(plain.item(), rel=1e-2)


def test_the_noise_of_the_penalty_falls_with_the_rows_and_grows_with_the_sets() -> None:
    """Over n rows as 1/n; of a product of 3 of d inputs under weights from order 3 as C(d, 3)."""
    torch.manual_seed(0)

    def spread(dim: int, rows: int) -> float:
        penalty = OrderPenalty(Rademacher(dim=dim), weights=weights_from_order(3), fresh=True)
        x = torch.zeros(rows, dim)
        drawn = [penalty(lambda x: x[:, 0] * x[:, 1] * x[:, 2], x) for _ in range(200)]
        return torch.stack(drawn).var().item()

    assert spread(4, 64) / spread(4, 256) == pytest.approx(4, rel=0.5)
    ratio = (special.comb(6, 3) * 8 - 1) / (special.comb(4, 3) * 8 - 1)
    assert spread(6, 64) / spread(4, 64) == pytest.approx(ratio, rel=0.5)


def test_any_module_in_any_loop_is_penalised() -> None:
    """Two lines of a usual loop; the penalised network has less of orders above 1."""
    inputs = Uniform(-1.0, 1.0, dim=2)
    x = inputs.sample(256, generator=0, dtype=torch.float32)
    y = x[:, 0] + 3 * x[:, 0] * x[:, 1]
    variances = []
    for strength in (0.0, 3.0):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        penalty = OrderPenalty(inputs, weights=weights_from_order(2), strength=strength)
        for _ in range(150):
            loss = nn.functional.mse_loss(model(x)[:, 0], y)
            loss = loss + penalty(model, x)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        variances.append(
            order_spectrum(model.eval(), inputs, max_order=2, method="exact").variance[0]
        )
    assert variances[1][1] < 0.2 * variances[0][1]
    assert variances[1][0] > 0.8 * variances[0][0]


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"rho": 0.0}, ValueError, "rho must lie above 0"),
        ({"rho": 0.5, "weights": (1.0,)}, ValueError, "not both"),
        ({"strength": -1.0}, ValueError, "not negative"),
        ({"inputs": torch.zeros(3, 2)}, TypeError, "inputs must be a distribution"),
    ],
)
def test_penalties_that_cannot_be_are_refused(options, error, says) -> None:
    with pytest.raises(error, match=says):
        OrderPenalty(**({"inputs": Uniform(-1.0, 1.0, dim=2)} | options))


def test_points_and_models_that_do_not_fit_are_refused() -> None:
    penalty = OrderPenalty(Uniform(-1.0, 1.0, dim=2))
    with pytest.raises(ValueError, match=r"needs floating-point points \[n, 2\]"):
        penalty(lambda x: x[:, 0], torch.zeros(5, 3))
    with pytest.raises(ValueError, match="floating-point"):
        penalty(lambda x: x[:, 0], torch.zeros(5, 2, dtype=torch.long))
    with pytest.raises(TypeError, match="must return a tensor"):
        penalty(lambda x: 1.0, torch.zeros(5, 2))
    with pytest.raises(ValueError, match="an answer a point, 10"):
        penalty(lambda x: x.mean(), torch.zeros(5, 2))
