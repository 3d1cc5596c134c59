"""Results as JSON text and back, to the last bit.

The text names its format, the version of that and the kind of result, then every field on a line of
its own. Numbers are written with all of their digits, NaN and infinity as words. It holds data
only, so text from a stranger can do no more than be refused. Files of a version are kept with the
tests: whatever changes here must read them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

FORMAT = "interactions result"
VERSION = 1
"""Of the format. A class that gains a field with a default needs no other."""


class Saved:
    """A frozen dataclass of arrays, tables and plain values that JSON text can hold."""

    def to_json(self: DataclassInstance) -> str:
        """JSON text of this result; `from_json` of its class gives the same one back.

        Save it by Path("result.json").write_text(result.to_json()).
        """
        head = {"format": FORMAT, "version": VERSION, "kind": type(self).__name__}
        values = {f.name: _written(getattr(self, f.name)) for f in fields(self)}
        return _lines({**_dumped(head), "fields": _lines(_dumped(values), "  ")}, "") + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """The result that `to_json` of the same class wrote.

        Raises
        ------
        ValueError
            For text that is no saved result, of a version of the format that is not known, of
            another kind of result, or with fields that do not fit.
        """
        return cls(**_fields(cls, text))


def _dumped(values: dict[str, Any]) -> dict[str, str]:
    return {name: json.dumps(value, allow_nan=False) for name, value in values.items()}


def _lines(values: dict[str, str], indent: str) -> str:
    """A JSON object with a line for each of its values, which are JSON already."""
    inner = ",\n".join(f"{indent}  {json.dumps(name)}: {v}" for name, v in values.items())
    return f"{{\n{inner}\n{indent}}}"


def _fields(cls: type, text: str) -> dict[str, Any]:
    """The arguments of a class that a text holds, or an error that says what is wrong with it."""
    if not isinstance(text, str):
        raise TypeError(f"from_json takes the text itself, got {type(text).__name__}")
    try:
        saved = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"not JSON ({error}): from_json takes the text of a file, Path(...).read_text()"
        ) from error
    if not isinstance(saved, dict) or saved.get("format") != FORMAT:
        raise ValueError(f"JSON, but not a saved result: it does not say format {FORMAT!r}")
    if saved.get("version") != VERSION:
        raise ValueError(
            f"written in version {saved.get('version')!r} of the format, and this package reads "
            f"version {VERSION}: read it with the package that wrote it, or a newer one"
        )
    if saved.get("kind") != cls.__name__:
        raise ValueError(
            f"the text holds a {saved.get('kind')}, not a {cls.__name__}: read it by "
            f"{saved.get('kind')}.from_json"
        )
    have = saved.get("fields")
    known = {f.name: f for f in fields(cls)}
    if not isinstance(have, dict) or set(have) - set(known):
        strange = sorted(set(have) - set(known)) if isinstance(have, dict) else have
        raise ValueError(f"a {cls.__name__} has no fields {strange}")
    required = {
        n for n, f in known.items() if f.default is MISSING and f.default_factory is MISSING
    }
    if required - set(have):
        raise ValueError(f"the text lacks {sorted(required - set(have))} of a {cls.__name__}")
    return {name: _read(value) for name, value in have.items()}


def _written(value: object) -> object:
    """What JSON can hold of a value; what it has no word for is an object of one tag."""
    match value:
        case np.ndarray():
            return _written_array(value)
        case np.generic():
            # A single number is no array, not even one without axes.
            return {**_written_array(np.asarray(value)), "shape": None}
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else {"float": str(value)}
        case tuple():
            return {"tuple": [_written(v) for v in value]}
        case list():
            return [_written(v) for v in value]
        case pd.DataFrame():
            return {
                "frame": {
                    "columns": [_written(name) for name in value.columns],
                    "values": [_written_array(value[name].to_numpy()) for name in value.columns],
                    "index": _written_array(value.index.to_numpy()),
                }
            }
        case Mapping():
            return {"pairs": [[_written(k), _written(v)] for k, v in value.items()]}
    raise TypeError(f"a result with a {type(value).__name__} in it cannot be saved as JSON")


def _written_array(array: np.ndarray) -> dict[str, object]:
    """Flat values, shape and type; numbers that JSON has no word for as words."""
    if array.dtype.kind == "O":
        values = [_written(v) for v in array.ravel().tolist()]
    elif array.dtype.kind == "f":
        values = [v if math.isfinite(v) else str(v) for v in array.ravel().tolist()]
    elif array.dtype.kind in "iub":
        values = array.ravel().tolist()
    else:
        raise TypeError(f"an array of {array.dtype} cannot be saved as JSON")
    return {"array": values, "shape": [*array.shape], "dtype": array.dtype.name}


def _read(value: Any) -> Any:
    """The inverse of `_written`."""
    match value:
        case list():
            return [_read(v) for v in value]
        case {"array": values, "shape": shape, "dtype": "object"}:
            array = np.empty(len(values), dtype=object)
            array[:] = [_read(v) for v in values]
            return array.reshape(shape)
        case {"array": values, "shape": shape, "dtype": dtype}:
            numbers = [float(v) if isinstance(v, str) else v for v in values]
            array = np.array(numbers, dtype=dtype)
            return array[0] if shape is None else array.reshape(shape)
        case {"float": word}:
            return float(word)
        case {"tuple": values}:
            return tuple(_read(v) for v in values)
        case {"pairs": pairs}:
            return {_read(k): _read(v) for k, v in pairs}
        case {"frame": {"columns": columns, "values": values, "index": index}}:
            # Text is of whatever type this version of pandas has for it.
            arrays = (_read(part) for part in [*values, index])
            *parts, rows = (a.tolist() if a.dtype == object else a for a in arrays)
            frame = pd.DataFrame(dict(enumerate(parts)), index=rows)
            return frame.set_axis([_read(name) for name in columns], axis=1)
        case dict():
            raise ValueError(f"not a saved value: {sorted(value)}")
    return value
