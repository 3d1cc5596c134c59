"""Settings: what a field takes follows from its type and name, and every text comes back."""

from __future__ import annotations

import json
import math
import shlex
from dataclasses import asdict, dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path

import pytest

from experiments import discovery
from experiments.errors import UserError
from experiments.running.plans import Plan
from experiments.running.settings import as_text, change, check, choose, from_file, grid, kinds
from experiments.running.stored import Run

PRESETS = [
    pytest.param(name, protocol, preset, id=f"{name}-{protocol}-{preset}")
    for name in discovery.NAMES
    for protocol, preset in discovery.outline(name).presets
]


@dataclass(frozen=True)
class Example:
    """Of a question that says nothing of its fields, but for the last four."""

    rates: tuple[float, ...] = (0.0, 0.5)
    learning_rate: float = 1e-3
    input_noise: float = 0.5
    hidden_widths: tuple[int, ...] = (8,)
    max_order: int = 2
    points: int = 10
    bound: float = 1.0
    fast: bool = True
    pair: tuple[int, int] = (5, 5)
    names: tuple[str, ...] = field(default=("a, b",), metadata={"among": ("a, b", "'", "1", "c")})
    starts: tuple[int, ...] = field(default=(0,), metadata={"range": "[0, 9]", "empty": True})
    later: tuple[int, ...] = ()
    layers: tuple[int, ...] = field(default=(4, 4), metadata={"twice": True})


RANGES = {
    "rates": (["0", "0.99"], ["-0.1", "1", "1e400", "-1e400"]),
    "learning_rate": (["1e-9", "1e3"], ["0", "-1", "1e4", "1e999"]),
    "input_noise": (["0", "3"], ["-1"]),
    "hidden_widths": (["1", "10000"], ["0", "10001", "-1"]),
    "max_order": (["1"], ["0", "101", "1000000000"]),
    "points": (["1", "10_000_000"], ["0", "10_000_001", "9" * 400, "0x" + "f" * 5000]),
    "bound": (["-1e9", "1_000_000_000"], ["2e9", "9" * 400]),
    "starts": (["0", "9"], ["-1", "10"]),
}


@pytest.mark.parametrize("name", RANGES)
def test_a_range_follows_from_the_name_or_the_type_of_a_field(name: str) -> None:
    inside, outside = RANGES[name]
    for text in inside:
        change(Example(), [f"{name}={text}"])
    for text in outside:
        with pytest.raises(UserError, match=f"{name} must lie in [\\[(].*, got ") as refused:
            change(Example(), [f"{name}={text}"])
        assert len(str(refused.value)) < 300


def test_nothing_stands_twice_in_a_tuple_but_in_a_sequence() -> None:
    for text in ("rates=0.5,0.50", "rates=0,-0.0", "hidden_widths=8,16,8", "names='c','c'"):
        with pytest.raises(UserError, match="twice"):
            change(Example(), [text])
    assert change(Example(), ["layers=2,2", "pair=7,7"]).layers == (2, 2)


def test_a_tuple_has_the_length_it_may_have() -> None:
    for text, message in {
        "rates=": "a value at least",
        "rates=()": "a value at least",
        "pair=1,2,3": "takes 2 values, got 3",
        "pair=1": "takes 2 values, got 1",
        "points=1,2": "expected something like points=10",
        "later=" + ",".join(map(str, range(1, 1002))): "1001 values, at most 1000",
    }.items():
        with pytest.raises(UserError, match=message):
            change(Example(), [text])
    changed = change(Example(later=(3,)), ["starts=", "later="])
    assert changed.starts == changed.later == ()


@pytest.mark.parametrize("text", ["(" * 300, "-" * 5000 + "1", "[" * 10_000, "\0", "'" * 5])
def test_what_no_parser_takes_is_refused_as_any_other(text: str) -> None:
    for name in ("points", "rates", "fast", "names"):
        with pytest.raises(UserError, match=name):
            change(Example(), [f"{name}={text}"])


