"""What a user, a file or a disk may hand over: a message each, no traceback, nothing lost.

Each test is a command line in this process, from the words to the exit status, in a folder that
holds a finished run.
"""

from __future__ import annotations

import gzip
import json
import math
import pickle
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from experiments import __main__ as command
from experiments import discovery
from experiments.errors import UserError, visible
from experiments.running.bound import SUMS, sums
from experiments.running.records import OF_SHARD
from experiments.running.status import status
from experiments.running.stored import check

RUN = "surviving_effects-released-quick"
LONG = "9" * 400


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run."""
    out = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        drawing = discovery.load_figure("surviving_effects")
        patch.setattr(drawing, "draw", lambda table: {"surviving_effects": Figure((1, 1))})
        arguments = ["run", "surviving_effects", "--device", "cpu", "--out", str(out)]
        patch.setattr(sys, "argv", ["experiments", *arguments])
        command.app(standalone_mode=False)
    return out


@pytest.fixture
def out(finished: Path, tmp_path: Path) -> Path:
    """A copy of that folder."""
    return Path(shutil.copytree(finished, tmp_path / "out"))


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys) -> Callable[..., str]:
    """What a command says that ends with an error, all on one line."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["experiments", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command.main()
        shown = capsys.readouterr()
        assert ended.value.code not in (0, None)
        assert "Traceback" not in shown.err
        said = re.sub(r"[\s│╭╮╰╯─]+", " ", shown.err)
        assert len(said) < 2500
        return said

    return run


def files(folder: Path) -> dict[str, bytes]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def set_(text: str, question: str = "decay_law") -> list[str]:
    return ["run", question, "--set", text]


