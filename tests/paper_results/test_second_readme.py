"""Every number of the README's tables of results and verdicts, computed from the stored tables.

A row is known by how it begins. Its numbers, as published and as ours, are read off it in order,
and each has to be the one computed here to the last digit that is printed: a number that is stale,
or one more that nothing here computes, fails.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"(?<![\w.])-?(?:\d*\.\d+(?:e-?\d+)?|\d+e-?\d+|\d+%)")
"""Decimals and percentages; whole numbers count orders, steps and repeats."""
SETTING = re.compile(r"r = [\d., ]*\d")
"""What says where a number was taken, and is none."""


def table_after(heading: str) -> dict[str, list[str]]:
    """Rows of the first table after a text: cells by the first."""
    lines = README.split(heading, 1)[1].splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("|---"))
    found = {}
    for line in lines[start + 1 :]:
        if not line.startswith("|"):
            break
        first, *cells = (c.strip() for c in line.strip("|").split("|"))
        found[first] = cells
    return found


def numbers(text: str) -> list[str]:
    return NUMBER.findall(SETTING.sub("", text))


def is_printed(value: float, text: str) -> bool:
    """Whether a number is what was printed, to its last digit."""
    if text.endswith("%"):
        return abs(100 * value - float(text[:-1])) <= 0.5001
    mantissa, _, power = text.partition("e")
    last = 10.0 ** (int(power or 0) - len(mantissa.partition(".")[2]))
    return abs(value - float(text)) <= 0.5001 * last


def rows(t: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for column, value in wanted.items():
        t = t[t[column].isin(value if isinstance(value, list) else [value])]
    assert len(t), wanted
    return t


# The table of results: what was published, then ours.


def law(rate: float, orders: int) -> list[float]:
    return [(1 - rate) ** k for k in range(1, orders + 1)]


def decay(stored, rate: float) -> list[float]:
    t = rows(stored("decay_law-controlled-paper"), target="product", rate=rate)
    return t.groupby("order")["amplitude"].mean()[["1", "2", "3"]].tolist()


def sine(stored, printed) -> list[float]:
    t = rows(stored("decay_law-controlled-paper"), target="sin(2.5 x)", rate=0.5, order="1")
    return [0.5, t["dilation"].mean(), t["amplitude"].mean()]


def first_step(stored, placement: str, model: str) -> list[float]:
    t = rows(stored("effective_learning_rate-controlled-paper"), part="start", rate=0.5)
    t = rows(t, placement=placement, model=model, kind="inverted", optimizer="sgd")
    return t.groupby("order")["moved"].mean().tolist()


def fig_1(stored, printed) -> list[float]:
    p = printed("fig1").rename(columns={"dropout_rate": "rate"})
    p_gap = p["conditional_mean"] - ((1 - p["rate"]) * p["x"]) ** p["order"].astype(int)
    t = rows(stored("conditional_mean-released-paper"), target="one input, copied")
    bins = t.groupby(["order", "rate", "x"])
    # Of each bin over all repeats, in its standard error over their points.
    error = bins["standard_error"].apply(lambda e: (e**2).sum() ** 0.5 / len(e))
    errors = (bins["mean"].mean() - bins["law"].mean()).abs() / error.where(error > 0)
    near = t[t["x"] > -0.01].assign(x=t["x"].abs().round(6))
    ours = near.groupby(["order", "rate", "x"])["mean"].mean().reset_index()
    both = ours.merge(p.assign(x=p["x"].round(6)), on=["order", "rate", "x"])
    gap = (both["mean"] - both["conditional_mean"]).abs()
    return [p_gap.abs().max(), gap.max(), errors.max()]


def fig_2(stored, printed) -> list[float]:
    p = rows(printed("fig2"), dropout_rate=0.5).sort_values("order")
    t = rows(stored("effective_learning_rate-controlled-paper"), part="norm", rate=0.5)
    medians = t.groupby("order")[["norm", "own_norm"]].median()
    return [*p["median_relative_update_norm"], *medians["norm"], *medians["own_norm"]]


def fig_3(stored, printed) -> list[float]:
    cell = {"order": "12", "pane": "a", "dropout_rate": 0.125}
    p = printed("fig3").query("pane == 'a'").rename(columns={"dropout_rate": "rate"})
    both = stored("surviving_effects-released-paper").merge(p, on=["order", "rate"])
    relative = ((both["law"] - both["value"]) / both["value"]).abs().max()
    ours = math.comb(25, 12) * 0.875**12
    return [rows(printed("fig3"), **cell)["value"].item(), ours, relative]


def noise(stored, run: str, **wanted: object) -> pd.DataFrame:
    """Networks fit to noise at the end of training, by the rule that the published ones had."""
    t = rows(stored(run), **wanted)
    t = t[t["rule"].str.startswith("equal")] if "rule" in t else t
    return t[t["after"] == t["after"].max()] if "after" in t else t


def spectrum(t: pd.DataFrame, measure: str) -> list[float]:
    """Mean shares by order, then the mean total."""
    t = rows(t, measure=measure)
    shares = t.groupby("order")["share"].mean()[["1", "2", "3", ">3"]]
    return [*shares, t.groupby("repeat")["variance"].sum().mean()]


def bars(p: pd.DataFrame, shares: str, totals: str, rate: float) -> list[float]:
    p = rows(p, dropout_rate=rate)
    by_order = rows(p, pane=shares).set_index("order")["mean"]
    return [*by_order[["1", "2", "3", "4+"]], rows(p, pane=totals)["mean"].sum()]


def fig_5(stored, printed, placement: str, rate: float, name: str = "fig5") -> list[float]:
    shares, totals = {"none": "da", "activation": "da", "input": "eb"}[placement]
    width = 32 if name == "fig5" else 128
    t = noise(stored, "pure_noise-released-paper", placement=placement, rate=rate, width=width)
    return bars(printed(name), shares, totals, rate) + spectrum(t, "released")


def without_bias(stored, printed) -> list[float]:
    t = noise(stored, "pure_noise-released-paper", placement="none", width=32)
    errors = rows(t, measure="unbiased").groupby("order")["share"].sem()
    *shares, total = spectrum(t, "unbiased")
    return [*shares, errors.max(), total]


def fig_6(stored, printed) -> list[float]:
    cell = {"quantity": "test_mse", "epoch": 475}
    p = rows(printed("fig6"), **cell).sort_values("dropout_rate")["mean"]
    return [*p, *rows(stored("bike_share-released-paper"), **cell).groupby("rate")["value"].mean()]


def fig_7(stored, printed) -> list[float]:
    """Gaps of mean shares, averaged over the epochs of a generator, an order and a rate."""
    keys = ["generator", "order", "dropout_rate", "epoch"]
    t = rows(stored("learning_curves-released-paper"), quantity="tree_share")
    names = {"generator 1": 1, "generator 2 on inputs 2, 3": 2, "generator 2": 2}
    t = t.assign(generator=t["target"].map(names)).dropna(subset="generator")
    t = t.rename(columns={"rate": "dropout_rate"}).groupby(keys)["value"].mean().reset_index()
    both = t.merge(printed("fig7"), on=keys)
    gaps = (both["value"] - both["mean"]).abs().groupby([both[k] for k in keys[:3]]).mean()
    return [gaps.mean(), gaps.max()]


def fig_8(stored, printed) -> list[float]:
    p = rows(printed("fig8"), weight_decay=0.1).pivot_table("mean", "order", "quantity")
    t = rows(stored("weight_decay-text-paper"), regularizer="coupled decay", strength=0.1)
    published = [*p["normalized"][["1", "2", "3", "4+"]], p["total"].sum()]
    return published + spectrum(t, "released")


def table_c1(stored, printed) -> list[float]:
    rates = [0.0, 0.25, 0.5]
    p = rows(printed("tableC1"), order="1", dropout_rate=rates)["test_accuracy_mean"]
    log = printed("released_logs_newsgroups")
    log = rows(log, epoch=log["epoch"].max(), dropout_rate=rates)
    t = rows(stored("newsgroups-released-paper"), order="1", rate=rates).groupby("rate")
    ours, error = t["accuracy"].mean(), t["accuracy"].sem().max()
    return [*p, *log.groupby("dropout_rate")["test_acc"].mean(), *ours, error]


Compute = Callable[..., list[float]]
RESULTS: dict[str, Compute] = {
    "effect of order": lambda s, p: law(0.25, 3) + decay(s, 0.25),
    "the same at r = .5": lambda s, p: law(0.5, 3) + decay(s, 0.5),
    "of sin(2.5 x)": sine,
    "first SGD step": lambda s, p: law(0.5, 4) + first_step(s, "input", "depth 2"),
    "the same, dropout on the units": lambda s, p: first_step(s, "activation", "depth 1"),
    "Fig 1": fig_1,
    "Fig 2": fig_2,
    "Fig 3": fig_3,
    "Fig 5, r = 0": lambda s, p: fig_5(s, p, "none", 0.0),
    "the same networks without bias": without_bias,
    "Fig 5, activations, r = .5": lambda s, p: fig_5(s, p, "activation", 0.5),
    "Fig 5, inputs, r = .5": lambda s, p: fig_5(s, p, "input", 0.5),
    "Fig C.1, r = 0": lambda s, p: fig_5(s, p, "none", 0.0, "figC1"),
    "Fig 6": fig_6,
    "Fig 7": fig_7,
    "Fig 8": fig_8,
    "Table C.1": table_c1,
}


# The table of verdicts.


def c4(stored, printed) -> list[float]:
    t = rows(stored("distillation_accuracy-text-paper"), true_order=3, samples=100)
    low = rows(t, measure="staged", order=["1", "2"]).groupby("repeat")["share"].sum()
    t = noise(stored, "pure_noise-released-paper", placement="none", width=32, order="1")
    first = t.pivot_table("share", "repeat", "measure")
    return [low.mean(), low.sem(), (first["released"] - first["unbiased"]).mean()]


def more_of_high(stored, width: int, rate: float, after: int) -> list[float]:
    t = rows(stored("pure_noise-controlled-paper"), width=width, after=after, order=">3")
    t = rows(t, measure="unbiased", placement=["none", "activation"])
    by_rate = t.pivot_table("share", "repeat", "rate")
    gained = by_rate[rate] - by_rate[0.0]
    return [gained.mean(), gained.sem()]


def c6(stored, printed) -> list[float]:
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


def c9(stored, printed) -> list[float]:
    t = rows(stored("weight_decay-controlled-paper"), measure="unbiased")
    t = rows(t, regularizer=["none", "coupled decay"], strength=[0.0, 0.1])
    shares = t.pivot_table("share", ["repeat", "strength"], "order").unstack("repeat")
    gained = shares.loc[0.1] - shares.loc[0.0]
    interactions = gained[["2", "3", ">3"]].groupby(level="repeat").sum()
    third = gained["3"]
    return [interactions.mean(), interactions.sem(), -third.mean(), third.sem()]


def c10(stored, printed) -> list[float]:
    t = rows(stored("dropout_uncertainty-controlled-paper"), label="sign", quantity="uncertainty")
    t = t[t["steps"] == t["steps"].max()].pivot_table("value", "regime", "order")
    return [t.loc[regime, "4"] - t.loc[regime, "1"] for regime in ("dropout", "none")]


VERDICTS: dict[str, Compute] = {
    "C4": c4,
    "C5": lambda s, p: more_of_high(s, 128, 0.5, 1000) + more_of_high(s, 32, 0.25, 4000),
    "C6": c6,
    "C9": c9,
    "C10": c10,
}
"""Those that name numbers; the others name none."""

RESULT_ROWS = table_after("## Results")
VERDICT_ROWS = table_after("The verdict on each claim")


def of(row: str, computed: dict[str, Compute]) -> Compute | None:
    """What computes a row's numbers, by the longest beginning that fits."""
    fits = [name for name in computed if row.startswith(name)]
    return computed[max(fits, key=len)] if fits else None


