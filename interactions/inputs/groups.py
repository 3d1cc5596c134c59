"""Several columns as one input: which belong together, and their rows in a sensible order."""

from __future__ import annotations

import difflib
from collections.abc import Hashable, Iterable, Mapping, Sequence

import numpy as np

LEAVES = 4096
"""Parts that rows are put in order by, at most: within a part they stand along a line."""
FEWEST = 8
"""Rows that are not divided further."""

Groups = Mapping[str, Iterable[Hashable]]


def players(
    groups: Groups | None, labels: Sequence[Hashable] | None, dim: int
) -> tuple[tuple[str, ...] | None, list[list[int]]]:
    """Names of the inputs and the numbers of the columns that each stands for.

    Inputs come in the order of their first columns; those in no group are inputs of their own.

    Raises
    ------
    ValueError
        For groups without columns or with a column that does not exist or is in two of them, and
        for names that would be used twice.
    """
    groups = {} if groups is None else groups
    if not isinstance(groups, Mapping):
        raise TypeError(
            'groups must be a dict of columns by name, {"address": ["street", "city"]}; got '
            f"{type(groups).__name__}"
        )
    members: dict[str, list[int]] = {}
    owner: dict[int, str] = {}
    for name, columns in groups.items():
        if isinstance(columns, str):
            raise TypeError(f"group {name!r} must be a list of columns, got {columns!r}")
        members[str(name)] = [_position(c, name, labels, dim) for c in columns]
        if not members[str(name)]:
            raise ValueError(f"group {name!r} has no columns")
        for j in members[str(name)]:
            if j in owner:
                shown = j if labels is None else labels[j]
                raise ValueError(f"column {shown!r} is in groups {owner[j]!r} and {name!r}")
            owner[j] = str(name)
    if labels is None and not groups:
        return None, [[j] for j in range(dim)]
    names = [f"column {j}" if labels is None else str(labels[j]) for j in range(dim)]
    found = [owner.get(j, names[j]) for j in range(dim)]
    once = [j for j in range(dim) if j not in owner or min(members[owner[j]]) == j]
    called = tuple(found[j] for j in once)
    if len(set(called)) < len(called):
        twice = sorted({name for name in called if called.count(name) > 1})
        raise ValueError(f"inputs would be called {twice} more than once: rename columns or groups")
    return called, [members[owner[j]] if j in owner else [j] for j in once]


def _position(column: Hashable, group: str, labels: Sequence[Hashable] | None, dim: int) -> int:
    if labels is not None and column in labels:
        return list(labels).index(column)
    if isinstance(column, (int, np.integer)) and not isinstance(column, bool) and 0 <= column < dim:
        return int(column)
    if labels is None:
        raise ValueError(f"group {group!r} has column {column!r}, the data have 0 .. {dim - 1}")
    like = difflib.get_close_matches(str(column), [str(label) for label in labels], n=1)
    hint = f": did you mean {like[0]!r}?" if like else f", the data have {[*labels]}"
    raise ValueError(f"group {group!r} has no column {column!r} to take{hint}")


def in_order(rows: np.ndarray) -> np.ndarray:
    """Numbers of the rows [K, c] in an order in which neighbours are alike, [K].

    Rows are halved along their first principal component, and the halves again, those first that
    lie nearer to what stands before them. Curves over the order then jump little.
    """
    spread = rows.std(axis=0)
    points = (rows - rows.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    fewest = max(FEWEST, len(rows) // LEAVES)
    order: list[np.ndarray] = []
    waiting = [np.arange(len(rows))]
    before = None
    while waiting:
        some = waiting.pop()
        centred = points[some] - points[some].mean(axis=0)
        *_, directions = np.linalg.svd(centred.T @ centred)
        some = some[np.argsort(centred @ directions[0], kind="stable")]
        before = points[some[0]] if before is None else before
        middle = len(some) // 2
        near, far = (points[half].mean(axis=0) for half in (some[: middle + 1], some[middle:]))
        if np.linalg.norm(near - before) > np.linalg.norm(far - before):
            some = some[::-1]
        if len(some) <= fewest:
            order.append(some)
            before = points[some[-1]]
        else:
            waiting += [some[middle:], some[:middle]]
    return np.concatenate(order)
