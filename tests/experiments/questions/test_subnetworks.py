"""Subnetworks: what scaling leaves of their average, order by order."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.questions import subnetworks
from experiments.running.context import Context

CONTEXT = Context(quiet=True)


SMALL_SUBNETWORKS = subnetworks.Settings(
    depths=(1, 2), rates=(0.0, 0.5), repeats=3, units=6, dim=4, steps=300, masks=(4,), draws=200
)


def test_one_hidden_layer_averages_to_the_scaled_network_and_two_do_not() -> None:
    table = subnetworks.run(SMALL_SUBNETWORKS, CONTEXT)
    apart = table[table["quantity"] == "scaled"].groupby(["depth", "rate"])["variance"].max()
    assert apart[1, 0.5] < 1e-24
    assert apart[2, 0.5] > 1e-6
    assert apart[2, 0.0] < 1e-24
    # The variance of a mean of M independent masks is that of one over M.
    parts = table[table["rate"] == 0.5].groupby(["quantity", "depth", "order"])["variance"].mean()
    measured, one = parts["monte carlo"], parts["one subnetwork"]
    large = one > 1e-3
    assert large.sum() >= 4
    assert (4 * measured / one)[large].to_numpy() == pytest.approx(1, abs=0.15)
    rows = subnetworks.summary(table).set_index(["depth", "rate", "order"]).loc[2, 0.5]
    expected = rows["one_subnetwork"] / rows["scaled"]
    np.testing.assert_allclose(rows["like_masks"], expected)


def test_errors_of_subnetworks_by_order_are_those_of_the_walsh_coefficients() -> None:
    inputs = subnetworks.Rademacher(dim=3)
    points = (2 * subnetworks.every_mask(3) - 1).double()
    # Mean 2, orders 1, 2, 3 with squares 9, 16 + 1, 25.
    a, b, c = points.T
    values = 2 + 3 * a + 4 * a * b - b * c + 5 * a * b * c
    found = subnetworks._by_order(values[None], points, inputs)
    assert found[0] == pytest.approx([4, 9, 17, 25])


def test_ratios_of_means_have_the_linearised_error() -> None:
    index = pd.MultiIndex.from_product([[1], range(3)], names=["depth", "repeat"])
    above, below = pd.Series([1.0, 2.0, 6.0], index), pd.Series([1.0, 2.0, 3.0], index)
    found = subnetworks.ratio(above, below, ["depth"]).loc[1]
    assert found["ratio"] == 1.5
    assert found["standard_error"] == pytest.approx(np.std([-0.5, -1.0, 1.5], ddof=1) / 3**0.5 / 2)
    assert subnetworks.ratio(above, 0 * below, ["depth"])["ratio"].isna().all()
