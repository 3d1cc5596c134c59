"""Pictures of the pages: drawn and packed anew only where what they show has changed.

A drawing knows what it is made from: points, how they are drawn, and the source that draws them.
The sum of these is kept within its file, so that one already there is known for the same.
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import matplotlib as mpl
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

import figures
from experiments.errors import UserError
from experiments.running.store import write_whole

MADE_FROM = "Made from"
"""The entry of a PNG that holds the sum of what it was made from."""
WIDEST = 900
"""Pixels of a picture within the page."""
BROKEN = (Image.DecompressionBombError, OSError, SyntaxError, ValueError)
"""What is raised where a file is not a picture."""


@dataclass(frozen=True)
class Picture:
    """A PNG that lies in a file, with its name and what it shows."""

    name: str
    shows: str
    file: Path

    @cached_property
    def sum(self) -> str:
        return hashlib.sha256(self.file.read_bytes()).hexdigest()

    def packed(self) -> str:
        """The picture within a page, as data: as WebP, a sixth of the size."""
        try:
            image = Image.open(self.file).convert("RGB")
        except BROKEN as error:
            raise UserError(f"{self.file} is not a picture ({error}): run it again") from error
        image.thumbnail((WIDEST, 10 * WIDEST))
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=70, method=6)
        return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


@dataclass(frozen=True)
class Drawing:
    """A picture to be made: what draws it, from which tables, and with which other arguments."""

    name: str
    shows: str
    draw: Callable[..., Figure]
    tables: tuple[pd.DataFrame, ...]
    options: tuple[str, ...] = ()

    def made_from(self) -> str:
        """Sum up all that the picture depends on."""
        told = hashlib.sha256(_drawing_source())
        for part in (self.draw.__module__, self.draw.__qualname__, *self.options):
            told.update(part.encode() + b"\0")
        for table in self.tables:
            told.update(repr([*table.columns]).encode())
            told.update(pd.util.hash_pandas_object(table, index=False).to_numpy().tobytes())
        return told.hexdigest()

    def put(self, folder: Path) -> Picture:
        """Draw it into a folder, unless it is there already."""
        file, sum_ = folder / f"{self.name}.png", self.made_from()
        if _sum_in(file) != sum_:
            figure = self.draw(*self.tables, *self.options)
            write_whole(file, png(figure, sum_))
        return Picture(self.name, self.shows, file)


def png(figure: Figure, made_from: str) -> bytes:
    """Draw a figure as PNG: the same numbers give the same file, without a date or version."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None, MADE_FROM: made_from})
    return buffer.getvalue()


def packed_in(page: Path) -> Mapping[str, str]:
    """Pictures that a page holds already, as data by the sum of their files."""
    try:
        text = page.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return dict(
        re.findall(r'data-of="([0-9a-f]{64})" src="(data:image/webp;base64,[\w+/=]+)"', text)
    )


def _sum_in(file: Path) -> str | None:
    try:
        with Image.open(file) as image:
            return image.info.get(MADE_FROM)
    except BROKEN:
        return None


@lru_cache(maxsize=1)
def _drawing_source() -> bytes:
    """All source that draws, and the version of what it draws with."""
    (folder,) = figures.__path__
    sources = [path.read_bytes() for path in sorted(Path(folder).glob("*.py"))]
    return b"\0".join([mpl.__version__.encode(), *sources])
