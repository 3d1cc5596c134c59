"""Does dropout shrink and spread out the weights, and make hidden units less alike?

The co-adaptation reading of dropout: units that cannot rely on others carry weights that are
smaller and spread over more of them. Networks are fit to pure noise and to a planted mixture of
orders of the same total variance, for the same number of steps at every rate of activation
dropout, and looked at before, early and late in training.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import pandas as pd
import torch
from torch import Tensor

from interactions import Dropout, MLPEnsemble, Samples, Uniform, fit
from interactions.networks import ACTIVATIONS, member_seed
from interactions.planted import PlantedInteractions

from ..running.context import Context
from ..tasks import members_of, noise_data, planted_data

QUESTION = "Does dropout shrink and spread the weights, and make hidden units less alike?"
TARGETS = ("noise", "mixture")


@dataclass(frozen=True)
class Settings:
    """`steps` are those after which networks are looked at; 0 is the start, the last the end.

    The mixture has orders 1 .. `orders` of variance 1 each, on `subsets` subsets each, under
    noise of variance 1; the noise alone has the same total variance.
    """

    targets: tuple[str, ...] = field(default=TARGETS, metadata={"among": TARGETS})
    rates: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5)
    repeats: int = 20
    steps: tuple[int, ...] = field(default=(0, 300, 3000), metadata={"range": "[0, 1e7]"})
    dim: int = 10
    orders: int = 3
    subsets: int = 5
    samples: int = 1000
    width: int = 32
    depth: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    points: int = 2000

    def __post_init__(self) -> None:
        if self.orders > self.dim:
            raise ValueError(f"orders must be at most the number of inputs, {self.dim}")


PRESETS = {
    ("controlled", "tiny"): Settings(
        rates=(0.0, 0.5), repeats=2, steps=(0, 2, 4), samples=64, width=8, points=50
    ),
    ("controlled", "quick"): Settings(rates=(0.0, 0.125, 0.25, 0.5), repeats=8),
    ("controlled", "paper"): Settings(),
}


def shards(settings: Settings) -> list[Settings]:
    """A target each."""
    return [replace(settings, targets=(target,)) for target in settings.targets]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per target, rate, repeat, number of steps, layer and quantity.

    `layer` counts layers of weights from 1. Quantities are the norm of a layer's weights ("l2"),
    their mean size ("mean_abs"), how evenly they are spread within a unit, mean over units
    ("weights_share"), and over units ("units_share", of squared norms), both as participation
    ratios (sum a)^2 / sum a^2 / count of squared weights a; and of the hidden units a layer leads
    to the share that is not constant ("live_share") and the mean absolute correlation of pairs of
    these ("correlation", NaN where fewer than two are live), in eval mode at fresh points. Inverted
    dropout runs these very weights at test time.
    """
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    seeds = context.seeds(s.repeats)
    members = members_of(["rate"], [(rate,) for rate in s.rates], s.repeats)
    own = members["repeat"].tolist()
    own_seed = member_seed(context.seed, "fresh points")
    fresh = inputs.sample(s.points, generator=own_seed, dtype=torch.float32)
    fresh = fresh.to(context.device)
    tables = []
    for target in s.targets:
        x, y = _data(target, inputs, seeds, s)
        ensemble = MLPEnsemble(
            (s.dim, *[s.width] * s.depth, 1),
            seeds=seeds * len(s.rates),
            dropout=[Dropout(hidden=rate) for rate in members["rate"]],
            device=context.device,
        )
        with context.progress(max(s.steps), f"training networks on {target}") as advance:
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
            for layer, found in enumerate(measured(then, fresh), start=1):
                for quantity, values in found.items():
                    key = {"target": target, "steps": steps, "layer": layer, "quantity": quantity}
                    tables.append(members.assign(**key, value=values.tolist()))
    columns = ["target", "steps", "layer", "quantity", "rate", "repeat", "value"]
    return pd.concat(tables, ignore_index=True)[columns]


def _data(name: str, inputs: Uniform, seeds: list[int], s: Settings) -> tuple[Tensor, Tensor]:
    """A data set for every repeat, [R, n, d] and [R, n]."""
    if name == "noise":
        deviation = (s.orders + 1) ** 0.5
        return noise_data(inputs, seeds, samples=s.samples, noise=deviation)
    orders = range(1, s.orders + 1)
    variances, subsets = dict.fromkeys(orders, 1.0), dict.fromkeys(orders, s.subsets)
    targets = [PlantedInteractions(inputs, variances, subsets, seed=seed) for seed in seeds]
    return planted_data(targets, inputs, seeds, samples=s.samples, noise=1.0)


def measured(ensemble: MLPEnsemble, x: Tensor) -> list[dict[str, Tensor]]:
    """Per layer of weights every quantity of every member, [E]; `run` says which."""
    found = []
    h = x.expand(ensemble.members, -1, -1)
    layers = ensemble.layers()
    with torch.no_grad():
        for i, (weight, bias) in enumerate(layers):
            w = weight.double()
            squares = w.square()
            of_layer = {
                "l2": squares.sum(dim=(1, 2)).sqrt(),
                "mean_abs": w.abs().mean(dim=(1, 2)),
                "weights_share": _effective_share(squares.transpose(1, 2)).mean(dim=1),
            }
            if i + 1 < len(layers):
                h = ACTIVATIONS[ensemble.activation](torch.baddbmm(bias, h, weight))
                live, correlation = _correlation(h.double())
                of_layer["units_share"] = _effective_share(squares.sum(dim=1))
                of_layer |= {"live_share": live, "correlation": correlation}
            found.append(of_layer)
    return found


def _effective_share(a: Tensor) -> Tensor:
    """(sum a)^2 / sum a^2 / count along the last dimension; 1 where all are equal."""
    return a.sum(dim=-1).square() / a.square().sum(dim=-1) / a.shape[-1]


def _correlation(h: Tensor) -> tuple[Tensor, Tensor]:
    """Share of units [E, n, h] that vary, and the mean |correlation| of pairs of these, [E]."""
    centred = h - h.mean(dim=1, keepdim=True)
    norms = torch.linalg.vector_norm(centred, dim=1)
    live = norms > 1e-6 * norms.amax(dim=1, keepdim=True)
    standard = centred / norms.where(live, torch.inf)[:, None]
    sizes = torch.bmm(standard.transpose(1, 2), standard).abs()
    count = live.sum(dim=1).double()
    # Live units correlate by 1 with themselves, dead ones by 0 with all.
    pairs = count * (count - 1)
    return count / h.shape[-1], (sizes.sum(dim=(1, 2)) - count) / pairs.where(pairs > 0, torch.nan)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over repeats by rate, for every target, quantity, layer and number of steps.

    `change` is the mean difference between the highest rate and the lowest within a repeat, with
    its standard error over repeats.
    """
    keys = ["target", "quantity", "layer", "steps"]
    by_rate = table.pivot_table("value", [*keys, "repeat"], "rate", sort=False)
    means = by_rate.groupby(level=keys, sort=False).mean()
    change = by_rate[by_rate.columns.max()] - by_rate[by_rate.columns.min()]
    change = change.groupby(level=keys, sort=False)
    means["change"], means["change_error"] = change.mean(), change.sem()
    trained = means[means.index.get_level_values("steps") > 0]
    return trained.reset_index().rename_axis(columns=None).sort_values(keys)
