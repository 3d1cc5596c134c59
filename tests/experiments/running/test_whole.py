"""Runs beside each other and runs cut short: a folder holds one run, whole or not finished."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.running import bound, runs, store
from experiments.running.bound import SUMS, DamagedError, bind, verified
from experiments.running.plans import BEGUN, identity_in
from experiments.running.store import PARTIAL
from experiments.running.stored import Wanted, check, find, runs_in

PLAIN = "toy-controlled-quick"
FILES = {"table.csv", "plan.json", "record.json", "toy.png", "toy.pdf"}


def contents(folder: Path) -> dict[str, bytes]:
    """What is bound in a folder, as it is."""
    return verified(folder)


def folders(out: Path) -> dict[str, Path]:
    return {path.parent.name: path.parent for path in out.glob("*/record.json")}


# A run's folder is its settings.


def test_ten_ablations_leave_ten_tables(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--out", tmp_path)
    plain = contents(tmp_path / PLAIN)
    for scale in range(2, 6):
        invoke("run", "toy", "--set", f"scale={scale}", "--out", tmp_path)
    for seed in (1, 2):
        invoke("run", "toy", "--seed", seed, "--out", tmp_path)
    invoke("run", "toy", "--seed", 1, "--set", "scale=2", "--out", tmp_path)
    for grid in ("scale=1,2", "scale=2,3"):
        invoke("sweep", "toy", "--grid", grid, "--out", tmp_path)
    found = folders(tmp_path)
    assert len(found) == 10
    assert len({(folder / "table.csv").read_bytes() for folder in found.values()}) == 10
    assert contents(tmp_path / PLAIN) == plain
    named = {name.rpartition("-")[0] for name in found if name != PLAIN}
    assert {f"{PLAIN}-scale=2.0", f"{PLAIN}-seed=1", f"{PLAIN}-scale=2.0-seed=1"} <= named
    assert f"{PLAIN}-sweep-scale=1,2" in named


def test_settings_beyond_what_a_name_shows_have_folders_of_their_own(toy, invoke, tmp_path) -> None:
    cells = ",".join(map(str, range(30)))
    for last in (30, 31):
        invoke("run", "toy", "--set", f"cells={cells},{last}", "--out", tmp_path)
    assert len({name.rpartition("-")[0] for name in folders(tmp_path)}) == 1
    assert len(folders(tmp_path)) == 2
    assert all(len(name) < 100 for name in folders(tmp_path))


def test_a_named_folder_is_not_given_to_other_settings(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--name", "mine", "--set", "scale=2", "--out", tmp_path)
    before = contents(tmp_path / "mine")
    invoke("run", "toy", "--name", "mine", "--set", "scale=2", "--out", tmp_path)
    for other in (["--set", "scale=3"], ["--set", "scale=2", "--seed", "1"], []):
        with pytest.raises(UserError, match=r"mine holds a run with other settings \(s.*--name"):
            invoke("run", "toy", "--name", "mine", *other, "--out", tmp_path)
    with pytest.raises(UserError, match="other settings"):
        invoke("sweep", "toy", "--name", "mine", "--grid", "scale=2", "--out", tmp_path)
    assert contents(tmp_path / "mine") == before
    assert sorted(toy.ran) == [0, 1, 2, 3]


def test_a_run_that_was_begun_keeps_its_folder(toy, invoke, tmp_path) -> None:
    with pytest.raises(UserError):
        invoke("run", "toy", "--name", "mine", "--set", "fails=2,", "--out", tmp_path)
    with pytest.raises(UserError, match="other settings"):
        invoke("run", "toy", "--name", "mine", "--out", tmp_path)


def test_a_plain_run_is_not_overwritten_when_its_preset_was_edited(
    toy, invoke, tmp_path, monkeypatch
) -> None:
    invoke("run", "toy", "--out", tmp_path)
    monkeypatch.setattr(toy, "PRESETS", {("controlled", "quick"): toy.Settings(scale=9.0)})
    with pytest.raises(UserError, match=r"scale=1\.0, now 9\.0"):
        invoke("run", "toy", "--out", tmp_path)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "/tmp", ".hidden", "shards", "a b", "ä\n"])
def test_names_that_are_no_folders_are_refused(name, toy, invoke, tmp_path) -> None:
    with pytest.raises(UserError, match="cannot be the name of a run's folder"):
        invoke("run", "toy", "--name", name, "--out", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_does_not_say_what_it_holds_is_left(toy, invoke, tmp_path) -> None:
    (tmp_path / PLAIN).mkdir()
    (tmp_path / PLAIN / "record.json").write_text('{"experiment": "toy"}')
    with pytest.raises(UserError, match="does not say its settings"):
        invoke("run", "toy", "--out", tmp_path)


# Whole or not done.


@pytest.fixture
def writes(monkeypatch: pytest.MonkeyPatch) -> Callable[[int | None], list[str]]:
    """Kills the run at the n-th change of a file, from 1; gives the list of changes."""

    def start(last: int | None) -> list[str]:
        made: list[str] = []

        def counted(module, name: str) -> None:
            real = getattr(module, f"_real_{name}", getattr(module, name))
            monkeypatch.setattr(module, f"_real_{name}", real, raising=False)

            def change(path: Path, *arguments: object) -> None:
                made.append(f"{name} {path.name}")
                if len(made) == last:
                    raise Killed
                real(path, *arguments)

            monkeypatch.setattr(module, name, change)

        counted(bound, "replace_file")
        counted(bound, "write_whole")
        counted(bound, "_remove")
        counted(runs, "write_whole")
        counted(runs, "_finished")
        return made

    return start


class Killed(BaseException):
    """What nothing catches, as a kill."""


def test_a_run_killed_between_any_two_writes_ends_as_one_that_was_not(
    toy, invoke, tmp_path, writes, monkeypatch
) -> None:
    monkeypatch.setattr("experiments.running.shards.source_hash", lambda name: "new")
    monkeypatch.setattr("experiments.running.runs.source_hash", lambda name: "new")
    monkeypatch.setattr("experiments.running.execute.source_hash", lambda name: "new")
    still = {"seconds": 1.0, "started": "then", "process": 1}
    real = runs.complete

    def timeless(*arguments):
        return [(table, record | still) for table, record in real(*arguments)]

    monkeypatch.setattr(runs, "complete", timeless)
    # Over a finished run of an earlier source, whose numbers were others.
    made = writes(None)
    run = ("run", "toy", "--name", "mine", "--out")
    old = tmp_path / "old"
    invoke(*run, old)
    earlier = contents(old / "mine")
    monkeypatch.setattr(toy, "run", doubled(toy.run))
    for place in ("shards", "runs", "execute"):
        monkeypatch.setattr(f"experiments.running.{place}.source_hash", lambda name: "newer")
    made.clear()
    invoke(*run, old)
    undisturbed = contents(old / "mine")
    assert set(undisturbed) == FILES
    assert all(undisturbed[name] != earlier[name] for name in ("table.csv", "plan.json"))
    assert made[0] == f"write_whole {BEGUN}"
    assert made[1] == f"_remove {SUMS}"
    assert made[-2:] == [f"write_whole {SUMS}", f"_finished {BEGUN}"]
    assert len(made) == len(FILES) + 4
    for last in range(1, len(made) + 1):
        out = tmp_path / str(last)
        (out / "mine").mkdir(parents=True)
        for name, content in (earlier | {SUMS: bound.sums(earlier)}).items():
            (out / "mine" / name).write_bytes(content)
        writes(last)
        with pytest.raises(Killed):
            invoke(*run, out)
        # The earlier run, whole, or the later, whole, or none.
        finished = runs_in(out)
        assert [contents(run.folder) for run in finished] in ([earlier], [undisturbed], [])
        assert bool(finished) == (last <= 2 or last == len(made))
        writes(None)
        invoke(*run, out)
        assert contents(out / "mine") == undisturbed
        assert not (out / "mine" / BEGUN).exists()
        assert not list(out.rglob(f"{PARTIAL}*"))


def doubled(run):
    def twice(settings, context):
        table = run(settings, context)
        return table.assign(value=2 * table["value"])

    return twice


def test_a_second_run_of_the_same_writes_nothing(toy, invoke, tmp_path, writes) -> None:
    invoke("run", "toy", "--out", tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / PLAIN).iterdir()}
    made = writes(None)
    invoke("run", "toy", "--out", tmp_path)
    assert made == [f"write_whole {BEGUN}", f"_finished {BEGUN}"]
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / PLAIN).iterdir()} == before


@pytest.mark.parametrize("name", [*sorted(FILES), SUMS])
def test_a_changed_or_missing_file_is_named_and_mended_by_the_same_command(
    name, toy, invoke, tmp_path, capsys
) -> None:
    invoke("run", "toy", "--out", tmp_path)
    whole = contents(tmp_path / PLAIN)
    path = tmp_path / PLAIN / name
    content = path.read_bytes()
    for damaged in (content[:-1], content[:50] + b"X" + content[51:], None):
        path.unlink() if damaged is None else path.write_bytes(damaged)
        if damaged is not None or name != SUMS:
            with pytest.raises(DamagedError, match=name):
                check(tmp_path)
            with pytest.raises(UserError, match=rf"this is damaged:\s.*{name}"):
                invoke("status", "--out", tmp_path)
            with pytest.raises(UserError, match=name):
                invoke("report", "--out", tmp_path)
        else:
            assert runs_in(tmp_path) == []
            invoke("status", "--out", tmp_path)
            assert f"{PLAIN}: not finished, of 4 shards 4 done" in capsys.readouterr().out
        invoke("run", "toy", "--out", tmp_path)
        assert contents(tmp_path / PLAIN) == whole
    assert len(toy.ran) == 4


def test_sums_are_those_of_sha256sum(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--out", tmp_path)
    done = subprocess.run(
        ["sha256sum", "-c", SUMS], cwd=tmp_path / PLAIN, capture_output=True, text=True, check=True
    )
    assert {line.removesuffix(": OK") for line in done.stdout.splitlines()} == FILES


@pytest.mark.parametrize(
    "sums",
    [b"", b"\xff\xfe", b"x  table.csv\n", b"0" * 64 + b"  ../table.csv\n", b"0" * 64 + b"\n"],
)
def test_sums_of_another_shape_are_damage(sums, tmp_path) -> None:
    (tmp_path / SUMS).write_bytes(sums)
    with pytest.raises(DamagedError, match=SUMS):
        verified(tmp_path)


def test_pictures_of_before_go_with_the_run_they_were_drawn_of(tmp_path) -> None:
    bind(tmp_path, {"table.csv": b"1", "old.png": b"2"})
    (tmp_path / "mine.txt").write_text("a note")
    bind(tmp_path, {"table.csv": b"3", "new.png": b"4"})
    assert {p.name for p in tmp_path.iterdir()} == {"table.csv", "new.png", "mine.txt", SUMS}


def test_all_that_is_written_is_brought_to_the_disk(toy, invoke, tmp_path, monkeypatch) -> None:
    """By the time a name stands in its folder, what it names is on the disk, and then the name."""
    synced: list[str] = []
    real = os.fsync

    def fsync(descriptor: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    invoke("run", "toy", "--out", tmp_path)
    names = [Path(path).name for path in synced]
    assert {*FILES, SUMS, BEGUN} <= set(names)
    folder = str(tmp_path / PLAIN)
    for name in (*FILES, SUMS):
        at = max(i for i, path in enumerate(synced) if Path(path).name == name)
        assert folder in synced[at:], f"{name}: its folder was not synced after it"
    last = {name: max(i for i, other in enumerate(names) if other == name) for name in names}
    assert folder in synced[max(last[name] for name in FILES) : last[SUMS]], "sums came too early"
    assert names.count("shards") == 4
    assert names.index("record.json") < names.index("shards")


# What cannot be read for the moment is not damaged.


@pytest.mark.parametrize("code", [errno.EMFILE, errno.EIO, errno.EACCES, errno.ENOMEM])
@pytest.mark.parametrize("where", ["shards", PLAIN])
def test_what_cannot_be_read_for_the_moment_stops_the_run_and_is_left(
    code, where, toy, invoke, tmp_path, monkeypatch
) -> None:
    invoke("run", "toy", "--out", tmp_path)
    before = {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()}
    real = Path.read_bytes

    def failing(path: Path) -> bytes:
        if path.name == "table.csv" and where in path.parts:
            raise OSError(code, os.strerror(code), str(path))
        return real(path)

    monkeypatch.setattr(Path, "read_bytes", failing)
    for command in ("run", "status", "report"):
        arguments = ["toy"] if command == "run" else []
        if command == "report" and where == "shards":
            continue  # It reads no shards.
        with pytest.raises(UserError, match="cannot be read for the moment") as stopped:
            invoke(command, *arguments, "--out", tmp_path)
        assert not isinstance(stopped.value, DamagedError)
    monkeypatch.undo()
    (tmp_path / PLAIN / BEGUN).unlink()
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before


def test_a_pool_that_may_not_be_looked_into_stops_the_run(toy, invoke, tmp_path, monkeypatch):
    invoke("run", "toy", "--out", tmp_path)
    real = Path.stat

    def forbidden(path: Path, **options: object) -> os.stat_result:
        if path.name.startswith("toy-") and path.parent.name == "shards":
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **options)

    monkeypatch.setattr(Path, "stat", forbidden)
    with pytest.raises(UserError, match="cannot be read for the moment"):
        invoke("run", "toy", "--out", tmp_path)
    monkeypatch.undo()
    assert len(toy.ran) == 4
    assert not list(tmp_path.rglob("*.damaged-*"))


def test_a_shard_under_anothers_name_is_damage(toy, invoke, tmp_path, capsys) -> None:
    invoke("run", "toy", "--out", tmp_path)
    table = (tmp_path / PLAIN / "table.csv").read_bytes()
    one, other, *_ = sorted((tmp_path / "shards").iterdir())
    for path in one.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    with pytest.raises(UserError, match=f"{other.name} holds another shard, {one.name}"):
        invoke("status", "--out", tmp_path)
    invoke("run", "toy", "--out", tmp_path)
    assert len(toy.ran) == 5
    assert (tmp_path / PLAIN / "table.csv").read_bytes() == table


# What killed runs had begun to write.


def test_partial_files_of_processes_that_are_no_more_are_removed(toy, invoke, tmp_path) -> None:
    process = subprocess.Popen(["true"])
    process.wait()
    gone = [f"{PARTIAL}{store._host()}-{process.pid}-abc"]
    old = [f"{PARTIAL}elsewhere-1-old", f"{PARTIAL}old"]
    kept = [f"{PARTIAL}{store._host()}-{os.getpid()}-abc", f"{PARTIAL}elsewhere-1-abc"]
    places = [tmp_path / "shards", tmp_path / PLAIN]
    for place in places:
        for name in gone + old + kept:
            (place / name).mkdir(parents=True)
            (place / name / "table.csv").write_text("half")
        for name in old:
            os.utime(place / name, (0, time.time() - store.OLD - 60))
    invoke("run", "toy", "--out", tmp_path)
    for place in places:
        assert sorted(p.name for p in place.glob(f"{PARTIAL}*")) == sorted(kept)


def test_status_tells_settings_progress_and_the_time_left(toy, invoke, tmp_path, capsys) -> None:
    invoke("run", "toy", "--out", tmp_path)
    with pytest.raises(UserError):
        invoke("run", "toy", "--seed", 3, "--set", "fails=2,", "--out", tmp_path)
    for path in (tmp_path / "shards").glob("*/record.json"):
        record = json.loads(path.read_text()) | {"seconds": 120.0}
        path.write_text(json.dumps(record))
        table = path.with_name("table.csv").read_bytes()
        files = {"table.csv": table, "record.json": path.read_bytes()}
        path.with_name(SUMS).write_bytes(bound.sums(files))
    done = len(toy.ran) - 4
    capsys.readouterr()
    invoke("status", "--out", tmp_path)
    first, second, third, fourth, *_ = capsys.readouterr().out.splitlines()
    assert first == f"{PLAIN}: finished, of 4 shards 4 done"
    assert second == "  settings: those of the preset"
    assert third.startswith(f"{PLAIN}-fails=2-seed=3-")
    left = f", about {2 * (4 - done)} minutes of computing left" if done else ""
    assert third.endswith(f": not finished, of 4 shards {done} done, {4 - done} missing{left}")
    assert fourth == "  settings: fails=2, --seed 3"
    assert identity_in(tmp_path / PLAIN)["seeds"] == [0]
    assert find(Wanted("toy", "controlled"), [tmp_path]).folder.name == PLAIN
