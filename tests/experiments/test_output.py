"""A closed or full standard output, or one of few characters, does not end a run."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from experiments import output

ROOT = Path(__file__).parents[2]


def full() -> io.TextIOWrapper:
    return Path("/dev/full").open("w", encoding="utf-8")


def unread() -> io.TextIOWrapper:
    """A pipe that nobody reads any more."""
    reading, writing = os.pipe()
    os.close(reading)
    return os.fdopen(writing, "w", encoding="utf-8")


def closed() -> io.TextIOWrapper:
    """A stream whose file was closed under it."""
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w", encoding="utf-8")
    os.close(writing)
    return stream


@pytest.mark.parametrize("stream", [full, unread, closed, lambda: None])
def test_a_run_goes_on_whatever_becomes_of_its_output(
    stream: Callable, toy, invoke, tmp_path, monkeypatch
) -> None:
    out, err = stream(), stream()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    output.secure()
    print("more than a buffer holds: " + "x" * 100_000)
    invoke("run", "toy", "--out", tmp_path)
    invoke("status", "--out", tmp_path)
    sys.stdout.flush()
    sys.stderr.flush()
    for one in (sys.stdout, sys.stderr, out, err):
        with suppress(AttributeError, OSError):
            one.close()
    assert (tmp_path / "toy-controlled-quick" / "SHA256SUMS").is_file()
    assert len(toy.ran) == 4


def test_what_an_encoding_lacks_is_written_as_an_escape(monkeypatch) -> None:
    raw = io.FileIO(os.memfd_create("out"), "r+")
    stream = io.TextIOWrapper(io.BufferedWriter(raw), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", stream)
    output.secure()
    print("± .5 – é")
    sys.stdout.flush()
    assert os.pread(raw.fileno(), 100, 0) == rb"\xb1 .5 \u2013 \xe9" + b"\n"
    sys.stdout.close()
    stream.close()


@pytest.mark.parametrize(
    "redirect", [">/dev/full", ">&-", ">&- 2>&-", "| true", "2>/dev/full"], ids=str
)
def test_the_command_line_ends_well_whatever_becomes_of_its_output(redirect: str) -> None:
    """In a locale without UTF-8, with a question asked in letters that it lacks."""
    code = "from experiments import discovery, __main__ as m\n"
    code += "m.discovery.NAMES = m.discovery.NAMES[:1]\n"
    code += "m.app.command('say')(lambda: m.typer.echo('\\u00b1' * 100_000) or print('\\u00b1'))\n"
    code += "m.main()"
    unbuffered = {"PYTHONUNBUFFERED": "1"} if redirect == ">/dev/full" else {}
    environment = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    environment.pop("PYTHONUNBUFFERED", None)
    environment |= unbuffered
    command = f'set -o pipefail; "$0" -c "$1" say {redirect}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, code],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr


def test_lines_are_no_wider_than_the_terminal(monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    rows = [("C1", "holds", "a word " * 20), ("C10", "does not hold", "b" * 120)]
    lines = output.columns(rows).splitlines()
    assert max(map(len, lines)) == 50
    assert lines[0].startswith("  C1   holds          a word")
    assert lines[1].startswith(" " * 22 + "a")
    assert output.columns([]) == ""
    monkeypatch.setenv("COLUMNS", "500")
    assert output.width() == 100
