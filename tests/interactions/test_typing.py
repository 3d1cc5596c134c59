"""What users write against the library passes a strict type checker, and so does its own face."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import interactions
from interactions import anova

ROOT = Path(__file__).parents[2]
FACE = Path(__file__).with_name("public_face.py")


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / "interactions" / "py.typed").exists()


def test_the_file_that_is_checked_uses_every_public_name() -> None:
    used = {n.id for n in ast.walk(ast.parse(FACE.read_text())) if isinstance(n, ast.Name)}
    used |= {n.attr for n in ast.walk(ast.parse(FACE.read_text())) if isinstance(n, ast.Attribute)}
    assert {*interactions.__all__, *anova.__all__} <= used


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [["--strict", "--follow-imports=silent", str(FACE)], []])
def test_mypy_has_nothing_to_say(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Strictly of a user's file, and of the library by what pyproject.toml asks; a minute."""
    api = pytest.importorskip("mypy.api")
    monkeypatch.chdir(ROOT)
    alone = ["--config-file="] if arguments else []
    said, trouble, status = api.run([*alone, *arguments])
    assert not status, said + trouble
