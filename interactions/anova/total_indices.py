"""Indices without a spectrum, from changes of f when inputs are redrawn.

Half the mean squared change of f when input j is redrawn is the total index of j, the variance
of all effects that hold j (Jansen, Comput. Phys. Commun. 117, 1999). Summed over the inputs every
effect counts once for each of its inputs, so the sum over the variance is the mean order, or mean
dimension in the superposition sense (Caflisch, Morokoff & Owen, J. Comput. Finance 1, 1997).
Likewise the mixed difference over the inputs of a subset u, each drawn twice, has the mean square
2^|u| times the variance of all effects that hold u: the superset index of u (Liu & Owen, J. Am.
Stat. Assoc. 101, 2006). None needs a basis, and none visits more subsets than it is asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import torch
from scipy import stats

from ..inputs import Inputs
from ..models import as_inputs
from ..plots import bars_or_lines
from ..printing import aligned, html_table, number, with_error
from ..saving import Saved
from ._evaluate import Evaluator

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DEFAULT_BUDGET = 2**18
BATCHES = 32
"""Batches of points, at least, whose spread gives the standard errors."""


@dataclass(frozen=True)
class MeanOrder(Saved):
    """Mean order of a function, [...] over its outputs, with its parts.

    Attributes
    ----------
    mean_order, standard_error : float64 arrays [...]
        Variance-weighted mean order; NaN for a constant function.
    total_index, total_index_standard_error : float64 arrays [..., d]
        Variance of all effects that hold an input, in squared units of the function. The error is
        NaN where no point showed anything of an input.
    variance : float64 array [...]
        Total variance, from the same points.
    evaluations : int
    names, outputs : tuples of str, optional
        Names of the inputs and of the outputs.

    Examples
    --------
    >>> from interactions import Rademacher
    >>> from interactions.anova import mean_order
    >>> def function(x):
    ...     return x[:, 0] + 2 * x[:, 1] * x[:, 2]
    >>> mean_order(function, Rademacher(dim=3)).total_index.round(1)
    array([1., 4., 4.])
    """

    mean_order: np.ndarray
    standard_error: np.ndarray
    total_index: np.ndarray
    total_index_standard_error: np.ndarray
    variance: np.ndarray
    evaluations: int
    names: tuple[str, ...] | None = None
    outputs: tuple[str, ...] | None = None

    def to_frame(self) -> pd.DataFrame:
        """One row per output and input: output, input, total_index, standard_error, share.

        `share` is of the variance; the shares of an output's inputs sum to its mean order.
        """
        total = np.atleast_2d(self.total_index)
        output, column = np.indices(total.shape)
        variance = np.ravel(self.variance)[:, None]
        share = total / np.where(variance > 0, variance, np.nan)
        return pd.DataFrame(
            {
                "output": _called(self.outputs, output.ravel()),
                "input": _called(self.names, column.ravel()),
                "total_index": total.ravel(),
                "standard_error": self.total_index_standard_error.ravel(),
                "share": share.ravel(),
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the total index of every input with its 95% interval, a line per output if several.

        In squared units of the function. Returns the axes, new ones by default. Needs matplotlib.
        """
        total = np.atleast_2d(self.total_index)
        half = stats.norm.ppf(0.975) * np.atleast_2d(self.total_index_standard_error)
        return bars_or_lines(
            total,
            half,
            [*map(str, self.names or range(total.shape[1]))],
            names=self._output_names() if len(total) > 1 else (),
            xlabel="input",
            ylabel="total index",
            ax=ax,
        )

    def _output_names(self) -> list[str]:
        m = np.size(self.mean_order)
        return [f"output {i}" for i in range(m)] if self.outputs is None else [*self.outputs]

    def _rows(self) -> list[list[str]]:
        parts = (self.mean_order, self.standard_error, self.variance)
        mean, error, variance = (np.ravel(part) for part in parts)
        rows = [["output", "mean order ± error", "variance"]]
        for i, (m, e, v) in enumerate(zip(mean, error, variance, strict=True)):
            name = str(i) if self.outputs is None else self.outputs[i]
            rows.append([name, with_error(m, e), f"{v:.4g}"])
        return rows if len(mean) > 1 else [row[1:] for row in rows]

    def _title(self) -> str:
        inputs = np.shape(self.total_index)[-1]
        return f"MeanOrder of {inputs} inputs, {self.evaluations:,} evaluations"

    def __repr__(self) -> str:
        mean = np.ravel(self.mean_order)
        if len(mean) > 1:
            low, high = (number(end, ".3f") for end in (np.fmin.reduce(mean), np.fmax.reduce(mean)))
            return f"MeanOrder({len(mean)} outputs, {low} to {high})"
        error = np.ravel(self.standard_error)[0]
        return f"MeanOrder({with_error(mean[0], error, padded=False)})"

    def __str__(self) -> str:
        return "\n".join([self._title(), *aligned(self._rows())])

    def _repr_html_(self) -> str:
        return html_table(self._title(), self._rows())


