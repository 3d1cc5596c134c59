"""Which regularizers act on the order of what a network learns, and which merely shrink it?

Dropout beside its alternatives, each along a path of strengths: on pure noise, on a planted mixture
of orders 1 to 4 with noise, on bike sharing, and on products of few mean-zero inputs, where input
dropout is known to leave (1-r)^(2k) of the variance of order k. What a regularizer selects is the
slope of log(V_k with / V_k without) against k (`interactions.selectivity`), between networks of
one repeat: the same data, starting weights and batches.

A regularizer that leaves less variance leaves less of every order, so slopes are compared at
equal total variance: where a path first leaves half and a quarter of the total without
regularizer, log V_k interpolated linearly in the logarithm of the total. And at the strength
whose test error is least. All slopes of a target rest on the same orders. One that a regularizer
leaves below 3 standard errors counts at these: to leave it out would spare who acts on it most.
Networks train for fixed numbers of steps, early and late: no rule that stops one sooner than the
other decides.

Every target has variance near 1, so strengths mean the same to all. A repeat is a data set of its
own; of bike sharing, a random part of the hours before July 2012, of which a fifth is held out.
The mixture has 6 inputs: with many more its fourth order drowns in the errors of measuring it.
Products have plenty of data, large batches and a learning rate that falls to 0 in the end, because
the law is that of networks trained to the end; others keep theirs, so stopping early is no more
than that.

The protocol "penalties" sets the order penalty and its relatives from the literature
(`interactions.penalty`) beside some of these, Walsh sparsity on inputs of two values alone. It has
a target more, "pairs": orders 1 and 2 in 10 inputs, so all of order 3 that is learned is noise.

Longer than its neighbours, for two dozen regularizers have a setting each, and presets of them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from torch import Tensor

from interactions import (
    Dropout,
    Inputs,
    MLPEnsemble,
    OrderPenalty,
    OrderSpectrum,
    Rademacher,
    Samples,
    Uniform,
    fit,
    order_spectrum,
    selectivity,
)
from interactions.comparison import reaches, spectrum_at
from interactions.networks import group_by_shape, member_seed
from interactions.penalty import InputGradient, PairInteraction, WalshSparsity, weights_from_order
from interactions.planted import Planted, PlantedInteractions, SumOfProducts

from ..running.context import Context
from ..tasks import (
    Task,
    Together,
    answers,
    bike_task,
    dropout_at,
    fit_in_a_loop,
    members_of,
    of_members,
    planted_task,
)

QUESTION = "Which regularizers act on the order of what a network learns, and which only shrink it?"
DATA = ("bike_sharing",)
ORDERS = {"noise": 3, "mixture": 4, "products": 3, "bike": 3, "signs": 4, "pairs": 3}
"""Targets, and the orders told apart; "signs" are the mixture of inputs that are -1 or 1."""
TRUE_ORDERS = ORDERS | {"pairs": 2}
"""The orders that planted targets have."""
DIMENSIONS = {"noise": 25, "mixture": 6, "products": 3, "signs": 6, "pairs": 10}
USUAL_TARGETS = ("noise", "mixture", "products", "bike")
SLOPES = {
    "noise": (1, 2, 3),
    "mixture": (1, 2, 3),
    "products": (1, 2, 3),
    "bike": (1, 2),
    "signs": (1, 2, 3),
    "pairs": (1, 2, 3),
}
"""Orders that all slopes of a target rest on.

