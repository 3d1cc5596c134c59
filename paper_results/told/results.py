"""The numbers of the table of results, published then ours, by how a row begins."""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd
from scipy.stats import t as student

from .tables import printed, rows, stored

Compute = Callable[[], list[float]]


def law(rate: float, orders: int) -> list[float]:
    return [(1 - rate) ** k for k in range(1, orders + 1)]


def decay(rate: float) -> list[float]:
    t = rows(stored("decay_law-controlled-paper"), target="product", rate=rate)
    return t.groupby("order")["amplitude"].mean()[["1", "2", "3"]].tolist()


def sine() -> list[float]:
    t = rows(stored("decay_law-controlled-paper"), target="sin(2.5 x)", rate=0.5, order="1")
    return [0.5, t["dilation"].mean(), t["amplitude"].mean()]


def first_step(placement: str, model: str) -> list[float]:
    t = rows(stored("effective_learning_rate-controlled-paper"), part="start", rate=0.5)
    t = rows(t, placement=placement, model=model, kind="inverted", optimizer="sgd")
    return t.groupby("order")["moved"].mean().tolist()


def fig_1() -> list[float]:
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


def fig_2() -> list[float]:
    p = rows(printed("fig2"), dropout_rate=0.5).sort_values("order")
    t = rows(stored("effective_learning_rate-released-paper"), part="norm", rate=0.5)
    medians = t.groupby(["order", "data_set"])["norm"].median().groupby("order")
    return [*p["median_relative_update_norm"], *medians.mean(), *medians.std()]


def fig_3() -> list[float]:
    cell = {"order": "12", "pane": "a", "dropout_rate": 0.125}
    p = printed("fig3").query("pane == 'a'").rename(columns={"dropout_rate": "rate"})
    both = stored("surviving_effects-released-paper").merge(p, on=["order", "rate"])
    relative = ((both["law"] - both["value"]) / both["value"]).abs().max()
    ours = math.comb(25, 12) * 0.875**12
    return [rows(printed("fig3"), **cell)["value"].item(), ours, relative]


def noise(run: str, **wanted: object) -> pd.DataFrame:
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


def fig_5(placement: str, rate: float, name: str = "fig5") -> list[float]:
    shares, totals = {"none": "da", "activation": "da", "input": "eb"}[placement]
    width = 32 if name == "fig5" else 128
    t = noise("pure_noise-released-paper", placement=placement, rate=rate, width=width)
    return bars(printed(name), shares, totals, rate) + spectrum(t, "released")


def without_bias() -> list[float]:
    t = noise("pure_noise-released-paper", placement="none", width=32)
    errors = rows(t, measure="unbiased").groupby("order")["share"].sem()
    *shares, total = spectrum(t, "unbiased")
    return [*shares, errors.max(), total]


def fig_6() -> list[float]:
    cell = {"quantity": "test_mse", "epoch": 475}
    p = rows(printed("fig6"), **cell).sort_values("dropout_rate")["mean"]
    return [*p, *rows(stored("bike_share-released-paper"), **cell).groupby("rate")["value"].mean()]


def fig_7() -> list[float]:
    """Gaps of mean shares, averaged over the epochs of a generator, an order and a rate."""
    keys = ["generator", "order", "dropout_rate", "epoch"]
    t = rows(stored("learning_curves-released-paper"), quantity="tree_share")
    names = {"generator 1": 1, "generator 2 on inputs 2, 3": 2, "generator 2": 2}
    t = t.assign(generator=t["target"].map(names)).dropna(subset="generator")
    t = t.rename(columns={"rate": "dropout_rate"}).groupby(keys)["value"].mean().reset_index()
    both = t.merge(printed("fig7"), on=keys)
    gaps = (both["value"] - both["mean"]).abs().groupby([both[k] for k in keys[:3]]).mean()
    return [gaps.mean(), gaps.max()]


