"""The command line: python -m experiments list | run | reproduce | report."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated

import torch
import typer

from . import registry
from .running import report as report_
from .running import settings as settings_
from .running.context import Context, UserError, pick_device
from .running.data import MissingDataError
from .running.store import (
    begin_record,
    describe_device,
    open_folder,
    write_pictures,
    write_run,
)

app = typer.Typer(
    help="Reproduce 'Dropout as a Regularizer of Interaction Effects', question by question.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Preset = Annotated[str, typer.Option(help="quick (minutes on 2 cores) or paper")]
Out = Annotated[Path, typer.Option(help="Folder for tables, pictures and records")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, ...")]
Seed = Annotated[int, typer.Option(help="Everything random follows from it")]
DataDir = Annotated[
    Path | None, typer.Option(help="Where real data sets lie; also INTERACTIONS_DATA")
]


@app.command("list")
def list_() -> None:
    """Name every experiment, its question and its protocols."""
    indent = max(map(len, registry.NAMES))
    for name in registry.NAMES:
        module = registry.load(name)
        protocols = ", ".join(dict.fromkeys(p for p, _ in module.PRESETS))
        typer.echo(f"{name:<{indent}} {module.QUESTION}\n{'':<{indent}} protocols: {protocols}")


@app.command()
def run(
    name: str,
    preset: Preset = "quick",
    protocol: Annotated[
        str | None, typer.Option(help="released, text or controlled, where the experiment has it")
    ] = None,
    out: Out = Path("results"),
    device: Device = "auto",
    seed: Seed = 0,
    data_dir: DataDir = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="field=value, repeatable")] = None,
) -> None:
    """Run one experiment and leave its table, pictures and record."""
    context = Context(seed=seed, device=pick_device(device), data_dir=data_dir)
    _run(name, preset, protocol, out, context, set_ or [])


@app.command()
def reproduce(
    preset: Preset = "quick",
    all_: Annotated[
        bool, typer.Option("--all", help="Every experiment, not the headline alone")
    ] = False,
    out: Out = Path("results"),
    device: Device = "auto",
    seed: Seed = 0,
    data_dir: DataDir = None,
) -> None:
    """Run the headline experiments: the decay law, pure noise, bike sharing."""
    context = Context(seed=seed, device=pick_device(device), data_dir=data_dir)
    open_folder(out)
    began = time.perf_counter()
    pictures: list[Path] = []
    skipped: dict[str, str] = {}
    tables: dict[str, str] = {}
    for name in registry.NAMES if all_ else registry.HEADLINE:
        try:
            written, tables[name] = _run(name, preset, None, out, context, [])
            pictures += written
        except MissingDataError as missing:
            skipped[name] = str(missing)
            typer.echo(f"skipped {name}: {missing}\n", err=True)
    minutes = (time.perf_counter() - began) / 60
    if "decay_law" in tables:
        typer.echo("What is left of an order-k effect under input dropout:")
        typer.echo(tables["decay_law"] + "\n")
    typer.echo(f"Done in {minutes:.1f} minutes. Pictures:")
    for path in pictures:
        typer.echo(f"  {path}")
    for name in skipped:
        typer.echo(f"  none of {name}: its data is missing, see above")


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
    folders = [report_.STORED] if out is None else [open_folder(out), report_.STORED]
    content = report_.build(folders)
    written = report_.write(content, report_.RESULTS if out is None else out)
    typer.echo(report_.summary(content).to_string(index=False))
    typer.echo(f"Judged runs in {', '.join(map(str, folders))}. Written:")
    for path in written:
        typer.echo(f"  {path}")


def _run(
    name: str, preset: str, protocol: str | None, out: Path, context: Context, changes: list[str]
) -> tuple[list[Path], str]:
    """Run, save and print one experiment; returns its pictures and its summary as text."""
    module = registry.load(name)
    protocol, settings = settings_.choose(module.PRESETS, protocol=protocol, preset=preset)
    settings = settings_.change(settings, changes)
    folder = open_folder(out / f"{name}-{protocol}-{preset}")
    typer.echo(f"{name}: {module.QUESTION}")
    typer.echo(
        f"  protocol {protocol}, preset {preset}, seed {context.seed}, "
        f"{describe_device(context.device)}, {torch.get_num_threads()} threads"
    )
    record = begin_record(
        name=name, protocol=protocol, preset=preset, settings=settings, context=context
    )
    began = time.perf_counter()
    try:
        table = module.run(settings, context)
    except ValueError as error:
        # What a library call refuses comes from the settings here: a rate of 1, an order above d.
        raise UserError(f"{name} cannot run with these settings: {error}") from error
    seconds = time.perf_counter() - began
    write_run(folder, table, record, seconds=seconds)
    pictures = write_pictures(folder, registry.load_figure(name).draw(table))
    text = module.summary(table).to_string(index=False, float_format=lambda v: f"{v:.3f}")
    typer.echo(text)
    typer.echo(f"  {seconds:.0f} s; table, record and pictures in {folder}\n")
    return pictures, text


def main() -> None:
    """Run the command line; mistakes a user can mend end it with one line and status 1."""
    try:
        app()
    except UserError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
