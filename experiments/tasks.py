"""What several questions share: data, dropout by placement, networks by cell, and their answers."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple, TypeVar

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from interactions import Dropout, Empirical, Inputs, MLPEnsemble, OrderSpectrum, Samples
from interactions.anova import released_distillation
from interactions.networks import member_seed
from interactions.penalty import mixup
from interactions.planted import Planted, SumOfProducts, Term, covariance, paper_generator

from .running.context import Context, UserError
from .running.data import bike_sharing

S = TypeVar("S")
Pair = tuple[Tensor, Tensor]
"""Points and targets."""

AT_INPUTS = ("input", "inputs", "both")
AT_HIDDEN = ("activation", "hidden", "both")
"""Placements; "input" and "activation" are the paper's words, which stored tables keep."""

NOT_INPUTS = ("cnt", "instant", "casual", "registered")
TEST_FROM = "2012-07-01"
"""Of bike sharing: columns that are no inputs, and the first day of the released test part."""


# Networks: members of an ensemble are those of all cells, cell by cell, repeat by repeat.


def dropout_at(placement: str, rate: float) -> Dropout:
    """Inverted dropout on the inputs, after every hidden layer, or both; "none" has none.

    Raises ValueError for any other placement.
    """
    if placement not in ("none", *AT_INPUTS, *AT_HIDDEN):
        known = sorted({"none", *AT_INPUTS, *AT_HIDDEN})
        raise ValueError(f"unknown placement {placement!r}: choose from {known}")
    return Dropout(
        inputs=rate if placement in AT_INPUTS else 0.0,
        hidden=rate if placement in AT_HIDDEN else 0.0,
    )


def dropout_cells(placements: Iterable[str], rates: Sequence[float]) -> list[tuple[str, float]]:
    """Every placement at every rate; at rate 0 they are one and the same, named "none"."""
    plain = [("none", 0.0)] if 0.0 in rates else []
    return plain + [(p, r) for p in placements for r in rates if r > 0]


def members_of(columns: Sequence[str], cells: Iterable[tuple], repeats: int) -> pd.DataFrame:
    """A row per network: `columns` of its cell, and `repeat`; the index is its place.

    Their seeds are `context.seeds(repeats) * len(cells)`: a repeat has one seed in every cell.
    What is measured of an ensemble, with a column `output`, is joined to it by `of_members`.
    """
    rows = [(*cell, repeat) for cell in cells for repeat in range(repeats)]
    return pd.DataFrame(rows, columns=[*columns, "repeat"])


def of_members(measured: pd.DataFrame, members: pd.DataFrame) -> pd.DataFrame:
    """What was measured of every network, `output` replaced by the columns of `members`."""
    return measured.join(members, on="output").drop(columns="output")


def long_by_order(
    values: np.ndarray, orders: Iterable, outputs: Sequence[int] | None = None
) -> pd.DataFrame:
    """Columns `output`, `order` and `value`, a row per network and order, of `values` [m, orders].

    `outputs` are the networks' places in their ensemble; without, those of all, in turn.
    """
    table = pd.DataFrame(values, index=outputs, columns=pd.Index(orders, name="order"))
    return table.rename_axis("output").stack().rename("value").reset_index()


def shares_and_variances(spectrum: OrderSpectrum) -> pd.DataFrame:
    """A spectrum in long form: `output`, `order`, `quantity`, `value` and its `standard_error`.

    Every share is followed by the variance of the same network and order.
    """
    frame = spectrum.to_frame()
    share = frame.drop(columns=["variance", "standard_error"])
    share = share.rename(columns={"share": "value", "share_standard_error": "standard_error"})
    variance = frame.drop(columns=["share", "share_standard_error"])
    variance = variance.rename(columns={"variance": "value"})
    both = [share.assign(quantity="share"), variance.assign(quantity="variance")]
    return pd.concat(both).sort_index(kind="stable")


