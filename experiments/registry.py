"""Which experiments there are.

An experiment `name` is experiments/name.py, with

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
from types import ModuleType

from .running.context import UserError

HEADLINE = ("decay_law", "pure_noise", "bike_share")
NAMES = (
    *HEADLINE,
    "four_laws",
    "effective_learning_rate",
    "surviving_effects",
    "conditional_mean",
    "pure_interaction",
    "distillation_accuracy",
    "dropout_uncertainty",
    "newsgroups",
    "best_rate",
    "subnetworks",
    "co_adaptation",
    "learning_curves",
    "weight_decay",
    "digits",
    "every_layer",
    "regularizers",
)


def load(name: str) -> ModuleType:
    """The module that asks a question."""
    if name not in NAMES:
        raise UserError(f"unknown experiment {name!r}: choose from {', '.join(NAMES)}")
    return import_module(f"experiments.{name}")


def protocols(name: str) -> list[str]:
    """Those an experiment can be run under, the one meant where none is named first."""
    return list(dict.fromkeys(protocol for protocol, _ in load(name).PRESETS))


def load_figure(name: str) -> ModuleType:
    """The module that draws its picture."""
    return import_module(f"figures.{name}")
