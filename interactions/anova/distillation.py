"""Distillation: boosted trees of growing depth, fit to a network's answers or to data.

A tree of depth k splits on at most k inputs along a path, so a sum of such trees holds
interactions of order k at most.

*As released.* The paper reads off the variance of p_1, p_1 - p_2, p_2 - p_3 and f - p_3, where
p_k is an ensemble of depth-k trees fit to f, on the points it was fit to. Two things make this
misleading, and it is here to stand beside the unbiased spectra: trees interpolate their own
points, so little is ever left above depth 3; and the successive differences are not orthogonal,
so the parts do not sum to the variance of f.

*Held out.* What trees of depth k explain of points they were not fit to is at most what the best
function of order k explains, under the data's own distribution, dependent inputs included. It
errs one way only: effects the trees have not learned from the sample count as higher orders. With
few points or many weak interactions that is most of them.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from ..arrays import numbers
from ..inputs import Inputs, check_order
from ..progress import Bar
from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator

if TYPE_CHECKING:
    from xgboost import XGBRegressor

DEFAULT_BUDGET = 1000
LEAST_POINTS = 50
"""Points below which trees are not fit."""
TREES = 1000
LEARNING_RATE = 0.1
"""XGBoost's default before version 1.0; .3 since."""


def distillation_spectrum(
    evaluate: Evaluator, *, max_order: int, tolerance: float, budget: int | None, seed: int
) -> OrderSpectrum:
    """`released_distillation` at `budget` fresh points (default 1000, the paper's number).

    Trees know no standard error, so no tolerance ends it and it never converges.
    """
    n = DEFAULT_BUDGET if budget is None else budget - evaluate.evaluations
    if n < LEAST_POINTS:
        raise ValueError(
            f"distillation needs {evaluate.evaluations + LEAST_POINTS} evaluations at least, the "
            f"budget is {budget}"
        )
    x = evaluate.inputs.sample(n, generator=seed, dtype=evaluate.dtype).to(evaluate.device)
    y = evaluate(x)
    spectrum = released_distillation(x, y, max_order=max_order, progress=evaluate.bar.progress)
    return spectrum if evaluate.outputs is not None else spectrum.output(0)


def released_distillation(
    x: object,
    y: object,
    *,
    max_order: int = 3,
    tree_method: Literal["exact", "hist"] = "exact",
    progress: bool | str = False,
) -> OrderSpectrum:
    """Spectrum as the paper's released code reads it off given points and answers.

    Needs the `xgboost` extra. 1000 trees per depth, fit and read on the same points, with XGBoost's
    defaults before version 1.0, which the published numbers come from: learning rate .1, splits
    by the exact greedy search. No standard error is known: those are NaN.

    Parameters
    ----------
    x : tensor, array or data frame [n, d]
    y : tensor, array, data frame or series [n] or [n, m]
    tree_method : "exact" or "hist"
        Today's default "hist" puts splits at 256 quantiles only. It takes a half of the time at
        1000 points and an eighth at 5000, and leaves up to .03 less to orders above `max_order`.
    progress : bool or str
        Shows a bar of ensembles of trees, one per depth and output (needs tqdm).

    Examples
    --------
    >>> import torch
    >>> from interactions.anova import released_distillation
    >>> x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    >>> bool(released_distillation(x, x[:, 0], max_order=2).share[0] > 0.9)
    True
    """
    x, y = _tensor("x", x), _tensor("y", y)
    points = x.cpu().numpy()
    columns = y.detach().reshape(len(x), -1).T.cpu().numpy()
    rows = []
    with Bar(progress, unit="ensembles of trees") as bar:
        bar.within(len(columns) * max_order)
        for i, column in enumerate(columns):
            fits = [np.zeros_like(column)]
            for depth in range(1, max_order + 1):
                trees = released_trees(points, column, depth=depth, tree_method=tree_method)
                fits.append(trees.predict(points).astype(np.float64))
                bar.at(i * max_order + depth)
            fits.append(column)
            rows.append([np.var(b - a) for a, b in itertools.pairwise(fits)])
    variance = np.array(rows)
    return OrderSpectrum.known(
        variance if y.ndim == 2 else variance[0],
        error=np.nan,
        share_error=np.nan,
        method=f"boosted trees as released ({tree_method}, in-sample, biased, no standard error)",
        evaluations=len(x),
        converged=False,
    )


