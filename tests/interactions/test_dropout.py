"""Dropout: which rates and kinds there are, and what each kind multiplies values by."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from interactions import Dropout, MLPEnsemble
from interactions.dropout import KINDS, ClassicDropout, Kind, check_kind, check_rate
from interactions.theory import learning_curve, step_scale


def test_factors_in_training_and_at_test_time() -> None:
    inverted, classic = KINDS["inverted"], KINDS["classic"]
    assert (inverted.in_training(0.75), inverted.at_test(0.75)) == (4.0, 1.0)
    assert (classic.in_training(0.75), classic.at_test(0.75)) == (1.0, 0.25)


def test_the_modules_of_the_kinds() -> None:
    x = torch.ones(10_000)
    for name, module in (("inverted", nn.Dropout), ("classic", ClassicDropout)):
        kind = KINDS[name]
        assert kind.module is module
        kept = kind.module(0.75)(x)
        assert kept.max() == kind.in_training(0.75)
        assert abs((kept > 0).float().mean() - 0.25) < 4.5 * (0.25 * 0.75 / 10_000) ** 0.5
        assert torch.equal(kind.module(0.75).eval()(x), kind.at_test(0.75) * x)


def test_rates_stand_before_every_linear_layer() -> None:
    assert Dropout(0.1, 0.5).rates(3) == (0.1, 0.5, 0.5, 0.5)
    assert Dropout(0.1, (0.5, 0.25)).rates(2) == (0.1, 0.5, 0.25)
    assert Dropout(0.1).rates(0) == (0.1,)


def test_rates_lie_in_the_half_open_unit_interval() -> None:
    assert check_rate(0) == 0.0
    assert check_rate(1 - 1e-9) == 1 - 1e-9
    for rate in (-1e-9, 1.0, float("nan")):
        with pytest.raises(ValueError, match=r"must lie in \[0, 1\)"):
            check_rate(rate)


def test_a_kind_entered_from_outside_is_trained_and_known_to_theory(monkeypatch) -> None:
    """Half of the scaling in training, the other half at test time."""
    root = Kind(lambda r: (1 - r) ** -0.5, lambda r: (1 - r) ** 0.5, nn.AlphaDropout)
    monkeypatch.setitem(KINDS, "root", root)
    net = MLPEnsemble((4, 1), seeds=[0], dropout=Dropout(0.75, kind="root"), dtype=torch.float64)
    assert net.train_scale.item() == 2.0
    assert net.eval_scale.item() == 0.5
    # Of the law's general line, s t = 1 and t^p = (1-r)^(p/2).
    assert step_scale(0.75, 3, kind="root") == pytest.approx(0.25**3)
    assert step_scale(0.75, 3, kind="root", optimizer="adam") == pytest.approx(0.25**1.5)
    # Its curvature (1-r)^k s^(2k) is that without dropout.
    held = learning_curve(0.75, 2, 10, kind="root", learning_rate=0.1)
    assert held == pytest.approx(0.25**2 * (1 - 0.9**10))


@pytest.mark.parametrize("kind", ["inverted", "classic"])
def test_the_mean_training_answer_of_a_linear_network_is_its_eval_answer(kind: str) -> None:
    """Inverted scales up in training, classic scales down at test time: both balance."""
    x = torch.randn(4, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    net = MLPEnsemble((6, 1), seeds=[3], dropout=Dropout(0.4, kind=kind), dtype=torch.float64)
    with torch.no_grad():
        net.train()
        draws = torch.stack([net(x) for _ in range(4000)])
        expected = net.eval()(x)
    error = draws.std(dim=0) / 4000**0.5
    assert error.min() > 0
    assert ((draws.mean(dim=0) - expected).abs() <= 4.5 * error).all()


def test_classic_answers_are_one_minus_r_times_inverted_ones_at_test_time() -> None:
    x = torch.ones(2, 6)
    inverted, classic = (
        MLPEnsemble((6, 1), seeds=[3], dropout=Dropout(0.4, kind=kind)).eval()(x)
        for kind in ("inverted", "classic")
    )
    torch.testing.assert_close(classic, 0.6 * inverted)


def test_eval_is_deterministic_and_training_is_not() -> None:
    net = MLPEnsemble((3, 8, 1), seeds=[0], dropout=Dropout(0.5, 0.5))
    x = torch.ones(5, 3)
    net.eval()
    assert torch.equal(net(x), net(x))
    net.train()
    assert not torch.equal(net(x), net(x))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Dropout(1.0), r"\[0, 1\)"),
        (lambda: Dropout(0.1, (0.2, -0.1)), r"\[0, 1\)"),
        (lambda: Dropout(0.1, kind="gaussian"), "inverted"),
        (lambda: Dropout(hidden=(0.1, 0.2)).rates(3), "3 hidden layers"),
        (lambda: ClassicDropout(1.0), r"\[0, 1\)"),
        (lambda: check_kind("gaussian"), "inverted.*classic.*gaussian"),
    ],
)
def test_bad_rates_and_kinds_are_refused(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
