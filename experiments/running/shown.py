"""What is known of a run before it computes: its fields, what they may be, what it took before."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path

from .. import discovery
from .plans import SHARDS, Plan
from .settings import as_text, choose, described, differences, kinds
from .status import duration, progress
from .stored import Run, Wanted, runs_in

WIDTH = 100


def show(name: str, protocol: str | None, preset: str, folders: Sequence[Path]) -> str:
    """An experiment's fields under a protocol and preset, its other presets, and their times.

    Times are those of finished runs in folders, of the first that was run as the preset is now.
    """
    question = discovery.load(name)
    protocol, settings = choose(question.PRESETS, protocol=protocol, preset=preset)
    protocols = list(dict.fromkeys(p for p, _ in question.PRESETS))
    lines = [f"{name}: {question.QUESTION}", f"  protocols: {', '.join(protocols)}"]
    lines += ["", f"Fields under protocol {protocol}, preset {preset}; change one by --set:"]
    takes = kinds(type(settings))
    wide = max(map(len, takes))
    for field in fields(settings):
        text = f"{field.name:<{wide}}  {as_text(getattr(settings, field.name)) or 'none'}"
        lines += _wrapped(f"{text}  ({described(takes[field.name])})", hang=wide + 4)
    lines += ["", f"Presets of protocol {protocol}:"]
    for (of, other), values in question.PRESETS.items():
        if of == protocol:
            differs = "as above" if other == preset else differences(values, settings)
            lines += _wrapped(f"{other}: {took(name, of, other, folders)}; {differs}", hang=4)
    return "\n".join(lines)


def took(name: str, protocol: str, preset: str, folders: Sequence[Path]) -> str:
    """How long a finished run of a preset took, and on what; as the preset is now, if there is."""
    run = _like(name, protocol, preset, folders)
    if run is None:
        return "no run of it is stored"
    time = f"{duration(run.record['seconds'])} of computing on {run.record['device']}"
    return time + ", with other settings" * bool(run.differing())


def left(wanted: Sequence[tuple[str, str]], preset: str, folders: Sequence[Path]) -> str:
    """A guess at the time that runs take, by name and protocol, from finished ones of a preset.

    Says for how many there is none; empty where there is none at all.
    """
    found = [_like(name, protocol, preset, folders) for name, protocol in wanted]
    known = [run.record["seconds"] for run in found if run is not None]
    if not known:
        return ""
    more = len(found) - len(known)
    rest = f", and {more} of unknown length" * bool(more)
    return f": about {duration(sum(known))} of computing to go{rest}"


def _like(name: str, protocol: str, preset: str, folders: Sequence[Path]) -> Run | None:
    """A finished run of a preset: as the preset is now, if there is one, else with other settings.

    None where there is none.
    """
    found = [
        run
        for folder in folders
        for run in runs_in(folder)
        if run.wanted == Wanted(name, protocol) and run.record["preset"] == preset
    ]
    return min(found, key=lambda run: run.rank, default=None)


def dry(plan: Plan, out: Path, data_dir: Path | None, folders: Sequence[Path]) -> str:
    """What a run would do: its folder, settings, and shards that are done and missing."""
    question = discovery.load(plan.experiment)
    names = {s.name: s.label for _, some in plan.points(data_dir) for s in some}
    done = progress(out / SHARDS, names)
    usual = question.PRESETS[plan.protocol, plan.preset]
    changes = " ".join(filter(None, [differences(plan.settings, usual), *plan.grid]))
    seeds = ",".join(map(str, plan.seeds))
    left = done.left or f"; {took(plan.experiment, plan.protocol, plan.preset, folders)}" * (
        not changes
    )
    lines = [
        f"{plan.experiment}: {question.QUESTION}",
        f"  protocol {plan.protocol}, preset {plan.preset}, seed {seeds}",
        *_wrapped(f"settings: {changes or 'those of the preset'}", hang=4),
        f"  {done}{left}",
        *(line for label in done.missing for line in _wrapped(f"missing, {label}", hang=4)),
        f"  would be left in {out / plan.folder}; nothing was computed or written",
    ]
    return "\n".join(lines)


def _wrapped(text: str, *, hang: int) -> list[str]:
    indents = {"initial_indent": "  ", "subsequent_indent": " " * hang}
    # Long lists of values have commas and no spaces: they break anywhere.
    return textwrap.wrap(text, WIDTH, break_on_hyphens=False, **indents)
