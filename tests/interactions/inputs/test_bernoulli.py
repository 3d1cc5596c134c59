"""Inputs that are 1 with a probability of their own: closed forms, brute force and sampling."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch

from interactions import order_spectrum
from interactions.anova import strongest_interactions, subset_variances
from interactions.inputs import Bernoulli

KEEPS = [0.1, 0.3, 0.5, 0.7, 0.9]
OWN = (0.1, 0.35, 0.5, 0.8)
"""A probability for each of four inputs."""
SIZES = {"parity": 5, "product": 3}
"""Inputs of each function, out of 7."""
RAGGED = torch.as_tensor(np.random.default_rng(4).exponential(size=(2,) * 4))
"""A function of four inputs: a value for each of their sixteen states."""


def parity(x: torch.Tensor) -> torch.Tensor:
    return (1 - 2 * x[:, :5]).prod(dim=1)


def product(x: torch.Tensor) -> torch.Tensor:
    return x[:, :3].prod(dim=1)


def ragged(x: torch.Tensor) -> torch.Tensor:
    return RAGGED.to(x.dtype)[tuple(x.long().T)]


def closed_form(function, keep: float) -> np.ndarray:
    """A product of equal factors of mean a and variance v: C(s, k) v^k a^(2 (s - k)) at order k."""
    if function is parity:
        mean, variance = 1 - 2 * keep, 4 * keep * (1 - keep)
    else:
        mean, variance = keep, keep * (1 - keep)
    size, orders = SIZES[function.__name__], range(1, 8)
    return np.array(
        [math.comb(size, k) * variance**k * mean ** (2 * max(size - k, 0)) for k in orders]
    )


def brute_force(keep: tuple[float, ...]) -> dict[tuple[int, ...], float]:
    """Variance of every effect of `ragged` by inclusion and exclusion of conditional means."""
    table, dim = RAGGED.numpy(), len(keep)
    weights = [np.array([1 - p, p]) for p in keep]

    def mean_given(u: tuple[int, ...]) -> np.ndarray:
        out = table
        for j in range(dim):
            if j not in u:
                shape = [-1 if i == j else 1 for i in range(dim)]
                out = (out * weights[j].reshape(shape)).sum(axis=j, keepdims=True)
        return np.broadcast_to(out, table.shape)

    density = np.einsum("a,b,c,d->abcd", *weights)
    found = {}
    for size in range(1, dim + 1):
        for u in itertools.combinations(range(dim), size):
            parts = (v for k in range(size + 1) for v in itertools.combinations(u, k))
            effect = sum((-1) ** (size - len(v)) * mean_given(v) for v in parts)
            found[u] = float((density * effect**2).sum())
    return found


@pytest.mark.parametrize("function", [parity, product])
@pytest.mark.parametrize("keep", KEEPS)
def test_parity_and_products_have_their_closed_forms(function, keep: float) -> None:
    exact = order_spectrum(function, Bernoulli(keep, dim=7), max_order=6)
    assert "exact grid of every value" in exact.method
    np.testing.assert_allclose(exact.variance, closed_form(function, keep), rtol=0, atol=1e-8)


def test_effects_are_those_of_brute_force_with_a_probability_for_each_input() -> None:
    truth, inputs = brute_force(OWN), Bernoulli(OWN)
    for u, variance in subset_variances(ragged, inputs).items():
        assert variance == pytest.approx(truth[u], abs=1e-8)
    exact = order_spectrum(ragged, inputs, max_order=3).variance
    by_order = [sum(v for u, v in truth.items() if len(u) == k) for k in range(1, 5)]
    np.testing.assert_allclose(exact, by_order, rtol=0, atol=1e-8)


@pytest.mark.parametrize("method", ["kernel", "differences"])
@pytest.mark.parametrize("keep", KEEPS)
def test_samples_agree_within_their_errors(method: str, keep: float) -> None:
    def both(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([parity(x), product(x)], dim=1)

    options = {"method": method, "tolerance": 0.03, "max_order": 3, "budget": 2**17}
    found = order_spectrum(both, Bernoulli(keep, dim=7), **options)
    for i, function in enumerate((parity, product)):
        truth = closed_form(function, keep)
        truth = np.append(truth[:3], truth[3:].sum())
        # A basis of two values holds all there is: nothing is left out to excuse an error.
        error = found.standard_error[i]
        far = np.abs(found.variance[i] - truth) > 4 * error + 1e-12
        assert not far.any(), (function, found.variance[i], error)
        # Where no point showed anything of an order its error is unknown, and that is said.
        assert not (np.isnan(error).any() and found.converged)


def test_the_strongest_subsets_are_those_of_brute_force() -> None:
    truth = {u: v for u, v in brute_force(OWN).items() if len(u) == 2}
    found = strongest_interactions(ragged, Bernoulli(OWN), order=2, count=6)
    for row in found.itertuples():
        assert abs(row.variance - truth[row.subset]) < 4.5 * row.standard_error


def test_inputs_are_ones_as_often_as_they_say_and_their_basis_is_orthonormal() -> None:
    inputs = Bernoulli(OWN)
    x = inputs.sample(40_000, generator=0)
    assert set(x.unique().tolist()) == {0.0, 1.0}
    keep = np.array(OWN)
    assert (np.abs(x.mean(dim=0).numpy() - keep) < 4 * np.sqrt(keep * (1 - keep) / 40_000)).all()
    for j in range(4):
        values, weights = inputs.support(j)
        points = torch.zeros(2, 4, dtype=torch.float64)
        points[:, j] = torch.as_tensor(values)
        basis = inputs.basis(points, 3)[:, j].numpy()
        np.testing.assert_allclose(
            basis.T @ (weights[:, None] * basis), np.diag([1, 0, 0]), atol=1e-12
        )
        np.testing.assert_allclose(weights @ basis, 0, atol=1e-12)


def test_curves_between_two_values_cost_two_evaluations() -> None:
    """Sixty-four inputs fit a budget of which their curves, checked at 32 points, took thrice."""
    found = order_spectrum(
        lambda x: x.sum(dim=1) + x[:, 0] * x[:, 1],
        Bernoulli(0.5, dim=64),
        budget=2**14,
        max_order=2,
    )
    assert "ANOVA kernel" in found.method
    assert found.evaluations <= 2**14
    assert found.left_out == pytest.approx(0, abs=0.01)
    assert abs(found.share[0] - 1) < 4 * found.share_standard_error[0] + 0.01


def test_equal_inputs_are_equal_whatever_they_were_made_of() -> None:
    assert Bernoulli(np.array([0.2, 0.4])) == Bernoulli([0.2, 0.4], dim=2)
    assert hash(Bernoulli([0.2, 0.4])) == hash(Bernoulli((0.2, 0.4)))
    assert Bernoulli(0.5, dim=2, names=["a", "b"]).names == ("a", "b")
    assert Bernoulli(0.5, dim=3) != Bernoulli(0.4, dim=3)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bernoulli(1.0, dim=2), "above 0 and below 1"),
        (lambda: Bernoulli([0.5, 0.0]), "above 0 and below 1"),
        (lambda: Bernoulli(float("nan"), dim=2), "above 0 and below 1"),
        (lambda: Bernoulli([]), "above 0 and below 1"),
        (lambda: Bernoulli("often", dim=2), "above 0 and below 1"),
        (lambda: Bernoulli(0.5), "say how many, dim="),
        (lambda: Bernoulli(0.5, dim=2.0), "positive integer"),
        (lambda: Bernoulli([0.5, 0.4], dim=3), "2 probabilities for dim=3"),
        (lambda: Bernoulli(0.5, dim=3, names=("a",)), "1 names for 3 inputs"),
    ],
)
def test_what_is_no_probability_is_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