Left out are order 4 of the mixture and order 3 of bike sharing, which most regularizers, and
without any the networks themselves early on, leave below their errors.
"""
REGULARIZERS: dict[str, tuple[str, Callable[[Any, Settings], dict[str, Any]]]] = {
    **{
        f"{placement} dropout{', classic' if kind == 'classic' else ''}": (
            "rates",
            lambda r, s, p=placement, k=kind: {"dropout": replace(dropout_at(p, r), kind=k)},
        )
        for kind in ("inverted", "classic")
        for placement in ("input", "activation", "both")
    },
    "coupled L2": ("coupled", lambda decay, s: {"weight_decay": decay}),
    "decoupled L2": ("decoupled", lambda decay, s: {"weight_decay": decay, "optimizer": "adamw"}),
    "L1": ("l1", lambda decay, s: {"l1": decay}),
    "input noise": ("input_noise", lambda deviation, s: {"input_noise": deviation}),
    "early stopping": ("stops", lambda step, s: {}),
    "smaller width": ("widths", lambda width, s: {"hidden": (width,) * s.depth}),
    "smaller depth": ("depths", lambda depth, s: {"hidden": (s.width,) * depth}),
    "more data": ("data", lambda times, s: {"data": times}),
    "order penalty": ("penalties", lambda size, s: {"penalty": ("orders", 1, size)}),
    "order penalty from 2": ("penalties", lambda size, s: {"penalty": ("orders", 2, size)}),
    "order penalty from 3": ("penalties", lambda size, s: {"penalty": ("orders", 3, size)}),
    "input gradient": ("gradients", lambda size, s: {"penalty": ("gradient", 0, size)}),
    "pair interaction": ("pairs", lambda size, s: {"penalty": ("pair", 0, size)}),
    "Walsh sparsity": ("walsh", lambda size, s: {"penalty": ("walsh", 0, size)}),
    "mixup": ("mixing", lambda alpha, s: {"mix": alpha}),
}
"""By name: the setting that holds the path of strengths, from weak to strong, and what a strength
makes of a `Cell`."""
STRENGTHS = "(0, 1e3]"
FALLS = ("early stopping", "smaller width", "smaller depth")
"""Regularizers that are the stronger the smaller their number."""
PENALTIES = (*list(REGULARIZERS)[-7:],)
"""Regularizers that are looked at by a protocol of their own, beside some of the others."""
ON_SIGNS = "Walsh sparsity"
"""The regularizer that functions of two values alone have."""
HASHES = 4
"""Random matrices a step that it takes."""
LAWFUL = ("input dropout", "input dropout, classic")
"""Regularizers that leave (1-r)^(2k) of the variance of order k of products, by theory, which
holds of networks trained to the end."""
PLACES = {"half": 0.5, "quarter": 0.25}
"""Parts of the total variance at which slopes are compared, besides the best test error."""


@dataclass(frozen=True)
class Settings:
    """Paths of strengths, from weak to strong.

    `rates` are drop rates; `coupled` and `decoupled` weight decays λ, as `l1` over all parameters;
    `input_noise` standard deviations; `stops` steps after which training ends; `widths` and
    `depths` sizes in place of `width` and `depth`; `data` the sample size, in units of `samples`
    (of `product_samples` for products, which are plenty and free of noise). Networks are measured
    after each of `steps`. `penalties` are strengths of order penalties, of noise sensitivity at
    redrawn half of the inputs, or of orders from 2 or 3 on; `gradients`, `pairs` and `walsh` those
    of their relatives, `mixing` the alpha of mixup.
    """

    targets: tuple[str, ...] = field(default=USUAL_TARGETS, metadata={"among": ORDERS})
    regularizers: tuple[str, ...] = field(
        default=tuple(n for n in REGULARIZERS if n not in PENALTIES),
        metadata={"among": REGULARIZERS},
    )
    rates: tuple[float, ...] = field(
        default=(0.0625, 0.125, 0.25, 0.375, 0.5), metadata={"range": "(0, 1)"}
    )
    coupled: tuple[float, ...] = field(
        default=(0.001, 0.003, 0.01, 0.03, 0.1), metadata={"range": STRENGTHS}
    )
    decoupled: tuple[float, ...] = field(
        default=(0.1, 0.3, 1.0, 3.0, 10.0), metadata={"range": STRENGTHS}
    )
    l1: tuple[float, ...] = field(
        default=(0.0001, 0.0003, 0.001, 0.003, 0.01), metadata={"range": STRENGTHS}
    )
    input_noise: tuple[float, ...] = field(
        default=(0.1, 0.2, 0.4, 0.8, 1.6), metadata={"range": STRENGTHS}
    )
    stops: tuple[int, ...] = (1500, 1000, 600, 300, 200, 100, 60, 30)
    widths: tuple[int, ...] = (16, 8, 4, 2)
    depths: tuple[int, ...] = (2, 1)
    data: tuple[int, ...] = (2, 4, 8)
    penalties: tuple[float, ...] = field(
        default=(0.03, 0.1, 0.3, 1.0, 3.0), metadata={"range": STRENGTHS}
    )
    gradients: tuple[float, ...] = field(
        default=(0.01, 0.03, 0.1, 0.3, 1.0), metadata={"range": STRENGTHS}
    )
    pairs: tuple[float, ...] = field(
        default=(0.01, 0.03, 0.1, 0.3, 1.0), metadata={"range": STRENGTHS}
    )
    walsh: tuple[float, ...] = field(
        default=(0.003, 0.01, 0.03, 0.1, 0.3), metadata={"range": STRENGTHS}
    )
    mixing: tuple[float, ...] = field(
        default=(0.1, 0.2, 0.4, 1.0, 4.0), metadata={"range": STRENGTHS}
    )
    repeats: int = 10
    steps: tuple[int, ...] = (300, 2000)
    samples: int = 1000
    product_samples: int = 8192
    noise: float = 0.5
    width: int = 32
    depth: int = 3
    batch_size: int = 128
    product_batch_size: int = 1024
    learning_rate: float = 2e-3
    product_learning_rate: float = 1e-2
    test_points: int = 4096
    tolerance: float = 0.003
    budget: int = 2**16

    def __post_init__(self) -> None:
        for name in self.regularizers:
            path_of, _ = REGULARIZERS[name]
            path = getattr(self, path_of)
            if list(path) != sorted(path, reverse=name in FALLS):
                raise ValueError(f"{path_of} must go from weak to strong, got {path}")


PRESETS = {
    ("controlled", "tiny"): Settings(
        targets=("mixture", "products"),
        rates=(0.5,),
        coupled=(0.1,),
        decoupled=(1.0,),
        l1=(0.01,),
        input_noise=(0.5,),
        stops=(5,),
        widths=(4,),
        depths=(1,),
        data=(2,),
        repeats=2,
        steps=(20,),
        samples=64,
        product_samples=64,
        width=8,
        test_points=64,
        budget=2**14,
    ),
    ("controlled", "quick"): Settings(
        regularizers=tuple(
            name
            for name in REGULARIZERS
            if name not in ("activation dropout, classic", "both dropout, classic")
        ),
        rates=(0.125, 0.375),
        coupled=(0.01, 0.05),
        decoupled=(1.0, 5.0),
        l1=(0.001, 0.01),
        input_noise=(0.2, 0.8),
        stops=(300, 100, 50, 30),
        widths=(8, 3),
        depths=(1,),
        data=(4,),
        repeats=2,
        steps=(200, 1000),
        product_batch_size=512,
        budget=50_000,
    ),
    ("controlled", "paper"): Settings(),
    ("penalties", "tiny"): Settings(
        targets=("products", "signs"),
        regularizers=("input dropout", *PENALTIES),
        rates=(0.5,),
        penalties=(1.0,),
        gradients=(0.1,),
        pairs=(0.1,),
        walsh=(0.1,),
        mixing=(1.0,),
        data=(1,),
        repeats=2,
        steps=(5, 10),
        samples=64,
        product_samples=64,
        width=8,
        test_points=64,
        budget=2**14,
    ),
    ("penalties", "quick"): Settings(
        targets=("mixture", "pairs", "signs"),
        regularizers=("activation dropout", "decoupled L2", "early stopping", *PENALTIES),
        rates=(0.125, 0.375),
        decoupled=(1.0, 5.0),
        stops=(300, 100, 50),
        penalties=(0.1, 1.0),
        gradients=(0.1, 1.0),
        pairs=(0.1, 1.0),
        walsh=(0.03, 0.3),
        mixing=(0.2, 1.0),
        data=(1,),
        repeats=2,
        steps=(150, 600),
        budget=50_000,
    ),
    ("penalties", "paper"): Settings(
        targets=("mixture", "pairs", "signs"),
        regularizers=(
            "input dropout",
            "activation dropout",
            "decoupled L2",
            "coupled L2",
            "early stopping",
            *PENALTIES,
        ),
        rates=(0.0625, 0.125, 0.25, 0.5),
        coupled=(0.003, 0.01, 0.03, 0.1),
        decoupled=(0.3, 1.0, 3.0, 10.0),
        penalties=(0.1, 0.3, 1.0, 3.0),
        gradients=(0.03, 0.1, 0.3),
        pairs=(0.3, 1.0, 3.0, 10.0),
        walsh=(0.03, 0.1, 0.3),
        mixing=(0.2, 1.0, 4.0),
        data=(1,),
    ),
}


def shards(settings: Settings) -> list[Settings]:
    """A target each: a slope compares networks with and without a regularizer."""
    return [replace(settings, targets=(t,)) for t in settings.targets]


class Cell(NamedTuple):
    """A regularizer at one strength, and what this makes of a network and its training."""

    regularizer: str
    strength: float
    hidden: tuple[int, ...]
    optimizer: str = "adam"
    dropout: Dropout = Dropout()
    weight_decay: float = 0.0
    l1: float = 0.0
    input_noise: float = 0.0
    data: int = 1
    penalty: tuple[str, int, float] = ("", 0, 0.0)
    mix: float = 0.0

    @property
    def loop(self) -> tuple:
        """What sets apart a cell that is trained in a loop, by automatic differentiation."""
        looped = self.mix > 0 or self.penalty[0] in ("gradient", "pair", "walsh")
        return (self.penalty, self.mix) if looped else ()


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: target, regularizer, strength, repeat, steps, quantity, order, where, value, ...

    Quantities: variance of every order (its standard error that of the measurement); test_error,
    to the noiseless target at fresh points, of bike sharing on hours held out; and selectivity,
    whose rows say `where` ("half" and "quarter" of the total variance, "best" test error,
    "strength": at each), on which orders (in `order`), and at which strength, interpolated as
    the variances are. `bound` says that an order counts at 3 standard errors, so that the slope
    itself is lower. `theory` is what it should be, where that is known. "error_ratio" is the test
    error there, its logarithm interpolated likewise, over that of the same repeat without
    regularizer. "none" is no regularizer.
    """
    s = settings
    tables = []
    for name in s.targets:
        networks = _networks(name, task_of(name, s, context), s, context)
        slopes = pd.DataFrame(selectivities(networks)).assign(target=name)
        tables += [networks, slopes]
    table = pd.concat(tables, ignore_index=True)
    columns = ["target", "regularizer", "strength", "repeat", "steps", "quantity", "order"]
    columns += ["where", "value", "standard_error", "bound", "theory"]
    return table[columns]


