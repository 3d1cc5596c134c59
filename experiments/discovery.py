"""Which questions there are: those found by looking in the folder.

A question `name` is experiments/questions/name.py, a module that is a `Question`. Its picture is
figures/name.py, a `Drawing` whose first picture is `name`.

The table of a run is that of its shards, one below the other: `run` of a shard must need nothing
from the others. A shard trains as one ensemble, so its composition is part of its result, and
must follow from the settings alone.

What a question asks and which presets it has are read off its source, where both must be written
out: importing a question takes seconds, as it imports torch. Nothing else imports by name.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from .errors import UserError, perhaps

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from .running.context import Context

HEADLINE = ("decay_law", "pure_noise", "bike_share")
FOLDER = Path(__file__).parent / "questions"
NAMES = (
    *HEADLINE,
    *sorted({path.stem for path in FOLDER.glob("[a-z]*.py")} - set(HEADLINE)),
)


@runtime_checkable
class Question(Protocol):
    """What the module of a question holds.

    `QUESTION` is what it asks, a line. `Settings` is a frozen dataclass of numbers, texts and
    tuples of them; `PRESETS` are settings by (protocol, preset), the protocol meant where none is
    named first. One that reads real data names it in DATA, as running/data.py does: what is read
    is part of what its shards are.
    """

    QUESTION: str
    Settings: type
    PRESETS: Mapping[tuple[str, str], Any]

    def run(self, settings: Any, context: Context) -> pd.DataFrame:
        """One tidy table of what was measured."""

    def summary(self, table: pd.DataFrame) -> pd.DataFrame:
        """What is printed at the end."""


@runtime_checkable
class Sharded(Question, Protocol):
    """A question whose runs are long: computed and kept block by block."""

    def shards(self, settings: Any) -> list[Any]:
        """Settings of the blocks, whose tables make up the whole in this order."""


@runtime_checkable
class Drawing(Protocol):
    """What the module of a figure holds."""

    def draw(self, table: pd.DataFrame) -> Mapping[str, Figure]:
        """Pictures of a run's table by name."""


@dataclass(frozen=True)
class Outline:
    """What a question's source says of it: what it asks, and its (protocol, preset) pairs."""

    asks: str
    presets: tuple[tuple[str, str], ...]

    @property
    def protocols(self) -> list[str]:
        """Those it can be run under, the one meant where none is named first."""
        return list(dict.fromkeys(protocol for protocol, _ in self.presets))


def outline(name: str) -> Outline:
    """What a question asks and which presets it has, without importing it.

    Raises UserError if there is no such question, ValueError if its source does not write them out.
    """
    path = FOLDER / f"{known(name)}.py"
    assigned = {
        target.id: node.value
        for node in ast.parse(path.read_bytes()).body
        if isinstance(node, ast.Assign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Name)
    }
    try:
        keys = assigned["PRESETS"].keys
        return Outline(
            ast.literal_eval(assigned["QUESTION"]), tuple(ast.literal_eval(key) for key in keys)
        )
    except (KeyError, AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f'{path} must write out QUESTION = "..." and PRESETS = {{("protocol", "preset"): ...}}'
        ) from error


def load(name: str) -> Question:
    """The module that asks a question.

    Raises UserError if there is none of this name, TypeError if it is not a `Question`.
    """
    module = import_module(f"experiments.questions.{known(name)}")
    if not isinstance(module, Question):
        raise TypeError(f"{module.__name__} must have QUESTION, Settings, PRESETS, run and summary")
    return module


def load_figure(name: str) -> Drawing:
    """The module that draws a question's picture.

    Raises UserError if there is no such question, TypeError if the module is not a `Drawing`.
    """
    module = import_module(f"figures.{known(name)}")
    if not isinstance(module, Drawing):
        raise TypeError(f"{module.__name__} must have draw")
    return module


def known(name: str) -> str:
    """The name, if there is a question of it; else raises UserError."""
    if name not in NAMES:
        raise UserError(
            f"unknown experiment {name!r}{perhaps(name, NAMES) or ':'} "
            f"choose from {', '.join(NAMES)}"
        )
    return name
