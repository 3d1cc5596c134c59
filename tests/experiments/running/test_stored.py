"""Runs that lie in folders: the best budget of the first folder, read as it was written."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pandas as pd
import pytest

from experiments import discovery
from experiments.errors import UserError
from experiments.running.stored import BEST_FIRST, Run, Wanted, find, runs_in
from experiments.running.tables import encode

TABLE = pd.DataFrame({"order": ["1", "2"], "x": [0.1, 0.2], "n": [1, 2]})


def store(folder: Path, preset: str, *, typed: bool = True, **record: object) -> Path:
    """A finished run of the question decay_law."""
    run = folder / f"decay_law-controlled-{preset}"
    run.mkdir(parents=True)
    text, types = encode(TABLE)
    (run / "table.csv").write_text(text)
    record = {"experiment": "decay_law", "protocol": "controlled", "preset": preset} | record
    (run / "record.json").write_text(json.dumps(record | ({"types": types} if typed else {})))
    return run


WANTED = Wanted("decay_law", "controlled")


def test_the_larger_budget_counts(tmp_path: Path) -> None:
    assert find(WANTED, [tmp_path]) is None
    for preset in reversed(BEST_FIRST):
        store(tmp_path, preset)
        assert find(WANTED, [tmp_path]).record["preset"] == preset
    assert BEST_FIRST[-1] == "tiny"
    assert BEST_FIRST[0] == "paper"


def test_the_first_folder_counts_even_with_less(tmp_path: Path) -> None:
    store(tmp_path / "mine", "tiny")
    store(tmp_path / "stored", "paper")
    found = find(WANTED, [tmp_path / "none", tmp_path / "mine", tmp_path / "stored"])
    assert found.record["preset"] == "tiny"


def test_every_preset_of_a_question_has_its_rank() -> None:
    presets = {preset for name in discovery.NAMES for _, preset in discovery.outline(name).presets}
    assert presets <= set(BEST_FIRST)


def test_a_table_has_the_types_it_was_written_with(tmp_path: Path) -> None:
    run = Run(store(tmp_path, "quick"), {})
    assert run.table["order"].dtype.kind == "i"  # Without types: as pandas reads it.
    (run,) = runs_in(tmp_path)
    pd.testing.assert_frame_equal(run.table, TABLE)


def test_a_table_is_read_from_where_it_is_kept_compressed(tmp_path: Path) -> None:
    folder = store(tmp_path, "quick")
    plain = folder / "table.csv"
    with gzip.open(folder / "table.csv.gz", "wt", newline="") as file:
        file.write(plain.read_text())
    plain.write_text("order,x,n\n3,0.5,7\n")
    assert runs_in(tmp_path)[0].table["n"].tolist() == [7], "one that was run anew counts"
    plain.unlink()
    pd.testing.assert_frame_equal(runs_in(tmp_path)[0].table, TABLE)


def test_a_table_that_its_record_does_not_tell_of_is_named(tmp_path: Path) -> None:
    folder = store(tmp_path, "quick")
    for text in ("order,y\n1,2\n", "order,x,n\n1,0.1,many\n", "order,x,n\n1,0.1\n"):
        (folder / "table.csv").write_text(text)
        with pytest.raises(UserError, match=r"table\.csv is not the table its record tells of"):
            _ = runs_in(tmp_path)[0].table


def test_a_run_of_the_command_line_comes_back_as_it_was(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--out", tmp_path)
    (run,) = runs_in(tmp_path)
    assert run.record["types"] == {"cell": "int64", "repeat": "int64", "value": "float64"}
    # Floats are exact: pandas' own reader may be off in the last digit.
    values = [line.rsplit(",", 1)[1] for line in (run.folder / "table.csv").read_text().split()[1:]]
    assert run.table["value"].tolist() == [float(value) for value in values]


def test_a_swept_run_is_another_than_a_single_one(toy, invoke, tmp_path) -> None:
    invoke("run", "toy", "--out", tmp_path)
    invoke("sweep", "toy", "--seeds", "0,1", "--out", tmp_path)
    single, swept = Wanted("toy", "controlled"), Wanted("toy", "controlled", swept=True)
    assert find(single, [tmp_path]).folder.name == "toy-controlled-quick"
    assert find(swept, [tmp_path]).folder.name == "toy-controlled-quick-sweep"
    assert sorted(find(swept, [tmp_path]).table["seed"].unique()) == [0, 1]


def test_the_command_of_a_run_repeats_it(tmp_path: Path) -> None:
    changed = {"settings": {"steps": 7, "sines": [1]}, "seed": 3}
    run = Run(store(tmp_path, "quick"), _record(tmp_path) | changed)
    assert run.command == (
        "python -m experiments run decay_law --protocol controlled --preset quick "
        "--set steps=7 --seed 3"
    )


def _record(folder: Path) -> dict[str, object]:
    return json.loads((folder / "decay_law-controlled-quick" / "record.json").read_text())


@pytest.mark.parametrize(
    ("wanted", "why"),
    [
        (Wanted("fig99", "text"), "no experiment 'fig99' yet"),
        (Wanted("decay_law", "text"), "decay_law has no protocol 'text' yet"),
        (
            Wanted("decay_law", "controlled", swept=True),
            "not run: python -m experiments sweep decay_law --protocol controlled --preset paper",
        ),
    ],
)
def test_what_is_missing_says_how_to_make_it(wanted: Wanted, why: str) -> None:
    assert wanted.missing() == why


@pytest.mark.parametrize("content", ["{", "[]", "{}"])
def test_a_record_that_cannot_be_read_is_named(content: str, tmp_path: Path) -> None:
    (store(tmp_path, "quick") / "record.json").write_text(content)
    with pytest.raises(UserError, match="is not the record of a run"):
        runs_in(tmp_path)
