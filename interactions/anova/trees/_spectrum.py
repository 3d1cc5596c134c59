"""The one call that tells the spectrum of a tree ensemble exactly."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...inputs import Inputs, check_order
from ...spectrum import OrderSpectrum
from .._caveat import with_caveat
from . import _every_pair, _lattice, _sampled
from ._leaves import Leaves, leaves_of, place
from ._reading import read, read_sum
from ._structure import Reading, UnreadableModelError

MOST_PRODUCTS = 2**34
"""Products of pairs of leaves that are formed by default: about a minute."""
DEFAULT_PAIRS = 2**20
"""Pairs of leaves that are drawn by default, where there are more."""
CHECKS = 256
"""Points at which the trees are compared with the model's own output."""
AGREE = 1e-5
"""How far these may differ, in units of the largest value: libraries add up in float32."""
ROUNDING = 1e-13
"""Error of the exact variances, in units of the square of the trees' added standard deviations."""


def tree_spectrum(
    model: object,
    inputs: Inputs,
    *,
    max_order: int = 3,
    missing: Mapping[int, float] | None = None,
    most_products: int = MOST_PRODUCTS,
    pairs: int = DEFAULT_PAIRS,
    memory: int = 2**28,
    seed: int = 0,
) -> OrderSpectrum:
    """Variance of a tree ensemble by interaction order, exact under independent inputs.

    Parameters
    ----------
    model : fitted tree ensemble, or a list of them
        XGBoost (gbtree, DART), LightGBM, scikit-learn's decision trees, random and extra forests,
        gradient boosting and histogram gradient boosting, or InterpretML's EBM. What is measured
        is the sum of trees: the raw margin of boosted models, before the link (log-odds of a
        classifier), and the probability of each class of scikit-learn's trees and forests (of two
        classes that of the second); `method` says which.
    inputs : Inputs
        Distribution of the d inputs. Categories are the numbers that the model was trained on.
    max_order : int
        Orders 1 .. max_order are told apart; the rest is one number.
    missing : mapping of columns to probabilities, optional
        Inputs that are missing (NaN) with this probability, independently of the others, and else
        distributed as `inputs` says. By default none is ever missing.
    most_products : int
        Products of pairs of leaves that are formed at most (default 2^34, about a minute). Models
        that need more have pairs of leaves drawn instead, without bias and with standard errors.
    pairs : int
        How many pairs are drawn then (default 2^20).
    memory : int
        Working memory in bytes (default 2^28), the model's own arrays not included.
    seed : int
        The same seed gives the same result.

    Returns
    -------
    OrderSpectrum
        Arrays of shape [max_order + 1], or [m, max_order + 1] for m outputs. Where pairs were not
        drawn the standard error is a bound on rounding. `evaluations` counts the points at which
        the trees as read were compared with the model's own output.

    Raises
    ------
    UnreadableModelError
        A TypeError: for models whose splits are not understood, linear boosters, linear trees and
        vectors at leaves among them, and where the trees as read do not give the model's output.
    ValueError
        For orders above d, inputs of another dimension than the model's, and inputs whose numbers
        stand for other values (categories, dates of a data frame).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.tree import DecisionTreeRegressor
    >>> from interactions import Empirical
    >>> from interactions.anova import tree_spectrum
    >>> x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    >>> model = DecisionTreeRegressor(random_state=0).fit(x, x[:, 0] * x[:, 1])
    >>> tree_spectrum(model, Empirical(x), max_order=2).share.round(3)
    array([0.667, 0.333, 0.   ])
    """
    if not isinstance(inputs, Inputs):
        raise TypeError(
            "inputs must be a distribution such as Uniform(-1.0, 1.0, dim=25) or Empirical(data), "
            f"got {type(inputs).__name__}"
        )
    if getattr(inputs, "encoded", False):
        raise ValueError(
            "columns of categories or dates stand for other values than the model's splits: give "
            "the inputs as the numbers that the model was trained on"
        )
    check_order(max_order, inputs.dim)
    missing = _probabilities(missing or {}, inputs.dim)
    reading = read_sum(model) if isinstance(model, list | tuple) else read(model)
    if reading.dim != inputs.dim:
        raise ValueError(f"the model has {reading.dim} inputs, the distribution {inputs.dim}")
    single = compare(reading, inputs, missing, seed)
    placed = place(reading.trees, inputs, missing)
    leaves = leaves_of(placed, memory)
    found = exact_sums(
        leaves,
        reading.output,
        max_order=max_order,
        most_products=most_products,
        memory=memory,
    )
    if found is None:
        blocks = _sampled.sampled_blocks(
            placed, leaves, max_order=max_order, pairs=pairs, seed=seed, memory=memory
        )
        found = _of_blocks(
            blocks,
            method=f"{pairs:,} random pairs of leaves of the model's {reading.output}",
            reason=f"exact variances would take more than {most_products:,} products",
        )
    return with_caveat(found.output(0) if single else found, inputs)


