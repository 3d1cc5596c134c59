"""The explorer's page, from the stored tables: `python -m paper_results.renew` writes it.

It holds its numbers and all that draws them (page.html beside this file).
"""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd

from ..told.tables import stored

TEMPLATE = Path(__file__).with_name("page.html")
PAGE = "explorer.html"
HERE = "/* DATA */"
Rows = list[dict[str, object]]


def page() -> str:
    """The page with the numbers of the stored tables."""
    data = {"decay": decay(), "noise": noise(), "regularizers": regularizers()}
    # A tag within a text would end the script.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    return TEMPLATE.read_text(encoding="utf-8").replace(HERE, text)


def decay() -> Rows:
    """What networks keep of each order at each rate, with its standard error."""
    t = stored("decay_law-controlled-paper")
    return _rows(t, ["target", "order", "rate"], "amplitude")


def noise() -> Rows:
    """Shares by order of what networks learn of noise, and their mean total."""
    t = stored("pure_noise-controlled-paper")
    keys = ["width", "placement", "rate", "after"]
    total = t.groupby([*keys, "repeat"])["variance"].sum().groupby(level=keys).mean()
    rows = _rows(t, [*keys, "order"], "share")
    return [row | {"total": _short(total[tuple(row[k] for k in keys)])} for row in rows]


def regularizers() -> Rows:
    """Variances by order under each regularizer and strength."""
    t = stored("regularizers-controlled-paper")
    t = t[t["quantity"] == "variance"]
    return _rows(t, ["target", "steps", "regularizer", "strength", "order"], "value")


def _rows(t: pd.DataFrame, keys: list[str], value: str) -> Rows:
    """Means over repeats with standard errors, unknown from a single one."""
    groups = t.groupby(keys, sort=False)[value]
    table = groups.agg(["mean", "sem"]).reset_index()
    return [
        {**{k: row[k] for k in keys}, "mean": _short(row["mean"]), "error": _short(row["sem"])}
        for row in table.to_dict("records")
    ]


def _short(value: float) -> float | None:
    """Four digits, which no picture shows more of."""
    return None if pd.isna(value) else float(f"{value:.4g}")
