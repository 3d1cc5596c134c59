"""Bind what is stored: python -m paper_results.bind

Writes a SHA256SUMS into every folder of paper_results/reproduced, over all files in it, and one
beside them, over those and the page that tells of them. To be run after stored runs were changed
on purpose, and never to make a damage pass: `git diff` shows what changed since they were bound.
"""

from __future__ import annotations

from pathlib import Path

from experiments.running.bound import SUMS, sums
from experiments.running.store import write_whole

from . import STORED


def bind_all(stored: Path) -> None:
    """Write the sums of all runs in a folder, and of the folder."""
    folders = sorted(path.parent for path in stored.glob("*/record.json"))
    for folder in folders:
        write_whole(folder / SUMS, sums(_files(folder, folder.iterdir())))
    top = [path for path in stored.iterdir() if path.is_file()]
    write_whole(stored / SUMS, sums(_files(stored, [*top, *(f / SUMS for f in folders)])))


def _files(folder: Path, paths) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(paths)
        if path != folder / SUMS and not path.name.startswith(".")
    }


if __name__ == "__main__":
    bind_all(STORED)