COMMANDS: dict[str, tuple[list[str], str]] = {
    "unknown experiment": (["run", "decay-lew"], "unknown experiment 'decay-lew'; did you mean"),
    "no experiment": (["run", ""], "unknown experiment '': choose from decay_law"),
    "escape in a name": (["run", "\x1b[31m"], r"unknown experiment '\\x1b\[31m'"),
    "path as a name": (["run", "../decay_law"], "unknown experiment"),
    "long name": (["run", "x" * 2000], "unknown experiment"),
    "unknown command": (["rnu", "decay_law"], "No such command 'rnu'"),
    "unknown option": (["run", "decay_law", "--sed", "1"], "No such option"),
    "unknown preset": (["run", "decay_law", "--preset", "papr"], "did you mean 'paper'"),
    "no preset": (["run", "decay_law", "--preset", ""], "preset '' is not one of"),
    "unknown protocol": (
        ["run", "pure_noise", "--protocol", "controled"],
        "did you mean 'controlled'",
    ),
    "no protocol": (["run", "pure_noise", "--protocol", ""], "protocol '' is not one"),
    "reproduce with an unknown preset": (["reproduce", "--preset", "papr"], "did you mean 'paper'"),
    "seed below 0": (["run", "decay_law", "--seed", "-1"], r"seed must lie in \[0, 4294967295\]"),
    "seed of 400 digits": (["run", "decay_law", "--seed", LONG], "seed must lie in"),
    "seed of 2^32": (["run", "decay_law", "--seed", "4294967296"], "seed must lie in"),
    "seed that is none": (["run", "decay_law", "--seed", "a"], "Invalid value for '--seed'"),
    "seeds twice": (["sweep", "decay_law", "--seeds", "1,1"], "seed has 1 twice"),
    "seeds below 0": (["sweep", "decay_law", "--seeds", "0,-1"], "seed must lie in"),
    "seeds that are none": (["sweep", "decay_law", "--seeds", "0-3"], "whole numbers, as in 0,1,2"),
    "no seeds": (["sweep", "decay_law", "--seeds", ""], "whole numbers, as in 0,1,2"),
    "seeds with a hole": (["sweep", "decay_law", "--seeds", "0,,1"], "whole numbers"),
    "seeds of 5000 digits": (["sweep", "decay_law", "--seeds", "9" * 5000], "whole numbers"),
    "sweep of nothing": (["sweep", "decay_law"], "a sweep needs --grid"),
    "grid twice": (
        ["sweep", "decay_law", "--grid", "width=8", "--grid", "width=9"],
        "--grid names width twice",
    ),
    "grid of the same twice": (["sweep", "decay_law", "--grid", "width=8,8"], "width has 8 twice"),
    "grid without values": (["sweep", "decay_law", "--grid", "width="], "a value at least"),
    "grid without field": (["sweep", "decay_law", "--grid", "8,9"], "--grid takes field=value"),
    "grid of an unknown field": (
        ["sweep", "decay_law", "--grid", "widht=8"],
        "unknown field 'widht' in --grid; did you mean 'width'",
    ),
    "grid out of range": (["sweep", "decay_law", "--grid", "rates=0.5,1"], "rates must lie in"),
    "grid and set": (
        ["sweep", "decay_law", "--grid", "width=8,9", "--set", "width=8"],
        "--set and --grid both name width",
    ),
    "device of another library": (
        ["run", "decay_law", "--device", "gpu"],
        r"device 'gpu' cannot be used: choose auto, cpu, cuda, cuda:1, \.\.\., mps or xpu",
    ),
    "no device": (["run", "decay_law", "--device", ""], "device '' cannot be used"),
    "device without memory": (["run", "decay_law", "--device", "meta"], "cannot be used"),
    "device number": (["run", "decay_law", "--device", "cuda:99"], "cannot be used"),
    "long device": (["run", "decay_law", "--device", "c" * 2000], "cannot be used"),
    "workers 0": (["run", "decay_law", "--workers", "0"], "--workers"),
    "workers without end": (["run", "decay_law", "--workers", "1000000000"], "--workers"),
    "workers and scheduler": (
        ["run", "decay_law", "--workers", "2", "--scheduler", "tcp://127.0.0.1:1"],
        "choose --workers",
    ),
    "status of no folder": (["status", "--out", "{tmp}/none"], "there is no folder .*none"),
    "report of no folder": (["report", "--out", "{tmp}/none"], "there is no folder .*none"),
    "report of a file": (["report", "--out", "{tmp}/file"], "there is no folder .*file"),
    "out is a file": (["run", "decay_law", "--out", "{tmp}/file"], "cannot be written"),
    "out under a file": (["run", "decay_law", "--out", "{tmp}/file/x"], "cannot be written"),
    "out too long": (["run", "decay_law", "--out", "{tmp}/" + "x" * 300], "cannot be written"),
    "name of a folder above": (["run", "decay_law", "--name", "../up"], "cannot be the name"),
    "name of the shards": (["run", "decay_law", "--name", "shards"], "cannot be the name"),
    "no name": (["run", "decay_law", "--name", ""], "cannot be the name"),
    "set without a value": (set_("depth"), "--set takes field=value"),
    "set without a field": (set_("=2"), "unknown field ''"),
    "set of nothing": (set_(""), "--set takes field=value"),
    "set twice": ([*set_("depth=2"), "--set", "depth=3"], "--set names depth twice"),
    "unknown field": (set_("depht=2"), "did you mean 'depth'.*the fields are"),
    "field of Python": (set_("__class__=2"), "unknown field '__class__'"),
    "a check as a field": (set_("__post_init__=1"), "unknown field"),
    "rates twice": (set_("rates=0.5,0.5"), r"rates has 0\.5 twice, .* give every value once"),
    "rates twice as numbers": (set_("rates=0,0.0"), "rates has .* twice"),
    "products twice": (set_("products=1,1"), "products has 1 twice"),
    "rate of 1": (set_("rates=1.0"), r"rates must lie in \[0, 1\), got 1\.0"),
    "rate below 0": (set_("rates=-0.1"), "rates must lie in"),
    "rate nan": (set_("rates=nan"), "expected something like rates"),
    "rate above any float": (set_("rates=1e999"), "rates must lie in .*, got inf"),
    "rate of 400 digits": (set_(f"rates={LONG}"), r"rates must lie in .* \(400 characters\)"),
    "no rates": (set_("rates="), "rates must have a value at least"),
    "two thousand rates": (
        set_("rates=" + ",".join(str(i / 2000) for i in range(2000))),
        "2000 values, at most 1000",
    ),
    "depth below 0": (set_("depth=-1"), r"depth must lie in \[1, 100\], got -1"),
    "depth of a thousand": (set_("depth=1000"), "depth must lie in"),
    "no test points": (set_("test_points=0"), r"test_points must lie in \[1, 1e7\], got 0"),
    "no batch": (set_("batch_size=0"), "batch_size must lie in"),
    "no repeats": (set_("repeats=0"), "repeats must lie in"),
    "repeats without end": (set_("repeats=10**9"), "expected something like repeats=5"),
    "steps below 0": (set_("steps=-5"), "steps must lie in"),
    "width of a billion": (set_("width=1000000000"), r"width must lie in \[1, 1e4\]"),
    "width of 400 digits": (set_(f"width={LONG}"), "width must lie in"),
    "width of 5000 hex digits": (set_("width=0x" + "f" * 5000), "a number of thousands of digits"),
    "width of a half": (set_("width=0.5"), "expected something like width=64"),
    "width of a text": (set_("width='64'"), "expected something like width=64"),
    "width of two": (set_("width=8,8"), "expected something like width=64"),
    "width yes": (set_("width=True"), "expected something like width=64"),
    "width as code": (set_("width=__import__('os').getpid()"), "expected something like width=64"),
    "width of brackets": (set_("width=" + "(" * 300), "expected something like width=64"),
    "width of an escape": (set_("width=\x1b[2J"), r"width=\\x1b\[2J: expected something"),
    "learning rate 0": (set_("learning_rate=0"), r"learning_rate must lie in \(0, 1e3\]"),
    "learning rate inf": (set_("learning_rate=1e400"), "learning_rate must lie in"),
    "learning rate complex": (set_("learning_rate=1j"), "expected something like learning_rate"),
    "order above the inputs": (set_("products=7"), "between 1 and the number of inputs, 5"),
    "nothing to learn": (
        [*set_("products="), "--set", "sines="],
        "between 1 and the number of inputs",
    ),
    "dim without end": (set_("dim=100000"), "dim must lie in"),
    "noise below 0": (set_("noises=-1", "best_rate"), "noises must lie in"),
    "no noise to learn": (set_("noise=0", "pure_noise"), r"noise must lie in \(0, 1e6\]"),
    "unknown placement": (set_("placements=hiden", "bike_share"), "did you mean 'hidden'"),
    "placement twice": (set_("placements=input,input", "best_rate"), "twice"),
    "unknown target": (set_("targets=mixtrue", "learning_curves"), "did you mean 'mixture'"),
    "unknown threshold": (set_("threshold=evne", "newsgroups"), "did you mean 'even'"),
    "unknown activation": (set_("activation=selu", "bike_share"), "did you mean 'relu'"),
    "unknown variant": (set_("variants=half augmentd", "digits"), "did you mean 'half augmented'"),
    "more images than there are": (set_("samples=60000", "digits"), "MNIST has 60,000 images"),
    "more test images": (set_("test_images=10001", "digits"), "test_images must lie in"),
    "whole validation": (set_("validation=1.0", "bike_share"), r"validation must lie in \[0, 1\)"),
    "trees at other epochs": (set_("tree_epochs=3", "bike_share"), "not among the epochs"),
    "units of no layer": (set_("depths=5", "subnetworks"), "units must be a multiple"),
    "depth 0 of many": (set_("depths=0,1", "subnetworks"), "depths must lie in"),
    "too many units": (set_("units=64", "subnetworks"), r"units must lie in \[1, 16\]"),
    "falling strengths": (set_("coupled=0.1,0.01", "regularizers"), "from weak to strong"),
    "strength 0": (set_("l1=0,0.1", "regularizers"), r"l1 must lie in \(0, 1e3\]"),
    "a pair of three": (set_("epochs=1,2,3", "dropout_uncertainty"), "takes 2 values, got 3"),
    "one start": (set_("starts=1", "effective_learning_rate"), r"starts must lie in \[2, 1e4\]"),
    "correlation of 1": (
        ["run", "pure_interaction", "--protocol", "controlled", "--set", "rhos=1"],
        "between -1 and 1",
    ),
    "more trained than there": (set_("train_samples=2000", "pure_noise"), "between 1 and samples"),
    "look after the end": (set_("also_after=99999", "pure_noise"), "also_after must lie between"),
    "trained at other rates": (set_("trained_rates=0.3", "four_laws"), "among the rates"),
    "orders above the inputs": (set_("orders=11", "co_adaptation"), "at most the number of inputs"),
    "nothing left to train": (
        ["run", "weight_decay", "--set", "plain=False", "--set", "coupled="],
        "leave nothing of weight_decay to run",
    ),
    "no network": (
        ["run", "pure_noise", "--set", "placements=", "--set", "rates=0.5"],
        "leave nothing of pure_noise to run",
    ),
}


