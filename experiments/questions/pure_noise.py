"""Which interaction orders do networks find in pure noise, and what does dropout do to them?

The paper's Fig 5 and, at width 128, Fig C.1: three ReLU layers fit to targets that do not depend
on the inputs, with dropout on activations, inputs or both. Every network's spectrum is measured
without bias, and beside it, where XGBoost is installed, as the paper's released code does.

`released` follows the published notebook: 1000 samples of which 750 train, noise of standard
deviation 5, full-batch Adam. Adam ignores the scale of the loss, so the notebook's sum of squares
over 2000 is the mean here. How long it trains goes by two rules. "equal steps", 1000 of them for
every network, is how the published bars were made. "first rise" stops a network when its training
loss first rises, as the notebook was saved. `text` follows the article: 1500 samples, noise of
standard deviation 1, the saved rule. `controlled` trains every network for the same number of
steps, and looks on the way; `sgd` does so by plain gradient descent, at width 32. Every repeat
has a data set of its own.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace

import pandas as pd

from interactions import FirstRise, MLPEnsemble, Samples, Uniform, fit, order_spectrum
from interactions.networks import member_seed

from ..running.context import Context
from ..tasks import (
    boosted_trees,
    dropout_at,
    dropout_cells,
    members_of,
    noise_data,
    of_members,
    with_trees_if_possible,
)

QUESTION = "Which interaction orders do networks find in pure noise, and what does dropout do?"
PLACEMENTS = ("activation", "input", "both")
EQUAL, RISE = RULES = ("equal steps", "first rise")


@dataclass(frozen=True)
class Settings:
    """By "equal steps" networks train `steps`; by "first rise" until then, at most `max_steps`.

    They are also measured `also_after` some. `tolerance` is the standard error asked of every
    share, `budget` the evaluations per network.
    """

    placements: tuple[str, ...] = field(
        default=PLACEMENTS, metadata={"among": PLACEMENTS, "empty": True}
    )
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
    repeats: int = 10
    widths: tuple[int, ...] = (32, 128)
    samples: int = 1000
    train_samples: int = 750
    noise: float = field(default=5.0, metadata={"range": "(0, 1e6]"})
    rules: tuple[str, ...] = field(default=RULES, metadata={"among": RULES})
    steps: int = 1000
    max_steps: int = 10_000
    optimizer: str = field(default="adam", metadata={"among": ("adam", "sgd")})
    learning_rate: float = 1e-3
    also_after: tuple[int, ...] = field(default=(), metadata={"range": "[0, 1e7]"})
    max_order: int = field(default=3, metadata={"range": "[1, 25]"})
    tolerance: float = 0.02
    budget: int = 2**25
    boosted_trees: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.train_samples <= self.samples:
            raise ValueError("train_samples must lie between 1 and samples")
        last = min(self.longest(rule) for rule in self.rules)
        if any(not 0 <= a < last for a in self.also_after):
            raise ValueError(f"also_after must lie between 0 and the last step, {last}")

    def longest(self, rule: str) -> int:
        """How many steps networks train by a rule, at most."""
        return self.steps if rule == EQUAL else self.max_steps


RELEASED = Settings()
TEXT = replace(RELEASED, samples=1500, train_samples=1500, noise=1.0, rules=(RISE,))
CONTROLLED = replace(
    RELEASED,
    rates=(0.0, 0.25, 0.5),
    repeats=6,
    rules=(EQUAL,),
    steps=4000,
    max_steps=4000,
    also_after=(300, 1000),
    tolerance=0.03,
    budget=2**23,
    boosted_trees=False,
)
# At Adam's learning rate gradient descent would hardly leave its start.
SGD = replace(
    CONTROLLED,
    placements=("activation", "input"),
    rates=(0.0, 0.25),
    widths=(32,),
    optimizer="sgd",
    learning_rate=0.03,
)
TINY = {
    "rates": (0.0, 0.5),
    "repeats": 2,
    "widths": (8,),
    "steps": 20,
    "max_steps": 20,
    "max_order": 2,
    "tolerance": 1.0,
    "budget": 400_000,
    "boosted_trees": False,
}
SHORT = {"repeats": 2, "tolerance": 0.03, "budget": 2**23}
QUICK = SHORT | {"rates": (0.0, 0.5), "max_steps": 2000}
PRESETS = {
    ("released", "tiny"): replace(RELEASED, **TINY),
    ("released", "quick"): replace(RELEASED, **QUICK, rules=(EQUAL,)),
    ("released", "paper"): RELEASED,
    ("text", "tiny"): replace(TEXT, **TINY),
    ("text", "quick"): replace(TEXT, **QUICK),
    ("text", "paper"): replace(TEXT, widths=(32,), repeats=5),
    ("controlled", "tiny"): replace(CONTROLLED, **TINY, also_after=(10,)),
    ("controlled", "quick"): replace(
        CONTROLLED, **SHORT, steps=1000, max_steps=1000, also_after=(300,)
    ),
    ("controlled", "paper"): CONTROLLED,
    ("sgd", "tiny"): replace(SGD, **TINY, also_after=(10,)),
    ("sgd", "quick"): replace(SGD, **SHORT, steps=1000, max_steps=1000, also_after=(300,)),
    ("sgd", "paper"): SGD,
}


def shards(settings: Settings) -> list[Settings]:
    """A rule, width, placement and rate each; rate 0 is every placement's."""
    s = with_trees_if_possible(settings, "boosted_trees")
    cells = dropout_cells(s.placements, s.rates)
    return [
        replace(
            s, rules=(rule,), widths=(width,), placements=() if p == "none" else (p,), rates=(rate,)
        )
        for rule in s.rules
        for width in s.widths
        for p, rate in cells
    ]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per network, look, measure and order.

    `rule` says how long networks train. At rate 0 the placements are one and the same network,
    trained once and named "none". `after` is the step of the look, `steps` what the network had
    trained by then. `measure` is "unbiased" or, by boosted trees, "released"; `method` is the
    measurement in full.
    """
    tables = [
        _of_width(rule, width, settings, context)
        for rule in settings.rules
        for width in settings.widths
    ]
    columns = ["repeat", "order", "variance", "standard_error", "share", "share_standard_error"]
    columns += [
        "rule",
        "width",
        "placement",
        "rate",
        "after",
        "measure",
        "method",
        "steps",
        "evaluations",
        "converged",
    ]
    return pd.concat(tables, ignore_index=True)[columns]


def _of_width(rule: str, width: int, s: Settings, context: Context) -> pd.DataFrame:
    inputs = Uniform(-1.0, 1.0, dim=25)
    cells = dropout_cells(s.placements, s.rates)
    members = members_of(["placement", "rate"], cells, s.repeats)
    seeds = context.seeds(s.repeats) * len(cells)
    x, y = noise_data(inputs, seeds, samples=s.samples, noise=s.noise)
    ensemble = MLPEnsemble(
        (25, width, width, width, 1),
        seeds=seeds,
        dropout=[dropout_at(m.placement, m.rate) for m in members.itertuples()],
        device=context.device,
    )
    longest = s.longest(rule)
    looks = (*s.also_after, longest)
    what = f"training {len(members)} networks of width {width} on noise, {rule}"
    with context.progress(longest, what) as advance:
        result = fit(
            ensemble,
            Samples(x[:, : s.train_samples], y[:, : s.train_samples]),
            steps=longest,
            optimizer=s.optimizer,
            learning_rate=s.learning_rate,
            stop=FirstRise() if rule == RISE else None,
            snapshots=looks,
            progress=advance,
        )
    members = members.assign(rule=rule, width=width, trained=result.steps.cpu().numpy())
    tables = []
    with context.progress(len(cells) * len(looks), "measuring variance by order") as advance:
        for c, after in itertools.product(range(len(cells)), looks):
            which = range(c * s.repeats, (c + 1) * s.repeats)
            some = ensemble.with_parameters(result.snapshots[after]).select(which)
            spectra = {
                "unbiased": order_spectrum(
                    some,
                    inputs,
                    max_order=s.max_order,
                    tolerance=s.tolerance,
                    budget=s.budget,
                    seed=member_seed(context.seed, "spectrum"),
                )
            }
            if s.boosted_trees:
                spectra["released"] = boosted_trees(some, x[list(which)], s.max_order)
            own = members.iloc[list(which)].reset_index(drop=True)
            own = own.assign(after=after, steps=own.pop("trained").clip(upper=after))
            for measure, spectrum in spectra.items():
                frame = spectrum.to_frame().assign(
                    measure=measure,
                    method=spectrum.method,
                    evaluations=spectrum.evaluations,
                    converged=spectrum.converged,
                )
                tables.append(of_members(frame, own))
            advance(1)
    return pd.concat(tables, ignore_index=True)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Shares by order, means over repeats and their standard errors, and the mean total variance.

    A row per rule, width, measure, look, placement and rate.
    """
    keys = ["rule", "width", "measure", "after", "placement", "rate"]
    by_order = table.pivot_table("share", [*keys, "repeat"], "order", sort=False)
    groups = by_order.groupby(level=keys, sort=False)
    out = groups.mean()
    out[[f"{k}_error" for k in by_order.columns]] = groups.sem()
    total = table.groupby([*keys, "repeat"], sort=False)["variance"].sum()
    totals = total.groupby(level=keys, sort=False)
    out["total"], out["total_error"] = totals.mean(), totals.sem()
    out["steps"] = table.groupby(keys, sort=False)["steps"].mean()
    return out.reset_index().rename_axis(columns=None)
