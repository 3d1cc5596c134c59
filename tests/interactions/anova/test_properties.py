"""What any measurement must satisfy, over random planted functions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import Normal, Rademacher, Uniform, order_spectrum
from interactions.anova._function import FunctionError
from interactions.planted import IDENTITY, SumOfProducts, Term, affine, cosine, sine

FACTORS = st.sampled_from([IDENTITY, sine(1.5), cosine(2.0), affine(IDENTITY, 0.5, 1.0)])
TERMS = st.builds(
    Term,
    coefficient=st.floats(-2, 2).filter(lambda c: abs(c) > 0.1),
    factors=st.dictionaries(st.integers(0, 2), FACTORS, min_size=1, max_size=3),
)
FUNCTIONS = st.lists(TERMS, min_size=1, max_size=3).map(lambda t: SumOfProducts(tuple(t)))
INPUTS = st.sampled_from([Uniform(-1.0, 1.5, dim=3), Normal(0.2, 0.7, dim=3), Rademacher(dim=3)])

SCALES = st.floats(-30, 30).filter(lambda scale: scale == 0 or abs(scale) > 1e-50)


def measured(function, inputs) -> np.ndarray:
    return order_spectrum(function, inputs, max_order=3, method="exact").variance


def assert_close(a: np.ndarray, b: np.ndarray) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10 * (1 + np.abs(b).max()))


@settings(max_examples=25)
@given(f=FUNCTIONS, inputs=INPUTS, order=st.permutations(range(3)))
def test_permuting_inputs_changes_nothing(f, inputs, order) -> None:
    assert_close(measured(lambda x: f(x[:, order]), inputs), measured(f, inputs))


@settings(max_examples=25)
@given(f=FUNCTIONS, inputs=INPUTS, scale=SCALES, shift=st.floats(-5, 5))
def test_scaling_scales_variance_by_the_square_and_shifts_do_nothing(
    f, inputs, scale: float, shift: float
) -> None:
    assert_close(measured(lambda x: scale * f(x) + shift, inputs), scale**2 * measured(f, inputs))


@settings(max_examples=10)
@given(f=FUNCTIONS, inputs=INPUTS, scale=st.sampled_from([1e-60, 1e60]))
def test_the_scale_of_a_function_is_none_of_its_shares(f, inputs, scale: float) -> None:
    scaled = order_spectrum(lambda x: scale * f(x), inputs, max_order=3, method="exact")
    plain = order_spectrum(f, inputs, max_order=3, method="exact")
    np.testing.assert_allclose(scaled.share, plain.share, rtol=1e-6, atol=1e-9)
    # Of a function that is constant under the inputs, as an even one of signs, errors are unknown.
    known = ~np.broadcast_to(plain.constant, scaled.share.shape)
    assert np.isfinite(scaled.share_standard_error[known]).all()


@pytest.mark.parametrize("scale", [1e-158, 1e-80, 1e80, 1e140])
def test_a_scale_at_which_squares_are_no_numbers_is_refused(scale: float) -> None:
    with pytest.raises(FunctionError, match="scale it"):
        measured(lambda x: scale * x[:, 0] * x[:, 1], Uniform(-1.0, 1.5, dim=3))


@settings(max_examples=4)
@given(f=FUNCTIONS, g=FUNCTIONS)
def test_functions_of_disjoint_inputs_add_their_spectra(f, g) -> None:
    one, both = Uniform(-1.0, 1.5, dim=3), Uniform(-1.0, 1.5, dim=6)
    together = order_spectrum(
        lambda x: f(x[:, :3]) + g(x[:, 3:]), both, max_order=3, method="exact"
    )
    expected = measured(f, one) + measured(g, one)
    np.testing.assert_allclose(together.variance, expected, rtol=1e-3, atol=1e-3 * expected.sum())


@settings(max_examples=6)
@given(f=FUNCTIONS)
def test_irrelevant_inputs_change_nothing(f) -> None:
    padded = order_spectrum(f, Uniform(-1.0, 1.5, dim=5), max_order=3, method="exact")
    expected = measured(f, Uniform(-1.0, 1.5, dim=3))
    np.testing.assert_allclose(padded.variance, expected, rtol=1e-8, atol=1e-9 * expected.sum())


@settings(max_examples=15)
@given(f=FUNCTIONS, inputs=INPUTS)
def test_the_grid_and_the_closed_form_agree(f, inputs) -> None:
    assert_close(measured(f, inputs), f.spectrum(inputs, 3).variance)
