"""The rows of the lecture, and how one is shown."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from figures import lecture as figure

from ..errors import UserError, perhaps
from ..output import fitted
from ..running.context import Context
from ..running.store import open_folder, write_whole
from . import penalties, practice, readings
from .shown import Shown

FOLDER = "lecture"
"""Within the folder of results."""
UNSEEN = " (NOT as it should be: try another seed)"
"""Said of an effect that is not seen."""


@dataclass(frozen=True)
class Row:
    """What the lecture shows there, and what shows it here."""

    title: str
    show: Callable[[Context], Shown]


ROWS = {
    "L1": Row("effects of order k survive dropout with (1-r)^k", readings.interaction_effects),
    "L2": Row("classic and inverted dropout, in training and at prediction", practice.two_kinds),
    "L3": Row("a rate for each layer", practice.rate_per_layer),
    "L4": Row("a classifier of digits, without dropout and with 50%", practice.digits),
    "L5": Row("the average of all subnetworks, and scaling", readings.ensemble),
    "L6": Row("co-adaptation: weights shrink, units are less alike", readings.adaptation),
    "L7": Row("the L2 penalty by hand, and weight decay", penalties.weight_decay),
    "L8": Row("the L1 penalty", penalties.sparsity),
    "L9": Row("early stopping", practice.early_stopping),
    "L10": Row("fewer units, fewer layers", penalties.capacity),
    "L11": Row("more data", penalties.more_data),
    "L12": Row("how the regularizers differ", penalties.differences),
}


def chosen(names: list[str]) -> list[str]:
    """Names of rows as they are known, all of them for none.

    Raises UserError for one that there is not.
    """
    asked = [name.upper() for name in names]
    for name in asked:
        if name not in ROWS:
            raise UserError(
                f"the lecture has no row {name!r}{perhaps(name, ROWS)}: choose from L1 to L12"
            )
    return asked or list(ROWS)


def show(name: str, out: Path, context: Context) -> Shown:
    """Show a row: print its numbers and what to see, and leave its picture; returns all of it."""
    row = ROWS[name]
    folder = open_folder(out / FOLDER)
    print(fitted(f"{name}: {row.title}", hang="    "))
    began = time.perf_counter()
    shown = row.show(context)
    for effect in shown.effects:
        print(fitted(f"{effect}{UNSEEN * (not effect.is_seen)}", indent="  ", hang="    "))
    print(fitted(shown.see, indent="  ", hang="  "))
    picture = folder / f"{name}.png"
    write_whole(picture, figure.png(figure.draw(f"{name}: {row.title}", shown.panes)))
    print(fitted(f"{picture}, {time.perf_counter() - began:.0f} s", indent="  ", hang="    "))
    print()
    return shown


def write_page(rows: Mapping[str, Shown], out: Path) -> Path:
    """A page of rows that were shown, beside their pictures."""
    told = ["# The lecture, as shown here", "Bars are two standard errors."]
    for name, shown in rows.items():
        told += [f"## {name}: {ROWS[name].title}", shown.see]
        told.append("\n".join(f"- {e}{UNSEEN * (not e.is_seen)}" for e in shown.effects))
        told.append(f"![{name}: {ROWS[name].title}]({name}.png)")
    path = out / FOLDER / "README.md"
    write_whole(path, "\n\n".join(told) + "\n")
    return path
