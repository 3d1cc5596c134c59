"""The report: published beside reproduced for every item, and a verdict on every claim.

Everything it says is computed from the tables of runs found in folders. It is written twice from
the same content: Markdown with links to its pictures, and one HTML file that holds them.
"""

from __future__ import annotations

import base64
import io
import math
import os
import textwrap
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from experiments.errors import UserError
from experiments.running.store import open_folder, write_whole
from experiments.running.stored import Choice, Run, Wanted, check, choose
from figures.published import draw

from ..evidence import items
from ..evidence.estimates import Estimate
from ..evidence.items import Item
from ..evidence.points import KEYS
from . import escaping
from .agreement import Agreement, agreement
from .claims import read_claims
from .verdicts import Verdict, judge

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "paper_results"
CLAIMS = RESULTS / "claims.toml"
STORED = RESULTS / "reproduced"
PICTURES = "pictures"
PAGES = (
    ("report.md.jinja", "REPORT.md", escaping.for_markdown),
    ("report.html.jinja", "report.html", escaping.for_html),
)
"""Templates, the files they are written to, and how what is put into them is escaped."""
WIDEST = 900
"""Pixels of a picture within the page."""


@dataclass(frozen=True)
class Picture:
    """A PNG with its name and what it shows; `file` is where it lies, if a run drew it."""

    name: str
    shows: str
    png: bytes
    file: Path | None = None

    @property
    def data_uri(self) -> str:
        """The picture within a page: as WebP, a sixth of the size."""
        try:
            image = Image.open(io.BytesIO(self.png)).convert("RGB")
        except (Image.DecompressionBombError, OSError, SyntaxError, ValueError) as error:
            name = self.file or self.name
            raise UserError(f"{name} is not a picture ({error}): run it again") from error
        image.thumbnail((WIDEST, 10 * WIDEST))
        buffer = io.BytesIO()
        image.save(buffer, "WEBP", quality=70, method=6)
        return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


Agreements = tuple[tuple[str, Agreement], ...]


@dataclass(frozen=True)
class Theirs:
    """A run of the reader that does not count: shown, not judged."""

    run: Run
    agreements: Agreements


@dataclass(frozen=True)
class Shown:
    """An item under a protocol: its run, and why this one, or what to run for it."""

    protocol: str
    run: Run | None
    missing: str
    why: str = ""
    theirs: tuple[Theirs, ...] = ()
    agreements: Agreements = ()
    picture: Picture | None = None
    own_picture: Picture | None = None


@dataclass(frozen=True)
class Section:
    item: Item
    published: Picture | None
    shown: tuple[Shown, ...]


@dataclass(frozen=True)
class Report:
    sections: tuple[Section, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def claims(self) -> list[Verdict]:
        return [v for v in self.verdicts if not v.claim.is_finding]

    @property
    def findings(self) -> list[Verdict]:
        return [v for v in self.verdicts if v.claim.is_finding]


def build(folders: Sequence[Path]) -> Report:
    """Everything the report says, from the runs in these folders, of which `choose` takes one.

    Raises DamagedError, naming the file, if anything finished there is not what was written.
    """
    for folder in folders:
        check(folder)
    verdicts = tuple(judge(claim, folders) for claim in read_claims(CLAIMS))
    return Report(tuple(_section(item, folders) for item in (*items.ALL, *items.LECTURE)), verdicts)


def write(report: Report, folder: Path) -> list[Path]:
    """REPORT.md, its pictures and report.html in a folder; returns the two texts."""
    open_folder(folder)
    pictures = open_folder(folder / PICTURES)

    def link(picture: Picture) -> Markup:
        file = picture.file
        if file is None:
            file = pictures / f"{picture.name}.png"
            write_whole(file, picture.png)
        return escaping.link(Path(os.path.relpath(file, folder)).as_posix())

    written = []
    for template, name, escape in PAGES:
        templates = _templates(escape)
        templates.filters["link"] = link
        write_whole(folder / name, templates.get_template(template).render(report=report))
        written.append(folder / name)
    return written


def _templates(escape: Callable[[object], object]) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=lambda name: name is not None and ".html" in name,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=jinja2.StrictUndefined,
        finalize=escape,
    )
    environment.filters |= {"number": number, "error": error, "percent": percent}
    environment.filters["code"] = escaping.code
    return environment


