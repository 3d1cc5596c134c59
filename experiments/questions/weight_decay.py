"""Does weight decay select against interactions, as dropout is said to do?

The paper's Fig 8: networks without dropout fit to the noise of Fig 5 under growing weight decay.
No code was released. `text` trains and measures them as Fig 5's published networks were, for 1000
steps, on 1500 samples. `controlled` trains for longer, under decay that joins the gradient (Adam)
or shrinks weights apart from it (AdamW), and under dropout: a regularizer that leaves less variance
leaves less of every order, so what it selects is seen between networks of the same total variance.
Every repeat has a data set of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from interactions import Dropout, MLPEnsemble, Samples, Uniform, fit, order_spectrum
from interactions.networks import member_seed

from ..running.context import Context
from ..tasks import (
    boosted_trees,
    dropout_at,
    members_of,
    noise_data,
    of_members,
    with_trees_if_possible,
)

QUESTION = "Does weight decay select against interactions, at the same total variance as dropout?"
COUPLED, DECOUPLED = DECAYS = ("coupled decay", "decoupled decay")
REGULARIZERS = {
    "plain": "none",
    "coupled": COUPLED,
    "decoupled": DECOUPLED,
    "activation": "activation dropout",
    "input": "input dropout",
}
"""What the table calls the networks that each of these settings asks for."""


@dataclass(frozen=True)
class Settings:
    """`coupled` and `decoupled` are weight decays, `activation` and `input` drop rates, all > 0.

    `plain` networks have none of them. Coupled decay λ joins the gradient of the loss as λ w, and
    the loss is `loss_scale` times the mean squared error. Decoupled decay shrinks weights by
    learning rate · λ a step.
    """

    coupled: tuple[float, ...] = field(
        default=(0.01, 0.05, 0.1, 0.2), metadata={"range": "(0, 1e3]", "empty": True}
    )
    decoupled: tuple[float, ...] = field(default=(), metadata={"range": "(0, 1e3]"})
    activation: tuple[float, ...] = field(default=(), metadata={"range": "(0, 1)"})
    input: tuple[float, ...] = field(default=(), metadata={"range": "(0, 1)"})
    plain: bool = True
    repeats: int = 10
    samples: int = 1500
    train_samples: int = 1125
    noise: float = field(default=5.0, metadata={"range": "(0, 1e6]"})
    width: int = 32
    loss_scale: float = field(default=1.0, metadata={"range": "(0, 1e3]"})
    steps: int = 1000
    max_order: int = field(default=3, metadata={"range": "[1, 25]"})
    tolerance: float = 0.02
    budget: int = 2**23
    boosted_trees: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.train_samples <= self.samples:
            raise ValueError("train_samples must lie between 1 and samples")


# The released loss: the sum of squares of the training part over twice all samples. To Adam its
# scale matters in nothing but its weight against the decay.
TEXT = Settings(loss_scale=1125 / (2 * 1500))
CONTROLLED = Settings(
    coupled=(0.05, 0.1, 0.2, 0.5),
    # Between 4 and 8 networks die: only here does decay leave as little as weak dropout does, ...
    decoupled=(1.0, 4.0, 5.0, 6.0),
    # ... of which the least rates leave as much as decay.
    activation=(0.005, 0.01, 0.125, 0.5),
    input=(0.005, 0.01, 0.125, 0.5),
    repeats=10,
    samples=1000,
    train_samples=750,
    steps=3000,
    boosted_trees=False,
)
TINY = {
    "repeats": 2,
    "steps": 20,
    "max_order": 2,
    "tolerance": 1.0,
    "budget": 2**16,
    "boosted_trees": False,
}
PRESETS = {
    ("text", "tiny"): replace(TEXT, **TINY),
    ("text", "quick"): replace(TEXT, repeats=2, tolerance=0.03),
    ("text", "paper"): TEXT,
    ("controlled", "tiny"): replace(
        CONTROLLED, **TINY, coupled=(0.1, 0.5), decoupled=(4.0,), activation=(0.25,), input=(0.25,)
    ),
    ("controlled", "quick"): replace(
        CONTROLLED,
        coupled=(0.1, 0.2, 0.5),
        decoupled=(1.0, 4.0, 16.0),
        activation=(0.02, 0.25),
        input=(0.02, 0.25),
        repeats=2,
        steps=1000,
        tolerance=0.03,
    ),
    ("controlled", "paper"): CONTROLLED,
}


def shards(settings: Settings) -> list[Settings]:
    """A regularizer each."""
    s = with_trees_if_possible(settings, "boosted_trees")
    nothing = replace(s, plain=False, coupled=(), decoupled=(), activation=(), input=())
    wanted = {field: getattr(s, field) for field in REGULARIZERS}
    return [replace(nothing, **{field: value}) for field, value in wanted.items() if value]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per network, measure and order.

    `regularizer` is one of REGULARIZERS, `strength` its decay or rate. `measure` is "unbiased" or,
    by boosted trees, "released".
    """
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=25)
    tables = []
    for optimizer, cells in _cells(s).items():
        members = members_of(["regularizer", "strength"], cells, s.repeats)
        seeds = context.seeds(s.repeats) * len(cells)
        x, y = noise_data(inputs, seeds, samples=s.samples, noise=s.noise)
        ensemble = MLPEnsemble(
            (25, *[s.width] * 3, 1),
            seeds=seeds,
            dropout=[_dropout(m.regularizer, m.strength) for m in members.itertuples()],
            device=context.device,
        )
        decay = members["strength"].where(members["regularizer"].isin(DECAYS), 0.0)
        # Adam is trained on the mean squared error itself.
        decay = decay / s.loss_scale if optimizer == "adam" else decay
        what = f"training {len(members)} networks on noise with {optimizer}"
        with context.progress(s.steps, what) as advance:
            result = fit(
                ensemble,
                Samples(x[:, : s.train_samples], y[:, : s.train_samples]),
                steps=s.steps,
                optimizer=optimizer,
                weight_decay=decay,
                progress=advance,
            )
        spectra = {
            "unbiased": order_spectrum(
                ensemble,
                inputs,
                max_order=s.max_order,
                tolerance=s.tolerance,
                budget=s.budget,
                seed=member_seed(context.seed, "spectrum"),
            )
        }
        if s.boosted_trees:
            spectra["released"] = boosted_trees(ensemble, x, s.max_order)
        members["steps"] = result.steps.cpu().numpy()
        tables += [
            of_members(spectrum.to_frame(), members).assign(measure=measure)
            for measure, spectrum in spectra.items()
        ]
    return pd.concat(tables, ignore_index=True)