def fig_8() -> list[float]:
    p = rows(printed("fig8"), weight_decay=0.1).pivot_table("mean", "order", "quantity")
    t = rows(stored("weight_decay-text-paper"), regularizer="coupled decay", strength=0.1)
    published = [*p["normalized"][["1", "2", "3", "4+"]], p["total"].sum()]
    return published + spectrum(t, "released")


def table_c1() -> list[float]:
    rates = [0.0, 0.25, 0.5]
    p = rows(printed("tableC1"), order="1", dropout_rate=rates)["test_accuracy_mean"]
    log = printed("released_logs_newsgroups")
    log = rows(log, epoch=log["epoch"].max(), dropout_rate=rates)
    t = rows(stored("newsgroups-released-paper"), order="1", rate=rates).groupby("rate")
    ours, error = t["accuracy"].mean(), t["accuracy"].sem().max()
    return [*p, *log.groupby("dropout_rate")["test_acc"].mean(), *ours, error]


def best_errors(t: pd.DataFrame, regularizers: list[str]) -> pd.Series:
    """Test error of every repeat, of the regularizer and strength that are best for the others."""
    cells = rows(t, regularizer=regularizers)
    wide = cells.pivot(index="repeat", columns=["regularizer", "strength"], values="value")
    chosen = {r: wide.loc[r, wide.drop(r).mean().idxmin()] for r in wide.index}
    return pd.Series(chosen)


def acting_on_order() -> list[float]:
    """Ratio of mean errors to the best dropout's and weight decay's, and its errors over repeats.

    By the jackknife.
    """
    t = rows(stored("regularizers-penalties-paper"), target="pairs", quantity="test_error")
    t = rows(t, steps=t["steps"].max())
    ours = best_errors(t, ["order penalty from 3"])
    told = []
    for other in (["input dropout", "activation dropout"], ["coupled L2", "decoupled L2"]):
        both = pd.DataFrame({"ours": ours, "theirs": best_errors(t, other)})
        without = pd.Series([both.drop(r).mean() for r in both.index])
        parts = without.map(lambda m: m["ours"] / m["theirs"])
        error = math.sqrt((len(parts) - 1) * parts.var(ddof=0))
        told += [both["ours"].mean() / both["theirs"].mean(), error]
    return told


def on_tables() -> list[float]:
    """Test error over dropout's, a geometric mean over tables, and Student's 95% interval."""
    t = rows(stored("adaptive-controlled-paper"), stopped=False)
    t = t[t["table"] != "additive"]
    wide = t.groupby(["table", "method"])["test_error"].mean().unstack()
    told = []
    for method in ("by order", "weight decay"):
        ratio = (wide[method] / wide["dropout"]).map(math.log)
        margin = student.ppf(0.975, len(ratio) - 1) * ratio.sem()
        told += [math.exp(v) for v in (ratio.mean(), ratio.mean() - margin, ratio.mean() + margin)]
    return told


RESULTS: dict[str, Compute] = {
    "effect of order": lambda: law(0.25, 3) + decay(0.25),
    "the same at r = .5": lambda: law(0.5, 3) + decay(0.5),
    "of sin(2.5 x)": sine,
    "first SGD step": lambda: law(0.5, 4) + first_step("input", "depth 2"),
    "the same, dropout on the units": lambda: first_step("activation", "depth 1"),
    "Fig 1": fig_1,
    "Fig 2": fig_2,
    "Fig 3": fig_3,
    "Fig 5, r = 0": lambda: fig_5("none", 0.0),
    "the same networks without bias": without_bias,
    "Fig 5, activations, r = .5": lambda: fig_5("activation", 0.5),
    "Fig 5, inputs, r = .5": lambda: fig_5("input", 0.5),
    "Fig C.1, r = 0": lambda: fig_5("none", 0.0, "figC1"),
    "Fig 6": fig_6,
    "Fig 7": fig_7,
    "Fig 8": fig_8,
    "Table C.1": table_c1,
    "truth of orders 1, 2": acting_on_order,
    "twelve tables": on_tables,
}
