"""The command line: python -m experiments list | show | run | sweep | status | reproduce | report
| lecture.

What computes is imported by the commands that compute: torch alone takes seconds, and naming the
questions or explaining an option needs none of it.
"""

from __future__ import annotations

import ast
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import discovery
from .errors import MissingDataError, UserError, visible
from .output import columns, fitted, secure

if TYPE_CHECKING:
    from .running.execute import Resources
    from .running.plans import Plan

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Preset = Annotated[
    str,
    typer.Option(
        help="tiny (seconds, shows only that it runs), quick (minutes on 2 cores) or paper"
    ),
]
Protocol = Annotated[
    str | None, typer.Option(help="released, text or controlled, where the experiment has it")
]
Out = Annotated[Path, typer.Option(help="Folder for tables, pictures, records and shards")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Seed = Annotated[int, typer.Option(help="Everything random follows from it")]
DataDir = Annotated[
    Path | None, typer.Option(help="Where real data sets lie; also INTERACTIONS_DATA")
]
Workers = Annotated[
    int, typer.Option(min=1, max=1024, help="Processes on this machine; they share cores")
]
Scheduler = Annotated[
    str | None, typer.Option(help="Address of a Dask scheduler whose workers compute instead")
]
SettingsFile = Annotated[
    Path | None, typer.Option("--settings", help="JSON file of fields, or a run's record.json")
]
Name = Annotated[
    str | None,
    typer.Option("--name", help="Name of the run's folder, for one that says what differs"),
]
Set = Annotated[list[str] | None, typer.Option("--set", help="field=value, repeatable")]


def _version(asked: bool) -> None:
    if asked:
        # Read, for importing the library takes seconds, and another of its name may be installed.
        source = Path(__file__).parents[1] / "interactions" / "__init__.py"
        lines = source.read_text(encoding="utf-8").splitlines()
        (line,) = (line for line in lines if line.startswith("__version__"))
        typer.echo(f"interactions {ast.literal_eval(line.partition('=')[2].strip())}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Say which and exit."),
    ] = False,
) -> None:
    """Reproduce 'Dropout as a Regularizer of Interaction Effects', question by question."""


@app.command("list")
def list_() -> None:
    """Name every experiment, its question and its protocols."""
    indent = max(map(len, discovery.NAMES))
    for name in discovery.NAMES:
        outline = discovery.outline(name)
        typer.echo(f"{name:<{indent}} {outline.asks}")
        typer.echo(f"{'':<{indent}} protocols: {', '.join(outline.protocols)}")


@app.command()
def show(
    name: str, protocol: Protocol = None, preset: Preset = "quick", out: Out = Path("results")
) -> None:
    """Show an experiment's fields, what they may be, its presets, and what runs of them took."""
    discovery.known(name)
    from .running import shown

    typer.echo(shown.show(name, protocol, preset, _where_runs_are(out)))


@app.command()
def run(
    name: str,
    preset: Preset = "quick",
    protocol: Protocol = None,
    out: Out = Path("results"),
    device: Device = "auto",
    seed: Seed = 0,
    data_dir: DataDir = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    settings: SettingsFile = None,
    set_: Set = None,
    folder: Name = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be computed, and compute nothing")
    ] = False,
) -> None:
    """Run one experiment, or what is missing of it; leaves its table, pictures and record."""
    plan = _plan(name, preset, protocol, settings, set_, str(seed), folder)
    if dry_run:
        from .running import shown

        typer.echo(shown.dry(plan, out, data_dir, _where_runs_are(out)))
        return
    from .running import runs

    runs.run(plan, out, _resources(device, data_dir, workers, scheduler))


