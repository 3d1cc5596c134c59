"""Figures 5, C.1 and 8: networks fit to pure noise, under dropout and under weight decay."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from experiments.questions import weight_decay
from experiments.questions.pure_noise import EQUAL, RISE

from .. import published
from .estimates import Estimate, by_repeat, largest, largest_gap, mean_over_repeats, only, select
from .points import SHARE, VARIANCE, as_points, averaged, order_label


def networks(
    table: pd.DataFrame,
    placement: str,
    rate: float,
    *,
    width: int = 32,
    after: int | None = None,
    rule: str = EQUAL,
) -> pd.DataFrame:
    """Pick the rows of a cell's networks after so many steps, or at the end of training.

    At rate 0 all placements are one network, stored as "none". A table of networks that all
    trained by one rule need not name it.
    """
    if "rule" in table:
        table = select(table, rule=rule)
    rows = select(table, width=width, placement=placement if rate else "none", rate=rate)
    return select(rows, after=rows["after"].max() if after is None else after)


def _total(
    table: pd.DataFrame,
    placement: str,
    rate: float,
    measure: str,
    *,
    width: int = 32,
    after: int | None = None,
    rule: str = EQUAL,
) -> pd.Series:
    rows = networks(table, placement, rate, width=width, after=after, rule=rule)
    return by_repeat(rows, "variance", measure=measure)


def _share(
    table: pd.DataFrame, placement: str, rate: float, order: str, **cell: int | None
) -> pd.Series:
    rows = networks(table, placement, rate, **cell)
    return by_repeat(rows, "share", measure="unbiased", order=order)


def total_over_none(
    table: pd.DataFrame, *, placement: str, rate: float, width: int = 32, after: int | None = None
) -> Estimate:
    """Divide the unbiased total variance at a rate by that without dropout: a ratio, by repeat.

    After so many steps, or at the end of training.
    """
    dropped, undropped = (
        _total(table, placement, r, "unbiased", width=width, after=after) for r in (rate, 0.0)
    )
    return mean_over_repeats(dropped / undropped)


def high_share_gained(
    table: pd.DataFrame, *, placement: str, rate: float, width: int = 32, after: int | None = None
) -> Estimate:
    """Subtract the share of orders 4 and above without dropout from that at a rate, by repeat.

    Both unbiased, after so many steps, or at the end of training.
    """
    return mean_over_repeats(_gained(table, placement, rate, ">3", width=width, after=after))


def _gained(
    table: pd.DataFrame, placement: str, rate: float, order: str, **cell: int | None
) -> pd.Series:
    dropped, undropped = (_share(table, placement, r, order, **cell) for r in (rate, 0.0))
    return dropped - undropped


def gained_by_width(
    table: pd.DataFrame, *, placement: str, rate: float, order: str, after: int | None = None
) -> Estimate:
    """Subtract what dropout adds to an order's share at width 32 from what it adds at 128.

    A share, by repeat; both unbiased, after so many steps, or at the end of training. Where
    dropout adds to the order, a negative difference says that width weakens it.
    """
    narrow, wide = (
        _gained(table, placement, rate, order, width=width, after=after) for width in (32, 128)
    )
    return mean_over_repeats(wide - narrow)


def kept_by_width(
    table: pd.DataFrame, *, placement: str, rate: float, after: int | None = None
) -> Estimate:
    """Divide the part of their variance wide networks keep under dropout by narrow ones' part.

    A ratio, by repeat, of widths 128 and 32; above 1 dropout shrinks the wide ones less. After so
    many steps, or at the end of training.
    """
    narrow, wide = (
        _total(table, placement, rate, "unbiased", width=width, after=after)
        / _total(table, placement, 0.0, "unbiased", width=width, after=after)
        for width in (32, 128)
    )
    return mean_over_repeats(wide / narrow)


def steps_over_none(table: pd.DataFrame, *, placement: str, rate: float) -> Estimate:
    """Divide steps to the first rise at a rate by those without dropout: a ratio, by repeat."""
    dropped, undropped = (
        networks(table, placement, r, rule=RISE).groupby("repeat")["steps"].first()
        for r in (rate, 0.0)
    )
    return mean_over_repeats(dropped / undropped)


def mean_total(
    table: pd.DataFrame,
    *,
    placement: str = "none",
    rate: float = 0.0,
    measure: str = "released",
    rule: str = EQUAL,
) -> Estimate:
    """Average the total variance of a cell's networks over repeats."""
    return mean_over_repeats(_total(table, placement, rate, measure, rule=rule))


