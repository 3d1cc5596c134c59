"""What a run leaves behind: a table, pictures, and a record that stands alone."""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import subprocess
import tempfile
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

import torch
from matplotlib.figure import Figure

from ..errors import UserError

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "seaborn",
    "xgboost",
    "xgboost-cpu",
)


def open_folder(path: Path) -> Path:
    """Make a folder and see that it can be written, before anything is computed."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(b"x")
    except OSError as error:
        raise UserError(
            f"the folder {path} cannot be written ({error.strerror or error}): choose another "
            "with --out, or --data-dir for data"
        ) from error
    return path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    try:
        # In a folder of its own: another process may be writing the same file.
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=path.parent) as folder:
            partial = Path(folder) / path.name
            partial.write_bytes(content.encode() if isinstance(content, str) else content)
            partial.replace(path)
    except OSError as error:
        raise UserError(
            f"{path} could not be written ({error.strerror or error}); what was written before "
            "is untouched"
        ) from error


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that others may be adding to."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise UserError(f"{path} could not be written ({error.strerror or error})") from error


def write_pictures(folder: Path, pictures: Mapping[str, Figure]) -> list[Path]:
    """Every figure as PNG and PDF; returns the PNG files."""
    for name, figure in pictures.items():
        for kind in ("png", "pdf"):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=160, bbox_inches="tight")
            write_whole(folder / f"{name}.{kind}", buffer.getvalue())
    return [folder / f"{name}.png" for name in pictures]


def describe_device(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {os.cpu_count()} cores"


@lru_cache
def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@lru_cache
def commit() -> str | None:
    """The commit of the checkout, marked where files differ from it; None without git."""
    here = Path(__file__).parent
    try:
        head = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--untracked-files=no"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        ).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return head + ("+changes" if changed else "")
