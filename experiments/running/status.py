"""How far runs have come, and whether what is finished is what was written."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean
from typing import Any

from .. import discovery
from ..errors import visible
from .bound import SUMS, DamagedError, content_of, is_bound, verified
from .plans import BEGUN, PLAN, SHARDS, identity
from .shards import RECORD, read
from .source import source_hash
from .stored import MISSHAPEN, Run, check_record, run_of


@dataclass
class Progress:
    """Seconds of the shards that are done, labels of those missing, and how others are damaged."""

    seconds: list[float] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        counts = {"done": len(self.seconds), "missing": len(self.missing)}
        counts["damaged"] = len(self.damaged)
        total = sum(counts.values())
        return f"of {total} shards " + ", ".join(
            f"{n} {kind}" for kind, n in counts.items() if n or kind == "done"
        )

    @property
    def left(self) -> str:
        """A guess at the time left, from that of the shards there are."""
        if not self.seconds:
            return ""
        seconds = mean(self.seconds) * (len(self.missing) + len(self.damaged))
        return f", about {duration(seconds)} of computing left"


def status(out: Path) -> tuple[str, list[str]]:
    """What is to be said of every run and sweep in a folder, and what of it is damaged."""
    lines: list[str] = []
    damages: list[str] = []
    if is_bound(out):
        _check(out, damages)
    names = (BEGUN, PLAN, RECORD, SUMS)
    for folder in sorted({path.parent for name in names for path in out.glob(f"*/{name}")}):
        # A line each, whatever is in a name, a label or a setting.
        lines += map(visible, _of_run(folder, out / SHARDS, damages))
    return "\n".join(lines) or f"no run was started in {out}", damages


def progress(pool: Path, names: Mapping[str, str]) -> Progress:
    """How far the shards of these names have come; the values are their labels."""
    found = Progress()
    for name, label in names.items():
        try:
            shard = read(pool, name)
        except DamagedError as damage:
            found.damaged[label or name] = str(damage)
            continue
        if shard is None:
            found.missing.append(label or name)
        else:
            found.seconds.append(shard[1]["seconds"])
    return found


def _of_run(folder: Path, pool: Path, damages: list[str]) -> list[str]:
    finished, begun = is_bound(folder), (folder / BEGUN).is_file()
    if finished and not _check(folder, damages):
        return [f"{folder.name}: damaged: {damages[-1]}"]
    file = next((folder / n for n in (BEGUN, PLAN) if (folder / n).is_file()), folder / RECORD)
    try:
        told = json.loads(content_of(file))
        own = identity(told)
        promised = {_plain(name): str(label) for name, label in told["shards"].items()}
        known = own["experiment"] in discovery.NAMES
        settings = (Run(folder, told).changes or "those of the preset") if known else "?"
        changed = known and told.get("source", "") not in ("", source_hash(own["experiment"]))
        again = _command(told)
    except (*MISSHAPEN, DamagedError) as error:
        damages.append(f"{file} does not tell of a run ({error!r})")
        return [f"{folder.name}: {damages[-1]}: start it again"]
    if file.name == RECORD:
        promised = {}  # A record tells of its shards what they were, not where they lie.
    done = progress(pool, promised)
    damages += done.damaged.values()
    is_done = finished and not begun
    state = "finished" if is_done else "not finished"
    # What is finished needs its shards no more.
    if promised and not (is_done and len(done.missing) == len(promised)):
        state += f", {done}" + ("" if is_done else done.left)
    lines = [f"{folder.name}: {state}", f"  settings: {settings}"]
    lines += [f"  {label} damaged: {how}" for label, how in done.damaged.items()]
    if not is_done:
        lines += [f"  missing, {label}" for label in done.missing]
        lines += [f"  to go on: {again}"] if again else []
    if changed:
        lines.append("  the source has changed since: started again, it computes all anew")
    return lines


def _plain(name: str) -> str:
    """The name of a shard; ValueError where it is one of something elsewhere."""
    if name != Path(name).name:
        raise ValueError(f"{name!r} is no name of a shard")
    return name


def _command(told: Mapping[str, Any]) -> str:
    """What to type to go on, quoted anew: of what a file says, only a command of ours."""
    words = shlex.split(str(told.get("command", "")))
    ours = ["python", "-m", "experiments"]
    return shlex.join(words) if words[:3] == ours else ""


def _check(folder: Path, damages: list[str]) -> bool:
    """Whether all that is bound in a folder is what was written; if not, the damage is added."""
    try:
        if RECORD in verified(folder) and (run := run_of(folder)):
            check_record(run)
    except DamagedError as damage:
        damages.append(str(damage))
        return False
    return True


def duration(seconds: float) -> str:
    """A time as one says it, in seconds, minutes or hours."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} minutes" if seconds < 6000 else f"{seconds / 3600:.1f} hours"
