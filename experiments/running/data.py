"""Real data sets: from the user's data directory, else downloaded, else a word on what to fetch."""

from __future__ import annotations

import hashlib
import io
import os
import urllib.error
import urllib.request
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import MissingDataError
from .store import open_folder, write_whole

VARIABLE = "INTERACTIONS_DATA"
CACHE = Path.home() / ".cache" / "interactions"

BIKE_URL = "https://archive.ics.uci.edu/static/public/275/bike+sharing+dataset.zip"
BIKE_SHA256 = "e03de4ee4ef4dc376ac6e04bf829673c6269e8eba5c60fa121640fa2f829504f"

MNIST_URL = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
MNIST_SHA256 = "06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16"
"""Of the arrays' bytes, in the order of MNIST_ARRAYS: files are compressed in several ways."""
MNIST_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def data_directory(chosen: Path | None) -> Path:
    """The directory the user named, by option or by environment variable, else a cache."""
    if chosen is not None:
        return chosen
    return Path(os.environ[VARIABLE]) if VARIABLE in os.environ else CACHE


def bike_sharing(data_dir: Path | None) -> pd.DataFrame:
    """UCI Bike Sharing, hour.csv: 17,379 hours of Capital Bikeshare, Washington D.C.

    Fanaee-T & Gama, Progress in Artificial Intelligence 2 (2013), doi:10.1007/s13748-013-0040-3.
    """
    folder = data_directory(data_dir)
    places = [folder / "hour.csv", folder / "bike_sharing" / "hour.csv"]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        path = places[1]
        _download_member(BIKE_URL, "hour.csv", path)
    if hashlib.sha256(path.read_bytes()).hexdigest() != BIKE_SHA256:
        raise MissingDataError(
            f"{path} is not the published hour.csv (its SHA-256 differs): remove it, and it will "
            f"be downloaded, or put the file from {BIKE_URL} there"
        )
    return pd.read_csv(path)


Texts = tuple[list[str], np.ndarray]


def twenty_newsgroups(data_dir: Path | None) -> tuple[Texts, Texts]:
    """20 Newsgroups by date: texts and classes 0 .. 19 of the training and the test part.

    Lang, ICML 1995. Read and downloaded by scikit-learn, in its order (shuffled by a fixed seed).
    """
    from sklearn.datasets import fetch_20newsgroups

    folder = data_directory(data_dir)
    places = [folder, folder / "20newsgroups"]
    place = next((p for p in places if list(p.glob("20news-bydate*.pkz"))), None)
    if place is None:
        place = open_folder(places[1])
    try:
        parts = [fetch_20newsgroups(data_home=place, subset=name) for name in ("train", "test")]
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise MissingDataError(
            f"20 Newsgroups was not found in {places[1]} and could not be downloaded ({error}). "
            "Run sklearn.datasets.fetch_20newsgroups(data_home=...) where there is a network, and "
            f"put its 20news-bydate_py3.pkz there, or name its folder with --data-dir or {VARIABLE}"
        ) from error
    train, test = ((list(part.data), np.asarray(part.target)) for part in parts)
    return train, test


Images = tuple[np.ndarray, np.ndarray]


def mnist(data_dir: Path | None) -> tuple[Images, Images]:
    """MNIST: images [n, 28, 28] of 0 .. 255 and digits [n] of the training and the test part.

    LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86 (1998), 60,000 and 10,000 images in their order.
    """
    folder = data_directory(data_dir)
    places = [folder / "mnist.npz", folder / "mnist" / "mnist.npz"]
    path = next((p for p in places if p.is_file()), None)
    if path is None:
        path = places[1]
        try:
            with urllib.request.urlopen(MNIST_URL, timeout=30) as answer:
                content = answer.read()
        except (urllib.error.URLError, OSError) as error:
            raise MissingDataError(
                f"MNIST was not found in {path.parent} and could not be downloaded ({error}). "
                f"Fetch {MNIST_URL} and put mnist.npz at {path}, or name its folder with "
                f"--data-dir or {VARIABLE}"
            ) from error
        write_whole(open_folder(path.parent) / path.name, content)
    try:
        with np.load(path) as file:
            arrays = [file[name] for name in MNIST_ARRAYS]
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        arrays = []
    if hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest() != MNIST_SHA256:
        raise MissingDataError(
            f"{path} does not hold MNIST's images and digits (the SHA-256 of its arrays differs): "
            f"remove it, and it will be downloaded, or put the file from {MNIST_URL} there"
        )
    x, y, x_test, y_test = arrays
    return (x, y), (x_test, y_test)


def _download_member(url: str, member: str, path: Path) -> None:
    """One file out of a zip archive on the web, written whole or not at all."""
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:
            archive = zipfile.ZipFile(io.BytesIO(answer.read()))
        content = archive.read(member)
    except (urllib.error.URLError, OSError, zipfile.BadZipFile, KeyError) as error:
        raise MissingDataError(
            f"{member} was not found and could not be downloaded ({error}). Fetch {url}, unpack "
            f"it, and put {member} at {path}, or name its folder with --data-dir or {VARIABLE}"
        ) from error
    write_whole(open_folder(path.parent) / path.name, content)
