"""The command line as a user meets it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

import interactions
from experiments import discovery
from experiments.errors import MissingDataError, UserError
from figures import decay_law as decay_law_figure

TINY = []
for change in (
    "products=1,2",
    "sines=1,",
    "rates=0,0.5",
    "repeats=1",
    "steps=5",
    "dim=2",
    "width=8",
):
    TINY += ["--set", change]
TINY += ["--set", "batch_size=16", "--set", "test_points=256"]
ROOT = Path(__file__).parents[2]


def run_in(out: Path) -> Path:
    """The folder of the only run in another."""
    (record,) = out.glob("*/record.json")
    return record.parent


def command_line(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, which tells in the end whether torch is there."""
    code = """
import atexit, sys
from experiments.__main__ import main
heavy = ("torch", "pandas", "numpy", "matplotlib", "scipy")
atexit.register(lambda: print("imported:", [name for name in heavy if name in sys.modules]))
main()
"""
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


LIGHT = {
    "list": "",
    "--help": "",
    "--version": "",
    "run --help": "",
    "run nothing": "unknown experiment 'nothing': choose from",
    "show nothing": "unknown experiment 'nothing': choose from",
    "run decay_law --seed -1": "seeds: seed must lie in",
    "sweep decay_law": "a sweep needs --grid",
    "status --out no/folder": "there is no folder no/folder",
    "report --out no/folder": "there is no folder no/folder",
}


@pytest.mark.parametrize("arguments", LIGHT)
def test_what_is_named_explained_or_refused_at_once_imports_nothing_that_computes(
    arguments,
) -> None:
    done = command_line(*arguments.split())
    assert "imported: []" in done.stdout
    assert "Traceback" not in done.stderr
    assert done.returncode == bool(LIGHT[arguments])
    if done.returncode:
        assert done.stderr.startswith(f"error: {LIGHT[arguments]}")


def test_the_state_of_a_folder_without_runs_takes_no_torch(tmp_path) -> None:
    done = command_line("status", "--out", str(tmp_path))
    assert "no run was started" in done.stdout
    assert "'torch'" not in done.stdout
    assert "'matplotlib'" not in done.stdout


def test_the_version_is_that_of_the_library_beside_it(invoke, capsys) -> None:
    invoke("--version")
    assert capsys.readouterr().out == f"interactions {interactions.__version__}\n"


def test_list_names_every_experiment_and_its_question(invoke, capsys) -> None:
    invoke("list")
    shown = capsys.readouterr().out
    for name in discovery.NAMES:
        assert name in shown
        assert discovery.load(name).QUESTION in shown


def test_a_run_leaves_a_table_a_record_and_pictures(invoke, tmp_path, capsys) -> None:
    invoke("run", "decay_law", *TINY, "--out", tmp_path)
    folder = run_in(tmp_path)
    assert folder.name.startswith("decay_law-controlled-quick-products=1,2-")
    table = pd.read_csv(folder / "table.csv")
    record = json.loads((folder / "record.json").read_text())
    assert len(table) == record["rows"] == 3 * 2
    assert record["settings"]["rates"] == [0.0, 0.5]
    for key in ("seed", "versions", "device", "seconds", "commit", "threads", "started"):
        assert key in record
    assert (folder / "decay_law.png").stat().st_size > 10_000
    assert (folder / "decay_law.pdf").exists()
    assert not list(folder.glob("*.partial"))
    assert str(folder) in capsys.readouterr().out


