"""Functions as people write them: measured as what they are, or refused with the reason."""

from __future__ import annotations

import random
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from interactions import Empirical, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova._evaluate import Evaluator
from interactions.anova._function import FunctionError

INPUTS = Uniform(-1.0, 1.0, dim=4)
TRUTH = [0.25, 0.75, 0.0]
"""Shares of orders 1, 2 and above of x0 + 3 x1 x2 on INPUTS."""


def plain(x: Tensor) -> Tensor:
    return x[:, 0] + 3 * x[:, 1] * x[:, 2]


def row(x: Tensor) -> Tensor:
    return x[0] + 3 * x[1] * x[2]


def shares(function, inputs=INPUTS, **options) -> np.ndarray:
    options = {"max_order": 2, "method": "exact"} | options
    s = order_spectrum(function, inputs, **options)
    assert s.converged
    return s.share.squeeze()


def doubles_in_place(x: Tensor) -> Tensor:
    x *= 2
    return plain(x.div_(2))


def leaves_no_trace(x: Tensor) -> Tensor:
    """Changes its points where torch's count of changes does not see it."""
    y = plain(x)
    x.data.zero_()
    return y


def reshapes_in_place(x: Tensor) -> Tensor:
    return plain(x.unsqueeze_(1).squeeze_(1).t_().t_())


def autograd(x: Tensor) -> Tensor:
    x.requires_grad_(True)
    y = x[:, 0] ** 2 / 2 + 3 * x[:, 0] * x[:, 1] * x[:, 2]
    return torch.autograd.grad(y.sum(), x)[0][:, 0]


BUFFER = torch.zeros(2**17, dtype=torch.float64)
PICK = torch.zeros(4, 3, dtype=torch.float64)
PICK[[0, 1, 2], [0, 1, 2]] = 1.0


def sparse(x: Tensor) -> Tensor:
    y = torch.sparse.mm(PICK.T.to_sparse(), x.T).T
    return y[:, 0] + 3 * y[:, 1] * y[:, 2]


def float32_arrays_only(x: np.ndarray) -> np.ndarray:
    if not (isinstance(x, np.ndarray) and x.dtype == np.float32):
        raise TypeError("float32 arrays")
    return plain(x)


def bad_tables(x: np.ndarray) -> list[float]:
    return [float(r[0]) + 3 * float(r[1]) * float(r[2]) for r in x]


