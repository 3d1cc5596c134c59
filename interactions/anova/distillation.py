"""The paper's measurement: boosted trees of growing depth, fit to a network's answers.

A tree of depth k splits on at most k inputs, so a sum of such trees holds interactions of order
k at most. The paper reads off the variance of p_1, p_1 - p_2, p_2 - p_3 and f - p_3, where p_k is
an ensemble of depth-k trees fit to f, on the points it was fit to. Two things make this
misleading, and it is here to stand beside the unbiased spectra: trees interpolate their own
points, so little is ever left above depth 3; and the successive differences are not orthogonal,
so the parts do not sum to the variance of f.
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
from torch import Tensor

from ..spectrum import OrderSpectrum
from ._evaluate import Evaluator

DEFAULT_BUDGET = 1000
TREES = 1000
LEARNING_RATE = 0.1
"""XGBoost's default before version 1.0, under which the paper's numbers come out; .3 since."""


def distillation_spectrum(
    evaluate: Evaluator, *, max_order: int, budget: int | None, seed: int
) -> OrderSpectrum:
    """`released_distillation` at `budget` fresh points (default 1000, the paper's number)."""
    x = evaluate.inputs.sample(budget or DEFAULT_BUDGET, generator=seed, dtype=evaluate.dtype).to(
        evaluate.device
    )
    y = evaluate(x)
    spectrum = released_distillation(x, y, max_order=max_order)
    return spectrum if evaluate.outputs is not None else spectrum.output(0)


def released_distillation(x: Tensor, y: Tensor, *, max_order: int = 3) -> OrderSpectrum:
    """Spectrum as the paper's released code reads it off given points and answers.

    Needs the `xgboost` extra. 1000 trees per depth, learning rate .1, everything else XGBoost's
    default, fit and read on the same points. No standard error is known: those are NaN.

    Parameters
    ----------
    x : tensor [n, d]
    y : tensor [n] or [n, m]
    """
    try:
        from xgboost import XGBRegressor
    except ImportError as error:
        raise ImportError(
            'method "distillation" needs XGBoost: pip install "interactions[xgboost]", or '
            "xgboost-cpu, which has the same import"
        ) from error
    points = x.cpu().numpy()
    columns = y.detach().reshape(len(x), -1).T.cpu().numpy()
    rows = []
    for column in columns:
        fits = [np.zeros_like(column)]
        for depth in range(1, max_order + 1):
            trees = XGBRegressor(
                max_depth=depth,
                n_estimators=TREES,
                learning_rate=LEARNING_RATE,
                n_jobs=torch.get_num_threads(),
            )
            fits.append(trees.fit(points, column).predict(points).astype(np.float64))
        fits.append(column)
        rows.append([np.var(b - a) for a, b in itertools.pairwise(fits)])
    variance = np.array(rows)
    return OrderSpectrum.known(
        variance if y.ndim == 2 else variance[0],
        error=np.nan,
        share_error=np.nan,
        method="boosted trees as released (in-sample, biased, no standard error)",
        evaluations=len(x),
        converged=False,
    )
