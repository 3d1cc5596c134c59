"""The other regularizers: penalties, fewer units, more data, and how all of them differ."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from interactions import Dropout, MLPEnsemble, OrderSpectrum, Samples, fit, selectivity
from interactions.comparison import reaches, spectrum_at

from ..running.context import Context
from .networks import Cell, errors_of, shares_of, train
from .shown import Effect, Pane, Shown, over_repeats, points

STEPS, STEP_SIZE, DECAY = 60, 0.02, 0.3
"""Of the trajectories of L7."""


def weight_decay(context: Context) -> Shown:
    """L7: one penalty in four forms; three trajectories are the same, one is not."""
    generator = torch.Generator().manual_seed(context.seed)
    x = torch.randn(50, 4, generator=generator, dtype=torch.float64)
    y = x[:, 0] * x[:, 1] + 0.1 * torch.randn(50, generator=generator, dtype=torch.float64)

    def start() -> MLPEnsemble:
        return MLPEnsemble((4, 8, 8, 1), seeds=[context.seed], dtype=torch.float64)

    def by_torch(optimizer: type[torch.optim.Optimizer], by_hand: float, decay: float) -> list:
        module = start().member(0)
        options = {"lr": STEP_SIZE, "weight_decay": decay}
        steps, passed = optimizer(module.parameters(), **options), []
        for _ in range(STEPS):
            penalty = sum(p.square().sum() for p in module.parameters())
            loss = (module(x)[:, 0] - y).square().mean() + by_hand / 2 * penalty
            steps.zero_grad()
            loss.backward()
            steps.step()
            passed.append(float(sum(p.detach().square().sum() for p in module.parameters()) ** 0.5))
        return passed

    result = fit(
        start(),
        Samples(x, y),
        steps=STEPS,
        learning_rate=STEP_SIZE,
        weight_decay=DECAY,
        snapshots=range(1, STEPS + 1),
    )
    norms = {
        "λ/2 |w|² in the loss, Adam": by_torch(torch.optim.Adam, DECAY, 0.0),
        "weight_decay of Adam": by_torch(torch.optim.Adam, 0.0, DECAY),
        "weight_decay of this package": [
            float(result.snapshots[step].norm()) for step in range(1, STEPS + 1)
        ],
        "weight_decay of AdamW": by_torch(torch.optim.AdamW, 0.0, DECAY),
        "no penalty, Adam": by_torch(torch.optim.Adam, 0.0, 0.0),
    }
    by_hand, adam, ours, adamw, _ = map(np.array, norms.values())
    lines = [
        pd.DataFrame({"series": name, "x": range(1, STEPS + 1), "y": path, "error": 0.0})
        for name, path in norms.items()
    ]
    return Shown(
        "The penalty written into the loss, Adam's weight_decay and this package's are one line: "
        "the same update. AdamW shrinks weights beside the gradient and not through it, and takes "
        "a path of its own.",
        (
            Effect(
                "largest distance of the norms, by hand and Adam's, in one",
                np.abs(by_hand - adam).max(),
                0,
            ),
            Effect(
                "largest distance of the norms, by hand and this package's",
                np.abs(by_hand - ours).max(),
                0,
            ),
            Effect(
                "largest distance of the norms, by hand and AdamW's",
                np.abs(by_hand - adamw).max(),
                1,
            ),
        ),
        (Pane("one network, one penalty", "step", "norm of the weights", pd.concat(lines)),),
    )


def sparsity(context: Context) -> Shown:
    """L8: what the L1 penalty makes of weights, beside the L2 penalty."""
    cells = [Cell("none")]
    cells += [Cell("L1", s, l1=s) for s in (0.0003, 0.001, 0.003)]
    cells += [Cell("L2", s, weight_decay=s) for s in (0.003, 0.01, 0.03)]
    table, networks = train(cells, context, steps=[600])
    rows = []
    left = table.groupby(["cell", "strength", "repeat"])["variance"].sum()
    for (name, strength, _), own in networks.items():
        weights = own.flat.detach().abs()
        near = (weights < 0.01).double().mean(dim=1)
        for repeat, part in enumerate(near.tolist()):
            rest = left[name, strength, repeat] / left["none", 0.0, repeat]
            row = {"cell": name, "strength": strength, "repeat": repeat}
            rows.append(row | {"part": part, "left": rest})
    rows = pd.DataFrame(rows)
    groups = rows.groupby(["cell", "strength"])
    drawn = groups["part"].agg(["mean", "sem"]).join(groups["left"].mean()).reset_index()
    plain = drawn[drawn["cell"] == "none"]
    lines = [
        pd.concat([plain, drawn[drawn["cell"] == name]]).assign(series=name)
        for name in ("L1", "L2")
    ]
    shown = pd.concat(lines).rename(columns={"left": "x", "mean": "y", "sem": "error"})
    strongest = rows.pivot_table(
        "part", rows.groupby(["cell", "strength"]).cumcount(), ["cell", "strength"]
    )
    return Shown(
        "The stronger the L1 penalty, the more weights lie within .01 of 0. Where both leave the "
        "same variance, the L2 penalty puts far fewer of them there.",
        (
            over_repeats(
                "part of weights within .01 of 0, L1 of .003 less none",
                strongest["L1", 0.003] - strongest["none", 0.0],
                1,
            ),
            over_repeats(
                "the same, L1 of .003 less L2 of .03",
                strongest["L1", 0.003] - strongest["L2", 0.03],
                1,
            ),
        ),
        (
            Pane(
                "sparsity",
                "variance left, of that without a penalty",
                "part of weights within .01 of 0",
                shown[["series", "x", "y", "error"]],
            ),
        ),
    )


def capacity(context: Context) -> Shown:
    """L10: fewer units and fewer layers."""
    widths, depths = (2, 4, 8, 16, 32), (1, 2, 3)
    cells = [Cell("width", w, hidden=(w,) * 3) for w in widths]
    cells += [Cell("depth", d, hidden=(32,) * d) for d in depths]
    table, _ = train(cells, context, steps=[600])
    shares = shares_of(table)
    high = shares[shares["order"].isin(["3", "4"])].pivot_table(
        "share", "repeat", ["cell", "strength"], aggfunc="sum"
    )
    errors = errors_of(table).pivot_table("error", "repeat", ["cell", "strength"])
    return Shown(
        "Narrow networks learn orders 1 and 2 and have no room for orders 3 and 4. One layer of 32 "
        "units has fewer high orders, too, than three.",
        (
            over_repeats(
                "share of orders 3 and 4, width 2 less width 32",
                high["width", 2.0] - high["width", 32.0],
                -1,
            ),
            over_repeats(
                "test error, width 2 less width 32",
                errors["width", 2.0] - errors["width", 32.0],
                1,
            ),
        ),
        tuple(
            Pane(
                title,
                xlabel,
                "share of variance",
                points(shares[shares["cell"] == name], "series", "strength", "share"),
            )
            for name, title, xlabel in (
                ("width", "three hidden layers", "units of a layer"),
                ("depth", "32 units in a layer", "hidden layers"),
            )
        ),
    )


def more_data(context: Context) -> Shown:
    """L11: more samples."""
    sizes = (100, 300, 1000, 3000)
    cells = [Cell("samples", size, samples=size) for size in sizes]
    table, _ = train(cells, context, steps=[600])
    shares, errors = shares_of(table), errors_of(table).assign(series="test error")
    by_size = errors.pivot_table("error", "repeat", "strength")
    by_order = shares.pivot_table("share", "repeat", ["order", "strength"])

    def of(order: str, size: int) -> pd.Series:
        return by_order[order, size]

    return Shown(
        "The more samples, the smaller the error on points that were not seen, and the more of "
        "order 4 is found. Orders above 4, of which the truth has none, are noise that was "
        "learned: from 300 samples on they go.",
        (
            over_repeats("test error, 3,000 less 100 samples", by_size[3000] - by_size[100], -1),
            over_repeats("share of order 4, the same", of("4", 3000) - of("4", 100), 1),
            over_repeats(
                "share of orders above 4, 3,000 less 300", of(">4", 3000) - of(">4", 300), -1
            ),
        ),
        (
            Pane(
                "error",
                "training samples",
                "mean squared error",
                points(errors, "series", "strength", "error"),
            ),
            Pane(
                "what is learned",
                "training samples",
                "share of variance",
                points(shares, "series", "strength", "share"),
            ),
        ),
    )


PATHS = {
    "weight decay": [Cell("weight decay", s, weight_decay=s) for s in (0.03, 0.06, 0.12)],
    "dropout of hidden units": [
        Cell("dropout of hidden units", r, dropout=Dropout(hidden=r)) for r in (0.125, 0.25, 0.5)
    ],
    "dropout of inputs": [
        Cell("dropout of inputs", r, dropout=Dropout(inputs=r)) for r in (0.0625, 0.125, 0.25)
    ],
}
"""Regularizers of growing strength, to under half of the variance."""


def differences(context: Context) -> Shown:
    """L12: how regularizers differ, at half of the total variance."""
    cells = [Cell("none"), *(cell for path in PATHS.values() for cell in path)]
    table, _ = train(cells, context, steps=[1500])
    found: dict[str, list[float]] = {name: [] for name in PATHS}
    rows = []
    for repeat, own in table.groupby("repeat"):
        by_cell = {
            key: rows["variance"].to_numpy() for key, rows in own.groupby(["cell", "strength"])
        }
        plain = _exact(by_cell["none", 0.0])
        for name, path in PATHS.items():
            spectra = [plain, *(_exact(by_cell[name, cell.strength]) for cell in path)]
            at_half = spectrum_at(spectra, reaches(spectra, 0.5))
            slope = selectivity(at_half, plain, orders=(1, 2, 3, 4))
            found[name].append(float(slope.slope))
            rows += [
                {"series": name, "order": str(k), "repeat": repeat, "y": ratio}
                for k, ratio in enumerate(slope.log_ratio[:4], start=1)
            ]
    gap = np.subtract(found["weight decay"], found["dropout of hidden units"])
    return Shown(
        "All take half of the variance, but not the same half: a level line only shrinks, a "
        "falling one acts on order. Weight decay falls most steeply here, so dropout is not the "
        "regularizer that does most against interactions.",
        (
            *(over_repeats(f"selectivity of {name}", values, -1) for name, values in found.items()),
            over_repeats("selectivity, weight decay less dropout of hidden units", gap, -1),
        ),
        (
            Pane(
                "at half of the total variance",
                "order k",
                "log of V_k with over V_k without",
                points(pd.DataFrame(rows), "series", "order", "y"),
            ),
        ),
    )


def _exact(variance: np.ndarray) -> OrderSpectrum:
    return OrderSpectrum.known(variance, method="exact")
