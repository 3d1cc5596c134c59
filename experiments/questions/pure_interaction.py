"""How much of the product X1·X2 is an interaction, where the inputs depend on each other?

The paper's Fig A.1: the product on a grid of 16x16 cells over [-1, 1]^2, weighted by a clipped
normal distribution, split into pure parts (interactions.anova.purify). `released` draws a million
points with covariance [[.5, rho], [rho, .5]], as the notebook does; at rho = .99 no distribution
has that covariance, and what numpy draws instead has correlation .5. `controlled` takes
.5 [[1, rho], [rho, 1]], whose correlation is rho, and the exact weight of every cell.

The notebook's companion for three dimensions does not sum back to its table: a loop variable is
overwritten, and parts that should be added up are assigned. Part "cube" of the table says by how
much, after a description of that code; with the loop variable mended it still does not.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
from scipy import stats

from interactions.anova import purify

from ..running.context import Context

QUESTION = "How much of X1·X2 is an interaction, where the inputs depend on each other?"
VARIANCE = 0.5


@dataclass(frozen=True)
class Settings:
    """`points` are drawn per repeat; 0 takes the exact weight of every cell.

    `rhos` are off-diagonal covariances where points are drawn, correlations where they are not.
    """

    rhos: tuple[float, ...] = (0.01, 0.99)
    cells: int = field(default=16, metadata={"range": "[2, 1e4]"})
    repeats: int = 3
    points: int = field(default=1_000_000, metadata={"range": "[0, 1e7]"})

    def __post_init__(self) -> None:
        if not self.points and max(map(abs, self.rhos)) >= 1:
            raise ValueError(f"correlations must lie between -1 and 1, got {self.rhos}")


CONTROLLED = Settings(rhos=(0.01, 0.5, 0.9, 0.99), repeats=1, points=0)
TINY = Settings(rhos=(0.1, 0.9), cells=4, repeats=2, points=10_000)
PRESETS = {
    ("released", "tiny"): TINY,
    ("released", "quick"): Settings(),
    ("released", "paper"): Settings(repeats=10),
    ("controlled", "tiny"): replace(TINY, points=0),
    ("controlled", "quick"): CONTROLLED,
    ("controlled", "paper"): CONTROLLED,
}


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per cell of the square, and one per scheme for the cube."""
    s = settings
    rows = []
    for repeat, seed in enumerate(context.seeds(s.repeats)):
        for rho in s.rhos:
            rng = np.random.default_rng([seed, round(1000 * rho)])
            weights, correlation = _drawn(s, rho, rng) if s.points else _exact(s, rho)
            cell = {"part": "square", "rho": rho, "repeat": repeat, "correlation": correlation}
            rows += [cell | values for values in _square(weights)]
        cube = np.random.default_rng(seed).normal(size=(5, 6, 7))
        rows += [{"part": "cube", "repeat": repeat} | values for values in _cube(cube)]
    return pd.DataFrame(rows)


def _drawn(s: Settings, rho: float, rng: np.random.Generator) -> tuple[np.ndarray, float]:
    """Weights of the cells by counting, and the correlation before clipping."""
    covariance = [[VARIANCE, rho], [rho, VARIANCE]]
    with warnings.catch_warnings():
        # "covariance is not positive-semidefinite": that is what is shown here.
        warnings.simplefilter("ignore", RuntimeWarning)
        x = rng.multivariate_normal([0.0, 0.0], covariance, size=s.points)
    edges = np.linspace(-1.0, 1.0, s.cells + 1)
    counts, _, _ = np.histogram2d(*x.clip(-1, 1).T, bins=(edges, edges))
    return counts, np.corrcoef(x.T)[0, 1]


def _exact(s: Settings, rho: float) -> tuple[np.ndarray, float]:
    """Weights of the cells by integrating one conditional normal against the other marginal."""
    # Clipping moves what lies beyond the edges into the outermost cells.
    edges = np.linspace(-1.0, 1.0, s.cells + 1) / math.sqrt(VARIANCE)
    edges[0], edges[-1] = -np.inf, np.inf
    inner = np.concatenate([[-9.0], edges[1:-1], [9.0]])
    t, w = np.polynomial.legendre.leggauss(64)
    weights = np.empty((s.cells, s.cells))
    for i in range(s.cells):
        # Narrow panels, for the conditional is as narrow as the root of 1 - rho^2.
        panels = np.linspace(inner[i], inner[i + 1], 17)
        half = (panels[1] - panels[0]) / 2
        z = ((panels[:-1] + panels[1:]) / 2 + half * t[:, None]).ravel()
        density = half * np.repeat(w, 16) * stats.norm.pdf(z)
        below = stats.norm.cdf((edges[:, None] - rho * z) / math.sqrt(1 - rho**2))
        weights[i] = np.diff(below, axis=0) @ density
    return weights, rho


