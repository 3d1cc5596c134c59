"""A sweep as text that fits a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd

WIDTH = 100
"""Characters of a line at most; columns beyond it follow below."""


def rows(frame: pd.DataFrame, best: float) -> list[list[str]]:
    """The rows of `RateSweep.to_frame` as cells under a row of headings; shares in percent."""
    name = str(frame.columns[0])
    columns = {
        name: [f"{rate:g}" for rate in frame[name]],
        "error": cells(frame, "error"),
        "above best": [
            "best" if rate == best else cell
            for rate, cell in zip(frame[name], cells(frame, "above_best"), strict=True)
        ],
        "variance": cells(frame, "total"),
    }
    for share in frame.columns:
        if share.startswith("share_") and not share.endswith("_se"):
            columns[f"order {share.removeprefix('share_')}, %"] = cells(
                frame, share, times=100, most=2
            )
    return [[*columns], *map(list, zip(*columns.values(), strict=True))]


def table(cells: list[list[str]]) -> str:
    """Rows of cells as lines of at most WIDTH characters."""
    first, *others = (_aligned(column) for column in zip(*cells, strict=True))
    blocks = [first]
    for column in others:
        wider = [a + "  " + b for a, b in zip(blocks[-1], column, strict=True)]
        if len(wider[0]) > WIDTH and blocks[-1] != first:
            wider = [a + "  " + b for a, b in zip(first, column, strict=True)]
            blocks.append(wider)
        blocks[-1] = wider
    return "\n\n".join("\n".join(block) for block in blocks)


def cells(frame: pd.DataFrame, column: str, *, times: float = 1.0, most: int = 9) -> list[str]:
    """A column and its standard errors, each "mean ± error"."""
    pairs = zip(times * frame[column], times * frame[f"{column}_se"], strict=True)
    return [plus_minus(mean, error, most=most) for mean, error in pairs]


def plus_minus(mean: float, error: float, *, most: int = 9) -> str:
    """A number and its error, of `most` decimals at most; "?" stands for what is not known.

    The error has two digits up to .35, .035, .. and one above, as the Particle Data Group rounds.
    """
    if math.isnan(mean):
        return "?"
    if math.isnan(error):
        return f"{mean:.4g} ± ?"
    if error == 0:
        return f"{mean:.4g}"
    if (most > 5 and error < 1e-5) or abs(mean) >= 1e6:
        return f"{mean:.4g} ± {error:.1e}"
    exponent = math.floor(math.log10(error))
    digits = 1 if 3.55 <= error / 10**exponent < 9.5 else 2
    decimals = min(max(0, digits - 1 - exponent), most)
    return f"{mean:.{decimals}f} ± {max(error, 10**-decimals):.{decimals}f}"


def _aligned(column: Sequence[str]) -> list[str]:
    width = max(map(len, column))
    return [text.rjust(width) for text in column]
