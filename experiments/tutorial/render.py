"""Run the tutorial and write its page: python -m experiments.tutorial.render

Cells of tutorial.py are separated by "# %%", those of text by "# %% [markdown]", as notebooks kept
as scripts have them. The page holds the text, the code, what it prints and the pictures it shows.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Iterator
from pathlib import Path

import matplotlib as mpl

from ..running.store import write_whole

FOLDER = Path(__file__).parent
SCRIPT, PAGE = FOLDER / "tutorial.py", FOLDER / "README.md"
CELL = re.compile(r"^# %%( \[markdown\])?\n", re.MULTILINE)


def cells(script: str) -> Iterator[tuple[bool, str]]:
    """Whether a cell is text, and what it holds, without its marks."""
    _, *parts = CELL.split(script)
    for mark, body in zip(parts[::2], parts[1::2], strict=True):
        is_text = mark is not None
        yield is_text, re.sub(r"^# ?", "", body, flags=re.MULTILINE) if is_text else body


def page(script: str, folder: Path) -> str:
    """The page of a script, whose cells are run in order; its pictures are left in the folder."""
    mpl.use("Agg")
    from matplotlib import pyplot

    names: dict[str, object] = {"__name__": "tutorial"}
    told: list[str] = []
    for is_text, body in cells(script):
        if is_text:
            told.append(body.strip())
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(body, SCRIPT.name, "exec"), names)
        told.append(f"```python\n{body.strip()}\n```")
        if printed.getvalue():
            told.append(f"```\n{printed.getvalue().rstrip()}\n```")
        for number in pyplot.get_fignums():
            name = f"picture-{len(told)}.png"
            pyplot.figure(number).savefig(folder / name, dpi=90, metadata={"Software": None})
            told.append(f"![what the lines above draw]({name})")
        pyplot.close("all")
    return "\n\n".join(told) + "\n"


def main() -> None:
    """Write the page and its pictures beside the script."""
    write_whole(PAGE, page(SCRIPT.read_text(encoding="utf-8"), FOLDER))


if __name__ == "__main__":
    main()
