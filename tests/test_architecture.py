"""Imports run one way: the library knows no experiment, a figure computes nothing."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ALLOWED = {
    "interactions": set(),
    "figures": {"paper_results"},
    "paper_results": {"interactions", "experiments", "figures"},
    "experiments": {"interactions", "figures", "paper_results"},
}
OURS = set(ALLOWED)


def imported(path: Path) -> set[str]:
    """Top-level names a file imports, relative imports resolved."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(path.relative_to(ROOT).parts[0] if node.level else node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", sorted(ALLOWED))
def test_packages_import_only_what_lies_upstream(package: str) -> None:
    files = list((ROOT / package).rglob("*.py"))
    assert files or package == "paper_results"
    for path in files:
        beyond = (imported(path) & OURS) - {package} - ALLOWED[package]
        assert not beyond, f"{path.relative_to(ROOT)} imports {sorted(beyond)}"


def test_the_library_needs_no_plotting_or_command_line() -> None:
    for path in (ROOT / "interactions").rglob("*.py"):
        assert not imported(path) & {"matplotlib", "seaborn", "typer", "tqdm"}


def test_figures_do_not_import_torch_or_scipy() -> None:
    for path in (ROOT / "figures").rglob("*.py"):
        assert not imported(path) & {"torch", "scipy", "numpy"}
