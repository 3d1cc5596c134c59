"""Stored and published tables as pandas reads them, with no code of evidence between.

So what pages tell of them is computed a second time, beside the numbers that verdicts rest on.
"""

from __future__ import annotations

from functools import cache

import pandas as pd

from .. import PUBLISHED, STORED


@cache
def _read(folder: str) -> pd.DataFrame:
    (path,) = (STORED / folder).glob("table.csv*")
    table = pd.read_csv(path, dtype={"order": str})
    if "order" in table:
        table["order"] = table["order"].str.removesuffix(".0")
    return table


def stored(folder: str) -> pd.DataFrame:
    """The table of a stored run, by its folder; orders are text, as ">3" is one of them."""
    return _read(folder).copy()


def printed(name: str) -> pd.DataFrame:
    """What the paper printed, by the name of its file; orders are text."""
    return pd.read_csv(PUBLISHED / f"{name}.csv", dtype={"order": str})


def rows(t: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Rows with these values, a list meaning any of them, of which there must be some."""
    for column, value in wanted.items():
        t = t[t[column].isin(value if isinstance(value, list) else [value])]
    if not len(t):
        raise ValueError(f"no row of the stored table has {wanted}")
    return t
