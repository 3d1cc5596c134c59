"""What is stored was made by committed code, meets the bars, and comes again from its seed."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import pandas as pd
import pytest

from experiments import discovery
from experiments.running.context import Context
from experiments.running.stored import Run, Wanted, find, runs_in
from paper_results import STORED, published
from paper_results.evidence import items
from paper_results.evidence.points import KEYS

RUNS = runs_in(STORED)


def stored(experiment: str, protocol: str) -> Run:
    run = find(Wanted(experiment, protocol), [STORED])
    assert run is not None, f"no run of {experiment}, {protocol}"
    return run


def again(run: Run, data_dir: Path | None = None, **changes: object) -> pd.DataFrame:
    """The table of a run with less of it, from its seed."""
    module = discovery.load(run.record["experiment"])
    names = {field.name for field in fields(module.Settings)}
    kept = {n: tuple(v) if isinstance(v, list) else v for n, v in run.record["settings"].items()}
    settings = replace(module.Settings(**{n: v for n, v in kept.items() if n in names}), **changes)
    return module.run(settings, Context(run.record["seed"], data_dir=data_dir, quiet=True))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.folder.name)
def test_every_record_stands_alone(run: Run) -> None:
    record = run.record
    assert len(record["commit"]) == 40, "made by code that was not committed"
    assert all(len(shard["commit"]) == 40 for shard in record["shards"].values())
    assert {"settings", "versions", "device", "threads", "started", "seconds"} <= set(record)
    assert record["rows"] == len(run.table)


def test_every_item_has_a_run_under_each_of_its_protocols() -> None:
    for item in items.ALL:
        for protocol in item.protocols:
            stored(item.experiment, protocol)


# The bars: what the released code made has to come out as published.


def beside(name: str, protocol: str = "released") -> pd.DataFrame:
    """Points of an item as published and as ours; `gap` is ours minus published."""
    (item,) = (item for item in items.ALL if item.name == name)
    ours = item.ours(stored(item.experiment, protocol).table)
    both = item.published().merge(ours, on=list(KEYS), suffixes=("_published", "_ours"))
    return both.assign(gap=both["value_ours"] - both["value_published"])


def test_fig_1_lies_on_the_published_curves_and_on_the_law() -> None:
    points = beside("Fig 1")
    assert len(points) == 4 * 4 * 10
    assert points["gap"].abs().max() <= 0.006
    run = stored("conditional_mean", "released")
    rows = discovery.load("conditional_mean").summary(run.table)
    assert len(rows) == 16
    assert rows["gap_in_errors"].max() <= 4


def test_fig_2_is_what_one_data_set_may_give() -> None:
    """All but two medians within 2 standard deviations of one more data set; those are wide."""
    points = beside("Fig 2")
    assert len(points) == 4 * 3
    assert (points["gap"].abs() <= 2 * points["standard_error"]).sum() >= 10
    # Without interactions data sets agree, with them they do not: starts are as many.
    table = of(stored("effective_learning_rate", "released").table, rate=0.5)
    medians = table.groupby(["order", "data_set"])["norm"].median().groupby("order").std()
    assert (medians[[2, 3]] > 2 * medians[1]).all()


def test_fig_3_is_the_closed_form() -> None:
    points = beside("Fig 3")
    assert len(points) == 7 * 24
    assert (points["gap"] / points["value_published"]).abs().max() <= 1e-6


REPRODUCED = {"Fig 5": ("activation", "input"), "Fig C.1": ("activation", "both")}
"""Panes of networks fit to noise that 1000 steps reproduce: C.1's input pane is another setting."""
STEEP = [("Fig 5", "activation", 0.625)]
"""Where the total changes by more than 10% in 50 steps, and so stands less firm."""