def _section(item: Item, folders: Sequence[Path]) -> Section:
    wanted = [Wanted(item.experiment, protocol) for protocol in item.protocols]
    choices = [choose(one, folders) for one in wanted]
    published = None if item.published is None else item.published()
    if published is None or item.ours is None:
        shown = [_shown(item, one, choice) for one, choice in zip(wanted, choices, strict=True)]
        return Section(item, None, tuple(shown))
    ours = [None if choice is None else item.ours(choice.run.table) for choice in choices]
    # In the order of the published points, and nothing that was not published.
    common = [None if o is None else published[[*KEYS]].merge(o, on=list(KEYS)) for o in ours]
    beside = [published, *(points for points in common if points is not None)]
    pictures = [
        None if points is None or points.empty else _png(draw(points, item.look, beside=beside))
        for points in (published, *common)
    ]
    shown = []
    for one, choice, mine, png in zip(wanted, choices, ours, pictures[1:], strict=True):
        agreements = () if mine is None else _agreements(published, mine)
        shown.append(_shown(item, one, choice, published, agreements, png))
    picture = Picture(f"{item.slug}-published", f"{item.name}, published", pictures[0])
    return Section(item, picture, tuple(shown))


def _agreements(published: pd.DataFrame, ours: pd.DataFrame) -> Agreements:
    """By quantity."""
    return tuple(
        (str(quantity), agreement(points, ours[ours["quantity"] == quantity], KEYS[1:]))
        for quantity, points in published.groupby("quantity", sort=False)
    )


def _shown(
    item: Item,
    wanted: Wanted,
    choice: Choice | None,
    published: pd.DataFrame | None = None,
    agreements: Agreements = (),
    png: bytes | None = None,
) -> Shown:
    if choice is None:
        return Shown(wanted.protocol, None, wanted.missing())
    name, shows = f"{item.slug}-{wanted.protocol}", f"{item.name}, {wanted.protocol}"
    picture = None if png is None else Picture(name, shows, png)
    own = None
    pictures = [p for p in choice.run.pictures if not item.picture or p.stem == item.picture]
    if pictures:
        file = pictures[0]
        own = Picture(f"{name}-run", f"{shows}, as the run draws it", file.read_bytes(), file)
    theirs = tuple(_theirs(item, run, published) for run in choice.beside)
    return Shown(wanted.protocol, choice.run, "", choice.why, theirs, agreements, picture, own)


def _theirs(item: Item, run: Run, published: pd.DataFrame | None) -> Theirs:
    if published is None or item.ours is None:
        return Theirs(run, ())
    try:
        with warnings.catch_warnings(action="ignore"):
            return Theirs(run, _agreements(published, item.ours(run.table)))
    except Exception:  # A table cut down at will may have no such points.
        return Theirs(run, ())


def _png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    # No date or version within: the same numbers give the same file.
    figure.savefig(buffer, format="png", dpi=110, metadata={"Software": None})
    return buffer.getvalue()


def number(value: float | None) -> str:
    """Three significant digits, as tables show them."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def error(estimate: Estimate) -> str:
    """A standard error and its number of repeats; 0 where nothing is random."""
    if math.isnan(estimate.standard_error):
        return "one repeat"
    repeats = "" if estimate.repeats is None else f" ({estimate.repeats})"
    return "± " + number(estimate.standard_error) + repeats


def percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.0f}%"


def summary(report: Report) -> pd.DataFrame:
    """A row per claim and finding: the verdict and the number it rests on."""
    rows = []
    for verdict in report.verdicts:
        estimate = verdict.deciding.estimate
        rows.append(
            {
                "claim": verdict.claim.name,
                "verdict": textwrap.shorten(verdict.text, 60, placeholder=" ..."),
                "number": "–" if estimate is None else number(estimate.value),
                "error": "–" if estimate is None else error(estimate),
            }
        )
    return pd.DataFrame(rows)