@pytest.mark.parametrize(("arguments", "message"), COMMANDS.values(), ids=COMMANDS.keys())
def test_a_mistake_in_a_command(arguments, message, refused, out: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    before = files(out)
    arguments = [a.replace("{tmp}", str(tmp_path)) for a in arguments]
    if "--out" not in arguments:
        arguments += ["--out", str(out)]
    assert re.search(message, refused(*arguments))
    assert files(out) == before
    assert not (tmp_path / "none").exists()


SETTINGS: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "is not JSON in UTF-8"),
    "zeros": (b"\0" * 100, "is not JSON"),
    "cut": (b'{"width": 8', "is not JSON"),
    "Latin-1": (b'{"width\xe9": 8}', "is not JSON in UTF-8"),
    "UTF-16": ('{"width": 8}'.encode("utf-16"), "is not JSON in UTF-8"),
    "compressed": (gzip.compress(b'{"width": 8}'), "is not JSON in UTF-8"),
    "pickled": (pickle.dumps({"width": 8}), "is not JSON"),
    "Python": (b"{'width': 8}", "is not JSON"),
    "deep": (b"[" * 100_000, "is not JSON"),
    "deep in a field": (b'{"width": ' + b"[" * 100_000, "is not JSON"),
    "a list": (b"[1]", "must hold fields and their values"),
    "null": (b"null", "must hold fields"),
    "a number": (b"3", "must hold fields"),
    "a text": (b'"width"', "must hold fields"),
    "settings are a list": (b'{"settings": [1]}', "must hold fields"),
    "settings are null": (b'{"settings": null}', "must hold fields"),
    "settings in settings": (b'{"settings": {"settings": {}}}', "unknown field 'settings'"),
    "a field twice": (b'{"width": 8, "width": 16}', "it names 'width' twice"),
    "unknown field": (b'{"widht": 8}', "unknown field 'widht' in .*; did you mean 'width'"),
    "a field of escapes": (b'{"\\u001b[2J": 8}', r"unknown field '\\x1b\[2J'"),
    "a field of thousands": (b'{"' + b"w" * 50_000 + b'": 8}', r"\(50002 characters\)"),
    "null in a field": (b'{"width": null}', "expected something like width=64"),
    "an object in a field": (b'{"width": {"a": 1}}', "expected something like width=64"),
    "a list in a number": (b'{"width": [8]}', "expected something like width=64"),
    "a list in a list": (b'{"rates": [[0.5]]}', "expected something like rates="),
    "a text in a list": (b'{"rates": [0.5, "0.6"]}', "expected something like rates="),
    "an empty list": (b'{"rates": []}', "a value at least"),
    "twice in a list": (b'{"rates": [0.5, 0.5]}', "twice"),
    "a half": (b'{"width": 8.0}', "expected something like width=64"),
    "nan": (b'{"rates": [NaN]}', "rates must lie in .*, got nan"),
    "infinity": (b'{"learning_rate": Infinity}', "learning_rate must lie in .*, got inf"),
    "a number above any": (b'{"learning_rate": 1e999}', "learning_rate must lie in"),
    "400 digits": (b'{"width": ' + LONG.encode() + b"}", "width must lie in"),
    "5000 digits": (b'{"width": ' + b"9" * 5000 + b"}", "is not JSON"),
    "true": (b'{"width": true}', "expected something like width=64"),
    "a billion": (b'{"width": 1000000000}', "width must lie in"),
}


