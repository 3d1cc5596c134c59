"""What a run leaves behind: a table, pictures, and a record that stands alone."""

from __future__ import annotations

import importlib.metadata
import io
import json
import os
import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import torch
from matplotlib.figure import Figure

from .context import Context, UserError

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
        probe = path / ".write-test"
        probe.write_text("x")
        probe.unlink()
    except OSError as error:
        raise UserError(
            f"the folder {path} cannot be written ({error.strerror or error}): choose another "
            "with --out, or --data-dir for data"
        ) from error
    return path


def write_whole(path: Path, content: str | bytes) -> None:
    """Write a file whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(content.encode() if isinstance(content, str) else content)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise UserError(
            f"{path} could not be written ({error.strerror or error}); what was written before "
            "is untouched"
        ) from error


def begin_record(
    *, name: str, protocol: str, preset: str, settings: object, context: Context
) -> dict[str, object]:
    """What a result must say about where it comes from, taken before anything is computed."""
    return {
        "experiment": name,
        "protocol": protocol,
        "preset": preset,
        "settings": asdict(settings),
        "seed": context.seed,
        "device": describe_device(context.device),
        "threads": torch.get_num_threads(),
        "versions": versions(),
        "commit": _commit(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def write_run(
    folder: Path, table: pd.DataFrame, record: Mapping[str, object], *, seconds: float
) -> None:
    """The table as CSV and its record, completed, as JSON."""
    write_whole(folder / "table.csv", table.to_csv(index=False))
    full = {**record, "seconds": round(seconds, 1), "rows": len(table)}
    write_whole(folder / "record.json", json.dumps(full, indent=2) + "\n")


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


def versions() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _commit() -> str | None:
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