def _square(weights: np.ndarray) -> Iterator[dict[str, float]]:
    edges = np.linspace(-1.0, 1.0, len(weights) + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    raw = np.outer(middle, middle)
    split = purify(raw, weights)
    constant, first, second, pure = (split.parts[u] for u in ((), (0,), (1,), (0, 1)))
    for i, j in np.ndindex(raw.shape):
        yield {
            "x1": middle[i],
            "x2": middle[j],
            "weight": split.weights[i, j],
            "raw": raw[i, j],
            "constant": float(constant),
            "main1": first[i],
            "main2": second[j],
            "pure": pure[i, j],
        }


def _cube(table: np.ndarray) -> Iterator[dict[str, object]]:
    """Largest difference between a table and the sum of its parts, relative to the table."""
    schemes = {
        "purify": purify(table).table(),
        "as released": _as_released(table, mended=False),
        "as released, loop variable mended": _as_released(table, mended=True),
    }
    for scheme, total in schemes.items():
        yield {"scheme": scheme, "gap": np.abs(total - table).max() / np.abs(table).max()}


def _as_released(table: np.ndarray, *, mended: bool) -> np.ndarray:
    """The sum of all parts when the slices along every axis are purified one after another.

    The parts of a slice are assigned, not added to what is there from other slices. Where not
    mended, a slice along the first axis is stored at the number of sweeps its purification took,
    which is 1 for cells of equal weight.
    """
    rest = table.copy()
    mains = [np.zeros(n) for n in table.shape]
    pairs = {
        (a, b): np.zeros((table.shape[a], table.shape[b])) for a, b in ((0, 1), (0, 2), (1, 2))
    }
    for axis in (2, 0, 1):
        low, high = (a for a in range(3) if a != axis)
        slices = np.moveaxis(rest, axis, 0)
        for k in range(table.shape[axis]):
            split = purify(slices[k])
            slices[k] = split.parts[0, 1]
            at = 1 if axis == 0 and not mended else k
            mains[axis][at] = split.parts[()]
            for other, part in ((low, split.parts[0,]), (high, split.parts[1,])):
                pair = pairs[min(axis, other), max(axis, other)]
                (pair if axis < other else pair.T)[at] = part
            slices[at] = split.parts[0, 1]
    total = rest
    for (a, b), pair in pairs.items():
        # Purifying a pair moves parts of it about, and adds these: its sum stays.
        total = total + np.expand_dims(pair, 3 - a - b)
    for axis, main in enumerate(mains):
        total = total + np.expand_dims(main, tuple(a for a in range(3) if a != axis))
    return total


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per rho: the correlation there is, and what share of the variance is a pure interaction.

    Pure parts are orthogonal to all functions of fewer inputs, so the mains (together, for they
    depend on each other) and the interaction share the variance between them. Then the cube.
    """
    rows = []
    square, cube = (table[table["part"] == part] for part in ("square", "cube"))
    for (rho, repeat), cells in square.groupby(["rho", "repeat"]):
        mains = _variance(cells, cells["main1"] + cells["main2"])
        pure = _variance(cells, cells["pure"])
        rows.append(
            {
                "rho": rho,
                "repeat": repeat,
                "correlation": cells["correlation"].iloc[0],
                "variance": mains + pure,
                "pure_share": pure / (mains + pure),
                "largest_main": cells[["main1", "main2"]].abs().max(axis=None),
            }
        )
    groups = pd.DataFrame(rows).groupby("rho")
    out = groups.mean().drop(columns="repeat")
    out["pure_share_error"] = groups["pure_share"].sem()
    gaps = cube.groupby("scheme", sort=False)["gap"].mean().rename("gap_of_sum").reset_index()
    return pd.concat([out.reset_index(), gaps])


def _variance(cells: pd.DataFrame, values: pd.Series) -> float:
    mean = (cells["weight"] * values).sum()
    return (cells["weight"] * (values - mean) ** 2).sum()
