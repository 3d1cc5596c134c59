"""Settings of an experiment, from its presets and the command line."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from .context import UserError

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


def change(settings: S, assignments: Sequence[str]) -> S:
    """Settings with fields changed by "field=value" texts; a,b,c gives a tuple."""
    changes: dict[str, Any] = {}
    known = {f.name: getattr(settings, f.name) for f in fields(settings)}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals:
            raise UserError(f"--set takes field=value, got {text!r}")
        if name not in known:
            raise UserError(f"unknown field {name!r} in --set; the fields are {list(known)}")
        changes[name] = _parse(name, value, known[name])
    try:
        return replace(settings, **changes)
    except (TypeError, ValueError) as error:
        raise UserError(f"--set {' '.join(assignments)}: {error}") from error


def _parse(name: str, text: str, current: object) -> object:
    if isinstance(current, str):
        return text
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = tuple(text.split(",")) if isinstance(current, tuple) else text
    if isinstance(current, tuple):
        value = value if isinstance(value, tuple) else (value,)
        fits = not current or all(_alike(v, current[0]) for v in value)
    else:
        fits = _alike(value, current)
    if not fits:
        raise UserError(f"--set {name}={text}: expected something like {name}={_show(current)}")
    return (
        tuple(float(v) if isinstance(current[0], float) else v for v in value)
        if isinstance(current, tuple) and current
        else value
    )


def _alike(value: object, example: object) -> bool:
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(value, bool) and isinstance(example, bool)
    if isinstance(example, float):
        return isinstance(value, (int, float))
    return isinstance(value, type(example))


def _show(value: object) -> str:
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
