"""Errors a user can mend, what was perhaps meant, and how a terminal may show it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class UserError(Exception):
    """Something the user can mend: the message says what was wrong and what to do."""

    status = 1


class StoppedError(UserError):
    """The user stopped a run."""

    status = 130


class MissingDataError(UserError):
    """A data set is neither here nor to be had."""


def perhaps(word: str, known: Iterable[str]) -> str:
    """'; did you mean ...?' with the known word nearest to a mistaken one, else nothing."""
    near = get_close_matches(word.lower().replace("-", "_"), known, n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def visible(text: object) -> str:
    """A text on one line, with escapes for all that a terminal would act on instead of showing it.

    For what comes from files and arguments, whoever wrote them.
    """
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in str(text))
