"""Calls made by the workers of a Dask scheduler, or a word within a minute on why they are not.

Nobody may stay silent for longer than Dask's own setting says, distributed.comm.timeouts.connect:
30 s, or what is in the variable DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT.
"""

from __future__ import annotations

import logging
import pickle
import socket
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from ..errors import UserError
from . import store

if TYPE_CHECKING:
    from distributed import Client, Future

WITHOUT_NUMBERS = ("python", "seaborn")
"""Of the versions in a record, those that no number follows from."""


class ClusterError(Exception):
    """The cluster does not do its work; the message says why, and what to do."""


def call_on_workers(
    function: Callable[..., Any], calls: Sequence[Sequence[object]], scheduler: str
) -> Iterator[Any]:
    """What `function` returns for each of the arguments in `calls`, as workers finish them.

    Workers import it, so they need the same checkout. One that is lost does not matter as long as
    there is another.

    Raises ClusterError if the scheduler or all workers are silent, gone or unlike this process,
    UserError for an address that is none, and what the function raises.
    """
    with _connected(scheduler) as client:
        finished: SimpleQueue[Future] = SimpleQueue()
        packed = [pickle.dumps(_Call(function, arguments, store.versions())) for arguments in calls]
        # Not pure: none is taken for the same call of another run.
        waiting = {client.submit(pickle.loads, call, pure=False) for call in packed}
        for future in waiting:
            future.add_done_callback(finished.put)
        while waiting:
            future = _first(finished, client, scheduler)
            try:
                result, error = _answer(future, scheduler)
            except TimeoutError:
                # Lost with its worker, it is computed again.
                future.add_done_callback(finished.put)
                continue
            waiting.remove(future)
            if error is not None:
                raise error
            yield result


@dataclass(frozen=True)
class _Call:
    """A call that unpickling makes, so that a worker where it cannot be imported says so.

    Were the function itself sent, such a worker would close the connection, and seem lost.
    """

    function: Callable[..., Any]
    arguments: Sequence[object]
    versions: dict[str, str]

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[object, ...]]:
        return _call, (self.function, self.arguments, self.versions)


def _call(
    function: Callable[..., Any], arguments: Sequence[object], versions: dict[str, str]
) -> tuple[Any, Exception | None]:
    """On a worker: what the function returns, or what it raises.

    Returned, errors of the function are told from those of getting it here.
    """
    here = store.versions()
    other = [
        f"{name} {here.get(name)} for {version}"
        for name, version in versions.items()
        if name not in WITHOUT_NUMBERS and _public(here.get(name, "")) != _public(version)
    ]
    if other:
        return None, UserError(
            f"{socket.gethostname()} has other versions than the run, {', '.join(other)}: install "
            "the same, as with pip install -r requirements.txt, and restart the workers there"
        )
    try:
        return function(*arguments), None
    except Exception as error:
        error.add_note(f"On {socket.gethostname()}:\n{traceback.format_exc()}")
        return None, error


def _public(version: str) -> str:
    """A version without its build, as +cu126: builds for other devices may work together."""
    return version.partition("+")[0]


def _answer(future: Future, scheduler: str) -> tuple[Any, Exception | None]:
    """What `_call` returned; TimeoutError if it was lost since it was finished."""
    from distributed import KilledWorker

    if future.status == "cancelled":
        raise _gone(scheduler)
    if future.status != "error":
        return future.result(timeout=_patience())
    error = future.exception(timeout=_patience())
    if isinstance(error, KilledWorker):
        raise ClusterError(
            f"a shard ended one Dask worker after another, perhaps for memory ({error})"
        ) from error
    raise ClusterError(
        f"a Dask worker could not take over the work ({error!r}): bring the checkout and the "
        "packages of all hosts to the same state, and restart scheduler and workers"
    ) from error


def _first(finished: SimpleQueue[Future], client: Client, scheduler: str) -> Future:
    """The next call that has ended; while there is none, sees that somebody is at work."""
    pulse, since = 0.0, time.monotonic()
    while True:
        try:
            return finished.get(timeout=min(1.0, _patience() / 3))
        except Empty:
            pass
        try:
            seen = client.sync(client.scheduler.identity, callback_timeout=_patience())["workers"]
        except Exception as error:  # Of many kinds, as everything that depends on a network.
            raise _gone(scheduler) from error
        # When the scheduler last heard of a worker, by its own clock: it has to go on.
        last = max((worker["last_seen"] for worker in seen.values()), default=0.0)
        if last != pulse:
            pulse, since = last, time.monotonic()
        elif time.monotonic() - since > _patience():
            state = f"hears nothing of its {len(seen)} workers" if seen else "has no workers"
            raise ClusterError(
                f"the Dask scheduler at {scheduler} {state}: start some, with "
                f"python -m dask worker {scheduler} --nthreads 1 in this checkout"
            )


def _gone(scheduler: str) -> ClusterError:
    return ClusterError(
        f"the Dask scheduler at {scheduler} is gone or does not answer any more: start it and its "
        "workers again"
    )


def _patience() -> float:
    import dask
    from dask.utils import parse_timedelta

    return parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"), "s")


@contextmanager
def _connected(scheduler: str) -> Iterator[Client]:
    try:
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise UserError("--scheduler needs Dask: pip install -e .[cluster]") from error
    _check_address(scheduler)
    # What Dask would log is told here, in one sentence and once.
    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    outcome: list[Client | Exception] = []

    def attempt() -> None:
        try:
            outcome.append(Client(scheduler, timeout=_patience(), set_as_default=False))
        except Exception as error:  # Of many kinds: whatever answers is taken for a scheduler.
            outcome.append(error)

    # In a thread, as Dask waits for ever for who takes a connection and says nothing.
    thread = threading.Thread(target=attempt, daemon=True, name="connecting")
    with warnings.catch_warnings():
        # Versions are compared on the workers.
        warnings.simplefilter("ignore", VersionMismatchWarning)
        thread.start()
        thread.join(_patience() + 1)
    client = outcome[0] if outcome else TimeoutError("it takes the connection and is silent")
    if isinstance(client, Exception):
        reason = str(client) or type(client).__name__
        raise ClusterError(
            f"no Dask scheduler answers at {scheduler} ({reason}): see that one is started there, "
            "with python -m dask scheduler, that it is of the same version, and the address right"
        ) from client
    try:
        yield client
    finally:
        # What is not finished is given up by closing, if there still is somebody to tell.
        with suppress(Exception):
            client.close(timeout=2)


def _check_address(scheduler: str) -> None:
    from distributed import Security
    from distributed.comm import parse_host_port

    scheme, _, place = scheduler.rpartition("://")
    try:
        host, port = parse_host_port(place)
    except ValueError:
        host, port = "", 0
    if scheme not in ("", "tcp", "tls") or not host.isprintable() or not 0 < port < 2**16:
        raise UserError(
            f"{scheduler!r} is not the address of a Dask scheduler, which looks like "
            "tcp://host:8786, or tls://host:8786"
        )
    if scheme != "tls":
        return
    why = ""
    try:
        if Security().get_connection_args("client").get("ssl_context") is not None:
            return
    except (OSError, ValueError) as error:  # Of files that are missing, or no certificates.
        why = f", and those named cannot be used ({error})"
    raise UserError(
        f"tls:// needs certificates{why}: name them in DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
        "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT and DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY"
    )
