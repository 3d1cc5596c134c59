"""How a user's callable is called: with points of its own, in the form it takes."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from scipy import sparse
from torch import Tensor, nn

from ..inputs import Inputs
from ..models import Adapted, Estimator
from ..precision import full_float32

WHOLE = 256
"""Points whose expanded columns are looked at for integers."""


class FunctionError(ValueError):
    """The function under measurement is not a function of its inputs in the way needed."""


class Form(NamedTuple):
    """What a function is handed: tensors or arrays, of which type, with gradients or without.

    Or the data frames that `frame` makes of arrays.
    """

    dtype: torch.dtype
    array: bool = False
    gradients: bool = False
    frame: Callable[[np.ndarray], pd.DataFrame] | None = None


def only_tensors(function: Callable[..., Any]) -> bool:
    """Whether a callable is torch's own kind and need not be tried with arrays."""
    compiled = hasattr(function, "_torchdynamo_orig_callable")
    return compiled or isinstance(function, (nn.Module, torch.jit.ScriptFunction))


def forms(function: Callable[..., Any], inputs: Inputs) -> Iterator[Form]:
    """Forms in the order they are tried, the most precise that a function may take first.

    Data frames come first where numbers stand for something else, and last where arrays would do.
    Whole numbers come last: functions that take others take them as well.
    """
    half = (torch.float16, torch.bfloat16)
    frames = [Form(torch.float64, array=True, frame=inputs.frame)]
    arrays = [Form(dtype, array=True) for dtype in (torch.float64, torch.float32)]
    if isinstance(function, Estimator):
        yield from () if function.columns is None and not inputs.encoded else frames
        # Codes of categories are not what an estimator was fitted on.
        yield from () if inputs.encoded else arrays
        yield from () if function.columns is not None or inputs.columns is None else frames
        return
    if isinstance(function, Adapted):
        yield from map(Form, function.dtypes)
        return
    if isinstance(function, nn.Module):
        own = (p.dtype for p in function.parameters() if p.is_floating_point())
        yield from map(Form, dict.fromkeys([*own, torch.float64, torch.float32, *half]))
    else:
        yield from frames if inputs.encoded else ()
        yield from map(Form, (torch.float64, torch.float32))
        yield from arrays
        yield from () if inputs.encoded or inputs.columns is None else frames
        yield from map(Form, half)
    if whole_numbers(inputs):
        yield Form(torch.long)


def whole_numbers(inputs: Inputs) -> bool:
    """Whether inputs take finitely many values, and what the function receives are integers."""
    if not np.isfinite(inputs.support_sizes).all():
        return False
    x = inputs.expand(inputs.sample(WHOLE, generator=0))
    values = (inputs.support(j)[0] for j in range(inputs.dim))
    return torch.equal(x, x.round()) and all((v == np.rint(v)).all() for v in values)


def call(
    function: Callable[..., Any], x: Tensor, form: Form, *, copy: bool = True
) -> tuple[object, bool]:
    """What the function returns, and whether it changed the points that it was handed.

    A copy it may change as it likes. Arrays are always copies.
    """
    own = x.to(form.dtype, copy=copy or form.array)
    version = own._version
    with torch.set_grad_enabled(form.gradients), full_float32():
        given = own.cpu().numpy() if form.array else own
        out = function(given if form.frame is None else form.frame(given))
    changed = own._version != version
    if copy and not changed:
        # Torch's count of changes does not see those made through numpy or .data.
        changed = not torch.equal(own.detach(), x.to(form.dtype))
    return out, changed


