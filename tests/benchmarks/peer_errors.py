"""What the rows of peers.csv say: errors against the truth, and who is ahead."""

from __future__ import annotations

import numpy as np
import pandas as pd

from tests.benchmarks.peer_functions import CASES, ORDERS

TRUTHS = ("truth: closed form", "truth: long run", "truth: mixed differences")
"""Methods of the rows that hold a function's truth, independent of each other."""
OURS = "this package, surrogate"
"""The method that peers are compared with; where it refuses a budget, the next."""
SMALL = "this package, from samples"
FEWEST = 5
"""Runs below which no error is told."""
SHARES = [f"share_{k}" for k in ORDERS]
STATED = [f"error_{k}" for k in ORDERS]


def errors(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per function, method and budget: errors, cost, and a note on what was not run.

    `error` is the root mean square over runs and the orders that are told (`told`), `spread` its
    standard error over runs; `error_1` and so on are those of each order. NaN with fewer than
    `FEWEST` runs.
    """
    found = []
    keys = ["function", "method", "budget"]
    measured = rows[~rows["method"].isin(TRUTHS)]
    for (function, method, budget), cell in measured.groupby(keys, sort=False):
        off = cell[SHARES].to_numpy(float) - truth(rows, function)[0]
        done = cell["evaluations"].notna().to_numpy()
        row = {"function": function, "method": method, "budget": int(budget)}
        row |= {"runs": int(done.sum()), "note": " ".join(filter(None, cell["note"]))}
        row |= {c: cell[c].median() for c in ("evaluations", "cpu_seconds", "wall_seconds")}
        if row["runs"] >= FEWEST:
            told = ~np.isnan(off[done]).any(axis=0)
            squares = off[done] ** 2
            each = squares[:, told].mean(axis=1)
            error = float(np.sqrt(each.mean()))
            spread = float(each.std(ddof=1) / np.sqrt(len(each)) / (2 * error)) if error else 0.0
            orders = np.where(told, np.sqrt(squares.mean(axis=0)), np.nan)
            row |= {"told": ", ".join(np.array(ORDERS)[told]), "error": error, "spread": spread}
            row |= dict(zip(STATED, orders, strict=True))
        found.append(row)
    columns = [*keys, "runs", "evaluations", "cpu_seconds", "wall_seconds"]
    return pd.DataFrame(found, columns=[*columns, "told", "error", "spread", *STATED, "note"])


def truth(rows: pd.DataFrame, function: str) -> tuple[np.ndarray, np.ndarray]:
    """Shares of a function and their standard errors, [4] each.

    Where there are two ways to them, their mean with weights of the inverse squared errors.
    """
    own = rows[(rows["function"] == function) & rows["method"].isin(TRUTHS)]
    share, error = own[SHARES].to_numpy(float), own[STATED].to_numpy(float)
    if len(own) == 1:
        return share[0], error[0]
    weight = 1 / error**2
    return (weight * share).sum(axis=0) / weight.sum(axis=0), weight.sum(axis=0) ** -0.5


def truths(rows: pd.DataFrame) -> pd.DataFrame:
    """A row per function: shares, their standard error, and how far two ways to them differ.

    `apart` is the largest difference, `in errors` the largest in standard errors of both.
    """
    found = []
    some = rows[rows["method"].isin(TRUTHS)]
    for function, own in some.groupby("function", sort=False):
        share, error = truth(rows, function)
        row = {"function": function, **dict(zip(ORDERS, share, strict=True))}
        row["standard error"] = error.max()
        if len(own) == 2:
            (a, b), (c, d) = own[SHARES].to_numpy(float), own[STATED].to_numpy(float)
            row |= {"apart": abs(a - b).max(), "in errors": (abs(a - b) / np.hypot(c, d)).max()}
        found.append(row)
    return pd.DataFrame(found)


def rivals(table: pd.DataFrame) -> pd.DataFrame:
    """Of every network and budget: ours, and the peer of least error among those that tell all.

    `times` is how much larger the peer's error is, and `ahead` says whose is smaller beyond two
    standard errors: "ours", a peer's name, or "" where they tie.
    """
    found = []
    whole = table[(table["told"] == ", ".join(ORDERS)) & table["function"].isin(networks())]
    for (function, budget), cell in whole.groupby(["function", "budget"], sort=False):
        ours = cell[cell["method"].isin([OURS, SMALL])].sort_values("method", ascending=False)
        peers = cell[~cell["method"].str.startswith("this package")].sort_values("error")
        if ours.empty or peers.empty:
            continue
        a, b = ours.iloc[0], peers.iloc[0]
        clear = abs(a["error"] - b["error"]) > 2 * np.hypot(a["spread"], b["spread"])
        better = "ours" if a["error"] < b["error"] else b["method"]
        row = {"function": function, "budget": budget, "method": a["method"], "error": a["error"]}
        row |= {"spread": a["spread"], "cpu_seconds": a["cpu_seconds"], "peer": b["method"]}
        row |= {"peer_error": b["error"], "peer_spread": b["spread"]}
        row |= {"peer_cpu_seconds": b["cpu_seconds"], "times": b["error"] / a["error"]}
        found.append(row | {"ahead": better if clear else ""})
    return pd.DataFrame(found)


def networks() -> list[str]:
    return [name for name, case in CASES.items() if case.known is None]
