"""Which interaction orders do networks find in pure noise, and what does dropout do to them?

The paper's Fig 5 and, at width 128, Fig C.1: three ReLU layers fit to targets that do not depend
on the inputs, with dropout on activations, inputs or both. Every network's spectrum is measured
without bias, and beside it, where XGBoost is installed, as the paper's released code does.

`released` follows the published notebook: 1000 samples of which 750 train, noise of standard
deviation 5, one data set for all networks, full-batch Adam until the training loss first rises.
Adam ignores the scale of the loss, so the notebook's sum of squares over 2000 is the mean here.
Two things it leaves open move its numbers: which data set was drawn (with `shared_data` off every
repeat has its own), and how many steps lie between looks at the loss (`look_every`).
`text` follows the article: 1500 samples, noise of standard deviation 1. `controlled` trains
every network for the same number of steps, each repeat on a data set of its own.
"""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch

from interactions import (
    Dropout,
    FirstRise,
    MLPEnsemble,
    OrderSpectrum,
    Samples,
    Uniform,
    fit,
    order_spectrum,
)
from interactions.anova import released_distillation
from paper_results import published

from ..running.context import Context

QUESTION = "Which interaction orders do networks find in pure noise, and what does dropout do?"
PLACEMENTS = ("activation", "input", "both")
FIGURES = {32: "fig5", 128: "figC1"}


@dataclass(frozen=True)
class Settings:
    """`until_rise` stops a network when its training loss first rises, `max_steps` at the latest.

    The loss is looked at every `look_every` steps. Networks are also measured `also_after` some.
    `tolerance` is the standard error asked of every share, `budget` the evaluations per network.
    """

    placements: tuple[str, ...] = PLACEMENTS
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
    repeats: int = 10
    widths: tuple[int, ...] = (32, 128)
    samples: int = 1000
    train_samples: int = 750
    noise: float = 5.0
    shared_data: bool = True
    until_rise: bool = True
    look_every: int = 1
    max_steps: int = 10_000
    also_after: tuple[int, ...] = ()
    max_order: int = 3
    tolerance: float = 0.01
    budget: int = 2**27
    boosted_trees: bool = True

    def __post_init__(self) -> None:
        if unknown := set(self.placements) - set(PLACEMENTS):
            raise ValueError(f"unknown placements {sorted(unknown)}: choose from {PLACEMENTS}")
        if not 0 < self.train_samples <= self.samples:
            raise ValueError("train_samples must lie between 1 and samples")
        if any(not 0 <= a < self.max_steps for a in self.also_after):
            raise ValueError(f"also_after must lie between 0 and max_steps, {self.max_steps}")


RELEASED = Settings()
TEXT = replace(RELEASED, samples=1500, train_samples=1500, noise=1.0)
CONTROLLED = replace(
    RELEASED,
    rates=(0.0, 0.25, 0.5),
    repeats=6,
    until_rise=False,
    shared_data=False,
    max_steps=4000,
    also_after=(300, 1000),
    tolerance=0.03,
    budget=2**23,
    boosted_trees=False,
)
SHORT = {"repeats": 2, "tolerance": 0.03, "budget": 2**23}
QUICK = SHORT | {"rates": (0.0, 0.25, 0.5), "max_steps": 2000}
PRESETS = {
    ("released", "quick"): replace(RELEASED, **QUICK),
    ("released", "paper"): RELEASED,
    ("text", "quick"): replace(TEXT, **QUICK),
    ("text", "paper"): replace(TEXT, widths=(32,), repeats=5),
    ("controlled", "quick"): replace(CONTROLLED, **SHORT, max_steps=1000, also_after=(300,)),
    ("controlled", "paper"): CONTROLLED,
}


