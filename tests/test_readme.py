"""The README's code runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments import registry

README = (Path(__file__).parents[1] / "README.md").read_text()


def test_the_ten_lines_that_measure_a_model_run(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    namespace: dict[str, object] = {}
    exec(block, namespace)
    assert "order 1" in capsys.readouterr().out
    assert (namespace["low"] <= namespace["high"]).all()


def test_every_experiment_has_its_line() -> None:
    for name in registry.NAMES:
        assert f"| `{name}` |" in README