@pytest.mark.parametrize(("content", "message"), SETTINGS.values(), ids=SETTINGS.keys())
def test_a_settings_file(content: bytes, message: str, refused, out: Path, tmp_path: Path) -> None:
    before = files(out)
    path = tmp_path / "my settings.json"
    path.write_bytes(content)
    said = refused("run", "decay_law", "--settings", path, "--out", out)
    assert re.search(message, said)
    assert "my settings.json" in said
    assert files(out) == before


@pytest.mark.parametrize(
    ("path", "message"),
    [("{tmp}/none", "cannot be read"), ("{tmp}", "cannot be read"), ("/dev/zero", "too large")],
)
def test_a_settings_file_that_is_none(path, message, refused, out, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("experiments.running.settings.LARGEST_FILE", 1000)
    path = path.replace("{tmp}", str(tmp_path))
    assert re.search(message, refused("run", "decay_law", "--settings", path, "--out", out))


TOLD = {
    "experiment": "surviving_effects",
    "protocol": "released",
    "preset": "quick",
    "settings": {"dim": 25, "rates": [0.0], "repeats": 1, "masks": 0},
    "seed": 0,
    "device": "a CPU",
    "seconds": 1.0,
    "types": {"order": "int64"},
    "shards": {},
}
SHAPES: dict[str, bytes] = {
    "nothing": b"",
    "zeros": b"\0" * 64,
    "no UTF-8": b"\xff\xfe{",
    "cut": json.dumps(TOLD).encode()[:-20],
    "deep": b"[" * 100_000,
    "a list": b"[]",
    "a list of lists": b'[["experiment", "surviving_effects"]]',
    "null": b"null",
    "a text": b'"experiment"',
    "a number": b"1e999",
    "empty": b"{}",
    **{
        f"{key} is {value!r}": json.dumps(TOLD | {key: value}).encode()
        for key, value in {
            "settings": None,
            "seeds": 3,
            "grid": 7,
        }.items()
    },
    "without protocol": json.dumps({k: v for k, v in TOLD.items() if k != "protocol"}).encode(),
    "without settings": json.dumps({k: v for k, v in TOLD.items() if k != "settings"}).encode(),
    "settings are a list": json.dumps(TOLD | {"settings": [1, 2]}).encode(),
}


def rebound(folder: Path, name: str, content: bytes) -> None:
    """A file replaced, and the folder's sums with it: written so by whoever made the folder."""
    (folder / name).write_bytes(content)
    names = [line.split("  ", 1)[1] for line in (folder / SUMS).read_text().splitlines()]
    (folder / SUMS).write_bytes(sums({n: (folder / n).read_bytes() for n in names}))


@pytest.mark.parametrize("verb", ["status", "report"])
@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES.keys())
def test_a_record_of_another_shape(content: bytes, verb: str, refused, out: Path) -> None:
    """Whether it came about by damage, or was written so with sums to match."""
    before = files(out)
    (out / RUN / "record.json").write_bytes(content)
    assert re.search(r"record\.json is not what was written", refused(verb, "--out", out))
    rebound(out / RUN, "record.json", content)
    if verb == "report":
        said = refused(verb, "--out", out)
        assert re.search(r"record\.json is not the record of a run .*: remove it", said)
    after = files(out)
    for name in set(before) - {f"{RUN}/record.json", f"{RUN}/{SUMS}"}:
        assert after[name] == before[name]