def task_of(name: str, s: Settings, context: Context) -> Task:
    """What networks of a target learn, with as many samples as the most data needs."""
    samples = max((1, *s.data)) * (s.product_samples if name == "products" else s.samples)
    if name == "bike":
        return bike_task(context, samples=samples, repeats=s.repeats)
    inputs: Inputs = Rademacher(dim=DIMENSIONS["signs"])
    if name != "signs":
        inputs = Uniform(-1.0, 1.0, dim=DIMENSIONS[name])
    orders = range(1, TRUE_ORDERS[name] + 1)
    subsets = dict.fromkeys(orders, 3) if name in ("mixture", "signs", "pairs") else {}
    planted: list[Planted] = [
        PlantedInteractions(inputs, dict.fromkeys(orders, 1 / len(orders)), subsets, seed=seed)
        for seed in context.seeds(s.repeats)
    ]
    return planted_task(
        [SumOfProducts(())] * s.repeats if name == "noise" else planted,
        inputs,
        context,
        samples=samples,
        noise={"noise": 1.0, "products": 0.0}.get(name, s.noise),
        fresh=s.test_points,
    )


def _cells(s: Settings, target: str) -> list[Cell]:
    """What is trained for a target; early stopping needs no network of its own."""
    plain = Cell("none", 0.0, (s.width,) * s.depth)
    cells = [plain]
    for name in s.regularizers:
        field, change = REGULARIZERS[name]
        if name != "early stopping" and (name != ON_SIGNS or target == "signs"):
            cells += [
                plain._replace(regularizer=name, strength=float(strength), **change(strength, s))
                for strength in getattr(s, field)
            ]
    return cells