def as_values(out: object, n: int) -> Tensor:
    """The answer to n points as a tensor [n] or [n, m] of its own type, its shape checked."""
    if sparse.issparse(out):
        out = out.toarray()
    if out is None or _parts(out, n):
        raise FunctionError(
            "the function must return one tensor or array of shape [n] or [n, m], it returned "
            f"{_several(out, _parts(out, n))}"
        )
    if not isinstance(out, Tensor):
        array = np.asarray(out)
        if array.dtype == object and all(isinstance(v, Real) for v in array.flat):
            array = array.astype(np.float64)
        if array.dtype.kind not in "biufc":
            what = f"a {type(out).__name__}"
            if array.ndim:
                what += f" of {array.dtype} values. Of a classifier measure predict_proba"
            raise FunctionError(f"the function must return numbers, it returned {what}")
        # A copy, for an array may be read-only or used again by the function.
        out = torch.tensor(array)
    out = out.detach()
    if out.is_sparse or out.layout != torch.strided:
        out = out.to_dense()
    if out.is_complex():
        raise FunctionError(
            "the function returns complex numbers, whose variance is that of two real functions: "
            "return real and imaginary part as two outputs, torch.view_as_real(y)"
        )
    if out.ndim == 0 or len(out) != n or out.ndim > 2 or out.numel() == 0:
        raise FunctionError(
            f"the function must map [n, d] to [n] or [n, m]: for {n} points it returned "
            f"shape {tuple(out.shape)}"
        )
    return out


def _parts(out: object, n: int) -> list[Hashable]:
    """By what the things are told apart of which several were returned; none of one thing."""
    if isinstance(out, Mapping):
        return [*out]
    if isinstance(out, tuple):
        return [*getattr(out, "_fields", range(len(out)))]
    if isinstance(out, list):
        return [*range(len(out))] if len(out) != n and any(map(np.ndim, out)) else []
    if isinstance(out, Tensor) or hasattr(out, "__array__"):
        return []
    return [name for name, v in getattr(out, "__dict__", {}).items() if isinstance(v, Tensor)]


def _several(out: object, keys: Sequence[Hashable]) -> str:
    """What was returned instead of one thing, and how to take one of several."""
    if out is None:
        return "nothing"
    return (
        f"a {type(out).__name__} of {[*keys]}: say which is measured, "
        f"interactions.models.adapt(model, output={keys[0]!r})"
    )


def not_finite(values: Tensor) -> FunctionError:
    """The error for values [n, m] that hold NaN or infinity, naming the first point."""
    row = int(torch.nonzero(~torch.isfinite(values).all(dim=1))[0])
    what = "NaN" if values[row].isnan().any() else "infinity"
    return FunctionError(f"the function returned NaN or infinity (first {what} at point {row})")


def attempt(
    function: Callable[..., Any], x: Tensor, form: Form, *, named: bool = False
) -> tuple[Tensor, bool, tuple[str, ...] | None] | Exception:
    """The function's values [n, m] in a form, whether as a tensor, and their names; or why not.

    With `named` inputs, estimators that were fitted on data frames are not given arrays.
    """
    try:
        with warnings.catch_warnings():
            # A warning of a form that is only tried would speak of points nobody passed. Some are
            # an answer: numpy's functions tell that they were given tensors, and estimators that
            # they were fitted on data frames.
            warnings.simplefilter("ignore")
            if not only_tensors(function):
                warnings.filterwarnings("error", message=".*__array_wrap__")
            if named:
                warnings.filterwarnings("error", message=".*feature names")
            out, _ = call(function, x, form)
        values = as_values(out, len(x))
        if not torch.isfinite(values).all():
            return not_finite(values.reshape(len(x), -1))
        names = function.outputs if isinstance(function, (Adapted, Estimator)) else None
        names = out.columns if isinstance(out, pd.DataFrame) else names
        return values, isinstance(out, Tensor), None if names is None else tuple(map(str, names))
    except Exception as error:  # whatever a user's function may raise
        return error


def means_arrays(function: Callable[..., Any]) -> bool:
    """Whether a function's own code speaks numpy: `axis=`, where torch's is `dim=`."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    # The compiler keeps the names of keyword arguments as tuples beside the constants.
    return any(isinstance(c, tuple) and "axis" in c for c in code.co_consts)
