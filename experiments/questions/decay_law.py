"""How much of an order-k effect does a network trained with input dropout keep?

Networks learn pure products of k inputs on U(-1,1)^5, and products of sin(2.5 x), from fresh
samples under input dropout. Measured at test time: the amplitude <g, F> / <F, F> and the root
of the variance ratio at order k. The law (1-r)^k is the amplitude for products; for other
functions the prediction is the dilation x -> F((1-r) x), which differs.

Rows whose mask hides a part of the effect are told noise, and in it the law's small values drown.
So masks are drawn by importance, and rows are told the target's mean given what their mask shows
(`interactions.networks.masked_stream`): both leave the expected gradient of dropout as it is, and
the table says which were used. Amplitude over (1-r)^k, ± a standard error over 5 networks, at
equal cost (4 CPU seconds a network; batches of 2048 without expected targets, else of 512):

                                 order 3, r = .5   order 3, r = .625
    dropout as usual             1.27 ± .02        2.69 ± .14
    masks by importance alone    1.29 ± .06        2.73 ± .10
    expected targets alone       1.00 ± .00         .97 ± .03

At order 4, r = .5, dropout as usual leaves 3.09 ± .11, expected targets alone .94 ± .06. So
importance alone gains nothing, and beside expected targets no gain of it was resolved.
Dropout as usual does not settle: 4000 steps of 2048 (3 networks) leave .84 ± .01 and .40 ± .06,
16,000 steps of 512, at three times the cost, .81 ± .01 and .10 ± .01 (2 networks).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from interactions import Dropout, MaskedStream, MLPEnsemble, Uniform, fit, order_spectrum
from interactions.planted import Product, sine
from interactions.theory import amplitude, best_predictor, dilated, survival

from ..running.context import Context
from ..tasks import amplitudes, answers, even_points

QUESTION = "How much of an order-k effect does a network trained with input dropout keep?"
FREQUENCY = 2.5


@dataclass(frozen=True)
class Settings:
    """`products` and `sines` are the orders of the planted products of x and of sin(2.5 x).

    `by_importance` and `expected_targets` say how training is spared noise; without both it is
    dropout as usual.
    """

    products: tuple[int, ...] = field(default=(1, 2, 3), metadata={"empty": True})
    sines: tuple[int, ...] = field(default=(1,), metadata={"empty": True})
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.5)
    repeats: int = 5
    dim: int = 5
    width: int = 64
    depth: int = 2
    batch_size: int = 512
    steps: int = 3000
    by_importance: bool = True
    expected_targets: bool = True
    learning_rate: float = 5e-3
    test_points: int = 2**16

    def __post_init__(self) -> None:
        if not 1 <= max(self.products + self.sines, default=0) <= self.dim:
            raise ValueError(f"orders must lie between 1 and the number of inputs, {self.dim}")


PRESETS = {
    ("controlled", "tiny"): Settings(
        products=(1, 2),
        rates=(0.0, 0.25),
        repeats=2,
        dim=3,
        width=16,
        batch_size=16,
        steps=5,
        test_points=2**12,
    ),
    ("controlled", "quick"): Settings(),
    ("controlled", "paper"): Settings(
        products=(1, 2, 3, 4),
        sines=(1, 2),
        rates=(0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75),
        steps=5500,
    ),
}


def shards(settings: Settings) -> list[Settings]:
    """A target each."""
    products = [replace(settings, products=(k,), sines=()) for k in settings.products]
    return products + [replace(settings, products=(), sines=(k,)) for k in settings.sines]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per target, rate and repeat, with the law and the dilation prediction.

    `masks` ("by importance" or "as drawn") and `targets` ("expected" or "as drawn") say how the
    networks were trained.
    """
    s = settings
    inputs = Uniform(-1.0, 1.0, dim=s.dim)
    targets = [("product", k, Product(tuple(range(k)), scale=3 ** (k / 2))) for k in s.products]
    targets += [
        (f"sin({FREQUENCY} x)", k, Product(tuple(range(k)), scale=2.0, factor=sine(FREQUENCY)))
        for k in s.sines
    ]
    rows = []
    with context.progress(len(targets) * s.steps, "training under input dropout") as advance:
        for kind, order, target in targets:
            members = [(r, i) for r in s.rates for i in range(s.repeats)]
            ensemble = MLPEnsemble(
                (s.dim, *[s.width] * s.depth, 1),
                seeds=context.seeds(s.repeats) * len(s.rates),
                dropout=[Dropout(inputs=r) for r, _ in members],
                device=context.device,
            )
            fit(
                ensemble,
                MaskedStream(
                    inputs,
                    _expected(target, inputs) if s.expected_targets else _drawn(target),
                    s.batch_size,
                    by_importance=s.by_importance,
                ),
                steps=s.steps,
                learning_rate=s.learning_rate,
                schedule="cosine",
                progress=advance,
            )
            held = _amplitudes(ensemble, target, inputs, s.test_points, context)
            spectrum = order_spectrum(
                ensemble, inputs, max_order=order, method="exact", budget=2**19
            )
            truth = target.spectrum(inputs, order).variance[order - 1]
            roots = np.sqrt(np.maximum(spectrum.variance[:, order - 1], 0) / truth)
            for (rate, repeat), a, root in zip(members, held, roots, strict=True):
                rows.append(
                    {
                        "target": kind,
                        "order": order,
                        "rate": rate,
                        "repeat": repeat,
                        "amplitude": a,
                        "root_variance_ratio": root,
                        "law": survival(rate, order),
                        "dilation": amplitude(dilated(target, rate), target, inputs),
                        "masks": "by importance" if s.by_importance else "as drawn",
                        "targets": "expected" if s.expected_targets else "as drawn",
                    }
                )
    return pd.DataFrame(rows)


def _expected(target: Product, inputs: Uniform) -> Callable[[Tensor, Tensor], Tensor]:
    """What a masked point is to answer: the target's mean over the inputs that it hides."""
    # At rate 0 kept inputs are as they were, and those at zero tell nothing.
    mean = best_predictor(target, 0.0, inputs)
    return lambda x, kept: mean(x * kept)


def _drawn(target: Product) -> Callable[[Tensor, Tensor], Tensor]:
    """What it is to answer under dropout as usual: the target at the whole point."""
    return lambda x, kept: target(x)


def _amplitudes(
    ensemble: MLPEnsemble, target: Product, inputs: Uniform, points: int, context: Context
) -> np.ndarray:
    """How much of the target every member holds.

    All are measured at the same points, so what these get wrong would not show in their spread.
    """
    x = even_points(inputs, points, seed=context.seed).to(context.device, torch.float32)
    g = answers(ensemble, x, chunk=2**13).double()
    return amplitudes(g - g.mean(dim=0), target(x.double())).cpu().numpy()


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Mean over repeats and its standard error, for every target, order and rate."""
    groups = table.groupby(["target", "order", "rate"], sort=False)
    out = groups[["law", "dilation", "amplitude", "root_variance_ratio"]].mean()
    out["standard_error"] = groups["amplitude"].sem()
    return out.reset_index()
