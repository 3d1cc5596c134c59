"""Does the order penalty leave F_k / (1 + weight) of every order, where dropout cannot?

Networks learn planted functions of three inputs from fresh points, with the mean squared error and
an `OrderPenalty`. By law (interactions/LAWS.md, 7) the best fit keeps of order k the amplitude
1 / (1 + λ w_k), for every function; the profile asked for is compared with the amplitude reached,
<g, F_k> / <F_k, F_k>. Beside it input dropout, which the paper says keeps (1-r)^k: products of x
do, products of sines keep what the dilation F((1-r) x) says, and the penalty with weights
(1-r)^-k - 1 makes it true of all.

Sobol's G-function has a cusp in every input and 1/37 of its variance in order 3, so networks take
longer to reach it: that order comes last, and late in the fall of the learning rate.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from interactions import Dropout, Inputs, MLPEnsemble, OrderPenalty, Stream, Uniform, fit
from interactions.penalty import weights_for_shares, weights_for_survival, weights_from_order
from interactions.planted import Factor, Planted, Product, SumOfProducts, sine
from interactions.theory import amplitude, dilated, effects_by_order

from ..running.context import Context
from ..tasks import answers

QUESTION = "Does the order penalty leave F / (1 + weight) of each order, where dropout cannot?"
ORDERS = (1, 2, 3)
TARGETS: dict[str, Callable[[], tuple[Planted, Inputs]]] = {
    "products": lambda: (_sum_of(Product, 3**0.5), Uniform(-1.0, 1.0, dim=3)),
    "sines": lambda: (
        _sum_of(lambda u, c: Product(u, c, sine(2.5)), 1.35),
        Uniform(-1.0, 1.0, dim=3),
    ),
    # Sobol's G-function with all coefficients 0, its inputs scaled to (-1, 1).
    "G": lambda: (
        Product((0, 1, 2), 1.0, Factor(lambda x: 2 * x.abs(), (0.0,))),
        Uniform(-1.0, 1.0, dim=3),
    ),
}
PROFILES: dict[str, Callable[[Planted, Inputs], OrderPenalty]] = {
    "redrawn .5": lambda f, inputs: OrderPenalty(inputs, rho=0.5),
    "redrawn .25, four times": lambda f, inputs: OrderPenalty(inputs, rho=0.25, strength=4.0),
    "survival .25": lambda f, inputs: OrderPenalty(inputs, weights=weights_for_survival(0.25, 3)),
    "survival .5": lambda f, inputs: OrderPenalty(inputs, weights=weights_for_survival(0.5, 3)),
    "orders 2 and 3": lambda f, inputs: OrderPenalty(inputs, weights=weights_from_order(2)),
    # Of each further order a ninth of the variance per variance that there was.
    "given shares": lambda f, inputs: OrderPenalty(
        inputs,
        weights=weights_for_shares(
            f.spectrum(inputs, 3), f.spectrum(inputs, 3).variance[:3] / 9.0 ** np.arange(3)
        ),
    ),
}
"""By name: what is asked of every order of a target."""


@dataclass(frozen=True)
class Settings:
    """Penalties of `profiles`, and input dropout at `rates`, on `targets`.

    Networks train for `steps`, on targets with cusps for `cusp_steps`.
    `nodes` are those of the Gauss rule of each input, between kinks, by which amplitudes are taken.
    """

    targets: tuple[str, ...] = field(default=tuple(TARGETS), metadata={"among": TARGETS})
    profiles: tuple[str, ...] = field(default=tuple(PROFILES), metadata={"among": PROFILES})
    rates: tuple[float, ...] = field(
        default=(0.25, 0.5), metadata={"range": "(0, 1)", "empty": True}
    )
    repeats: int = 5
    width: int = 48
    depth: int = 3
    batch_size: int = 256
    steps: int = 2000
    cusp_steps: int = 10_000
    learning_rate: float = 5e-3
    nodes: int = 16


PRESETS = {
    ("controlled", "tiny"): Settings(
        targets=("products", "sines"),
        profiles=("redrawn .5", "survival .5"),
        rates=(0.5,),
        repeats=2,
        width=8,
        depth=1,
        batch_size=16,
        steps=5,
        cusp_steps=5,
        nodes=4,
    ),
    ("controlled", "quick"): Settings(
        profiles=("redrawn .5", "survival .25", "survival .5"),
        rates=(0.5,),
        repeats=3,
        depth=2,
        cusp_steps=2000,
    ),
    ("controlled", "paper"): Settings(profiles=("redrawn .5", "survival .25", "survival .5")),
}


def shards(settings: Settings) -> list[Settings]:
    """A target each."""
    return [replace(settings, targets=(target,)) for target in settings.targets]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per target, profile, order and repeat: the amplitude reached, and what was asked.

    `asked` is 1 / (1 + λ w_k), of dropout (1-r)^k; `law` what theory says it comes to: the same of
    penalties, of dropout the dilation's amplitude. `profile` "none" has neither.
    """
    return pd.concat(
        [_of_target(name, settings, context) for name in settings.targets], ignore_index=True
    )


