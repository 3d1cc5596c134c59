"""A run in shards: blocks of settings and seeds, each kept whole from the moment it is done.

A shard is an experiment's `run` of smaller settings at one seed. It has a folder of its own,

    shards/decay_law-9f0c53d1a6be7742/table.csv     its rows
                                      record.json   settings, seed, device, seconds, versions, ...
                                      SHA256SUMS    of both, as `sha256sum -c` reads them

named by a hash of the settings, the seed, the source, the data and the versions of what computes.
The folder appears whole, by one rename, so any number of processes may share the place without
locks: the second to finish a shard finds it there and leaves it.
"""

from __future__ import annotations

import errno
import hashlib
import json
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from .. import discovery
from ..errors import UserError
from .bound import SUMS, DamagedError, sums, unreadable, verified
from .data import fingerprint
from .records import OF_SHARD, checked
from .settings import differences
from .source import source_hash
from .store import decisive_versions, partial_folder, sync_folder, write_synced
from .tables import decode

TABLE, RECORD = "table.csv", "record.json"


Sums = tuple[tuple[str, str], ...]
"""Names and what stands for each: a version, a SHA-256."""


@dataclass(frozen=True)
class Shard:
    """What a block of a run is; `label` says it to people, by what sets it apart."""

    experiment: str
    settings: Any
    seed: int
    source: str
    label: str = field(default="", compare=False)
    data: Sums = ()
    versions: Sums = field(default_factory=decisive_versions)

    @property
    def name(self) -> str:
        identity = [self.experiment, asdict(self.settings), self.seed, self.source]
        identity += [self.data, self.versions]
        return f"{self.experiment}-{_sha256(json.dumps(identity, sort_keys=True).encode())[:16]}"


def data_of(experiment: str, data_dir: Path | None) -> Sums:
    """The data sets that a question reads, and the SHA-256 of what is read of each.

    Raises MissingDataError if one is not to be had.
    """
    names = getattr(discovery.load(experiment), "DATA", ())
    return tuple((name, fingerprint(name, data_dir)) for name in names)


def split(
    experiment: str, settings: Any, *, seed: int, base: Any = None, data: Sums = ()
) -> list[Shard]:
    """The shards of a run, in the order of its table; one, if the experiment names none.

    Labels say what differs from `base`, by default the settings themselves; `data` is what the
    question reads.
    """
    question = discovery.load(experiment)
    parts = question.shards(settings) if isinstance(question, discovery.Sharded) else [settings]
    if not parts:
        raise UserError(f"these settings leave nothing of {experiment} to run")
    source = source_hash(experiment)
    return [
        Shard(experiment, part, seed, source, differences(part, base or settings), data)
        for part in parts
    ]


def save(pool: Path, shard: Shard, table: str, record: Mapping[str, object]) -> None:
    """Keep a shard, whole or not at all; one that is there already is left as it is."""
    files = {TABLE: table.encode(), RECORD: (json.dumps(record, indent=2) + "\n").encode()}
    files[SUMS] = sums(files)
    try:
        with partial_folder(pool) as partial:
            folder = partial / shard.name
            folder.mkdir()
            for name, content in files.items():
                write_synced(folder / name, content)
            folder.rename(pool / shard.name)
        sync_folder(pool)
    except OSError as error:
        if error.errno in (errno.EEXIST, errno.ENOTEMPTY) and (pool / shard.name).is_dir():
            return
        raise UserError(
            f"a finished shard could not be written to {pool} ({error.strerror or error}); those "
            "finished before are untouched, and the same command goes on from there"
        ) from error


def read(pool: Path, name: str) -> tuple[pd.DataFrame, dict[str, Any]] | None:
    """A shard's table and record; None if there is no such shard.

    Raises DamagedError if its files are not what was written, or are those of another shard;
    UserError if they cannot be read for the moment.
    """
    folder = pool / name
    try:
        folder.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise unreadable(folder, error) from error
    files = verified(folder)
    try:
        record = dict(checked(json.loads(files[RECORD]), *OF_SHARD))
        if record["shard"] != name:
            raise DamagedError(f"{folder} holds another shard, {record['shard']}")
        return decode(files[TABLE].decode(), record["types"]), record
    except (KeyError, RecursionError, ValueError) as error:
        raise DamagedError(f"{folder} does not hold a shard ({error!r})") from error


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


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
