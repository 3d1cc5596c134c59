"""The numbers that decide claims, by the names paper_results/claims.toml calls them.

A number takes the tables its check lists, of runs or as published, and answers with a value and its
standard error over repeats: 0 where nothing is random, NaN where one repeat leaves it unknown.
Published points carry the error of their mean where the paper drew a spread and says how many runs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from experiments.questions import learning_curves, newsgroups, weight_decay
from interactions import Uniform
from interactions.planted import paper_generator
from interactions.theory import survival


@dataclass(frozen=True)
class Estimate:
    """`repeats` is how many values the standard error was taken from; None where it is known."""

    value: float
    standard_error: float
    repeats: int | None = None


class NotInTableError(ValueError):
    """The rows a number is computed from are not in the table."""


def _rows(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Rows that have these values in these columns."""
    for column, value in wanted.items():
        if column not in table.columns:
            raise NotInTableError(f"the table has no column {column!r}")
        values = value if isinstance(value, list) else [value]
        table = table[table[column].isin(values)]
    if table.empty:
        raise NotInTableError(f"the table has no rows with {wanted}")
    return table


def _by_repeat(table: pd.DataFrame, column: str, **wanted: object) -> pd.Series:
    """Values of a column by repeat, summed where a repeat has several."""
    return _rows(table, **wanted).groupby("repeat")[column].sum()


def _mean(values: pd.Series) -> Estimate:
    values = values.dropna()
    if values.empty:
        raise NotInTableError("no repeat has all rows that the number needs")
    return Estimate(float(values.mean()), float(values.sem()), len(values))


def _largest(cells: pd.DataFrame) -> Estimate:
    """The cell whose gap is largest in size: columns gap, standard_error and repeats."""
    worst = cells.loc[cells["gap"].abs().idxmax()]
    # One repeat has an error that is known, if any.
    repeats = int(worst["repeats"]) if worst["repeats"] > 1 else None
    return Estimate(abs(float(worst["gap"])), float(worst["standard_error"]), repeats)


# Fig 1, 2, 3: the senses of (1-r)^k.


def survivors_over_expected(table: pd.DataFrame, *, largest_order: int) -> Estimate:
    """Effects counted under drawn masks over C(d,k) (1-r)^k, mean over rates and orders."""
    rows = table[table["order"] <= largest_order].dropna(subset="counted")
    if rows.empty:
        raise NotInTableError("no masks were drawn")
    return _mean((rows["counted"] / rows["law"]).groupby(rows["repeat"]).mean())


def gap_to_survival(table: pd.DataFrame, *, sense: str, quantity: str) -> Estimate:
    """Largest distance from (1-r)^k over orders and rates."""
    rows = _rows(table, part="laws", sense=sense, quantity=quantity).dropna(subset="measured")
    gaps = (rows["measured"] - rows["survival"]).groupby([rows["order"], rows["rate"]])
    return _largest(
        pd.DataFrame({"gap": gaps.mean(), "standard_error": gaps.sem(), "repeats": gaps.size()})
    )


def step_gap_to_survival(
    table: pd.DataFrame, *, placement: str, model: str, kind: str, optimizer: str
) -> Estimate:
    """Largest distance of a first step's move of the answer, relative to r = 0, from (1-r)^k."""
    rows = _rows(
        table, part="start", placement=placement, model=model, kind=kind, optimizer=optimizer
    )
    gap = rows["moved"] - survival_of(rows)
    cells = rows.assign(gap=gap).groupby(["order", "rate"])
    # One start has the error over its masks; several have one over starts.
    error = cells["gap"].sem().fillna(cells["standard_error"].first())
    gap = cells["gap"].mean()
    return _largest(pd.DataFrame({"gap": gap, "standard_error": error, "repeats": cells.size()}))


def survival_of(rows: pd.DataFrame) -> pd.Series:
    """(1-r)^k of every row."""
    return pd.Series(
        [survival(rate, order) for rate, order in zip(rows["rate"], rows["order"], strict=True)],
        index=rows.index,
    )


def leftover(table: pd.DataFrame, *, target: str, rate: float, at_zero: float) -> Estimate:
    """Mean over all points of an effect under masks, over its value at zero (its own mean is 0)."""
    rows = _rows(table, target=target, rate=rate)
    weighted = (rows["mean"] * rows["count"]).groupby(rows["repeat"]).sum()
    return _mean(weighted / rows.groupby("repeat")["count"].sum() / at_zero)


