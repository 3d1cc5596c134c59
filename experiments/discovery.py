"""Which questions there are: those found by looking in the folder.

A question `name` is experiments/questions/name.py, with

    QUESTION                                what it asks, a line
    Settings                                a frozen dataclass of numbers, texts and tuples of them
    PRESETS                                 settings by (protocol, preset)
    run(settings, context) -> table         one tidy DataFrame
    summary(table) -> table                 what is printed at the end
    shards(settings) -> list[Settings]      optional: blocks to compute and keep one by one

and figures/name.py, with draw(table), whose first picture is `name`.

The table of a run is that of its shards, one below the other: `run` of a shard must need nothing
from the others. A shard trains as one ensemble, so its composition is part of its result, and
must follow from the settings alone.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

from .running.context import UserError

HEADLINE = ("decay_law", "pure_noise", "bike_share")
FOLDER = Path(__file__).parent / "questions"
NAMES = (
    *HEADLINE,
    *sorted({path.stem for path in FOLDER.glob("[a-z]*.py")} - set(HEADLINE)),
)


def load(name: str) -> ModuleType:
    """The module that asks a question."""
    if name not in NAMES:
        raise UserError(f"unknown experiment {name!r}: choose from {', '.join(NAMES)}")
    return import_module(f"experiments.questions.{name}")


def protocols(name: str) -> list[str]:
    """Those an experiment can be run under, the one meant where none is named first."""
    return list(dict.fromkeys(protocol for protocol, _ in load(name).PRESETS))


def load_figure(name: str) -> ModuleType:
    """The module that draws its picture."""
    return import_module(f"figures.{name}")
