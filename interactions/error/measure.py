"""Bias, variance and noise of every order, from a planted truth or from labels alone.

Parts of different order are orthogonal, so the mean squared error of a model F to a target f is the
sum over k of V_k(F - f), and (E F - E f)^2. Over R models, F̄ their mean, F̄ - f and F_r - F̄ split
each V_k in two. Without bias from few models:

    variance_k = R / (R-1) · (mean over r of V_k(F_r - f) - V_k(F̄ - f))
    bias_k     = V_k(F̄ - f) - variance_k / R

the second of which is the mean over pairs of models of <F_r - f, F_s - f>_k.

Labels y are as good as f where rows are compared in pairs: in (y - F)(x) (y - F)(x') K_k(x, x')
the noises of two rows are independent, and drop out (K_k: anova/kernel.py). What is left of the
mean square is noise, and what lies above max_order or outside of the polynomials.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from ..anova import order_spectrum
from ..anova._array_mean import array_mean
from ..anova._pairs import Sample, pair_means
from ..anova.basis import polynomials
from ..anova.from_samples import check_points
from ..arrays import numbers
from ..inputs import Inputs, check_order
from ..precision import full_float32
from .result import QUANTITIES, ErrorByOrder

BLOCKS = 32
"""Blocks of points; pairs are of points from different ones."""
FRESH = 2**14
"""Points at which the means and the test error are seen where the target is a function."""
MEMORY = 2**28
CHUNK = 2**12

Model = Callable[[Tensor], Tensor]


class Split(NamedTuple):
    """Error, bias and variance by order, [3, orders], from V_k of errors."""

    values: np.ndarray
    squared_error: np.ndarray
    df: np.ndarray


def error_by_order(
    models: Model | Sequence[Model],
    target: Model | Tensor | np.ndarray,
    inputs: Inputs,
    *,
    x: Tensor | np.ndarray | None = None,
    row_weights: Tensor | np.ndarray | None = None,
    max_order: int | None = None,
    tolerance: float = 0.01,
    budget: int | None = None,
    seed: int = 0,
) -> ErrorByOrder:
    """What of models' test error is bias, variance and noise, of every interaction order.

    Bias and variance are those over what the models differ in: seeds where they were trained on
    one data set, seeds and data where each had its own.

    Parameters
    ----------
    models : sequence of callables or modules, or one that maps points [n, d] to [n, R]
        R trained models in eval mode, such as an `MLPEnsemble`.
    target : callable, or labels [n]
        The truth without noise, a function of points [n, d]; or the labels of rows `x`, which the
        models have not learned from.
    inputs : Inputs
        The distribution under which orders and errors are meant; of labels, the rows'.
    x : tensor or array [n, d], with labels alone
    row_weights : tensor or array [n], optional
        For rows that are not draws from `inputs`, dependent columns say: the density of the inputs
        over that of the rows, up to a factor.
    max_order : int, optional
        Default: 3, or d if fewer.
    tolerance, budget
        Those of `order_spectrum`, for a target that is a function.
    seed : int
        Of the points that are drawn, or of the order in which rows are paired.

    Raises
    ------
    ValueError
        For shapes that do not fit, fewer than 4 rows a block (of 32), rows that cannot have come
        from the inputs, weights that are not positive.

    Examples
    --------
    Two models that err by ± x_1 of a target without noise: no bias, all variance, of order 1.

    >>> from interactions import Uniform, error_by_order
    >>> models = [lambda x: x[:, 0] * x[:, 1] + x[:, 0], lambda x: x[:, 0] * x[:, 1] - x[:, 0]]
    >>> found = error_by_order(models, lambda x: x[:, 0] * x[:, 1], Uniform(-1.0, 1.0, dim=2))
    >>> found.order_names, (3 * found.error).round(2).tolist()
    (['0', '1', '2', '>2'], [0.0, 1.0, 0.0, 0.0])
    """
    max_order = min(3, inputs.dim) if max_order is None else max_order
    check_order(max_order, inputs.dim)
    answers = _answers(models)
    if callable(target) and not isinstance(target, Tensor):
        if x is not None or row_weights is not None:
            raise ValueError("x and row_weights belong to labels, and the target is a function")
        options = {"tolerance": tolerance, "budget": budget, "seed": seed}
        return _from_function(answers, target, inputs, max_order, options)
    if x is None:
        raise ValueError("labels need the rows they belong to: x=")
    rows, labels = (
        torch.as_tensor(numbers(a, name, finite=True) if not isinstance(a, Tensor) else a)
        .cpu()
        .double()
        for a, name in ((x, "x"), (target, "target"))
    )
    return _from_rows(answers, rows, labels, inputs, row_weights, max_order, seed)


def _from_function(
    answers: Model, target: Model, inputs: Inputs, max_order: int, options: dict[str, Any]
) -> ErrorByOrder:
    """By `order_spectrum` of all errors at once; means and test error from points."""

    def errors(x: Tensor) -> Tensor:
        apart = answers(x)
        with torch.no_grad():
            truth = target(x)
        return _with_means(apart - truth.reshape(-1, 1).to(apart))

    spectrum = order_spectrum(errors, inputs, max_order=max_order, **options)
    points = inputs.sample(FRESH, generator=options["seed"] + 1)
    gaps = torch.cat([errors(part) for part in inputs.expand(points).split(CHUNK)]).double()
    sample = Sample(*(a.unflatten(0, (BLOCKS, -1)) for a in (points, gaps, torch.ones(FRESH))))
    zero = _split(_products_of_means(sample))
    # Their outputs share their points: errors add up at most.
    own = spectrum.standard_error
    variance, error = spectrum.variance.T, np.nan_to_num(own).T
    models = _models_of(variance.shape[-1])
    above = _combined(variance, models)
    scale = models / max(models - 1, 1)
    of_each, of_mean = error[:, :models].mean(axis=1), error[:, models]
    of_variance = (of_each + of_mean) * scale
    measured = np.stack([of_each, of_mean + of_variance / models, of_variance])
    over = _over_models(variance, models)
    values = np.concatenate([zero.values, above], axis=1)
    measured = np.concatenate([zero.squared_error, measured**2], axis=1)
    free = np.concatenate([zero.df, np.full_like(above, np.inf)], axis=1)
    of_mean_0 = _over_models(_mean_products(sample), models)
    over = Spread(*(np.concatenate(ab, axis=1) for ab in zip(of_mean_0, over, strict=True)))
    return _result(
        values,
        over,
        measured,
        free,
        noise=(0.0, 0.0),
        gaps=gaps[:, :models],
        weight=torch.ones(len(gaps), 1).double(),
        method=f"to a known target ({spectrum.method})",
    )


def _from_rows(
    answers: Model,
    x: Tensor,
    y: Tensor,
    inputs: Inputs,
    row_weights: Tensor | np.ndarray | None,
    max_order: int,
    seed: int,
) -> ErrorByOrder:
    """By pairs of rows from different blocks, in a basis of polynomials."""
    if x.ndim != 2 or x.shape[1] != inputs.dim or y.shape not in ((len(x),), (len(x), 1)):
        raise ValueError(
            f"needs rows [n, {inputs.dim}] and labels [n], got {list(x.shape)} and {list(y.shape)}"
        )
    if len(x) < 4 * BLOCKS:
        raise ValueError(f"needs at least {4 * BLOCKS} rows, got {len(x)}")
    weight = torch.ones(len(x), dtype=torch.float64)
    if row_weights is None:
        check_points(x, inputs, [*range(inputs.dim)])
    else:
        weight = torch.as_tensor(row_weights).cpu().double().flatten()
        if weight.shape != y.flatten().shape or not (torch.isfinite(weight) & (weight > 0)).all():
            raise ValueError("row_weights must be a positive number for each row")
        weight = weight / weight.mean()
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    order = order[: len(x) // BLOCKS * BLOCKS]
    x, y, weight = x[order], y.flatten()[order], weight[order, None]
    with torch.no_grad():
        gaps = torch.cat([answers(part).double() for part in x.split(CHUNK)]) - y[:, None]
    errors = _with_means(gaps)
    models = _models_of(errors.shape[1])
    blocks = (x, errors * weight, weight[:, 0])
    sample = Sample(*(a.unflatten(0, (BLOCKS, -1)) for a in blocks))
    basis = polynomials(inputs, max_order, sample=len(x))
    pairs = [_products_of_means(sample)[0]]
    for k in range(1, max_order + 1):
        pairs.append(pair_means(sample, basis, order=k, memory=MEMORY).cpu().numpy())
    square = (sample.f.square() / sample.weight[..., None]).mean(dim=1).T.numpy()
    both = (square[:, :, None] + square[:, None, :]) / 2
    parts = np.stack([*pairs, both - sum(pairs)])
    split = _split(parts)
    off = ~np.eye(BLOCKS, dtype=bool)
    over = _over_models(np.where(off, parts, 0.0).sum(axis=(-1, -2)) / off.sum(), models)
    values, measured = split.values.copy(), split.squared_error.copy()
    noise = values[1, -1] if models > 1 else values[0, -1]
    noise_error = np.sqrt((measured + over.squared_error)[1 if models > 1 else 0, -1])
    # Above the orders that are told apart, bias and noise look alike.
    values[1, -1] = np.nan
    values[0, -1] = values[2, -1]
    for of in (measured, *over):
        of[0, -1], of[1, -1] = of[2, -1], np.nan
    return _result(
        values,
        over,
        measured,
        split.df,
        noise=(float(noise), float(noise_error)),
        gaps=gaps,
        weight=weight,
        method=f"from labels of {len(x):,} rows (pairs, degree "
        f"{'/'.join(map(str, basis.degrees))} by order)",
    )


def _with_means(errors: Tensor) -> Tensor:
    """Errors of R models [n, R]; then of their mean, and of that of all but each: [n, 2 R + 1]."""
    models = errors.shape[1]
    mean = errors.mean(dim=1, keepdim=True)
    without = (models * mean - errors) / max(models - 1, 1)
    return torch.cat([errors, mean, without], dim=1)


def _models_of(outputs: int) -> int:
    return (outputs - 1) // 2


def _combined(v: np.ndarray, models: int) -> np.ndarray:
    """Error, bias and variance, [3, ...], of V_k [..., 2 R + 1] of all errors and their means."""
    error, of_mean = v[..., :models].mean(axis=-1), v[..., models]
    if models == 1:
        unknown = np.full_like(error, np.nan)
        return np.stack([error, unknown, unknown])
    variance = (error - of_mean) * models / (models - 1)
    return np.stack([error, of_mean - variance / models, variance])


class Spread(NamedTuple):
    """Squared standard errors over models and their degrees of freedom, each [3, orders]."""

    squared_error: np.ndarray
    df: np.ndarray


def _over_models(v: np.ndarray, models: int) -> Spread:
    """By the jackknife, from V_k [orders, 2 R + 1]; NaN with fewer than 3 models.

    Squares of what a few effects are off by have long tails, and their spread is itself uncertain:
    of R values of kurtosis κ a variance is known as from 2 R / (κ - 1) degrees of freedom.
    """
    if models < 3:
        return Spread(np.full((3, len(v)), np.nan), np.full((3, len(v)), np.nan))
    left = models - 1
    each = v[..., :models]
    error = (each.sum(axis=-1, keepdims=True) - each) / left
    variance = (error - v[..., models + 1 :]) * left / (left - 1)
    without = np.stack([error, v[..., models + 1 :] - variance / left, variance])
    spread = without.var(axis=-1)
    fourth = ((without - without.mean(axis=-1, keepdims=True)) ** 4).mean(axis=-1)
    excess = np.where(spread > 0, fourth / np.where(spread > 0, spread, 1.0) ** 2, 3.0) - 1
    return Spread(spread * left, np.minimum(2 * models / np.maximum(excess, 1e-9), left))


def _split(parts: np.ndarray) -> Split:
    """From what pairs of blocks say, [orders, 2 R + 1, B, B], with the errors of these means."""
    combined = _combined(np.moveaxis(parts, 1, -1), _models_of(parts.shape[1]))
    mean = array_mean(combined)
    return Split(mean.mean, mean.error, mean.df)


def _products_of_means(sample: Sample) -> np.ndarray:
    """What pairs of blocks say of squared means, [1, m, B, B]."""
    mean = sample.f.mean(dim=1).T.numpy()
    return (mean[:, :, None] * mean[:, None, :])[None]


def _mean_products(sample: Sample) -> np.ndarray:
    """Squared means without bias, [1, m]."""
    products, off = _products_of_means(sample), ~np.eye(BLOCKS, dtype=bool)
    return np.where(off, products, 0.0).sum(axis=(-1, -2)) / off.sum()


def _result(
    values: np.ndarray,
    over: Spread,
    measured: np.ndarray,
    df: np.ndarray,
    *,
    noise: tuple[float, float],
    gaps: Tensor,
    weight: Tensor,
    method: str,
) -> ErrorByOrder:
    """Put together squared errors over models and over points."""
    models = gaps.shape[1]
    squared = over.squared_error + measured
    free = over.squared_error**2 / over.df + measured**2 / df
    freedom = np.where(free > 0, squared**2 / np.where(free > 0, free, 1.0), np.inf)
    square = (gaps.square() * weight).numpy()
    seen = square.mean(axis=1).var(ddof=1) / len(square)
    between = square.mean(axis=0).var(ddof=1) / models if models > 1 else np.nan
    arrays = {}
    for i, of in enumerate(QUANTITIES):
        arrays[of] = values[i]
        arrays[f"{of}_standard_error"] = np.sqrt(squared[i])
        arrays[f"{of}_degrees_of_freedom"] = freedom[i]
    return ErrorByOrder(
        **arrays,
        noise=noise[0],
        noise_standard_error=noise[1],
        test_error=float(square.mean()),
        test_error_standard_error=float(np.sqrt(seen + between)),
        models=models,
        method=method,
    )


def _answers(models: Model | Sequence[Model]) -> Model:
    """All models as one function of points [n, d] to [n, R], without gradients."""
    every = [models] if callable(models) else list(models)
    if not every:
        raise ValueError("needs at least one model")

    def answers(x: Tensor) -> Tensor:
        with torch.no_grad(), full_float32():
            return torch.cat([_asked(model, x).reshape(len(x), -1) for model in every], dim=1)

    return answers


def _asked(model: Model, x: Tensor) -> Tensor:
    """A model's answers in the precision of the points, asked in its own."""
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return model(x if first is None else x.to(first)).to(x)
