"""How near is the scaled network to the average of all 2^h subnetworks, order by order?

The ensemble reading of dropout: h hidden units make 2^h subnetworks that share weights, dropout
trains them all, and scaling at test time stands for their average. Networks small enough to
enumerate every subnetwork are trained with activation dropout on a planted mixture of orders under
noise. On ±1 inputs every spectrum is exact. The scaled network and averages of M random
subnetworks (Monte Carlo dropout) are compared with the exact average by the variance of their
difference from it, order by order.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch

from interactions import Dropout, MLPEnsemble, Rademacher, Samples, fit, order_spectrum
from interactions.networks import member_seed
from interactions.networks.subnetworks import (
    MOST_UNITS,
    every_mask,
    random_masks,
    subnetwork_answers,
    subnetwork_average,
)
from interactions.planted import PlantedInteractions

from ..running.context import Context
from ..tasks import long_by_order, members_of, of_members, planted_data

QUESTION = "How near is the scaled network to the average of all 2^h subnetworks, by order?"

ROUNDING = 1e-20
LEAST_SHARE = 0.02
"""Of the variance of the exact averages: orders that hold less are left out of the summary."""


@dataclass(frozen=True)
class Settings:
    """`units` hidden units are split evenly over `depths` hidden layers.

    `masks` are numbers of random subnetworks in a Monte Carlo average, repeated `draws` times.
    Orders 1 .. `orders` are planted with variance 1 each.
    """

    depths: tuple[int, ...] = (1, 2, 3)
    rates: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5)
    repeats: int = 10
    units: int = field(default=12, metadata={"range": f"[1, {MOST_UNITS}]"})
    masks: tuple[int, ...] = (1, 4, 16, 64, 256)
    draws: int = 8
    dim: int = field(default=6, metadata={"range": "[1, 16]"})
    orders: int = 3
    samples: int = 2000
    noise: float = 0.5
    steps: int = 3000
    batch_size: int = 128
    learning_rate: float = 3e-3

    def __post_init__(self) -> None:
        if any(self.units % depth for depth in self.depths):
            raise ValueError(f"units must be a multiple of every depth, got {self.units}")
        if self.orders > self.dim:
            raise ValueError(f"orders must be at most the number of inputs, {self.dim}")


PRESETS = {
    ("controlled", "tiny"): Settings(
        depths=(1, 2),
        rates=(0.0, 0.5),
        repeats=2,
        units=4,
        masks=(1, 4),
        draws=2,
        dim=3,
        samples=64,
        steps=5,
    ),
    ("controlled", "quick"): Settings(rates=(0.1, 0.3, 0.5)),
    ("controlled", "paper"): Settings(repeats=20, draws=16),
}


def shards(settings: Settings) -> list[Settings]:
    """A number of hidden layers each."""
    return [replace(settings, depths=(depth,)) for depth in settings.depths]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per depth, rate, repeat, quantity, number of masks and order.

    `variance` is that of order k of the exact average ("average"), of what the scaled network or
    Monte Carlo has beside it ("scaled", "monte carlo", mean over draws), of a subnetwork's
    difference from it ("one subnetwork", mean over all 2^h), and of what the average and the
    scaled network have beside the planted truth ("average - truth", "scaled - truth"). Order 0 is
    the square of the mean difference. `masks` is 0 but for Monte Carlo.
    """
    tables = [_of_depth(depth, settings, context) for depth in settings.depths]
    columns = ["depth", "rate", "repeat", "quantity", "masks", "order", "variance"]
    return pd.concat(tables, ignore_index=True)[columns]


