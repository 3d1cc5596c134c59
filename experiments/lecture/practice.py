"""Dropout in practice: training and prediction, a rate per layer, a classifier, when to stop."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import torch
from sklearn.datasets import load_digits

from interactions import Dropout, Empirical, MLPEnsemble, Samples, fit, order_spectrum
from interactions.dropout import KINDS
from interactions.networks import member_seed
from interactions.networks.subnetworks import random_masks

from ..questions.digits import CentredLogits
from ..running.context import Context
from ..tasks import summed
from .networks import INPUTS, Cell, errors_of, planted_of, train
from .shown import Pane, Shown, over_repeats, points


def two_kinds(context: Context) -> Shown:
    """L2: classic and inverted dropout of eight units, in training and at prediction."""
    passes, batches, rate = 4000, 20, 0.5
    values = torch.arange(1.0, 9.0)
    names = [str(i) for i in range(1, 9)]
    panes, means, slopes, at_test = [], {}, {}, {}
    with torch.random.fork_rng():
        torch.manual_seed(member_seed(context.seed, "masks by eye"))
        for kind, of in KINDS.items():
            layer = of.module(rate)
            weights = torch.ones(8, requires_grad=True)
            passed = layer.train()(values.expand(passes, 8))
            # The answer is the sum of the units, weighted: its slopes in the weights.
            answers = (passed * weights).sum(dim=1).unflatten(0, (batches, -1)).mean(dim=1)
            own = [torch.autograd.grad(a, weights, retain_graph=True)[0].sum() for a in answers]
            slopes[kind] = torch.stack(own).numpy()
            means[kind] = answers.detach().numpy()
            predicted = layer.eval()(values)
            at_test[kind] = float(predicted.sum())
            lines = {
                "one pass in training": (passed[0], torch.zeros(8)),
                f"mean of {passes:,} passes": (
                    passed.mean(dim=0),
                    passed.std(dim=0) / math.sqrt(passes),
                ),
                "at prediction": (predicted, torch.zeros(8)),
                "not dropped": (values, torch.zeros(8)),
            }
            shown = [
                pd.DataFrame({"series": s, "x": names, "y": y.numpy(), "error": e.numpy()})
                for s, (y, e) in lines.items()
            ]
            panes.append(Pane(f"{kind} dropout, r = .5", "unit", "value", pd.concat(shown)))
    plain = float(values.sum())
    return Shown(
        "In one pass about half of the units are 0; inverted dropout doubles the others, classic "
        "dropout leaves them as they are, and halves all of them at prediction. So the mean over "
        "passes is what is predicted, of both kinds; gradients by the weights are not the same.",
        (
            over_repeats(
                "inverted: mean answer in training over prediction, less 1",
                means["inverted"] / at_test["inverted"] - 1,
                0,
            ),
            over_repeats(
                "classic: mean answer in training over prediction, less 1",
                means["classic"] / at_test["classic"] - 1,
                0,
            ),
            over_repeats(
                "classic: mean answer in training over prediction without scaling, less 1",
                means["classic"] / plain - 1,
                -1,
            ),
            over_repeats(
                "gradient by the weights, classic over inverted, less 1",
                slopes["classic"] / slopes["inverted"] - 1,
                -1,
            ),
        ),
        tuple(panes),
    )


def rate_per_layer(context: Context) -> Shown:
    """L3: rates in proportion to the layers' widths, beside one rate for all."""
    hidden = (64, 32, 16)
    rates = {
        "the same in all": Dropout(hidden=0.5),
        "in proportion to width": Dropout(hidden=tuple(0.5 * w / max(hidden) for w in hidden)),
    }
    cells = [Cell("none", hidden=hidden)]
    cells += [Cell(name, hidden=hidden, dropout=dropout) for name, dropout in rates.items()]
    table, networks = train(cells, context, steps=[300])
    generator = torch.Generator().manual_seed(member_seed(context.seed, "masks"))
    rows = []
    for name in rates:
        masks = random_masks(networks[name, 0.0, 300], 500, generator=generator).float()
        for layer, kept in enumerate(masks.split(hidden, dim=2), start=1):
            parts = 1 - kept.mean(dim=(1, 2))
            rows += [
                {"series": name, "x": f"layer {layer} ({hidden[layer - 1]})", "y": float(part)}
                for part in parts
            ]
    dropped = points(pd.DataFrame(rows), "series", "x", "y")
    left = table.groupby(["cell", "repeat"])["variance"].sum().unstack("cell")
    ratio = np.log(left["in proportion to width"] / left["the same in all"])
    share = left.div(left["none"], axis=0)[list(rates)]
    share = share.melt(ignore_index=False, var_name="cell", value_name="y").reset_index()
    shown = points(share.assign(series="variance left"), "series", "cell", "y")
    last = [row["y"] for row in rows if row["x"].startswith("layer 3")]
    half = len(last) // 2
    return Shown(
        "Rates in proportion to width drop half of the wide first layer and an eighth of the "
        "narrow last one. Narrow layers are spared, and more of what networks learn is left than "
        "at one rate for all.",
        (
            over_repeats(
                "part dropped of layer 3, the same in all less in proportion",
                np.subtract(last[:half], last[half:]),
                1,
            ),
            over_repeats("log of the variance left, in proportion over the same in all", ratio, 1),
        ),
        (
            Pane("units dropped in training", "hidden layer (units)", "part", dropped),
            Pane("variance left", "rates", "of that without dropout", shown),
        ),
    )


