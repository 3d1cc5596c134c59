"""Every number that REPORT.md judges claims by, computed a second time from the stored tables.

A few lines of pandas a number, which share no code with paper_results/evidence. A number is known
by the name of its function there; what it is of is read from claims.toml, and what the report
says of it from the page. One that has no second computation fails.

This file is long as it holds a function for every number.
"""

from __future__ import annotations

import math
import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

RESULTS = Path(__file__).parents[2] / "paper_results"
Answer = tuple[float, float, int | None]
"""A value, its standard error and the number of repeats; 0 and None where there are none."""


def exact(value: float) -> Answer:
    return float(value), 0.0, None


def mean(values: pd.Series) -> Answer:
    values = values.dropna()
    return values.mean(), values.std() / len(values) ** 0.5, len(values)


def rows(t: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    for column, value in wanted.items():
        t = t[t[column].isin(value if isinstance(value, list) else [value])]
    assert len(t), wanted
    return t


def farthest(cells: pd.core.groupby.SeriesGroupBy) -> Answer:
    """The group whose mean is largest in size."""
    place = cells.mean().abs().idxmax()
    value, error, n = mean(cells.get_group(place))
    return abs(value), error, n


# Figures 1 to 3.


def survivors_over_expected(t, *, largest_order):
    t = t[t["order"].astype(int) <= largest_order]
    ratio = t["counted"] / t["law"]
    return mean(ratio.groupby(t["repeat"]).mean())


def gap_to_survival(t, *, sense, quantity):
    t = rows(t, part="laws", sense=sense, quantity=quantity).dropna(subset="measured")
    gap = t["measured"] - (1 - t["rate"]) ** t["order"].astype(int)
    return farthest(gap.groupby([t["order"], t["rate"]]))


def step_gap_to_survival(t, *, placement, model, kind, optimizer):
    t = rows(t, part="start", placement=placement, model=model, kind=kind, optimizer=optimizer)
    gap = t["moved"] - (1 - t["rate"]) ** t["order"].astype(int)
    value, error, n = farthest(gap.groupby([t["order"], t["rate"]]))
    if n > 1:
        return value, error, n
    # One start: the error is that over its masks.
    return value, t.loc[gap.abs().idxmax(), "standard_error"], None


def step_lost_with_order(t, *, placement, model, kind, optimizer, rate, low, high):
    t = rows(t, part="start", placement=placement, model=model, kind=kind, optimizer=optimizer)
    moved = rows(t, rate=rate).pivot_table("moved", "repeat", "order")
    return mean(moved[str(low)] - moved[str(high)])


def leftover(t, *, target, rate, at_zero):
    t = rows(t, target=target, rate=rate)
    sums = (t["mean"] * t["count"]).groupby(t["repeat"]).sum()
    return mean(sums / t.groupby("repeat")["count"].sum() / at_zero)


def published_curve_ratio(p, *, order, rate):
    p = rows(p, order=str(order), x=p["x"].max()).set_index("dropout_rate")["conditional_mean"]
    return exact(p[rate] / p[0.0])


def published_norm_over_survival(p, *, order, rate):
    p = rows(p, order=str(order), dropout_rate=rate)["median_relative_update_norm"]
    return exact(p.item() / (1 - rate) ** order)


def published_norm_rise(p, *, rate, low, high):
    p = rows(p, dropout_rate=rate).set_index("order")["median_relative_update_norm"]
    return exact(p[str(high)] - p[str(low)])


# Figures 4, 5, C.1 and 8.


def cell(t, placement, rate, *, width=32, after=None, rule="equal"):
    """Networks of a cell; there is one cell without dropout, and it is named "none"."""
    t = rows(t, width=width, placement=placement if rate else "none", rate=rate)
    if "rule" in t:
        t = t[t["rule"].str.startswith(rule)]
    return rows(t, after=t["after"].max() if after is None else after)


def total(t, measure="unbiased"):
    return rows(t, measure=measure).groupby("repeat")["variance"].sum()


def share(t, *orders, measure="unbiased"):
    return rows(t, measure=measure, order=list(orders)).groupby("repeat")["share"].sum()


def trees_overstate(t, *, order):
    t = cell(t, "none", 0.0)
    return mean(share(t, str(order), measure="released") - share(t, str(order)))


def given_too_low(t, *, true_order, samples, measure):
    t = rows(t, true_order=true_order, samples=samples)
    low = t[t["order"].astype(int) < true_order].pivot_table(
        "share", "repeat", "measure", aggfunc="sum"
    )
    return mean(low[measure] - low["exact"])


def published_given_to(p, *, true_order, samples, order, runs):
    p = rows(p, true_order=true_order, n_distill_samples=samples, estimated_order=order).iloc[0]
    return p["normalized_effect_mean"], p["normalized_effect_spread"] / (runs - 1) ** 0.5, runs


def published_bar_over_largest_variance(p, *, true_order, samples):
    p = rows(p, true_order=true_order, n_distill_samples=samples, estimated_order=true_order)
    m, bar = p[["normalized_effect_mean", "normalized_effect_spread"]].iloc[0]
    return exact(bar / (m - m**2))


def total_over_none(t, *, placement, rate, width=32, after=None):
    with_, without = (cell(t, placement, r, width=width, after=after) for r in (rate, 0.0))
    return mean(total(with_) / total(without))


def gained(t, placement, rate, order, **which):
    with_, without = (cell(t, placement, r, **which) for r in (rate, 0.0))
    return share(with_, order) - share(without, order)


def high_share_gained(t, *, placement, rate, width=32, after=None):
    return mean(gained(t, placement, rate, ">3", width=width, after=after))


def gained_by_width(t, *, placement, rate, order, after=None):
    wide, narrow = (gained(t, placement, rate, order, width=w, after=after) for w in (128, 32))
    return mean(wide - narrow)


def kept_by_width(t, *, placement, rate, after=None):
    kept = {
        w: total(cell(t, placement, rate, width=w, after=after))
        / total(cell(t, placement, 0.0, width=w, after=after))
        for w in (32, 128)
    }
    return mean(kept[128] / kept[32])


def steps_over_none(t, *, placement, rate):
    with_, without = (
        cell(t, placement, r, rule="first rise").groupby("repeat")["steps"].max()
        for r in (rate, 0.0)
    )
    return mean(with_ / without)


def mean_total(t, *, placement="none", rate=0.0, measure="released", rule="equal"):
    return mean(total(cell(t, placement, rate, rule=rule), measure))


def bar(p, pane, rate=0.0):
    return rows(p, pane=pane, dropout_rate=rate).set_index("order")["mean"]


def published_total(p, *, pane, rate=0.0):
    return exact(bar(p, pane, rate).sum())


def published_totals_ratio(p, *, above, below):
    return exact(bar(p, above).sum() / bar(p, below).sum())


def published_shares_apart(p, *, shares, totals, rate):
    of = bar(p, totals, rate)
    return exact((bar(p, shares, rate) - of / of.sum()).abs().max())


def published_decline_apart(p, *, decline, totals):
    drawn, of = (
        rows(p, pane=pane).pivot_table("mean", "order", "dropout_rate")
        for pane in (decline, totals)
    )
    return exact((drawn - of.div(of[0.0], axis=0)).abs().to_numpy().max())


def published_settings_apart(p5, p8):
    plain = rows(p8, weight_decay=0.0, quantity="normalized").set_index("order")["mean"]
    return exact((plain - bar(p5, "d")).abs().max())


def trees_apart_from_published(t, p, *, placement, rate, width=32, rule="equal"):
    t = rows(cell(t, placement, rate, width=width, rule=rule), measure="released")
    order = t["order"].replace(">3", "4+")
    pane = {"activation": "d", "input": "e", "both": "f"}[placement]
    return farthest((t["share"] - order.map(bar(p, pane, rate))).groupby(order))


def trees_total_over_published(t, p, *, placement, rate, width=32, rule="equal"):
    pane = {"activation": "a", "input": "b", "both": "c"}[placement]
    ours = total(cell(t, placement, rate, width=width, rule=rule), "released")
    return mean(ours / bar(p, pane, rate).sum())


def high_bars(p, placements, least):
    """Placement and rate of bars as high as that, of which shares were drawn."""
    found = p[p["quantity"].isin(["total", "normalized"]) & p["placement"].isin(placements)]
    found = found.pivot_table("mean", ["placement", "dropout_rate"], "quantity", aggfunc="sum")
    return found.index[(found["total"] >= least) & (found["normalized"] > 0)]


def trees_farthest_in_shares(t, p, *, placements, width=32, rule="equal", least_total=0.1):
    return max(
        trees_apart_from_published(t, p, placement=place, rate=rate, width=width, rule=rule)
        for place, rate in high_bars(p, placements, least_total)
    )


def trees_farthest_in_totals(t, p, *, placements, width=32, least_total=0.1, leave_out=None):
    ratios = [
        trees_total_over_published(t, p, placement=place, rate=rate, width=width)
        for place, rate in high_bars(p, placements, least_total)
        if rate != leave_out
    ]
    return max((abs(value - 1), error, n) for value, error, n in ratios)


def share_gained_under_decay(t, *, regularizer, strength, orders):
    decayed = rows(t, regularizer=regularizer, strength=strength)
    return mean(share(decayed, *orders) - share(rows(t, regularizer="none"), *orders))


def decay_spares_high_orders(t, *, decay, dropout):
    """Both at one total: shares under decay on the line through neighbours in log total."""
    t = rows(t, measure="unbiased")
    spared = {}
    for repeat, own in t.groupby("repeat"):
        totals = own.groupby(["regularizer", "strength"])["variance"].sum()
        x = np.log(totals.clip(lower=1e-12))
        high = own[own["order"] == ">3"].set_index(["regularizer", "strength"])["share"]
        path = x[x.index.get_level_values(0).isin(["none", decay])].sort_values()
        other = x.loc[[dropout]]
        at = np.interp(other, path, high[path.index], left=np.nan, right=np.nan)
        spared[repeat] = np.nanmean(at - high[other.index]) if (at == at).any() else np.nan
    return mean(pd.Series(spared))


# Figures 6, 7 and 9, Table C.1 and Fig A.1.


def error_gained_by_dropout(t, *, placement):
    t = rows(t, placement=["none", placement], quantity=["test_mse", "validation_mse"])
    looks = t.pivot_table("value", ["rate", "repeat", "epoch"], "quantity").reset_index()
    stop = looks.groupby(["rate", "repeat"])["validation_mse"].idxmin()
    errors = looks.loc[stop].pivot_table("test_mse", "repeat", "rate")
    dropped = errors.drop(columns=0.0)
    # By the other repeats, the rate that is best for them.
    others = (dropped.sum() - dropped) / (len(dropped) - 1)
    chosen = pd.Series({i: dropped.loc[i, others.loc[i].idxmin()] for i in dropped.index})
    return mean(chosen - errors[0.0])


def published_error_over_constant(p, t, *, quantity, rate, runs):
    last = rows(p, quantity=quantity, dropout_rate=rate, epoch=p["epoch"].max()).iloc[0]
    constant = rows(t, quantity=quantity)["constant"].iloc[0]
    return last["mean"] / constant, last["spread"] / (runs - 1) ** 0.5 / constant, runs


def selectivity_of(t, *, target, regularizer):
    t = rows(t, quantity="selectivity", target=target, regularizer=regularizer, where="half")
    return mean(rows(t, steps=t["steps"].max())["value"])


def half_epoch(held):
    """Where the amplitudes of a network, by epoch, first reach half of their largest."""
    held = held.sort_index()
    half = held.max() / 2
    after = int((held >= half).to_numpy().argmax())
    if held.max() < 0.05:
        return np.nan
    if after == 0:
        return float(held.index[0])
    (x0, x1), (y0, y1) = held.index[after - 1 : after + 1], held.iloc[after - 1 : after + 1]
    return x0 + (half - y0) / (y1 - y0) * (x1 - x0)


def amplitudes(t, target, order):
    t = rows(t, quantity="amplitude", target=target, order=str(order))
    return t.pivot_table("value", ["rate", "repeat"], "epoch")


def slowed_more(t, *, target, rate, high, low):
    delay = {}
    for order in (high, low):
        half = amplitudes(t, target, order).apply(half_epoch, axis=1)
        delay[order] = np.log(half[rate] / half[0.0])
    return mean(delay[high] - delay[low])


def kept_later_more(t, *, target, rate, high, low):
    rise = {}
    for order in (high, low):
        held = amplitudes(t, target, order)
        kept = held.loc[rate] / held.loc[0.0]
        half = held.loc[0.0].apply(half_epoch, axis=1).mean()
        looks = held.columns[held.columns > 0]
        early = looks[np.abs(looks - half).argmin()]
        rise[order] = np.log(kept[looks.max()] / kept[early])
    return mean(rise[high] - rise[low])


def generators_share(*, generator, order):
    """Sin x0 cos x1 and sin x0 cos x1 x2 by quadrature: sin and x have mean 0, cos has not."""
    x, w = np.polynomial.legendre.leggauss(30)
    main = (w / 2 @ np.cos(x)) ** 2 / (w / 2 @ np.cos(x) ** 2)
    return exact({(2, 1): main, (2, 2): 1 - main, (3, 2): main, (3, 3): 1 - main}[generator, order])


def uncertainty(t, label, regime):
    t = rows(t, label=label, regime=regime, quantity="uncertainty")
    t = t[t["steps"] == t.groupby("order")["steps"].transform("max")]
    return t.pivot_table("value", "repeat", "order")


def uncertainty_gained(t, *, label, regime, high, low):
    by_order = uncertainty(t, label, regime)
    return mean(by_order[str(high)] - by_order[str(low)])


def uncertainty_gained_over_bootstrap(t, *, label, high, low):
    dropout, none = (uncertainty(t, label, regime) for regime in ("dropout", "none"))
    high, low = str(high), str(low)
    return mean((dropout[high] - dropout[low]) / (none[high] - none[low]))


def dropout_error_over_none(p, *, order):
    p = rows(p, order=str(order)).pivot_table("test_mse", "bootstrap", "model")
    return mean(p["dropout0.25"] / p["no_dropout"])


def ties(p, *, order):
    p = rows(p, order=str(order))["test_accuracy_mean"]
    return exact((p == p.max()).sum())


def planted_class_share(*, planted, order):
    """All of `planted` columns high, which 30% of documents are: the ANOVA of a product."""
    p = 0.3 ** (1 / planted)
    variance = [
        math.comb(planted, j) * (p - p * p) ** j * p ** (2 * (planted - j)) for j in range(9)
    ]
    return exact(variance[order] / sum(variance[1 : planted + 1]))


def best_rates(t, low, high, score, best, **which):
    t = rows(t, **which)
    t = rows(t, steps=t["steps"].max()) if "steps" in t else t
    sign = 1 if best == "max" else -1
    curves = [
        sign * rows(t, order=str(k)).pivot_table(score, "repeat", "rate") for k in (low, high)
    ]
    return curves, np.diff(sorted(t["rate"].unique())).max()


def best_rate_lost(t, *, low, high, score, best, **which):
    curves, step = best_rates(t, low, high, score, best, **which)
    value, error, n = mean(curves[0].idxmax(axis=1) - curves[1].idxmax(axis=1))
    # Two best rates, each rounded to a grid: uniform over a step.
    return value, (error**2 + 2 * step**2 / 12 / n) ** 0.5, n


def best_rate_of_means_lost(t, *, low, high, score, best):
    """The error by a bootstrap of its own, which agrees within its noise."""
    curves, step = best_rates(t, low, high, score, best)
    lost = curves[0].mean().idxmax() - curves[1].mean().idxmax()
    n = min(map(len, curves))
    rng = np.random.default_rng(1)
    drawn = [
        [c.sample(frac=1, replace=True, random_state=rng).mean().idxmax() for _ in range(1000)]
        for c in curves
    ]
    spread = np.subtract(*drawn).std() * (n / (n - 1)) ** 0.5
    return lost, (spread**2 + 2 * step**2 / 12) ** 0.5, n


def pure_share_lost(t, *, low, high):
    def share_of(own):
        w = own["weight"] / own["weight"].sum()
        var = {c: (w * (own[c] - (w * own[c]).sum()) ** 2).sum() for c in ("main", "pure")}
        return var["pure"] / sum(var.values())

    t = rows(t, part="square", rho=[low, high])
    t = t.assign(main=t["main1"] + t["main2"])
    by = {k: share_of(own) for k, own in t.groupby(["repeat", "rho"])}
    lost = pd.Series(by).unstack()
    lost = lost[low] - lost[high]
    return mean(lost) if len(lost) > 1 else exact(lost.item())


def purify_gap(t, *, scheme):
    gap = rows(t, part="cube", scheme=scheme).groupby("repeat")["gap"].sum()
    return mean(gap) if len(gap) > 1 else exact(gap.item())


BOOTSTRAPPED = {"best_rate_of_means_lost"}
"""Numbers whose error is drawn: two bootstraps agree within a tenth."""


MAXIMA = {
    *("gap_to_survival", "step_gap_to_survival", "trees_apart_from_published"),
    *("trees_farthest_in_shares", "trees_farthest_in_totals"),
}
"""The largest of several, whose interval is wider than its own."""


def judged() -> list[tuple[str, dict, list[str]]]:
    """Of every check: the claim's name, the check, and the cells that the report says of it."""
    page = (RESULTS / "REPORT.md").read_text(encoding="utf-8")
    found = []
    for claim in tomllib.loads((RESULTS / "claims.toml").read_text(encoding="utf-8"))["claim"]:
        section = re.split(rf"^### {claim['name']}: .*$", page, flags=re.MULTILINE)[1]
        section = re.split(r"^##", section, flags=re.MULTILINE)[0]
        table = [line for line in section.splitlines() if line.startswith("| ")][1:]
        for check, line in zip(claim["check"], table, strict=True):
            found.append((claim["name"], check, [c.strip() for c in line.split("|")[1:-1]]))
    return found


JUDGED = judged()


def as_printed(value: float, text: str, *, noise: float = 0.0) -> bool:
    """Whether a number is what was printed, to its last digit: three, or two beside an exponent."""
    said, digits = float(text), 2 if "e" in text else 3
    last = 10 ** (math.floor(math.log10(abs(said) or 1)) - digits + 1)
    return abs(value - said) <= 0.51 * last + noise * abs(said)


@pytest.mark.parametrize(
    ("name", "check", "cells"), JUDGED, ids=[f"{n}-{c['number']}" for n, c, _ in JUDGED]
)
def test_the_report_says_what_a_second_computation_gives(
    name, check, cells, stored, printed
) -> None:
    said, error_said, rests_on, asked, *_, command = cells
    if said == "–":
        # Not run, or the run lacks what the number needs: nothing is said.
        assert (error_said, rests_on) == ("–", "")
        return
    folders = iter(re.findall(r"\(([\w.=,-]+), (?:stored|yours)", command))
    tables = [
        printed(of.split()[1]) if of.startswith("published") else stored(next(folders))
        for of in check.get("of", [])
    ]
    value, error, n = globals()[check["number"]](*tables, **check.get("options", {}))
    assert as_printed(value, said), (value, said)
    noise = 0.1 if check["number"] in BOOTSTRAPPED else 0.0
    assert as_printed(error, error_said.removeprefix("± ") or "0", noise=noise), (error, error_said)
    assert f"n = {n} " in rests_on if n else "n =" not in rests_on
    if check["number"] in MAXIMA | BOOTSTRAPPED:
        return
    # The rule again: the 99% interval beside the bounds; fewer than five repeats are open.
    half = stats.t.ppf(0.995, n - 1 if n else np.inf) * error if error else 0.0
    at_least, at_most = check.get("at_least", -np.inf), check.get("at_most", np.inf)
    inside = value - half >= at_least and value + half <= at_most
    outside = value + half < at_least or value - half > at_most
    state = "open" if (n or 5) < 5 else "inside" if inside else "outside" if outside else "open"
    assert asked.endswith(state)


def test_every_number_of_claims_has_its_second_computation() -> None:
    asked = {check["number"] for _, check, _ in JUDGED}
    assert asked <= set(globals()), asked - set(globals())


def test_what_a_claim_opens_with_is_among_what_was_computed() -> None:
    """The table of verdicts names, for every claim, a number of that claim's own table."""
    page = (RESULTS / "REPORT.md").read_text(encoding="utf-8")
    opening = page.split("## Claims")[0]
    for line in re.findall(r"^\| \*\*C\d+\*\*.*$", opening, flags=re.MULTILINE):
        name, _, _, value, error, n, _ = (c.strip(" *") for c in line.split("|")[1:-1])
        own = [cells[:3] for claim, _, cells in JUDGED if claim == name]
        assert [value, error, n] in own
