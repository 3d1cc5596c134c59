"""What the pages say of runs: shown as it is, whatever is in a record, a table or a folder's name.

Templates pass all they put in through `for_html` or `for_markdown`, except what is marked as part
of the page.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from markupsafe import Markup

from experiments.errors import visible

ACTIVE = re.compile(r"([\\`*\[\]|]|~(?=~)|(?<=~)~|(?<!\w)_|_(?!\w))")
"""What Markdown acts on within a line; an underscore within a word, as in names, is none."""


def for_html(value: object) -> object:
    """A value without control characters; what HTML acts on is escaped by the template engine."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def for_markdown(value: object) -> object:
    """A value as text of one line, or of one cell of a table, that is shown letter by letter."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    text = visible(value).replace("&", "&amp;").replace("<", "&lt;")
    return ACTIVE.sub(r"\\\1", text)


def code(value: object) -> Markup:
    """A text as Markdown's code, in a table or not: fenced by more backticks than are in it."""
    text = visible(value)
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    space = " " if len(fence) > 1 else ""
    # Within a table, a bar ends the cell even in code; GitHub's Markdown takes the backslash away.
    text = text.replace("|", "\\|")
    return Markup(f"{fence}{space}{text}{space}{fence}")


def link(path: str) -> Markup:
    """A relative path as the target of a link."""
    return Markup(quote(path))
