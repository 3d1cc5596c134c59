"""Renew what pages tell of stored runs: python -m paper_results.renew

Between <!-- numbers: NAME --> and <!-- end --> stand numbers that paper_results/told computes from
the stored and published tables. They are put in again, to as many digits as stand there; of tables,
a row is known by how it begins. Words stay as they are: where a number moved, read its sentence
again. The explorer is written anew, too. To be run after stored runs were changed on purpose; the
tests see that nothing is stale.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from experiments.running.store import write_whole

from .explorer import build
from .told import digits, selectivities
from .told.lecture import LECTURE
from .told.results import RESULTS, Compute
from .told.verdicts import VERDICTS

ROOT = Path(__file__).parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "paper_results" / "README.md",
    ROOT / "experiments" / "lecture" / "README.md",
]
BLOCK = re.compile(r"(?<=<!-- numbers: )(\w+)( -->\n)(.*?)(?=\n<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """A page with the numbers of its blocks as the tables give them now.

    Raises ValueError, naming what was there, where a block is unknown, a row is one that nothing
    computes, or its numbers are more or fewer than those that are computed.
    """
    return BLOCK.sub(lambda block: f"{block[1]}{block[2]}{_renewed(block[1], block[3])}", page)


def _renewed(name: str, text: str) -> str:
    if name in LECTURE:
        return digits.renewed(text, LECTURE[name]())
    if name not in TABLES:
        names = [*TABLES, *LECTURE]
        raise ValueError(f"nothing computes the numbers of {name!r}: choose from {names}")
    head, rule, rows = re.split(r"^(\|---.*\n)", text, maxsplit=1, flags=re.MULTILINE)
    return head + rule + "\n".join(map(TABLES[name], rows.splitlines()))


def _by_name(computed: Mapping[str, Compute], *, fewer: bool) -> Callable[[str], str]:
    """Renew a row by what computes it: of names that it begins with, the longest.

    With `fewer`, one that nothing computes tells no number.
    """

    def renew(line: str) -> str:
        _, first, rest = line.split("|", 2)
        fits = [name for name in computed if first.strip().startswith(name)]
        if not fits and not fewer:
            raise ValueError(f"nothing computes the row {line!r}")
        values = computed[max(fits, key=len)]() if fits else []
        return f"|{first}|{digits.renewed(rest, values)}"

    return renew


def _selectivity(line: str) -> str:
    first = line.split("|")[1].strip()
    return "| " + " | ".join([first, *selectivities.row(first)]) + " |"


TABLES: dict[str, Callable[[str], str]] = {
    "results": _by_name(RESULTS, fewer=False),
    "verdicts": _by_name(VERDICTS, fewer=True),
    "selectivities": _selectivity,
}
"""How a row of each table is renewed."""


def main() -> None:
    """Renew all pages and the explorer, and say which numbers are others now."""
    write_whole(ROOT / "paper_results" / build.PAGE, build.page())
    for page in PAGES:
        before = page.read_text(encoding="utf-8")
        after = renewed(before)
        write_whole(page, after)
        for old, new in zip(before.splitlines(), after.splitlines(), strict=True):
            if old != new:
                print(f"{page.relative_to(ROOT)}:\n- {old}\n+ {new}")


if __name__ == "__main__":
    main()
