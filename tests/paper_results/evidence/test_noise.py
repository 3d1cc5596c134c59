"""Numbers of figures 5, C.1 and 8, on tables whose answer is worked out by hand."""

from __future__ import annotations

import pandas as pd
import pytest

from paper_results.evidence import noise
from paper_results.evidence.estimates import Estimate, NotInTableError

LAST = 300


def cell(
    placement: str,
    rate: float,
    variances: dict[str, list[float]],
    *,
    measure: str = "unbiased",
    width: int = 32,
    after: int = LAST,
    steps: tuple[int, ...] = (LAST, LAST),
) -> pd.DataFrame:
    """Networks of a cell: the variance of each order by repeat, and the shares that follow."""
    table = pd.DataFrame(
        [
            {"order": order, "repeat": i, "variance": value, "steps": steps[i]}
            for order, values in variances.items()
            for i, value in enumerate(values)
        ]
    )
    table["share"] = table["variance"] / table.groupby("repeat")["variance"].transform("sum")
    return table.assign(placement=placement, rate=rate, measure=measure, width=width, after=after)


PLAIN = cell("none", 0.0, {"1": [3.0, 4.0], ">3": [1.0, 4.0]}, steps=(200, 200))
"""Totals 4 and 8, shares of orders 4+ ¼ and ½."""
DROPPED = cell("input", 0.25, {"1": [1.0, 0.5], ">3": [1.0, 1.5]}, steps=(100, 150))
"""Totals 2 and 2, shares of orders 4+ ½ and ¾."""
EARLY = pd.concat(
    [
        cell("none", 0.0, {"1": [1.0, 1.0], ">3": [1.0, 1.0]}, after=100),
        cell("input", 0.25, {"1": [9.0, 7.0], ">3": [1.0, 3.0]}, after=100),
    ]
)
"""After 100 steps shares of orders 4+ fall from ½ to .1 and .3."""
TABLE = pd.concat([PLAIN, DROPPED, EARLY])
WIDE = pd.concat(
    [
        cell("none", 0.0, {"1": [2.0, 4.0], ">3": [2.0, 4.0]}, width=128),
        cell("input", 0.25, {"1": [2.0, 3.0], ">3": [2.0, 1.0]}, width=128),
        cell("none", 0.0, {"1": [2.0, 2.0], ">3": [2.0, 2.0]}, width=128, after=100),
        cell("input", 0.25, {"1": [1.0, 1.0], ">3": [1.0, 3.0]}, width=128, after=100),
    ]
)
"""Totals 4 and 8, of which 4 and 4 are left; shares of orders 4+ ½, of which ½ and ¼ are left.

After 100 steps totals of 4, of which 2 and 4 are left; shares of orders 4+ of ½, then ½ and ¾.
"""
INPUT = {"placement": "input", "rate": 0.25}


def test_totals_are_over_those_without_dropout_by_repeat() -> None:
    """2 / 4 and 2 / 8; early 10 / 2; of wide networks 4 / 4 and 4 / 8."""
    found = noise.total_over_none(TABLE, **INPUT)
    assert found == Estimate(pytest.approx(0.375), pytest.approx(0.125), 2)
    assert noise.total_over_none(TABLE, **INPUT, after=100) == Estimate(5.0, 0.0, 2)
    wide = noise.total_over_none(pd.concat([TABLE, WIDE]), **INPUT, width=128)
    assert wide == Estimate(pytest.approx(0.75), pytest.approx(0.25), 2)


def test_the_high_share_gained_is_that_at_the_rate_minus_that_without() -> None:
    """½ - ¼ and ¾ - ½ at the end; .1 - .5 and .3 - .5 early."""
    last = noise.high_share_gained(TABLE, **INPUT)
    assert last == Estimate(pytest.approx(0.25), pytest.approx(0, abs=1e-12), 2)
    early = noise.high_share_gained(TABLE, **INPUT, after=100)
    assert early == Estimate(pytest.approx(-0.3), pytest.approx(0.1), 2)
    # Wide networks are taken for themselves: ½ - ½ and ¼ - ½.
    wide = noise.high_share_gained(pd.concat([TABLE, WIDE]), **INPUT, width=128)
    assert wide == Estimate(pytest.approx(-0.125), pytest.approx(0.125), 2)


def test_kept_by_width_is_what_wide_networks_keep_over_what_narrow_ones_keep() -> None:
    """Width 32 keeps 2/4 and 2/8, width 128 4/4 and 4/8; early 10/2 twice, and 2/4 and 4/4."""
    table = pd.concat([TABLE, WIDE])
    assert noise.kept_by_width(table, **INPUT) == Estimate(2.0, 0.0, 2)
    early = noise.kept_by_width(table, **INPUT, after=100)
    assert early == Estimate(pytest.approx(0.15), pytest.approx(0.05), 2)


