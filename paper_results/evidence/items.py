"""The paper's figures and tables, and the lecture's: which run makes each.

Published numbers and ours become points to lay side by side.

Points have the columns quantity (what may be compared in size: "share", "total"), pane, series, x
and value; published ones beside it reading, the absolute error with which a value was read
(paper_results/published/README.md), ours standard_error, of the mean over repeats.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .. import published

KEYS = ("quantity", "pane", "series", "x")


@dataclass(frozen=True)
class Item:
    """`protocols` are those under which the experiment is shown; `look` names a way of drawing.

    `published` is None where nothing was published as numbers. `ours` maps the run's table to
    points, empty where a protocol measures something else. `picture` is the run's picture to show,
    where that is not its first.
    """

    name: str
    title: str
    experiment: str
    protocols: tuple[str, ...]
    look: str
    published: Callable[[], pd.DataFrame] | None
    ours: Callable[[pd.DataFrame], pd.DataFrame] | None
    remark: str = ""
    picture: str = ""

    @property
    def slug(self) -> str:
        return self.name.lower().replace(" ", "_").replace(".", "").replace(",", "")


def _points(
    table: pd.DataFrame,
    *,
    quantity: str | pd.Series,
    pane: str | pd.Series,
    series: pd.Series,
    x: pd.Series,
    value: pd.Series,
    reading: float | pd.Series = math.nan,
) -> pd.DataFrame:
    """Points in the common columns; x is rounded, so that grids written differently meet."""
    columns = {"quantity": quantity, "pane": pane, "series": series.astype(str)}
    columns |= {"x": x.astype(float).round(6), "value": value, "reading": reading}
    return pd.DataFrame(columns, index=table.index).reset_index(drop=True)


def _averaged(points: pd.DataFrame, how: str = "mean") -> pd.DataFrame:
    """One point per key with its standard error over repeats: NaN from one repeat."""
    groups = points.groupby(list(KEYS), sort=False)["value"]
    error = groups.sem()
    if how == "median":
        # Of a normal sample; the root of pi / 2.
        error = math.sqrt(math.pi / 2) * error
    return pd.DataFrame({"value": groups.agg(how), "standard_error": error}).reset_index()


def _only(table: pd.DataFrame, **wanted: object) -> pd.DataFrame:
    """Rows with these values; none where a column is missing, as in runs of another kind."""
    for column, value in wanted.items():
        if column not in table.columns:
            return table.iloc[:0]
        table = table[table[column].isin(value if isinstance(value, list) else [value])]
    return table


def _rate(rates: pd.Series) -> pd.Series:
    return rates.map("r = {:g}".format)


def _order(orders: pd.Series) -> pd.Series:
    return "order " + orders.astype(str).replace(">3", "4+")


# Fig 1


def _fig1() -> pd.DataFrame:
    t = published("fig1")
    return _points(
        t,
        quantity="conditional mean",
        pane=_order(t["order"]),
        series=_rate(t["dropout_rate"]),
        x=t["x"],
        value=t["conditional_mean"],
        reading=2e-9,
    )


def _conditional_mean(table: pd.DataFrame) -> pd.DataFrame:
    # Only the one grid copied into all columns is what was published.
    t = _only(table, target="one input, copied")
    t = t[t["x"] > -0.01]
    return _averaged(
        _points(
            t,
            quantity="conditional mean",
            pane=_order(t["order"]),
            series=_rate(t["rate"]),
            x=t["x"].abs(),
            value=t["mean"],
        )
    )


# Fig 2


def _fig2() -> pd.DataFrame:
    t = published("fig2")
    return _points(
        t,
        quantity="median norm",
        pane="norm of the first update, over r = 0",
        series=_order(t["order"]),
        x=t["dropout_rate"],
        value=t["median_relative_update_norm"],
        reading=5e-9,
    )


def _first_update(table: pd.DataFrame) -> pd.DataFrame:
    t = _only(table, part="norm")
    points = _points(
        t,
        quantity="median norm",
        pane="norm of the first update, over r = 0",
        series=_order(t["order"]),
        x=t["rate"],
        value=t["norm"],
    )
    return _averaged(points, "median")


# Fig 3


def _fig3() -> pd.DataFrame:
    # Pane b is the left end of pane a.
    t = _only(published("fig3"), pane="a")
    return _points(
        t,
        quantity="surviving effects",
        pane="surviving effects",
        series=_rate(t["dropout_rate"]),
        x=t["order"],
        value=t["value"],
        reading=8e-8 * t["value"],
    )


def _surviving_effects(table: pd.DataFrame) -> pd.DataFrame:
    counted = table["counted"].notna().any()
    t = table[table["order"] <= 24]
    points = _points(
        t,
        quantity="surviving effects",
        pane="surviving effects",
        series=_rate(t["rate"]),
        x=t["order"],
        value=t["counted" if counted else "law"],
    )
    points = _averaged(points)
    # The closed form has no error.
    return points if counted else points.assign(standard_error=0.0)


# Fig 4


def _fig4() -> pd.DataFrame:
    t = published("fig4")
    return _points(
        t,
        quantity="share",
        pane=t["n_distill_samples"].map("{} samples".format),
        series=_order(t["estimated_order"]),
        x=t["true_order"],
        value=t["normalized_effect_mean"],
        reading=3e-9,
    )


def _distillation(table: pd.DataFrame) -> pd.DataFrame:
    t = _only(table, measure="staged")
    points = _points(
        t,
        quantity="share",
        pane=t["samples"].map("{} samples".format),
        series=_order(t["order"]),
        x=t["true_order"],
        value=t["share"],
    )
    return _averaged(points)


# Fig 5, C.1 and 8

SHARE, VARIANCE = "share", "variance"


def _bars(name: str) -> pd.DataFrame:
    t = _only(published(name), quantity=["total", "normalized"])
    # Where the total was small the released code sets all shares to 0: none were published.
    bar = t.groupby(["quantity", "placement", "dropout_rate"])["mean"].transform("sum")
    t = t[bar > 0]
    quantity = t["quantity"].map({"total": VARIANCE, "normalized": SHARE})
    return _points(
        t,
        quantity=quantity,
        pane=quantity + ", " + t["placement"],
        series=_order(t["order"]),
        x=t["dropout_rate"],
        value=t["mean"],
        reading=quantity.map({VARIANCE: 5e-8, SHARE: 4e-8}),
    )


def _pure_noise(table: pd.DataFrame, width: int) -> pd.DataFrame:
    """Boosted trees at the end of training; without dropout all placements are one network."""
    t = _only(table, measure="released")
    t = _only(t, width=width)
    t = t[t["after"] == t["after"].max()] if len(t) else t
    none = t[t["placement"] == "none"]
    placements = [p for p in dict.fromkeys(t["placement"]) if p != "none"]
    t = pd.concat([t[t["placement"] != "none"], *(none.assign(placement=p) for p in placements)])
    points = [
        _points(
            t,
            quantity=quantity,
            pane=quantity + ", " + t["placement"],
            series=_order(t["order"]),
            x=t["rate"],
            value=t[quantity],
        )
        for quantity in (VARIANCE, SHARE)
    ]
    return _averaged(pd.concat(points))


def _fig8() -> pd.DataFrame:
    t = _only(published("fig8"), quantity=["total", "normalized"])
    quantity = t["quantity"].map({"total": VARIANCE, "normalized": SHARE})
    return _points(
        t,
        quantity=quantity,
        pane=quantity,
        series=_order(t["order"]),
        x=t["weight_decay"],
        value=t["mean"],
        reading=4e-8,
    )


def _weight_decay(table: pd.DataFrame) -> pd.DataFrame:
    t = _only(table, measure="released", regulariser=["none", "coupled decay"])
    points = [
        _points(
            t,
            quantity=quantity,
            pane=quantity,
            series=_order(t["order"]),
            x=t["strength"],
            value=t[quantity],
        )
        for quantity in (VARIANCE, SHARE)
    ]
    return _averaged(pd.concat(points))


# Fig 6

ERROR = "error"
BIKE = {"train_mse": "training error", "test_mse": "test error"}
BIKE |= {f"effect_k{k}": f"share, order {k}" for k in (1, 2, 3)}


def _fig6() -> pd.DataFrame:
    t = published("fig6")
    error = t["quantity"].str.endswith("mse")
    return _points(
        t,
        quantity=error.map({True: ERROR, False: SHARE}),
        pane=t["quantity"].map(BIKE),
        series=_rate(t["dropout_rate"]),
        x=t["epoch"],
        value=t["mean"],
        reading=3e-8,
    )


def _bike_share(table: pd.DataFrame) -> pd.DataFrame:
    table = _only(table, placement=["none", "both"])
    errors = _only(table, quantity=["train_mse", "test_mse"])
    # The published shares are boosted trees' on the test points.
    trees = _only(table, quantity="tree_share")
    t = pd.concat([errors, trees])
    pane = t["quantity"].map(BIKE)
    pane = pane.fillna("share, order " + t["order"].astype(str).str.removesuffix(".0"))
    points = _points(
        t,
        quantity=t["quantity"].eq("tree_share").map({True: SHARE, False: ERROR}),
        pane=pane,
        series=_rate(t["rate"]),
        x=t["epoch"],
        value=t["value"],
    )
    return _averaged(points)


# Fig 7

GENERATORS = {
    "generator 1": 1,
    "generator 2 on inputs 2, 3": 2,
    "generator 2": 2,
    "generator 3": 3,
}


def _fig7() -> pd.DataFrame:
    t = published("fig7")
    return _points(
        t,
        quantity="share",
        pane="generator " + t["generator"].astype(str) + ", order " + t["order"].astype(str),
        series=_rate(t["dropout_rate"]),
        x=t["epoch"],
        value=t["mean"],
        reading=3e-9,
    )


def _learning_curves(table: pd.DataFrame) -> pd.DataFrame:
    t = _only(table, quantity="tree_share", target=list(GENERATORS))
    order = t["order"].astype(str).str.removesuffix(".0")
    points = _points(
        t,
        quantity="share",
        pane="generator " + t["target"].map(GENERATORS).astype(str) + ", order " + order,
        series=_rate(t["rate"]),
        x=t["epoch"],
        value=t["value"],
    )
    return _averaged(points)


# Fig 9

REGIMES = {"no_dropout": "no dropout", "none": "no dropout", "dropout": "dropout"}
GRIDS = {"prediction": np.linspace(0, 1, 201), "uncertainty": np.linspace(0, 0.04, 201)}


def _fig9() -> pd.DataFrame:
    """Published curves read at the points our densities are computed at, but where they were cut.

    Heights are known to .03% of the axis.
    """
    parts = []
    for (regime, quantity, order), curve in published("fig9").groupby(
        ["regime", "quantity", "order"], sort=False
    ):
        kind = quantity.partition("_")[0]
        curve = curve.sort_values("x", kind="stable")
        x, cut = curve["x"].to_numpy(), curve["note"].notna().to_numpy()
        grid = GRIDS[kind]
        after = np.searchsorted(x, grid)
        within = (after > 0) & (after < len(x))
        grid, after = grid[within], after[within]
        whole = ~(cut[after] & cut[after - 1])
        axis = (curve["density"] / curve["height_fraction_of_axis"]).max()
        parts.append(
            pd.DataFrame(
                {
                    "quantity": f"density of {kind}",
                    "pane": f"{kind}, {REGIMES[regime]}",
                    "series": f"order {order}",
                    "x": grid[whole].round(6),
                    "value": np.interp(grid[whole], x, curve["density"]),
                    "reading": 3e-4 * axis,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def _dropout_uncertainty(table: pd.DataFrame) -> pd.DataFrame:
    t = _only(table, quantity=[f"density of {kind}" for kind in GRIDS], label="and")
    # Networks may have been read several times; those released stop when they will.
    t = t[t["steps"] == t.groupby(["order", "regime", "repeat"])["steps"].transform("max")]
    points = _points(
        t,
        quantity=t["quantity"],
        pane=t["quantity"].str.removeprefix("density of ") + ", " + t["regime"].map(REGIMES),
        series=_order(t["order"]),
        x=t["x"],
        value=t["value"],
    )
    return _averaged(points)


# Table C.1


def _table_c1() -> pd.DataFrame:
    t = published("tableC1")
    return _points(
        t,
        quantity="accuracy",
        pane="test accuracy",
        series=_order(t["order"]),
        x=t["dropout_rate"],
        value=t["test_accuracy_mean"],
        reading=0.005,  # Printed to two digits.
    )


def _newsgroups(table: pd.DataFrame) -> pd.DataFrame:
    points = _points(
        table,
        quantity="accuracy",
        pane="test accuracy",
        series=_order(table["order"]),
        x=table["rate"],
        value=table["accuracy"],
    )
    return _averaged(points)


ALL = (
    Item(
        name="Fig 1",
        title="Conditional mean of a product of k inputs under input dropout",
        experiment="conditional_mean",
        protocols=("released", "controlled"),
        look="curves",
        published=_fig1,
        ours=_conditional_mean,
    ),
    Item(
        name="Fig 2",
        title="Size of the first update under dropout",
        experiment="effective_learning_rate",
        protocols=("controlled",),
        look="medians",
        published=_fig2,
        ours=_first_update,
        remark="The norm of the first Adam step's change, over that of other starts at r = 0, as "
        "released, is one part of the controlled run.",
    ),
    Item(
        name="Fig 3",
        title="Effects that survive dropout, of 25 inputs",
        experiment="surviving_effects",
        protocols=("released", "controlled"),
        look="survivors",
        published=_fig3,
        ours=_surviving_effects,
    ),
    Item(
        name="Fig 4",
        title="Distillation of pure products by boosted trees",
        experiment="distillation_accuracy",
        protocols=("text", "controlled"),
        look="distillation",
        published=_fig4,
        ours=_distillation,
    ),
    Item(
        name="Fig 5",
        title="Networks of width 32 fit to pure noise",
        experiment="pure_noise",
        protocols=("released", "text", "controlled"),
        look="bars by rate",
        published=lambda: _bars("fig5"),
        ours=lambda table: _pure_noise(table, 32),
        remark="What was tried to close the gaps at r > 0: E13.",
    ),
    Item(
        name="Fig 6",
        title="Bike sharing: errors and orders over training",
        experiment="bike_share",
        protocols=("released", "controlled"),
        look="epochs",
        published=_fig6,
        ours=_bike_share,
    ),
    Item(
        name="Fig 7",
        title="Orders over training, three generators",
        experiment="learning_curves",
        protocols=("released", "text", "controlled"),
        look="epochs",
        published=_fig7,
        ours=_learning_curves,
    ),
    Item(
        name="Fig 8",
        title="Weight decay on pure noise",
        experiment="weight_decay",
        protocols=("text", "controlled"),
        look="bars by decay",
        published=_fig8,
        ours=_weight_decay,
    ),
    Item(
        name="Fig 9",
        title="Predictions and uncertainties by order",
        experiment="dropout_uncertainty",
        protocols=("released", "controlled"),
        look="densities",
        published=_fig9,
        ours=_dropout_uncertainty,
        remark="Published curves are read where the axes do not cut them.",
    ),
    Item(
        name="Fig A.1",
        title="Purification of X1·X2 under dependent inputs",
        experiment="pure_interaction",
        protocols=("released", "controlled"),
        look="",
        published=None,
        ours=None,
        remark="Published as surfaces, of which no numbers could be read.",
    ),
    Item(
        name="Fig C.1",
        title="Networks of width 128 fit to pure noise",
        experiment="pure_noise",
        protocols=("released", "text", "controlled"),
        look="bars by rate",
        published=lambda: _bars("figC1"),
        ours=lambda table: _pure_noise(table, 128),
        remark="Its panes g to i are the totals over those at r = 0 (i is not: E7).",
        picture="pure_noise_128",
    ),
    Item(
        name="Table C.1",
        title="20 Newsgroups with a planted class of order k",
        experiment="newsgroups",
        protocols=("released", "text", "controlled"),
        look="accuracy",
        published=_table_c1,
        ours=_newsgroups,
    ),
)


def _lecture(name: str, title: str, experiment: str) -> Item:
    """Nothing was published: the run speaks for itself."""
    return Item(name, title, experiment, ("controlled",), look="", published=None, ours=None)


LECTURE = (
    _lecture("Lecture, every layer", "Orders of the map from each hidden layer", "every_layer"),
    _lecture("Lecture, digits", "A classifier of digits with and without dropout", "digits"),
    _lecture("Lecture, ensemble", "The average of all subnetworks", "subnetworks"),
    _lecture("Lecture, co-adaptation", "Weights and units against the rate", "co_adaptation"),
    _lecture("Lecture, regularizers", "Which act on order, which only shrink", "regularizers"),
    _lecture("Advice", "The best rate by true order and noise", "best_rate"),
)
"""What the lecture that the project starts from shows, beyond the paper."""