@pytest.mark.parametrize(
    ("name", "placement"), [(name, one) for name, two in REPRODUCED.items() for one in two]
)
def test_fig_5_and_c1_come_out_in_every_cell_with_something_in_it(
    name: str, placement: str
) -> None:
    """Shares within .05, totals within 15% wherever at least .1 was published (25% if steep).

    The steep total is at 25.4 ± 5.6%: within its bound to a standard error.
    """
    points = beside(name)
    totals = points[points["pane"] == f"variance, {placement}"].groupby("x")
    totals = totals[["value_published", "value_ours"]].sum()
    totals = totals[totals["value_published"] >= 0.1]
    assert len(totals) >= 5
    shares = points[(points["pane"] == f"share, {placement}") & points["x"].isin(totals.index)]
    assert len(shares) == 4 * len(totals)
    assert shares["gap"].abs().max() <= 0.05
    off = (totals["value_ours"] / totals["value_published"] - 1).abs()
    steep = [rate for figure, where, rate in STEEP if (figure, where) == (name, placement)]
    assert off.drop(steep).max() <= 0.15
    if steep:
        table = of(stored("pure_noise", "released").table, measure="released", width=32)
        table = table[table["rule"].str.startswith("equal")]
        cell = of(table, placement=placement, rate=steep[0]).groupby("repeat")["variance"].sum()
        error = cell.sem() / totals["value_published"][steep[0]]
        assert off[steep[0]] <= 0.25 + error


def test_fig_7_comes_out_for_generators_1_and_2() -> None:
    """Shares within .05, averaged over epochs, at every rate and order."""
    points = beside("Fig 7")
    gaps = points.assign(gap=points["gap"].abs()).groupby(["pane", "series"])["gap"].mean()
    assert len(gaps) == 2 * 5 * 3
    assert gaps.max() <= 0.05


def test_networks_keep_the_law_of_products_up_to_order_4() -> None:
    """(1-r)^k within 10% or 3 standard errors wherever it is at least .03."""
    table = of(stored("decay_law", "controlled").table, target="product")
    cells = table.groupby(["order", "rate"])
    law, kept, error = cells["law"].first(), cells["amplitude"].mean(), cells["amplitude"].sem()
    seen = law >= 0.03
    assert seen.sum() == 7 + 7 + 6 + 5
    off = (kept - law).abs()
    assert ((off <= 0.1 * law) | (off <= 3 * error))[seen].all()


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.125, 0.25, 0.375, 0.5])
def test_fig_6_is_the_published_one_over_its_last_epochs(rate: float) -> None:
    """Mean test error of epochs 200 to 475, within three standard errors of both means."""
    table = of(stored("bike_share", "released").table, quantity="test_mse", rate=rate)
    ours = table[table["epoch"].between(200, 475)].groupby("repeat")["value"].mean()
    read = of(published("fig6"), quantity="test_mse", dropout_rate=rate)
    read = read[read["epoch"].between(200, 475)]
    # The drawn spread is that of 5 runs, and of one epoch: averaging them is not counted on.
    error = (ours.sem() ** 2 + (read["spread"] ** 2).mean() / 4) ** 0.5
    assert abs(ours.mean() - read["mean"].mean()) <= 3 * error


def test_table_c1_lies_within_the_released_logs_runs() -> None:
    """Order 1 is all the log holds. Within three standard errors of both means."""
    table = stored("newsgroups", "released").table
    ours = table[table["order"] == 1].groupby("rate")["accuracy"].agg(["mean", "sem"])
    log = published("released_logs_newsgroups")
    log = log[log["epoch"] == log["epoch"].max()].groupby("dropout_rate")["test_acc"]
    error = (ours["sem"] ** 2 + log.sem() ** 2) ** 0.5
    assert len(ours) == 6
    assert ((ours["mean"] - log.mean()).abs() <= 3 * error).all()


# From their seeds: to rounding where nothing is trained; where something is, training amplifies
# rounding, and the same seed has to come out nearer than other seeds do.


def of(table: pd.DataFrame, **values: object) -> pd.DataFrame:
    for column, value in values.items():
        table = table[table[column] == value]
    assert len(table)
    return table


def assert_among(value: float, repeats: pd.Series) -> None:
    """Within four standard deviations of stored repeats."""
    assert len(repeats) >= 2
    assert abs(value - repeats.mean()) <= 4 * repeats.std()


def test_fig_1_comes_again() -> None:
    run = stored("conditional_mean", "released")
    new = again(run, repeats=1, orders=(1, 2), rates=(0.5,))
    new = new[new["order"] == 1]
    old = of(run.table, repeat=0, order=1, rate=0.5)
    assert new["mean"].to_numpy() == pytest.approx(old["mean"].to_numpy(), rel=1e-12)


