"""Runs that the workers of a Dask scheduler compute, on this machine, and that may lose them."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
import torch

from experiments import __main__ as command
from experiments.errors import UserError
from experiments.running import cluster as on_cluster
from experiments.running import store

dask = pytest.importorskip("dask", reason="the extra cluster is not installed")
distributed = pytest.importorskip("distributed", reason="the extra cluster is not installed")
pytestmark = pytest.mark.cluster

ROOT = Path(__file__).parents[3]
# Six shards of a fraction of a second.
SWEEP = ["sweep", "decay_law", "--seeds", "0,1", "--device", "cpu", "--set", "steps=50"]
for change in ("products=1,2", "sines=1,", "rates=0,0.5", "repeats=1", "dim=2", "width=16"):
    SWEEP += ["--set", change]
SWEEP += ["--set", "batch_size=64", "--set", "test_points=256"]
SHARDS = 6


def run(*arguments: object) -> None:
    """The command line in this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        command.app(standalone_mode=False)


def table(out: Path) -> bytes:
    (path,) = out.glob("decay_law-*/table.csv")
    return path.read_bytes()


def kept(out: Path) -> set[str]:
    return {path.parent.name for path in (out / "shards").glob("decay_law-*/table.csv")}


def processes(out: Path) -> set[int]:
    """Those that computed the shards in a folder."""
    records = (out / "shards").glob("decay_law-*/record.json")
    return {json.loads(path.read_text())["process"] for path in records}


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Tables are equal bit for bit where processes have equally many threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def undisturbed(one_thread, tmp_path_factory) -> bytes:
    """The table of the run that no cluster computes."""
    out = tmp_path_factory.mktemp("undisturbed")
    run(*SWEEP, "--out", out)
    return table(out)


@pytest.fixture
def soon() -> Iterator[None]:
    """Nobody may stay silent for longer than 3 s."""
    with dask.config.set({"distributed.comm.timeouts.connect": "3s"}):
        yield


# A scheduler and workers, forked from a process that has imported all they need.


def schedule(address: object) -> None:
    async def serve() -> None:
        async with distributed.Scheduler(
            host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0"
        ) as scheduler:
            address.send(scheduler.address)
            await scheduler.finished()

    asyncio.run(serve())


def work(address: str, folder: Path, versions: dict[str, str]) -> None:
    torch.set_num_threads(1)
    store.versions = lambda: versions

    async def serve() -> None:
        async with distributed.Worker(
            address, nthreads=1, local_directory=str(folder), dashboard_address="127.0.0.1:0"
        ) as worker:
            await worker.finished()

    asyncio.run(serve())