class Scripted(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x[:, 0] + 3 * x[:, 1] * x[:, 2]


MEASURED = {
    "in place": doubles_in_place,
    "in place, unseen": leaves_no_trace,
    "shape in place": reshapes_in_place,
    "in place in numpy": lambda x: np.multiply(x, 1, out=x)[:, 0] + 3 * x[:, 1] * x[:, 2],
    "vmap": torch.vmap(row),
    "gradient": lambda x: torch.vmap(
        torch.func.grad(lambda r: r[0] ** 2 / 2 + 3 * r[0] * r[1] * r[2])
    )(x)[:, 0],
    "autograd": autograd,
    "compiled": torch.compile(plain, backend="eager"),
    "sparse": sparse,
    "sparse answer": lambda x: plain(x)[:, None].to_sparse(),
    "answers in its own buffer": lambda x: torch.mul(plain(x), 1, out=BUFFER[: len(x)]),
    "squeezed": lambda x: plain(x)[:, None].squeeze(),
    "numpy sum": lambda x: np.sum(x[:, :1], axis=1) + 3 * x[:, 1] * x[:, 2],
    "numpy function": lambda x: np.multiply(x[:, 1], 3 * x[:, 2]) + x[:, 0],
    "float32 arrays": float32_arrays_only,
    "a list": bad_tables,
    "read-only answer": lambda x: np.broadcast_to(
        np.asarray(x[:, 0] + 3 * x[:, 1] * x[:, 2]), len(x)
    ),
}


@pytest.mark.parametrize("function", MEASURED.values(), ids=MEASURED.keys())
def test_every_way_to_write_a_function_is_measured(function) -> None:
    np.testing.assert_allclose(shares(function), TRUTH, atol=1e-5)


def test_torchscript_is_measured_frozen_or_not() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        script = torch.jit.script(Scripted().eval())
        frozen = torch.jit.freeze(torch.jit.script(Scripted().eval()))
        function = torch.jit.trace(plain, torch.rand(3, 4))
    for f in (script, frozen, function):
        np.testing.assert_allclose(shares(f), TRUTH, atol=1e-5)


def test_a_function_that_clips_its_points_in_place_is_measured_as_if_it_did_not() -> None:
    def clips(x: Tensor) -> Tensor:
        x[x < 0] = 0
        return x[:, 0] + x[:, 1] + x[:, 0] * x[:, 1] * 0.5

    def clips_a_copy(x: Tensor) -> Tensor:
        return clips(x.clone())

    inputs = Uniform(-1.0, 1.0, dim=8)
    for method in ("kernel", "differences"):
        ours, plain_ = (
            order_spectrum(f, inputs, max_order=2, method=method, tolerance=0.05)
            for f in (clips, clips_a_copy)
        )
        np.testing.assert_array_equal(ours.variance, plain_.variance)


def test_one_that_begins_to_change_its_points_later_is_refused() -> None:
    calls = []

    def later(x: Tensor) -> Tensor:
        calls.append(len(x))
        return plain(x.mul_(0.5) if sum(calls) > 400 else x * 0.5)

    with pytest.raises(FunctionError, match=r"changes its points in place.*x\.clone\(\)"):
        order_spectrum(later, INPUTS, method="differences")


def test_numpy_means_what_numpy_says() -> None:
    """The maximum, the spread by n, an in-place sort: torch answers each differently, or not."""
    signs = Rademacher(dim=4)
    largest = order_spectrum(lambda x: x.max(axis=1), signs, method="exact")
    p = 1 / 16
    assert largest.total_variance == pytest.approx(4 * p * (1 - p))
    spread = order_spectrum(lambda x: x.std(axis=1), signs, method="exact")
    values = np.array(np.meshgrid(*[[-1, 1]] * 4)).reshape(4, -1)
    assert spread.total_variance == pytest.approx(values.std(axis=0).var())
    least = order_spectrum(lambda x: (x.sort(axis=1), x[:, 0])[1], signs, method="exact")
    assert least.total_variance == pytest.approx(4 * p * (1 - p))


def test_what_tensors_and_arrays_answer_differently_is_refused_until_settled() -> None:
    def ambiguous(x):
        return x.std(1)

    with pytest.raises(FunctionError, match="tensors and numpy arrays and answers differently"):
        order_spectrum(ambiguous, INPUTS)
    variance = [
        order_spectrum(f, INPUTS, method="exact", tolerance=0.1).total_variance
        for f in (lambda x: ambiguous(torch.as_tensor(x)), lambda x: ambiguous(np.asarray(x)))
    ]
    assert variance[0] / variance[1] == pytest.approx(4 / 3)


def test_estimators_get_arrays() -> None:
    sklearn = pytest.importorskip("sklearn.linear_model")
    x = INPUTS.sample(50, generator=0).numpy()
    model = sklearn.LinearRegression().fit(x, x @ [1.0, 2.0, 0.0, 0.0])
    seen = set()

    def predict(x):
        seen.add(type(x))
        return model.predict(x)

    np.testing.assert_allclose(shares(model.predict), [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(shares(predict), [1, 0, 0], atol=1e-9)
    assert Evaluator(predict, INPUTS, seed=0).form.array
    np.testing.assert_allclose(shares(model), [1, 0, 0], atol=1e-9)


def test_no_batch_is_of_a_single_point() -> None:
    sizes = []

    def f(x: Tensor) -> Tensor:
        sizes.append(len(x))
        return plain(x)

    evaluate = Evaluator(f, INPUTS, seed=0)
    rows = evaluate.rows
    for n in (1, 2, 3, 33, 65, rows + 1):
        x = INPUTS.sample(n, generator=n)
        before = evaluate.evaluations
        values = evaluate(x) + evaluate.offset
        torch.testing.assert_close(values[:, 0], plain(x))
        assert evaluate.evaluations - before == max(n, 2)
    assert min(sizes) >= 2
    assert sum(sizes) == evaluate.evaluations
    assert max(sizes) <= rows + 1


# Precision ----------------------------------------------------------------------------------------


class Rounds(nn.Module):
    """A network that computes in float32, in a module that is said to be of another type."""

    def __init__(self, dtype: torch.dtype) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.first = nn.Parameter(torch.randn(4, 64, generator=generator).to(dtype))
        self.last = nn.Parameter(torch.randn(64, 1, generator=generator).to(dtype))

    def forward(self, x: Tensor) -> Tensor:
        y = torch.tanh(x.float() @ self.first.float()) @ self.last.float()
        return y.to(x.dtype)


def test_float32_inside_of_float64_is_measured() -> None:
    public = Rounds(torch.float32).eval()
    for f in (Rounds(torch.float64).eval(), lambda x: public(x.float()).double()):
        for inputs in (INPUTS, Uniform(-100.0, 100.0, dim=4)):
            evaluate = Evaluator(f, inputs, seed=1)
            assert evaluate.precision == torch.finfo(torch.float32).eps
    np.testing.assert_allclose(shares(Rounds(torch.float64).eval()), shares(public), atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("inputs", [INPUTS, Normal(dim=4), Rademacher(dim=4)], ids=repr)
def test_half_precision_is_measured(dtype: torch.dtype, inputs) -> None:
    class Half(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(4, dtype=dtype))

        def forward(self, x: Tensor) -> Tensor:
            assert x.dtype == dtype
            x = x * self.weight
            return 1000 * (x[:, 0] + 3 * x[:, 1] * x[:, 2])

    s = order_spectrum(Half().eval(), inputs, max_order=2, method="kernel", tolerance=0.03)
    truth = order_spectrum(plain, inputs, max_order=2, method="exact").share
    np.testing.assert_allclose(s.share, truth, atol=4 * 0.03)


def test_an_overflow_is_said_at_once() -> None:
    f = nn.Linear(4, 1, bias=False)
    nn.init.constant_(f.weight, 40_000.0)
    calls = []
    half = f.half().eval()
    half.register_forward_hook(lambda *a: calls.append(len(a[1][0])))
    with pytest.raises(FunctionError, match="first infinity at point"):
        order_spectrum(half, INPUTS)
    assert sum(calls) < 256


class Clock(nn.Module):
    """One input in seconds since 1970, in float32."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, x: Tensor) -> Tensor:
        return self.scale * (x[:, 0] + (x[:, 3] - 1.7e9) / 1e7)


def seconds(span: float) -> Empirical:
    data = np.random.default_rng(0).uniform(-1, 1, size=(500, 4))
    data[:, 3] = 1.7e9 + span * (data[:, 3] + 1)
    return Empirical(data)


def test_seconds_over_a_year_are_measured() -> None:
    inputs = seconds(1.5e7)
    s = order_spectrum(Clock().eval(), inputs, max_order=2, method="kernel", tolerance=0.02)
    assert s.converged
    np.testing.assert_allclose(s.share, [1, 0, 0], atol=4 * 0.02)
    data = np.stack([inputs.support(j)[0] @ inputs.support(j)[1] for j in range(4)])
    assert np.isfinite(data).all()


def test_numbers_that_a_type_cannot_tell_apart_are_refused_before_any_budget_is_spent() -> None:
    calls = []
    module = Clock().eval()
    module.register_forward_hook(lambda *a: calls.append(len(a[1][0])))
    with pytest.raises(FunctionError, match=r"float32.*column 3.*\.double\(\)"):
        order_spectrum(module, seconds(1000.0))
    assert sum(calls) < 256
    np.testing.assert_allclose(
        shares(Clock().double().eval(), seconds(1000.0), method="kernel", tolerance=0.05),
        [1, 0, 0],
        atol=0.2,
    )
    data = np.random.default_rng(0).uniform(0, 1e5, size=(100, 4))
    with pytest.raises(FunctionError, match=r"float16 numbers, and column . holds"):
        order_spectrum(Clock().half().eval(), Empirical(data))


# Two answers --------------------------------------------------------------------------------------


def network(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    w = torch.randn(4, 16, generator=generator)
    return torch.tanh(x.float() @ w).mean(dim=1)


OWN = torch.Generator().manual_seed(0)
NORM = nn.BatchNorm1d(4)


class Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x[:, 0] * self.calls


class State:
    scale = 1.0

    def __call__(self, x: Tensor) -> Tensor:
        self.scale *= 1.01
        return x[:, 0] * self.scale


def seeded(x: Tensor) -> Tensor:
    return x[:, 0] + torch.rand(len(x), generator=torch.Generator().manual_seed(0))


RANDOM = "random, for from the same random state it repeats itself"
TWO_ANSWERS = {
    "dropout": (lambda x: network(nn.functional.dropout(x, 0.3)), RANDOM),
    "dropout beside an offset": (lambda x: 1e5 + network(nn.functional.dropout(x, 0.3)), RANDOM),
    "dropout beside a large offset": (
        lambda x: 1e9 + network(nn.functional.dropout(x, 0.3)).double(),
        RANDOM,
    ),
    "numpy's": (lambda x: x[:, 0] + np.random.rand(len(x)), RANDOM),
    "Python's": (lambda x: x[:, 0] + random.random(), RANDOM),
    "its own": (
        lambda x: x[:, 0] + torch.rand(len(x), generator=OWN),
        "a generator of its own",
    ),
    "weak": (lambda x: x[:, 0] + 1e-3 * torch.rand(len(x)), RANDOM),
    "counter": (Counter().eval(), "changes its own calls in place"),
    "state": (State(), "something that it keeps"),
    "mean of the batch": (lambda x: x[:, 0] - x[:, 0].mean(), "mixes the points"),
    "rank in the batch": (lambda x: x[:, 0].argsort().argsort() / len(x), "mixes the points"),
    "batch normalisation": (lambda x: NORM(x.float()).sum(dim=1), "mixes the points"),
    "seed inside": (seeded, "a seed set inside"),
    "place in the batch": (lambda x: x[:, 0] + torch.arange(len(x)), "mixes the points"),
}


@pytest.mark.parametrize(("function", "why"), TWO_ANSWERS.values(), ids=TWO_ANSWERS.keys())
def test_two_answers_are_refused_by_their_cause_and_with_their_size(function, why: str) -> None:
    with pytest.raises(FunctionError, match="two answers for one input: they differ by up to"):
        order_spectrum(function, INPUTS)
    with pytest.raises(FunctionError, match=why):
        order_spectrum(function, INPUTS)


def test_the_callers_random_state_is_left_as_a_call_leaves_it() -> None:
    """Finding out why a function is random must not make the caller's next numbers repeat."""
    torch.manual_seed(0)
    with pytest.raises(FunctionError):
        order_spectrum(lambda x: x[:, 0] + torch.rand(len(x)), INPUTS)
    after = torch.rand(3)
    torch.manual_seed(0)
    assert not torch.equal(after, torch.rand(3))


def test_float32_that_depends_on_its_company_says_that_rounding_may_be_the_reason() -> None:
    def large(x: Tensor) -> Tensor:
        """Float32 numbers near 10^6, rounded as their place in the batch has it."""
        place = 0.3 * torch.arange(len(x))
        return (((1.2e6 + x[:, 0].float()).log() + place) - place).exp()

    with pytest.raises(FunctionError, match=r"rounding of numbers of size 1\.2e.06 in float32"):
        order_spectrum(large, INPUTS)


# Answers that are none ----------------------------------------------------------------------------

REFUSED = {
    "complex": (lambda x: torch.complex(x[:, 0], x[:, 1]), "complex numbers.*view_as_real"),
    "complex array": (lambda x: np.asarray(x)[:, 0] * 1j, "complex numbers"),
    "a tuple": (lambda x: (x[:, 0], x[:, 1]), "it returned a tuple"),
    "a dict": (lambda x: {"logits": x}, "it returned a dict"),
    "nothing": (lambda x: None, "it returned nothing"),
    "words": (lambda x: ["yes"] * len(x), "must return numbers"),
    "NaN": (lambda x: (x[:, 0] - 2).sqrt(), "first NaN at point 0"),
    "infinity": (lambda x: 1 / (x[:, 0] * 0), "first infinity at point 0"),
}


@pytest.mark.parametrize(("function", "why"), REFUSED.values(), ids=REFUSED.keys())
def test_other_answers_are_refused_with_what_they_were(function, why: str) -> None:
    with pytest.raises(FunctionError, match=why):
        order_spectrum(function, INPUTS)
