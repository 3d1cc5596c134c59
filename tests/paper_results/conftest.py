"""Stored and published tables as pandas reads them, with no code of the package between."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pandas as pd
import pytest

RESULTS = Path(__file__).parents[2] / "paper_results"
Read = Callable[[str], pd.DataFrame]


@pytest.fixture(scope="session")
def stored() -> Read:
    """Reads a stored run by its folder; orders are text, as ">3" is one of them."""

    @cache
    def read(folder: str) -> pd.DataFrame:
        (path,) = (RESULTS / "reproduced" / folder).glob("table.csv*")
        table = pd.read_csv(path, dtype={"order": str})
        if "order" in table:
            table["order"] = table["order"].str.removesuffix(".0")
        return table

    return lambda folder: read(folder).copy()


@pytest.fixture(scope="session")
def printed() -> Read:
    """Reads what the paper printed, by the name of its file."""
    return lambda name: pd.read_csv(RESULTS / "published" / f"{name}.csv", dtype={"order": str})
