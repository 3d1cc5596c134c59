"""Shards computed by one process, by several, or by a cluster: joblib or Dask schedule them."""

from __future__ import annotations

import os
import socket
import threading
import time
import warnings
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import torch
from joblib import Parallel, delayed
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from .. import discovery
from ..errors import StoppedError, UserError
from .cluster import ClusterError, call_on_workers
from .context import Context, pick_device, progress_bar
from .shards import DamagedError, Shard, data_of, read, save, set_aside
from .source import source_hash
from .store import append_line, commit, decisive_versions, describe_device, open_folder, versions
from .tables import encode


@dataclass(frozen=True)
class Resources:
    """Who computes: `workers` processes here, or those of the Dask scheduler at an address.

    Processes here share the cores: each has `threads`. A Dask worker has those it was started
    with.
    """

    device: str = "auto"
    data_dir: Path | None = None
    workers: int = 1
    scheduler: str | None = None

    @property
    def threads(self) -> int | None:
        if self.scheduler is not None:
            return None
        return max(1, torch.get_num_threads() // self.workers)

    def __str__(self) -> str:
        if self.scheduler is not None:
            return f"the Dask workers of {self.scheduler}"
        processes = f"{self.workers} processes, " if self.workers > 1 else ""
        device = describe_device(pick_device(self.device))
        return f"{device}, {processes}{self.threads} threads" + (" each" if processes else "")


def complete(
    shards: Sequence[Shard], pool: Path, log: Path, resources: Resources
) -> list[tuple[pd.DataFrame, dict[str, Any]]]:
    """Compute what is missing of the shards; returns all their tables and records, in order.

    Every shard is kept when it is finished, and has its line in the log. Damaged ones are set
    aside and computed anew.
    """
    open_folder(pool)
    distinct = {shard.name: shard for shard in shards}
    kept: dict[str, tuple[pd.DataFrame, dict[str, Any]]] = {}
    # What was just written is read again too. Another round is for what a process beside this
    # one has set aside; a third is a disk that does not keep what it is given.
    for attempt in range(3):
        for name in distinct.keys() - kept.keys():
            try:
                found = read(pool, name)
            except DamagedError as damage:
                aside = set_aside(pool, name)
                _say(log, f"damaged, set aside as {aside.name} and computed anew: {damage}")
                continue
            if found is not None:
                kept[name] = found
        if kept and attempt == 0:
            print(f"  {len(kept)} of {len(distinct)} shards are there from before")
        missing = [shard for name, shard in distinct.items() if name not in kept]
        if not missing:
            return [kept[shard.name] for shard in shards]
        if attempt < 2:
            _compute_all(missing, len(distinct), pool, log, resources)
    raise UserError(f"{pool} does not keep what is written to it: {missing[0].name} is damaged")


def _compute_all(
    missing: list[Shard], total: int, pool: Path, log: Path, resources: Resources
) -> None:
    # Processes that share the folder start at different places and so help each other, and the
    # time left, guessed from the shards so far, is fairer.
    Random().shuffle(missing)
    done = total - len(missing)
    bar = progress_bar(total=total, initial=done, desc="  shards", disable=total == 1, smoothing=0)
    try:
        with bar, closing(_results(missing, pool, resources)) as results:
            for shard, computed in results:
                done += 1
                if computed is None:
                    line = f"{shard.label or shard.name}: finished by another process"
                else:
                    table, record = computed
                    save(pool, shard, table, record)
                    line = (
                        f"{shard.label or shard.name}: {record['seconds']:.1f} s on "
                        f"{record['host']}, {record['device']}"
                    )
                _say(log, f"[{done}/{total}] {line}", bar)
                bar.update()
    except KeyboardInterrupt as interrupt:
        raise StoppedError(
            f"stopped. {done} of {total} shards are finished and kept in {pool}; the same command "
            "goes on from there"
        ) from interrupt
    except TerminatedWorkerError as error:
        raise UserError(
            f"a worker process was killed, perhaps for memory. {done} of {total} shards are "
            "finished and kept; the same command goes on from there, or with fewer --workers"
        ) from error
    except ClusterError as error:
        raise UserError(
            f"{error}. {done} of {total} shards are finished and kept in {pool}; the same command "
            "goes on from there"
        ) from error


def _say(log: Path, line: str, bar: tqdm | None = None) -> None:
    (bar.write if bar is not None and not bar.disable else print)(f"  {line}")
    append_line(log, f"{datetime.now(UTC).isoformat(timespec='seconds')} {line}")


Computed = tuple[str, dict[str, Any]]


def _results(
    shards: Sequence[Shard], pool: Path, resources: Resources
) -> Iterator[tuple[Shard, Computed | None]]:
    """Shards as they finish."""
    parent = os.getpid() if resources.scheduler is None else None
    data_dir = resources.data_dir and resources.data_dir.absolute()
    arguments = (pool.absolute(), resources.device, data_dir, resources.threads, parent)
    if resources.scheduler is not None:
        calls = [(shard, *arguments) for shard in shards]
        with closing(call_on_workers(compute, calls, resources.scheduler)) as results:
            yield from results
        return
    with warnings.catch_warnings():
        # A worker that loky restarts to free memory loses nothing; results that are not taken
        # any more, after an error, are those of shards in flight.
        for message in ("A worker stopped while some jobs", ".*tasks (have been|which were)"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        parallel = Parallel(
            n_jobs=resources.workers,
            return_as="generator_unordered",
            batch_size=1,
            pre_dispatch="all",
        )
        with closing(parallel(delayed(compute)(s, *arguments) for s in shards)) as results:
            yield from results


def compute(
    shard: Shard,
    pool: Path,
    device: str,
    data_dir: Path | None,
    threads: int | None,
    parent: int | None,
) -> tuple[Shard, Computed | None]:
    """A shard's table as CSV and its record; None where another process was faster.

    `parent` is the process of the run, where it is on this machine.
    """
    is_worker = parent != os.getpid()
    if is_worker and parent is not None:
        _end_with(parent)
    if (pool / shard.name).is_dir():
        return shard, None
    if source_hash(shard.experiment) != shard.source:
        raise UserError(
            f"{socket.gethostname()} has another source of {shard.experiment} than the run: bring "
            "its checkout to the same state and restart the workers there"
        )
    for what, here, there in (
        ("versions", decisive_versions(), shard.versions),
        ("data", data_of(shard.experiment, data_dir), shard.data),
    ):
        if here != there:
            raise UserError(
                f"{socket.gethostname()} has other {what} than the run, {dict(here)} for "
                f"{dict(there)}: bring both to the same state and restart the workers there"
            )
    if threads is not None:
        torch.set_num_threads(threads)
    context = Context(shard.seed, pick_device(device), data_dir, quiet=is_worker)
    record = {
        "shard": shard.name,
        "experiment": shard.experiment,
        "settings": asdict(shard.settings),
        "seed": shard.seed,
        "source": shard.source,
        "data": dict(shard.data),
        "commit": commit(),
        "versions": versions(),
        "host": socket.gethostname(),
        "device": describe_device(context.device),
        "threads": torch.get_num_threads(),
        "process": os.getpid(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    began = time.perf_counter()
    try:
        table = discovery.load(shard.experiment).run(shard.settings, context)
    except ValueError as error:
        # What a library call refuses comes from the settings here: a rate of 1, an order above d.
        raise UserError(f"{shard.experiment} cannot run with these settings: {error}") from error
    record["seconds"] = round(time.perf_counter() - began, 3)
    text, types = encode(table)
    return shard, (text, {**record, "rows": len(table), "types": types})


@cache
def _end_with(parent: int) -> None:
    """End this worker process when the run is gone: killed, it cannot end its workers."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(1)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
