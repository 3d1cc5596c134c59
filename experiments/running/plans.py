"""What is to be run, and the folder that holds it: named by its settings, and nobody else's."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .. import discovery
from ..errors import UserError
from .bound import DamagedError, bound_names, content_of, is_bound, verified_one
from .records import checked
from .settings import check, check_seeds, differences, grid
from .shards import RECORD, Shard, data_of, split

SHARDS = "shards"
PLAN, BEGUN = "plan.json", "begun.json"
"""The plan of what is finished, bound to it, and that of what was begun, gone when it is done."""
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,=+-]*")
READABLE = 48
"""Characters of a folder's name that say what differs; a hash says the rest."""


@dataclass(frozen=True)
class Plan:
    """What to run: an experiment's settings at every seed and, in a sweep, every grid point.

    `name` is the folder's, where the user chose one.
    """

    experiment: str
    protocol: str
    preset: str
    settings: Any
    seeds: tuple[int, ...]
    grid: tuple[str, ...] = ()
    swept: bool = False
    name: str | None = None

    @property
    def folder(self) -> str:
        """The preset's name, and after it what differs from the preset, readable and as a hash."""
        if self.name is not None:
            return self.name
        plain = f"{self.experiment}-{self.protocol}-{self.preset}" + "-sweep" * self.swept
        presets = discovery.load(self.experiment).PRESETS
        preset = presets.get((self.protocol, self.preset), self.settings)
        changes = [differences(self.settings, preset), *self.grid]
        if self.seeds != (0,):
            changes.append("seed=" + ",".join(map(str, self.seeds)))
        if not any(changes):
            return plain
        readable = re.sub(r"[^A-Za-z0-9_.,=+-]+", "-", " ".join(filter(None, changes)))
        return f"{plain}-{readable[:READABLE].rstrip('-.,=')}-{self._hash}"

    @property
    def _hash(self) -> str:
        told = json.dumps([asdict(self.settings), self.seeds, self.grid], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()[:8]

    @property
    def identity(self) -> dict[str, Any]:
        """What makes two runs the same, as it comes back from JSON."""
        told = {
            "experiment": self.experiment,
            "protocol": self.protocol,
            "preset": self.preset,
            "settings": asdict(self.settings),
            "seeds": self.seeds,
            "grid": self.grid,
            "swept": self.swept,
        }
        return json.loads(json.dumps(told))

    def points(self, data_dir: Path | None = None) -> list[tuple[dict[str, object], list[Shard]]]:
        """Every grid point and seed, as columns of the table, and its shards.

        Raises UserError if settings, grid or seeds are none that can be run.
        """
        check(self.settings, self.experiment)
        check_seeds(self.seeds)
        points = grid(self.settings, self.grid)
        # Only now: data may have to be downloaded.
        told = {"base": self.settings, "data": data_of(self.experiment, data_dir)}
        out = []
        for at, settings in points:
            for seed in self.seeds:
                shards = split(self.experiment, settings, seed=seed, **told)
                out.append(({**at, "seed": seed} if self.swept else {}, shards))
        return out


def check_name(name: str) -> None:
    """See that a folder may be called so; raises UserError."""
    if not NAME.fullmatch(name) or name in (SHARDS, "pictures"):
        raise UserError(
            f"--name {name!r} cannot be the name of a run's folder: take letters, digits and "
            f"_.,=+- and not {SHARDS!r} or 'pictures'"
        )


def reserve(folder: Path, plan: Plan) -> None:
    """See that a folder holds no other run than this; raises UserError that says which."""
    held = identity_in(folder)
    if held is None or held == plan.identity:
        return
    raise UserError(
        f"{folder} holds a run with other settings ({_apart(held, plan.identity)}), and is left "
        "as it is: choose another name with --name, or another folder with --out, or remove it"
    )


def identity_in(folder: Path) -> dict[str, Any] | None:
    """The identity of the run that was begun or finished in a folder; None if there is none.

    Raises UserError if there is one that does not say what it is.
    """
    problem = None
    sound = _has_sound_sums(folder)
    for name in (BEGUN, PLAN, RECORD):
        try:
            # What is bound must be what was written; what is not, nothing is known of but itself.
            bound = sound and name != BEGUN
            content = verified_one(folder, name)[1] if bound else content_of(folder / name)
            found = identity(json.loads(content))
        except DamagedError:
            continue
        except (KeyError, RecursionError, ValueError) as error:
            problem = error
            continue
        return found
    if problem is None and not any((folder / name).exists() for name in (BEGUN, PLAN, RECORD)):
        return None
    raise UserError(
        f"{folder} holds a run that does not say its settings, and is left as it is: remove it, "
        "or choose another name with --name"
    ) from problem


def _has_sound_sums(folder: Path) -> bool:
    try:
        return is_bound(folder) and bool(bound_names(folder))
    except DamagedError:
        return False


def identity(told: Any) -> dict[str, Any]:
    """The identity of a run from its plan or its record.

    Raises KeyError or ValueError where it is neither.
    """
    told = checked(told)
    seeds = told["seeds"] if "seeds" in told else [told["seed"]]
    return {
        "experiment": told["experiment"],
        "protocol": told["protocol"],
        "preset": told["preset"],
        "settings": dict(told["settings"]),
        "seeds": list(seeds),
        "grid": list(told.get("grid", [])),
        "swept": bool(told.get("swept", "grid" in told)),
    }


def _apart(held: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """Where two identities differ: there, and here."""
    flat = [{**one, **one["settings"]} for one in (held, wanted)]
    names = [n for n in flat[0] | flat[1] if n != "settings" and flat[0].get(n) != flat[1].get(n)]
    told = [f"{n}={json.dumps(flat[0].get(n))}, now {json.dumps(flat[1].get(n))}" for n in names]
    return "; ".join(told[:3]) + "; ..." * (len(told) > 3)
