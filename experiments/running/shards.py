"""A run in shards: blocks of settings and seeds, each kept whole from the moment it is done.

A shard is an experiment's `run` of smaller settings at one seed. It has a folder of its own,

    shards/decay_law-9f0c53d1a6be7742/table.csv     its rows
                                      record.json   settings, seed, device, seconds, versions, ...
                                      SHA256SUMS    of both, as `sha256sum -c` reads them

named by a hash of the settings, the seed and the source. The folder appears whole, by one rename,
so any number of processes may share the place without locks: the second to finish a shard finds
it there and leaves it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import tempfile
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from .. import discovery
from ..errors import UserError
from .settings import differences
from .source import source_hash
from .tables import decode

TABLE, RECORD, SUMS = "table.csv", "record.json", "SHA256SUMS"


@dataclass(frozen=True)
class Shard:
    """What a block of a run is; `label` says it to people, by what sets it apart."""

    experiment: str
    settings: Any
    seed: int
    source: str
    label: str = field(default="", compare=False)

    @property
    def name(self) -> str:
        identity = [self.experiment, asdict(self.settings), self.seed, self.source]
        return f"{self.experiment}-{_sha256(json.dumps(identity, sort_keys=True).encode())[:16]}"


def split(experiment: str, settings: Any, *, seed: int, base: Any = None) -> list[Shard]:
    """The shards of a run, in the order of its table; one, if the experiment names none.

    Labels say what differs from `base`, by default the settings themselves.
    """
    question = discovery.load(experiment)
    parts = question.shards(settings) if isinstance(question, discovery.Sharded) else [settings]
    source = source_hash(experiment)
    return [
        Shard(experiment, part, seed, source, differences(part, base or settings)) for part in parts
    ]


def save(pool: Path, shard: Shard, table: str, record: Mapping[str, object]) -> None:
    """Keep a shard, whole or not at all; one that is there already is left as it is."""
    files = {TABLE: table.encode(), RECORD: (json.dumps(record, indent=2) + "\n").encode()}
    files[SUMS] = _sums(files)
    try:
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=pool) as partial:
            folder = Path(partial) / shard.name
            folder.mkdir()
            for name, content in files.items():
                with (folder / name).open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            folder.rename(pool / shard.name)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and (pool / shard.name).is_dir():
            return
        raise UserError(
            f"a finished shard could not be written to {pool} ({error.strerror or error}); those "
            "finished before are untouched, and the same command goes on from there"
        ) from error


class DamagedError(Exception):
    """A shard's files are not what was written; the message says how."""


def read(pool: Path, name: str) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """A shard's table and record; None if there is no such shard."""
    folder = pool / name
    if not folder.is_dir():
        return None
    try:
        files = {n: (folder / n).read_bytes() for n in (TABLE, RECORD, SUMS)}
    except OSError as error:
        raise DamagedError(f"{error.filename}: {error.strerror}") from error
    if files[SUMS] != _sums({n: files[n] for n in (TABLE, RECORD)}):
        raise DamagedError(f"its files do not have the checksums in {folder / SUMS}")
    record = json.loads(files[RECORD])
    return decode(files[TABLE].decode(), record["types"]), record


def set_aside(pool: Path, name: str) -> Path:
    """Rename a damaged shard, so that it is computed anew; returns where it is now."""
    aside = pool / f"{name}.damaged-{uuid.uuid4().hex[:8]}"
    try:
        (pool / name).rename(aside)
    except FileNotFoundError:
        pass  # Another process was faster.
    except OSError as error:
        raise UserError(
            f"the damaged shard {pool / name} could not be set aside ({error.strerror}): remove it"
        ) from error
    return aside


def states(pool: Path, names: Sequence[str]) -> dict[str, str]:
    """For every shard "done", "missing", or "damaged: " and how."""
    out = {}
    for name in names:
        try:
            out[name] = "missing" if read(pool, name) is None else "done"
        except DamagedError as error:
            out[name] = f"damaged: {error}"
    return out


def _sums(files: Mapping[str, bytes]) -> bytes:
    return "".join(f"{_sha256(content)}  {name}\n" for name, content in files.items()).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