def test_gained_by_width_is_what_a_share_gains_in_wide_networks_minus_in_narrow_ones() -> None:
    """Orders 4+ gain ¼ and ¼ at width 32, 0 and -¼ at 128; early -.4 and -.2, and 0 and ¼."""
    table = pd.concat([TABLE, WIDE])
    high = noise.gained_by_width(table, **INPUT, order=">3")
    assert high == Estimate(pytest.approx(-0.375), pytest.approx(0.125), 2)
    assert noise.gained_by_width(table, **INPUT, order="1").value == pytest.approx(0.375)
    early = noise.gained_by_width(table, **INPUT, order=">3", after=100)
    assert early == Estimate(pytest.approx(0.425), pytest.approx(0.025), 2)


def test_steps_are_over_those_without_dropout_by_repeat() -> None:
    """100 / 200 and 150 / 200."""
    equal = TABLE.assign(rule="equal steps", steps=LAST)
    found = noise.steps_over_none(pd.concat([equal, TABLE.assign(rule="first rise")]), **INPUT)
    assert found == Estimate(pytest.approx(0.625), pytest.approx(0.125), 2)


def test_a_mean_total_is_of_one_cell_as_measured() -> None:
    trees = cell("none", 0.0, {"1": [1.0, 1.0], ">3": [1.0, 3.0]}, measure="released")
    table = pd.concat([TABLE, trees])
    assert noise.mean_total(table) == Estimate(3.0, pytest.approx(1.0), 2)
    assert noise.mean_total(table, measure="unbiased") == Estimate(6.0, pytest.approx(2.0), 2)
    assert noise.mean_total(table, measure="unbiased", **INPUT).value == 2.0


def test_a_cell_that_was_not_run_is_named() -> None:
    with pytest.raises(NotInTableError, match="placement"):
        noise.high_share_gained(PLAIN, placement="both", rate=0.25)


def bars(panes: dict[str, dict[float, tuple[float, ...]]]) -> pd.DataFrame:
    """Published bars: by pane and rate, a value for each of the orders 1, 2 and 4+."""
    return pd.DataFrame(
        [
            {"pane": pane, "dropout_rate": rate, "order": order, "mean": mean}
            for pane, by_rate in panes.items()
            for rate, means in by_rate.items()
            for order, mean in zip(("1", "2", "4+"), means, strict=True)
        ]
    )


def test_a_published_total_adds_up_a_bar() -> None:
    fig5 = bars({"a": {0.0: (4.0, 2.0, 1.0), 0.5: (1.0, 1.0, 1.0)}, "b": {0.0: (9.0, 9.0, 9.0)}})
    assert noise.published_total(fig5, pane="a") == Estimate(7.0, 0.0)
    assert noise.published_total(fig5, pane="a", rate=0.5) == Estimate(3.0, 0.0)


def test_published_totals_are_compared_without_dropout() -> None:
    figc1 = bars(
        {
            "a": {0.0: (4.0, 3.0, 2.0), 0.5: (9.0, 9.0, 9.0)},
            "b": {0.0: (1.0, 1.0, 1.0), 0.5: (9.0, 9.0, 9.0)},
        }
    )
    assert noise.published_totals_ratio(figc1, above="a", below="b") == Estimate(3.0, 0.0)


def test_published_shares_are_apart_from_those_of_their_totals() -> None:
    """Totals 5, 3, 2 have shares .5, .3, .2."""
    fig5 = bars({"c": {0.375: (5.0, 3.0, 2.0)}, "f": {0.375: (0.45, 0.2, 0.35)}})
    found = noise.published_shares_apart(fig5, shares="f", totals="c", rate=0.375)
    assert found == Estimate(pytest.approx(0.15), 0.0)


def test_a_published_decline_is_apart_from_its_totals_over_those_at_rate_0() -> None:
    """Totals fall to ½, 1 and ¼ of those at r = 0."""
    figc1 = bars(
        {
            "c": {0.0: (4.0, 2.0, 8.0), 0.5: (2.0, 2.0, 2.0)},
            "i": {0.0: (1.0, 1.0, 1.0), 0.5: (0.4, 0.7, 0.25)},
        }
    )
    found = noise.published_decline_apart(figc1, decline="i", totals="c")
    assert found == Estimate(pytest.approx(0.3), 0.0)


