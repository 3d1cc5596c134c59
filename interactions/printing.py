"""Results as aligned text and as small HTML tables."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence

WIDTH = 100
"""Characters of a line, at most."""
MOST_ROWS = 40
"""Rows that a printed table shows, at most."""


def wrapped(text: str, indent: str = "  ") -> list[str]:
    """A sentence as lines, all but the first further in."""
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + "  ", break_on_hyphens=False
    )


def number(value: float, digits: str = ".4f") -> str:
    """A number, or that there is none: a constant has no shares."""
    return "undefined" if math.isnan(value) else f"{value:{digits}}"


def with_error(value: float, error: float, digits: str = ".4f", *, padded: bool = True) -> str:
    """A number and its standard error, which may be unknown; of one width if `padded`."""
    if math.isnan(value):
        return "undefined"
    stated = "unknown" if math.isnan(error) else f"{error:.2g}"
    return f"{value:{digits}} ± {stated:<{7 if padded else 0}}"


def aligned(rows: Sequence[Sequence[str]], indent: str = "  ") -> list[str]:
    """Rows of cells as lines of at most WIDTH characters; the first row holds the headings.

    Columns that do not fit beside the first ones follow below, the first column repeated. Of many
    rows the last ones are counted, not shown.
    """
    shown = rows[: MOST_ROWS + 1]
    widths = [max(len(row[i]) for row in shown) for i in range(len(rows[0]))]
    lines: list[str] = []
    start = 1
    while start < len(widths):
        end, used = start + 1, len(indent) + widths[0] + 2 + widths[start]
        while end < len(widths) and used + 2 + widths[end] <= WIDTH:
            used += 2 + widths[end]
            end += 1
        for row in shown:
            cells = [row[0].ljust(widths[0])]
            cells += [f"{row[i]:>{widths[i]}}" for i in range(start, end)]
            lines.append((indent + "  ".join(cells)).rstrip())
        start = end
    if len(rows) > len(shown):
        lines.append(f"{indent}and {len(rows) - len(shown):,} more: to_frame() holds all")
    return lines


def html_table(title: str, rows: Sequence[Sequence[str]]) -> str:
    """The same rows as an HTML table under a title."""
    shown = rows[: MOST_ROWS + 1]
    cells = [
        "".join(f"<{tag}>{html.escape(cell.strip())}</{tag}>" for cell in row)
        for tag, row in [("th", shown[0]), *(("td", row) for row in shown[1:])]
    ]
    body = "".join(f"<tr>{row}</tr>" for row in cells[1:])
    more = len(rows) - len(shown)
    rest = f"<p>and {more:,} more: to_frame() holds all</p>" if more else ""
    return (
        f"<p>{html.escape(title)}</p>"
        f"<table><thead><tr>{cells[0]}</tr></thead><tbody>{body}</tbody></table>{rest}"
    )
