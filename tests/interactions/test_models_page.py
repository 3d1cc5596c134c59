"""MODELS.md runs as printed: ten models as they come, names and all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

import interactions

PAGE = (Path(interactions.__file__).parent / "MODELS.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
ABSENT = [name for name in ("xgboost", "lightgbm") if importlib.util.find_spec(name) is None]


def test_the_page_runs_as_printed() -> None:
    names: dict[str, object] = {}
    torch.manual_seed(0)
    for block in BLOCKS:
        if not any(f"from {name} import" in block for name in ABSENT):
            exec(compile(block, "MODELS.md", "exec"), names)


def test_the_page_is_short() -> None:
    assert len(PAGE.split()) < 600
