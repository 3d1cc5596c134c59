"""The source a question's numbers come from: its own file and all that this imports of ours."""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@lru_cache
def source_hash(experiment: str) -> str:
    """The SHA-256 of an experiment's source, with all it imports of this checkout.

    Taken once a process: what is imported stays as it was, whatever is edited later.
    """
    files = sources(experiment).items()
    sums = {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files}
    return hashlib.sha256(json.dumps(sums, sort_keys=True).encode()).hexdigest()


def sources(experiment: str) -> dict[str, Path]:
    """Files by the name they are imported by: the question's, and all it imports, however far."""
    found: dict[str, Path] = {}
    waiting = [f"experiments.questions.{experiment}"]
    while waiting:
        name = waiting.pop()
        path = ROOT.joinpath(*name.split("."))
        path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        if name not in found and path.is_file():
            found[name] = path
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            waiting += [package, *_imported(path.read_bytes(), package)]
    return found


@lru_cache(maxsize=1024)
def _imported(source: bytes, package: str) -> list[str]:
    """All names a file imports, wherever in it, and those that may be modules of a package."""
    names = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            target = "." * node.level + (node.module or "")
            target = importlib.util.resolve_name(target, package)
            names += [target, *(f"{target}.{alias.name}" for alias in node.names)]
    return names