def published_curve_ratio(fig1: pd.DataFrame, *, order: int, rate: float) -> Estimate:
    """Fig 1: the curve at a rate over the one without dropout, at the largest X."""
    rows = _rows(fig1, order=order, x=fig1["x"].max()).set_index("dropout_rate")
    return Estimate(rows.loc[rate, "conditional_mean"] / rows.loc[0.0, "conditional_mean"], 0.0)


def published_norm_over_survival(fig2: pd.DataFrame, *, order: int, rate: float) -> Estimate:
    """Fig 2: the published median over (1-r)^k."""
    row = _rows(fig2, order=order, dropout_rate=rate).iloc[0]
    return Estimate(row["median_relative_update_norm"] / survival(rate, order), 0.0)


def published_norm_rise(fig2: pd.DataFrame, *, rate: float, low: int, high: int) -> Estimate:
    """Fig 2: the median of a higher order minus that of a lower one."""
    rows = _rows(fig2, dropout_rate=rate).set_index("order")["median_relative_update_norm"]
    return Estimate(rows[high] - rows[low], 0.0)


# Fig 4: distillation.


def trees_overstate(table: pd.DataFrame, *, order: int) -> Estimate:
    """Share boosted trees give to an order minus the unbiased one, networks without dropout."""
    networks = _networks(table, "none", 0.0)
    share = [
        _by_repeat(networks, "share", measure=measure, order=str(order))
        for measure in ("released", "unbiased")
    ]
    return _mean(share[0] - share[1])


def given_too_low(table: pd.DataFrame, *, true_order: int, samples: int, measure: str) -> Estimate:
    """Share given to orders below that of a pure product, beyond what the network has there."""
    low = table[table["order"] < true_order]
    wanted = {"true_order": true_order, "samples": samples}
    by = [_by_repeat(low, "share", measure=m, **wanted) for m in (measure, "exact")]
    return _mean(by[0] - by[1])


def published_given_to(
    fig4: pd.DataFrame, *, true_order: int, samples: int, order: int, runs: int
) -> Estimate:
    """Fig 4: the share a pure product's variance gets at another order; its error over runs."""
    row = _rows(fig4, n_distill_samples=samples, true_order=true_order, estimated_order=order)
    mean, spread = row[["normalized_effect_mean", "normalized_effect_spread"]].iloc[0]
    return Estimate(mean, spread / math.sqrt(runs - 1), runs)


def published_bar_over_largest_variance(
    fig4: pd.DataFrame, *, true_order: int, samples: int
) -> Estimate:
    """Fig 4: an error bar over m (1-m), the largest variance a share of mean m can have."""
    row = _rows(
        fig4, n_distill_samples=samples, true_order=true_order, estimated_order=true_order
    ).iloc[0]
    mean = row["normalized_effect_mean"]
    return Estimate(row["normalized_effect_spread"] / (mean * (1 - mean)), 0.0)


# Fig 5, C.1, 8: networks fit to noise.


def _networks(
    table: pd.DataFrame, placement: str, rate: float, *, width: int = 32, after: int | None = None
) -> pd.DataFrame:
    """Rows of a cell, looked at after so many steps, or at the end of training."""
    rows = _rows(table, width=width, placement=placement if rate else "none", rate=rate)
    return _rows(rows, after=rows["after"].max() if after is None else after)


def _noise_total(
    table: pd.DataFrame, placement: str, rate: float, measure: str, **cell: int
) -> pd.Series:
    return _by_repeat(_networks(table, placement, rate, **cell), "variance", measure=measure)


def total_over_none(table: pd.DataFrame, *, placement: str, rate: float) -> Estimate:
    """Total variance at a rate over that without dropout, unbiased, by repeat."""
    total = [_noise_total(table, placement, r, "unbiased") for r in (rate, 0.0)]
    return _mean(total[0] / total[1])


def high_share_gained(
    table: pd.DataFrame, *, placement: str, rate: float, after: int | None = None
) -> Estimate:
    """Share of orders 4 and above at a rate minus that without dropout, unbiased, by repeat.

    After so many steps, or at the end of training.
    """
    share = [
        _by_repeat(
            _networks(table, placement, r, after=after), "share", measure="unbiased", order=">3"
        )
        for r in (rate, 0.0)
    ]
    return _mean(share[0] - share[1])


def kept_by_width(table: pd.DataFrame, *, placement: str, rate: float) -> Estimate:
    """What networks of width 128 keep of their total under dropout, over what those of 32 keep."""
    kept = [
        _noise_total(table, placement, rate, "unbiased", width=width)
        / _noise_total(table, placement, 0.0, "unbiased", width=width)
        for width in (32, 128)
    ]
    return _mean(kept[1] / kept[0])


