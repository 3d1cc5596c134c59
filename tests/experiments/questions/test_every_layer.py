"""Networks split at every layer, and what dropout changes there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from experiments.questions import every_layer
from experiments.running.context import Context

CONTEXT = Context(quiet=True)


def test_the_map_from_the_last_hidden_layer_is_all_main_effects() -> None:
    tiny = every_layer.PRESETS["controlled", "tiny"]
    settings = replace(tiny, tolerance=0.1, steps=(200,))
    table = every_layer.run(settings, CONTEXT)
    assert set(table["layer"]) == {0, 1, 2}
    rows = table[(table["layer"] == 2) & (table["order"] == "1")]
    assert len(rows) == 4
    for row in rows.itertuples():
        # What was left out may be unknown; it then excuses nothing.
        left_out = np.nan_to_num(abs(row.left_out))
        assert abs(row.share - 1) < 4 * row.share_standard_error + left_out, row


def test_a_layers_change_is_that_of_the_same_repeat() -> None:
    row = {"target": "noise", "steps": 9, "layer": 1, "variance": 0.5}
    table = pd.DataFrame(
        [
            row | {"rate": rate, "repeat": i, "order": order, "share": share}
            for rate, firsts in ((0.0, (0.2, 0.6)), (0.5, (0.7, 0.9)))
            for i, first in enumerate(firsts)
            for order, share in (("1", first), (">1", 1 - first))
        ]
    )
    found = every_layer.summary(table).set_index("rate")
    assert found["interactions"].tolist() == pytest.approx([0.6, 0.2])
    assert found["change"].tolist() == pytest.approx([0.0, -0.4])
    assert found["change_error"].tolist() == pytest.approx([0.0, 0.1])
    assert found["total"].tolist() == pytest.approx([1.0, 1.0])
    without = every_layer.summary(table[table["rate"] > 0])
    assert without["change"].isna().all()
