"""What the runs that a report rests on cost: where, when, by which commit and for how long."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from experiments.running.stored import Run


@dataclass(frozen=True)
class Cost:
    """Of one run, from its record; `minutes` are those of its shards, one after the other."""

    run: str
    device: str
    commits: tuple[str, ...]
    started: str
    minutes: float


def costs(runs: Iterable[Run]) -> list[Cost]:
    """One of each run, by name."""
    return [_cost(run) for _, run in sorted({run.folder.name: run for run in runs}.items())]


def told(costs: list[Cost]) -> str:
    """Their sum in a sentence."""
    hours = sum(cost.minutes for cost in costs) / 60
    commits = {commit for cost in costs for commit in cost.commits}
    made = "one commit" if len(commits) == 1 else f"{len(commits)} commits"
    return f"{len(costs)} runs by {made}, {hours:.1f} hours of one process in all."


def _cost(run: Run) -> Cost:
    # A run that was not computed in shards is one itself. What a record does not tell is unknown.
    shards = [*run.record.get("shards", {}).values()] or [run.record]

    def values(name: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(str(shard.get(name) or "unknown") for shard in shards))

    return Cost(
        run.folder.name,
        ", ".join(values("device")),
        values("commit"),
        min(values("started")),
        sum(float(shard.get("seconds", math.nan)) for shard in shards) / 60,
    )
