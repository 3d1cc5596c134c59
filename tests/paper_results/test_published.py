"""The published numbers are all there and read by name."""

from __future__ import annotations

import pytest

from paper_results import published


def test_an_item_is_read_by_name() -> None:
    assert set(published("fig3").columns) >= {"order", "dropout_rate", "value"}
    assert len(published("tableC1")) == 18


def test_an_unknown_item_names_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"fig10.*fig1"):
        published("fig10")