@pytest.mark.parametrize("row", RESULT_ROWS)
def test_a_row_of_the_results_says_what_the_stored_tables_give(row, stored, printed) -> None:
    theirs, ours, _ = RESULT_ROWS[row]
    compute = of(row, RESULTS)
    assert compute is not None, f"nothing computes {row!r}"
    assert_printed(numbers(f"{theirs} | {ours}"), compute(stored, printed))


@pytest.mark.parametrize("row", VERDICT_ROWS)
def test_a_verdict_says_what_the_stored_tables_give(row, stored, printed) -> None:
    (verdict,) = VERDICT_ROWS[row]
    compute = of(row.split()[0], VERDICTS) if row.split()[0] in VERDICTS else None
    assert_printed(numbers(verdict), [] if compute is None else compute(stored, printed))


def assert_printed(said: list[str], computed: list[float]) -> None:
    assert len(said) == len(computed), (said, computed)
    wrong = [(t, v) for t, v in zip(said, computed, strict=True) if not is_printed(v, t)]
    assert not wrong, wrong


# The table of selectivities, and what is said of it.

COLUMNS = {"noise": "123", "mixture": "123", "bike": "12", "products": "123"}
"""Orders that slopes of each column rest on."""
FALLS = {"early stopping", "smaller width"}
SELECTIVE = {
    "L2, decoupled": "decoupled L2",
    "L2, coupled": "coupled L2",
    "fewer units": "smaller width",
    "early stopping": "early stopping",
    "dropout, inputs": "input dropout",
    "dropout, activations": "activation dropout",
    "dropout, both": "both dropout",
    "input noise": "input noise",
    "more data": "more data",
}
SELECTIVITY_ROWS = table_after("Which regularizers act on the order")


