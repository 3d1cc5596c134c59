"""Settings of an experiment: from presets, files and the command line, checked before it runs.

A field's type says what it takes: whole numbers, numbers, True or False, texts, or a tuple of one
of them, in which nothing stands twice. The range of its numbers follows from its name where
`RANGES` has it, so that a rate is a rate in every question, else from its type. What is special to
a field of a question is in its metadata, `field(default=..., metadata={...})`:

    range    another range, as "[0, 1e7]"
    among    the texts there are to choose from
    empty    True: the tuple may be empty, as one whose default is
    twice    True: the tuple is a sequence, in which a value may stand twice
"""

from __future__ import annotations

import ast
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from itertools import product
from pathlib import Path
from typing import TypeVar, get_args, get_origin, get_type_hints

from ..errors import UserError, perhaps

S = TypeVar("S")

RANGES = {
    "rate": "[0, 1)",
    "learning_rate": "(0, 1e3]",
    "product_learning_rate": "(0, 1e3]",
    "noise": "[0, 1e6]",
    "tolerance": "[0, 1e6]",
    "budget": "[1, 1e12]",
    "width": "[1, 1e4]",
    "depth": "[1, 100]",
    "dim": "[1, 1e3]",
    "order": "[1, 100]",
    "repeat": "[1, 1e5]",
    "seed": f"[0, {2**32 - 1}]",
}
"""By the name of a field, or its last word, in the singular. Sizes end where memory would."""
OF_TYPE = {int: "[1, 1e7]", float: "[-1e9, 1e9]", bool: "", str: ""}
MOST_VALUES = 1000
"""In a tuple."""
LARGEST_FILE = 2**26
"""Bytes of a settings file; the records of long sweeps take some."""


@dataclass(frozen=True)
class Kind:
    """What a field takes: values of `item`, one or, if `several`, a tuple, `count` where given."""

    item: type
    several: bool = False
    count: int | None = None
    range: str = ""
    among: Collection[str] = ()
    empty: bool = False
    twice: bool = False


@cache
def kinds(of: type) -> Mapping[str, Kind]:
    """What the fields of a question's Settings take, by name.

    Raises TypeError where a field's type is not one that settings may have.
    """
    hints, out = get_type_hints(of), {}
    for f in fields(of):
        several = get_origin(hints[f.name]) is tuple
        items = get_args(hints[f.name]) if several else (hints[f.name],)
        if not {*items} <= {items[0], ...} or items[0] not in OF_TYPE:
            raise TypeError(f"{f.name}: {f.type} is not a number, a text or a tuple of one of them")
        out[f.name] = Kind(
            items[0],
            several,
            None if not several or ... in items else len(items),
            f.metadata.get("range", _usual_range(f.name, items[0])),
            f.metadata.get("among", ()),
            f.metadata.get("empty", f.default == ()),
            # A pair, tuple[int, int], says by its length that its places differ.
            f.metadata.get("twice", several and ... not in items),
        )
    return out


def _usual_range(name: str, item: type) -> str:
    singular, last = name.removesuffix("s"), name.removesuffix("s").rpartition("_")[2]
    usual = OF_TYPE[item]
    return usual and RANGES.get(singular, RANGES.get(last, usual))


def choose(
    presets: Mapping[tuple[str, str], S], *, protocol: str | None, preset: str
) -> tuple[str, S]:
    """The preset's settings under a protocol; without one, the first the experiment names."""
    protocols = list(dict.fromkeys(p for p, _ in presets))
    protocol = protocols[0] if protocol is None else protocol
    if protocol not in protocols:
        raise UserError(
            f"protocol {_brief(repr(protocol))} is not one of this experiment's: "
            f"{protocols}{perhaps(protocol, protocols)}"
        )
    names = [name for p, name in presets if p == protocol]
    if preset not in names:
        raise UserError(
            f"preset {_brief(repr(preset))} is not one of {names}{perhaps(preset, names)}"
        )
    return protocol, presets[protocol, preset]


