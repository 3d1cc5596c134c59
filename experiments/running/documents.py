"""20 Newsgroups out of its archive or out of scikit-learn's cache, running nothing of either.

Both give texts and classes in the order in which `sklearn.datasets.fetch_20newsgroups` has them.
"""

from __future__ import annotations

import io
import pickle
import tarfile
import zlib

import numpy as np

Texts = tuple[list[str], np.ndarray]
"""Documents and their classes 0 .. 19."""

PARTS = ("train", "test")
BYTES = 2**28
"""The most a cache may hold when it is unpacked: 256 MiB, where the true one has 40 MB."""


def from_archive(content: bytes) -> tuple[Texts, Texts]:
    """Training and test part from the bytes of 20news-bydate.tar.gz, a file a document.

    Raises whatever reading a damaged archive raises: give it one whose checksum is right.
    """
    found: dict[str, dict[tuple[str, str], bytes]] = {part: {} for part in PARTS}
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        for member in archive:
            *_, part, group, name = ["", "", *member.name.split("/")]
            file = archive.extractfile(member)
            if file is not None:
                found[part.removeprefix("20news-bydate-")][group, name] = file.read()
    return tuple(_in_order(found[part]) for part in PARTS)


def _in_order(files: dict[tuple[str, str], bytes]) -> Texts:
    """As scikit-learn's `load_files` keeps them and `fetch_20newsgroups` gives them."""
    keys = sorted(files)
    groups = sorted({group for group, _ in keys})
    order = _shuffled(len(keys), seed=0)
    texts = [files[keys[i]].decode("latin1") for i in order]
    return _as_fetched(texts, np.array([groups.index(keys[i][0]) for i in order]))


def from_cache(content: bytes) -> tuple[Texts, Texts]:
    """Training and test part from the bytes of scikit-learn's cache, 20news-bydate_py3.pkz.

    That is a compressed pickle, and unpickling can run any code. Here it runs none: whatever the
    pickle names is refused, or stood in for by what holds its contents and does nothing.

    Raises ValueError for what is refused, and whatever reading a damaged pickle raises.
    """
    unpacking = zlib.decompressobj()
    unpacked = unpacking.decompress(content, BYTES)
    if not unpacking.eof:
        raise ValueError(f"it is cut short, or larger than {BYTES} bytes")
    cache = _Inert(io.BytesIO(unpacked)).load()
    return tuple(
        _as_fetched(list(cache[part]["data"]), _whole_numbers(cache[part]["target"]))
        for part in PARTS
    )


class _Contents(dict):
    """Stands in for a class of scikit-learn or numpy: keeps what would be given to it."""

    def __init__(self, *arguments: object) -> None:
        super().__init__()
        self.arguments = arguments
        self.state: object = None

    def __setstate__(self, state: object) -> None:
        self.state = state


class _Inert(pickle.Unpickler):
    """Reads the cache's dictionaries, lists and texts, and knows no name but these."""

    # Where versions of the two packages have them.
    NAMES = frozenset(
        {
            ("sklearn.utils._bunch", "Bunch"),
            ("sklearn.utils", "Bunch"),
            ("sklearn.datasets.base", "Bunch"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.core.multiarray", "_reconstruct"),
            ("numpy", "ndarray"),
            ("numpy", "dtype"),
        }
    )

    def find_class(self, module: str, name: str) -> type:
        if (module, name) not in self.NAMES:
            raise ValueError(f"it names {module}.{name}, which the cache of scikit-learn does not")
        return _Contents


def _whole_numbers(array: _Contents) -> np.ndarray:
    """The array that numpy's pickle of one tells of: version, shape, type, order, bytes."""
    _, (count,), kind, _, content = array.state
    if kind.arguments[0] not in ("i4", "i8"):
        raise ValueError(f"its classes are {kind.arguments[0]}, not whole numbers")
    return np.frombuffer(content, f"<{kind.arguments[0]}", count).astype(np.int64)


def _as_fetched(texts: list[str], classes: np.ndarray) -> Texts:
    if len(texts) != len(classes) or not all(type(text) is str for text in texts):
        raise ValueError(f"it has {len(texts)} documents, {len(classes)} classes")
    order = _shuffled(len(texts), seed=42)
    return [texts[i] for i in order], classes[order]


def _shuffled(count: int, *, seed: int) -> np.ndarray:
    order = np.arange(count)
    np.random.RandomState(seed).shuffle(order)
    return order