def _called(names: tuple[str, ...] | None, at: np.ndarray) -> np.ndarray:
    return at if names is None else np.array(names, dtype=object)[at]


def mean_order(
    function: Callable[..., Any],
    inputs: Inputs,
    *,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool | str = False,
) -> MeanOrder:
    """Measure the mean order and the total index of every input.

    Takes the same functions as `order_spectrum`; spends the budget (default 2^18 evaluations,
    d + 1 per point).

    Examples
    --------
    >>> from interactions import Rademacher
    >>> from interactions.anova import mean_order
    >>> def function(x):
    ...     return x[:, 0] + 2 * x[:, 1] * x[:, 2]
    >>> round(float(mean_order(function, Rademacher(dim=3)).mean_order), 1)
    1.8
    """
    inputs = as_inputs(function, inputs)
    options = {"memory": memory, "budget": budget, "device": device, "progress": progress}
    evaluate = Evaluator(function, inputs, seed=seed, **options)
    with evaluate.bar:
        result = measure_mean_order(evaluate, budget=budget, seed=seed)
    if evaluate.outputs is not None:
        return result
    arrays = {k: v[0] for k, v in vars(result).items() if isinstance(v, np.ndarray)}
    return replace(result, **arrays)


def measure_mean_order(evaluate: Evaluator, *, budget: int | None, seed: int) -> MeanOrder:
    """The measurement itself, with the outputs as a leading axis [m]."""
    budget = DEFAULT_BUDGET if budget is None else budget
    dim = evaluate.inputs.dim
    left = budget - evaluate.evaluations
    n = min(left // ((dim + 1) * BATCHES), evaluate.memory // (64 * dim))
    if n < 2:
        least = evaluate.evaluations + 2 * (dim + 1) * BATCHES
        raise ValueError(
            f"the mean order of {dim} inputs needs {least:,} evaluations at least, the budget is "
            f"{budget:,}"
        )
    evaluate.bar.within(budget)
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    total, variance = [], []
    for _ in range(left // ((dim + 1) * n)):
        x, fresh = (
            evaluate.inputs.sample(n, generator=generator, dtype=evaluate.dtype) for _ in range(2)
        )
        y = evaluate(x)
        changes = []
        # Inputs are moved one at a time, but several are evaluated at once where points are few.
        for some in torch.arange(dim, device=x.device).split(max(1, evaluate.rows // n)):
            moved = x.repeat(len(some), 1, 1)
            moved[torch.arange(len(some)), :, some] = fresh[:, some].T
            values = evaluate(moved.flatten(0, 1)).unflatten(0, (len(some), n))
            changes.append((values - y).square().mean(dim=1) / 2)
        total.append(torch.cat(changes).T)
        variance.append(y.var(dim=0))
    total, variance = (torch.stack(a).cpu().numpy() for a in (total, variance))
    index, spread = total.mean(axis=0), variance.mean(axis=0)
    constant = evaluate.is_constant(spread)
    scale = np.where(constant, np.nan, spread)
    mean = index.sum(axis=-1) / scale
    # To first order the error of a ratio is that of (sum of indices - mean order x variance).
    off = (total.sum(axis=-1) - mean * variance) / scale
    return MeanOrder(
        mean_order=mean,
        standard_error=off.std(axis=0, ddof=1) / np.sqrt(len(total)),
        total_index=index,
        total_index_standard_error=_standard_error(total),
        variance=spread,
        evaluations=evaluate.evaluations,
        names=evaluate.inputs.names,
        outputs=evaluate.names,
    )


def _standard_error(batches: np.ndarray) -> np.ndarray:
    """Of means over batches, the first axis; unknown where every batch is 0, which saw nothing."""
    error = batches.std(axis=0, ddof=1) / np.sqrt(len(batches))
    return np.where(batches.any(axis=0), error, np.nan)


def superset_index(
    function: Callable[..., Any],
    inputs: Inputs,
    subsets: Iterable[Iterable[int | str]],
    *,
    budget: int | None = None,
    memory: int | None = None,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool | str = False,
) -> pd.DataFrame:
    """Variance of all effects that hold a subset of inputs, for the subsets asked for.

    For one input that is its total index; for two or more, near zero means that no effect of any
    order holds them together.

    Parameters
    ----------
    function : torch module or callable
        Maps [n, d] to [n] or [n, 1].
    subsets : sequence of subsets, each of one input or more by name or number
    budget : int, optional
        Evaluations at most (default 2^18), 2^|u| per subset and point.

    Returns
    -------
    DataFrame
        Columns subset (a sorted tuple of inputs, by name where they have names), variance,
        standard_error, share (of the total variance), a row per subset in the order asked for.
        Estimates are means of squares, and so never negative.

    Raises
    ------
    ValueError
        For subsets that are empty or repeat an input, a function of several outputs, and a budget
        too small for 64 points per subset.

    Examples
    --------
    >>> from interactions import Rademacher
    >>> from interactions.anova import superset_index
    >>> def function(x):
    ...     return x[:, 0] + 2 * x[:, 1] * x[:, 2]
    >>> len(superset_index(function, Rademacher(dim=3), [(1, 2)]))
    1
    """
    inputs = as_inputs(function, inputs)
    asked = [_subset(u, inputs) for u in subsets]
    options = {"memory": memory, "budget": budget, "device": device, "progress": progress}
    evaluate = Evaluator(function, inputs, seed=seed, **options)
    evaluate.require_one_output("superset_index")
    budget = DEFAULT_BUDGET if budget is None else budget
    price = sum(2 ** len(u) for u in asked)
    least = evaluate.evaluations + 2 * price * BATCHES
    if not asked or budget < least:
        raise ValueError(
            f"{len(asked)} subsets need {least:,} evaluations at least, the budget is {budget:,}"
        )
    left = budget - evaluate.evaluations
    n = max(2, min(left // (price * BATCHES), evaluate.memory // (32 * inputs.dim)))
    generator = torch.Generator(evaluate.device).manual_seed(seed)
    batches = []
    with evaluate.bar as bar:
        bar.within(budget)
        for _ in range(left // (price * n)):
            index, plain = [], []
            for u in asked:
                x, fresh = (
                    inputs.sample(n, generator=generator, dtype=evaluate.dtype) for _ in range(2)
                )
                difference = 0.0
                for moved in (list(v) for k in range(len(u) + 1) for v in combinations(u, k)):
                    corner = x.clone()
                    corner[:, moved] = fresh[:, moved]
                    y = evaluate(corner)
                    difference = difference + (-1) ** len(moved) * y
                    if not moved:
                        plain.append(y)
                index.append(difference.square().mean() / 2 ** len(u))
            batches.append(torch.stack([*index, torch.cat(plain).var()]))
    batches = torch.stack(batches).cpu().numpy()
    mean, total = batches[:, :-1].mean(axis=0), batches[:, -1].mean()
    return pd.DataFrame(
        {
            "subset": [inputs.called(u) for u in asked],
            "variance": mean,
            "standard_error": _standard_error(batches[:, :-1]),
            "share": mean / (np.nan if evaluate.is_constant(total) else total),
        }
    )


def _subset(asked: Iterable[int | str], inputs: Inputs) -> tuple[int, ...]:
    given = (asked,) if isinstance(asked, str) else (*asked,)
    u = tuple(sorted(inputs.position(which) for which in given))
    if not u or len(set(u)) < len(u):
        raise ValueError(f"needs subsets of different inputs 0 .. {inputs.dim - 1}, got {given}")
    return u
