"""Draw what is stored anew: python -m paper_results.redraw

Draws the pictures of every run in paper_results/reproduced from its table, with the figures as they
are now, puts them in place of those that lie there, and binds anew. Tables and records stay as they
are. To be run after a figure was changed: no run is repeated.
"""

from __future__ import annotations

import sys
from pathlib import Path, PurePath

from experiments import discovery
from experiments.errors import UserError
from experiments.running.bound import bind, verified
from experiments.running.store import drawn
from experiments.running.stored import Run, runs_in

from . import STORED
from .bind import bind_all

PICTURES = {".png", ".pdf"}


def redraw_all(stored: Path) -> list[str]:
    """Redraw all runs in a folder; returns a line on each that could not be, and is as it was.

    Sweeps have no pictures. Raises DamagedError, and changes nothing, if a run there is not as it
    was bound.
    """
    runs = [run for run in runs_in(stored) if not run.wanted.swept]
    files = {run.folder: verified(run.folder) for run in runs}
    failed = []
    for run in runs:
        try:
            pictures = _pictures(run, files[run.folder])
        except (KeyError, TypeError, ValueError) as error:
            failed.append(f"{run.folder.name} ({error!r}): run it again, {run.command}")
            continue
        rest = {n: c for n, c in files[run.folder].items() if PurePath(n).suffix not in PICTURES}
        bind(run.folder, rest | pictures)
        print(f"{run.folder.name}: {', '.join(pictures)}")
    bind_all(stored)
    return failed


def _pictures(run: Run, files: dict[str, bytes]) -> dict[str, bytes]:
    """What its figure draws now, in the formats of what lies there: PNG, where nothing does."""
    figures = discovery.load_figure(run.record["experiment"]).draw(run.table)
    formats = {PurePath(name).suffix for name in files} & PICTURES or {".png"}
    return {n: c for n, c in drawn(figures).items() if PurePath(n).suffix in formats}


if __name__ == "__main__":
    try:
        failed = redraw_all(STORED)
    except UserError as error:
        sys.exit(f"error: {error}")
    if failed:
        sys.exit("\n".join(["error: these tables are of an older form, and not drawn:", *failed]))
