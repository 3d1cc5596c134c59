"""The one call: what it accepts, what it refuses, and with which words."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch
from torch import nn

from interactions import (
    Empirical,
    MLPEnsemble,
    OrderSpectrum,
    Rademacher,
    Uniform,
    order_spectrum,
    order_spectrum_from_samples,
)
from interactions.anova import METHODS
from interactions.anova._evaluate import CHECKS
from interactions.planted import Product, sine

INPUTS = Uniform(-1.0, 1.0, dim=3)
TRUTH = Product((0, 1)).spectrum(INPUTS, 3).variance


class Pair(nn.Module):
    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.one = nn.Parameter(torch.ones((), dtype=dtype))
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        assert x.dtype == self.one.dtype
        return self.dropout(self.one * x[:, 0] * x[:, 1])


NETWORK = Pair().eval()
ACCEPTED = {
    "tensor function": lambda x: x[:, 0] * x[:, 1],
    "column output": lambda x: (x[:, 0] * x[:, 1])[:, None],
    "numpy function": lambda x: np.prod(np.asarray(x)[:, :2], axis=1),
    "strict numpy function": lambda x: np.where(x[:, 0] < 9, x[:, 0] * x[:, 1], np.nan),
    "float32 module": NETWORK,
    "float64 module": Pair(torch.float64).eval(),
    "callable around a float32 module": lambda x: NETWORK(x),
    "callable that rounds to float32": lambda x: (x.float() @ torch.eye(3)[:, :2]).prod(dim=1),
    "list of numbers": lambda x: (x[:, 0] * x[:, 1]).tolist(),
}


@pytest.mark.parametrize("function", ACCEPTED.values(), ids=ACCEPTED.keys())
@pytest.mark.parametrize("method", ["exact", "differences"])
def test_any_module_or_callable_fits(function, method: str) -> None:
    s = order_spectrum(function, INPUTS, method=method, tolerance=0.02)
    assert s.variance.shape == ((1, 4) if function is ACCEPTED["column output"] else (4,))
    np.testing.assert_allclose(s.variance.reshape(4), TRUTH, atol=4 * 0.02 / 9 + 1e-6)


def test_auto_takes_a_grid_where_inputs_are_few_and_says_so() -> None:
    few = order_spectrum(Product((0,)), INPUTS)
    assert "exact" in few.method
    assert "few inputs" in few.reason
    assert "exact" in order_spectrum(Product((0,)), Rademacher(dim=12), max_order=2).method
    costly = order_spectrum(Product((0,)), Uniform(-1.0, 1.0, dim=4), budget=20_000, tolerance=0.1)
    assert "kernel" in costly.method


EIGHT = Uniform(-1.0, 1.0, dim=8)


def test_auto_takes_a_basis_where_it_leaves_little_out() -> None:
    wide = order_spectrum(Product((0,)), EIGHT, max_order=2, tolerance=0.05)
    assert "kernel" in wide.method
    assert "leaves little out" in wide.reason
    assert wide.reason in str(wide)


def test_auto_goes_without_a_basis_where_none_fits_or_says_that_it_cannot() -> None:
    rough = Product((0,), factor=sine(150.0))
    s = order_spectrum(rough, EIGHT, max_order=2, tolerance=0.05)
    assert "differences" in s.method
    assert "leave out more than 0.05" in s.reason
    assert s.share[0] == pytest.approx(1, abs=0.2)
    poor = order_spectrum(rough, EIGHT, max_order=2, budget=30_000, tolerance=0.05)
    assert "kernel" in poor.method
    assert "evaluations at least" in poor.reason
    assert poor.left_out > 0.05
    assert not poor.converged


@pytest.mark.parametrize("method", ["exact", "differences"])
def test_a_constant_has_zero_variance_and_no_shares(method: str) -> None:
    s = order_spectrum(lambda x: torch.full((len(x),), 7.0), INPUTS, method=method)
    assert s.constant
    # A grid is a look at chosen points; points drawn at random prove nothing of those not drawn.
    assert s.converged == (method == "exact")
    assert not s.variance.any()
    assert np.isnan(s.share).all()
    assert "constant function" in str(s)


def test_a_constant_beside_others_does_not_disturb_them() -> None:
    s = order_spectrum(
        lambda x: torch.stack([x[:, 0], torch.ones(len(x))], dim=1), INPUTS, method="differences"
    )
    assert s.constant.tolist() == [False, True]
    assert s.share[0, 0] == pytest.approx(1, abs=0.05)


def test_columns_of_data_are_said_to_be_taken_as_independent() -> None:
    inputs = Empirical(INPUTS.sample(50, generator=0))
    for method in ("exact", "differences", "kernel"):
        s = order_spectrum(Product((0,)), inputs, method=method, tolerance=0.5)
        assert "product of the columns' marginals" in s.method
    x = inputs.sample(200, generator=0)
    s = order_spectrum_from_samples(x, x[:, 0], inputs, max_order=1)
    assert "product of the columns' marginals" in s.method


def test_numbers_may_stand_for_categories() -> None:
    """Relabelling the categories of a column leaves the spectrum as it is."""
    rng = np.random.default_rng(0)
    effect = torch.as_tensor(rng.normal(size=(7, 3)))
    new = torch.as_tensor(rng.permutation(7))
    data = np.column_stack([rng.integers(0, 7, 500), rng.integers(0, 3, 500), rng.normal(size=500)])
    relabelled = np.column_stack([new.numpy()[data[:, 0].astype(int)], data[:, 1:]])

    def f(x: torch.Tensor) -> torch.Tensor:
        return effect[x[:, 0].long(), x[:, 1].long()] * (1 + x[:, 2])

    def g(x: torch.Tensor) -> torch.Tensor:
        return f(torch.cat([new.argsort()[x[:, :1].long()].double(), x[:, 1:]], dim=1))

    for method in ("exact", "kernel"):
        a = order_spectrum(f, Empirical(data), method=method, tolerance=0.02)
        b = order_spectrum(g, Empirical(relabelled), method=method, tolerance=0.02)
        noise = 4 * np.hypot(a.standard_error, b.standard_error) + 0.02 * a.total_variance
        assert np.all(np.abs(a.variance - b.variance) < noise)
        assert a.share[1] > 0.05


def test_a_method_from_outside_joins_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}

    def all_above(evaluate, *, max_order, tolerance, budget, seed) -> OrderSpectrum:
        asked.update(max_order=max_order, tolerance=tolerance, budget=budget, seed=seed)
        x = evaluate.inputs.sample(1000, generator=seed, dtype=evaluate.dtype)
        variance = np.append(np.zeros(max_order), evaluate(x).var().item())
        return OrderSpectrum.known(variance, method="mine", evaluations=evaluate.evaluations)

    monkeypatch.setitem(METHODS, "mine", all_above)
    s = order_spectrum(Product((0, 1)), INPUTS, method="mine", max_order=2, budget=5000, seed=3)
    assert s.method == "mine"
    assert 1000 <= s.evaluations <= 1000 + CHECKS
    assert s.variance[-1] == pytest.approx(1 / 9, rel=0.2)
    assert asked == {"max_order": 2, "tolerance": 0.01, "budget": 5000, "seed": 3}
    with pytest.raises(ValueError, match="'distillation', 'mine'"):
        order_spectrum(Product((0,)), INPUTS, method="yours")


def test_all_methods_take_the_same_arguments() -> None:
    signatures = {tuple(inspect.signature(m).parameters) for m in METHODS.values()}
    assert signatures == {("evaluate", "max_order", "tolerance", "budget", "seed")}


def test_the_callers_module_is_left_as_it_was() -> None:
    net = MLPEnsemble((3, 4, 1), seeds=[0]).eval()
    before = net.flat.detach().clone()
    order_spectrum(net, INPUTS, method="differences", tolerance=0.1)
    assert torch.equal(net.flat, before)
    assert net.flat.grad is None


REFUSED = {
    "training mode": (Pair(), {}, "training mode.*eval"),
    "random": (lambda x: x[:, 0] + torch.rand(len(x)), {}, "two answers for one input"),
    "batch dependent": (lambda x: x[:, 0] - x[:, 0].mean(), {}, "two answers for one input"),
    "scalar": (lambda x: x.sum(), {}, r"must map \[n, d\].*returned shape \(\)"),
    "transposed": (lambda x: torch.zeros(2, len(x)), {}, r"returned shape \(2, 5\)"),
    "three axes": (lambda x: x[:, :, None], {}, "returned shape"),
    "NaN": (lambda x: x[:, 0] * float("nan"), {}, "NaN or infinity"),
    "NaN somewhere": (lambda x: (x[:, 0] + 0.999).log(), {}, "NaN or infinity"),
    "failing": (lambda x: x @ torch.ones(7, dtype=x.dtype), {}, "the function failed"),
    "not callable": (3.0, {}, "must be callable"),
    "order zero": (Product((0,)), {"max_order": 0}, "between 1 and the number of inputs, 3"),
    "negative order": (Product((0,)), {"max_order": -2}, "between 1 and"),
    "order above d": (Product((0,)), {"max_order": 4}, "between 1 and"),
    "method": (Product((0,)), {"method": "sobol"}, "method must be one of"),
    "tolerance": (Product((0,)), {"tolerance": -0.1}, "tolerance"),
    "budget": (Product((0,)), {"budget": 0}, "budget must be positive"),
    "memory": (Product((0,)), {"memory": 10}, "memory must be at least"),
}


@pytest.mark.parametrize(("function", "options", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_bad_functions_and_options_are_refused_with_the_reason(function, options, message) -> None:
    with pytest.raises(ValueError, match=message):
        order_spectrum(function, INPUTS, **{"method": "differences", **options})


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match="Uniform"):
        order_spectrum(Product((0,)), np.zeros((3, 3)))
    with pytest.raises(TypeError, match="integer"):
        order_spectrum(Product((0,)), INPUTS, max_order=2.0)
