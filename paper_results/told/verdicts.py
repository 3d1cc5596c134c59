"""The numbers of the table of verdicts, by claim; claims whose verdict names none are not here."""

from __future__ import annotations

import math

import numpy as np

from .results import Compute, noise
from .tables import rows, stored


def c4() -> list[float]:
    t = rows(stored("distillation_accuracy-text-paper"), true_order=3, samples=100)
    low = rows(t, measure="staged", order=["1", "2"]).groupby("repeat")["share"].sum()
    t = noise("pure_noise-released-paper", placement="none", width=32, order="1")
    first = t.pivot_table("share", "repeat", "measure")
    return [low.mean(), low.sem(), (first["released"] - first["unbiased"]).mean()]


def more_of_high(width: int, rate: float, after: int) -> list[float]:
    t = rows(stored("pure_noise-controlled-paper"), width=width, after=after, order=">3")
    t = rows(t, measure="unbiased", placement=["none", "activation"])
    by_rate = t.pivot_table("share", "repeat", "rate")
    gained = by_rate[rate] - by_rate[0.0]
    return [gained.mean(), gained.sem()]


def c6() -> list[float]:
    t = rows(stored("best_rate-controlled-paper"), noise=1.0, steps=3000)
    step = np.diff(np.unique(t["rate"])).max()
    lost = []
    for placement in ("activation", "input"):
        at = rows(t, placement=placement)
        best = at.loc[at.groupby(["order", "repeat"])["error"].idxmin()]
        best = best.pivot_table("rate", "repeat", "order")
        falls = best["1"] - best["3"]
        lost += [falls.mean(), math.hypot(falls.sem(), step / math.sqrt(6 * len(falls)))]
    documents = stored("newsgroups-controlled-paper").groupby(["order", "rate"])["accuracy"].mean()
    peaks = {documents[order].idxmax() for order in ("1", "3")}
    even, text = (product_shares(p) for p in (0.3 ** (1 / 3), 0.5))
    return [*lost, even[1], even[3], text[1], text[3], *peaks]


def product_shares(p: float) -> dict[int, float]:
    """Shares by order of a product of three columns that are high with probability p."""
    parts = {j: math.comb(3, j) * (p - p * p) ** j * p ** (2 * (3 - j)) for j in (1, 2, 3)}
    return {j: part / sum(parts.values()) for j, part in parts.items()}


def c9() -> list[float]:
    t = rows(stored("weight_decay-controlled-paper"), measure="unbiased")
    t = rows(t, regularizer=["none", "coupled decay"], strength=[0.0, 0.1])
    shares = t.pivot_table("share", ["repeat", "strength"], "order").unstack("repeat")
    gained = shares.loc[0.1] - shares.loc[0.0]
    interactions = gained[["2", "3", ">3"]].groupby(level="repeat").sum()
    third = gained["3"]
    return [interactions.mean(), interactions.sem(), -third.mean(), third.sem()]


def c10() -> list[float]:
    t = rows(stored("dropout_uncertainty-controlled-paper"), label="sign", quantity="uncertainty")
    t = t[t["steps"] == t["steps"].max()].pivot_table("value", "regime", "order")
    return [t.loc[regime, "4"] - t.loc[regime, "1"] for regime in ("dropout", "none")]


VERDICTS: dict[str, Compute] = {
    "C4": c4,
    "C5": lambda: more_of_high(128, 0.5, 1000) + more_of_high(32, 0.25, 4000),
    "C6": c6,
    "C9": c9,
    "C10": c10,
}