def released_trees(
    x: np.ndarray, y: np.ndarray, *, depth: int, tree_method: Literal["exact", "hist"] = "exact"
) -> XGBRegressor:
    """The 1000 trees of one depth that `released_distillation` fits to answers [n] at points.

    Points x are [n, d]. What the trees hold themselves, `tree_spectrum` tells exactly.

    Examples
    --------
    >>> import numpy as np
    >>> from interactions.anova import released_trees
    >>> x = np.random.default_rng(0).random((50, 2))
    >>> released_trees(x, x[:, 0], depth=1).predict(x).shape
    (50,)
    """
    try:
        from xgboost import XGBRegressor
    except ImportError as error:
        raise ImportError(
            'method "distillation" needs XGBoost: pip install "interactions[xgboost]", or '
            "xgboost-cpu, which has the same import"
        ) from error
    return XGBRegressor(
        max_depth=depth,
        n_estimators=TREES,
        learning_rate=LEARNING_RATE,
        tree_method=tree_method,
        n_jobs=torch.get_num_threads(),
    ).fit(x, y)


def held_out_distillation(
    x: object,
    y: object,
    *,
    max_order: int = 3,
    folds: int = 5,
    trees: int = 300,
    seed: int = 0,
    progress: bool | str = False,
) -> OrderSpectrum:
    """Variance explained by trees of depth <= k on points they were not fit to, order by order.

    Cross-fitted: every point is predicted by trees fit to the other folds. V_k is what depth k
    explains beyond depth k - 1, and everything above is what depth max_order leaves. Standard
    errors are those of the points given the trees: they leave out that another sample grows other
    trees, and what the best function of an order explains beyond trees (see the module's text).

    Parameters
    ----------
    x : tensor, array or data frame [n, d]
        Points as they come in the data, dependent or not.
    y : tensor, array or series [n]
        A network's answers there, or the data's target.
    folds, trees : int
    progress : bool or str
        Shows a bar of ensembles of trees, one per depth and fold (needs tqdm).

    Examples
    --------
    >>> import torch
    >>> from interactions.anova import held_out_distillation
    >>> x = torch.rand(400, 2, generator=torch.Generator().manual_seed(0))
    >>> bool(held_out_distillation(x, x[:, 0], max_order=2).share[0] > 0.9)
    True
    """
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.model_selection import KFold

    points, target = (
        _tensor(n, a).detach().cpu().double().numpy() for n, a in (("x", x), ("y", y))
    )
    if points.ndim != 2 or target.shape != (len(points),):
        raise ValueError(f"needs x [n, d] and y [n], got {points.shape} and {target.shape}")
    if not (np.isfinite(points).all() and np.isfinite(target).all()):
        raise ValueError("the points or the values hold NaN or infinity")
    check_order(max_order, points.shape[1])
    if not 2 <= folds <= len(points):
        raise ValueError(f"folds must lie between 2 and the number of points, got {folds}")
    losses = np.empty((max_order + 1, len(target)))
    cuts = KFold(folds, shuffle=True, random_state=seed).split(points)
    with Bar(progress, unit="ensembles of trees") as bar:
        bar.within(folds * max_order)
        for fold, (fit, rest) in enumerate(cuts):
            losses[0, rest] = (target[rest] - target[fit].mean()) ** 2
            for depth in range(1, max_order + 1):
                model = HistGradientBoostingRegressor(
                    max_depth=depth,
                    max_leaf_nodes=None,
                    max_iter=trees,
                    early_stopping=False,
                    random_state=seed,
                )
                prediction = model.fit(points[fit], target[fit]).predict(points[rest])
                losses[depth, rest] = (target[rest] - prediction) ** 2
                bar.at(fold * max_order + depth)
    parts = np.vstack([losses[:-1] - losses[1:], losses[-1:]])
    variance, total = parts.mean(axis=1), losses[0].mean()
    if total <= (8 * np.finfo(float).eps * np.abs(target).max()) ** 2:
        return OrderSpectrum.known(np.zeros(max_order + 1), method="held-out boosted trees")
    n = len(target)
    ratio = (parts - (variance / total)[:, None] * losses[0]) / total
    df = np.full(max_order + 1, n - 1.0)
    return OrderSpectrum(
        variance=variance,
        standard_error=parts.std(axis=1, ddof=1) / np.sqrt(n),
        share=variance / total,
        share_standard_error=ratio.std(axis=1, ddof=1) / np.sqrt(n),
        degrees_of_freedom=df,
        share_degrees_of_freedom=df,
        cumulative_standard_error=np.cumsum(ratio, axis=0).std(axis=1, ddof=1) / np.sqrt(n),
        cumulative_degrees_of_freedom=df,
        method=f"held-out boosted trees ({folds} folds; low orders are lower bounds)",
        evaluations=n,
        converged=True,
    )


def _tensor(name: str, values: object) -> Tensor:
    """Points or values as a tensor; TypeError where a function or a distribution was given."""
    if callable(values) or isinstance(values, Inputs):
        raise TypeError(
            f"{name} must be an array of numbers, got {type(values).__name__}: distillation takes "
            "points and values there, x = inputs.sample(1000, generator=0) and y = f(x)"
        )
    return values if isinstance(values, Tensor) else torch.as_tensor(numbers(values, name))
