"""Standard streams that do not end a run: closed, on a full disk, or of few characters."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path
from typing import TextIO


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
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    if raw is None:
        return stream
    return io.TextIOWrapper(
        io.BufferedWriter(_Unfailing(raw)),
        encoding=stream.encoding,
        errors="backslashreplace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
