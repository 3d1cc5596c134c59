"""Relatives of the order penalty: what each is of functions that are known."""

from __future__ import annotations

import itertools

import pytest
import torch
from torch import Tensor

from interactions import Normal
from interactions.penalty import InputGradient, PairInteraction, WalshSparsity, mixup

SIGNS = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=4)), dtype=torch.float64)


def spread(x: Tensor) -> Tensor:
    """Walsh coefficients 2, -1 and 1/2, of orders 1, 2 and 4."""
    return 2 * x[:, 0] - x[:, 1] * x[:, 2] + x.prod(dim=1) / 2


def test_the_pair_interaction_of_a_sum_is_nothing_and_of_a_pair_its_product() -> None:
    torch.manual_seed(0)
    x = torch.randn(2000, 2, dtype=torch.float64)
    penalty = PairInteraction(strength=3.0)
    assert penalty(lambda x: x[:, 0].exp() + x[:, 1].square(), x).abs() < 1e-12
    # Of two inputs there is one pair, with no context.
    wanted = 3 * (x[:, 0] * x[:, 1]).abs().mean()
    torch.testing.assert_close(penalty(lambda x: x[:, 0] * x[:, 1], x), wanted)


def test_contexts_of_every_size_are_alike_likely() -> None:
    """Of x0 x1 x2 at ones a pair interacts where the third is there: in half of all contexts."""
    torch.manual_seed(0)
    x = torch.ones(4000, 3, dtype=torch.float64)
    assert PairInteraction()(lambda x: x.prod(dim=1), x) == pytest.approx(0.5, abs=0.04)


def test_all_bits_sum_the_sizes_of_all_walsh_coefficients() -> None:
    found = WalshSparsity(strength=2.0, bits=4)(spread, SIGNS)
    torch.testing.assert_close(found, torch.tensor(2 * 3.5).double())


def test_hashed_buckets_sum_coefficients_that_collide() -> None:
    """Never more than all sizes, and no less than that of the sum at ones, a point of each word."""
    torch.manual_seed(0)
    found = [WalshSparsity(bits=2)(spread, SIGNS[:1]).item() for _ in range(40)]
    # All three in one bucket, or the first two; the last two; none, or the first and the last.
    assert {round(f, 9) for f in found} == {1.5, 2.5, 3.5}
    assert WalshSparsity(bits=1)(lambda x: x[:, 0], SIGNS) == pytest.approx(1.0)


def test_the_input_gradient_is_half_the_squared_slope() -> None:
    torch.manual_seed(0)
    x = Normal(dim=2).sample(20_000, generator=0)
    weights = torch.tensor([3.0, 4.0], dtype=torch.float64)
    assert InputGradient()(lambda x: x @ weights, x) == pytest.approx(12.5)
    # Over two outputs the mean; under normal inputs degree times variance, here 2.
    both = InputGradient()(lambda x: torch.stack([x @ weights, x[:, 0] * x[:, 1]], dim=1), x)
    assert both.item() == pytest.approx((12.5 + 1) / 2, rel=0.02)


@pytest.mark.parametrize("penalty", [PairInteraction(), InputGradient(), WalshSparsity(bits=2)])
def test_penalties_have_gradients_by_the_weights(penalty) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 5), torch.nn.Tanh(), torch.nn.Linear(5, 1))
    value = penalty(model.double(), SIGNS)
    assert value.ndim == 0
    value.backward()
    assert model[0].weight.grad.abs().max() > 0


def test_mixup_keeps_sums_and_lines() -> None:
    torch.manual_seed(0)
    x, y = torch.rand(50, 3), torch.arange(50.0)
    mixed, targets = mixup(x, y, alpha=1.0)
    torch.testing.assert_close(mixed.sum(dim=0), x.sum(dim=0))
    torch.testing.assert_close(mixup(x, x[:, 0], alpha=1.0)[1].sum(), x[:, 0].sum())
    assert targets.std() < y.std()
    with pytest.raises(ValueError, match="alpha must be positive"):
        mixup(x, y, alpha=0.0)


def test_points_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="must be -1 and 1"):
        WalshSparsity()(spread, torch.rand(3, 4))
    with pytest.raises(ValueError, match="bits must lie between 1 and the 4"):
        WalshSparsity(bits=5)(spread, SIGNS)
    with pytest.raises(ValueError, match="two groups of 3 inputs do not fit in 4"):
        PairInteraction(part=0.75)(spread, SIGNS)