def exact_sums(
    leaves: Leaves, output: str, *, max_order: int, most_products: int, memory: int
) -> OrderSpectrum | None:
    """Exact spectrum by the cheaper way through pairs of leaves, arrays [m, max_order + 1].

    None where both take more than `most_products`.
    """
    by_pair = _every_pair.products(leaves, max_order)
    by_subset = _lattice.products(leaves, memory, min(by_pair, most_products))
    if min(by_pair, by_subset) > most_products:
        return None
    if by_subset < by_pair:
        variance = _lattice.variances(leaves, max_order, memory)
    else:
        variance = _every_pair.variances(leaves, max_order)
    how = f"exact sums over pairs of leaves of the model's {output}"
    return _exact(variance, leaves, method=how)


def _probabilities(missing: Mapping[int, float], dim: int) -> dict[int, float]:
    for column, probability in missing.items():
        if not (isinstance(column, (int, np.integer)) and 0 <= column < dim):
            raise ValueError(f"missing names column {column!r} of {dim}, numbered from 0")
        if not 0 <= probability <= 1:
            raise ValueError(f"column {column} is missing with probability {probability}")
    return {int(column): float(p) for column, p in missing.items()}


def compare(reading: Reading, inputs: Inputs, missing: Mapping[int, float], seed: int) -> bool:
    """Refuse trees that do not give the model's output; returns whether it is a single one.

    Half of the numbers that are split by a cut are put on one or right behind it, where a mistake
    about what goes left would show. Constants do not matter: no variance has them.
    """
    rng = np.random.default_rng(seed)
    trees = reading.trees
    x = inputs.sample(CHECKS, generator=int(rng.integers(2**62))).numpy().astype(np.float64)
    by_sets = {int(trees.feature[node]) for node in trees.pieces}
    for j in set(trees.feature[trees.feature >= 0].tolist()) - by_sets:
        cuts = trees.cut[(trees.feature == j) & np.isfinite(trees.cut)]
        if len(cuts):
            at = rng.choice(cuts, CHECKS)
            at = np.where(rng.random(CHECKS) < 0.5, at, np.nextafter(at, np.inf))
            x[:, j] = np.where(rng.random(CHECKS) < 0.5, at, x[:, j])
    for j, probability in missing.items():
        x[rng.random(CHECKS) < probability, j] = np.nan
    ours, its = trees(x), np.asarray(reading.predict(x.copy()), dtype=np.float64)
    off = ours - its.reshape(ours.shape)
    # The median constant: a few points on the wrong side must not move it.
    off = np.abs(off - np.median(off, axis=0))
    wrong = (off > AGREE * (np.abs(ours).max() + np.abs(its).max())).any(axis=1)
    if wrong.any():
        raise UnreadableModelError(
            f"the trees as read differ from the model's own output at {wrong.sum()} of {CHECKS} "
            f"points, by up to {off.max():.2g}: its splits are not understood"
        )
    return its.ndim == 1


def _exact(variance: np.ndarray, leaves: Leaves, *, method: str) -> OrderSpectrum:
    square = leaves.probability[:, None] * leaves.value**2
    size = [np.sqrt(np.bincount(leaves.tree, s)).sum() ** 2 for s in square.T]
    error = ROUNDING * np.array(size)[:, None]
    total = variance.sum(axis=1, keepdims=True)
    # A constant's variances are nothing but rounding.
    variance = np.where(total > error, variance, 0.0)
    share_error = error / np.where(total > error, total, 1.0)
    return OrderSpectrum.known(
        variance, error=error, share_error=share_error, method=method, evaluations=CHECKS
    )


def _of_blocks(blocks: np.ndarray, *, method: str, reason: str) -> OrderSpectrum:
    """Means of independent blocks [b, m, max_order + 1], and their errors."""
    b = len(blocks)
    variance, error = blocks.mean(axis=0), blocks.std(axis=0, ddof=1) / np.sqrt(b)
    total = variance.sum(axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where(total > 0, variance / total, np.nan)
        # To first order the error of a ratio is that of (part - share x whole).
        part = blocks - share * blocks.sum(axis=2, keepdims=True)
        share_error = part.std(axis=0, ddof=1) / np.sqrt(b) / total
    never = (blocks == 0).all(axis=0)
    df = np.full_like(variance, b - 1.0)
    return OrderSpectrum(
        variance=variance,
        # What no pair showed anything of is unknown.
        standard_error=np.where(never, np.nan, error),
        share=share,
        share_standard_error=np.where(never, np.nan, share_error),
        degrees_of_freedom=df,
        share_degrees_of_freedom=df,
        method=method,
        evaluations=CHECKS,
        converged=False,
        reason=reason,
    )