def test_published_settings_are_apart_in_shares_without_decay_and_dropout() -> None:
    fig5 = bars({"d": {0.0: (0.5, 0.3, 0.2), 0.5: (9.0, 9.0, 9.0)}})
    row = {"quantity": "normalized", "order": ["1", "2", "4+"]}
    fig8 = pd.concat(
        [
            pd.DataFrame(row | {"weight_decay": 0.0, "mean": [0.45, 0.25, 0.3]}),
            pd.DataFrame(row | {"weight_decay": 0.1, "mean": 9.0}),
            pd.DataFrame(row | {"weight_decay": 0.0, "mean": 9.0, "quantity": "total"}),
        ]
    )
    assert noise.published_settings_apart(fig5, fig8) == Estimate(pytest.approx(0.1), 0.0)


FIG_5 = bars({"a": {0.5: (4.0, 3.0, 1.0)}, "d": {0.5: (0.5, 0.375, 0.125)}})
"""Activation dropout at r = .5: a total of 8."""


def trees(*variances: list[float]) -> pd.DataFrame:
    by_order = dict(zip(("1", "2", ">3"), variances, strict=True))
    return cell("activation", 0.5, by_order, measure="released")


HALF = {"placement": "activation", "rate": 0.5}


def test_trees_are_apart_by_their_largest_gap_in_mean_shares() -> None:
    """Shares of orders 4+ are .25 and .5, on average ¼ above the published eighth."""
    table = trees([2.0, 1.0], [1.0, 1.0], [1.0, 2.0])
    found = noise.trees_farthest_in_shares(table, FIG_5, placements=["activation"])
    assert found == Estimate(pytest.approx(0.25), pytest.approx(0.125), 2)


def test_trees_totals_are_over_the_published_one() -> None:
    """4 / 8 and 8 / 8."""
    table = trees([2.0, 4.0], [1.0, 2.0], [1.0, 2.0])
    found = noise.trees_total_over_published(table, FIG_5, **HALF)
    assert found == Estimate(pytest.approx(0.75), pytest.approx(0.25), 2)


def test_the_farthest_of_all_bars_is_found_among_those_that_were_drawn() -> None:
    """Ours hold ½ ¼ ¼ of 4 at r = .5, and less of what is published at the other rates.

    Published are ⅝ of a total of 8 there; at .625 a total of 2 against 1; at .75 one too small to
    count; at .875 shares that were not drawn.
    """
    fig5 = bars(
        {
            "a": {0.5: (5.0, 2.0, 1.0), 0.625: (1.0, 0.5, 0.5), 0.75: (0.09, 0.0, 0.0)}
            | {0.875: (9.0, 9.0, 9.0)},
            "d": {0.5: (0.625, 0.25, 0.125), 0.625: (0.5, 0.25, 0.25), 0.75: (1.0, 0.0, 0.0)}
            | {0.875: (0.0, 0.0, 0.0)},
        }
    )
    ours = [2.0] * 2, [1.0] * 2, [1.0] * 2
    table = pd.concat(
        [
            trees(*ours),
            *(trees(*([v / 4 for v in o] for o in ours)).assign(rate=r) for r in (0.625, 0.75)),
        ]
    ).assign(rule="equal steps")
    rising = table.assign(rule="first rise", share=[1.0, 1.0, 0.0, 0.0, 0.0, 0.0] * 3)
    table = pd.concat([rising, table])
    cells = {"placements": ["activation"]}
    shares = noise.trees_farthest_in_shares(table, fig5, **cells)
    assert shares == Estimate(pytest.approx(0.125), pytest.approx(0), 2)
    risen = noise.trees_farthest_in_shares(table, fig5, **cells, rule="first rise")
    assert risen.value == pytest.approx(0.5)
    totals = noise.trees_farthest_in_totals(table, fig5, **cells)
    assert totals == Estimate(pytest.approx(0.5), pytest.approx(0), 2)
    assert noise.trees_farthest_in_totals(table, fig5, **cells, least_total=4.0).value == 0.5
    with_all = bars({"a": {0.5: (4.0, 0.0, 0.0), 0.625: (1.0, 1.0, 2.0)}, "d": {0.5: (1.0,) * 3}})
    with_all = pd.concat([with_all, bars({"d": {0.625: (1.0,) * 3}})])
    assert noise.trees_farthest_in_totals(table, with_all, **cells).value == pytest.approx(0.75)
    left = noise.trees_farthest_in_totals(table, with_all, **cells, leave_out=0.625)
    assert left.value == pytest.approx(0)


