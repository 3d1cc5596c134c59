"""Every sense of dropout follows its own law, as measured by drawing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.questions import four_laws
from experiments.running.context import Context
from figures.four_laws import PANES, SENSES

CONTEXT = Context(quiet=True)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return four_laws.run(four_laws.PRESETS["controlled", "tiny"], CONTEXT)


def test_four_laws_measure_what_the_laws_say() -> None:
    """Everything but networks, at a budget of seconds, within four standard errors."""
    settings = replace(
        four_laws.Settings(),
        orders=(1, 2, 3),
        rates=(0.0, 0.375),
        trained_rates=(0.0,),
        case_rate=0.375,
        repeats=8,
        samples=2**14,
        steps=1,
        batch_size=16,
    )
    table = four_laws.summary(four_laws.run(settings, CONTEXT))
    table = table[table["sense"] != "trained"]
    assert set(table["sense"]) == {"masked", "resampled", "fitted", "gradients", "units"}
    for row in table.itertuples():
        # Eight repeats give Student's t with 7 degrees of freedom: 4 errors there are 6.
        assert abs(row.measured - row.law) <= 6 * row.standard_error + 1e-9, row


def test_the_four_senses_agree_on_one_case_and_part_on_others(table: pd.DataFrame) -> None:
    laws = table[table["part"] == "cases"].groupby(["quantity", "sense"], sort=False)["law"].first()
    spread = laws.unstack().T
    spread = (spread.max() - spread.min()).to_dict()
    first, *others = spread.values()
    assert first == pytest.approx(0, abs=1e-12)
    assert sum(s > 0.1 for s in others) >= 4


def test_every_sense_is_drawn(table: pd.DataFrame) -> None:
    """The figure knows the senses and quantities by the names that the question gives them.

    But the classic curvature, which has the law of the classic gradient.
    """
    laws = table[table["part"] == "laws"]
    drawn = {(sense, q) for sense, (_, quantities) in PANES.items() for q in quantities}
    written = set(zip(laws["sense"], laws["quantity"], strict=True))
    assert written - drawn == {("gradients", "classic curvature")}
    assert drawn <= written
    assert set(table.loc[table["part"] == "cases", "sense"]) == set(SENSES)


def test_networks_stand_beside_the_rates_they_were_trained_at(table: pd.DataFrame) -> None:
    laws = table[table["part"] == "laws"]
    trained = laws[laws["sense"] == "trained"].groupby("rate")["measured"].count()
    assert trained.to_dict() == {0.0: 0, 0.5: 3 * 2}
    others = laws[laws["sense"] != "trained"]
    assert others["measured"].notna().all()
    np.testing.assert_allclose(others["survival"], (1 - others["rate"]) ** others["order"])


@pytest.mark.slow
def test_quick_four_laws_meet_their_bars() -> None:
    table = four_laws.summary(four_laws.run(four_laws.PRESETS["controlled", "quick"], CONTEXT))
    # The cases hold functions that jump at zero, which networks only approach.
    laws = table[table["part"] == "laws"]
    trained = laws[(laws["sense"] == "trained") & (laws["law"] >= 0.1)]
    assert set(trained["order"]) == {1, 2, 3, 4}
    for row in trained.itertuples():
        margin = max(3 * row.standard_error, 0.03)
        assert abs(row.measured - row.law) <= margin, row
        assert abs(row.measured / row.law - 1) <= 0.2, row
