"""The README's code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments import discovery

README = (Path(__file__).parents[1] / "README.md").read_text()


BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def test_the_ten_lines_that_measure_a_model_run(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {}
    exec(BLOCKS[0], namespace)
    assert "order 1" in capsys.readouterr().out
    assert (namespace["low"] <= namespace["high"]).all()


def test_the_ten_lines_that_sweep_rates_run(capsys: pytest.CaptureFixture[str]) -> None:
    namespace: dict[str, object] = {}
    exec(BLOCKS[1], namespace)
    assert len(BLOCKS[1].splitlines()) <= 10
    assert "best rate" in capsys.readouterr().out
    table = namespace["table"]
    assert table["rate"].tolist() == [0.0, 0.25, 0.5]
    # Main effects gain on the pair as the rate grows.
    assert table["share_1"].is_monotonic_increasing
    assert namespace["best"] in table["rate"].to_numpy()
    assert namespace["error"] > 0


def test_every_block_of_code_has_its_test() -> None:
    assert len(BLOCKS) == 2


def test_every_experiment_has_its_line() -> None:
    for name in discovery.NAMES:
        assert f"| `{name}` |" in README