def slope_at_half(t: pd.DataFrame, orders: str) -> tuple[float, bool]:
    """Of one path, from none to strong: variances at half of the total, in logarithms."""
    variance = np.array([of["value"].to_numpy() for _, of in t.groupby("place")])
    error = np.array([of["standard_error"].to_numpy() for _, of in t.groupby("place")])
    left = variance.sum(axis=1) / variance[0].sum()
    after = next((i for i, part in enumerate(left) if part <= 0.5), None)
    if after is None or left[after] <= 0:
        return np.nan, False
    # What is lost in its errors counts at three of them.
    sides = (slice(after - 1, after + 1), slice(len(orders)))
    lost = (variance <= 3 * error)[sides]
    before, behind = np.log(left[after - 1 : after + 1])
    part = (before - np.log(0.5)) / (before - behind)
    low, high = np.log(np.maximum(variance, 3 * error)[sides])
    log_ratio = (1 - part) * low + part * high - np.log(variance[0, sides[1]])
    return np.polyfit(range(len(orders)), log_ratio, 1)[0], bool(lost.any())


def selectivity(t: pd.DataFrame, regularizer: str, orders: str) -> tuple[float, float, int, bool]:
    """Mean slope over repeats that get to half, its error, their number, and whether it bounds."""
    path = rows(t, regularizer=["none", regularizer]).copy()
    strong = -path["strength"] if regularizer in FALLS else path["strength"]
    path["place"] = strong.where(path["regularizer"] != "none", -np.inf)
    found = [slope_at_half(own.sort_values("order"), orders) for _, own in path.groupby("repeat")]
    slopes = pd.Series([slope for slope, _ in found]).dropna()
    return slopes.mean(), slopes.sem(), len(slopes), any(lost for _, lost in found)


