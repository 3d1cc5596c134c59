"""Settings, data and files: what is read is checked, what is written is whole."""

from __future__ import annotations

import errno
import hashlib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from experiments.errors import MissingDataError, UserError
from experiments.running import data, store
from experiments.running.context import Context
from experiments.running.settings import change, choose


@dataclass(frozen=True)
class Example:
    rates: tuple[float, ...] = (0.0, 0.5)
    names: tuple[str, ...] = ("a",)
    width: int = 3
    noise: float = 1.0
    fast: bool = True


def test_assignments_change_fields_of_every_type() -> None:
    changed = change(Example(), ["rates=0,0.25,1", "names=b,c", "width=7", "noise=2", "fast=False"])
    assert changed == Example((0.0, 0.25, 1.0), ("b", "c"), 7, 2.0, False)
    assert change(Example(), ["rates=0.5"]).rates == (0.5,)
    assert change(Example(), ["names=b,", "rates=0.5,"]) == Example(names=("b",), rates=(0.5,))
    assert all(isinstance(r, float) for r in changed.rates)


@pytest.mark.parametrize("text", ["width=2.5", "rates=a,b", "noise=much", "fast=1", "names=1"])
def test_values_of_another_type_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="expected something like"):
        change(Example(), [text])


def test_the_first_protocol_is_the_default() -> None:
    presets = {("a", "quick"): 1, ("a", "paper"): 2, ("b", "quick"): 3}
    assert choose(presets, protocol=None, preset="paper") == ("a", 2)
    assert choose(presets, protocol="b", preset="quick") == ("b", 3)


def test_repeats_of_different_run_seeds_share_no_seed() -> None:
    assert not set(Context(seed=0).seeds(1000)) & set(Context(seed=1).seeds(1000))


def test_a_full_disk_is_named_and_keeps_what_was_there(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "table.csv"
    store.write_whole(path, "old")

    def full(self, content):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(UserError, match=r"No space left on device.*untouched"):
        store.write_whole(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_data_is_downloaded_whole_and_checked(tmp_path: Path, monkeypatch) -> None:
    archive = tmp_path / "bike.zip"
    with zipfile.ZipFile(archive, "w") as z:
        z.writestr("hour.csv", "not,the,published\n1,2,3\n")
    monkeypatch.setattr(data, "BIKE_URL", archive.as_uri())
    with pytest.raises(MissingDataError, match="SHA-256"):
        data.bike_sharing(tmp_path / "data")
    assert (tmp_path / "data" / "bike_sharing" / "hour.csv").exists()
    monkeypatch.setattr(
        data, "BIKE_SHA256", hashlib.sha256(b"not,the,published\n1,2,3\n").hexdigest()
    )
    assert list(data.bike_sharing(tmp_path / "data").columns) == ["not", "the", "published"]


def test_missing_data_says_what_to_fetch_and_where_to_put_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(data, "BIKE_URL", (tmp_path / "nowhere.zip").as_uri())
    with pytest.raises(MissingDataError, match=r"put hour\.csv at .*--data-dir"):
        data.bike_sharing(tmp_path)


def test_the_data_directory_is_the_option_then_the_variable_then_a_cache(monkeypatch) -> None:
    monkeypatch.setenv(data.VARIABLE, "/by/variable")
    assert data.data_directory(Path("/by/option")) == Path("/by/option")
    assert data.data_directory(None) == Path("/by/variable")
    monkeypatch.delenv(data.VARIABLE)
    assert data.data_directory(None) == data.CACHE


def test_missing_documents_say_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, monkeypatch
) -> None:
    def unreachable(**_: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("sklearn.datasets.fetch_20newsgroups", unreachable)
    with pytest.raises(MissingDataError, match=r"fetch_20newsgroups.*--data-dir"):
        data.twenty_newsgroups(tmp_path)


def test_documents_come_in_the_order_of_scikit_learn(data_dir: Path) -> None:
    (texts, classes), (test_texts, test_classes) = data.twenty_newsgroups(data_dir)
    # Counts and first targets of scikit-learn's own documentation.
    assert (len(texts), len(test_texts)) == (11_314, 7_532)
    assert classes[:3].tolist() == [7, 4, 4]
    assert len(classes) == len(texts)
    assert len(test_classes) == len(test_texts)


def test_images_are_downloaded_whole_and_checked(tmp_path: Path, monkeypatch) -> None:
    arrays = {name: np.arange(i + 1, dtype=np.uint8) for i, name in enumerate(data.MNIST_ARRAYS)}
    np.savez(tmp_path / "small.npz", **arrays)
    monkeypatch.setattr(data, "MNIST_URL", (tmp_path / "small.npz").as_uri())
    with pytest.raises(MissingDataError, match="SHA-256"):
        data.mnist(tmp_path / "data")
    assert (tmp_path / "data" / "mnist" / "mnist.npz").exists()
    content = b"".join(a.tobytes() for a in arrays.values())
    monkeypatch.setattr(data, "MNIST_SHA256", hashlib.sha256(content).hexdigest())
    (x, y), (x_test, y_test) = data.mnist(tmp_path / "data")
    assert [len(a) for a in (x, y, x_test, y_test)] == [1, 2, 3, 4]


def test_missing_or_damaged_images_say_what_to_fetch(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(data, "MNIST_URL", (tmp_path / "nowhere.npz").as_uri())
    with pytest.raises(MissingDataError, match=r"put mnist\.npz at .*--data-dir"):
        data.mnist(tmp_path)
    (tmp_path / "mnist.npz").write_bytes(b"no archive")
    with pytest.raises(MissingDataError, match="remove it"):
        data.mnist(tmp_path)


def test_images_of_digits_come_in_their_published_order(data_dir: Path) -> None:
    (x, y), (x_test, y_test) = data.mnist(data_dir)
    assert (x.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert (len(y), len(y_test)) == (60_000, 10_000)
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
