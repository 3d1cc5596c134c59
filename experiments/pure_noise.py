"""Which interaction orders do networks find in pure noise, and what does dropout do to them?

The paper's Fig 5: three ReLU layers fit to targets that do not depend on the inputs, with
dropout on activations, inputs or both. Every network's spectrum is measured without bias, and
beside it, where XGBoost is installed, as the paper's released code does.

`released` follows the published notebook: 1000 samples of which 750 train, noise of standard
deviation 5, one data set for all networks, full-batch Adam until the training loss first rises.
Adam ignores the scale of the loss, so the notebook's sum of squares over 2000 is the mean here.
`text` follows the article: 1500 samples, noise of standard deviation 1. `controlled` trains
every network for the same number of steps, each repeat on a data set of its own.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace

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

from .running.context import Context

QUESTION = "Which interaction orders do networks find in pure noise, and what does dropout do?"
PLACEMENTS = ("activation", "input", "both")


@dataclass(frozen=True)
class Settings:
    """`until_rise` stops a network when its training loss first rises, `max_steps` at the latest.

    `tolerance` is the standard error asked of every share, `budget` the evaluations per network.
    """

    placements: tuple[str, ...] = PLACEMENTS
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
    repeats: int = 10
    width: int = 32
    samples: int = 1000
    train_samples: int = 750
    noise: float = 5.0
    shared_data: bool = True
    until_rise: bool = True
    max_steps: int = 10_000
    max_order: int = 3
    tolerance: float = 0.01
    budget: int = 2**27
    boosted_trees: bool = True

    def __post_init__(self) -> None:
        if unknown := set(self.placements) - set(PLACEMENTS):
            raise ValueError(f"unknown placements {sorted(unknown)}: choose from {PLACEMENTS}")
        if not 0 < self.train_samples <= self.samples:
            raise ValueError("train_samples must lie between 1 and samples")


RELEASED = Settings()
TEXT = replace(RELEASED, samples=1500, train_samples=1500, noise=1.0)
CONTROLLED = replace(RELEASED, until_rise=False, shared_data=False, max_steps=4000)
QUICK = {
    "rates": (0.0, 0.25, 0.5),
    "repeats": 2,
    "tolerance": 0.03,
    "budget": 2**23,
}
PRESETS = {
    ("released", "quick"): replace(RELEASED, max_steps=2000, **QUICK),
    ("released", "paper"): RELEASED,
    ("text", "quick"): replace(TEXT, max_steps=2000, **QUICK),
    ("text", "paper"): TEXT,
    ("controlled", "quick"): replace(CONTROLLED, **{**QUICK, "max_steps": 1000}),
    ("controlled", "paper"): CONTROLLED,
}


def shards(settings: Settings) -> list[Settings]:
    """A placement and rate each; rate 0 is every placement's."""
    plain = [replace(settings, placements=(), rates=(0.0,))] if 0.0 in settings.rates else []
    return plain + [
        replace(settings, placements=(p,), rates=(r,))
        for p in settings.placements
        for r in settings.rates
        if r > 0
    ]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per network, measure and order.

    At rate 0 the placements are one and the same network, trained once and named "none".
    """
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=25)
    cells = [("none", 0.0)] if 0.0 in s.rates else []
    cells += [(p, r) for p in s.placements for r in s.rates if r > 0]
    members = [(p, r, i) for p, r in cells for i in range(s.repeats)]
    seeds = context.seeds(s.repeats) * len(cells)
    x, y = _data(s, inputs, seeds)
    ensemble = MLPEnsemble(
        (25, s.width, s.width, s.width, 1),
        seeds=seeds,
        dropout=[_dropout(p, r) for p, r, _ in members],
        device=context.device,
    )
    with context.progress(s.max_steps, f"training {len(members)} networks on noise") as advance:
        result = fit(
            ensemble,
            Samples(x[..., : s.train_samples, :], y[..., : s.train_samples]),
            steps=s.max_steps,
            stop=FirstRise() if s.until_rise else None,
            progress=advance,
        )
    rows = []
    trees = s.boosted_trees and importlib.util.find_spec("xgboost") is not None
    with context.progress(len(cells), "measuring variance by order") as advance:
        for c, (placement, rate) in enumerate(cells):
            which = range(c * s.repeats, (c + 1) * s.repeats)
            some = ensemble.select(which)
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
                with torch.no_grad():
                    points = x if x.ndim == 2 else x[c * s.repeats]
                    answers = some(points.to(context.device))
                spectra["released"] = released_distillation(points, answers, max_order=s.max_order)
            for measure, spectrum in spectra.items():
                rows += _rows(spectrum, measure, placement, rate, result.steps[list(which)])
            advance(1)
    return pd.DataFrame(rows)


def _dropout(placement: str, rate: float) -> Dropout:
    return Dropout(
        inputs=rate if placement in ("input", "both") else 0.0,
        hidden=rate if placement in ("activation", "both") else 0.0,
    )


def _data(s: Settings, inputs: Uniform, seeds: list[int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Inputs and noise, [n, d] and [n] shared by all, or a repeat's own [E, n, d] and [E, n].

    The same repeat has the same data at every placement and rate.
    """
    sets = []
    for repeat in range(1 if s.shared_data else s.repeats):
        generator = torch.Generator().manual_seed(seeds[0] + repeat)
        x = inputs.sample(s.samples, generator=generator, dtype=torch.float32)
        sets.append((x, s.noise * torch.randn(s.samples, generator=generator)))
    if s.shared_data:
        return sets[0]
    copies = len(seeds) // s.repeats
    x, y = (torch.stack(parts) for parts in zip(*sets, strict=True))
    return x.repeat(copies, 1, 1), y.repeat(copies, 1)


def _rows(
    spectrum: OrderSpectrum, measure: str, placement: str, rate: float, steps: torch.Tensor
) -> list[dict[str, object]]:
    frame = spectrum.to_frame().rename(columns={"output": "repeat"})
    frame.insert(0, "placement", placement)
    frame.insert(1, "rate", rate)
    frame.insert(3, "measure", measure)
    frame["steps"] = steps.cpu().numpy()[frame["repeat"]]
    frame["evaluations"] = spectrum.evaluations
    frame["converged"] = spectrum.converged
    return frame.to_dict("records")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean share by order and mean total variance, a row per measure, placement and rate."""
    keys = ["measure", "placement", "rate"]
    total = table.groupby([*keys, "repeat"], sort=False)["variance"].sum()
    shares = table.pivot_table("share", keys, "order", sort=False)
    shares["total"] = total.groupby(level=keys, sort=False).mean()
    shares["steps"] = table.groupby(keys, sort=False)["steps"].mean()
    return shares.reset_index().rename_axis(columns=None)
