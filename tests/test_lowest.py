"""What CI installs as the lowest versions is what pyproject.toml asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_lowest_versions_are_those_of_the_project() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*project["dependencies"], *project["optional-dependencies"]["experiments"]]
    lowest = dict(re.fullmatch(r"([\w-]+)>=([\d.]+)", line).groups() for line in asked)
    pinned = re.findall(r"^([\w-]+)==([\d.]+)$", (ROOT / ".ci/lowest.txt").read_text(), re.M)
    assert {name for name, _ in pinned} == lowest.keys() - {"torch"}
    for name, version in pinned:
        asked_for = (*lowest[name].split("."), "0", "0")[:3]
        assert version.split(".") == [*asked_for], name