def _bar(bars: pd.DataFrame, pane: str, rate: float) -> pd.Series:
    """Read a published bar: a value per order."""
    return select(bars, pane=pane, dropout_rate=rate).set_index("order")["mean"]


def published_total(bars: pd.DataFrame, *, pane: str, rate: float = 0.0) -> Estimate:
    """Add up a bar of Fig 5 or C.1: its total variance."""
    return Estimate(float(_bar(bars, pane, rate).sum()), 0.0)


def published_totals_ratio(bars: pd.DataFrame, *, above: str, below: str) -> Estimate:
    """Divide the totals of two panes of Fig 5 or C.1 without dropout: a ratio."""
    return Estimate(float(_bar(bars, above, 0.0).sum() / _bar(bars, below, 0.0).sum()), 0.0)


def published_shares_apart(
    bars: pd.DataFrame, *, shares: str, totals: str, rate: float
) -> Estimate:
    """Find the largest gap between a pane of shares and those of the totals it should show."""
    total = _bar(bars, totals, rate)
    gap = _bar(bars, shares, rate) - total / total.sum()
    return Estimate(float(gap.abs().max()), 0.0)


def published_decline_apart(figc1: pd.DataFrame, *, decline: str, totals: str) -> Estimate:
    """Find the largest gap between a pane relative to r = 0 and the totals it should show.

    Of C.1, over orders and rates.
    """
    keys = ["order", "dropout_rate"]
    total = select(figc1, pane=totals).set_index(keys)["mean"].unstack()
    drawn = select(figc1, pane=decline).set_index(keys)["mean"].unstack()
    return Estimate(float((drawn - total.div(total[0.0], axis=0)).abs().max(axis=None)), 0.0)


def published_settings_apart(fig5: pd.DataFrame, fig8: pd.DataFrame) -> Estimate:
    """Find the largest gap in shares between Fig 8 without decay and Fig 5 without dropout."""
    no_decay = select(fig8, weight_decay=0.0, quantity="normalized").set_index("order")["mean"]
    return Estimate(float((no_decay - _bar(fig5, "d", 0.0)).abs().max()), 0.0)


TOTALS = {"activation": "a", "input": "b", "both": "c"}
SHARES = {"activation": "d", "input": "e", "both": "f"}
"""Panes of Fig 5 and of C.1 by placement."""


def trees_total_over_published(
    table: pd.DataFrame,
    bars: pd.DataFrame,
    *,
    placement: str,
    rate: float,
    width: int = 32,
    rule: str = EQUAL,
) -> Estimate:
    """Divide our boosted trees' total variance by that of Fig 5 or C.1: a ratio, by repeat."""
    published_total = _bar(bars, TOTALS[placement], rate).sum()
    ours = _total(table, placement, rate, "released", width=width, rule=rule)
    return mean_over_repeats(ours / published_total)


def trees_farthest_in_shares(
    table: pd.DataFrame,
    bars: pd.DataFrame,
    *,
    placements: list[str],
    width: int = 32,
    rule: str = EQUAL,
    least_total: float = 0.1,
) -> Estimate:
    """Find the largest gap between our trees' mean shares and those of Fig 5 or C.1.

    Over orders, and over all rates whose published total is at least `least_total`. The standard
    error is over our networks.
    """
    cells = []
    for placement in placements:
        for rate in _rates_drawn(bars, placement, least_total):
            trees = networks(table, placement, rate, width=width, rule=rule)
            trees = select(trees, measure="released").replace({"order": {">3": "4+"}})
            shares = trees.groupby("order")["share"]
            gap = shares.mean() - _bar(bars, SHARES[placement], rate)
            cell = {"gap": gap, "standard_error": shares.sem(), "repeats": shares.size()}
            cells.append(pd.DataFrame(cell))
    return largest_gap(pd.concat(cells, ignore_index=True))


def trees_farthest_in_totals(
    table: pd.DataFrame,
    bars: pd.DataFrame,
    *,
    placements: list[str],
    width: int = 32,
    least_total: float = 0.1,
    leave_out: float | None = None,
) -> Estimate:
    """Find the largest part by which our trees' total misses the published one, of all bars.

    Over all rates whose published total is at least `least_total`, but for the rate `leave_out`.
    """
    ratios = [
        trees_total_over_published(table, bars, placement=placement, rate=rate, width=width)
        for placement in placements
        for rate in _rates_drawn(bars, placement, least_total)
        if rate != leave_out
    ]
    return largest(replace(ratio, value=ratio.value - 1) for ratio in ratios)


