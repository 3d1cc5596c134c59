"""How much memory a call takes, whatever the function is written in.

What torch allocates is told by its allocator, through its profiler, and what numpy allocates by
Python's tracemalloc; both count the same in every run. Libraries that allocate past both are seen
by the growth of the process alone, and only once it has grown.
"""

from __future__ import annotations

import math
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch._C import _autograd
from torch._C._profiler import ProfilerConfig, ProfilerState, _ExperimentalConfig

try:
    import resource
except ImportError:  # Windows
    resource = None

# Batches that allocate more than this leave the processor's cache and gain nothing.
CACHE = 2**25
ALLOWANCE = 2**26
"""Bytes beyond one and a half times the memory at which a function is refused."""


@dataclass
class Usage:
    """Bytes of one call: held at most at a time, and allocated in all."""

    peak: int = 0
    total: int = 0


@contextmanager
def metered(device: torch.device) -> Iterator[Usage]:
    """Measures what the block allocates; the usage is filled in when it ends."""
    usage = Usage()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
        before = torch.cuda.memory_allocated(device)
    traced_before = _start_tracing()
    events = _start_profiler()
    try:
        yield usage
    finally:
        sizes = events()
        held = 0
        for size in sizes:
            held += size
            usage.peak = max(usage.peak, held)
            usage.total += max(size, 0)
        arrays = _stop_tracing(traced_before)
        usage.peak += arrays
        usage.total += arrays
        if device.type == "cuda":
            usage.peak += torch.cuda.max_memory_allocated(device) - before
            usage.total = max(usage.total, usage.peak)


def _start_profiler() -> Callable[[], list[int]]:
    """Starts recording torch's allocations on the CPU; the call returned ends it and lists them."""
    config = ProfilerConfig(
        ProfilerState.CPU, False, True, False, False, False, _ExperimentalConfig()
    )
    try:
        _autograd._enable_profiler_legacy(config)
    except (AttributeError, RuntimeError):  # the user's own profiler runs
        return list
    return lambda: [
        event.cpu_memory_usage()
        for thread in _autograd._disable_profiler_legacy()
        for event in thread
        if event.kind() == "memory_alloc"
    ]


def _start_tracing() -> int | None:
    """Starts tracemalloc, or returns what it holds where the user has it running."""
    if tracemalloc.is_tracing():
        tracemalloc.reset_peak()
        return tracemalloc.get_traced_memory()[0]
    tracemalloc.start()
    return None


def _stop_tracing(before: int | None) -> int:
    peak = tracemalloc.get_traced_memory()[1]
    if before is None:
        tracemalloc.stop()
    return peak - (before or 0)


def highest_memory() -> int:
    """Most bytes this process ever held, or 0 where the system does not tell."""
    if resource is None:
        return 0
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def plan(
    run: Callable[[int], object],
    *,
    few: int,
    more: int,
    least: int,
    memory: int,
    device: torch.device,
) -> int:
    """Points that a call may take at once, by what a small and a larger batch allocate.

    `run` evaluates the number of points it is given, and is called twice with at most `more`; a
    point takes no less than `least` bytes.
    """
    first = _usage(run, few, device)
    # A larger batch tells best, unless one point takes so much that it would not fit.
    n = min(more, max(2, memory // 2 // max(first.peak // few, 1)))
    n = 2 if n <= few else n
    second = _usage(run, n, device)
    slope = max((second.peak - first.peak) // (n - few), least)
    fixed = max(first.peak - few * slope, 0)
    if 2 * slope + fixed > memory + memory // 2 + ALLOWANCE:
        raise ValueError(
            f"the function takes {(2 * slope + fixed) / 2**20:,.0f} MiB for two points, memory is "
            f"{memory / 2**20:,.0f} MiB: raise memory"
        )
    in_all = max((second.total - first.total) // (n - few), least)
    rows = max(2, min((memory // 2 - fixed) // slope, CACHE // in_all))
    # A power of two, so that small differences between runs do not change the batches.
    return 1 << (rows.bit_length() - 1)


def _usage(run: Callable[[int], object], n: int, device: torch.device) -> Usage:
    with metered(device) as usage:
        run(n)
    return usage


@dataclass
class Batches:
    """How many points a call may take: as planned by the meters, approached in steps.

    Batches double up to the number planned, as long as the process has grown by no more than
    `most` bytes in all of the steps. Beyond, the last number of points is kept.
    """

    planned: int
    most: int
    tried: int
    _grown: int = field(default=0, init=False)

    def next(self, left: int) -> int:
        """Points of the next call, of so many left: batches of like size, none of a single one."""
        calls = math.ceil(left / min(self.planned, 2 * self.tried))
        rows = math.ceil(left / calls)
        return left if left == rows + 1 else rows

    @contextmanager
    def step(self, rows: int) -> Iterator[None]:
        """Around a call with so many points."""
        if rows <= self.tried:
            yield
            return
        before = highest_memory()
        yield
        self._grown += highest_memory() - before
        self.tried = rows
        if self._grown > self.most:
            self.planned = rows