class Cluster:
    """A scheduler and its workers, each of one thread."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder, self.workers = folder, []
        receiving, sending = multiprocessing.Pipe(duplex=False)
        self.scheduler = self._start(schedule, sending)
        self.address = receiving.recv() if receiving.poll(30) else None
        for _ in range(workers):
            self.add_worker()
        if workers:
            self.wait(workers)

    def add_worker(self, **other_versions: str) -> None:
        versions = {**store.versions(), **other_versions}
        self.workers.append(self._start(work, self.address, self.folder, versions))

    def wait(self, workers: int) -> None:
        with distributed.Client(self.address, timeout=30, set_as_default=False) as client:
            client.wait_for_workers(workers, timeout=30)

    def _start(self, target: Callable[..., None], *arguments: object) -> BaseProcess:
        context = multiprocessing.get_context("forkserver")
        process = context.Process(target=target, args=arguments, daemon=True)
        process.start()
        return process

    def end(self) -> None:
        for process in (self.scheduler, *self.workers):
            process.kill()
            process.join()


@pytest.fixture
def cluster(tmp_path: Path, start) -> Iterator[Callable[[int], Cluster]]:
    started: list[Cluster] = []

    def begin(workers: int) -> Cluster:
        started.append(Cluster(tmp_path / "workers", workers))
        return started[-1]

    yield begin
    for one in started:
        one.end()


@contextmanager
def when_a_shard_is_there(out: Path, then: Callable[[], None]) -> Iterator[None]:
    def wait() -> None:
        end = time.monotonic() + 60
        while not kept(out) and time.monotonic() < end:
            time.sleep(0.005)
        then()

    thread = threading.Thread(target=wait)
    thread.start()
    yield
    thread.join()


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_give_the_table_that_one_process_gives(
    workers, cluster, undisturbed, tmp_path
) -> None:
    there = cluster(workers)
    run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert table(tmp_path / "out") == undisturbed
    # One worker of one thread is no reason to compute here.
    assert processes(tmp_path / "out") == {worker.pid for worker in there.workers}


def test_a_worker_may_die_while_another_lives(cluster, undisturbed, tmp_path) -> None:
    there = cluster(2)
    with when_a_shard_is_there(tmp_path / "out", there.workers[0].kill):
        run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert table(tmp_path / "out") == undisturbed
    assert there.workers[1].pid in processes(tmp_path / "out")


def test_when_all_workers_die_finished_shards_are_kept_and_it_is_said(
    cluster, soon, undisturbed, tmp_path
) -> None:
    there, out = cluster(2), tmp_path / "out"

    def kill_all() -> None:
        for worker in there.workers:
            worker.kill()

    with (
        when_a_shard_is_there(out, kill_all),
        pytest.raises(UserError, match=r"has no workers: start some.* of 6 shards are finished"),
    ):
        run(*SWEEP, "--out", out, "--scheduler", there.address)
    before = kept(out)
    assert 0 < len(before) < SHARDS
    # The same command goes on from there, when there are workers again.
    there.add_worker()
    run(*SWEEP, "--out", out, "--scheduler", there.address)
    assert before < kept(out)
    assert len(processes(out)) > 1
    assert table(out) == undisturbed


def test_workers_that_are_silent_are_told(cluster, soon, tmp_path) -> None:
    there = cluster(1)
    with (
        when_a_shard_is_there(tmp_path / "out", partial(os.kill, there.workers[0].pid, 19)),
        pytest.raises(UserError, match="hears nothing of its 1 workers"),
    ):
        run(*SWEEP, "--out", tmp_path / "out", "--scheduler", there.address)


@pytest.mark.parametrize("signal", [9, 19], ids=["killed", "stopped"])
def test_when_the_scheduler_goes_finished_shards_are_kept_and_it_is_said(
    signal, cluster, soon, tmp_path
) -> None:
    there, out = cluster(1), tmp_path / "out"
    began = time.monotonic()
    with (
        when_a_shard_is_there(out, partial(os.kill, there.scheduler.pid, signal)),
        pytest.raises(UserError, match=r"is gone or does not answer any more.* are finished"),
    ):
        run(*SWEEP, "--out", out, "--scheduler", there.address)
    assert time.monotonic() - began < 30
    assert 0 < len(kept(out)) < SHARDS


def test_a_scheduler_without_workers_is_told(cluster, soon, tmp_path) -> None:
    there = cluster(0)
    with pytest.raises(UserError, match=r"has no workers: start some.* 0 of 6 shards"):
        run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")


def test_a_worker_with_other_versions_is_refused(cluster, tmp_path) -> None:
    there = cluster(0)
    there.add_worker(torch="1.0", seaborn="0", python="3.0")
    with pytest.raises(UserError, match=r"other versions than the run, torch 1\.0 for [^,]*: inst"):
        run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert not kept(tmp_path / "out")


def test_builds_for_other_devices_are_no_other_versions(cluster, undisturbed, tmp_path) -> None:
    there = cluster(0)
    there.add_worker(torch=store.versions()["torch"].partition("+")[0] + "+cu999")
    run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert table(tmp_path / "out") == undisturbed


# As the README says, in processes of their own: checkouts may differ.


def dask_worker(address: str, checkout: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "dask", "worker", address, "--nthreads", "1", "--no-dashboard"],
        cwd=checkout,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )


@pytest.mark.parametrize("edited", ["interactions/planted.py", "experiments/running/execute.py"])
def test_a_worker_with_an_edited_source_is_refused(edited, cluster, tmp_path) -> None:
    for package in ("experiments", "interactions"):
        shutil.copytree(ROOT / package, tmp_path / "other" / package)
    there = cluster(0)
    path = tmp_path / "other" / edited
    # One that the numbers come from; one without which nothing can be computed.
    path.write_text(path.read_text().replace("def compute(", "def compute_otherwise(") + "\n")
    worker = dask_worker(there.address, tmp_path / "other")
    try:
        there.wait(1)
        message = r"another source of decay_law.*restart|bring the checkout .* same state"
        with pytest.raises(UserError, match=message):
            run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    finally:
        with suppress(ProcessLookupError):
            os.killpg(worker.pid, 9)
        worker.wait()
    assert not kept(tmp_path / "out")


# Addresses where no scheduler is.


def command_line(arguments: list[str], errors: Path) -> None:
    with errors.open("w") as sys.stderr, dask.config.set({"distributed.comm.timeouts.connect": 1}):
        sys.argv = ["experiments", *arguments]
        command.main()


def answer(content: bytes, listening: socket.socket, connections: list[socket.socket]) -> None:
    with suppress(OSError):
        while True:
            connections.append(listening.accept()[0])
            connections[-1].sendall(content)


ANSWERS = {
    "silence": b"",
    "HTTP": b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    "SSH": b"SSH-2.0-OpenSSH_9.2\r\n",
    "zeros": bytes(1000),
}


@pytest.mark.parametrize("content", [*ANSWERS.values(), None], ids=[*ANSWERS, "nobody"])
def test_an_address_without_a_scheduler_is_told(content, start, tmp_path) -> None:
    """In a process of its own, as Dask leaves threads behind; it must end none the less."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"tcp://127.0.0.1:{listening.getsockname()[1]}"
        connections: list[socket.socket] = []
        if content is None:
            listening.close()
        threading.Thread(target=answer, args=(content, listening, connections), daemon=True).start()
        context = multiprocessing.get_context("forkserver")
        arguments = [*SWEEP, "--scheduler", address, "--out", str(tmp_path / "out")]
        process = context.Process(target=command_line, args=(arguments, tmp_path / "errors"))
        process.start()
        process.join(30)
        listening.close()
        for connection in connections:
            connection.close()
    assert process.exitcode == 1
    told = (tmp_path / "errors").read_text()
    assert f"error: no Dask scheduler answers at {address} (" in told
    assert "python -m dask scheduler" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    "address",
    [
        *(
            "",
            "nonsense",
            "tcp://",
            "tcp://host",
            "tcp://host:port",
            "tcp://host:0",
            "tcp://h:65536",
        ),
        *("tcp://host:-1", "tcp://[::1", "http://127.0.0.1:8786", "inproc://a/1/1", "file:///etc"),
        *("tcp://a\x1b[31m:1", "\0", "tcp://\0:1", "ucx://127.0.0.1:8786"),
    ],
)
def test_what_is_no_address_is_told(address, tmp_path) -> None:
    with pytest.raises(UserError, match=r"not the address of a Dask .* tcp://host:8786") as caught:
        run(*SWEEP, "--scheduler", address, "--out", tmp_path / "out")
    assert str(caught.value).isprintable()


def test_certificates_are_asked_for_where_there_are_none(tmp_path) -> None:
    with pytest.raises(UserError, match=r"tls:// needs certificates: .*TLS__CA_FILE"):
        run(*SWEEP, "--scheduler", "tls://127.0.0.1:8786", "--out", tmp_path / "out")


def test_processes_here_and_workers_there_exclude_each_other(tmp_path) -> None:
    with pytest.raises(UserError, match="choose --workers"):
        run(*SWEEP, "--scheduler", "tcp://127.0.0.1:9", "--workers", "2", "--out", tmp_path)


def test_what_a_call_raises_comes_with_where_it_was_raised(cluster) -> None:
    there = cluster(1)
    with pytest.raises(ZeroDivisionError) as caught:
        list(on_cluster.call_on_workers(divmod, [(1, 0)], there.address))
    assert any("Traceback" in note for note in caught.value.__notes__)