def digits(context: Context) -> Shown:
    """L4: a classifier of small digits with two hidden layers, without dropout and with half."""
    repeats, epochs, batch = 10, 40, 64
    images, labels = load_digits(return_X_y=True)
    x, y = torch.as_tensor(images / 16, dtype=torch.float32), torch.as_tensor(labels).long()
    variants = {"no dropout": Dropout(), "50% of the units": Dropout(hidden=0.5)}
    orders = [
        torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
        for seed in context.seeds(repeats)
    ]
    mine = torch.stack([order[:600] for order in orders]).repeat(len(variants), 1)
    held_out = torch.stack([order[600:] for order in orders]).repeat(len(variants), 1)
    ensemble = MLPEnsemble(
        (64, 64, 32, 10),
        seeds=context.seeds(repeats) * len(variants),
        dropout=[dropout for dropout in variants.values() for _ in range(repeats)],
        device=context.device,
    )
    epoch = math.ceil(mine.shape[1] / batch)
    looks = range(epoch, (epochs + 1) * epoch, epoch)
    with context.progress(epochs * epoch, "training on digits") as advance:
        kept = fit(
            ensemble,
            Samples(x[mine], y[mine], batch_size=batch),
            steps=epochs * epoch,
            loss="cross_entropy",
            learning_rate=3e-3,
            snapshots=looks,
            progress=advance,
        ).snapshots
    rows = []
    for i, step in enumerate(looks, start=1):
        then = ensemble.with_parameters(kept[step])
        with torch.no_grad():
            logits = then.outputs(x.to(then.flat)).cpu()
        wrong = (logits.argmax(dim=-1) != y).double()
        for part, which in (("training", mine), ("test", held_out)):
            for member, name in enumerate(n for n in variants for _ in range(repeats)):
                error = float(wrong[member, which[member]].mean())
                row = {"variant": name, "part": part, "repeat": member % repeats}
                rows.append(row | {"series": f"{name}, {part}", "x": i, "y": error})
    spectrum = summed(
        order_spectrum(
            CentredLogits(ensemble),
            Empirical(x),
            max_order=2,
            method="kernel",
            tolerance=0.1,
            budget=2**16,
            seed=context.seed,
        ),
        10,
    )
    names = pd.Series([name for name in variants for _ in range(repeats)], name="variant")
    spectrum = spectrum.join(names, on="output")
    spectrum["series"] = "order " + spectrum["order"].astype(str)
    curves = pd.DataFrame(rows)
    ends = curves[curves["x"] == epochs].pivot_table("y", "repeat", ["variant", "part"])
    gap = ends.xs("test", axis=1, level="part") - ends.xs("training", axis=1, level="part")
    apart = gap["no dropout"] - gap["50% of the units"]
    total = spectrum.groupby(["variant", "output"])["variance"].sum()
    plain, half = (np.log(total[name].to_numpy()) for name in variants)
    first = spectrum[spectrum["order"].astype(str) == "1"].groupby("variant")["share"]
    shares = [first.get_group(name).to_numpy() for name in variants]
    return Shown(
        "Without dropout the error on training images falls well below that on test images; with "
        "half of the units dropped the two stay closer together. The logits vary far less under "
        "dropout, and main effects are a smaller share of them.",
        (
            over_repeats("test less training error, none less half", apart, 1),
            over_repeats("log of the logits' variance, half over none", half - plain, -1),
            over_repeats("share of order 1 in logits, half less none", shares[1] - shares[0], -1),
        ),
        (
            Pane(
                "wrong answers",
                "epoch",
                "part of the images",
                points(curves, "series", "x", "y"),
            ),
            Pane(
                "the logits, by order among pixels",
                "",
                "share of variance",
                points(spectrum, "series", "variant", "share"),
            ),
        ),
    )


def early_stopping(context: Context) -> Shown:
    """L9: where validation stops, and what the test set, used once, says of it."""
    looks = tuple(range(20, 1001, 20))
    few = Cell("networks", samples=300)
    table, networks = train([few], context, steps=looks, repeats=10, noise=1.0)
    errors = errors_of(table)
    held_out = _validation(context, repeats=10)
    rows, stopped = [], {}
    for repeat, validation in enumerate(held_out):
        losses = []
        for step in looks:
            own = networks["networks", 0.0, step].select([repeat])
            with torch.no_grad():
                losses.append(float((own(validation.x)[:, 0] - validation.y).square().mean()))
        stopped[repeat] = looks[int(np.argmin(losses))]
        rows += [
            {"series": "validation, with its noise", "steps": step, "y": loss, "repeat": repeat}
            for step, loss in zip(looks, losses, strict=True)
        ]
    by_step = errors.pivot_table("error", "repeat", "steps")
    at_stop = pd.Series({repeat: by_step.loc[repeat, step] for repeat, step in stopped.items()})
    test = errors.rename(columns={"error": "y"}).assign(series="test, without noise")
    lines = pd.concat([pd.DataFrame(rows), test[["series", "steps", "y", "repeat"]]])
    middle = float(np.median(list(stopped.values())))
    return Shown(
        "Validation error falls, and rises again while networks learn the noise of their few "
        "samples; where it is least, training stops. The test error there is below that at the "
        "end, and the test set had no part in choosing.",
        (
            over_repeats(
                "test error where stopped, less that at the end", at_stop - by_step[1000], -1
            ),
        ),
        (
            Pane(
                "300 samples, much noise",
                "steps of training",
                "mean squared error",
                points(lines, "series", "steps", "y"),
                marks=((middle, "stopped (median)"),),
            ),
        ),
    )


def _validation(context: Context, *, repeats: int) -> list[Samples]:
    """Fresh points of every repeat's own target, under the same noise as its training set."""
    found = []
    for target, seed in zip(planted_of(context, repeats), context.seeds(repeats), strict=True):
        generator = torch.Generator().manual_seed(member_seed(seed, "validation"))
        x = INPUTS.sample(300, generator=generator, dtype=torch.float32)
        found.append(Samples(x, target(x) + torch.randn(300, generator=generator)))
    return found