def test_an_empty_tuple_takes_what_its_type_says() -> None:
    assert change(Example(), ["later=1,2"]).later == (1, 2)
    with pytest.raises(UserError, match="expected something like later=several of type int"):
        change(Example(), ["later=soon"])


def test_a_text_is_one_of_those_there_are_and_the_nearest_is_named() -> None:
    with pytest.raises(UserError, match="unknown targets 'mixtrue'; did you mean 'mixture'"):
        change(discovery.load("every_layer").Settings(), ["targets=mixtrue"])
    with pytest.raises(UserError, match=r"unknown names 'x\\x1b': choose from a, b, ', 1, c"):
        change(Example(), ["names=x\x1b"])


def test_a_field_is_named_once() -> None:
    with pytest.raises(UserError, match="--set names points twice"):
        change(Example(), ["points=1", "points=2"])
    with pytest.raises(UserError, match="--grid names points twice"):
        grid(Example(), ["points=1", "points=2"])
    with pytest.raises(UserError, match=r"rates has .* twice"):
        grid(Example(), ["rates=0.5,0.5"])


def test_a_grid_needs_what_belongs_together_only_at_its_points() -> None:
    """Samples and those trained on, which are fewer: no point on the way has both defaults."""
    settings = discovery.load("pure_noise").Settings()
    points = grid(settings, ["samples=100", "train_samples=50,100"])
    assert [at for at, _ in points] == [
        {"samples": 100, "train_samples": 50},
        {"samples": 100, "train_samples": 100},
    ]


def test_types_that_settings_cannot_have_are_told_to_who_writes_a_question() -> None:
    @dataclass(frozen=True)
    class Odd:
        rates: dict = field(default_factory=dict)

    with pytest.raises(TypeError, match=r"rates: .* is not a number, a text or a tuple of one"):
        kinds(Odd)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("names", v) for v in [("a, b",), ("a, b", "c"), ("1",), ("'",), ("c",), ("c", "1")]),
        *(("later", v) for v in [(), (3,), (1, 2)]),
        *[("bound", 0.1), ("fast", False), ("points", 7), ("rates", (0.1 + 0.2,))],
    ],
)
def test_a_value_comes_back_from_its_text(name: str, value: object) -> None:
    assert getattr(change(Example(), [f"{name}={as_text(value)}"]), name) == value


def preset(name: str, protocol: str, preset: str) -> tuple[object, object]:
    """Settings of a preset, and those of the question's first, to start from."""
    presets = discovery.load(name).PRESETS
    return presets[protocol, preset], next(iter(presets.values()))


@pytest.mark.parametrize(("name", "protocol", "size"), PRESETS)
def test_settings_come_back_from_a_record(name, protocol, size, tmp_path: Path) -> None:
    """Those of every preset, and of every shard of it, which may leave fields empty."""
    settings, start = preset(name, protocol, size)
    question = discovery.load(name)
    parts = question.shards(settings) if isinstance(question, discovery.Sharded) else []
    for number, s in enumerate([settings, *parts[:3], *parts[-3:]]):
        path = tmp_path / f"record-{number}.json"
        record = {"experiment": name, "protocol": protocol, "preset": size, "settings": asdict(s)}
        path.write_text(json.dumps(record | {"seed": 0}, indent=2))
        assert from_file(start, path) == s


@pytest.mark.parametrize(("name", "protocol", "size"), PRESETS)
def test_settings_come_back_from_the_command_of_a_run(name, protocol, size) -> None:
    """Told as changes of the first preset, typed into a shell, they are those of this one."""
    settings, _ = preset(name, protocol, size)
    first, start_size = discovery.outline(name).presets[0]
    told = json.loads(json.dumps(asdict(settings)))
    record = {"experiment": name, "protocol": first, "preset": start_size, "seed": 0}
    words = shlex.split(Run(Path(), record | {"settings": told}).command)
    assert words[:5] == ["python", "-m", "experiments", "run", name]
    changes = [value for option, value in pairwise(words) if option == "--set"]
    _, start = choose(discovery.load(name).PRESETS, protocol=first, preset=start_size)
    assert change(start, changes) == settings


