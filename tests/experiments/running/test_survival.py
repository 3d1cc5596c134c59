"""Runs that are killed, that meet others in their folder, and that a cluster computes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from experiments.errors import UserError

ROOT = Path(__file__).parents[3]
FOLDER = "decay_law-controlled-quick-sweep"
# Twelve shards of about a tenth of a second.
SWEEP = ["sweep", "decay_law", "--seeds", "0,1,2,3", "--device", "cpu"]
for change in ("products=1,2", "sines=1,", "rates=0,0.5", "repeats=1", "dim=2", "width=16"):
    SWEEP += ["--set", change]
SWEEP += ["--set", "batch_size=64", "--set", "test_points=256"]
SHARDS = 12


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes of one thread, all the same: tables are equal bit for bit."""
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@pytest.fixture
def undisturbed(start, tmp_path: Path) -> bytes:
    """The table of the run that nothing happens to."""
    process = start(*SWEEP, "--set", "steps=50", "--out", tmp_path / "undisturbed")
    process.join(60)
    assert process.exitcode == 0
    return table(tmp_path / "undisturbed")


def table(out: Path) -> bytes:
    return (out / FOLDER / "table.csv").read_bytes()


def kept(out: Path) -> dict[str, tuple[int, int]]:
    """Finished shards and when their tables were written, as files of the disk."""
    stats = {p.parent.name: p.stat() for p in (out / "shards").glob("decay_law-*/table.csv")}
    return {name: (stat.st_ino, stat.st_mtime_ns) for name, stat in stats.items()}


def wait_for(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def test_a_run_killed_ten_times_ends_with_the_same_table(start, undisturbed, tmp_path) -> None:
    out = tmp_path / "killed"
    random = Random(os.getpid())
    before: dict[str, tuple[int, int]] = {}
    for _ in range(10):
        process = start(*SWEEP, "--set", "steps=50", "--out", out)
        # Any moment from the start to after some shards.
        process.join(random.uniform(0.0, 0.6))
        process.kill()
        process.join()
        now = kept(out)
        assert before.items() <= now.items(), "a finished shard was computed again"
        before = now
    process = start(*SWEEP, "--set", "steps=50", "--out", out)
    process.join(60)
    assert process.exitcode == 0
    assert before.items() <= kept(out).items()
    assert len(kept(out)) == SHARDS
    assert table(out) == undisturbed


def test_workers_end_when_their_run_is_killed(tmp_path) -> None:
    out = tmp_path / "out"
    arguments = [*SWEEP, "--set", "steps=2000", "--workers", "2", "--out", str(out)]
    process = subprocess.Popen(
        [sys.executable, "-m", "experiments", *arguments],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        wait_for(lambda: kept(out))
        process.kill()
        process.wait()
        names = [
            json.loads(p.read_text()) for p in (out / "shards").glob("decay_law-*/record.json")
        ]
        workers = {record["process"] for record in names}
        assert process.pid not in workers
        wait_for(lambda: not any(is_running(pid) for pid in workers), 15)
        assert len(kept(out)) < SHARDS
    finally:
        process.kill()


def is_running(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False


def test_two_processes_on_one_folder_end_with_one_table(start, undisturbed, tmp_path) -> None:
    out = tmp_path / "shared"
    both = [start(*SWEEP, "--set", "steps=50", "--out", out) for _ in range(2)]
    for process in both:
        process.join(60)
        assert process.exitcode == 0
    assert table(out) == undisturbed
    assert len(kept(out)) == SHARDS
    assert not list(out.rglob("*.damaged-*")) + list(out.rglob(".partial-*"))


@contextmanager
def cluster(*, workers: int) -> Iterator[tuple[str, list[subprocess.Popen]]]:
    """A Dask scheduler and workers, started as the README says."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"

    def dask(*arguments: str) -> subprocess.Popen:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=ROOT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    started = [dask("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard")]
    try:
        started += [
            dask("worker", address, "--nthreads", "1", "--no-nanny", "--no-dashboard")
            for _ in range(workers)
        ]
        yield address, started[1:]
    finally:
        for process in started:
            process.kill()
            process.wait()


@pytest.mark.cluster
def test_a_cluster_gives_the_same_table_even_if_a_worker_dies(
    invoke, undisturbed, tmp_path
) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
    with cluster(workers=2) as (address, workers):
        with distributed.Client(address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(2, timeout=60)
        out = tmp_path / "cluster"
        invoke(*SWEEP, "--set", "steps=50", "--scheduler", address, "--out", out)
        assert table(out) == undisturbed
        records = [json.loads(p.read_text()) for p in (out / "shards").glob("*/record.json")]
        assert {record["process"] for record in records} == {w.pid for w in workers}
        assert f"[{SHARDS}/{SHARDS}]" in (out / FOLDER / "log.txt").read_text()
        # And again, a worker being killed when the first shard is finished.
        out = tmp_path / "killed"

        def kill_one() -> None:
            wait_for(lambda: kept(out))
            workers[0].kill()

        killer = threading.Thread(target=kill_one)
        killer.start()
        invoke(*SWEEP, "--set", "steps=50", "--scheduler", address, "--out", out)
        killer.join()
        records = [json.loads(p.read_text()) for p in (out / "shards").glob("*/record.json")]
        by_killed = [record["process"] == workers[0].pid for record in records]
        assert sum(by_killed) < SHARDS / 2
        assert table(out) == undisturbed


def test_a_scheduler_that_does_not_answer_is_named(invoke, tmp_path, monkeypatch) -> None:
    distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")

    def silent(address: str, **options: object) -> None:
        raise OSError(f"Timed out trying to connect to {address}")

    monkeypatch.setattr(distributed, "Client", silent)
    with pytest.raises(UserError, match="no Dask scheduler answers at tcp://127"):
        invoke(*SWEEP, "--scheduler", "tcp://127.0.0.1:9", "--out", tmp_path)
    with pytest.raises(UserError, match="choose --workers"):
        invoke(*SWEEP, "--scheduler", "tcp://127.0.0.1:9", "--workers", "2", "--out", tmp_path)