def _of_depth(depth: int, s: Settings, context: Context) -> pd.DataFrame:
    inputs = Rademacher(dim=s.dim)
    members = members_of(["rate"], [(rate,) for rate in s.rates], s.repeats)
    own = members["repeat"].tolist()
    seeds = context.seeds(s.repeats)
    planted = dict.fromkeys(range(1, s.orders + 1), 1.0)
    targets = [PlantedInteractions(inputs, planted, seed=seed) for seed in seeds]
    x, y = planted_data(targets, inputs, seeds, samples=s.samples, noise=s.noise)
    ensemble = MLPEnsemble(
        (s.dim, *[s.units // depth] * depth, 1),
        seeds=seeds * len(s.rates),
        dropout=[Dropout(hidden=rate) for rate in members["rate"]],
        dtype=torch.float64,
        device=context.device,
    )
    what = f"training {len(members)} networks of {depth} hidden layers"
    with context.progress(s.steps, what) as advance:
        fit(
            ensemble,
            Samples(x[own], y[own], batch_size=s.batch_size),
            steps=s.steps,
            learning_rate=s.learning_rate,
            progress=advance,
        )
    points = (2 * every_mask(s.dim) - 1).to(ensemble.flat)
    truth = torch.stack([target(points) for target in targets])[own]
    scaled = ensemble.outputs(points).detach()[..., 0]
    average = subnetwork_average(ensemble, points)[..., 0]
    values = {
        ("average", 0): average,
        ("scaled", 0): scaled - average,
        ("average - truth", 0): average - truth,
        ("scaled - truth", 0): scaled - truth,
    }
    parts = {key: _by_order(value, points, inputs) for key, value in values.items()}
    generator = torch.Generator().manual_seed(member_seed(context.seed, "masks"))
    for count in s.masks:
        draws = []
        for _ in range(s.draws):
            masks = random_masks(ensemble, count, generator=generator)
            some = subnetwork_answers(ensemble, masks, points)[..., 0].mean(dim=1)
            draws.append(_by_order(some - average, points, inputs))
        parts["monte carlo", count] = np.mean(draws, axis=0)
    parts["one subnetwork", 0] = _one_subnetwork(ensemble, average, points, inputs, context)
    tables = []
    for (quantity, masks), found in parts.items():
        rows = long_by_order(found, range(s.dim + 1)).rename(columns={"value": "variance"})
        rows = rows.assign(depth=depth, quantity=quantity, masks=masks)
        tables.append(of_members(rows, members))
    return pd.concat(tables, ignore_index=True)


def _one_subnetwork(
    ensemble: MLPEnsemble,
    average: torch.Tensor,
    points: torch.Tensor,
    inputs: Rademacher,
    context: Context,
) -> np.ndarray:
    """Mean over all subnetworks of what each has beside the average, [E, d + 1]."""
    every = every_mask(sum(ensemble.sizes[1:-1]))
    kept = every.sum(dim=1).double().numpy()
    means = []
    with context.progress(ensemble.members, "measuring all subnetworks") as advance:
        for i in range(ensemble.members):
            rate = float(ensemble.dropout[i].hidden)
            chances = (1 - rate) ** kept * rate ** (every.shape[1] - kept)
            answers = subnetwork_answers(ensemble.select([i]), every, points)[0, ..., 0]
            means.append(chances @ _by_order(answers - average[i], points, inputs))
            advance(1)
    return np.stack(means)


def _by_order(values: torch.Tensor, points: torch.Tensor, inputs: Rademacher) -> np.ndarray:
    """Squared mean and variance of orders 1 .. d, [m, d + 1], of functions known at all points.

    `values` [m, 2^d] at `points` in the order of `every_mask`.
    """
    places = 2 ** torch.arange(inputs.dim, device=values.device)

    def looked_up(x: torch.Tensor) -> torch.Tensor:
        return values.T[(x.to(values.device) > 0).long() @ places]

    spectrum = order_spectrum(looked_up, inputs, max_order=inputs.dim, method="exact")
    squared_mean = values.mean(dim=1).square().cpu().numpy()
    # Nothing lies above the last order.
    return np.column_stack([squared_mean, spectrum.variance[:, : inputs.dim]])


def ratio(above: pd.Series, below: pd.Series, keys: list[str]) -> pd.DataFrame:
    """Means over repeats divided, and the standard error of the linearised ratio, by `keys`.

    Both are indexed by `keys` and "repeat". A ratio of means, not a mean of ratios, whose
    denominators may come near 0. NaN where the mean below is rounding alone.
    """
    bottom = below.groupby(keys).mean()
    bottom = bottom.where(bottom > ROUNDING)
    value = above.groupby(keys).mean() / bottom
    residual = above - below * value.reindex(below.index.droplevel("repeat")).to_numpy()
    return pd.DataFrame({"ratio": value, "standard_error": residual.groupby(keys).sem() / bottom})


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Errors by depth, rate and order with standard errors over repeats; orders that matter only.

    `scaled`, `one_subnetwork` and `masks_M` are variances of the difference from the exact
    average over the variance of the latter. `like_masks` is how many random subnetworks must be
    averaged to come as near as the scaled network: the error of one over that of the scaled
    network (NaN where that is exact). `truth_ratio` is the squared error to the truth of the
    scaled network over that of the exact average.
    """
    keys = ["depth", "rate", "order"]
    parts = {
        name: rows.set_index([*keys, "repeat"])["variance"].sort_index()
        for name, rows in table.groupby(["quantity", "masks"], sort=False)
    }
    whole, scaled, one = (parts[q, 0] for q in ("average", "scaled", "one subnetwork"))
    wanted = {"scaled": (scaled, whole), "one_subnetwork": (one, whole)}
    wanted["like_masks"] = (one, scaled)
    wanted["truth_ratio"] = (parts["scaled - truth", 0], parts["average - truth", 0])
    out = pd.DataFrame()
    for name, (above, below) in wanted.items():
        out[[name, f"{name}_error"]] = ratio(above, below, keys)
    for quantity, masks in parts:
        if quantity == "monte carlo":
            out[f"masks_{masks}"] = ratio(parts[quantity, masks], whole, keys)["ratio"]
    sizes = whole.groupby("order").mean().drop(0)
    matter = sizes.index[sizes > LEAST_SHARE * sizes.sum()]
    return out.reset_index()[lambda t: t["order"].isin(matter)]