@app.command()
def sweep(
    name: str,
    grid: Annotated[
        list[str] | None, typer.Option(help="field=a,b,...; repeat it for every combination")
    ] = None,
    seeds: Annotated[str, typer.Option(help="Seeds of the whole grid: 0,1,2")] = "0",
    preset: Preset = "quick",
    protocol: Protocol = None,
    out: Out = Path("results"),
    device: Device = "auto",
    data_dir: DataDir = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
    settings: SettingsFile = None,
    set_: Set = None,
    folder: Name = None,
) -> None:
    """Run an experiment at every point of a grid; leaves one table with a column per axis."""
    from .running.settings import read_seeds

    discovery.known(name)
    if len(read_seeds(seeds)) == 1 and not grid:
        raise UserError(
            "a sweep needs --grid field=a,b,... or several --seeds: without, it is one `run`"
        )
    plan = _plan(name, preset, protocol, settings, set_, seeds, folder)
    set_names, grid_names = ({text.partition("=")[0] for text in o or ()} for o in (set_, grid))
    if both := sorted(set_names & grid_names):
        raise UserError(f"--set and --grid both name {both[0]}: name it once")
    plan = replace(plan, grid=tuple(grid or ()), swept=True)
    from .running import runs

    runs.run(plan, out, _resources(device, data_dir, workers, scheduler))


@app.command()
def status(out: Out = Path("results")) -> None:
    """Show every run and sweep in a folder: what is done, missing and damaged, and the time left.

    Reads all that is finished, and ends with an error if something is not what was written.
    """
    out = _existing(out)
    from .running.status import status

    text, damages = status(out)
    typer.echo(text)
    if damages:
        raise UserError("\n       ".join(["this is damaged:", *map(visible, damages)]))


@app.command()
def reproduce(
    preset: Preset = "quick",
    all_: Annotated[
        bool,
        typer.Option("--all", help="Every experiment under every protocol, not the headline alone"),
    ] = False,
    out: Out = Path("results"),
    device: Device = "auto",
    seed: Seed = 0,
    data_dir: DataDir = None,
    workers: Workers = 1,
    scheduler: Scheduler = None,
) -> None:
    """Run the headline (decay law, pure noise, bike sharing) or everything; ends with a report."""
    from paper_results import STORED

    from . import found
    from .running import runs, shown
    from .running.store import open_folder

    resources = _resources(device, data_dir, workers, scheduler)
    open_folder(out)
    began = time.perf_counter()
    done: dict[tuple[str, str], runs.Done] = {}
    skipped: dict[str, None] = {}
    wanted = [
        (name, protocol)
        for name in (discovery.NAMES if all_ else discovery.HEADLINE)
        for protocol in discovery.outline(name).protocols[: None if all_ else 1]
    ]
    for i, (name, protocol) in enumerate(wanted):
        # Not from those in `out`: what is damaged there is about to be computed anew.
        left = shown.left(wanted[i:], preset, [STORED])
        typer.echo(f"Run {i + 1} of {len(wanted)}{left}")
        try:
            plan = _plan(name, preset, protocol, None, None, str(seed))
            done[name, protocol] = runs.run(plan, out, resources)
        except MissingDataError as missing:
            skipped[name] = None
            typer.echo(f"skipped {name}, {protocol}: {visible(missing)}\n", err=True)
    lines, written = _report(out)
    typer.echo("\nWhat your runs say\n")
    for (name, protocol), run in done.items():
        if said := found.sentence(name, run.table):
            typer.echo(fitted(f"{name}, {protocol}: {said}", indent="  ", hang="    "))
    typer.echo("\nWhat becomes of the paper's claims\n")
    typer.echo(columns(line for line in lines if line[0].startswith("C")))
    typer.echo("\nPictures\n")
    for run in done.values():
        typer.echo(fitted(f"{run.folder}: {', '.join(run.pictures)}", indent="  ", hang="    "))
    for name in skipped:
        typer.echo(fitted(f"none of {name}: its data is missing", indent="  ", hang="    "))
    typer.echo("\nAll of it, beside the paper's figures\n")
    for path in written:
        typer.echo(fitted(str(path), indent="  ", hang="    "))
    typer.echo(f"\nDone in {(time.perf_counter() - began) / 60:.1f} minutes.")