def steps_over_none(table: pd.DataFrame, *, placement: str, rate: float) -> Estimate:
    """Training steps at a rate over those without dropout, by repeat."""
    steps = [_networks(table, placement, r).groupby("repeat")["steps"].first() for r in (rate, 0.0)]
    return _mean(steps[0] / steps[1])


def mean_total(
    table: pd.DataFrame, *, placement: str = "none", rate: float = 0.0, measure: str = "released"
) -> Estimate:
    """Mean total variance of the networks of a cell."""
    return _mean(_noise_total(table, placement, rate, measure))


def _published_bars(bars: pd.DataFrame, pane: str, rate: float) -> pd.DataFrame:
    return _rows(bars, pane=pane, dropout_rate=rate).set_index("order")["mean"]


def published_total(bars: pd.DataFrame, *, pane: str, rate: float = 0.0) -> Estimate:
    """Fig 5 or C.1: total variance of a bar."""
    return Estimate(float(_published_bars(bars, pane, rate).sum()), 0.0)


def published_totals_ratio(bars: pd.DataFrame, *, above: str, below: str) -> Estimate:
    """Fig 5 or C.1: totals of two panes without dropout, one over the other."""
    totals = [_published_bars(bars, pane, 0.0).sum() for pane in (above, below)]
    return Estimate(float(totals[0] / totals[1]), 0.0)


def published_shares_apart(
    bars: pd.DataFrame, *, shares: str, totals: str, rate: float
) -> Estimate:
    """Largest gap between a pane of shares and the shares of the pane of totals it should show."""
    total = _published_bars(bars, totals, rate)
    gap = _published_bars(bars, shares, rate) - total / total.sum()
    return Estimate(float(gap.abs().max()), 0.0)


def published_decline_apart(figc1: pd.DataFrame, *, decline: str, totals: str) -> Estimate:
    """C.1: largest gap between a pane relative to r = 0 and the pane of totals it should show."""
    keys = ["order", "dropout_rate"]
    total = _rows(figc1, pane=totals).set_index(keys)["mean"].unstack()
    drawn = _rows(figc1, pane=decline).set_index(keys)["mean"].unstack()
    return Estimate(float((drawn - total.div(total[0.0], axis=0)).abs().max(axis=None)), 0.0)


def published_settings_apart(fig5: pd.DataFrame, fig8: pd.DataFrame) -> Estimate:
    """Largest gap in shares between Fig 8 without weight decay and Fig 5 without dropout."""
    no_decay = _rows(fig8, weight_decay=0.0, quantity="normalized").set_index("order")["mean"]
    return Estimate(float((no_decay - _published_bars(fig5, "d", 0.0)).abs().max()), 0.0)


FIG5_PANES = {"activation": ("a", "d"), "input": ("b", "e"), "both": ("c", "f")}


def trees_apart_from_published(
    table: pd.DataFrame, fig5: pd.DataFrame, *, placement: str, rate: float
) -> Estimate:
    """Largest gap between our boosted trees' shares and Fig 5's; its error over our networks."""
    published = _published_bars(fig5, FIG5_PANES[placement][1], rate)
    shares = _rows(_networks(table, placement, rate), measure="released").groupby("order")["share"]
    gap = shares.mean().rename({">3": "4+"}) - published
    error = shares.sem().rename({">3": "4+"})
    size = shares.size().rename({">3": "4+"})
    return _largest(pd.DataFrame({"gap": gap, "standard_error": error, "repeats": size}))


def trees_total_over_published(
    table: pd.DataFrame, fig5: pd.DataFrame, *, placement: str, rate: float
) -> Estimate:
    """Our boosted trees' total variance over Fig 5's."""
    published = _published_bars(fig5, FIG5_PANES[placement][0], rate).sum()
    return _mean(_noise_total(table, placement, rate, "released") / published)


def left_by_nearest_setting(
    table: pd.DataFrame, fig5: pd.DataFrame, *, fields: list[str], nearest: str
) -> Estimate:
    """A sweep's setting that comes nearest to Fig 5's bars at r > 0, and what it leaves.

    `nearest` in "shares" leaves the largest gap in totals, as a part of the published ones, and
    the other way round; over the placements and rates swept.
    """
    table = _rows(table, measure="released")
    cells = table.loc[table["rate"] > 0, ["placement", "rate"]].drop_duplicates()
    settings = []
    for _, rows in table.groupby(fields):
        gaps: dict[str, list[Estimate]] = {"shares": [], "totals": []}
        for placement, rate in cells.itertuples(index=False):
            cell = {"placement": placement, "rate": rate}
            gaps["shares"].append(trees_apart_from_published(rows, fig5, **cell))
            total = trees_total_over_published(rows, fig5, **cell)
            gaps["totals"].append(replace(total, value=abs(total.value - 1)))
        settings.append({what: max(g, key=lambda e: e.value) for what, g in gaps.items()})
    chosen = min(settings, key=lambda largest: largest[nearest].value)
    return chosen["totals" if nearest == "shares" else "shares"]