def printed_slope(value: float, error: float, n: int, bound: bool) -> str:
    return f"{'≤ ' * bound}{value:.2f} ± {error:.2f}".replace("0.", ".") if n >= 5 else "–"


@pytest.mark.parametrize("row", SELECTIVE)
def test_a_selectivity_is_what_the_stored_variances_give(row, stored) -> None:
    t = rows(stored("regularizers-controlled-paper"), quantity="variance", steps=2000)
    for (target, orders), said in zip(COLUMNS.items(), SELECTIVITY_ROWS[row], strict=True):
        own = selectivity(rows(t, target=target), SELECTIVE[row], orders)
        assert printed_slope(*own) == said, target
        assert own[2] < 5 or own[2] >= 8


def test_early_on_activation_dropout_is_more_selective(stored) -> None:
    t = rows(stored("regularizers-controlled-paper"), quantity="variance", steps=300)
    early = printed_slope(*selectivity(rows(t, target="mixture"), "activation dropout", "123"))
    assert f"the mixture ({early})" in README.replace("\n", " ")


def test_verdicts_are_those_of_the_report() -> None:
    """As far as one word says: holds, does not, only if, open."""
    page = (Path(__file__).parents[2] / "paper_results" / "REPORT.md").read_text(encoding="utf-8")
    told = dict(re.findall(r"^\| \*\*(C\d+)\*\* \| [^|]* \| \*\*(.*?)\*\* \|", page, re.MULTILINE))
    assert len(VERDICT_ROWS) == len(told) == 11
    for row, (verdict,) in VERDICT_ROWS.items():
        kind = told[row.split()[0]].replace("not run", "open")
        word = "only" if " only if " in kind else kind.split(";")[0]
        assert word in verdict, (row, kind)


def test_numbers_are_read_off_a_cell_without_what_says_where_they_were_taken() -> None:
    cell = "law (1-r)^k: .50 at r = .25, .5, order 3: -.013 ± .012, 63% of 1.05e6; (to 8e-8)"
    assert numbers(cell) == [".50", "-.013", ".012", "63%", "1.05e6", "8e-8"]
    for value, text in ((0.1249, ".12"), (0.625, "63%"), (1.0523e6, "1.05e6"), (-0.0131, "-.013")):
        assert is_printed(value, text)
    for value, text in ((0.1251, ".12"), (0.6249, "63%"), (1.0551e6, "1.05e6"), (0.0131, "-.013")):
        assert not is_printed(value, text)