def test_networks_are_those_of_a_rule_where_a_table_names_it() -> None:
    table = pd.concat([PLAIN.assign(rule="first rise"), PLAIN.assign(rule="equal steps")])
    assert len(noise.networks(table, "none", 0.0)) == len(PLAIN)
    twice = noise.networks(table.assign(variance=1.0), "none", 0.0, rule="first rise")
    assert set(twice["rule"]) == {"first rise"}
    assert len(noise.networks(PLAIN, "none", 0.0)) == len(PLAIN)


def decayed(name: str, strength: float, shares: list[float], total: float) -> pd.DataFrame:
    """Networks under weight decay or dropout: the share of orders 4+ by repeat, and the total."""
    parts = []
    for order, values in (("1", [1 - s for s in shares]), (">3", shares)):
        part = pd.DataFrame({"repeat": range(len(values)), "share": values})
        parts.append(part.assign(order=order, variance=part["share"] * total))
    return pd.concat(parts).assign(regularizer=name, strength=strength, measure="unbiased")


def test_the_share_gained_under_decay_is_that_under_it_minus_that_without() -> None:
    """.3 - .1 and .5 - .1."""
    table = pd.concat(
        [
            decayed("none", 0.0, [0.1, 0.1], 4.0),
            decayed("coupled decay", 0.1, [0.3, 0.5], 4.0),
            decayed("coupled decay", 0.2, [0.9, 0.9], 4.0),
        ]
    )
    wanted = {"regularizer": "coupled decay", "strength": 0.1}
    high = noise.share_gained_under_decay(table, **wanted, orders=[">3"])
    assert high == Estimate(pytest.approx(0.3), pytest.approx(0.1), 2)
    low = noise.share_gained_under_decay(table, **wanted, orders=["1"])
    assert low.value == pytest.approx(-0.3)
    # Of all orders together nothing is gained.
    whole = noise.share_gained_under_decay(table, **wanted, orders=["1", ">3"])
    assert whole == Estimate(pytest.approx(0), pytest.approx(0, abs=1e-12), 2)


def test_decay_spares_high_orders_by_its_share_minus_dropouts_at_the_same_total() -> None:
    """A total of 2 is halfway from 4 to 1 in logarithms, where decay leaves .3 and .4.

    Dropout leaves .1 and 0 there; no decay leaves as little as dropout at r = .5.
    """
    table = pd.concat(
        [
            decayed("none", 0.0, [0.4, 0.6], 4.0),
            decayed("decoupled decay", 1.0, [0.2, 0.2], 1.0),
            decayed("input dropout", 0.25, [0.1, 0.0], 2.0),
            decayed("input dropout", 0.5, [0.9, 0.9], 0.5),
        ]
    )
    found = noise.decay_spares_high_orders(table, decay="decoupled decay", dropout="input dropout")
    assert found == Estimate(pytest.approx(0.3), pytest.approx(0.1), 2)


def test_fig_5_shows_trees_at_the_end_of_training_and_rate_0_in_every_pane() -> None:
    table = pd.concat(
        [
            cell("none", 0.0, {"1": [2.0, 4.0]}, measure="released"),
            cell("none", 0.0, {"1": [9.0, 9.0]}, measure="released", after=100),
            cell("none", 0.0, {"1": [9.0, 9.0]}, measure="released", width=128),
            cell("input", 0.5, {">3": [1.0, 1.0]}, measure="released"),
            cell("activation", 0.5, {"1": [1.0, 1.0]}, measure="released"),
            PLAIN,
        ]
    )
    table = pd.concat(
        [table.assign(rule="equal steps"), table.assign(rule="first rise", variance=7)]
    )
    points = noise.bars_ours(table, 32)
    totals = points[points["quantity"] == "variance"].set_index(["pane", "series", "x"])
    assert totals["value"].to_dict() == {
        ("variance, input", "order 4+", 0.5): 1.0,
        ("variance, activation", "order 1", 0.5): 1.0,
        ("variance, input", "order 1", 0.0): 3.0,
        ("variance, activation", "order 1", 0.0): 3.0,
    }
    assert totals.loc[("variance, input", "order 1", 0.0), "standard_error"] == 1.0


def test_fig_8_shows_trees_under_coupled_decay() -> None:
    table = pd.concat(
        [
            decayed("coupled decay", 0.1, [0.3, 0.5], 4.0).assign(measure="released"),
            decayed("decoupled decay", 0.1, [0.9, 0.9], 4.0).assign(measure="released"),
            decayed("coupled decay", 0.1, [0.9, 0.9], 4.0),
        ]
    )
    points = noise.fig_8_ours(table).set_index(["quantity", "series"])["value"]
    assert points["share", "order 4+"] == pytest.approx(0.4)
    assert points["variance", "order 4+"] == pytest.approx(1.6)