def _of_target(name: str, s: Settings, context: Context) -> pd.DataFrame:
    target, inputs = TARGETS[name]()
    effects = effects_by_order(target, inputs)
    penalties = {p: PROFILES[p](target, inputs) for p in s.profiles}
    dropout = {f"input dropout {rate:g}": rate for rate in s.rates}
    steps = s.cusp_steps if target.kinks else s.steps
    cells = ["none", *penalties, *dropout]
    members = [cell for cell in cells for _ in range(s.repeats)]
    networks = MLPEnsemble(
        (inputs.dim, *[s.width] * s.depth, 1),
        seeds=context.seeds(s.repeats) * len(cells),
        dropout=[Dropout(inputs=dropout.get(cell, 0.0)) for cell in members],
        device=context.device,
    )
    with context.progress(steps, f"{name}: training {len(members)} networks") as advance:
        fit(
            networks,
            Stream(inputs, target, s.batch_size),
            steps=steps,
            learning_rate=s.learning_rate,
            schedule="cosine",
            order_penalty=[penalties.get(cell) for cell in members],
            progress=advance,
        )
    points, weight = grid(inputs, target, s.nodes)
    values = answers(networks, points.float().to(context.device)).double().cpu()
    rows = []
    for order, effect in effects.items():
        at = weight * effect(points)
        reached = (at @ values / (at @ effect(points))).tolist()
        for place, cell in enumerate(members):
            penalty, rate = penalties.get(cell), dropout.get(cell)
            asked = law = 1.0
            if penalty is not None:
                asked = law = float(1 / (1 + penalty.strength * penalty.profile[order - 1]))
            elif rate is not None:
                asked = (1 - rate) ** order
                law = amplitude(dilated(target, rate), effect, inputs)
            row = {"target": name, "profile": cell, "order": order, "repeat": place % s.repeats}
            rows.append(row | {"asked": asked, "law": law, "reached": reached[place]})
    return pd.DataFrame(rows)


def grid(inputs: Inputs, target: Planted, nodes: int) -> tuple[Tensor, Tensor]:
    """Points [N, d] of a Gauss rule in every input, and their weights [N]."""
    rules = [
        inputs.quadrature(nodes, coordinate=j, breakpoints=target.kinks) for j in range(inputs.dim)
    ]
    points = torch.cartesian_prod(*(torch.as_tensor(x) for x, _ in rules))
    weights = torch.cartesian_prod(*(torch.as_tensor(w) for _, w in rules))
    return points, weights.prod(dim=1)


def _sum_of(effect: Callable[[tuple[int, ...], float], Planted], scale: float) -> SumOfProducts:
    """An effect of one input, of two, and of three, each factor times `scale`."""
    terms = [effect(tuple(range(k)), scale**k).terms for k in ORDERS]
    return SumOfProducts(tuple(term for of_order in terms for term in of_order))


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By target, profile and order: what was asked, the law, and the mean reached ± over repeats.

    `off` is reached over law, minus 1.
    """
    groups = table.groupby(["target", "profile", "order"], sort=False)
    out = groups[["asked", "law", "reached"]].mean()
    out["standard_error"] = groups["reached"].sem()
    out["off"] = out["reached"] / out["law"] - 1
    return out.reset_index()