HOSTILE = {
    "a text": "\x1b[2J",
    "null": None,
    "nan": math.nan,
    "-1": -1,
    "inf": math.inf,
    "a list": [[1]],
    "an object": {"a": {}},
    "400 digits": int(LONG),
    "missing": ...,
}
TEXTS = (
    "experiment",
    "protocol",
    "preset",
    "source",
    "device",
    "host",
    "started",
    "versions.torch",
)
MAY_BE = {name: ["a text"] for name in TEXTS}
MAY_BE |= {"commit": ["a text", "null"], "settings.dim": ["a text", "-1", "400 digits"]}
"""What a field may hold of these: any text may be told, and a setting of another version."""
NEEDED = {
    "record.json": ("experiment", "protocol", "preset", "settings", "seed", "device", "seconds"),
    "plan.json": ("experiment", "protocol", "preset", "settings", "seeds", "shards"),
    "shard": OF_SHARD,
}


def told_otherwise(told: dict, field: str, value: object) -> bytes:
    told = json.loads(json.dumps(told))
    *way, last = field.split(".")
    place = told
    for name in way:
        place = place[name]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return json.dumps(told).encode()


@pytest.mark.parametrize("file", ["record.json", "plan.json", "shard"])
def test_whatever_a_field_of_a_record_says(file: str, out: Path) -> None:
    """With sums to match: what is senseless is damage that is named, and never a traceback."""
    folder = out / RUN
    if file == "shard":
        folder = next(path for path in sorted((out / "shards").iterdir()) if path.is_dir())
    name = "record.json" if file == "shard" else file
    told = json.loads((folder / name).read_text())
    of_one = f"shards.{next(iter(told['shards']))}" if file == "record.json" else ""
    nested = ("settings.dim", "versions.torch", f"{of_one}.seconds")
    fields = [*told, *(field for field in nested if field.partition(".")[0] in told)]
    for field in fields:
        may_be = MAY_BE.get(field, []) + ["missing"] * (field not in NEEDED[file])
        may_be += ["an object"] * (field == "shards")
        if field == "process":
            continue  # It is told nowhere.
        for kind, value in HOSTILE.items():
            rebound(folder, name, told_otherwise(told, field, value))
            text, damages = status(out)
            assert bool(damages) == (kind not in may_be), (field, kind)
            assert all(folder.name in damage for damage in damages)
            assert "\x1b" not in text
            if file == "record.json":
                refused = pytest.raises(UserError, match=RUN)
                with nullcontext() if kind in may_be else refused:
                    check(out)