def _networks(name: str, task: Task, s: Settings, context: Context) -> pd.DataFrame:
    """Train everything, those of one shape, optimizer and sample size together; measure it all."""
    cells = _cells(s, name)
    loops = list(dict.fromkeys(cell.loop for cell in cells))
    keys = [
        (*cell.hidden, cell.optimizer == "adamw", cell.data, loops.index(cell.loop))
        for cell in cells
    ]
    groups = [[cells[i] for i in some] for some in group_by_shape(keys).values()]
    stops = s.stops if "early stopping" in s.regularizers else ()
    trained, labels = [], []
    what = f"{name}: training {len(cells) * s.repeats} networks"
    with context.progress(len(groups) * max(s.steps), what) as advance:
        for group in groups:
            # Those without regularizer come first, and may be measured wherever one stops early.
            plain = group[0].regularizer == "none"
            looks = sorted({*s.steps, *(stop for stop in stops if plain and stop < max(s.steps))})
            ensemble, snapshots = _train(group, name, task, looks, s, context, advance)
            names = [(cell.regularizer, cell.strength) for cell in group]
            members = members_of(["regularizer", "strength"], names, s.repeats)
            for look in looks:
                some = members if look in s.steps else members[: s.repeats]
                trained.append(ensemble.with_parameters(snapshots[look]).select(range(len(some))))
                labels.append(some.assign(steps=look))
    table = _measured(trained, pd.concat(labels, ignore_index=True), name, task, s, context)
    table = table.assign(target=name)
    plain = table[table["regularizer"] == "none"]
    stopped = [
        plain[plain["steps"] == stop].assign(
            regularizer="early stopping", strength=float(stop), steps=last
        )
        for last in s.steps
        for stop in stops
        if stop < last
    ]
    return pd.concat([table[table["steps"].isin(s.steps)], *stopped])


