"""Arrays that a user hands over."""

from __future__ import annotations

import numpy as np
import pytest

from interactions.arrays import distinct


@pytest.mark.parametrize("column", [[2.0], [1.0, 1.0], [-1.0, 0.0, 0.0, 3.0], np.arange(5.0)])
def test_distinct_values_of_a_sorted_column_are_those_of_unique(column) -> None:
    values, counts = distinct(np.asarray(column))
    expected = np.unique(column, return_counts=True)
    np.testing.assert_array_equal(values, expected[0])
    np.testing.assert_array_equal(counts, expected[1])
