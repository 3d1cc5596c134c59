"""A run or a sweep from its plan to its table, pictures and record; and how far each has come."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd

from .. import discovery
from .execute import Resources, complete
from .settings import grid
from .shards import Shard, split, states
from .source import source_hash
from .store import commit, open_folder, versions, write_pictures, write_whole
from .tables import encode

SHARDS = "shards"
PLAN = "plan.json"


@dataclass(frozen=True)
class Plan:
    """What to run: an experiment's settings at every seed and, in a sweep, every grid point."""

    experiment: str
    protocol: str
    preset: str
    settings: Any
    seeds: tuple[int, ...]
    grid: tuple[str, ...] = ()
    swept: bool = False

    @property
    def folder(self) -> str:
        name = f"{self.experiment}-{self.protocol}-{self.preset}"
        return name + "-sweep" * self.swept

    def points(self) -> list[tuple[dict[str, object], list[Shard]]]:
        """Every grid point and seed, as columns of the table, and its shards."""
        out = []
        for at, settings in grid(self.settings, self.grid):
            for seed in self.seeds:
                shards = split(self.experiment, settings, seed=seed, base=self.settings)
                out.append(({**at, "seed": seed} if self.swept else {}, shards))
        return out


def run(plan: Plan, out: Path, resources: Resources) -> tuple[list[Path], str]:
    """Compute what is missing, save and print; returns the pictures and the summary as text."""
    question = discovery.load(plan.experiment)
    points = plan.points()
    shards = [shard for _, some in points for shard in some]
    folder = open_folder(out / plan.folder)
    print(f"{plan.experiment}: {question.QUESTION}")
    seeds = ",".join(map(str, plan.seeds))
    print(f"  protocol {plan.protocol}, preset {plan.preset}, seed {seeds}, {resources}")
    started = datetime.now(UTC).isoformat(timespec="seconds")
    write_whole(folder / PLAN, _json(_promise(plan, shards)))
    done = complete(shards, out / SHARDS, folder / "log.txt", resources)
    tables, summaries = [], []
    rest = iter(done)
    for at, some in points:
        table = pd.concat([next(rest)[0] for _ in some], ignore_index=True)
        tables.append(_at(at, table))
        summaries.append(_at(at, question.summary(table)))
    table = pd.concat(tables, ignore_index=True)
    records = {record["shard"]: record for _, record in done}
    content, types = encode(table)
    record = _record(plan, records, started) | {"rows": len(table), "types": types}
    write_whole(folder / "table.csv", content)
    write_whole(folder / "record.json", _json(record))
    # A figure shows one run; a grid is for tables.
    figures = {} if plan.swept else discovery.load_figure(plan.experiment).draw(table)
    pictures = write_pictures(folder, figures)
    text = pd.concat(summaries, ignore_index=True).to_string(
        index=False, float_format=lambda v: f"{v:.3f}"
    )
    print(text)
    print(
        f"  {record['seconds']:.0f} s of computing; table, record"
        f"{' and pictures' if pictures else ''} in {folder}\n"
    )
    return pictures, text


def _at(point: Mapping[str, object], table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns in front that say where in the grid it belongs."""
    names = {n: f"grid_{n}" if n in table.columns else n for n in point}
    columns = pd.DataFrame({names[n]: [v] * len(table) for n, v in point.items()})
    return pd.concat([columns, table], axis=1)


def _promise(plan: Plan, shards: Sequence[Shard]) -> dict[str, object]:
    return {
        "command": shlex.join(["python", "-m", "experiments", *sys.argv[1:]]),
        "experiment": plan.experiment,
        "source": source_hash(plan.experiment),
        "shards": {shard.name: shard.label for shard in shards},
    }


def _record(plan: Plan, shards: Mapping[str, Mapping[str, Any]], started: str) -> dict[str, object]:
    """What a result must say about where it comes from."""

    def over_shards(key: str) -> object:
        """The value all shards have, or the list of those they have."""
        values = sorted({record[key] for record in shards.values()})
        return values[0] if len(values) == 1 else values

    kept = ("seconds", "rows", "host", "device", "threads", "started", "commit")
    return {
        "experiment": plan.experiment,
        "protocol": plan.protocol,
        "preset": plan.preset,
        "settings": asdict(plan.settings),
        **({"grid": plan.grid, "seeds": plan.seeds} if plan.swept else {"seed": plan.seeds[0]}),
        "device": over_shards("device"),
        "threads": over_shards("threads"),
        "versions": versions(),
        "commit": commit(),
        "started": started,
        "seconds": round(sum(record["seconds"] for record in shards.values()), 1),
        "shards": {name: {key: r[key] for key in kept} for name, r in shards.items()},
    }


def status(out: Path) -> str:
    """How far every run and sweep in a folder has come."""
    lines = []
    for path in sorted(out.glob(f"*/{PLAN}")):
        try:
            plan = json.loads(path.read_text(encoding="utf-8"))
            promised, experiment, source = plan["shards"], plan["experiment"], plan["source"]
        except (OSError, ValueError, KeyError) as error:
            lines.append(f"{path.parent.name}: {path} cannot be read ({error}): start it again")
            continue
        found = states(out / SHARDS, list(promised))
        counts = dict.fromkeys(("done", "missing", "damaged"), 0)
        for state in found.values():
            counts[state.partition(":")[0]] += 1
        total = ", ".join(f"{n} {kind}" for kind, n in counts.items() if n or kind == "done")
        lines.append(f"{path.parent.name}: of {len(found)} shards {total}")
        lines += [
            f"  {state}, {promised[name] or name}"
            if state == "missing"
            else f"  {promised[name] or name} {state}"
            for name, state in found.items()
            if state != "done"
        ]
        if counts["done"] < len(found):
            lines.append(f"  to go on: {plan['command']}")
        if experiment in discovery.NAMES and source_hash(experiment) != source:
            lines.append("  the source has changed since: started again, it computes all anew")
    return "\n".join(lines) or f"no run was started in {out}"


def _json(content: object) -> str:
    return json.dumps(content, indent=2) + "\n"