def _train(
    group: list[Cell],
    name: str,
    task: Task,
    looks: list[int],
    s: Settings,
    context: Context,
    advance: Callable[[int], None],
) -> tuple[MLPEnsemble, dict[int, Tensor]]:
    """Networks of one shape, optimizer and sample size, and their parameters at every look."""
    cells = [cell for cell in group for _ in range(s.repeats)]
    ensemble = MLPEnsemble(
        (task.inputs.dim, *group[0].hidden, 1),
        seeds=context.seeds(s.repeats) * len(group),
        dropout=[cell.dropout for cell in cells],
        device=context.device,
    )
    rows = task.x.shape[1] // max((1, *s.data)) * group[0].data
    products = name == "products"
    samples = Samples(
        task.x[:, :rows].repeat(len(group), 1, 1),
        task.y[:, :rows].repeat(len(group), 1),
        batch_size=s.product_batch_size if products else s.batch_size,
    )
    how = {
        "steps": max(looks),
        "learning_rate": s.product_learning_rate if products else s.learning_rate,
        "schedule": "cosine" if products else "constant",
        "snapshots": looks,
        "progress": advance,
    }
    if group[0].loop:
        (cell,) = group
        penalty = _relative(cell) if cell.penalty[0] else None
        seed = member_seed(context.seed, f"{name} {cell.regularizer} {cell.strength}")
        return ensemble, fit_in_a_loop(
            ensemble,
            samples,
            penalty=penalty,
            penalty_rows=HASHES if cell.penalty[0] == "walsh" else None,
            mix=cell.mix,
            seed=seed,
            **how,
        )
    result = fit(
        ensemble,
        samples,
        optimizer=group[0].optimizer,
        weight_decay=[cell.weight_decay for cell in cells],
        l1=[cell.l1 for cell in cells],
        input_noise=[cell.input_noise for cell in cells],
        order_penalty=[_order_penalty(cell, task.inputs) for cell in cells],
        **how,
    )
    return ensemble, result.snapshots


def _order_penalty(cell: Cell, inputs: Inputs) -> OrderPenalty | None:
    """That of a cell: of noise sensitivity, or of orders from 2 or 3 on."""
    kind, order, strength = cell.penalty
    if kind != "orders":
        return None
    weights = None if order == 1 else weights_from_order(order)
    return OrderPenalty(inputs, weights=weights, strength=strength)


def _relative(cell: Cell) -> Callable[[Callable[[Tensor], Tensor], Tensor], Tensor]:
    """The penalty from the literature that a cell has."""
    kind, _, strength = cell.penalty
    kinds = {"gradient": InputGradient, "pair": PairInteraction, "walsh": WalshSparsity}
    return kinds[kind](strength)


def _measured(
    trained: list[MLPEnsemble],
    labels: pd.DataFrame,
    name: str,
    task: Task,
    s: Settings,
    context: Context,
) -> pd.DataFrame:
    """Spectrum and test error of all networks, a row per network and quantity."""
    networks = Together(trained)
    spectrum = order_spectrum(
        networks,
        task.inputs,
        max_order=ORDERS[name],
        tolerance=s.tolerance,
        budget=s.budget,
        seed=member_seed(context.seed, "spectrum"),
    )
    variances = spectrum.to_frame().rename(columns={"variance": "value"})
    variances = variances[["output", "order", "value", "standard_error"]]
    gaps = answers(networks, task.fresh.to(context.device)).cpu()
    gaps = gaps - task.truth[:, labels["repeat"].tolist()]
    errors = labels.assign(quantity="test_error", value=gaps.double().square().mean(dim=0).numpy())
    return pd.concat([of_members(variances.assign(quantity="variance"), labels), errors])