def _cells(s: Settings) -> dict[str, list[tuple[str, float]]]:
    """Regularizers and strengths that are trained together, by optimizer."""
    together = [("none", 0.0)] if s.plain else []
    for path in ("coupled", "activation", "input"):
        together += [(REGULARIZERS[path], strength) for strength in getattr(s, path)]
    cells = {"adam": together, "adamw": [(DECOUPLED, λ) for λ in s.decoupled]}
    return {optimizer: some for optimizer, some in cells.items() if some}


def _dropout(regularizer: str, strength: float) -> Dropout:
    placement, _, kind = regularizer.partition(" ")
    return dropout_at(placement, strength) if kind == "dropout" else Dropout()


def matched(table: pd.DataFrame) -> pd.DataFrame:
    """Shares under dropout and, at the same total variance, under weight decay.

    A row per decay, dropout, rate, repeat and order: `dropout_share`, and `decay_share` of the
    same repeat, interpolated between decays in the logarithm of the total variance. NaN where no
    decay leaves so little or so much.
    """
    mine = table[table["measure"] == "unbiased"]
    keys = ["repeat", "regularizer", "strength"]
    shares = mine.pivot_table("share", keys, "order", sort=False)
    log_total = np.log(mine.groupby(keys, sort=False)["variance"].sum().clip(lower=1e-12))
    rows = []
    for repeat, of_repeat in shares.groupby(level="repeat", sort=False):
        kinds = of_repeat.index.get_level_values("regularizer")
        for decay in (d for d in DECAYS if d in kinds):
            curve = of_repeat[kinds.isin(["none", decay])]
            curve = curve.loc[log_total[curve.index].sort_values().index]
            for place in of_repeat[kinds.str.endswith("dropout")].index:
                key = {"decay": decay, "dropout": place[1], "rate": place[2], "repeat": repeat}
                key["total"] = np.exp(log_total[place])
                for order in shares.columns:
                    decayed = np.interp(
                        log_total[place],
                        log_total[curve.index],
                        curve[order],
                        left=np.nan,
                        right=np.nan,
                    )
                    pair = {"dropout_share": of_repeat.loc[place, order], "decay_share": decayed}
                    rows.append(key | {"order": order} | pair)
    return pd.DataFrame(rows)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Shares by regularizer and strength; then dropout minus decay at the same total variance.

    Means over repeats and standard errors. The lower rows, whose measure is "dropout - decay", are
    differences of shares (see `matched`), `strength` the drop rate and `repeats` how many
    networks decay can match.
    """
    keys = ["measure", "regularizer", "strength"]
    by_order = table.pivot_table("share", [*keys, "repeat"], "order", sort=False)
    orders = list(by_order.columns)
    totals = table.groupby([*keys, "repeat"], sort=False)["variance"].sum().rename("total")
    by_order = by_order.join(totals).assign(repeats=1)
    parts = [by_order]
    if len(pairs := matched(table)):
        pairs["measure"] = "dropout - decay"
        pairs["regularizer"] = pairs["dropout"] + ", " + pairs["decay"]
        pairs["difference"] = pairs["dropout_share"] - pairs["decay_share"]
        pairs = pairs.dropna(subset="difference").rename(columns={"rate": "strength"})
        parts.append(pairs.pivot_table("difference", [*keys, "repeat"], "order", sort=False))
        parts[-1] = parts[-1].assign(repeats=1)
    groups = pd.concat(parts).groupby(level=keys, sort=False)
    out = groups.mean().assign(repeats=groups["repeats"].sum())
    out[[f"{k}_error" for k in orders]] = groups[orders].sem()
    return out.reset_index().rename_axis(columns=None)
