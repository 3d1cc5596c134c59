"""The mean of a U-statistic over pairs of blocks of points, and how sure it is."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

BLOCKS = 64
"""Blocks of points. More make steadier errors and use more of the pairs: 63/64 of them here."""


class ArrayMean(NamedTuple):
    """Mean of a symmetric array over pairs, the squared error of this mean, its df, each [..].

    `linear` and `quadratic` are the error's two parts, the linear one two standard errors lower:
    with few points it is mostly noise, and extrapolates to far too many.
    """

    mean: np.ndarray
    error: np.ndarray
    df: np.ndarray
    linear: np.ndarray
    quadratic: np.ndarray


def array_mean(h: np.ndarray) -> ArrayMean:
    """Mean and error of a U-statistic from its values h_ab on pairs of blocks, [..., B, B].

    h_ab = V + l_a + l_b + e_ab with independent l, and e of mean zero given either block
    (Hoeffding 1948), so the mean has variance 4 var(l) / B + 2 var(e) / (B (B - 1)). Both are
    estimated without bias by the two-way analysis of variance of the symmetric array.
    """
    blocks = h.shape[-1]
    off = ~np.eye(blocks, dtype=bool)
    h = np.where(off, h, 0.0)
    mean = h.sum(axis=(-1, -2)) / (blocks * (blocks - 1))
    centred = np.where(off, h - mean[..., None, None], 0.0)
    # Least squares for h_ab = V + l_a + l_b with sum of l zero.
    effect = centred.sum(axis=-1) / (blocks - 2)
    rest = np.where(off, centred - effect[..., :, None] - effect[..., None, :], 0.0)
    pairs_df = blocks * (blocks - 3) / 2
    var_e = (rest**2).sum(axis=(-1, -2)) / 2 / pairs_df
    # E sum of effect^2 / (B - 1) = var(l) + var(e) / (B - 2).
    spread = (effect**2).sum(axis=-1) / (blocks - 1)
    var_l = np.maximum(spread - var_e / (blocks - 2), 0.0)
    parts = np.stack([4 * var_l / blocks, 2 * var_e / (blocks * (blocks - 1))], axis=-1)
    error = parts.sum(axis=-1)
    weights = (parts**2 / np.array([blocks - 1, pairs_df])).sum(axis=-1)
    df = np.where(weights > 0, error**2 / np.where(weights > 0, weights, 1.0), np.inf)
    noise = 2 * math.sqrt(2 / (blocks - 1)) * spread
    linear = np.maximum(var_l - noise, 0.0) * 4 / blocks
    return ArrayMean(mean, error, df, linear, parts[..., 1])