@pytest.mark.parametrize("name", ["plan.json", "begun.json"])
@pytest.mark.parametrize("content", SHAPES.values(), ids=SHAPES.keys())
def test_a_plan_of_another_shape(content: bytes, name: str, refused, out: Path) -> None:
    before = files(out)
    (out / RUN / name).write_bytes(content)
    if name == "plan.json":
        assert re.search(r"plan\.json is not what was written", refused("status", "--out", out))
        rebound(out / RUN, name, content)
    said = refused("status", "--out", out)
    assert re.search(rf"{re.escape(name)} does not tell of a run", said)
    after = files(out)
    for other in set(before) - {f"{RUN}/{name}", f"{RUN}/{SUMS}"}:
        assert after[other] == before[other]


SHARDS = {
    "a list": ["decay_law-0"],
    "null": None,
    "elsewhere": {"../../etc": ""},
    "at the root": {"/etc": ""},
    "a text": "decay_law-0",
}


@pytest.mark.parametrize("shards", SHARDS.values(), ids=SHARDS.keys())
def test_a_plan_of_other_shards(shards: object, refused, out: Path) -> None:
    (out / RUN / "begun.json").write_text(json.dumps(TOLD | {"shards": shards}))
    assert "begun.json does not tell of a run" in refused("status", "--out", out)


