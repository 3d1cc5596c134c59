"""Calling a user's function safely: checked, centred, in chunks, and every point counted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..checks import whole_number
from ..inputs import Inputs
from ..models import Adapted, Estimator, as_function, hint
from ..progress import Bar
from ._function import (
    Form,
    FunctionError,
    as_values,
    attempt,
    call,
    forms,
    means_arrays,
    not_finite,
    only_tensors,
    whole_numbers,
)
from ._memory import Batches, plan
from ._trust import ROUNDING, points_dtype, resolution, rounded_inside, why_not_trusted

FIRST = 5
"""Points of the first calls, few, for one may take much memory. No usual number of outputs: a
function that returns them the wrong way round is told by its shape."""
PROBE = 32
SAME = 1e-6
"""Part of its spread by which a function's values for tensors and for arrays may differ."""
SECOND_LOOK = 1024
"""Points by which a function that seems to vary by rounding alone is looked at again."""
LEAST_SHARE = 1e-9
"""Share of variance that rounding may always hold."""
SMALLEST, LARGEST = 1e-70, 1e70
"""Extents between which the square of a variance is a number in float64."""
CHECKS = 256
"""Evaluations that the checks may take."""
DEFAULT_MEMORY = 2**28


class Evaluator:
    """A function of [n, d] points as a function to float64 [n, m], with its cost and its checks.

    From every output a number near its mean is taken away, so that squares of small differences
    beside a large offset are not lost: variances and their parts stay as they are.

    Parameters
    ----------
    function : torch module or callable
        Maps [n, d] to [n] or [n, m]. Modules are given tensors of their parameters' dtype and
        device. Other callables are tried with float64 and float32 tensors, then with float64 and
        float32 arrays. A callable that returns arrays gets arrays. One that takes both and
        answers differently (std divides by n - 1 in torch and by n in numpy) gets arrays where
        its code names `axis=`, and is refused otherwise. Points are a copy of its own.
    memory : int or None
        Bytes a call may use for the function's intermediate results (default 256 MiB).
    budget : int or None
        Evaluations at most: where the checks may take more, the function is not called.
    progress : bool or str
        Whether `bar`, where it is entered, shows the evaluations; a text stands before it.

    Raises
    ------
    FunctionError
        The function is in training mode, answers one point in two ways, varies by rounding alone,
        cannot tell the values of a column apart, or returns the wrong shape, NaN or infinity.
    ValueError
        The budget does not suffice for the checks, or the memory for two points.
    ImportError
        Progress is asked for, and tqdm is not installed.

    Attributes
    ----------
    outputs : int or None
        m, or None where the function returns [n].
    names : tuple of str or None
        Of the outputs: classes of an estimator, columns of a data frame, keys of a dict.
    said : str
        What a result must say of the function, if anything.
    evaluations : int
        Points evaluated so far, those of the checks included.
    dtype, device
        In which points are drawn: float32 where the function is no more precise and the inputs'
        values are told apart by it, else float64.
    offset : tensor [m]
        What is taken away from the function's values.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        inputs: Inputs,
        *,
        seed: int,
        memory: int | None = None,
        budget: int | None = None,
        device: torch.device | str | None = None,
        progress: bool | str = False,
    ) -> None:
        self.bar = Bar(progress)
        function = as_function(function)
        if isinstance(function, Adapted):
            function = function.bound(inputs.columns)
        # Frozen TorchScript has no mode any more.
        modules = function.modules() if isinstance(function, nn.Module) else ()
        if any(getattr(m, "training", False) for m in modules):
            raise FunctionError(
                "the module is in training mode, where dropout and batch normalisation make it "
                "random: call its .eval() first"
            )
        seed = whole_number("seed", seed, least=0)
        self.memory = DEFAULT_MEMORY
        if memory is not None:
            self.memory = whole_number("memory, in bytes,", memory, least=1)
        if self.memory < 2**20:
            raise ValueError(f"memory must be at least 1 MiB (2**20 bytes), got {memory}")
        if budget is not None and whole_number("budget", budget, least=1) < CHECKS:
            raise ValueError(
                f"the budget must be {CHECKS} evaluations at least, which checking the function "
                f"may take; it is {budget}"
            )
        self.function = function
        self.said = function.said if isinstance(function, Estimator) else ""
        self.inputs = inputs
        self.evaluations = 0
        self._changes_points = False
        self._copy = True
        self.device = _device(function, device)
        self._check(seed, budget)

    def _check(self, seed: int, budget: int | None) -> None:
        """Learn how the function is called, and whether its answers can be trusted."""
        x = self.inputs.sample(PROBE, generator=seed).to(self.device)
        self.offset = torch.zeros(1, dtype=torch.float64, device=self.device)
        self._low = self._high = self.offset
        first, tensor, names = self._settle_form(x[:FIRST])
        self.dtype = points_dtype(self.inputs, self.form.dtype)
        self._settle_batches(x, first[0].numel())
        values = self(x)
        self.precision = resolution([first.dtype, self.form.dtype], values)
        # Other company and another order: the answer to a point must not depend on either.
        again = self(x.flip(0)[: PROBE - 1]).flip(0)
        why = why_not_trusted(self.function, self, x, values[1:], again, self.precision)
        if why:
            raise FunctionError(why)
        self.precision = rounded_inside(values[1:], again, self.precision)
        whole = not self.form.dtype.is_floating_point
        tensors = whole or only_tensors(self.function) or self.device.type == "cuda"
        if not (self.form.array or tensors):
            values = self._settle_array(x, values, tensor=tensor)
        self.outputs = None if first.ndim == 1 else values.shape[1]
        self.names = names if names is not None and len(names) == values.shape[1] else None
        # A copy of every point costs as much as a cheap function.
        self._copy = self._changes_points or self.form.gradients
        self.offset = values.mean(dim=0)
        self._low, self._high = (values - self.offset).aminmax(dim=0)
        self._check_rounding(seed, budget)

    def _settle_form(self, x: Tensor) -> tuple[Tensor, bool, tuple[str, ...] | None]:
        """Find the first form the function takes; its answer, as `attempt` has it."""
        if isinstance(self.function, nn.Module):
            # What a module cannot tell apart it must not be given in another type either, unless
            # it may want integers.
            try:
                points_dtype(self.inputs, next(forms(self.function, self.inputs)).dtype)
            except FunctionError:
                if not whole_numbers(self.inputs):
                    raise
        failures = []
        for form in forms(self.function, self.inputs):
            answer = self._attempt(x, form)
            if isinstance(answer, Exception) and "grad" in str(answer):
                form = form._replace(gradients=True)
                answer = self._attempt(x, form)
            if not isinstance(answer, Exception):
                self.form = form
                return answer
            failures.append((form, answer))
        failure = failures[0][1]
        if isinstance(failure, FunctionError):
            raise failure
        given = self.inputs.expand(x).shape
        text = f"the function failed on {len(x)} points of shape {tuple(given)}: {failure}"
        frames = [e for form, e in failures if form.frame is not None and e is not failure]
        if frames:
            text += f"; given a data frame: {frames[0]}"
        raise FunctionError(text + hint(failure)) from failure

    def _attempt(
        self, x: Tensor, form: Form
    ) -> tuple[Tensor, bool, tuple[str, ...] | None] | Exception:
        self.evaluations += len(x)
        named = self.inputs.columns is not None
        return attempt(self.function, self.inputs.expand(x), form, named=named)

    def _settle_batches(self, x: Tensor, outputs: int) -> None:
        """Plan how many points a call takes."""
        least = 8 * (self.inputs.dim + outputs)

        def run(n: int) -> Tensor:
            self.evaluations += n
            return as_values(call(self.function, self.inputs.expand(x[:n]), self.form)[0], n)

        planned = plan(
            run, few=FIRST, more=PROBE, least=least, memory=self.memory, device=self.device
        )
        self._batches = Batches(planned, most=self.memory // 2, tried=min(PROBE, planned))

    def _settle_array(self, x: Tensor, values: Tensor, *, tensor: bool) -> Tensor:
        """Give arrays to a function that means them; its values on the form that is taken."""
        form = Form(torch.float64, array=True)
        answer = self._attempt(x, form)
        if isinstance(answer, Exception):
            return values
        arrays = answer[0].double().reshape(PROBE, -1)
        if tensor:
            if arrays.shape == values.shape:
                off = (arrays - values).abs().amax(dim=0)
                size, spread = values.abs().amax(dim=0), values.std(dim=0)
                if (off <= SAME * torch.maximum(size * SAME, spread)).all():
                    return values
            if not means_arrays(self.function):
                raise FunctionError(
                    "the function takes tensors and numpy arrays and answers differently (as std "
                    "does, which divides by n - 1 in torch and by n in numpy): settle it by "
                    "lambda x: f(torch.as_tensor(x)) or lambda x: f(numpy.asarray(x))"
                )
        self.form = form
        self._settle_batches(x, arrays.shape[1])
        return arrays

    def _check_rounding(self, seed: int, budget: int | None) -> None:
        """Refuse a function that varies, but by no more than the rounding of its values."""
        extent = self._high - self._low
        if ((extent > 0) & (extent < SMALLEST)).any():
            raise _out_of_scale(extent[extent > 0].min())
        if not self._rounding_alone():
            return
        if budget is None or budget >= 8 * SECOND_LOOK:
            x = self.inputs.sample(SECOND_LOOK, generator=seed + 1, dtype=self.dtype)
            self(x.to(self.device))
        if self._rounding_alone():
            raise FunctionError(
                f"the function varies by {(self._high - self._low).max():.1g} only, beside values "
                f"of size {self._sizes().max():.3g}: no more than their rounding. Take the offset "
                "out of the function, or compute in float64"
            )

    def _rounding_alone(self) -> bool:
        extent = self._high - self._low
        return bool((extent > 0).any() and self._flat().all())

    @property
    def size(self) -> np.ndarray:
        """Largest magnitude of each output so far, [m]."""
        return self._sizes().cpu().numpy()

    def _sizes(self) -> Tensor:
        return (self.offset + self._low).abs().maximum((self.offset + self._high).abs())

    def _flat(self) -> Tensor:
        """Which outputs [m] have varied by no more than rounding so far."""
        return self._high - self._low <= ROUNDING * self.precision * self._sizes()

    @property
    def rows(self) -> int:
        """Points that are worth making at once: those of a call."""
        return self._batches.planned

    def __call__(self, x: Tensor) -> Tensor:
        """Values [n, m] in float64 less the offset at points [n, d], in chunks of few."""
        if len(x) == 1:
            # Functions that squeeze their answer lose the axis of a single point.
            return self(x.expand(2, -1))[:1]
        parts, start = [], 0
        while start < len(x):
            rows = self._batches.next(len(x) - start)
            with self._batches.step(rows):
                parts.append(self._values(x[start : start + rows]))
            start += rows
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _values(self, x: Tensor) -> Tensor:
        self.evaluations += len(x)
        own = self.inputs.expand(x)
        out, changed = call(self.function, own, self.form, copy=self._copy)
        self.bar.at(self.evaluations)
        self._changes_points |= changed
        if changed and not self._copy:
            raise FunctionError(
                "the function changes its points in place, but did not when it was first called: "
                "give it a copy, lambda x: f(x.clone())"
            )
        out = as_values(out, len(x)).to(self.device).reshape(len(x), -1)
        values = (out.double() if out.dtype == torch.bool else out) - self.offset
        low, high = values.amin(dim=0), values.amax(dim=0)
        if not (high - low).isfinite().all():
            raise not_finite(values)
        if (high - low).amax() > LARGEST:
            raise _out_of_scale((high - low).amax())
        self._low, self._high = self._low.minimum(low), self._high.maximum(high)
        return values

    def require_one_output(self, name: str) -> None:
        """Refuse several outputs; one may come as [n] or as [n, 1]."""
        if (self.outputs or 1) > 1:
            raise ValueError(
                f"{name} takes a function of one output, [n, d] to [n] or [n, 1]; this one "
                f"returns [n, {self.outputs}]. Measure them in turn: lambda x: f(x)[:, 0]"
            )

    def is_constant(self, total_variance: np.ndarray) -> np.ndarray:
        """Where a variance [m, ..] is no more than the rounding of an output's own values."""
        variance = np.asarray(total_variance)
        return (variance == 0) | self._flat().cpu().numpy().reshape(variance.shape)

    def too_coarse(self, total_variance: np.ndarray, tolerance: float) -> np.ndarray:
        """Which outputs [m] vary, but so little that rounding may hold more than the tolerance."""
        unit = self.precision * self.size
        # Two roundings, each of variance unit^2 / 12 where steps are as wide as they may be.
        return ~self.is_constant(total_variance) & (
            unit**2 / 6 > max(tolerance, LEAST_SHARE) * total_variance
        )


def _out_of_scale(extent: Tensor) -> FunctionError:
    return FunctionError(
        f"the function varies by {extent:.1g}, and the square of its variance is beyond the range "
        f"of float64: scale it (its shares stay as they are) by {1 / extent:.0e} or so"
    )


def _device(function: Callable[..., Any], device: torch.device | str | None) -> torch.device:
    """Where the function is called: as asked for, or where a module's parameters are."""
    own = next(function.parameters(), None) if isinstance(function, nn.Module) else None
    if own is not None and own.device.type == "meta":
        raise FunctionError("the module is on the meta device, where it has no weights: load them")
    if own is None or device is None:
        return torch.device("cpu" if device is None else device) if own is None else own.device
    asked = torch.device(device)
    if asked.type != own.device.type or asked.index not in (None, own.device.index):
        raise FunctionError(f"the module is on {own.device}, device is {asked}")
    return own.device
