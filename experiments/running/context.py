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
from typing import Any

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
        with progress_bar(total=total, desc=f"  {what}", disable=self.quiet) as bar:
            yield bar.update


LOG_SECONDS = 30.0
"""Between two states of a bar in a log, each a line."""


class _Lines:
    """A log as tqdm writes to it: every state of a bar is a line, and wiping it leaves none."""

    def write(self, text: str) -> None:
        if line := text.replace("\r", "").rstrip():
            sys.stderr.write(line + "\n")

    def flush(self) -> None:
        sys.stderr.flush()


def progress_bar(**options: Any) -> tqdm:
    """A bar on the terminal that goes when it is done; in a log a line now and then."""
    if sys.stderr.isatty():
        return tqdm(leave=False, mininterval=0.5, **options)
    return tqdm(leave=False, mininterval=LOG_SECONDS, file=_Lines(), **options)


def pick_device(name: str) -> torch.device:
    """Take a torch device by name; "auto" is CUDA where there is one.

    Worker processes of one machine take its GPUs in turn, unless the name has a number.
    """
    if not re.fullmatch(r"auto|(cpu|cuda|mps|xpu)(:\d{1,3})?", name):
        raise UserError(
            f"device {name[:40]!r} cannot be used: choose auto, cpu, cuda, cuda:1, ..., mps or xpu"
        )
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
        reason = str(error).partition("\n")[0]
        raise UserError(f"device {name!r} cannot be used: {reason}") from error
    return device
