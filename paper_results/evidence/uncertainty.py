"""Figure 9: predictions and the uncertainty reported of them, by order."""

from __future__ import annotations

import numpy as np
import pandas as pd

from .. import published
from .estimates import Estimate, by_repeat, mean_over_repeats, only, select
from .points import as_points, averaged, order_label


def uncertainty_gained(
    table: pd.DataFrame, *, label: str, regime: str, high: int, low: int
) -> Estimate:
    """Subtract the mean uncertainty at a low order from that at a high one, by repeat.

    A standard deviation of predictions, after all training.
    """
    return mean_over_repeats(_gained(table, label, regime, high, low))


def uncertainty_gained_over_bootstrap(
    table: pd.DataFrame, *, label: str, high: int, low: int
) -> Estimate:
    """Divide what dropout's uncertainty gains from a low to a high order by what bootstrap's does.

    A ratio, by repeat; 1 where both grow alike.
    """
    dropout, bootstrap = (_gained(table, label, r, high, low) for r in ("dropout", "none"))
    return mean_over_repeats(dropout / bootstrap)


def _gained(table: pd.DataFrame, label: str, regime: str, high: int, low: int) -> pd.Series:
    rows = select(table, label=label, regime=regime, quantity="uncertainty")
    of_high, of_low = (
        by_repeat(rows, "value", order=k, steps=select(rows, order=k)["steps"].max())
        for k in (high, low)
    )
    return of_high - of_low


def dropout_error_over_none(log: pd.DataFrame, *, order: int) -> Estimate:
    """Divide the test error of Fig 9's dropout networks, as logged, by that of those without.

    A ratio, by bootstrap.
    """
    errors = select(log, order=order).pivot_table("test_mse", "bootstrap", "model")
    dropped = next(name for name in errors.columns if name.startswith("dropout"))
    return mean_over_repeats(errors[dropped] / errors["no_dropout"])


REGIMES = {"no_dropout": "no dropout", "none": "no dropout", "dropout": "dropout"}
GRIDS = {"prediction": np.linspace(0, 1, 201), "uncertainty": np.linspace(0, 0.04, 201)}
"""Where our runs compute each density."""


def fig_9_published() -> pd.DataFrame:
    """Read Fig 9's densities where our runs compute theirs, a series per order.

    A published curve is known at points of its own: it is interpolated between them, and left out
    where either neighbour is the mark of the axis cutting it. Its height was read with an error
    of 0.03% of the axis.
    """
    curves = published("fig9").groupby(["regime", "quantity", "order"], sort=False)
    parts = []
    for (regime, quantity, order), curve in curves:
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


def fig_9_ours(table: pd.DataFrame) -> pd.DataFrame:
    """Average our densities of predictions and uncertainties at each network's last look."""
    t = only(table, quantity=[f"density of {kind}" for kind in GRIDS], label="and")
    # Networks trained by the released code stop when they will.
    t = t[t["steps"] == t.groupby(["order", "regime", "repeat"])["steps"].transform("max")]
    points = as_points(
        t,
        quantity=t["quantity"],
        pane=t["quantity"].str.removeprefix("density of ") + ", " + t["regime"].map(REGIMES),
        series=order_label(t["order"]),
        x=t["x"],
        value=t["value"],
    )
    return averaged(points)
