"""Standard streams that do not end a run, and lines that fit on them.

A stream may be closed, on a full disk, or of few characters.
"""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import TextIO

WIDEST = 100
"""Characters of a line where nothing says how wide the terminal is, or it is wider."""
NARROWEST = 40
"""Below it, lines break in words all the same."""


class _Unfailing(io.RawIOBase):
    """Writes as another stream does; what that cannot take is lost, and the program goes on."""

    def __init__(self, stream: io.RawIOBase) -> None:
        super().__init__()
        self._stream = stream

    def write(self, content: bytes) -> int | None:
        try:
            return self._stream.write(content)
        except (OSError, ValueError):
            return len(content)

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.fileno()

    def isatty(self) -> bool:
        return self._stream.isatty()


def secure() -> None:
    """Let nothing that is printed from here on end the program.

    What an encoding lacks is written as an escape. A stream that was closed takes nothing.
    """
    sys.stdout, sys.stderr = _secured(sys.stdout), _secured(sys.stderr)


def _secured(stream: TextIO | None) -> TextIO:
    if stream is None:
        # Closed from the start; its number must not be given to a file of ours.
        return Path(os.devnull).open("w", encoding="utf-8")
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        return stream
    # With PYTHONUNBUFFERED there is nothing between.
    raw = getattr(buffer, "raw", None)
    return io.TextIOWrapper(
        _Unfailing(buffer) if raw is None else io.BufferedWriter(_Unfailing(raw)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


def width() -> int:
    """Characters that fit on a line of the terminal."""
    return max(NARROWEST, min(WIDEST, shutil.get_terminal_size((WIDEST, 24)).columns))


def fitted(text: str, *, indent: str = "", hang: str = "") -> str:
    """A text over as many lines as it takes, those after the first set in by `hang`."""
    return textwrap.fill(
        text,
        width(),
        initial_indent=indent,
        subsequent_indent=hang,
        break_on_hyphens=False,
    )


def columns(rows: Iterable[tuple[str, ...]]) -> str:
    """Rows as lines: all cells but the last as wide as the widest of their column."""
    rows = list(rows)
    if not rows:
        return ""
    *wide, _ = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = []
    for *cells, last in rows:
        head = "  " + "".join(f"{c:<{w}}  " for c, w in zip(cells, wide, strict=True))
        lines.append(fitted(last, indent=head, hang=" " * len(head)))
    return "\n".join(lines)
