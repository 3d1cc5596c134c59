"""The numbers that decide claims, by the names paper_results/claims.toml calls them.

A number is a function of one of the subjects below that answers with an Estimate. It takes the
tables its check lists, of runs or as published, and the check's options. To add one, write it.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType

from . import bike, distillation, documents, laws, learning, noise, purification, uncertainty
from .estimates import Estimate

SUBJECTS = (laws, distillation, noise, bike, learning, uncertainty, documents, purification)


def numbers_in(subject: ModuleType) -> dict[str, Callable[..., Estimate]]:
    """Collect the public functions a module itself defines that answer with an Estimate."""
    return {
        name: thing
        for name, thing in vars(subject).items()
        if not name.startswith("_")
        and getattr(thing, "__module__", None) == subject.__name__
        and getattr(thing, "__annotations__", {}).get("return") in (Estimate, Estimate.__name__)
    }


NUMBERS = {name: number for subject in SUBJECTS for name, number in numbers_in(subject).items()}