def change(settings: S, assignments: Sequence[str], *, option: str = "--set") -> S:
    """Settings with fields changed by "field=value" texts; a,b,c gives a tuple."""
    takes = kinds(type(settings))
    changes: dict[str, object] = {}
    for name, value in (_split(text, option) for text in assignments):
        if name in changes:
            raise UserError(f"{option} names {name} twice: give it once")
        changes[name] = _parse(value, takes[name]) if name in takes else value
    return _replace(settings, changes, option)


def from_file(settings: S, path: Path) -> S:
    """Settings with fields changed by a JSON file of them, or by a record that holds such."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise UserError(f"{path} is too large for settings: more than {LARGEST_FILE} bytes")
        changes = json.loads(content.decode("utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror or error}") from error
    except (ValueError, RecursionError) as error:
        # A path with a NUL in it is a ValueError, too.
        raise UserError(f"{path} is not JSON in UTF-8: {_brief(str(error))}") from error
    if isinstance(changes, dict):
        changes = changes.get("settings", changes)
    if not isinstance(changes, dict):
        raise UserError(f"{path} must hold fields and their values, as in " + '{"repeats": 3}')
    changes = {name: tuple(v) if isinstance(v, list) else v for name, v in changes.items()}
    return _replace(settings, changes, str(path))


def _once(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    out = dict(pairs)
    if len(out) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it names {twice!r} twice")
    return out


def grid(settings: S, axes: Sequence[str]) -> list[tuple[dict[str, object], S]]:
    """Every combination of "field=a,b,.." axes: its values by field, and its settings.

    A field that is a tuple takes its values one by one.
    """
    takes, values = kinds(type(settings)), {}
    for name, text in (_split(axis, "--grid") for axis in axes):
        if name in values:
            raise UserError(f"--grid names {name} twice: give all its values at once")
        # For an unknown field, as anywhere.
        kind = takes[name] if name in takes else _known(name, takes, "--grid")
        each = replace(kind, several=True, count=None, empty=False, twice=False)
        values[name] = _fitting(name, _parse(text, each), each, getattr(settings, name), "--grid")
    out = []
    for combination in product(*values.values()):
        at = dict(zip(values, combination, strict=True))
        changes = {name: (v,) if takes[name].several else v for name, v in at.items()}
        out.append((at, _replace(settings, changes, "--grid")))
    return out


def check(settings: object, source: str) -> None:
    """See that all fields hold what they may, as those from texts and files do when they are read.

    Raises UserError that names `source` and the field.
    """
    for name, kind in kinds(type(settings)).items():
        value, example = getattr(settings, name), getattr(type(settings), name, ())
        if _fitting(name, value, kind, example, source) != value:
            raise _unlike(name, value, kind, example, source)


def check_seeds(seeds: tuple[int, ...]) -> None:
    """See that seeds are whole numbers in their range, each there once; raises UserError."""
    _fitting("seed", seeds, Kind(int, several=True, range=RANGES["seed"]), (0, 1, 2), "seeds")


def read_seeds(text: str) -> tuple[int, ...]:
    """Seeds by "0,1,2", each once and in their range."""
    try:
        chosen = tuple(int(seed) for seed in text.split(","))
    except ValueError as error:
        raise UserError(
            f"seeds are whole numbers, as in 0,1,2; got {_brief(repr(text))}"
        ) from error
    check_seeds(chosen)
    return chosen


def differences(settings: object, base: object) -> str:
    """The fields in which settings differ, as on the command line."""
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return " ".join(f"{n}={_show(v)}" for n, v in values.items() if v != getattr(base, n))


def as_text(value: object) -> str:
    """A value as `change` reads it back, also where texts in a tuple hold commas."""
    if not isinstance(value, (list, tuple)):
        return str(value)
    plain = ",".join(map(str, value)) + "," * (len(value) == 1)
    if not all(isinstance(v, str) for v in value) or _parse(plain, TEXTS) == tuple(value):
        return plain
    return ",".join(map(repr, value)) + "," * (len(value) == 1)


def described(kind: Kind) -> str:
    """What a field takes, in words."""
    if kind.item is bool:
        return "True or False"
    what = {int: "whole number", float: "number", str: "text"}[kind.item]
    if kind.several:
        what = f"{kind.count or ''} {what}s".strip()
    where = f" in {kind.range}" if kind.range else ""
    among = f": {', '.join(kind.among)}" if kind.among else ""
    return what + where + among + ", or none" * kind.empty


TEXTS = Kind(str, several=True)


def _split(text: str, option: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"{option} takes field=value, got {_brief(repr(text))}")
    return name, value


def _known(name: str, takes: Mapping[str, Kind], source: str) -> Kind:
    if name not in takes:
        raise UserError(
            f"unknown field {_brief(repr(name))} in {source}{perhaps(name, takes) or ';'} "
            f"the fields are {list(takes)}"
        )
    return takes[name]


def _replace(settings: S, changes: Mapping[str, object], source: str) -> S:
    takes = kinds(type(settings))
    values = {
        name: _fitting(name, value, _known(name, takes, source), getattr(settings, name), source)
        for name, value in changes.items()
    }
    try:
        return replace(settings, **values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{source}: {error}") from error


def _parse(text: str, kind: Kind) -> object:
    if kind.item is str and not kind.several:
        return text
    if kind.several and not text:
        return ()
    try:
        return ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return tuple(text.removesuffix(",").split(",")) if kind.several else text


def _fitting(name: str, value: object, kind: Kind, current: object, source: str) -> object:
    """The value in the field's type, if it is one of the kind and in its range."""
    items = value if kind.several and isinstance(value, tuple) else (value,)
    if not all(_alike(item, kind.item) for item in items):
        raise _unlike(name, value, kind, current, source)
    _check(name, items, kind, source)
    items = tuple(map(kind.item, items))  # A whole number may be given where any may.
    return items if kind.several else items[0]


