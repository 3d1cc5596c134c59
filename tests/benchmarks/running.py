"""What the machinery of shards costs, and what a second process gains.

    python tests/benchmarks/running.py

Overhead: four shards of five seconds of sleep, run as from the command line, against their own
seconds, five times; reading back, table, record and picture of the run are counted, imports are
not. Speed: decay_law by one process with all threads, and by two with half of them each, five times
in turn; a first run of each, which starts the workers, is not counted. Medians, with the smallest
and the largest. The first part takes 100 s; nothing else may keep the machine busy.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import tempfile
import time
from contextlib import redirect_stdout
from dataclasses import dataclass, field, replace
from io import StringIO
from pathlib import Path
from statistics import median
from types import ModuleType

sys.path.insert(0, str(Path(__file__).parents[2]))

import pandas as pd
import torch
from matplotlib.figure import Figure

from experiments import discovery
from experiments.questions import decay_law
from experiments.running.execute import Resources
from experiments.running.plans import Plan
from experiments.running.runs import run

SECONDS, SHARDS, ROWS, REPEATS = 5.0, 4, 1000, 5


@dataclass(frozen=True)
class Sleep:
    cells: tuple[int, ...] = field(default=tuple(range(SHARDS)), metadata={"range": "[0, 999]"})


def _sleep(settings: Sleep, context) -> pd.DataFrame:
    time.sleep(SECONDS * len(settings.cells))
    rows = range(ROWS * len(settings.cells))
    return pd.DataFrame({"cell": settings.cells[0], "i": rows, "value": [i / 7 for i in rows]})


def _register() -> None:
    module = ModuleType("experiments.questions.sleep")
    module.QUESTION, module.Settings, module.run = "How long is a nap?", Sleep, _sleep
    module.shards = lambda s: [replace(s, cells=(c,)) for c in s.cells]
    module.PRESETS = {("none", "none"): Sleep()}
    module.summary = lambda table: table.groupby("cell").mean().reset_index()
    figure = ModuleType("figures.sleep")
    figure.draw = lambda table: {"sleep": Figure()}
    sys.modules |= {"experiments.questions.sleep": module, "figures.sleep": figure}
    discovery.NAMES = (*discovery.NAMES, "sleep")


def _seconds(plan: Plan, resources: Resources) -> tuple[float, float]:
    """Seconds of a whole run, and of its shards."""
    with tempfile.TemporaryDirectory() as folder, redirect_stdout(StringIO()):
        began = time.perf_counter()
        run(plan, Path(folder), resources)
        seconds = time.perf_counter() - began
        record = json.loads((Path(folder) / plan.folder / "record.json").read_text())
    return seconds, record["seconds"]


def main() -> None:
    cores = torch.get_num_threads()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {cores} threads, load "
        f"{os.getloadavg()[0]:.1f}, {platform.system()}, Python {platform.python_version()}, "
        f"torch {torch.__version__}"
    )
    _register()
    plan = Plan("sleep", "none", "none", Sleep(), (0,))
    _seconds(replace(plan, settings=Sleep(cells=(0,))), Resources())  # Imports, first picture.
    over = []
    for _ in range(REPEATS):
        whole, own = _seconds(plan, Resources())
        over.append(whole / own - 1)
    print(
        f"{SHARDS} shards of {SECONDS:.0f} s and {ROWS} rows, {REPEATS} times: overhead "
        f"{median(over):.2%} ({min(over):.2%}-{max(over):.2%}), "
        f"{1000 * median(over) * SECONDS:.0f} ms a shard",
        flush=True,
    )

    settings = decay_law.Settings(
        products=(1, 2, 3), sines=(1, 2, 3), rates=(0.0, 0.5), steps=400, batch_size=1024
    )
    plan = Plan("decay_law", "controlled", "quick", settings, (0,))
    ratios = []
    for repeat in range(REPEATS + 1):
        torch.set_num_threads(cores)
        one, _ = _seconds(plan, Resources(device="cpu"))
        torch.set_num_threads(cores)
        two, _ = _seconds(plan, Resources(device="cpu", workers=2))
        told = f"one process {one:.1f} s, two {two:.1f} s"
        print(f"decay_law, 6 shards of {settings.steps} steps: {told}", flush=True)
        if repeat:
            ratios.append(two / one)
    print(f"two to one: median {median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})")


if __name__ == "__main__":
    main()
