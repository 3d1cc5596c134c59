"""Does the best drop rate fall as the true order of the interactions rises?

A synthetic twin of the paper's Table C.1: five pure interactions of order k among ten inputs, of
variance 1 together at every k, under noise. Networks train for the same number of steps at every
rate and order, with dropout after every hidden layer (as in the table) or on the inputs; their
error is that to the noiseless target at fresh points. It is read after several numbers of steps,
for the best rate depends on the length of training as well.
"""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import torch

from interactions import Dropout, MLPEnsemble, Samples, Uniform, fit
from interactions.planted import PlantedInteractions

from .running.context import Context

QUESTION = "Does the best drop rate fall as the true order of the interactions rises?"
PLACEMENTS = ("activation", "input")


@dataclass(frozen=True)
class Settings:
    """`steps` are those after which errors are measured; the last ends training."""

    orders: tuple[int, ...] = (1, 2, 3)
    placements: tuple[str, ...] = PLACEMENTS
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625)
    repeats: int = 8
    steps: tuple[int, ...] = (300, 1000, 3000)
    dim: int = 10
    subsets: int = 5
    samples: int = 2000
    noise: float = 1.0
    width: int = 64
    depth: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    test_points: int = 10_000

    def __post_init__(self) -> None:
        if unknown := set(self.placements) - set(PLACEMENTS):
            raise ValueError(f"unknown placements {sorted(unknown)}: choose from {PLACEMENTS}")


PRESETS = {
    ("controlled", "quick"): Settings(
        placements=("activation",), rates=(0.0, 0.125, 0.25, 0.5), repeats=3, steps=(300, 1000)
    ),
    ("controlled", "paper"): Settings(),
}


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per order, placement, rate, repeat and number of steps; a repeat is a data set."""
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    seeds = context.seeds(s.repeats)
    members = [(rate, i) for rate in s.rates for i in range(s.repeats)]
    fresh = inputs.sample(s.test_points, generator=context.seed + 2**40, dtype=torch.float32)
    fresh = fresh.to(context.device)
    rows = []
    total = len(s.orders) * len(s.placements) * max(s.steps)
    with context.progress(total, "training at every rate") as advance:
        for order in s.orders:
            targets = [
                PlantedInteractions(inputs, {order: 1.0}, {order: s.subsets}, seed=seed)
                for seed in seeds
            ]
            x, y = _samples(targets, seeds, s)
            truth = torch.stack([target(fresh) for target in targets], dim=1)
            for placement in s.placements:
                ensemble = MLPEnsemble(
                    (s.dim, *[s.width] * s.depth, 1),
                    seeds=[seeds[i] for _, i in members],
                    dropout=[
                        Dropout(inputs=rate) if placement == "input" else Dropout(hidden=rate)
                        for rate, _ in members
                    ],
                    device=context.device,
                )
                own = [i for _, i in members]
                result = fit(
                    ensemble,
                    Samples(x[own], y[own], batch_size=s.batch_size),
                    steps=max(s.steps),
                    learning_rate=s.learning_rate,
                    snapshots=s.steps,
                    progress=advance,
                )
                for steps in s.steps:
                    then = ensemble.with_parameters(result.snapshots[steps])
                    with torch.no_grad():
                        gaps = then(fresh) - truth[:, own]
                    errors = gaps.double().square().mean(dim=0).tolist()
                    for (rate, repeat), error in zip(members, errors, strict=True):
                        rows.append(
                            {
                                "order": order,
                                "placement": placement,
                                "rate": rate,
                                "repeat": repeat,
                                "steps": steps,
                                "error": error,
                            }
                        )
    return pd.DataFrame(rows)


def _samples(
    targets: list[PlantedInteractions], seeds: list[int], s: Settings
) -> tuple[torch.Tensor, torch.Tensor]:
    """A data set per repeat, [R, n, d] and [R, n], the same for every rate."""
    xs, ys = [], []
    for target, seed in zip(targets, seeds, strict=True):
        generator = torch.Generator().manual_seed(seed)
        x = target.inputs.sample(s.samples, generator=generator, dtype=torch.float32)
        xs.append(x)
        ys.append(target(x) + s.noise * torch.randn(s.samples, generator=generator))
    return torch.stack(xs), torch.stack(ys)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Per placement, steps and order: mean error by rate, and the best rate.

    `best_rate` is the mean over data sets of the rate with the least error, with its standard
    error.
    """
    keys = ["placement", "steps", "order"]
    errors = table.pivot_table("error", keys, "rate", sort=False)
    least = table.loc[table.groupby([*keys, "repeat"])["error"].idxmin()]
    best = least.groupby(keys)["rate"]
    out = errors.join(best.mean().rename("best_rate")).join(best.sem().rename("best_rate_error"))
    return out.reset_index().sort_values(keys)