def _unlike(name: str, value: object, kind: Kind, current: object, source: str) -> UserError:
    example = current if current != () else f"several of type {kind.item.__name__}"
    return UserError(
        f"{source} {name}={_brief(_show(value))}: "
        f"expected something like {name}={_brief(_show(example))}"
    )


def _check(name: str, items: Sequence[object], kind: Kind, source: str) -> None:
    """Raise UserError where values of the right type are none for the field."""
    for item in items:
        if kind.range and not _within(item, kind.range):
            raise UserError(f"{source}: {name} must lie in {kind.range}, got {_brief(_show(item))}")
        if kind.among and item not in kind.among:
            raise UserError(
                f"{source}: unknown {name} {_brief(repr(item))}"
                f"{perhaps(item, kind.among) or ':'} choose from {', '.join(kind.among)}"
            )
    if not kind.several:
        return
    if kind.count is not None and len(items) != kind.count:
        raise UserError(f"{source}: {name} takes {kind.count} values, got {len(items)}")
    if not items and not kind.empty:
        raise UserError(f"{source}: {name} must have a value at least")
    if len(items) > MOST_VALUES:
        raise UserError(f"{source}: {name} has {len(items)} values, at most {MOST_VALUES} may be")
    if len(set(items)) < len(items) and not kind.twice:
        twice = next(item for i, item in enumerate(items) if item in items[:i])
        raise UserError(
            f"{source}: {name} has {_brief(_show(twice))} twice, which would count it twice: "
            "give every value once"
        )


def _within(number: int | float, range_: str) -> bool:
    """Whether a number lies in "[low, high)", or with other brackets; nothing infinite does."""
    low, high = (float(text) for text in range_[1:-1].split(","))
    above = number >= low if range_[0] == "[" else number > low
    below = number <= high if range_[-1] == "]" else number < high
    return above and below


def _alike(value: object, item: type) -> bool:
    if item is bool or isinstance(value, bool):
        return isinstance(value, bool) and item is bool
    return isinstance(value, (int, float) if item is float else item)


def _show(value: object) -> str:
    try:
        return ",".join(map(str, value)) if isinstance(value, tuple) and value else str(value)
    except ValueError:
        return "a number of thousands of digits"


def _brief(text: str) -> str:
    """What is left of a text that may be long, for a message."""
    return text if len(text) <= 80 else f"{text[:60]}... ({len(text)} characters)"
