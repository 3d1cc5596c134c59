"""Weighted functional ANOVA of a table: what is a pure interaction when inputs are dependent.

With weights w over the cells (the inputs' joint distribution) the table is a sum of parts f_u,
one per subset of its axes, each pure: its mean over any one of its own axes, weighted by the
marginal of w on u, is zero wherever the other axes of u stand. For independent axes that is the
usual functional ANOVA. Hooker, J. Comput. Graph. Stat. 16 (2007); Lengerich et al., *Purifying
Interaction Effects with the Functional ANOVA*, AISTATS 2020.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse.linalg import LinearOperator, lsmr

from ..plots import bars_or_lines
from ..printing import aligned, html_table
from ..saving import Saved

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Subset = tuple[int, ...]


@dataclass(frozen=True)
class Purified(Saved):
    """A table as a sum of pure parts.

    Attributes
    ----------
    parts : mapping from subset of axes to array
        Every subset, () the constant; the array of subset u has the axes of u in their order.
    weights : array
        The table's weights, normalised to sum 1.

    Examples
    --------
    >>> import numpy as np
    >>> from interactions.anova import purify
    >>> purify(np.array([[0.0, 0.0], [0.0, 1.0]])).to_frame()["order"].tolist()
    [1, 1, 2]
    """

    parts: Mapping[Subset, np.ndarray]
    weights: np.ndarray

    def table(self) -> np.ndarray:
        """The sum of all parts: the original table, to rounding."""
        return sum(
            (_spread(part, u, self.weights.ndim) for u, part in self.parts.items()),
            start=np.zeros(self.weights.shape),
        )

    def variance(self, subset: Subset) -> float:
        """Weighted variance of one part. With dependent axes these need not sum to the total."""
        return float((_marginal(self.weights, subset) * self.parts[subset] ** 2).sum())

    def impurity(self) -> float:
        """Largest weighted mean of any part along any of its axes, in units of the table."""
        worst = 0.0
        for u, part in self.parts.items():
            w = _marginal(self.weights, u)
            for axis in range(len(u)):
                worst = max(worst, np.abs(_mean_along(part, w, axis)).max())
        return worst

    def to_frame(self) -> pd.DataFrame:
        """One row per subset of axes but the constant: subset, order, variance."""
        subsets = sorted((u for u in self.parts if u), key=lambda u: (len(u), u))
        return pd.DataFrame(
            {
                "subset": subsets,
                "order": [len(u) for u in subsets],
                "variance": [self.variance(u) for u in subsets],
            }
        )

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the variance of every part, exact for the table and so without an interval.

        Returns the axes, new ones by default. Needs matplotlib.
        """
        frame = self.to_frame()
        return bars_or_lines(
            frame["variance"].to_numpy()[None],
            None,
            [", ".join(map(str, u)) for u in frame["subset"]],
            xlabel="axes of the part",
            ylabel="variance",
            ax=ax,
        )

    def _rows(self) -> list[list[str]]:
        rows = [["axes", "variance"]]
        for row in self.to_frame().itertuples():
            rows.append([", ".join(map(str, row.subset)), f"{row.variance:.4g}"])
        return rows

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.weights.shape))
        return f"Purified(table {shape}, {len(self.parts)} parts, impurity {self.impurity():.1e})"

    def __str__(self) -> str:
        return "\n".join([repr(self), *aligned(self._rows())])

    def _repr_html_(self) -> str:
        return html_table(repr(self), self._rows())


