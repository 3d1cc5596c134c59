"""What a question is given besides its settings: seeds, a device, a place for data, a bar."""

from __future__ import annotations

import multiprocessing
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from tqdm import tqdm

from ..errors import UserError

# Bars are not shared among processes: tqdm's own lock is, and is left behind by killed ones.
tqdm.set_lock(threading.RLock())


@dataclass(frozen=True)
class Context:
    """Where and from which seed an experiment runs."""

    seed: int = 0
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    data_dir: Path | None = None
    quiet: bool = False

    def seeds(self, count: int) -> list[int]:
        """Seeds of `count` repeats; different run seeds share none.

        A repeat has one seed at every rate: paired starting weights and masks make rates
        comparable within a repeat.
        """
        return [1_000_003 * self.seed + i for i in range(count)]

    @contextmanager
    def progress(self, total: int, what: str) -> Iterator[Callable[[int], None]]:
        """A progress bar; calling what it gives with n moves it on by n."""
        with tqdm(
            total=total,
            desc=f"  {what}",
            disable=self.quiet,
            leave=False,
            mininterval=bar_interval(),
        ) as bar:
            yield bar.update


def bar_interval() -> float:
    """Seconds between refreshes of a progress bar: in a log file every one is a line."""
    return 0.5 if sys.stderr.isatty() else 30.0


def pick_device(name: str) -> torch.device:
    """Take a torch device by name; "auto" is CUDA where there is one.

    Worker processes of one machine take its GPUs in turn, unless the name has a number.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and torch.cuda.is_available():
        # joblib counts its workers in their names: LokyProcess-1, ...
        number = re.search(r"-(\d+)$", multiprocessing.current_process().name)
        name = f"cuda:{(int(number[1]) - 1 if number else 0) % torch.cuda.device_count()}"
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(f"device {name!r} cannot be used: {str(error).splitlines()[0]}") from error
    return device
