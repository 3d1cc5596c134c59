"""What records and plans say, whoever wrote them: every field is of its kind, or they are none."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

LARGEST = 1e12
"""Of seconds, rows and the like: beyond, something else was written."""
OF_SHARD = ("shard", "types", "seconds", "rows", "host", "device", "threads", "started", "commit")
OF_SHARD += ("versions",)
"""What a run's record takes over from those of its shards."""


def checked(told: Any, *needed: str) -> Mapping[str, Any]:
    """What a record or a plan says, as it is.

    Raises ValueError, naming the field, if one is missing that is needed, or is not of its kind.
    """
    if not isinstance(told, dict):
        raise ValueError("it is no object of fields")
    for name in needed:
        if name not in told:
            raise ValueError(f"it has no {name}")
    for name in _unlike(told):
        raise ValueError(f"its {name} is {_brief(told[name])}")
    return told


def _unlike(told: Mapping[str, Any]) -> list[str]:
    return [name for name, value in told.items() if name in KINDS and not KINDS[name](value)]


def _brief(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):
        return "beyond words"
    return text if len(text) <= 60 else f"{text[:50]}..."


def _text(value: object) -> bool:
    return isinstance(value, str)


def _text_or_none(value: object) -> bool:
    return value is None or _text(value)


def _number(value: object) -> bool:
    """A number that may be a time or a count; NaN is none."""
    return isinstance(value, (int, float)) and not _flag(value) and 0 <= value <= LARGEST


def _whole(value: object) -> bool:
    return isinstance(value, int) and _number(value)


def _flag(value: object) -> bool:
    return isinstance(value, bool)


def _some(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(kind, value))


def _one_or_some(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    """Of a run: what all its shards have, or the list of those they have."""
    return lambda value: kind(value) or _some(kind)(value)


def _named(kind: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(kind, value.values()))


def _setting(value: object) -> bool:
    """A number, a text, True or False; NaN is none, and nothing infinite."""
    if isinstance(value, float):
        return abs(value) < float("inf")
    return isinstance(value, (int, str))


def _of_shard(value: object) -> bool:
    """A label, in a plan; in a run's record, what it has of the shard's."""
    return not _unlike(value) if isinstance(value, dict) else _text(value)


KINDS: Mapping[str, Callable[[object], bool]] = {
    **dict.fromkeys(("experiment", "protocol", "preset", "shard", "source", "command"), _text),
    **dict.fromkeys(("host", "started"), _text),
    "settings": _named(_one_or_some(_setting)),
    "seed": _whole,
    "seeds": _some(_whole),
    "grid": _some(_text),
    "swept": _flag,
    "device": _one_or_some(_text),
    "threads": _one_or_some(_whole),
    "versions": _one_or_some(_named(_text)),
    "commit": _one_or_some(_text_or_none),
    "seconds": _number,
    "rows": _whole,
    "types": _named(_text),
    "shards": _named(_of_shard),
    "data": _named(_text),
}