def purify(
    table: np.ndarray, weights: np.ndarray | None = None, *, tolerance: float = 1e-10
) -> Purified:
    """Split a table of any number of dimensions into its pure parts.

    From the largest subset down: what functions of fewer axes explain of a part, by weighted
    least squares, is moved to them; the rest is pure. The parts always sum back to the table,
    whatever the tolerance.

    Parameters
    ----------
    table : array [n_1, .., n_d]
    weights : array of the same shape, optional
        Not negative, not all zero; equal by default. Cells of weight zero keep their values: what
        no weight determines stays with the largest subset.
    tolerance : float
        Largest weighted mean left in a part, relative to the table's largest magnitude.

    Raises
    ------
    ValueError
        For other shapes, NaN, negative or vanishing weights, or where the tolerance is not
        reached.

    Examples
    --------
    >>> import numpy as np
    >>> from interactions.anova import purify
    >>> round(float(purify(np.array([[0.0, 0.0], [0.0, 1.0]])).variance((0, 1))), 4)
    0.0625
    """
    table = np.asarray(table, dtype=np.float64)
    weights = np.ones_like(table) if weights is None else np.asarray(weights, dtype=np.float64)
    if table.ndim == 0 or table.size == 0 or weights.shape != table.shape:
        raise ValueError(
            "needs a table of one or more dimensions and weights of the same shape; got "
            f"{table.shape} and {weights.shape}"
        )
    if not (np.isfinite(table).all() and np.isfinite(weights).all()):
        raise ValueError("the table or its weights hold NaN or infinity")
    if weights.min() < 0 or weights.sum() <= 0:
        raise ValueError("weights must not be negative, and not all zero")
    weights = weights / weights.sum()
    axes = tuple(range(table.ndim))
    parts: dict[Subset, np.ndarray] = {
        u: np.zeros(tuple(table.shape[j] for j in u))
        for k in range(table.ndim, -1, -1)
        for u in combinations(axes, k)
    }
    parts[axes] = table.copy()
    for u in parts:
        if u:
            explained = _explained_by_fewer(parts[u], _marginal(weights, u))
            for axis, lower in enumerate(explained):
                parts[u] = parts[u] - np.expand_dims(lower, axis)
                parts[u[:axis] + u[axis + 1 :]] += lower
    result = Purified(parts, weights)
    scale = max(np.abs(table).max(), np.finfo(float).tiny)
    if result.impurity() > tolerance * scale:
        raise ValueError(
            f"parts are pure to {result.impurity() / scale:.1e} of the table only, not "
            f"{tolerance:.1e}: the weights are close to degenerate; raise the tolerance"
        )
    return result


def _explained_by_fewer(part: np.ndarray, weights: np.ndarray) -> list[np.ndarray]:
    """For each axis a table without it, so that their sum is the weighted projection of `part`."""
    shapes = [part.shape[:a] + part.shape[a + 1 :] for a in range(part.ndim)]
    sizes = [int(np.prod(s)) for s in shapes]
    # Scaling by each cell's weight makes the least-squares problem well conditioned.
    roots = [np.sqrt(weights.sum(axis=a)) for a in range(part.ndim)]
    scale = [np.where(r > 0, 1 / np.where(r > 0, r, 1), 0.0) for r in roots]
    root = np.sqrt(weights)

    def unpack(flat: np.ndarray) -> list[np.ndarray]:
        pieces = np.split(flat, np.cumsum(sizes)[:-1])
        return [s * p.reshape(shape) for s, p, shape in zip(scale, pieces, shapes, strict=True)]

    def forward(flat: np.ndarray) -> np.ndarray:
        return (root * sum(np.expand_dims(p, a) for a, p in enumerate(unpack(flat)))).ravel()

    def backward(cells: np.ndarray) -> np.ndarray:
        weighted = root * cells.reshape(part.shape)
        return np.concatenate([(s * weighted.sum(axis=a)).ravel() for a, s in enumerate(scale)])

    operator = LinearOperator(
        (part.size, sum(sizes)), matvec=forward, rmatvec=backward, dtype=np.float64
    )
    lower = [np.zeros(s) for s in shapes]
    left = part
    # A second solve for what the first left over gains the digits its stopping rule gives away.
    for _ in range(3):
        solution = lsmr(
            operator, (root * left).ravel(), atol=1e-15, btol=1e-15, conlim=0, maxiter=20_000
        )[0]
        step = unpack(solution)
        lower = [a + b for a, b in zip(lower, step, strict=True)]
        left = left - sum(np.expand_dims(p, a) for a, p in enumerate(step))
    return lower


def _marginal(weights: np.ndarray, subset: Subset) -> np.ndarray:
    return weights.sum(axis=tuple(j for j in range(weights.ndim) if j not in subset))


def _mean_along(part: np.ndarray, weights: np.ndarray, axis: int) -> np.ndarray:
    total = weights.sum(axis=axis)
    return (part * weights).sum(axis=axis) / np.where(total > 0, total, 1.0)


def _spread(part: np.ndarray, subset: Subset, ndim: int) -> np.ndarray:
    return np.expand_dims(part, tuple(j for j in range(ndim) if j not in subset))
