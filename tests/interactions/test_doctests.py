"""The examples of public names run, and each name has one."""

from __future__ import annotations

import doctest

import pytest

import interactions
from interactions import anova

NAMES = {
    f"{module.__name__}.{name}": getattr(module, name)
    for module in (interactions, anova)
    for name in module.__all__
}
WITHOUT = {
    "interactions.anova.METHODS": "a table",
    "interactions.anova.Method": "what its entries are; EXTENDING.md has one",
    "interactions.anova.GridTooLargeError": "raised",
    "interactions.anova.UnreadableModelError": "raised",
}
"""Names that have no example, and why."""


@pytest.mark.parametrize("name", sorted(NAMES.keys() - WITHOUT.keys()))
def test_an_example_says_what_it_prints(name: str) -> None:
    if ".released_" in name:
        pytest.importorskip("xgboost")
    # Of a class its own docstring; methods show more, without running it.
    (example,) = doctest.DocTestFinder(recurse=False).find(NAMES[name], name)
    assert example.examples, "no example"
    failed, _ = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(example)
    assert failed == 0


def test_those_without_an_example_are_few_and_there() -> None:
    assert WITHOUT.keys() <= NAMES.keys()
