"""The page of laws names a test for each law, and each named test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "interactions" / "LAWS.md").read_text()


def test_every_test_named_on_the_page_of_laws_exists() -> None:
    ours = {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
    }
    named = set(re.findall(r"`(test_\w+)`", PAGE))
    assert len(named) > 20
    assert named <= ours, f"named but missing: {sorted(named - ours)}"


def test_every_law_names_a_test_and_has_a_proof() -> None:
    laws = re.split(r"\n## ", PAGE)[1:8]
    assert [law[0] for law in laws] == list("1234567")
    for law in laws:
        assert "*Proof.*" in law
        assert "`test_" in law
