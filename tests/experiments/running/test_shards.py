"""Shards: named by what they are, kept whole, and missed when damaged."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import discovery
from experiments.errors import StoppedError, UserError
from experiments.questions import decay_law
from experiments.running import store
from experiments.running.execute import Resources, compute
from experiments.running.settings import differences, from_file, grid
from experiments.running.shards import read, save, split
from experiments.running.status import progress
from experiments.running.stored import runs_in

FOLDER = "toy-controlled-quick"


def table(out: Path, folder: str = FOLDER) -> str:
    return (out / folder / "table.csv").read_text()


def status(invoke, out: Path, capsys) -> str:
    """What is said of a folder where something is damaged."""
    capsys.readouterr()
    with pytest.raises(UserError, match="this is damaged"):
        invoke("status", "--out", out)
    return capsys.readouterr().out


def kept(out: Path) -> list[Path]:
    return sorted(p for p in (out / "shards").iterdir() if "." not in p.name)


def test_names_follow_settings_seed_and_source() -> None:
    settings = decay_law.Settings()
    one, *others = split("decay_law", settings, seed=0)
    assert split("decay_law", settings, seed=0)[0].name == one.name
    names = {one.name, *(shard.name for shard in others)}
    assert len(names) == 4
    assert split("decay_law", settings, seed=1)[0].name not in names
    assert split("decay_law", replace(settings, width=65), seed=0)[0].name not in names
    assert replace(one, source="other").name not in names
    assert replace(one, data=(("mnist", "0"),)).name not in names
    assert replace(one, versions=(("torch", "1.0"),)).name not in names
    assert replace(one, label="other").name in names


READ = {
    "bike_sharing(": "bike_sharing",
    "bike_task(": "bike_sharing",
    "mnist(": "mnist",
    "twenty_newsgroups(": "20newsgroups",
    "sentence_encoder(": "sentence_encoder",
    "r_table(": "r_tables",
}


@pytest.mark.parametrize("name", discovery.NAMES)
def test_a_question_names_the_data_it_reads(name: str) -> None:
    source = (discovery.FOLDER / f"{name}.py").read_text()
    if "from ..data_sets import" in source:
        source += (discovery.FOLDER.parent / "data_sets.py").read_text()
    read = {data for call, data in READ.items() if call in source}
    assert set(getattr(discovery.load(name), "DATA", ())) == read


def test_other_data_are_other_shards_and_come_back_with_the_data(
    toy, invoke, tmp_path, monkeypatch
) -> None:
    """Also the texts halved, a run, and the texts put back."""
    monkeypatch.setattr(toy, "DATA", ("texts",), raising=False)

    def read(content: str) -> str:
        monkeypatch.setattr("experiments.running.shards.fingerprint", lambda name, place: content)
        monkeypatch.setattr(toy, "run", scaled(len(content)))
        invoke("run", "toy", "--out", tmp_path)
        return table(tmp_path)

    run = toy.run

    def scaled(factor: int):
        def measured(settings, context):
            out = run(settings, context)
            return out.assign(value=factor * out["value"])

        return measured

    whole, half = read("texts"), read("te")
    assert whole != half
    assert len(toy.ran) == 8
    assert read("texts") == whole
    assert len(toy.ran) == 8
    records = [json.loads((p / "record.json").read_text()) for p in kept(tmp_path)]
    assert {record["data"]["texts"] for record in records} == {"texts", "te"}


@pytest.mark.parametrize("what", ["versions", "data"])
def test_a_worker_of_other_versions_or_data_is_refused(what, toy, tmp_path) -> None:
    shard = replace(split("toy", toy.Settings(), seed=0)[0], **{what: (("torch", "0.1"),)})
    with pytest.raises(UserError, match=f"has other {what} than the run.*'torch': '0.1'"):
        compute(shard, tmp_path, "cpu", None, 1, None)
    assert toy.ran == []


def test_other_versions_are_other_shards(toy, invoke, tmp_path, monkeypatch) -> None:
    invoke("run", "toy", "--out", tmp_path)
    newer = store.versions() | {"torch": "99.0"}
    monkeypatch.setattr(store, "versions", lambda: newer)
    invoke("run", "toy", "--out", tmp_path)
    assert len(toy.ran) == 8
    invoke("run", "toy", "--out", tmp_path)
    assert len(toy.ran) == 8


def test_what_was_left_out_for_want_of_xgboost_is_no_full_run(
    toy, invoke, tmp_path, monkeypatch
) -> None:
    """A run without trees says so in its settings, and is another than the one that has them."""
    monkeypatch.setattr(
        toy, "shards", lambda s: [replace(s, cells=(c,), scale=s.scale, fails=()) for c in s.cells]
    )
    invoke("run", "toy", "--set", "fails=9,", "--out", tmp_path)
    (run,) = runs_in(tmp_path)
    assert run.record["settings"]["fails"] == []


@pytest.mark.parametrize("name", discovery.NAMES)
def test_shards_of_every_preset_are_distinct_and_their_own_shards(name: str) -> None:
    module = discovery.load(name)
    for settings in module.PRESETS.values():
        shards = split(name, settings, seed=0)
        assert len({shard.name for shard in shards}) == len(shards)
        for shard in shards:
            (again,) = split(name, shard.settings, seed=0)
            assert again == shard


def test_a_run_is_its_shards_and_a_second_computes_nothing(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--out", tmp_path)
    assert sorted(toy.ran) == [0, 1, 2, 3]
    first = table(tmp_path)
    assert first == pd.concat(
        [read(tmp_path / "shards", s.name)[0] for s in split("toy", toy.Settings(), seed=0)]
    ).to_csv(index=False)
    invoke("run", "toy", "--out", tmp_path)
    assert len(toy.ran) == 4
    assert table(tmp_path) == first
    invoke("run", "toy", "--set", "cells=1,2,7", "--out", tmp_path)
    assert toy.ran[4:] == [7]


def test_an_experiment_without_shards_is_one(toy, invoke, tmp_path, monkeypatch) -> None:
    invoke("run", "toy", "--out", tmp_path / "four")
    monkeypatch.delattr(toy, "shards")
    invoke("run", "toy", "--out", tmp_path / "one")
    assert len(kept(tmp_path / "one")) == 1
    assert table(tmp_path / "one") == table(tmp_path / "four")


def test_a_shard_is_open_and_says_where_it_comes_from(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--out", tmp_path, "--seed", 3)
    for folder in kept(tmp_path):
        record = json.loads((folder / "record.json").read_text())
        assert record["seed"] == 3
        assert record["rows"] == len(pd.read_csv(folder / "table.csv")) == 3
        for key in ("settings", "source", "commit", "versions", "host", "device", "threads"):
            assert key in record
        assert (folder / "SHA256SUMS").read_text().count("\n") == 2
    (path,) = tmp_path.glob(f"{FOLDER}-seed=3-*/record.json")
    run = json.loads(path.read_text())
    assert set(run["shards"]) == {folder.name for folder in kept(tmp_path)}


DAMAGES = {
    "truncated table": lambda f: (f / "table.csv").write_bytes((f / "table.csv").read_bytes()[:-9]),
    "a changed digit": lambda f: (f / "table.csv").write_text(
        (f / "table.csv").read_text().replace("0", "1", 1)
    ),
    "empty record": lambda f: (f / "record.json").write_text(""),
    "no table": lambda f: (f / "table.csv").unlink(),
    "truncated sums": lambda f: (f / "SHA256SUMS").write_text(""),
    "bytes": lambda f: (f / "table.csv").write_bytes(bytes(range(256))),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
def test_a_damaged_shard_is_reported_set_aside_and_computed_anew(
    damage, toy, invoke, tmp_path, capsys
) -> None:
    invoke("run", "toy", "--out", tmp_path)
    before = table(tmp_path)
    damage(kept(tmp_path)[1])
    shown = status(invoke, tmp_path, capsys)
    assert "3 done" in shown
    assert "1 damaged" in shown
    invoke("run", "toy", "--out", tmp_path)
    assert "damaged, set aside as" in capsys.readouterr().out
    assert len(toy.ran) == 5
    assert table(tmp_path) == before
    assert len(list((tmp_path / "shards").glob("*.damaged-*"))) == 1
    assert len(kept(tmp_path)) == 4


def test_the_first_to_finish_a_shard_stays(toy, tmp_path) -> None:
    shard = split("toy", toy.Settings(), seed=0)[0]
    record = {"shard": shard.name, "types": {"x": "int64"}}
    save(tmp_path, shard, "x\n1\n", record | {"who": "first"})
    save(tmp_path, shard, "x\n1\n", record | {"who": "second"})
    assert json.loads((tmp_path / shard.name / "record.json").read_text())["who"] == "first"
    assert [p.name for p in tmp_path.iterdir()] == [shard.name]


def test_ctrl_c_keeps_what_is_finished_and_says_how_to_go_on(toy, invoke, tmp_path, capsys) -> None:
    with pytest.raises(StoppedError, match="the same command goes on") as stopped:
        invoke("run", "toy", "--set", "fails=2,", "--out", tmp_path)
    assert stopped.value.status == 130
    assert len(kept(tmp_path)) == len(toy.ran) < 4
    capsys.readouterr()
    invoke("status", "--out", tmp_path)
    shown = capsys.readouterr().out
    assert f"of 4 shards {len(toy.ran)} done, {4 - len(toy.ran)} missing" in shown
    assert "missing, cells=2" in shown
    assert "to go on: python -m experiments run toy --set fails=2," in shown
    assert "settings: fails=2," in shown
    # Shards run in random order: with none finished there is no log yet.
    (folder,) = tmp_path.glob(f"{FOLDER}-fails=2-*")
    log = folder / "log.txt"
    assert (log.read_text() if toy.ran else "").count("cells=") == len(toy.ran)


def test_status_sees_a_changed_source_and_a_folder_without_runs(
    toy, invoke, tmp_path, capsys, monkeypatch
) -> None:
    invoke("status", "--out", tmp_path)
    assert "no run was started" in capsys.readouterr().out
    invoke("run", "toy", "--out", tmp_path)
    monkeypatch.setattr("experiments.running.status.source_hash", lambda name: "edited")
    invoke("status", "--out", tmp_path)
    assert "the source has changed since" in capsys.readouterr().out


def test_a_sweep_is_one_table_with_a_column_per_axis(toy, invoke, tmp_path) -> None:
    grid = ["--grid", "scale=1,2", "--grid", "cells=0,3"]
    invoke("sweep", "toy", *grid, "--seeds", "5,6", "--out", tmp_path)
    (folder,) = tmp_path.glob(f"{FOLDER}-sweep-scale=1,2-cells=0,3-seed=5,6-*")
    swept = pd.read_csv(folder / "table.csv")
    assert list(swept.columns) == ["scale", "cells", "seed", "cell", "repeat", "value"]
    assert len(swept) == len(swept.drop_duplicates()) == 2 * 2 * 2 * 3
    assert (swept["cells"] == swept["cell"]).all()
    values = swept.set_index(["scale", "cells", "seed", "repeat"])["value"]
    # Pandas reads the last digit differently from version to version.
    np.testing.assert_allclose(values[2], 2 * values[1], rtol=1e-15)
    assert len(toy.ran) == 8
    # A run shares the shards of a sweep, and a point in common is computed once.
    invoke("run", "toy", "--seed", 5, "--out", tmp_path)
    assert sorted(toy.ran[8:]) == [1, 2]
    assert (folder / "record.json").exists()


def test_a_grid_has_every_combination_once() -> None:
    points = grid(decay_law.Settings(), ["rates=0,0.25", "width=8,16"])
    assert [at for at, _ in points] == [
        {"rates": r, "width": w} for r in (0.0, 0.25) for w in (8, 16)
    ]
    assert points[2][1] == decay_law.Settings(rates=(0.25,), width=8)
    assert grid(decay_law.Settings(), []) == [({}, decay_law.Settings())]


def test_settings_from_a_file_or_a_record(tmp_path) -> None:
    path = tmp_path / "settings.json"
    path.write_text(json.dumps({"rates": [0, 0.5], "width": 8}))
    changed = from_file(decay_law.Settings(), path)
    assert changed == decay_law.Settings(rates=(0.0, 0.5), width=8)
    assert differences(changed, decay_law.Settings()) == "rates=0.0,0.5 width=8"
    path.write_text(json.dumps({"experiment": "decay_law", "settings": {"width": 9}}))
    assert from_file(decay_law.Settings(), path).width == 9


FILES = {
    '{"depht": 2}': "unknown field 'depht' in .*settings.json; did you mean 'depth'",
    '{"depth": "deep"}': "something like depth=2",
    '{"rates": [1.0]}': r"must lie in \[0, 1\)",
    "{": "is not JSON",
    "[1]": "must hold fields",
    None: "cannot be read",
}


@pytest.mark.parametrize(("content", "message"), FILES.items())
def test_mistakes_in_a_settings_file_are_named(content, message, invoke, tmp_path) -> None:
    path = tmp_path / "settings.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UserError, match=message):
        invoke("run", "decay_law", "--settings", path, "--out", tmp_path / "out")


def test_a_full_disk_ends_the_run_and_keeps_the_finished(toy, invoke, small_disk) -> None:
    cells = "cells=" + ",".join(map(str, range(200)))
    invoke("run", "toy", "--set", "cells=0,1", "--out", small_disk)
    before = {p: p.read_bytes() for p in small_disk.rglob("*") if p.is_file()}
    filler = small_disk / "filler"
    filler.write_bytes(b"x" * 700_000)
    with pytest.raises(UserError, match=r"No space left on device.*goes on from there") as full:
        invoke("run", "toy", "--set", cells, "--out", small_disk)
    assert full.value.status != 0
    wanted = split("toy", toy.Settings(cells=tuple(range(200))), seed=0)
    state = progress(small_disk / "shards", {s.name: s.label for s in wanted})
    assert 2 < len(state.seconds) < 200
    assert len(state.missing) == 200 - len(state.seconds)
    for path, content in before.items():
        if path.parent.parent.name == "shards":
            assert path.read_bytes() == content
    assert not list((small_disk / "shards").glob(".partial-*"))
    filler.unlink()
    computed = len(toy.ran)
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    invoke("run", "toy", "--set", cells, "--out", small_disk)
    # The one that met the end of the disk is computed again, none else.
    assert len(toy.ran) - computed <= len(state.missing)
    assert sorted(set(toy.ran)) == list(range(200))


def test_a_disk_that_can_only_be_read_is_named_and_its_status_shown(
    toy, invoke, small_disk, capsys
) -> None:
    invoke("run", "toy", "--out", small_disk)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(UserError, match="cannot be written"):
        invoke("run", "toy", "--set", "scale=2", "--out", small_disk)
    capsys.readouterr()
    invoke("status", "--out", small_disk)
    assert "of 4 shards 4 done" in capsys.readouterr().out


def test_processes_share_the_threads_of_the_machine(monkeypatch) -> None:
    monkeypatch.setattr("torch.get_num_threads", lambda: 8)
    assert [Resources(workers=w).threads for w in (1, 2, 3, 16)] == [8, 4, 2, 1]
    assert Resources(scheduler="tcp://host:8786").threads is None


def test_workers_take_the_gpus_in_turn(monkeypatch) -> None:
    from experiments.running import context

    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setattr("torch.empty", lambda *_, device: device)
    process = context.multiprocessing.current_process()
    taken = []
    for name in ("MainProcess", "LokyProcess-1", "LokyProcess-2", "LokyProcess-3"):
        monkeypatch.setattr(process, "_name", name)
        taken.append(str(context.pick_device("auto")))
    assert taken == ["cuda:0", "cuda:0", "cuda:1", "cuda:0"]
    assert str(context.pick_device("cuda:1")) == "cuda:1"
