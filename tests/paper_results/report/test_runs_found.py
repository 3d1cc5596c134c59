"""Runs the report is made from: which folder counts, and what repeats a run."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from experiments import discovery
from experiments.running.context import UserError
from experiments.running.stored import Wanted, find


def write_run(folder: Path, preset: str, *, steps: int, **more: object) -> Path:
    """A run's folder as left by the command line, with its record and an empty table."""
    run = folder / f"decay_law-controlled-{preset}"
    run.mkdir(parents=True)
    record = {"experiment": "decay_law", "protocol": "controlled", "preset": preset, "seed": 0}
    record |= {"settings": {"steps": steps, "products": [1]}, "device": "CPU", "seconds": 60}
    (run / "record.json").write_text(json.dumps(record | {"commit": "abc"} | more))
    (run / "table.csv").write_text("target,order\n")
    return run


def test_the_first_folder_counts_and_in_it_the_larger_preset(tmp_path: Path) -> None:
    wanted = Wanted("decay_law", "controlled")
    assert find(wanted, [tmp_path]) is None
    quick = write_run(tmp_path / "mine", "quick", steps=10)
    write_run(tmp_path / "stored", "paper", steps=10)
    folders = [tmp_path / "mine", tmp_path / "stored"]
    assert find(wanted, folders).folder == quick
    paper = write_run(tmp_path / "mine", "paper", steps=10)
    assert find(wanted, folders).folder == paper
    assert find(Wanted("decay_law", "released"), folders) is None


def test_a_table_may_be_kept_compressed_until_it_is_run_anew(tmp_path: Path) -> None:
    wanted = Wanted("decay_law", "controlled")
    folder = write_run(tmp_path, "quick", steps=10)
    (folder / "table.csv").unlink()
    pd.DataFrame({"order": [1, 2]}).to_csv(folder / "table.csv.gz", index=False)
    assert find(wanted, [tmp_path]).table["order"].tolist() == [1, 2]
    pd.DataFrame({"order": [3]}).to_csv(folder / "table.csv", index=False)
    assert find(wanted, [tmp_path]).table["order"].tolist() == [3]


def test_a_runs_command_states_what_differs_from_its_preset(tmp_path: Path) -> None:
    usual = discovery.load("decay_law").PRESETS["controlled", "quick"].steps
    write_run(tmp_path, "quick", steps=usual + 1, seed=3)
    command = find(Wanted("decay_law", "controlled"), [tmp_path]).command
    assert command == (
        "python -m experiments run decay_law --protocol controlled --preset quick "
        f"--set steps={usual + 1} --set products=1, --seed 3"
    )


def test_sweeps_are_not_runs_and_broken_records_are_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, "quick", steps=10, grid=["steps=1,2"])
    assert find(Wanted("decay_law", "controlled"), [tmp_path]) is None
    (run / "record.json").write_text("{")
    with pytest.raises(UserError, match=r"record\.json is not the record of a run"):
        find(Wanted("decay_law", "controlled"), [tmp_path])


def test_a_sweep_is_found_apart_from_runs_and_tells_its_command(tmp_path: Path) -> None:
    record = {"experiment": "decay_law", "protocol": "controlled", "preset": "quick"}
    record |= {"settings": {"width": 8}, "grid": ["rates=0,0.5"], "seeds": [0, 1]}
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "table.csv").write_text("order\n")
    assert find(Wanted("decay_law", "controlled"), [tmp_path]) is None
    assert find(Wanted("decay_law", "controlled", swept=True), [tmp_path]).command == (
        "python -m experiments sweep decay_law --protocol controlled --preset quick "
        "--set width=8 --grid rates=0,0.5 --seeds 0,1"
    )
