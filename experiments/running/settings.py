"""Settings of an experiment, from its presets and the command line."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import TypeVar

from ..errors import UserError, perhaps

S = TypeVar("S")


def choose(
    presets: Mapping[tuple[str, str], S], *, protocol: str | None, preset: str
) -> tuple[str, S]:
    """The preset's settings under a protocol; without one, the first the experiment names."""
    protocols = list(dict.fromkeys(p for p, _ in presets))
    protocol = protocol or protocols[0]
    if protocol not in protocols:
        raise UserError(f"protocol {protocol!r} is not one of this experiment's: {protocols}")
    names = [name for p, name in presets if p == protocol]
    if preset not in names:
        raise UserError(f"preset {preset!r} is not one of {names}")
    return protocol, presets[protocol, preset]


def change(settings: S, assignments: Sequence[str], *, option: str = "--set") -> S:
    """Settings with fields changed by "field=value" texts; a,b,c gives a tuple."""
    changes: dict[str, object] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"{option} takes field=value, got {text!r}")
        changes[name] = _parse(value, getattr(settings, name, None))
    return _replace(settings, changes, option)


def from_file(settings: S, path: Path) -> S:
    """Settings with fields changed by a JSON file of them, or by a record that holds such."""
    try:
        changes = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"{path} is not JSON: {error}") from error
    if not isinstance(changes, dict):
        raise UserError(f"{path} must hold fields and their values, as in " + '{"repeats": 3}')
    changes = changes.get("settings", changes)
    changes = {name: tuple(v) if isinstance(v, list) else v for name, v in changes.items()}
    return _replace(settings, changes, str(path))


def grid(settings: S, axes: Sequence[str]) -> list[tuple[dict[str, object], S]]:
    """Every combination of "field=a,b,.." axes: its values by field, and its settings.

    A field that is a tuple takes its values one by one.
    """
    points = [settings]
    for axis in axes:
        name, equals, values = axis.partition("=")
        texts = [name + equals + value for value in values.split(",")]
        points = [change(point, [text], option="--grid") for point in points for text in texts]
    out = []
    for point in dict.fromkeys(points):
        at = {name: getattr(point, name) for name in (a.partition("=")[0] for a in axes)}
        out.append(({n: v[0] if isinstance(v, tuple) else v for n, v in at.items()}, point))
    return out


def differences(settings: object, base: object) -> str:
    """The fields in which settings differ, as on the command line."""
    values = {f.name: getattr(settings, f.name) for f in fields(settings)}
    return " ".join(f"{n}={_show(v)}" for n, v in values.items() if v != getattr(base, n))


def _replace(settings: S, changes: Mapping[str, object], source: str) -> S:
    known = {f.name: getattr(settings, f.name) for f in fields(settings)}
    if unknown := [name for name in changes if name not in known]:
        raise UserError(
            f"unknown field {unknown[0]!r} in {source}{perhaps(unknown[0], known) or ';'} "
            f"the fields are {list(known)}"
        )
    values = {name: _fitting(name, v, known[name], source) for name, v in changes.items()}
    try:
        return replace(settings, **values)
    except (TypeError, ValueError) as error:
        raise UserError(f"{source}: {error}") from error


def _parse(text: str, current: object) -> object:
    if isinstance(current, str):
        return text
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return tuple(text.removesuffix(",").split(",")) if isinstance(current, tuple) else text


def _fitting(name: str, value: object, current: object, source: str) -> object:
    """The value in the field's type, if it is one of the kind."""
    if isinstance(current, tuple):
        value = value if isinstance(value, tuple) else (value,)
        fits = not current or all(_alike(v, current[0]) for v in value)
    else:
        fits = _alike(value, current)
    if not fits:
        raise UserError(
            f"{source} {name}={_show(value)}: expected something like {name}={_show(current)}"
        )
    if isinstance(current, tuple):
        return tuple(_like(v, current[0]) for v in value) if current else value
    return _like(value, current)


def _like(value: object, example: object) -> object:
    return float(value) if isinstance(example, float) else value


def _alike(value: object, example: object) -> bool:
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(example, bool)
    if isinstance(example, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(example))


def _show(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) and value else str(value)
