"""How a user's callable is called: with points of its own, in the form it takes."""

from __future__ import annotations

import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn


class FunctionError(ValueError):
    """The function under measurement is not a function of its inputs in the way needed."""


class Form(NamedTuple):
    """What a function is handed: tensors or arrays, of which type, with gradients or without."""

    dtype: torch.dtype
    array: bool = False
    gradients: bool = False

    def __str__(self) -> str:
        return f"{str(self.dtype).removeprefix('torch.')} {'arrays' if self.array else 'tensors'}"


def only_tensors(function: Callable[..., Any]) -> bool:
    """Whether a callable is torch's own kind and need not be tried with arrays."""
    compiled = hasattr(function, "_torchdynamo_orig_callable")
    return compiled or isinstance(function, (nn.Module, torch.jit.ScriptFunction))


def forms(function: Callable[..., Any]) -> Iterator[Form]:
    """Forms in the order they are tried, the most precise that a function may take first."""
    half = (torch.float16, torch.bfloat16)
    if isinstance(function, nn.Module):
        own = (p.dtype for p in function.parameters() if p.is_floating_point())
        yield from map(Form, dict.fromkeys([*own, torch.float64, torch.float32, *half]))
    else:
        yield from map(Form, (torch.float64, torch.float32))
        yield from (Form(dtype, array=True) for dtype in (torch.float64, torch.float32))
        yield from map(Form, half)


def call(
    function: Callable[..., Any], x: Tensor, form: Form, *, copy: bool = True
) -> tuple[object, bool]:
    """What the function returns, and whether it changed the points that it was handed.

    A copy it may change as it likes. Arrays are always copies.
    """
    own = x.to(form.dtype, copy=copy or form.array)
    version = own._version
    with torch.set_grad_enabled(form.gradients):
        out = function(own.cpu().numpy() if form.array else own)
    changed = own._version != version
    if copy and not changed:
        # Torch's count of changes does not see those made through numpy or .data.
        changed = not torch.equal(own.detach(), x.to(form.dtype))
    return out, changed


def as_values(out: object, n: int) -> Tensor:
    """The answer to n points as a tensor [n] or [n, m] of its own type, its shape checked."""
    if isinstance(out, (tuple, dict)) or out is None:
        raise FunctionError(
            "the function must return one tensor or array of shape [n] or [n, m], it returned "
            f"{'nothing' if out is None else f'a {type(out).__name__}'}"
        )
    if not isinstance(out, Tensor):
        array = np.asarray(out)
        if array.dtype.kind not in "biufc":
            raise FunctionError(
                f"the function must return numbers, it returned a {type(out).__name__} of "
                f"{array.dtype} values"
            )
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


def not_finite(values: Tensor) -> FunctionError:
    """The error for values [n, m] that hold NaN or infinity, naming the first point."""
    row = int(torch.nonzero(~torch.isfinite(values).all(dim=1))[0])
    what = "NaN" if values[row].isnan().any() else "infinity"
    return FunctionError(f"the function returned NaN or infinity (first {what} at point {row})")


def attempt(function: Callable[..., Any], x: Tensor, form: Form) -> tuple[Tensor, bool] | Exception:
    """The function's values [n, m] in a form and whether they came as a tensor, or why not."""
    try:
        with warnings.catch_warnings():
            # A warning of a form that is only tried would speak of points nobody passed. One is
            # an answer: numpy's functions tell that they were given tensors.
            warnings.simplefilter("ignore")
            if not only_tensors(function):
                warnings.filterwarnings("error", message=".*__array_wrap__")
            out, _ = call(function, x, form)
        values = as_values(out, len(x))
        if not torch.isfinite(values).all():
            return not_finite(values.reshape(len(x), -1))
        return values, isinstance(out, Tensor)
    except Exception as error:  # whatever a user's function may raise
        return error


def means_arrays(function: Callable[..., Any]) -> bool:
    """Whether a function's own code speaks numpy: `axis=`, where torch's is `dim=`."""
    code = getattr(getattr(function, "__func__", function), "__code__", None)
    if not isinstance(code, types.CodeType):
        return False
    # The compiler keeps the names of keyword arguments as tuples beside the constants.
    return any(isinstance(c, tuple) and "axis" in c for c in code.co_consts)