@app.command()
def report(
    out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of your runs, read before those stored here; the report goes there"
        ),
    ] = None,
) -> None:
    """Write published beside reproduced, and a verdict on every claim, from the runs there are."""
    lines, written = _report(None if out is None else _existing(out))
    typer.echo(columns(lines))
    typer.echo("Written:")
    for path in written:
        typer.echo(f"  {path}")


@app.command()
def lecture(
    rows: Annotated[
        list[str] | None, typer.Argument(help="L1 to L12; all of them by default")
    ] = None,
    out: Out = Path("results"),
    device: Device = "auto",
    seed: Seed = 0,
) -> None:
    """Show rows of a lecture on regularization: numbers, a picture each, and what to see."""
    from .lecture.rows import chosen, show, write_page
    from .running.context import Context, pick_device

    names = chosen(rows or [])
    context = Context(seed, pick_device(device))
    shown = {name: show(name, out, context) for name in names}
    typer.echo(fitted(f"All of it: {write_page(shown, out)}", hang="  "))
    if unseen := [name for name, row in shown.items() if not row.is_seen]:
        raise UserError(f"not seen at 3 standard errors: an effect of {', '.join(unseen)}")


def _report(out: Path | None) -> tuple[list[tuple[str, str, str]], list[Path]]:
    """A line for each verdict, and the pages; nothing is computed where nothing has changed."""
    from paper_results import STORED
    from paper_results.report import unchanged

    from .running.store import open_folder
    from .running.stored import unfinished

    folders = [STORED] if out is None else [open_folder(out), STORED]
    place = STORED.parent if out is None else out
    for folder in (path for runs in folders for path in unfinished(runs)):
        typer.echo(f"left out, as it is not finished: {visible(folder)}", err=True)
    typer.echo(fitted(f"Judging the runs in {', '.join(map(str, folders))}", hang="  "))
    if kept := unchanged.told(folders, place):
        typer.echo("Nothing has changed since the report there was written.\n")
        return kept.lines, kept.pages
    from paper_results.report import pages

    from .running.context import progress_bar

    with progress_bar(total=pages.steps(), desc="  report") as bar:

        def step(what: str) -> None:
            bar.set_postfix_str(what)
            bar.update()

        content = pages.build(folders, step)
        written = pages.write(content, place, step)
    lines = pages.lines(content)
    unchanged.keep(lines, folders, place, written)
    return lines, written[: len(pages.PAGES)]


def _where_runs_are(out: Path) -> list[Path]:
    """Folders of runs, the reader's before those stored here."""
    from paper_results import STORED

    return [out, STORED]


def _existing(out: Path) -> Path:
    if not out.is_dir():
        raise UserError(f"there is no folder {out}: --out takes the folder your runs are in")
    return out


def _resources(
    device: str, data_dir: Path | None, workers: int, scheduler: str | None
) -> Resources:
    from .running.context import pick_device
    from .running.execute import Resources

    if scheduler is None:
        pick_device(device)
    elif workers > 1:
        raise UserError("choose --workers, processes here, or --scheduler, those of a cluster")
    return Resources(device, data_dir, workers, scheduler)


def _plan(
    name: str,
    preset: str,
    protocol: str | None,
    file: Path | None,
    changes: list[str] | None,
    seeds: str,
    folder: str | None = None,
) -> Plan:
    discovery.known(name)  # What can be told without the seconds that importing takes, is.
    from .running.settings import change, choose, from_file, read_seeds

    chosen = read_seeds(seeds)
    presets = discovery.load(name).PRESETS
    from .running.plans import Plan, check_name

    protocol, settings = choose(presets, protocol=protocol, preset=preset)
    if file is not None:
        settings = from_file(settings, file)
    settings = change(settings, changes or [])
    if folder is not None:
        check_name(folder)
    return Plan(name, protocol, preset, settings, chosen, name=folder)


def main() -> None:
    """Run the command line; mistakes a user can mend end it with one line and a status."""
    secure()
    try:
        app()
    except UserError as error:
        typer.echo("\n".join(map(visible, f"error: {error}".split("\n"))), err=True)
        sys.exit(error.status)


if __name__ == "__main__":
    main()