def share_gained_under_decay(
    table: pd.DataFrame, *, regulariser: str, strength: float, order: str
) -> Estimate:
    """Share of an order ("3", or ">3") under weight decay minus that without, by repeat."""
    share = [
        _by_repeat(table, "share", regulariser=r, strength=s, measure="unbiased", order=order)
        for r, s in ((regulariser, strength), ("none", 0.0))
    ]
    return _mean(share[0] - share[1])


def decay_spares_high_orders(table: pd.DataFrame, *, decay: str, dropout: str) -> Estimate:
    """Share of orders 4 and above under weight decay minus that under dropout, same total variance.

    Mean over the drop rates that decay can match, by repeat.
    """
    pairs = weight_decay.matched(table)
    pairs = _rows(pairs, decay=decay, dropout=dropout, order=">3")
    spared = pairs["decay_share"] - pairs["dropout_share"]
    return _mean(spared.groupby(pairs["repeat"]).mean())


# Fig 6: bike sharing.


def error_gained_by_dropout(table: pd.DataFrame) -> Estimate:
    """Test error at the best placement and positive rate minus that without dropout, by repeat.

    Each network's, at the epoch with its least error on held-out hours; without these, its least.
    The best rate of a repeat is that of the other repeats' mean error: it is not chosen by the
    networks it is judged by.
    """
    keys = ["placement", "rate", "repeat"]
    rows = table[table["quantity"].isin(["test_mse", "validation_mse"])]
    looks = rows.pivot_table("value", [*keys, "epoch"], "quantity")
    watched = looks.get("validation_mse", looks["test_mse"])
    errors = looks.loc[watched.groupby(level=keys).idxmin(), "test_mse"].droplevel("epoch")
    cells = errors.unstack("repeat")
    dropped = cells[cells.index.get_level_values("rate") > 0]
    if ("none", 0.0) not in cells.index or dropped.empty or len(cells.columns) < 2:
        raise NotInTableError("the table needs rate 0, a positive one and two repeats")
    best = pd.Series({i: dropped[i][dropped.drop(columns=i).mean(axis=1).idxmin()] for i in cells})
    return _mean(best - cells.loc["none", 0.0])


def published_error_over_constant(
    fig6: pd.DataFrame, baseline: pd.DataFrame, *, quantity: str, rate: float, runs: int
) -> Estimate:
    """Fig 6: error at the last epoch over that of a constant, the variance of the target."""
    row = _rows(fig6, quantity=quantity, dropout_rate=rate, epoch=fig6["epoch"].max()).iloc[0]
    column = "test_value" if quantity == "test_mse" else "train_value"
    constant = baseline[column].iloc[-1]
    return Estimate(row["mean"] / constant, row["spread"] / math.sqrt(runs - 1) / constant, runs)


# Fig 7: learning over time.


def slowed_more(table: pd.DataFrame, *, target: str, rate: float, high: int, low: int) -> Estimate:
    """Log of the factor by which dropout delays a high order, minus that of a low one, by repeat.

    Delay is by the epoch at which a network holds half of what it will ever hold of the effect.
    """
    half = learning_curves.half_epochs(table)
    half = _rows(half.assign(order=half["order"].astype(str)), target=target)
    log = [
        np.log(_rows(half, order=str(order), rate=r).set_index("repeat")["epoch"])
        for order in (high, low)
        for r in (rate, 0.0)
    ]
    return _mean((log[0] - log[1]) - (log[2] - log[3]))


def kept_later(table: pd.DataFrame, *, target: str, rate: float, order: int) -> Estimate:
    """What dropout leaves of an effect at the end of training minus what it leaves early.

    As amplitudes over those of the same repeat without dropout; early is when networks without
    dropout hold half of the effect.
    """
    kept = learning_curves.kept(table)
    kept = _rows(kept.assign(order=kept["order"].astype(str)), target=target, rate=rate)
    return _mean((kept["last"] - kept["early"])[kept["order"] == str(order)])


