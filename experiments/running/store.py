"""What a run leaves behind: a table, pictures, and a record that stands alone."""

from __future__ import annotations

import importlib.metadata
import io
import os
import platform
import re
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import UserError

if TYPE_CHECKING:
    import torch
    from matplotlib.figure import Figure

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

DECISIVE = ("torch", "numpy", "xgboost", "xgboost-cpu")
"""Those whose other versions give other numbers from the same seed."""


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
    """Write a file whole or not at all, and to the disk: a power cut keeps it as well."""
    replace_file(path, content.encode() if isinstance(content, str) else content)
    try:
        sync_folder(path.parent)
    except OSError as error:
        raise _unwritten(path, error) from error


def replace_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all; it is on the disk as soon as its folder is synced."""
    try:
        # In a folder of its own: another process may be writing the same file.
        with partial_folder(path.parent) as folder:
            partial = folder / path.name
            write_synced(partial, content)
            partial.replace(path)
    except OSError as error:
        raise _unwritten(path, error) from error


def _unwritten(path: Path, error: OSError) -> UserError:
    return UserError(
        f"{path} could not be written ({error.strerror or error}); what was written before is "
        "untouched"
    )


def write_synced(path: Path, content: bytes) -> None:
    """Write a file that is on the disk when this returns."""
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(path: Path) -> None:
    """Bring to the disk which files a folder has. Windows does so by itself, and has no call."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


PARTIAL = ".partial-"
OLD = 24 * 3600.0
"""Seconds after which a partial file is nobody's, wherever its process ran."""


@contextmanager
def partial_folder(place: Path) -> Iterator[Path]:
    """A folder for what is being written, gone in the end; its name says by which process."""
    prefix = f"{PARTIAL}{_host()}-{os.getpid()}-"
    with tempfile.TemporaryDirectory(prefix=prefix, dir=place) as folder:
        yield Path(folder)


def remove_partial(place: Path) -> None:
    """Remove what killed processes had begun to write in a folder.

    That is what a process of this machine left that is no more, and what is a day old.
    """
    for path in place.glob(f"{PARTIAL}*"):
        found = re.fullmatch(rf"{re.escape(PARTIAL)}(.+)-(\d+)-[^-]+", path.name)
        with suppress(OSError):  # Another run may be removing it.
            is_old = time.time() - path.stat().st_mtime > OLD
            if is_old or (found and found[1] == _host() and not _is_running(int(found[2]))):
                shutil.rmtree(path)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "", socket.gethostname())


def _is_running(process: int) -> bool:
    if os.name == "nt":
        return True  # There a signal of 0 would end it.
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # Another user's.
    return True


def append_line(path: Path, line: str) -> None:
    """Add a line to a file that others may be adding to."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
    except OSError as error:
        raise UserError(f"{path} could not be written ({error.strerror or error})") from error


def drawn(pictures: Mapping[str, Figure]) -> dict[str, bytes]:
    """Every figure as the contents of a PNG and a PDF file, by the file's name."""
    files = {}
    for name, figure in pictures.items():
        # Without the time or a version within: the same table gives the same files.
        for kind, said in (("png", {"Software": None}), ("pdf", {"CreationDate": None})):
            buffer = io.BytesIO()
            figure.savefig(buffer, format=kind, dpi=160, bbox_inches="tight", metadata=said)
            files[f"{name}.{kind}"] = buffer.getvalue()
    return files


def describe_device(device: torch.device) -> str:
    if device.type == "cuda":
        import torch

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


def decisive_versions() -> tuple[tuple[str, str], ...]:
    """Versions of what computes a table: another gives another shard."""
    return tuple((name, versions()[name]) for name in DECISIVE if name in versions())


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