def shards(settings: Settings) -> list[Settings]:
    """A width, placement and rate each; rate 0 is every placement's."""
    cells = [((), 0.0)] if 0.0 in settings.rates else []
    cells += [((p,), r) for p in settings.placements for r in settings.rates if r > 0]
    return [
        replace(settings, widths=(width,), placements=placements, rates=(rate,))
        for width in settings.widths
        for placements, rate in cells
    ]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per network, look, measure and order.

    At rate 0 the placements are one and the same network, trained once and named "none". `after`
    is the step of the look, `steps` what the network had trained by then. `published` and
    `published_variance` stand beside what is measured as released.
    """
    tables = [_of_width(width, settings, context) for width in settings.widths]
    return pd.concat(tables, ignore_index=True)


def _of_width(width: int, s: Settings, context: Context) -> pd.DataFrame:
    inputs = Uniform(-1.0, 1.0, dim=25)
    cells = [("none", 0.0)] if 0.0 in s.rates else []
    cells += [(p, r) for p in s.placements for r in s.rates if r > 0]
    members = [(p, r, i) for p, r in cells for i in range(s.repeats)]
    seeds = context.seeds(s.repeats) * len(cells)
    x, y = noise_data(inputs, seeds, samples=s.samples, noise=s.noise, shared=s.shared_data)
    ensemble = MLPEnsemble(
        (25, width, width, width, 1),
        seeds=seeds,
        dropout=[dropout_at(p, r) for p, r, _ in members],
        device=context.device,
    )
    looks = (*s.also_after, s.max_steps)
    what = f"training {len(members)} networks of width {width} on noise"
    with context.progress(s.max_steps, what) as advance:
        result = fit(
            ensemble,
            Samples(x[..., : s.train_samples, :], y[..., : s.train_samples]),
            steps=s.max_steps,
            stop=FirstRise(every=s.look_every) if s.until_rise else None,
            snapshots=looks,
            progress=advance,
        )
    known = _published(width)
    rows = []
    trees = s.boosted_trees and importlib.util.find_spec("xgboost") is not None
    with context.progress(len(cells) * len(looks), "measuring variance by order") as advance:
        for (c, (placement, rate)), after in itertools.product(enumerate(cells), looks):
            which = list(range(c * s.repeats, (c + 1) * s.repeats))
            some = ensemble.with_parameters(result.snapshots[after]).select(which)
            spectra = {
                "unbiased": order_spectrum(
                    some,
                    inputs,
                    max_order=s.max_order,
                    tolerance=s.tolerance,
                    budget=s.budget,
                    seed=context.seed,
                )
            }
            if trees:
                points = x if x.ndim == 2 else x[which]
                spectra["released"] = boosted_trees(some, points, s.max_order)
            key = {"width": width, "placement": placement, "rate": rate, "after": after}
            for measure, spectrum in spectra.items():
                steps = result.steps[which].clamp(max=after)
                frame = _rows(spectrum, key | {"measure": measure}, steps)
                if measure == "released":
                    frame = frame.join(known, on=["placement", "rate", "order"])
                rows.append(frame)
            advance(1)
    return pd.concat(rows, ignore_index=True)


def _published(width: int) -> pd.DataFrame:
    """Published shares and variances by placement, rate and order; "none" is the first pane's.

    Where the total was below .02 the paper sets shares to 0; nothing is published there.
    """
    columns = {"normalized": "published", "total": "published_variance"}
    if width not in FIGURES:
        return pd.DataFrame(
            columns=list(columns.values()),
            index=pd.MultiIndex.from_arrays([[]] * 3, names=["placement", "rate", "order"]),
            dtype=float,
        )
    table = published(FIGURES[width])
    table = table[table["quantity"].isin(columns)].replace({"order": {"4+": ">3"}})
    first = table[(table["placement"] == "activation") & (table["dropout_rate"] == 0)]
    table = pd.concat([table, first.assign(placement="none")])
    table = table.pivot_table("mean", ["placement", "dropout_rate", "order"], "quantity")
    table = table.rename(columns=columns)[list(columns.values())]
    table.index.names = ["placement", "rate", "order"]
    masked = table.groupby(["placement", "rate"])["published"].transform("sum") == 0
    return table.mask(masked)


def boosted_trees(ensemble: MLPEnsemble, x: torch.Tensor, max_order: int) -> OrderSpectrum:
    """The released measurement of every network, each on the points of its own data set.

    `x` is [n, d] for all, or [E, n, d].
    """
    variances = []
    for i in range(ensemble.members):
        points = x if x.ndim == 2 else x[i]
        with torch.no_grad():
            answers = ensemble.select([i])(points.to(ensemble.flat))
        spectrum = released_distillation(points, answers, max_order=max_order)
        variances.append(spectrum.variance)
    return OrderSpectrum.known(
        np.concatenate(variances),
        error=np.nan,
        share_error=np.nan,
        method=spectrum.method,
        evaluations=spectrum.evaluations,
        converged=False,
    )


def dropout_at(placement: str, rate: float) -> Dropout:
    return Dropout(
        inputs=rate if placement in ("input", "both") else 0.0,
        hidden=rate if placement in ("activation", "both") else 0.0,
    )


def noise_data(
    inputs: Uniform, seeds: Sequence[int], *, samples: int, noise: float, shared: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and noise: of the first seed, [n, d] and [n], or each seed's, [E, n, d] and [E, n].

    The same seed has the same data.
    """
    sets = {}
    for seed in seeds[:1] if shared else dict.fromkeys(seeds):
        generator = torch.Generator().manual_seed(seed)
        x = inputs.sample(samples, generator=generator, dtype=torch.float32)
        sets[seed] = (x, noise * torch.randn(samples, generator=generator))
    if shared:
        return sets[seeds[0]]
    x, y = zip(*(sets[seed] for seed in seeds), strict=True)
    return torch.stack(x), torch.stack(y)


def _rows(spectrum: OrderSpectrum, key: dict[str, object], steps: torch.Tensor) -> pd.DataFrame:
    frame = spectrum.to_frame().rename(columns={"output": "repeat"}).assign(**key)
    frame["steps"] = steps.cpu().numpy()[frame["repeat"]]
    frame["evaluations"] = spectrum.evaluations
    frame["converged"] = spectrum.converged
    return frame


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Shares by order, means over repeats and their standard errors, and the mean total variance.

    A row per width, measure, look, placement and rate; `gap` is the largest distance from a
    published share, `published_total` the published total variance.
    """
    keys = ["width", "measure", "after", "placement", "rate"]
    by_order = table.pivot_table("share", [*keys, "repeat"], "order", sort=False)
    groups = by_order.groupby(level=keys, sort=False)
    out = groups.mean()
    out[[f"{k}_error" for k in by_order.columns]] = groups.sem()
    total = table.groupby([*keys, "repeat"], sort=False)["variance"].sum()
    totals = total.groupby(level=keys, sort=False)
    out["total"], out["total_error"] = totals.mean(), totals.sem()
    out["steps"] = table.groupby(keys, sort=False)["steps"].mean()
    if "published" in table:
        means = table.groupby([*keys, "order"], sort=False)[
            ["share", "published", "published_variance"]
        ].mean()
        gaps = (means["share"] - means["published"]).abs()
        by_cell = means["published_variance"].groupby(level=keys, sort=False)
        out["gap"] = gaps.groupby(level=keys, sort=False).max()
        out["published_total"] = by_cell.sum(min_count=1)
    return out.reset_index().rename_axis(columns=None)