def generators_share(*, generator: int, order: int) -> Estimate:
    """Share of an order in a generator of Fig 7 on U(-1, 1), in closed form."""
    spectrum = paper_generator(generator).spectrum(Uniform(-1.0, 1.0, dim=25), 3)
    return Estimate(float(spectrum.share[..., order - 1]), 0.0)


# Fig 9: uncertainty.


def uncertainty_gained(
    table: pd.DataFrame, *, label: str, regime: str, high: int, low: int
) -> Estimate:
    """Mean uncertainty at a high order minus that at a low one, by repeat, after all training."""
    rows = _rows(table, label=label, regime=regime, quantity="uncertainty")
    by = [
        _by_repeat(rows, "value", order=k, steps=_rows(rows, order=k)["steps"].max())
        for k in (high, low)
    ]
    return _mean(by[0] - by[1])


def dropout_error_over_none(log: pd.DataFrame, *, order: int) -> Estimate:
    """Fig 9's saved log: test error of the dropout networks over that of those without."""
    errors = _rows(log, order=order).pivot_table("test_mse", "bootstrap", "model")
    dropped = next(name for name in errors.columns if name.startswith("dropout"))
    return _mean(errors[dropped] / errors["no_dropout"])


# Table C.1 and Fig A.1.


def ties(table_c1: pd.DataFrame, *, order: int) -> Estimate:
    """Table C.1: how many rates of an order have its best accuracy."""
    best = _rows(table_c1, order=order)["test_accuracy_mean"]
    return Estimate(float((best == best.max()).sum()), 0.0)


def planted_class_share(*, planted: int, order: int) -> Estimate:
    """Share of an order in a class where all of k columns are high, in closed form.

    The product of k indicators of mean p has variance C(k, j) (1-p)^j p^(2k-j) at order j.
    """
    p = 1 - newsgroups.THRESHOLDS["even"](planted)
    part = math.comb(planted, order) * (1 - p) ** order * p ** (planted - order)
    return Estimate(part / (1 - p**planted), 0.0)


def pure_share_lost(table: pd.DataFrame, *, low: float, high: float) -> Estimate:
    """Share of X1 X2 that is a pure interaction at a low correlation minus that at a high one."""
    shares = []
    for rho in (low, high):
        cells = _rows(table, part="square", rho=rho)
        by = pd.Series({i: _pure_share(c) for i, c in cells.groupby("repeat")})
        shares.append(by)
    lost = shares[0] - shares[1]
    # One repeat: the weights are exact, there is nothing to repeat.
    return _mean(lost) if len(lost) > 1 else Estimate(float(lost.mean()), 0.0)


def _pure_share(cells: pd.DataFrame) -> float:
    weight = cells["weight"] / cells["weight"].sum()
    variances = []
    for part in (cells["main1"] + cells["main2"], cells["pure"]):
        variances.append((weight * (part - (weight * part).sum()) ** 2).sum())
    return variances[1] / sum(variances)


def purify_gap(table: pd.DataFrame, *, scheme: str) -> Estimate:
    """Largest difference between a cube and the sum of its pure parts, relative to the cube."""
    gaps = _by_repeat(table, "gap", part="cube", scheme=scheme)
    return _mean(gaps) if len(gaps) > 1 else Estimate(float(gaps.mean()), 0.0)


def best_rate_lost(
    table: pd.DataFrame,
    *,
    low: int,
    high: int,
    score: str,
    best: str,
    placement: str | None = None,
    noise: float | None = None,
) -> Estimate:
    """Best rate at a low true order minus that at a high one, by repeat, after all training.

    Where the table has several placements or levels of noise, one must be named.

    `best` is "max" or "min" of the column `score`. A best rate is known to its grid only, which
    adds to the error.
    """
    wanted = {"placement": placement, "noise": noise}
    rows = _rows(table, **{k: v for k, v in wanted.items() if v is not None})
    if "steps" in rows.columns:
        rows = rows[rows["steps"] == rows["steps"].max()]
    rates = []
    for order in (low, high):
        scores = _rows(rows, order=order).pivot_table(score, "repeat", "rate")
        rates.append(scores.idxmax(axis=1) if best == "max" else scores.idxmin(axis=1))
    lost = _mean(rates[0] - rates[1])
    step = np.diff(np.unique(rows["rate"])).max()
    # Two roundings to a grid, each of variance step^2 / 12.
    rounding = step / math.sqrt(6 * len(rates[0]))
    return replace(lost, standard_error=math.hypot(lost.standard_error, rounding))
