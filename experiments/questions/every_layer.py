"""Does dropout act against interactions at every layer?

The lecture says so: a hidden unit is an input of the layers above it, and dropped like one. Here
networks of three ReLU layers are fit, with dropout after every hidden layer, to pure noise and to
a planted mixture of orders 1, 2 and 3, for the same number of steps at every rate. Each is then
split at each layer, and the map from that layer's units to the output measured by order in these
units, as `interactions.networks.layers` does it: under the product of the units' own marginals.
Layer 0 are the inputs. The map from the last hidden layer is linear, so all of it is of order 1:
what is measured there tells how far to trust the rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import pandas as pd
import torch

from interactions import (
    Empirical,
    MLPEnsemble,
    OrderSpectrum,
    Samples,
    Uniform,
    fit,
    order_spectrum,
)
from interactions.networks import member_seed
from interactions.networks.layers import split_ensemble

from ..running.context import Context
from ..tasks import (
    dropout_at,
    members_of,
    noise_data,
    of_members,
    planted_data,
    pure_effects,
    sum_of,
)

QUESTION = "Does dropout act against interactions at every layer, in that layer's units?"
DIMENSIONS = {"noise": 25, "mixture": 10}
NOISE = {"noise": 5.0, "mixture": 0.5}
"""Standard deviation of the noise; the mixture's variance is 3."""


@dataclass(frozen=True)
class Settings:
    """`steps` are those after which networks are split and measured; the last ends training.

    `rates` are those of dropout after every hidden layer. Every repeat has data of its own.
    `points` fresh inputs give the marginals of the hidden units.
    """

    targets: tuple[str, ...] = field(default=tuple(DIMENSIONS), metadata={"among": DIMENSIONS})
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5)
    repeats: int = 10
    steps: tuple[int, ...] = (300, 3000)
    samples: int = 1000
    batch_size: int = 128
    width: int = 32
    depth: int = 3
    points: int = 4096
    max_order: int = field(default=3, metadata={"range": "[1, 10]"})
    tolerance: float = 0.03
    budget: int = 2**17


PRESETS = {
    ("controlled", "tiny"): Settings(
        targets=("mixture",),
        rates=(0.0, 0.5),
        repeats=2,
        steps=(2, 4),
        samples=64,
        width=6,
        depth=2,
        points=64,
        max_order=2,
        tolerance=1.0,
        budget=2**16,
    ),
    ("controlled", "quick"): Settings(rates=(0.0, 0.25, 0.5), repeats=3),
    ("controlled", "paper"): Settings(),
}


def shards(settings: Settings) -> list[Settings]:
    """A target and a rate each."""
    return [
        replace(settings, targets=(target,), rates=(rate,))
        for target in settings.targets
        for rate in settings.rates
    ]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per target, rate, repeat, number of steps, layer and order.

    `left_out` bounds the share that the measurement's basis leaves out.
    """
    tables = [table for name in settings.targets for table in _of_target(name, settings, context)]
    return pd.concat(tables, ignore_index=True)


def _of_target(name: str, s: Settings, context: Context) -> Iterator[pd.DataFrame]:
    inputs = Uniform(-1.0, 1.0, dim=DIMENSIONS[name])
    members = members_of(["target", "rate"], [(name, rate) for rate in s.rates], s.repeats)
    seeds = context.seeds(s.repeats) * len(s.rates)
    amount = {"samples": s.samples, "noise": NOISE[name]}
    if name == "mixture":
        targets = [sum_of(pure_effects(name, inputs))] * len(seeds)
        x, y = planted_data(targets, inputs, seeds, **amount)
    else:
        x, y = noise_data(inputs, seeds, **amount)
    ensemble = MLPEnsemble(
        (inputs.dim, *[s.width] * s.depth, 1),
        seeds=seeds,
        dropout=[dropout_at("activation", rate) for rate in members["rate"]],
        device=context.device,
    )
    with context.progress(max(s.steps), f"training {len(seeds)} networks on {name}") as advance:
        result = fit(
            ensemble,
            Samples(x, y, batch_size=s.batch_size),
            steps=max(s.steps),
            snapshots=s.steps,
            progress=advance,
        )
    own_seed = member_seed(context.seed, "fresh points")
    fresh = inputs.sample(s.points, generator=own_seed, dtype=torch.float32)
    parts = len(s.steps) * (s.depth + 1) * len(seeds)
    with context.progress(parts, f"measuring the layers, {name}") as advance:
        for steps in s.steps:
            then = ensemble.with_parameters(result.snapshots[steps])
            for repeat, seed in enumerate(seeds[: s.repeats]):
                # Rates are compared on the same points, and repeats have points of their own.
                mine = list(range(repeat, len(seeds), s.repeats))
                some = then.select(mine)
                key = members.iloc[mine].reset_index(drop=True).assign(steps=steps)
                yield _rows([_measure(some, inputs, s, seed)], key.assign(layer=0))
                for layer in range(1, s.depth + 1):
                    tail, units = split_ensemble(some, layer, fresh)
                    spectra = [
                        _measure(tail.select([i]), Empirical(own), s, seed)
                        for i, own in enumerate(units)
                    ]
                    yield _rows(spectra, key.assign(layer=layer))
                advance((s.depth + 1) * len(mine))


def _measure(
    function: MLPEnsemble, inputs: Uniform | Empirical, s: Settings, seed: int
) -> OrderSpectrum:
    return order_spectrum(
        function,
        inputs,
        max_order=s.max_order,
        method="kernel",
        tolerance=s.tolerance,
        budget=s.budget,
        seed=member_seed(seed, "spectrum"),
    )


def _rows(spectra: list[OrderSpectrum], members: pd.DataFrame) -> pd.DataFrame:
    """Of one spectrum with an output per member, or of one per member."""
    frames = [
        spectrum.to_frame().assign(
            left_out=spectrum.left_out.repeat(spectrum.max_order + 1),
            converged=spectrum.converged,
        )
        for spectrum in spectra
    ]
    if len(frames) > 1:
        frames = [frame.assign(output=i) for i, frame in enumerate(frames)]
    return of_members(pd.concat(frames, ignore_index=True), members)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Shares by target, steps, layer and rate, means over repeats with standard errors.

    `interactions` is the share above order 1; `change` what it gains over that of the same repeat
    without dropout (negative where dropout selects against interactions; missing without rate 0).
    """
    keys = ["target", "steps", "layer", "rate"]
    by_order = table.pivot_table("share", [*keys, "repeat"], "order", sort=False)
    orders = list(by_order.columns)
    by_order["interactions"] = 1 - by_order["1"]
    plain = by_order["interactions"].unstack("rate")
    plain = plain[0.0] if 0.0 in plain else plain.iloc[:, 0] * float("nan")
    at_zero = plain.reindex(by_order.index.droplevel("rate")).to_numpy()
    by_order["change"] = by_order["interactions"] - at_zero
    totals = table.groupby([*keys, "repeat"], sort=False)["variance"].sum()
    by_order["total"] = totals
    groups = by_order.groupby(level=keys, sort=False)
    out = groups.mean()
    errors = [*orders, "interactions", "change"]
    out[[f"{name}_error" for name in errors]] = groups[errors].sem()
    return out.reset_index().rename_axis(columns=None)
