"""Statements of the paper that fail as written: each test fails if the statement were true."""

from __future__ import annotations

import math

import pytest
import torch

from interactions import Dropout, MLPEnsemble, Rademacher, Stream, Uniform, fit
from interactions.planted import (
    Factor,
    Product,
    SumOfProducts,
    Term,
    covariance,
    expectation,
    paper_generator,
    parity,
)
from interactions.theory import amplitude, masked, step_scale


def test_the_leftover_of_masking_has_a_mean() -> None:
    """The proof of Theorem 1 takes E[a_u] = 0; x^2 - 1/3 on U(-1, 1) shows otherwise."""
    inputs, rate = Uniform(-1.0, 1.0, dim=1), 0.5
    f = SumOfProducts((Term(1.0, {0: Factor(lambda x: x**2 - 1 / 3)}),))
    # A pure effect of order 1, so the leftover is what masking adds to (1-r) f.
    assert expectation(f, inputs) == pytest.approx(0, abs=1e-14)
    leftover = SumOfProducts((*masked(f, rate).terms, Term(-(1 - rate), f.terms[0].factors)))
    assert covariance(leftover, leftover, inputs) == pytest.approx(0, abs=1e-14)
    assert expectation(leftover, inputs) == pytest.approx(rate * -1 / 3, rel=1e-12)


def test_an_order_four_effect_keeps_a_sixteenth_at_one_half_not_an_eighth() -> None:
    """The text says 12.5% is left at k = 4, r = .5; that is k = 3."""
    inputs = Uniform(-1.0, 1.0, dim=4)
    kept = {
        order: amplitude(
            masked(Product(tuple(range(order))), 0.5), Product(tuple(range(order))), inputs
        )
        for order in (3, 4)
    }
    assert kept[4] == pytest.approx(0.0625, rel=1e-12)
    assert kept[3] == pytest.approx(0.125, rel=1e-12)


def test_on_signs_the_training_loss_says_nothing_about_the_answer_at_test_time() -> None:
    """Two functions, alike at every training input, keep (1-r)^k and all of a parity."""
    rate, order = 0.3, 3
    inputs = Rademacher(dim=order)
    x = inputs.sample(4000, generator=0)
    kept = torch.rand(x.shape, generator=torch.Generator().manual_seed(1)) >= rate
    seen = x * kept / (1 - rate)
    product = lambda z: ((1 - rate) * z).prod(dim=1)  # noqa: E731
    signs = lambda z: torch.sign(z).prod(dim=1)  # noqa: E731
    assert 0.2 < kept.all(dim=1).double().mean() < 0.5
    torch.testing.assert_close(product(seen), signs(seen))
    f = parity(order)(x)
    assert (f @ product(x) / (f @ f)).item() == pytest.approx((1 - rate) ** order)
    assert (f @ signs(x) / (f @ f)).item() == pytest.approx(1)


def test_networks_on_signs_keep_far_more_than_one_minus_r_to_the_k() -> None:
    rate, order = 0.3, 3
    inputs, target = Rademacher(dim=order), parity(order)
    networks = MLPEnsemble((order, 32, 32, 1), seeds=range(4), dropout=Dropout(inputs=rate))
    fit(
        networks,
        Stream(inputs, target, 256),
        steps=1500,
        learning_rate=5e-3,
        schedule="cosine",
    )
    x = torch.cartesian_prod(*[torch.tensor([-1.0, 1.0])] * order)
    with torch.no_grad():
        kept = networks(x).T @ target(x) / len(x)
    error = kept.std().item() / math.sqrt(len(kept))
    law = (1 - rate) ** order
    assert kept.mean().item() > law + 4 * error
    assert kept.mean().item() > law + 0.1


def test_the_papers_pair_and_three_way_effect_are_of_lower_order() -> None:
    """Fig 7's sin x0 cos x1 on U(-1, 1) is no pair: 97% of it is a main effect."""
    inputs = Uniform(-1.0, 1.0, dim=3)
    for number, name in ((2, 2), (3, 3)):
        as_published = paper_generator(number).spectrum(inputs, 3).share
        assert as_published[name - 1] < 0.03
        assert as_published[name - 2] > 0.97
        centred = paper_generator(number, pure_under=inputs).spectrum(inputs, 3).share
        assert centred[name - 1] == pytest.approx(1, rel=1e-12)


def test_the_first_step_is_not_scaled_by_one_minus_r_to_the_k() -> None:
    """The paper's effective learning rate is neither kind's step on products of inputs."""
    for order in (1, 2, 3):
        claimed = 0.5**order
        for kind in ("classic", "inverted"):
            assert step_scale(0.5, order, kind=kind) != pytest.approx(claimed, rel=0.3)
