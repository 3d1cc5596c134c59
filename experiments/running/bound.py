"""Folders whose files belong together: bound by the SHA-256 of each, in one file of sums.

That file is taken away before any of the others changes and written when all are there, so a
folder without it holds nothing finished. `sha256sum -c SHA256SUMS` reads it as well.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

from ..errors import UserError
from .store import replace_file, sync_folder, write_whole

SUMS = "SHA256SUMS"
LINE = re.compile(r"([0-9a-f]{64})  ([^\0]+)")


class DamagedError(UserError):
    """A file is missing or not what was written; the message names it."""


def is_bound(folder: Path) -> bool:
    """Whether what lies in a folder was finished."""
    return (folder / SUMS).exists()


def bind(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write files that belong together; returns a word on what was damaged there, else "".

    Killed at any moment, the folder has its sums and all that they name, or no sums. Where the
    same files are whole already, nothing is written. Files that were bound to others before and
    are not among these are removed.
    """
    before: set[str] = set()
    damage = ""
    if is_bound(folder):
        try:
            if verified(folder) == files:
                return ""
            before = set(_listed(folder))
        except DamagedError as error:
            damage = str(error)
        _remove(folder / SUMS)
        for name in before - set(files):
            _remove(folder / name)
    for name, content in files.items():
        replace_file(folder / name, content)
    sync_folder(folder)  # The sums may not be there before what they are of.
    write_whole(folder / SUMS, sums(files))
    return damage


def verified(folder: Path) -> dict[str, bytes]:
    """What is in the files that a folder's sums name, by name.

    Raises DamagedError where one is missing or is not what was written, UserError where one cannot
    be read for the moment.
    """
    listed = _listed(folder)
    files = {name: _matching(folder / name, total) for name, total in listed.items()}
    if sums(files) != content_of(folder / SUMS):
        raise DamagedError(f"{folder / SUMS} is not as it was written")
    return files


def verified_one(folder: Path, *names: str) -> tuple[str, bytes]:
    """The first of the names that a folder's sums have, and what is in that file.

    Raises as `verified` does, and DamagedError if the sums have none of them.
    """
    listed = _listed(folder)
    for name in names:
        if name in listed:
            return name, _matching(folder / name, listed[name])
    raise DamagedError(f"{folder / SUMS} names no {' or '.join(names)}")


def bound_names(folder: Path) -> list[str]:
    """The files that a folder's sums name, in their order. Raises DamagedError, UserError."""
    return list(_listed(folder))


def sums(files: Mapping[str, bytes]) -> bytes:
    """The file of sums of these files."""
    lines = [f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items()]
    return "".join(lines).encode()


def content_of(path: Path) -> bytes:
    """What is in a file.

    Raises DamagedError if there is none. Whatever else keeps it from being read, too many open
    files, a failing disk, missing rights or memory, may pass: UserError, as nothing is known of
    what is in it.
    """
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        raise DamagedError(f"{path} is missing") from error
    except (OSError, MemoryError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: BaseException) -> UserError:
    """What to say of a file that may be as good as ever, but cannot be read."""
    why = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return UserError(
        f"{path} cannot be read for the moment ({why}). It was left as it is, and so is all that "
        "is finished: mend that, and give the same command again"
    )


def _listed(folder: Path) -> dict[str, str]:
    """Sums by name."""
    path = folder / SUMS
    text = content_of(path).decode("utf-8", "replace")
    listed = {}
    for line in text.splitlines():
        found = LINE.fullmatch(line)
        place = PurePosixPath(found[2] if found else "/")
        if place.is_absolute() or ".." in place.parts:
            raise DamagedError(f"{path} is not a list of SHA-256 sums and names of files")
        listed[found[2]] = found[1]
    if not listed:
        raise DamagedError(f"{path} is empty")
    return listed


def _matching(path: Path, total: str) -> bytes:
    content = content_of(path)
    if hashlib.sha256(content).hexdigest() != total:
        raise DamagedError(f"{path} is not what was written: its SHA-256 differs from {SUMS}")
    return content


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
        sync_folder(path.parent)
    except OSError as error:
        raise UserError(f"{path} could not be removed ({error.strerror or error})") from error
