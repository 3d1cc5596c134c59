"""How many effects survive dropout: the published curve, and a count."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from experiments.questions import surviving_effects
from experiments.running.context import Context
from paper_results import published

CONTEXT = Context(quiet=True)


def test_surviving_effects_are_the_published_curve() -> None:
    table = surviving_effects.run(surviving_effects.PRESETS["released", "quick"], CONTEXT)
    read = published("fig3")
    read = read[read["pane"] == "a"].set_index(["dropout_rate", "order"])["value"]
    law = table.set_index(["rate", "order"])["law"]
    assert len(read) == 7 * 24
    np.testing.assert_allclose(law[read.index], read, rtol=1e-6)


def test_as_many_effects_survive_drawn_masks_as_the_law_says() -> None:
    settings = surviving_effects.Settings(dim=12, repeats=16, masks=20_000)
    table = surviving_effects.run(settings, CONTEXT)
    groups = table[table["order"] <= 4].groupby(["rate", "order"])
    gap = (groups["counted"].mean() - groups["law"].first()).abs()
    assert (gap <= 4.5 * groups["counted"].sem() + 1e-9).all()
    assert (groups["counted"].sem()[0.5] > 0).all()


def test_the_summary_finds_the_peak_and_how_far_counts_are_off() -> None:
    """Two repeats at orders 1 and 2: means 11 and 20, errors .1 and 8: the second is too wide."""
    table = pd.DataFrame(
        [
            {"rate": 0.25, "repeat": i, "order": k, "law": law, "counted": counted}
            for k, law, of_repeat in ((1, 10.5, (10.9, 11.1)), (2, 21.0, (12.0, 28.0)))
            for i, counted in enumerate(of_repeat)
        ]
    )
    (row,) = surviving_effects.summary(table).to_dict("records")
    assert (row["peak"], row["survivors_at_peak"], row["survivors_of_order_1"]) == (2, 21.0, 10.5)
    assert row["largest_gap_in_errors"] == pytest.approx(0.5 / 0.1)