def summed(spectrum: OrderSpectrum, outputs: int) -> pd.DataFrame:
    """Spectra of functions with several outputs each, which are next to each other, as one each.

    Columns of `OrderSpectrum.to_frame`; `output` counts the functions. Variances are sums over a
    function's outputs, and shares are of the whole sum. Standard errors are added up, shares' as
    the outputs weigh: a bound, for the outputs' errors are not independent.
    """
    shape = (-1, outputs, spectrum.max_order + 1)
    variance, error = (
        values.reshape(shape).sum(axis=1) for values in (spectrum.variance, spectrum.standard_error)
    )
    total = variance.sum(axis=1, keepdims=True)
    weight = spectrum.total_variance.reshape(shape[:2])[..., None] / total[:, None]
    own = np.where(spectrum.constant[:, None], 0.0, spectrum.share_standard_error)
    output, column = np.indices(variance.shape)
    return pd.DataFrame(
        {
            "output": output.ravel(),
            "order": np.asarray(spectrum.order_names)[column.ravel()],
            "variance": variance.ravel(),
            "standard_error": error.ravel(),
            "share": (variance / total).ravel(),
            "share_standard_error": (weight * own.reshape(shape)).sum(axis=1).ravel(),
        }
    )


def fit_in_a_loop(
    ensemble: MLPEnsemble,
    samples: Samples,
    *,
    steps: int,
    learning_rate: float,
    seed: int,
    penalty: Callable[[Callable[[Tensor], Tensor], Tensor], Tensor] | None = None,
    penalty_rows: int | None = None,
    mix: float = 0.0,
    schedule: str = "constant",
    snapshots: Sequence[int] = (),
    progress: Callable[[int], None] | None = None,
) -> dict[int, Tensor]:
    """Train by Adam and automatic differentiation what `fit` cannot; returns snapshots by step.

    The loss is squared. `penalty(model, x)` joins it, a mean over points, for every member at its
    own batch, or the first `penalty_rows` of it; with `mix` its batches are mixed (`mixup`) at that
    strength. Batches are those of `fit`, training sets all of one size; masks are the ensemble's,
    off for the penalty.
    """
    optimizer = torch.optim.Adam([ensemble.flat], lr=learning_rate)
    decay = None
    if schedule == "cosine":
        decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    kept = {0: ensemble.flat.detach().clone()} if 0 in snapshots else {}
    batches = samples.feed(ensemble).batches(range(ensemble.members), steps)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        for step, (x, y, weight) in enumerate(batches, start=1):
            if isinstance(weight, Tensor):
                # What fills up the last batch of an epoch is no point of it.
                rows = int((weight[0] > 0).sum())
                x, y, weight = x[:, :rows], y[:, :rows], weight[:, :rows]
            x, y = (t.expand(ensemble.members, *t.shape[-2:]) for t in (x, y))
            if mix > 0:
                pairs = [mixup(own, target, alpha=mix) for own, target in zip(x, y, strict=True)]
                x, y = (torch.stack(part) for part in zip(*pairs, strict=True))
            gaps = ensemble.train().outputs(x) - y
            loss = (gaps.square().mean(dim=2, keepdim=True) * weight).sum()
            if penalty is not None:
                own = x[:, :penalty_rows]
                every = partial(_member_by_member, ensemble.eval(), own.shape[1])
                loss = loss + ensemble.members * penalty(every, own.flatten(0, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if decay is not None:
                decay.step()
            if step in snapshots:
                kept[step] = ensemble.flat.detach().clone()
            if progress is not None:
                progress(1)
    ensemble.eval()
    return kept


def _member_by_member(ensemble: MLPEnsemble, rows: int, x: Tensor) -> Tensor:
    """Answers [C E n, outputs] to points [C E n, d], each asked of the member whose row it is."""
    x = x.unflatten(0, (-1, ensemble.members, rows)).transpose(0, 1)
    out = ensemble.outputs(x.flatten(1, 2)).unflatten(1, x.shape[1:3])
    return out.transpose(0, 1).flatten(0, 2)


# Data: the same seed has the same data, whatever else is trained beside it. Their generator has the
# bare seed; all else is drawn with `member_seed(seed, purpose)`, points to measure at above all.
# Adding a large number to the seed does not do: torch's CPU generator keeps the low 32 bits.


def noise_data(inputs: Inputs, seeds: Sequence[int], *, samples: int, noise: float) -> Pair:
    """Inputs and noise of every seed, [E, n, d] and [E, n], float32.

    `noise` is a standard deviation.
    """
    sets = {}
    for seed in dict.fromkeys(seeds):
        generator = torch.Generator().manual_seed(seed)
        x = inputs.sample(samples, generator=generator, dtype=torch.float32)
        sets[seed] = (x, noise * torch.randn(samples, generator=generator))
    x, y = zip(*(sets[seed] for seed in seeds), strict=True)
    return torch.stack(x), torch.stack(y)


def planted_data(
    targets: Sequence[Planted],
    inputs: Inputs,
    seeds: Sequence[int],
    *,
    samples: int,
    noise: float,
) -> Pair:
    """A data set for every target, x [R, n, d] and its values under noise, y [R, n].

    Points and noise are those of `noise_data`.
    """
    x, y = noise_data(inputs, seeds, samples=samples, noise=noise)
    for i, target in enumerate(targets):
        y[i] += target(x[i])
    return x, y


class Task(NamedTuple):
    """What networks learn, and where their errors are taken, for every repeat.

    The inputs' distribution; training points and targets, [R, n, d] and [R, n]; fresh points
    [m, d], the same for all, and what is to be answered there, [m, R].
    """

    inputs: Inputs
    x: Tensor
    y: Tensor
    fresh: Tensor
    truth: Tensor


def planted_task(
    targets: Sequence[Planted],
    inputs: Inputs,
    context: Context,
    *,
    samples: int,
    noise: float,
    fresh: int,
) -> Task:
    """A planted function and a data set of its own for every repeat; the truth has no noise."""
    seeds = context.seeds(len(targets))
    x, y = planted_data(targets, inputs, seeds, samples=samples, noise=noise)
    own = member_seed(context.seed, "fresh points")
    points = inputs.sample(fresh, generator=own, dtype=torch.float32)
    return Task(inputs, x, y, points, torch.stack([f(points) for f in targets], dim=1))


def bike_task(context: Context, *, samples: int, repeats: int) -> Task:
    """Bike sharing before July 2012: a fifth held out, the same for all, training hours by repeat.

    Raises UserError for more samples than there are hours.
    """
    (x, y), _ = bike_hours(bike_sharing(context.data_dir))
    held_out, rest = _shuffled(len(x), context.seed).tensor_split([len(x) // 5])
    if samples > len(rest):
        raise UserError(f"{samples} hours were asked for training, there are {len(rest)}")
    seeds = context.seeds(repeats)
    chosen = torch.stack([rest[_shuffled(len(rest), seed)[:samples]] for seed in seeds])
    truth = y[held_out, None].expand(-1, repeats)
    return Task(Empirical(x[held_out]), x[chosen], y[chosen], x[held_out], truth)


def _shuffled(count: int, seed: int) -> Tensor:
    return torch.randperm(count, generator=torch.Generator().manual_seed(seed))


def pure_effects(name: str, inputs: Inputs) -> dict[int, SumOfProducts]:
    """Effects by order of "pure 1", "pure 2", "pure 3" or their sum, "mixture"; else none.

    Each is the paper's generator made pure under the inputs, at variance 1.
    """
    if not name.startswith(("pure", "mixture")):
        return {}
    orders = (1, 2, 3) if name == "mixture" else (int(name.removeprefix("pure ")),)
    pure = {k: paper_generator(k, pure_under=inputs) for k in orders}
    return {k: _scaled(f, covariance(f, f, inputs) ** -0.5) for k, f in pure.items()}


def sum_of(effects: dict[int, SumOfProducts]) -> SumOfProducts:
    """The function whose effects these are."""
    return SumOfProducts(tuple(term for effect in effects.values() for term in effect.terms))


def _scaled(f: SumOfProducts, scale: float) -> SumOfProducts:
    return SumOfProducts(tuple(Term(scale * t.coefficient, t.factors) for t in f.terms))


def bike_hours(hours: pd.DataFrame) -> tuple[Pair, Pair]:
    """Train and test points and targets of bike sharing, float32, standardised by the first.

    As released: 13 inputs (all columns but the counts and the row number), the date as the index
    of the day, hours before July 2012 for training.
    """
    train = torch.tensor((hours["dteday"] < TEST_FROM).to_numpy(copy=True))
    day = hours["dteday"].astype("category").cat.codes
    x = hours.assign(dteday=day).drop(columns=list(NOT_INPUTS)).to_numpy(dtype=np.float64)
    y = hours["cnt"].to_numpy(dtype=np.float64)
    x = (x - x[train].mean(axis=0)) / x[train].std(axis=0)
    y = (y - y[train].mean()) / y[train].std()
    points, targets = torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)
    return (points[train], targets[train]), (points[~train], targets[~train])


# Measuring: what networks answer, hold of an effect, and are to boosted trees.


def answers(function: Callable[[Tensor], Tensor], x: Tensor, *, chunk: int = 2**9) -> Tensor:
    """A function's values at points [n, d], [n] or [n, outputs], computed `chunk` rows at a time.

    Without gradients. A chunk bounds the memory that hidden units of a large ensemble take.
    """
    with torch.no_grad():
        return torch.cat([function(part) for part in x.split(chunk)])


class Together(nn.Module):
    """Ensembles of several shapes as one function, [n, members of all]: one sample serves all."""

    def __init__(self, ensembles: Sequence[MLPEnsemble]) -> None:
        super().__init__()
        self.ensembles = nn.ModuleList(ensembles)
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([ensemble(x) for ensemble in self.ensembles], dim=1)


def amplitudes(values: Tensor, effect: Tensor) -> Tensor:
    """<g, F> / <F, F> of every column g of `values` [n, m], F centred: how much of F each holds.

    `effect` [n] are the values of F at the same points, drawn from the inputs' distribution. What
    `interactions.theory.amplitude` knows exactly of planted functions, from a sample.
    """
    centred = effect - effect.mean()
    return centred @ values / (centred @ centred)


def even_points(inputs: Inputs, count: int, *, seed: int) -> Tensor:
    """Points [n, d] of the inputs, float64, spread evenly (scrambled Sobol; best 2^k of them)."""
    engine = torch.quasirandom.SobolEngine(inputs.dim, scramble=True, seed=seed)
    u = engine.draw(count, dtype=torch.float64) + 2.0**-31  # within their cells: never 0
    return inputs.expand(inputs.quantile(u, torch.arange(inputs.dim)))


def boosted_trees(ensemble: MLPEnsemble, x: Tensor, max_order: int) -> OrderSpectrum:
    """The released measurement of every network, on the points x [E, n, d] of its own data set."""
    variances = []
    for i, points in enumerate(x):
        own = answers(ensemble.select([i]), points.to(ensemble.flat), chunk=len(points))
        spectrum = released_distillation(points, own, max_order=max_order)
        variances.append(spectrum.variance)
    return OrderSpectrum.known(
        np.concatenate(variances),
        error=np.nan,
        share_error=np.nan,
        method=spectrum.method,
        evaluations=spectrum.evaluations,
        converged=False,
    )


def tree_shares(network: MLPEnsemble, x: Tensor) -> np.ndarray:
    """Shares of V_1 + V_2 + V_3 by boosted trees, as released, of an ensemble of one, [3].

    With histograms: thousands of points, hundreds of times, are too many for exact splits.
    """
    own = answers(network, x.to(network.flat))[:, 0]
    parts = released_distillation(x, own, tree_method="hist").variance[:3]
    return parts / parts.sum()


def with_trees_if_possible(settings: S, field: str) -> S:
    """The settings, their `field` emptied where it asks for boosted trees and XGBoost is missing.

    To be called where a run is split into shards: what a shard measures must follow from its
    settings alone, for they are its name. A run without trees would else count as the one with.
    """
    wanted = getattr(settings, field)
    if not wanted or importlib.util.find_spec("xgboost") is not None:
        return settings
    print(
        "  XGBoost is missing, so nothing is measured by boosted trees: "
        'pip install "interactions[xgboost]", and the same command adds them',
        file=sys.stderr,
    )
    return replace(settings, **{field: type(wanted)()})
