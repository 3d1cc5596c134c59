"""An experiment in milliseconds, a small disk, and the command line in processes of its own."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure

from experiments import __main__ as command
from experiments import discovery


@dataclass(frozen=True)
class ToySettings:
    cells: tuple[int, ...] = field(default=(0, 1, 2, 3), metadata={"range": "[0, 999]"})
    scale: float = 1.0
    fails: tuple[int, ...] = field(default=(), metadata={"range": "[0, 999]"})


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """An experiment `toy` with a shard a cell; `toy.ran` lists the cells computed so far."""

    def run(settings: ToySettings, context) -> pd.DataFrame:
        rows = []
        for cell in settings.cells:
            if cell in settings.fails:
                raise KeyboardInterrupt
            module.ran.append(cell)
            generator = torch.Generator().manual_seed(100 * context.seed + cell)
            for repeat, value in enumerate(torch.randn(3, generator=generator).tolist()):
                rows.append({"cell": cell, "repeat": repeat, "value": settings.scale * value})
        return pd.DataFrame(rows)

    module = ModuleType("experiments.questions.toy")
    module.QUESTION = "What is a normal draw?"
    module.Settings = ToySettings
    module.PRESETS = {("controlled", "quick"): ToySettings()}
    module.run = run
    module.shards = lambda s: [replace(s, cells=(c,)) for c in s.cells]
    module.summary = lambda table: table.groupby("cell")["value"].mean().reset_index()
    module.ran = []
    figure = ModuleType("figures.toy")
    figure.draw = lambda table: {"toy": Figure()}
    monkeypatch.setitem(sys.modules, "experiments.questions.toy", module)
    monkeypatch.setitem(sys.modules, "figures.toy", figure)
    monkeypatch.setattr(discovery, "NAMES", (*discovery.NAMES, "toy"))
    return module


@pytest.fixture
def invoke(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The command line in this process; mistakes of the user come as exceptions."""

    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        command.app(standalone_mode=False)

    return run


@pytest.fixture
def start(monkeypatch: pytest.MonkeyPatch) -> Callable[..., BaseProcess]:
    """The command line in a process of its own, forked from one that has imported torch."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(
        [
            "experiments.__main__",
            "experiments.running.runs",
            "experiments.questions.decay_law",
            "figures.decay_law",
            "distributed",
            "pytest",
        ]
    )

    def run(*arguments: object) -> BaseProcess:
        monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        process = context.Process(target=command.main)
        process.start()
        return process

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"a tmpfs cannot be mounted here: {error}")
    if done.returncode:
        pytest.skip(f"a tmpfs cannot be mounted here: {done.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)