def selectivities(networks: pd.DataFrame) -> Iterator[dict[str, object]]:
    """A row per regularizer, number of steps, repeat and place along the path, of one target.

    Slopes are missing where a path does not reach the place, or leaves too little to bound them.
    """
    target = networks["target"].iloc[0]
    orders = SLOPES[target]
    errors = networks[networks["quantity"] == "test_error"]
    errors = errors.groupby(["steps", "regularizer", "strength"])["value"].mean()
    for (steps, repeat), rows in networks.groupby(["steps", "repeat"], sort=False):
        own = rows[rows["quantity"] == "test_error"].set_index(["regularizer", "strength"])["value"]
        spectra = rows[rows["quantity"] == "variance"].set_index(["regularizer", "strength"])
        plain = _spectra(spectra.loc[[("none", 0.0)]])
        for name in dict.fromkeys(rows["regularizer"]):
            if name == "none":
                continue
            path = spectra.loc[[name]]
            strengths = sorted(set(path.index.get_level_values("strength")), reverse=name in FALLS)
            path = [plain, *(_spectra(path.loc[[(name, strength)]]) for strength in strengths)]
            known = target == "products" and name in LAWFUL and steps == networks["steps"].max()
            law = [0.0, *(2 * math.log(1 - r) if known else math.nan for r in strengths)]
            best = strengths.index(errors[steps, name].idxmin()) + 1
            at = {place: reaches(path, part) for place, part in PLACES.items()} | {"best": best}
            ratio = np.log([1.0, *(own[name, r] / own["none", 0.0] for r in strengths)])
            key = {"regularizer": name, "steps": steps, "repeat": repeat}
            places = [(place, where, math.nan) for place, where in at.items()]
            places[-1] = ("best", best, strengths[best - 1])
            places += [("strength", i, strength) for i, strength in enumerate(strengths, start=1)]
            for place, where, strength in places:
                at_place = key | {"where": place, "strength": strength}
                error = float(np.exp(np.interp(where, range(len(ratio)), ratio)))
                yield at_place | {"quantity": "error_ratio", "value": error}
                slope = selectivity(spectrum_at(path, where), plain, orders=orders)
                yield at_place | {
                    "quantity": "selectivity",
                    "order": " ".join(map(str, orders)),
                    "value": float(slope.slope),
                    "standard_error": float(slope.standard_error),
                    "bound": float(slope.bound),
                    "theory": np.interp(where, range(len(law)), law) if known else math.nan,
                }


def _spectra(rows: pd.DataFrame) -> OrderSpectrum:
    variance, error = (rows[c].to_numpy() for c in ("value", "standard_error"))
    return OrderSpectrum.known(variance, error=error, method="kept in a table")


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """The selectivity table: a row per target, steps, regularizer and place along its path.

    `slope` is the mean over repeats and `standard_error` its standard error, `measured` the root
    mean square of the repeats' own, which are of measuring a network alone. `orders` are those
    that slopes rest on, with the number of repeats where they differ; `repeats` is how many have
    a slope. `error_ratio` is the mean over repeats of the test error there over that without
    regularizer, ± `ratio_error`; at the best test error, whose `strength` is given, above 1 where
    no strength helps. `theory` is 2 log(1-r).
    """
    keys = ["target", "steps", "regularizer", "where"]
    slopes = table[(table["quantity"] == "selectivity") & (table["where"] != "strength")]
    groups = slopes.groupby(keys, sort=False)
    out = pd.DataFrame(
        {
            "slope": groups["value"].mean(),
            "standard_error": groups["value"].sem(),
            "measured": groups["standard_error"].agg(lambda e: (e**2).mean() ** 0.5),
            "orders": groups["order"].first(),
            "repeats": groups["value"].count(),
            "bounds": groups["bound"].sum().astype(int),
            "strength": groups["strength"].first(),
        }
    )
    ratios = table[(table["quantity"] == "error_ratio") & (table["where"] != "strength")]
    ratios = ratios.groupby(keys, sort=False)["value"]
    out["error_ratio"], out["ratio_error"] = ratios.mean(), ratios.sem()
    out["theory"] = groups["theory"].mean()
    return out.reset_index()
