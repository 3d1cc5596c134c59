"""One hidden layer of ReLUs on normal inputs: a spectrum in closed form, from no code of ours."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import pytest
import torch
from torch import Tensor

from interactions import Normal, order_spectrum
from interactions.anova import mean_order, subset_variances

SEEDS = range(6)
FLOOR_DEGREE = 4
"""Whatever its basis, the kernel method must hold all that polynomials of this degree hold."""


@dataclass(frozen=True)
class HiddenLayer:
    """f(x) = sum_h a_h relu(w_h . x) on independent standard normal inputs.

    Let X and X' share the coordinates of u and be independent elsewhere. Then w_h . X and
    w_g . X' are normal with standard deviations |w_h|, |w_g| and correlation
    r = sum_(j in u) w_hj w_gj / (|w_h| |w_g|), and

        E relu(w_h . X) relu(w_g . X') = |w_h| |w_g| (sqrt(1 - r^2) + r (pi - arccos r)) / (2 pi),

    the arc-cosine kernel of degree 1 (Cho & Saul, NIPS 2009, eq. 3). Summed with a_h a_g this is
    E f(X) f(X') = E[E[f | x_u]^2], the sum of the variances V_v of all v within u, where V of the
    empty set is the squared mean: the closed Sobol index. Möbius inversion gives every V_u.

    In Hermite polynomials, with c_n = E relu(Z) He_n(Z) / sqrt(n!) and unit vectors w = w_h / |w_h|
    the coefficient of the product of normalised polynomials of degrees n_1, .., n_d, n in all, is
    sum_h a_h |w_h| c_n sqrt(n! / (n_1! .. n_d!)) w_1^n_1 .. w_d^n_d: what a basis of some degree
    per input holds of V_k, and so what it leaves out.
    """

    weight: np.ndarray
    output: np.ndarray

    @classmethod
    def random(cls, dim: int, width: int, *, seed: int) -> HiddenLayer:
        rng = np.random.default_rng(seed)
        # Few large weights a unit, and outputs that cancel the linear part: every order matters.
        weight = rng.normal(size=(width, dim)) * rng.exponential(size=(width, dim))
        output = rng.normal(size=width)
        return cls(weight, output - weight @ np.linalg.lstsq(weight, output)[0])

    @property
    def dim(self) -> int:
        return self.weight.shape[1]

    def __call__(self, x: Tensor) -> Tensor:
        weight, output = torch.as_tensor(self.weight), torch.as_tensor(self.output)
        return torch.relu(x @ weight.T) @ output

    def closed_index(self, subset: tuple[int, ...]) -> float:
        norm = np.linalg.norm(self.weight, axis=1)
        scale = np.outer(norm, norm)
        part = self.weight[:, list(subset)]
        r = np.clip(part @ part.T / scale, -1, 1)
        kernel = scale * (np.sqrt(1 - r**2) + r * (math.pi - np.arccos(r))) / (2 * math.pi)
        return float(self.output @ kernel @ self.output)

    def subset_variances(self) -> dict[tuple[int, ...], float]:
        """V_u of all subsets but the empty one."""
        found: dict[tuple[int, ...], float] = {}
        for k in range(self.dim + 1):
            for u in combinations(range(self.dim), k):
                inside = (v for j in range(k) for v in combinations(u, j))
                found[u] = self.closed_index(u) - sum(found[v] for v in inside)
        del found[()]
        return found

    def by_order(self, max_order: int) -> np.ndarray:
        """V_1 .. V_max_order and the rest."""
        variance = np.zeros(max_order + 1)
        for u, v in self.subset_variances().items():
            variance[min(len(u), max_order + 1) - 1] += v
        return variance

    def up_to_degree(self, order: int, degree: int) -> float:
        """The part of V_order in Hermite polynomials of degree <= `degree` in every input."""
        norm = np.linalg.norm(self.weight, axis=1)
        unit = self.weight / norm[:, None]
        total = 0.0
        for degrees in product(range(1, degree + 1), repeat=order):
            n = sum(degrees)
            multinomial = math.factorial(n) / math.prod(math.factorial(i) for i in degrees)
            scaled = self.output * norm * _relu_hermite(n) * math.sqrt(multinomial)
            for u in combinations(range(self.dim), order):
                total += float(scaled @ (unit[:, u] ** np.array(degrees)).prod(axis=1)) ** 2
        return total


def _relu_hermite(n: int) -> float:
    """E relu(Z) He_n(Z) / sqrt(n!): for n >= 2, by parts twice, He_(n-2)(0) / sqrt(2 pi n!)."""
    if n == 1:
        return 0.5
    if n % 2:
        return 0.0
    m = max(n - 2, 0)
    at_zero = (-1) ** (m // 2) * math.prod(range(1, m, 2))
    return at_zero / math.sqrt(2 * math.pi * math.factorial(n))


@pytest.fixture(scope="module")
def layer() -> HiddenLayer:
    layer = HiddenLayer.random(10, 24, seed=0)
    shares = layer.by_order(3) / layer.by_order(3).sum()
    assert shares.min() > 0.02, "every order should matter"
    return layer


def test_the_closed_form_agrees_with_a_grid_and_with_its_hermite_series() -> None:
    layer, inputs = HiddenLayer.random(3, 8, seed=1), Normal(dim=3)
    truth = layer.subset_variances()
    total = sum(truth.values())
    assert min(truth.values()) > 1e-4 * total
    grid = subset_variances(layer, inputs, size=64)
    assert grid.keys() == truth.keys()
    np.testing.assert_allclose([grid[u] for u in truth], list(truth.values()), atol=2e-3 * total)
    # A ReLU's squared coefficients fall as a power of the degree only, hence the slow approach.
    for k in (1, 2, 3):
        left = layer.by_order(2)[k - 1] - [layer.up_to_degree(k, q) for q in (2, 8, 32)]
        assert np.all(left > 0)
        assert np.all(np.diff(left) < 0)
        assert left[-1] < 4e-3 * total


def test_variances_sum_to_the_variance_of_the_function(layer: HiddenLayer) -> None:
    truth = layer.subset_variances()
    assert len(truth) == 2**10 - 1
    assert min(truth.values()) > 0
    y = layer(Normal(dim=10).sample(10**6, generator=0))
    error = (y - y.mean()).square().std().item() / 1000
    assert sum(truth.values()) == pytest.approx(y.var().item(), abs=4 * error)


def test_differences_agree(layer: HiddenLayer) -> None:
    truth = layer.by_order(3)
    found = [
        order_spectrum(layer, Normal(dim=10), method="differences", tolerance=0.01, seed=s)
        for s in SEEDS
    ]
    z = np.array([(f.variance - truth) / f.standard_error for f in found])
    assert np.abs(z).max() < 4
    assert np.abs(z.mean(axis=0)).max() < 4 / math.sqrt(len(SEEDS))
    z = [(f.share - truth / truth.sum()) / f.share_standard_error for f in found]
    assert np.abs(z).max() < 4


def test_the_kernel_agrees_up_to_what_a_basis_leaves_out(layer: HiddenLayer) -> None:
    """Each order lies below the truth by what low polynomials leave at most; the rest, above."""
    truth = layer.by_order(3)
    left = truth[:3] - [layer.up_to_degree(k, FLOOR_DEGREE) for k in (1, 2, 3)]
    assert np.all((left > 0) & (left < 0.01 * truth.sum()))
    low = truth - [*left, 0]
    high = truth + np.array([0, 0, 0, left.sum()])
    below, above = [], []
    for seed in SEEDS:
        f = order_spectrum(
            layer, Normal(dim=10), method="kernel", tolerance=0.02, budget=2**16, seed=seed
        )
        assert f.share_standard_error.max() < 0.03
        below.append((f.variance - low) / f.standard_error)
        above.append((f.variance - high) / f.standard_error)
    assert np.min(below) > -4
    assert np.max(above) < 4
    assert np.mean(below, axis=0).min() > -4 / math.sqrt(len(SEEDS))
    assert np.mean(above, axis=0).max() < 4 / math.sqrt(len(SEEDS))


def test_the_mean_order_and_total_indices_agree(layer: HiddenLayer) -> None:
    truth = layer.subset_variances()
    total = [sum(v for u, v in truth.items() if j in u) for j in range(10)]
    order = sum(len(u) * v for u, v in truth.items()) / sum(truth.values())
    for seed in SEEDS:
        found = mean_order(layer, Normal(dim=10), seed=seed)
        assert abs(found.mean_order - order) < 4 * found.standard_error
        z = (found.total_index - total) / found.total_index_standard_error
        assert np.abs(z).max() < 4