def _rates_drawn(bars: pd.DataFrame, placement: str, least_total: float) -> list[float]:
    """Rates at which a placement's bar is as high as that, and its shares were drawn."""
    totals, shares = (
        select(bars, pane=panes[placement]).groupby("dropout_rate")["mean"].sum()
        for panes in (TOTALS, SHARES)
    )
    return totals.index[(totals >= least_total) & (shares > 0)].tolist()


def share_gained_under_decay(
    table: pd.DataFrame, *, regularizer: str, strength: float, orders: list[str]
) -> Estimate:
    """Subtract some orders' share without weight decay from that under it: a share, by repeat.

    Both unbiased; orders are "1", "2", "3" and ">3", of which the shares are added.
    """
    decayed, plain = (
        by_repeat(
            table,
            "share",
            regularizer=name,
            strength=s,
            measure="unbiased",
            order=orders,
        )
        for name, s in ((regularizer, strength), ("none", 0.0))
    )
    return mean_over_repeats(decayed - plain)


def decay_spares_high_orders(table: pd.DataFrame, *, decay: str, dropout: str) -> Estimate:
    """Subtract the share of orders 4+ under dropout from that under decay of the same total.

    A share, by repeat, averaged over the drop rates whose total variance decay can match.
    """
    # Kinds that are not compared would be matched too, in most of the time.
    pairs = weight_decay.matched(only(table, regularizer=["none", decay, dropout]))
    pairs = select(pairs, decay=decay, dropout=dropout, order=">3")
    spared = pairs["decay_share"] - pairs["dropout_share"]
    return mean_over_repeats(spared.groupby(pairs["repeat"]).mean())


QUANTITIES = {"total": VARIANCE, "normalized": SHARE}
"""What published bars show, by the names their numbers go by."""


def bars_published(name: str) -> pd.DataFrame:
    """Read the bars of "fig5" or "figC1": variances and shares by rate, a series per order."""
    t = only(published(name), quantity=list(QUANTITIES))
    # Where the total was small the released code sets all shares to 0: none were published.
    bar = t.groupby(["quantity", "placement", "dropout_rate"])["mean"].transform("sum")
    t = t[bar > 0]
    quantity = t["quantity"].map(QUANTITIES)
    return as_points(
        t,
        quantity=quantity,
        pane=quantity + ", " + t["placement"],
        series=order_label(t["order"]),
        x=t["dropout_rate"],
        value=t["mean"],
        reading=quantity.map({VARIANCE: 5e-8, SHARE: 4e-8}),
    )


def bars_ours(table: pd.DataFrame, width: int) -> pd.DataFrame:
    """Average our boosted trees' variances and shares of networks of a width, once trained.

    Networks without dropout stand at r = 0 of every placement. Where some trained by equal steps,
    as the published ones did, these are shown.
    """
    t = only(table, measure="released", width=width)
    if "rule" in t and (equal := t["rule"] == EQUAL).any():
        t = t[equal]
    t = t[t["after"] == t["after"].max()] if len(t) else t
    none = t[t["placement"] == "none"]
    placements = [p for p in dict.fromkeys(t["placement"]) if p != "none"]
    t = pd.concat([t[t["placement"] != "none"], *(none.assign(placement=p) for p in placements)])
    points = [
        as_points(
            t,
            quantity=quantity,
            pane=quantity + ", " + t["placement"],
            series=order_label(t["order"]),
            x=t["rate"],
            value=t[quantity],
        )
        for quantity in (VARIANCE, SHARE)
    ]
    return averaged(pd.concat(points))


def fig_8_published() -> pd.DataFrame:
    """Read Fig 8's variances and shares by weight decay, a series per order."""
    t = only(published("fig8"), quantity=list(QUANTITIES))
    quantity = t["quantity"].map(QUANTITIES)
    return as_points(
        t,
        quantity=quantity,
        pane=quantity,
        series=order_label(t["order"]),
        x=t["weight_decay"],
        value=t["mean"],
        reading=4e-8,
    )


def fig_8_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average our boosted trees' variances and shares under coupled decay, as published."""
    t = only(table, measure="released", regularizer=["none", "coupled decay"])
    points = [
        as_points(
            t,
            quantity=quantity,
            pane=quantity,
            series=order_label(t["order"]),
            x=t["strength"],
            value=t[quantity],
        )
        for quantity in (VARIANCE, SHARE)
    ]
    return averaged(pd.concat(points))