def test_status_shows_what_a_plan_says_and_a_terminal_does_nothing_of_it(
    invoke, capsys, out: Path
) -> None:
    """A line for each thing said, a command only if it is one of ours, and that quoted anew."""
    evil = "\x1b[2J\x1b]0;x\x07\n  to go on: reboot \u202e"
    told = TOLD | {"shards": {"a-0": evil}, "settings": {evil: evil}}
    for typed, shown in {
        "python -m experiments run a; reboot": "python -m experiments run 'a;' reboot",
        "python -m experiments run $(id) `id`": "python -m experiments run '$(id)' '`id`'",
        "reboot": None,
        "python -m experiments.other": None,
        "python -m experiments run " + evil: None,
    }.items():
        (out / RUN / "begun.json").write_text(json.dumps(told | {"command": typed}))
        invoke("status", "--out", out)
        said = capsys.readouterr().out
        assert not set(said) & set("\x1b\x07\u202e")
        assert r"\x1b[2J\x1b]0;x\x07\n  to go on: reboot" in said
        lines = [line for line in said.splitlines() if line.startswith("  to go on: ")]
        if shown is not None:
            assert lines == [f"  to go on: {shown}"]
        assert "  to go on: reboot" not in lines


def test_an_error_is_shown_and_not_acted_on(refused, out: Path) -> None:
    said = refused("run", "decay_law", "--set", "\x1b]0;x\x07=1", "--out", out)
    assert not set(said) & set("\x1b\x07")
    assert r"\x1b]0;x\x07" in said
    assert visible("a\tb\udcff\u202e") == r"a\tb\udcff\u202e"
    assert visible("Wert: 1/3 ± λ²") == "Wert: 1/3 ± λ²"


