"""Which experiments there are.

An experiment `name` is experiments/name.py, with QUESTION, PRESETS (by protocol and preset),
run(settings, context) -> table and summary(table) -> table, and figures/name.py, with draw(table),
whose first picture is `name`.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from .running.context import UserError

HEADLINE = ("decay_law", "pure_noise", "bike_share")
NAMES = (*HEADLINE, "four_laws", "effective_learning_rate", "learning_curves", "weight_decay")


def load(name: str) -> ModuleType:
    """The module that asks a question."""
    if name not in NAMES:
        raise UserError(f"unknown experiment {name!r}: choose from {', '.join(NAMES)}")
    return import_module(f"experiments.{name}")


def load_figure(name: str) -> ModuleType:
    """The module that draws its picture."""
    return import_module(f"figures.{name}")
