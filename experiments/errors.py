"""Errors a user can mend, and what was perhaps meant."""

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