def test_an_error_in_a_log_starts_a_line(toy, refused, tmp_path: Path, monkeypatch) -> None:
    """In a log, a bar has lines of its own and leaves none open."""
    monkeypatch.setattr("experiments.running.context.LOG_SECONDS", 0.0)

    def fails(settings, context):
        with context.progress(10, "training") as advance:
            advance(3)
            raise ValueError("a rate of 1")

    monkeypatch.setattr(toy, "run", fails)
    monkeypatch.setattr(sys, "argv", ["experiments", "run", "toy", "--out", str(tmp_path)])
    log = tmp_path / "log"
    with log.open("w", encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stderr", file)
        with pytest.raises(SystemExit):
            command.main()
    lines = log.read_text(encoding="utf-8").split("\n")
    assert "\r" not in log.read_bytes().decode()
    assert any("training" in line for line in lines)
    assert [line for line in lines if "error: " in line] == [
        "error: toy cannot run with these settings: a rate of 1"
    ]


def test_a_damaged_table_or_picture_is_named(refused, out: Path) -> None:
    for name in ("table.csv", "surviving_effects.png", SUMS):
        content = (out / RUN / name).read_bytes()
        for damaged in (content[: len(content) // 2], b"", content[:-2] + b"\0\n", b"\x89PNG\r\n"):
            (out / RUN / name).write_bytes(damaged)
            for verb in ("status", "report"):
                assert str(out / RUN) in (said := refused(verb, "--out", out))
                assert re.search(r"is not |is empty|is missing", said)
        (out / RUN / name).write_bytes(content)


TABLES: dict[str, bytes] = {
    "cut": gzip.compress(b"rate,order\n" * 100)[:-20],
    "damaged": gzip.compress(b"rate,order\n" * 100)[:20] + b"\xff" * 20,
    "not compressed": b"rate,order\n0,1\n",
    "no UTF-8": gzip.compress(b"rate,order\n\xff,1\n"),
    "other columns": gzip.compress(b"a,b\n0,1\n"),
    "nothing": b"",
}


@pytest.mark.parametrize("content", TABLES.values(), ids=TABLES.keys())
def test_a_compressed_table_of_other_contents(content: bytes, refused, out: Path) -> None:
    """Written so with sums to match."""
    folder = out / RUN
    (folder / "table.csv").unlink()
    (folder / "table.csv.gz").write_bytes(content)
    names = [line.split("  ", 1)[1] for line in (folder / SUMS).read_text().splitlines()]
    names = ["table.csv.gz" if name == "table.csv" else name for name in names]
    (folder / SUMS).write_bytes(sums({n: (folder / n).read_bytes() for n in names}))
    said = refused("report", "--out", out)
    assert re.search(r"table\.csv\.gz is not the table its record tells of", said)


def test_a_picture_that_is_none_is_named(tmp_path: Path) -> None:
    from paper_results.report.pictures import Picture

    for content in (b"", b"\x89PNG\r\n\x1a\n" + b"\0" * 40, b"GIF89a", b"<svg/>"):
        picture = Picture("mine", "mine", tmp_path / "mine.png")
        picture.file.write_bytes(content)
        with pytest.raises(UserError, match=r"mine\.png is not a picture"):
            picture.packed()


def _zip(path: Path, members: dict[str, bytes]) -> bytes:
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path.read_bytes()


DATA: dict[str, tuple[str, str, Callable[[Path], bytes]]] = {
    "hours: nothing": ("bike_share", "hour.csv", lambda p: b""),
    "hours: other columns": ("bike_share", "hour.csv", lambda p: b"a,b\n1,2\n"),
    "hours: zeros": ("bike_share", "hour.csv", lambda p: b"\0" * 1000),
    "hours: a page": ("bike_share", "hour.csv", lambda p: b"<html>404</html>"),
    "images: nothing": ("digits", "mnist.npz", lambda p: b""),
    "images: no archive": ("digits", "mnist.npz", lambda p: b"PK\x03\x04" + b"\0" * 50),
    "images: cut": ("digits", "mnist.npz", lambda p: _zip(p, {"x_train.npy": b"1" * 99})[:-30]),
    "images: no images": ("digits", "mnist.npz", lambda p: _zip(p, {"a.npy": b""})),
    "images: pickled": (
        "digits",
        "mnist.npz",
        lambda p: _zip(p, dict.fromkeys(["x_train.npy", "y_train.npy"], pickle.dumps([1]))),
    ),
    "texts: nothing": ("newsgroups", "20news-bydate_py3.pkz", lambda p: b""),
    "texts: not compressed": ("newsgroups", "20news-bydate_py3.pkz", lambda p: pickle.dumps({})),
    "texts: cut": (
        "newsgroups",
        "20news-bydate_py3.pkz",
        lambda p: gzip.zlib.compress(pickle.dumps({"train": 1}))[:-4],
    ),
    "texts: an archive": ("newsgroups", "20news-bydate.tar.gz", lambda p: gzip.compress(b"x")),
}


@pytest.mark.parametrize(("question", "name", "make"), DATA.values(), ids=DATA.keys())
def test_a_data_file(question, name, make, refused, out, tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("INTERACTIONS_DATA", raising=False)
    before = files(out)
    data = tmp_path / "data"
    data.mkdir()
    content = make(tmp_path / "made")
    (data / name).write_bytes(content)
    said = refused("run", question, "--data-dir", data, "--out", out, "--device", "cpu")
    assert re.search(rf"{re.escape(name)} is not the published file or is damaged", said)
    assert (data / name).read_bytes() == content
    after = files(out)
    assert {n: after[n] for n in before} == before
