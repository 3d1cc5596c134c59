"""Published numbers, and what was reproduced beside them."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

PUBLISHED = Path(__file__).parent / "published"
STORED = Path(__file__).parent / "reproduced"
"""Runs that verdicts rest on."""


def published(name: str) -> pd.DataFrame:
    """Published numbers of one item, such as "fig1"; published/README.md says how each was read.

    Raises ValueError, naming the items there are, for any other name.
    """
    names = sorted(path.stem for path in PUBLISHED.glob("*.csv"))
    if name not in names:
        raise ValueError(f"nothing published is called {name!r}: choose from {names}")
    return pd.read_csv(PUBLISHED / f"{name}.csv")
