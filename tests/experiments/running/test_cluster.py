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
from experiments.running import execute, store

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


def schedule(address: object, config: dict[str, str]) -> None:
    dask.config.set(config)

    async def serve() -> None:
        async with distributed.Scheduler(
            protocol="tls" if config else "tcp",
            host="127.0.0.1",
            port=0,
            dashboard_address="127.0.0.1:0",
        ) as scheduler:
            address.send(scheduler.address)
            await scheduler.finished()

    asyncio.run(serve())


def work(address: str, folder: Path, prepare: Callable[[], None], config: dict[str, str]) -> None:
    dask.config.set(config)
    torch.set_num_threads(1)
    prepare()

    async def serve() -> None:
        async with distributed.Worker(
            address, nthreads=1, local_directory=str(folder), dashboard_address="127.0.0.1:0"
        ) as worker:
            await worker.finished()

    asyncio.run(serve())


class Cluster:
    """A scheduler and its workers, each of one thread; with certificates, if they are named."""

    def __init__(self, folder: Path, workers: int, config: dict[str, str]) -> None:
        self.folder, self.workers, self.config = folder, [], config
        receiving, sending = multiprocessing.Pipe(duplex=False)
        self.scheduler = self._start(schedule, sending, config)
        self.address = receiving.recv() if receiving.poll(30) else None
        for _ in range(workers):
            self.add_worker()
        if workers:
            self.wait(workers)

    def add_worker(self, prepare: Callable[[], object] = dict) -> None:
        self.workers.append(self._start(work, self.address, self.folder, prepare, self.config))

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
def cluster(tmp_path: Path, start) -> Iterator[Callable[..., Cluster]]:
    started: list[Cluster] = []

    def begin(workers: int, config: dict[str, str] | None = None) -> Cluster:
        started.append(Cluster(tmp_path / "workers", workers, config or {}))
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


def test_one_worker_of_one_thread_computes_what_one_process_does(
    cluster, undisturbed, tmp_path
) -> None:
    there = cluster(1)
    run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert table(tmp_path / "out") == undisturbed
    assert processes(tmp_path / "out") == {there.workers[0].pid}


def test_a_worker_may_die_while_another_lives(cluster, undisturbed, tmp_path) -> None:
    there = cluster(2)
    with when_a_shard_is_there(tmp_path / "out", there.workers[0].kill):
        run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert table(tmp_path / "out") == undisturbed
    assert there.workers[1].pid in processes(tmp_path / "out")
    assert processes(tmp_path / "out") <= {worker.pid for worker in there.workers}


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


def other_versions(**changed: str) -> None:
    there = store.versions() | changed
    store.versions = lambda: there


def without_compute() -> None:
    """An older checkout."""
    del execute.compute


@pytest.mark.parametrize(
    ("prepare", "message"),
    [
        (
            partial(other_versions, torch="1.0", seaborn="0", python="3.0"),
            r"other versions than the run, torch 1\.0 for [^,]*: install",
        ),
        (without_compute, "could not take over the work .*'compute'.* bring the checkout"),
    ],
)
def test_a_worker_unlike_the_run_is_refused(prepare, message, cluster, tmp_path) -> None:
    there = cluster(0)
    there.add_worker(prepare)
    with pytest.raises(UserError, match=message):
        run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    assert not kept(tmp_path / "out")


def test_builds_for_other_devices_are_no_other_versions(monkeypatch) -> None:
    ours = store.versions()
    call = partial(on_cluster._call, divmod, (7, 2))
    assert call(ours) == ((3, 1), None)
    assert call(ours | {"torch": f"{on_cluster._public(ours['torch'])}+cu999"})[1] is None
    for package in ours.keys() - {"python", "seaborn"}:
        assert isinstance(call(ours | {package: "0.0"})[1], UserError), package


def test_a_worker_with_an_edited_source_is_refused(cluster, tmp_path) -> None:
    """Started as the README says, in a checkout of its own."""
    for package in ("experiments", "interactions"):
        shutil.copytree(ROOT / package, tmp_path / "other" / package)
    with (tmp_path / "other" / "interactions" / "planted.py").open("a") as file:
        file.write("# edited\n")
    there = cluster(0)
    arguments = ["worker", there.address, "--nthreads", "1", "--no-nanny", "--no-dashboard"]
    worker = subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        cwd=tmp_path / "other",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with pytest.raises(UserError, match=r"another source of decay_law.*restart the workers"):
            run(*SWEEP, "--scheduler", there.address, "--out", tmp_path / "out")
    finally:
        worker.kill()
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


@pytest.fixture
def certificates(tmp_path: Path) -> Iterator[dict[str, str]]:
    """A certificate that everybody has and trusts, as Dask's settings name it."""
    key, own = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    make = ["openssl", "req", "-x509", "-nodes", "-subj", "/CN=localhost"]
    make += ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    try:
        subprocess.run([*make, "-keyout", key, "-out", own], check=True, capture_output=True)
    except OSError as error:
        pytest.skip(f"no openssl to make a certificate with: {error}")
    settings = {"distributed.comm.tls.ca-file": own}
    for who in ("client", "scheduler", "worker"):
        settings[f"distributed.comm.tls.{who}.cert"] = own
        settings[f"distributed.comm.tls.{who}.key"] = key
    with dask.config.set(settings):
        yield settings


def test_with_certificates_the_workers_of_tls_compute(cluster, certificates) -> None:
    there = cluster(1, certificates)
    assert there.address.startswith("tls://")
    answers = on_cluster.call_on_workers(os.getpid, [(), ()], there.address)
    assert list(answers) == 2 * [there.workers[0].pid]


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
@pytest.mark.parametrize("which", ["ca-file", "client.cert", "client.key"])
def test_certificates_that_cannot_be_used_are_told(which, content, certificates, tmp_path) -> None:
    path = tmp_path / "other.pem"
    if content is not None:
        path.write_bytes(content)
    with (
        dask.config.set({f"distributed.comm.tls.{which}": str(path)}),
        pytest.raises(UserError, match=r"tls:// needs certificates, and those named cannot be"),
    ):
        next(on_cluster.call_on_workers(os.getpid, [()], "tls://127.0.0.1:8786"))


def test_processes_here_and_workers_there_exclude_each_other(tmp_path) -> None:
    with pytest.raises(UserError, match="choose --workers"):
        run(*SWEEP, "--scheduler", "tcp://127.0.0.1:9", "--workers", "2", "--out", tmp_path)


def test_what_a_call_raises_comes_with_where_it_was_raised(cluster) -> None:
    there = cluster(1)
    with pytest.raises(ZeroDivisionError) as caught:
        list(on_cluster.call_on_workers(divmod, [(1, 0)], there.address))
    assert any("Traceback" in note for note in caught.value.__notes__)
