"""The report: published beside reproduced for every item, and a verdict on every claim.

Everything it says is computed from the tables of runs found in folders. It is written twice from
the same content: Markdown with links to its pictures, and one HTML file that holds them.
"""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd
from markupsafe import Markup
from matplotlib.figure import Figure

from experiments.running.store import open_folder, write_whole
from experiments.running.stored import Choice, Run, Wanted, check, choose
from figures import verdicts as verdicts_figure
from figures.published import draw

from ..evidence import items
from ..evidence.estimates import Estimate
from ..evidence.items import Item
from ..evidence.points import KEYS
from . import answer, escaping, kept
from .agreement import Agreement, Gap, agreement
from .claims import read_claims
from .costs import Cost, costs, told
from .pictures import Drawing, Picture, packed_in
from .verdicts import Verdict, judge

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "paper_results"
CLAIMS = RESULTS / "claims.toml"
PICTURES = "pictures"
MARKDOWN, HTML = "REPORT.md", "report.html"
PAGES = (
    ("report.md.jinja", MARKDOWN, escaping.for_markdown),
    ("report.html.jinja", HTML, escaping.for_html),
)
"""Templates, the files they are written to, and how what is put into them is escaped."""

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
    picture: Drawing | None = None
    own_picture: Picture | None = None


@dataclass(frozen=True)
class Section:
    item: Item
    published: Drawing | None
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

    @property
    def answer(self) -> str:
        return answer.paragraph(self.verdicts)

    @property
    def costs(self) -> list[Cost]:
        """Of every run that a number or a picture here is taken from."""
        shown = [one.run for section in self.sections for one in section.shown if one.run]
        judged = [run for v in self.verdicts for e in v.evidence for run in e.runs]
        return costs([*shown, *judged])

    @property
    def picture(self) -> Drawing | None:
        """What the page opens with: every claim's numbers beside what is asked of them."""
        shows = "The numbers of every claim, by how far they lie within what is asked"
        rows = answer.numbers(self.claims)
        return Drawing("verdicts", shows, verdicts_figure.draw, (rows,)) if len(rows) else None


Step = Callable[[str], None]
"""Told what is done next."""


def steps() -> int:
    """How many steps `build` and `write` tell of, together."""
    claims = read_claims(CLAIMS)
    varied = [claim for claim in claims if not claim.is_finding]
    return 1 + sum(map(len, (claims, varied, items.ALL, items.LECTURE, PAGES)))


def build(folders: Sequence[Path], step: Step = lambda what: None) -> Report:
    """Everything the report says, from the runs in these folders, of which `choose` takes one.

    Raises DamagedError, naming the file, if anything finished there is not what was written.
    """
    step("reading the runs")
    for folder in folders:
        check(folder)
    verdicts = []
    for claim in read_claims(CLAIMS):
        step(f"judging {claim.name}")
        verdicts.append(judge(claim, folders))
    sections = []
    for item in (*items.ALL, *items.LECTURE):
        step(f"comparing {item.name}")
        sections.append(_section(item, folders))
    return Report(tuple(sections), tuple(verdicts))


def write(report: Report, folder: Path, step: Step = lambda what: None) -> list[Path]:
    """REPORT.md, its pictures, what would change verdicts, and report.html.

    Returns the pages, then the pictures.
    """
    open_folder(folder)
    pictures = open_folder(folder / PICTURES)
    packed = packed_in(folder / HTML)
    told = {"report": report, "sensitivity": kept.told(report.claims, folder, step)}

    drawn: dict[str, Picture] = {}

    def there(picture: Drawing | Picture) -> Picture:
        if isinstance(picture, Picture):
            return picture
        if picture.name not in drawn:
            drawn[picture.name] = picture.put(pictures)
        return drawn[picture.name]

    def link(picture: Drawing | Picture) -> Markup:
        return escaping.link(Path(os.path.relpath(there(picture).file, folder)).as_posix())

    def image(picture: Drawing | Picture) -> Markup:
        lies = there(picture)
        data = packed.get(lies.sum) or lies.packed()
        return Markup('<img data-of="{}" src="{}" alt="{}">').format(lies.sum, data, lies.shows)

    written = []
    for template, name, escape in PAGES:
        templates = _templates(escape)
        templates.filters |= {"link": link, "image": image}
        step(f"drawing and writing {name}")
        write_whole(folder / name, templates.get_template(template).render(told))
        written.append(folder / name)
    return [*written, *(picture.file for picture in drawn.values())]


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
    environment.filters |= {"number": number, "error": error, "in_errors": in_errors}
    environment.filters["told"] = told
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
    common = [None if points is None or points.empty else points for points in common]
    beside = [published, *(points for points in common if points is not None)]

    def drawing(what: str, points: pd.DataFrame) -> Drawing:
        name, shows = f"{item.slug}-{what}", f"{item.name}, {what}"
        return Drawing(name, shows, _beside, (points, *beside), (item.look,))

    shown = []
    for one, choice, mine, points in zip(wanted, choices, ours, common, strict=True):
        agreements = () if mine is None else _agreements(published, mine)
        picture = None if points is None else drawing(one.protocol, points)
        shown.append(_shown(item, one, choice, published, agreements, picture))
    return Section(item, drawing("published", published), tuple(shown))


def _beside(points: pd.DataFrame, *others: pd.DataFrame | str) -> Figure:
    """Draw points in the way named last, with room for those of the pictures beside it."""
    *beside, look = others
    return draw(points, look, beside=beside)


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
    picture: Drawing | None = None,
) -> Shown:
    if choice is None:
        return Shown(wanted.protocol, None, wanted.missing())
    name, shows = f"{item.slug}-{wanted.protocol}", f"{item.name}, {wanted.protocol}"
    own = None
    pictures = [p for p in choice.run.pictures if not item.picture or p.stem == item.picture]
    if pictures:
        own = Picture(f"{name}-run", f"{shows}, as the run draws it", pictures[0])
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


def number(value: float | None) -> str:
    """Three significant digits, as tables show them."""
    if value is None or math.isnan(value):
        return "–"
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 or value == 0 else f"{value:.1e}"


def error(estimate: Estimate) -> str:
    """A standard error; nothing where nothing is random."""
    if math.isnan(estimate.standard_error):
        return "± unknown"
    if estimate.standard_error == 0 and estimate.fewest is None:
        return ""
    return "± " + number(estimate.standard_error)


def in_errors(gap: Gap | None) -> str:
    """How many standard errors a gap is; unknown where ours has none."""
    return "–" if gap is None else number(gap.in_errors)


def lines(report: Report) -> list[tuple[str, str, str]]:
    """A line for each claim and finding: its name, the verdict, and the number it rests on."""
    found = []
    for verdict in report.verdicts:
        estimate = verdict.deciding.estimate
        told = verdict.claim.short
        if estimate is not None:
            parts = [" ".join(filter(None, [number(estimate.value), error(estimate)]))]
            told += f": {', '.join([*parts, verdict.deciding.rests_on])}"
        found.append((verdict.claim.name, verdict.kind, told))
    return found