def test_a_seed_gives_the_same_table_again(invoke, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(decay_law_figure, "draw", lambda table: {})
    tables = []
    for name, seed in (("a", "3"), ("b", "3"), ("c", "4")):
        out = tmp_path / name
        invoke("run", "decay_law", *TINY, "--seed", seed, "--out", out)
        tables.append((run_in(out) / "table.csv").read_text())
    assert tables[0] == tables[1]
    assert tables[0] != tables[2]


def test_reproduce_goes_on_without_data_and_ends_with_what_was_found_and_pictures(
    invoke, monkeypatch, tmp_path, capsys
) -> None:
    from experiments.questions import bike_share, decay_law
    from paper_results.evidence import items

    tiny = decay_law.Settings(products=(1,), sines=(), rates=(0.0, 0.5), repeats=1, steps=5)
    monkeypatch.setattr(decay_law, "PRESETS", {("controlled", "tiny"): tiny})
    monkeypatch.setattr(discovery, "HEADLINE", ("decay_law", "bike_share"))
    # A report of one figure, and of no run but this one.
    monkeypatch.setattr(items, "ALL", items.ALL[:1])
    monkeypatch.setattr(items, "LECTURE", ())
    monkeypatch.setattr("paper_results.STORED", tmp_path / "stored")
    monkeypatch.setattr(decay_law_figure, "draw", lambda table: {"decay_law": Figure()})

    def nothing(_):
        raise MissingDataError("hour.csv was not found")

    monkeypatch.setattr(bike_share, "bike_sharing", nothing)
    presets = {("released", "tiny"): bike_share.Settings()}
    monkeypatch.setattr(bike_share, "PRESETS", presets)
    monkeypatch.setenv("COLUMNS", "60")
    invoke("reproduce", "--preset", "tiny", "--out", tmp_path)
    shown = capsys.readouterr()
    assert "Run 2 of 2" in shown.out
    _, _, end = shown.out.partition("What your runs say")
    said = "Trained with 0.5 of the inputs dropped, networks keep"
    assert said in " ".join(end.split())
    assert re.search(r"^  C1 +holds|^  C1 +open", end, re.MULTILINE)
    assert "decay_law.png" in end
    assert max(map(len, end.splitlines())) <= 60
    assert "hour.csv was not found" in shown.err
    assert "none of bike_share" in shown.out
    assert (tmp_path / "decay_law-controlled-tiny" / "table.csv").is_file()
    assert (tmp_path / "REPORT.md").is_file()


MISTAKES = {
    "unknown experiment": (["run", "fig5"], "unknown experiment 'fig5': choose from decay_law"),
    "hyphen": (["run", "decay-law"], "did you mean 'decay_law'"),
    "unknown field": (
        ["run", "decay_law", "--set", "depht=2"],
        "did you mean 'depth'.*the fields are .*depth",
    ),
    "no equals sign": (["run", "decay_law", "--set", "depth"], "takes field=value"),
    "wrong type": (["run", "decay_law", "--set", "depth=deep"], "something like depth=2"),
    "bool for a number": (["run", "decay_law", "--set", "depth=True"], "something like depth=2"),
    "rate of 1": (["run", "decay_law", "--set", "rates=1.0"], r"must lie in \[0, 1\)"),
    "order above d": (
        ["run", "decay_law", "--set", "products=7"],
        "between 1 and the number of inputs, 5",
    ),
    "negative order": (["run", "decay_law", "--set", "sines=-1"], r"sines must lie in \[1, 1e7\]"),
    "impossible setting": (["run", "pure_noise", "--set", "placements=output"], "placements"),
    "unknown preset": (["run", "decay_law", "--preset", "huge"], "'huge' is not one of"),
    "unknown protocol": (["run", "decay_law", "--protocol", "text"], "not one of this"),
    "unknown device": (["run", "decay_law", "--device", "tpu9"], "cannot be used"),
    "missing data": (["run", "bike_share", "--data-dir", "{tmp}/none"], "could not download"),
    "path under a file": (["run", "decay_law", "--out", "{tmp}/file/out"], "cannot be written"),
}


@pytest.mark.parametrize(("arguments", "message"), MISTAKES.values(), ids=MISTAKES.keys())
def test_mistakes_end_with_a_word_on_what_was_wrong(
    arguments, message, invoke, monkeypatch, tmp_path
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INTERACTIONS_DATA", str(tmp_path))
    monkeypatch.setattr("experiments.running.data.BIKE_URL", "http://127.0.0.1:9/none.zip")
    arguments = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    if "--out" not in arguments and arguments[0] == "run":
        arguments += ["--out", str(tmp_path / "out")]
    with pytest.raises(UserError, match=message):
        invoke(*arguments)
