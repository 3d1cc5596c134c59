"""Tables as CSV: one that is read back is the one that was written, types and all."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Mapping, Sequence

import pandas as pd

WHOLE = r"-?\d+"


def encode(table: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """A table as CSV, and the types of its columns: `decode` gives the same, bit for bit.

    Raises
    ------
    TypeError
        If it would not, as with columns that mix types.
    """
    table = table.reset_index(drop=True)
    text = table.to_csv(index=False, lineterminator="\n")
    types = {name: str(kind) for name, kind in table.dtypes.items()}
    try:
        same = decode(text, types).equals(table)
    except (KeyError, TypeError, ValueError):
        same = False
    if not same:
        raise TypeError(
            "a table must come back from CSV as it was, so its columns must be named by texts and "
            f"hold bools, ints, floats or texts that are not empty, not a mixture: {types}"
        )
    return text, types


def decode(text: str, types: Mapping[str, str]) -> pd.DataFrame:
    """The table that `encode` made a text and types of.

    Raises KeyError or ValueError where they do not belong together.
    """
    try:
        # By hand: how exactly pandas reads floats depends on its version.
        names, *rows = csv.reader(io.StringIO(text, newline=""))
        columns = zip(*rows, strict=True) if rows else [()] * len(names)
        return pd.DataFrame(
            {n: _column(c, types[n]) for n, c in zip(names, columns, strict=True)}, columns=names
        )
    except (csv.Error, OverflowError, TypeError) as error:
        raise ValueError(f"no table of these types: {error}") from error


def infer(text: str) -> pd.DataFrame:
    """The table of a run that was stored without types, as pandas reads it.

    Whole numbers with gaps were texts, as orders are: floats are written 1.0.
    """
    table = pd.read_csv(io.StringIO(text))
    texts = pd.read_csv(io.StringIO(text), dtype=str)
    for name, column in texts.items():
        known = column.dropna()
        if table[name].dtype == "float64":
            # Before pandas 3.1 its own parser is off by a last digit.
            table[name] = column.map(float).astype("float64")
        if 0 < len(known) < len(column) and known.str.fullmatch(WHOLE).all():
            table[name] = column
    return table


def _column(values: Sequence[str], kind: str) -> pd.Series:
    if kind.startswith("float"):
        return pd.Series([float(v) if v else math.nan for v in values], dtype=kind)
    if kind.startswith(("int", "uint")):
        return pd.Series([int(v) for v in values], dtype=kind)
    if kind == "bool":
        return pd.Series([v == "True" for v in values], dtype=kind)
    return pd.Series([v or math.nan for v in values], dtype=kind)
