"""Calling a user's function safely: checked, chunked, counted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ..inputs import Inputs

PROBE = 32
DEFAULT_MEMORY = 2**28
# Larger chunks than this leave the processor's cache and gain nothing.
CACHE = 2**25


class FunctionError(ValueError):
    """The function under measurement is not a function of its inputs in the way needed."""


class _Allocations(TorchFunctionMode):
    """Adds up the bytes of every tensor that calls make; views of their arguments are free."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        held = {a.untyped_storage().data_ptr() for a in args if isinstance(a, Tensor)}
        for t in out if isinstance(out, (tuple, list)) else (out,):
            if isinstance(t, Tensor) and t.untyped_storage().data_ptr() not in held:
                self.bytes += t.numel() * t.element_size()
        return out


class Evaluator:
    """A function of [n, d] points as a function to float64 [n, m], with its cost and its checks.

    Parameters
    ----------
    function : torch module or callable
        Maps [n, d] to [n] or [n, m]. Modules are given points of their parameters' dtype and
        device; other callables float64 tensors, and where they refuse these float32 tensors,
        then float64 arrays.
    memory : int or None
        Bytes a call may use for the function's intermediate results (default 256 MiB).

    Raises
    ------
    FunctionError
        The function is in training mode, answers one point in two ways, or returns the wrong
        shape, NaN or infinity.

    Attributes
    ----------
    outputs : int or None
        m, or None where the function returns [n].
    evaluations : int
        Points evaluated so far.
    dtype, device, scale
        Of the points the function takes; the largest magnitude it returned on the probe.
    """

    def __init__(
        self,
        function: Callable,
        inputs: Inputs,
        *,
        seed: int,
        memory: int | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if not callable(function):
            raise FunctionError(f"function must be callable, got {type(function).__name__}")
        if isinstance(function, nn.Module) and any(m.training for m in function.modules()):
            raise FunctionError(
                "the module is in training mode, where dropout and batch normalisation make it "
                "random: call its .eval() first"
            )
        self.function = function
        self.inputs = inputs
        self.evaluations = 0
        self.memory = DEFAULT_MEMORY if memory is None else memory
        if self.memory < 2**20:
            raise ValueError(f"memory must be at least 1 MiB (2**20 bytes), got {memory}")
        parameter = next(function.parameters(), None) if isinstance(function, nn.Module) else None
        self.device = torch.device(
            device if device is not None else (parameter.device if parameter is not None else "cpu")
        )
        if parameter is not None and parameter.device != self.device:
            raise FunctionError(f"the module is on {parameter.device}, device is {self.device}")
        self.dtype = parameter.dtype if parameter is not None else torch.float64
        self.as_array = False
        self._probe(seed, adaptable=parameter is None)

    def _probe(self, seed: int, *, adaptable: bool) -> None:
        x = self.inputs.sample(PROBE, generator=seed).to(self.device)
        first = self._first_answer(x, adaptable=adaptable)
        values = self._checked(first, PROBE)
        self.outputs = None if first.ndim == 1 else values.shape[1]
        self.scale = values.abs().max().item()
        # Other company and another order: the answer to a point must not depend on either.
        again = self._checked(self._call(x.flip(0)[: PROBE - 1]), PROBE - 1).flip(0)
        tolerance = 1e-4 if torch.float32 in (self.dtype, first.dtype) else 1e-8
        if (values[1:] - again).abs().max().item() > tolerance * max(self.scale, 1e-30):
            raise FunctionError(
                "the function gives two answers for one input: it is random, or mixes the points "
                "of a batch (dropout or batch normalisation left on?)"
            )
        with _Allocations() as allocated, torch.no_grad():
            self._call(x)
        per_row = max(allocated.bytes // PROBE, 8 * (self.inputs.dim + values.shape[1]))
        self.rows = max(16, min(self.memory // 2, CACHE) // per_row)
        self.evaluations = 0

    def _first_answer(self, x: Tensor, *, adaptable: bool) -> Tensor:
        forms = [(self.dtype, False)]
        if adaptable:
            forms += [(torch.float32, False), (torch.float64, True)]
        failure = None
        for self.dtype, self.as_array in forms:
            try:
                return self._call(x)
            except Exception as error:  # whatever a user function may raise
                failure = failure or error
        raise FunctionError(
            f"the function failed on {PROBE} points of shape {tuple(x.shape)}: {failure}"
        ) from failure

    def _call(self, x: Tensor) -> Tensor:
        self.evaluations += len(x)
        with torch.no_grad():
            x = x.to(self.dtype)
            out = self.function(x.cpu().numpy() if self.as_array else x)
        if not isinstance(out, Tensor):
            out = torch.as_tensor(np.asarray(out))
        return out.to(self.device)

    def _checked(self, out: Tensor, n: int) -> Tensor:
        if out.ndim == 0 or len(out) != n or out.ndim > 2 or out.numel() == 0:
            raise FunctionError(
                f"the function must map [n, d] to [n] or [n, m]: for {n} points it returned "
                f"shape {tuple(out.shape)}"
            )
        out = out.reshape(n, -1).double()
        if not torch.isfinite(out).all():
            row = int(torch.nonzero(~torch.isfinite(out).all(dim=1))[0])
            raise FunctionError(f"the function returned NaN or infinity (first at point {row})")
        return out

    def __call__(self, x: Tensor) -> Tensor:
        """Values [n, m] in float64 at points [n, d], evaluated in chunks that fit the memory."""
        parts = [self._checked(self._call(c), len(c)) for c in x.split(self.rows)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def is_constant(self, total_variance: np.ndarray) -> np.ndarray:
        """Where a variance is no more than rounding of the function's values."""
        rounding = 8 * torch.finfo(self.dtype).eps * self.scale
        return np.asarray(total_variance) <= rounding**2
