"""A report that would say the same again: known by the sum of all that it is made from.

Beside the pages lies that sum, with those of the files that were written and what the command line
says of them. Where all are as they were, nothing is computed: no run is read but for its sums.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.running.bound import SUMS, is_bound, verified
from experiments.running.store import write_whole

KEPT = "report.json"
"""The file's name."""
ROOT = Path(__file__).parents[2]
PACKAGES = ("interactions", "experiments", "figures", "paper_results")
"""Whose source computes, judges, draws or tells."""
SOURCES = {".py", ".jinja", ".toml"}
VERSIONS = ("numpy", "pandas", "scipy", "torch", "matplotlib", "pillow", "jinja2")
"""Packages of others that can change what is told or drawn."""

Lines = list[tuple[str, str, str]]
"""One for each verdict: its claim, what became of it, and the number it rests on."""


@dataclass(frozen=True)
class Kept:
    """What is said of a report, and its pages."""

    lines: Lines
    pages: list[Path]


def told(folders: Sequence[Path], out: Path) -> Kept | None:
    """What is kept of the report that lies in a folder, if it is what these runs give; else None.

    Raises DamagedError, naming the file, if anything finished in the runs' folders is not what was
    written.
    """
    for folder in folders:
        if is_bound(folder):
            verified(folder)
        for path in _runs(folder):
            verified(path.parent)
    try:
        kept = json.loads((out / KEPT).read_text(encoding="utf-8"))
        lines = [(str(claim), str(kind), str(text)) for claim, kind, text in kept["lines"]]
        files = {str(name): total for name, total in kept["files"].items()}
        same = kept["made_from"] == made_from(folders, out) and files == _sums(out, files)
    except (OSError, ValueError, AttributeError, KeyError, TypeError):
        return None
    pages = [out / name for name in files if "/" not in name]
    return Kept(lines, pages) if same else None


def keep(lines: Lines, folders: Sequence[Path], out: Path, files: Iterable[Path]) -> None:
    """Write down what the report in a folder, of these files, was made from and says."""
    names = [file.relative_to(out).as_posix() for file in files]
    content = {"made_from": made_from(folders, out), "files": _sums(out, names), "lines": lines}
    write_whole(out / KEPT, json.dumps(content, indent=1, ensure_ascii=False) + "\n")


def made_from(folders: Sequence[Path], out: Path) -> str:
    """Sum up all source, what was published, versions, and the sums of every run."""
    total = hashlib.sha256()
    paths = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if _is_source(path)]
    for path in sorted(paths):
        total.update(f"{path.relative_to(ROOT).as_posix()}\0".encode() + path.read_bytes())
    for package in VERSIONS:
        total.update(f"{package} {importlib.metadata.version(package)}\0".encode())
    for folder in folders:
        for path in _runs(folder):
            # Pages link to pictures of runs, from where they lie.
            place = Path(os.path.relpath(path, out)).as_posix()
            total.update(f"{place}\0".encode() + path.read_bytes())
    return total.hexdigest()


def _is_source(path: Path) -> bool:
    return path.suffix in SOURCES or path.match("published/*.csv")


def _runs(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"*/{SUMS}"))


def _sums(folder: Path, names: Iterable[str]) -> dict[str, str]:
    return {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