def test_fig_2_comes_again() -> None:
    """Expected moves, averaged over all masks, of the first start: nothing is trained."""
    run = stored("effective_learning_rate", "controlled")
    less = {"orders": (1,), "rates": (0.5,), "starts": 2, "draws": 2, "training_steps": 1}
    new = again(run, **less, measures=("moves",))
    keys = {"part": "start", "rate": 0.5, "order": 1, "repeat": 0, "optimizer": "sgd"}
    new, old = (of(t, **keys).dropna(subset="expected") for t in (new, run.table))
    assert len(new) >= 4
    assert new["expected"].to_numpy() == pytest.approx(old["expected"].to_numpy(), rel=1e-5)


def test_fig_3_comes_again() -> None:
    run = stored("surviving_effects", "controlled")
    new = again(run, repeats=1, rates=(0.25,))
    old = of(run.table, repeat=0, rate=0.25)
    assert new["counted"].to_numpy() == pytest.approx(old["counted"].to_numpy(), rel=1e-12)


def test_fig_4_comes_again() -> None:
    """A network and its trees."""
    pytest.importorskip("xgboost")
    run = stored("distillation_accuracy", "text")
    new = again(run, orders=(1,), samples=(1000,), repeats=1)
    cell = {"true_order": 1, "samples": 1000, "order": "1", "measure": "staged"}
    new, old = (t.astype({"order": str}) for t in (new, run.table))
    assert_among(of(new, **cell)["share"].item(), of(old, **cell)["share"])


@pytest.mark.parametrize("width", [32, 128])
def test_fig_5_and_c1_come_again(width: int) -> None:
    """When the loss first rises is a matter of rounding: a network alone may stop elsewhere."""
    run, rule = stored("pure_noise", "released"), "first rise"
    less = {"widths": (width,), "rates": (0.0,), "boosted_trees": False, "rules": (rule,)}
    new = again(run, **less, tolerance=0.03)
    old = of(run.table, rule=rule, width=width, rate=0.0, measure="unbiased", order="2")
    assert_among(of(new, order="2")["share"].mean(), old["share"])


def test_fig_6_comes_again(data_dir: Path) -> None:
    run = stored("bike_share", "released")
    less = {"rates": (0.0,), "epochs": (0, 5), "tree_epochs": (), "tolerance": 1.0}
    new = again(run, data_dir, **less)
    cell = {"quantity": "test_mse", "rate": 0.0, "epoch": 5}
    assert_among(of(new, **cell, repeat=0)["value"].item(), of(run.table, **cell)["value"])


def test_fig_7_comes_again() -> None:
    run = stored("learning_curves", "released")
    less = {"targets": ("generator 1",), "rates": (0.0,), "repeats": 1, "tree_epochs": ()}
    new = again(run, **less, epochs=(0, 5))
    cell = {"target": "generator 1", "quantity": "test_mse", "rate": 0.0, "epoch": 5}
    assert_among(of(new, **cell)["value"].item(), of(run.table, **cell)["value"])


def test_fig_8_comes_again() -> None:
    run = stored("weight_decay", "text")
    new = again(run, coupled=(0.1,), plain=False, repeats=1, boosted_trees=False)
    cell = {"regularizer": "coupled decay", "strength": 0.1, "measure": "unbiased", "order": "1"}
    assert_among(of(new, **cell)["variance"].item(), of(run.table, **cell)["variance"])


def test_fig_9_comes_again() -> None:
    run = stored("dropout_uncertainty", "controlled")
    less = {"labels": ("and",), "orders": (1,), "repeats": 1, "bootstraps": 1}
    steps = tuple(run.record["settings"]["steps"])[:1]
    new = again(run, **less, steps=steps)
    cell = {"label": "and", "order": 1, "regime": "dropout", "quantity": "uncertainty"}
    cell["steps"] = steps[0]
    assert_among(of(new, **cell)["value"].item(), of(run.table, **cell)["value"])


def test_table_c1_comes_again(data_dir: Path) -> None:
    run = stored("newsgroups", "released")
    new = again(run, data_dir, orders=(1,), rates=(0.25,), repeats=1)
    old = of(run.table, order=1, rate=0.25)
    assert_among(new["accuracy"].item(), old["accuracy"])


def test_fig_a1_comes_again() -> None:
    run = stored("pure_interaction", "controlled")
    new = again(run, rhos=(0.5,))
    old = of(run.table, part="square", rho=0.5)
    assert of(new, part="square")["pure"].to_numpy() == pytest.approx(old["pure"], rel=1e-9)