@pytest.mark.parametrize("name", discovery.NAMES)
def test_no_field_of_any_question_takes_what_is_absurd(name: str) -> None:
    """Nor any number, nor none, nor the same twice: all is told before anything runs."""
    settings = next(iter(discovery.load(name).PRESETS.values()))
    takes = kinds(type(settings))
    assert list(takes) == [f.name for f in fields(settings)]
    for field_name, kind in takes.items():
        hostile = ["[[1]]", "{}", "None", "b'1'", "1j", "()()", "1" if kind.item is str else "x"]
        if kind.item in (int, float):
            hostile += ["nan", "-inf", "1e999", "9" * 400, "-9" * 30, "-1000000000000", "10**9"]
        if kind.item is int:
            hostile += ["1.5", "1e3", "1_000_000_000_000_000"]
        if kind.several:
            one = as_text(getattr(settings, field_name)[:1] or (1,)).removesuffix(",")
            hostile += [] if kind.twice else [f"{one},{one}"]
            hostile += [] if kind.empty else ["", "()"]
        for text in hostile:
            if kind.item is str and not kind.several and text in kind.among:
                continue
            with pytest.raises(UserError) as refused:
                change(settings, [f"{field_name}={text}"])
            assert len(str(refused.value)) < 1000, text
            assert field_name in str(refused.value)


MADE = {
    "points": [0, -1, 10**9, 2.0, True, "10", None, math.nan, (10,), [10]],
    "rates": [(1.5,), (), (0.5, 0.5), (math.nan,), ("0.5",), 0.5, [0.5], None, {0.5}],
    "learning_rate": [0, -1.0, math.inf, math.nan, 1j, "fast"],
    "pair": [(1,), (1, 2, 3), (0, 1)],
    "names": [("nobody",), "c", ("c", "c")],
    "fast": [1, "yes", None],
}


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, some in MADE.items() for v in some])
def test_settings_made_in_python_are_held_to_the_same(name: str, value: object) -> None:
    with pytest.raises(UserError, match=f"^here:? .*{name}"):
        check(replace(Example(), **{name: value}), "here")


def test_settings_that_fit_pass_however_they_were_made() -> None:
    check(Example(), "here")
    check(Example(rates=(0, 0.5), later=(), pair=(7, 7), bound=1), "here")


@pytest.mark.parametrize(("name", "protocol", "size"), PRESETS)
def test_settings_of_every_preset_and_its_shards_may_run(name, protocol, size) -> None:
    settings, _ = preset(name, protocol, size)
    question = discovery.load(name)
    parts = question.shards(settings) if isinstance(question, discovery.Sharded) else []
    for one in (settings, *parts):
        check(one, name)


@pytest.mark.parametrize("name", discovery.NAMES)
def test_a_plan_made_in_python_is_refused_before_anything_runs_or_is_downloaded(
    name, monkeypatch
) -> None:
    monkeypatch.setattr("experiments.running.plans.data_of", lambda *_: pytest.fail("data read"))
    (protocol, size), settings = next(iter(discovery.load(name).PRESETS.items()))
    plan = Plan(name, protocol, size, settings, (0,))
    for seeds in ((-1,), (0, 0), (), (2**32,), (0.5,), ("0",)):
        with pytest.raises(UserError, match=r"seeds:? .*seed"):
            replace(plan, seeds=seeds).points()
    for field_name, kind in kinds(type(settings)).items():
        if kind.item in (int, float):
            absurd = (-(10**30),) if kind.several else -(10**30)
            with_it = object.__new__(type(settings))
            # Past the question's own check, which knows what belongs together alone.
            with_it.__dict__.update({**asdict(settings), field_name: absurd})
            with pytest.raises(UserError, match=f"^{name}: {field_name} "):
                replace(plan, settings=with_it).points()
