"""Which rooms of the library know of which, and that none hides behind a function of its name."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import interactions

ROOT = Path(interactions.__file__).parent


def knows(room: str) -> set[str]:
    """Modules of the library outside a room that any file in it imports."""
    return {
        node.module.split(".")[0]
        for path in (ROOT / room).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.level == 2
    }


def test_networks_know_inputs_dropout_and_printing_and_the_measurement_points_and_spectra() -> None:
    assert knows("inputs") == {"arrays"}
    assert knows("networks") == {"inputs", "dropout", "penalty", "printing"}
    assert knows("penalty") == {"inputs", "spectrum"}
    results = {"spectrum", "printing", "saving", "plots"}
    assert knows("anova") == {
        "arrays",
        "checks",
        "inputs",
        "models",
        "precision",
        "progress",
        *results,
    }


@pytest.mark.parametrize(
    "room", [".", "networks", "anova", "error", "inputs", "penalty", "rate_sweep"]
)
def test_no_module_is_shadowed_by_a_name_of_its_package(room) -> None:
    tree = ast.parse((ROOT / room / "__init__.py").read_text())
    names = {
        alias.asname or alias.name
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {path.stem for path in (ROOT / room).glob("*.py")}
    assert not names & (modules | {path.name for path in (ROOT / room).iterdir() if path.is_dir()})
