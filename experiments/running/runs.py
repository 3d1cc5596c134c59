"""A run or a sweep from its plan to its table, pictures and record."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from .. import discovery
from ..errors import UserError
from ..output import width
from .bound import bind
from .execute import Resources, complete
from .plans import BEGUN, PLAN, SHARDS, Plan, reserve
from .shards import RECORD, TABLE, Shard
from .source import source_hash
from .store import drawn, open_folder, remove_partial, write_whole
from .tables import encode


@dataclass(frozen=True)
class Done:
    """A finished run: its table, its folder, and the names of its pictures in it."""

    table: pd.DataFrame
    folder: Path
    pictures: tuple[str, ...]


def run(plan: Plan, out: Path, resources: Resources) -> Done:
    """Compute what is missing, save and print; returns what was left.

    Table, record, plan and pictures follow from the plan and its shards alone, so a run that was
    killed at any moment ends, started again, with the same files as one that was not.
    """
    question = discovery.load(plan.experiment)
    points = plan.points(resources.data_dir)
    shards = [shard for _, some in points for shard in some]
    folder = open_folder(out / plan.folder)
    reserve(folder, plan)
    for place in (out, folder, out / SHARDS):
        remove_partial(place)
    print(f"{plan.experiment}: {question.QUESTION}")
    seeds = ",".join(map(str, plan.seeds))
    print(f"  protocol {plan.protocol}, preset {plan.preset}, seed {seeds}, {resources}")
    promise = _promise(plan, shards)
    typed = shlex.join(["python", "-m", "experiments", *sys.argv[1:]])
    write_whole(folder / BEGUN, _json({"command": typed} | promise))
    done = complete(shards, out / SHARDS, folder / "log.txt", resources)
    tables, summaries = [], []
    rest = iter(done)
    for at, some in points:
        table = pd.concat([next(rest)[0] for _ in some], ignore_index=True)
        tables.append(_at(at, table))
        summaries.append(_at(at, question.summary(table)))
    table = pd.concat(tables, ignore_index=True)
    content, types = encode(table)
    record = _record(plan, shards, done) | {"rows": len(table), "types": types}
    # A figure shows one run; a grid is for tables.
    figures = {} if plan.swept else discovery.load_figure(plan.experiment).draw(table)
    pictures = drawn(figures)
    files = {TABLE: content.encode(), **pictures}
    files |= {PLAN: _json(promise).encode(), RECORD: _json(record).encode()}
    reserve(folder, plan)  # Hours may have passed.
    if damage := bind(folder, files):
        print(f"  written anew: {damage}")
    _finished(folder / BEGUN)
    summary = pd.concat(summaries, ignore_index=True)
    print(summary.to_string(index=False, float_format="{:.3f}".format, line_width=width()))
    print(
        f"  {record['seconds']:.0f} s of computing; table, record"
        f"{' and pictures' if pictures else ''} in {folder}\n"
    )
    return Done(table, folder, tuple(name for name in pictures if name.endswith(".png")))


def _finished(begun: Path) -> None:
    try:
        begun.unlink(missing_ok=True)
    except OSError as error:
        raise UserError(f"{begun} could not be removed ({error.strerror or error})") from error


def _at(point: Mapping[str, object], table: pd.DataFrame) -> pd.DataFrame:
    """The table with columns in front that say where in the grid it belongs."""
    names = {n: f"grid_{n}" if n in table.columns else n for n in point}
    columns = pd.DataFrame({names[n]: [v] * len(table) for n, v in point.items()})
    return pd.concat([columns, table], axis=1)


def _promise(plan: Plan, shards: Sequence[Shard]) -> dict[str, Any]:
    return plan.identity | {
        "source": source_hash(plan.experiment),
        "shards": {shard.name: shard.label for shard in shards},
    }


def _record(
    plan: Plan, shards: Sequence[Shard], done: Sequence[tuple[pd.DataFrame, Mapping[str, Any]]]
) -> dict[str, object]:
    """What a result must say about where it comes from: all of it is in its shards' records."""
    records = {record["shard"]: record for _, record in done}

    def over_shards(key: str) -> object:
        """The value all shards have, or the list of those they have."""
        values = {json.dumps(record[key], sort_keys=True): record[key] for record in done_records}
        return next(iter(values.values())) if len(values) == 1 else list(values.values())

    done_records = [records[name] for name in sorted(records)]
    kept = ("seconds", "rows", "host", "device", "threads", "started", "commit")
    return {
        "experiment": plan.experiment,
        "protocol": plan.protocol,
        "preset": plan.preset,
        "settings": asdict(plan.settings) | _left_out(plan.settings, shards),
        **({"grid": plan.grid, "seeds": plan.seeds} if plan.swept else {"seed": plan.seeds[0]}),
        "device": over_shards("device"),
        "threads": over_shards("threads"),
        "versions": over_shards("versions"),
        "commit": over_shards("commit"),
        "started": min(record["started"] for record in done_records),
        "seconds": round(sum(record["seconds"] for record in done_records), 1),
        "shards": {name: {key: r[key] for key in kept} for name, r in records.items()},
    }


def _left_out(settings: Any, shards: Sequence[Shard]) -> dict[str, object]:
    """Settings that no shard was left with, such as trees where XGBoost is missing."""
    parts = [asdict(shard.settings) for shard in shards]
    return {
        name: parts[0][name]
        for name, value in asdict(settings).items()
        if value and all(part[name] in (False, ()) for part in parts)
    }


def _json(content: object) -> str:
    return json.dumps(content, indent=2) + "\n"
