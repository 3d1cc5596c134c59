"""Which law does each use of (1-r)^k follow?

The paper argues with one formula in several senses. Here each sense is measured on planted
effects of order k, beside its own exact law (`interactions.theory`, interactions/LAWS.md):

    masked      the function averaged over masks; what leaks to lower orders
    resampled   dropped inputs redrawn: the noise operator
    trained     networks trained with input dropout: the dilation F((1-r) x)
    fitted      least squares on the products of dropped-out inputs
    gradients   gradient and curvature along the effect at zero, classic and inverted
    units       the last layers of a trained network, masked in their units

and at one rate the first four on cases where they differ. What is left of an effect F in g is
the amplitude <g, F> / <F, F>, both centred.

Longer than other questions, for every sense has its law and its own way of being measured here.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from interactions import Dropout, Inputs, MLPEnsemble, Rademacher, Stream, Uniform, fit
from interactions.planted import Factor, Planted, Product, covariance, expectation, pure, sine
from interactions.theory import (
    Masked,
    amplitude,
    curvature,
    dilated,
    gradient_at_zero,
    masked,
    product_fit,
    resampled,
    survival,
)

from ..running.context import Context
from ..tasks import amplitudes, even_points

QUESTION = "Which law does each use of (1-r)^k follow: masking, noise, training, fits, gradients?"
SQUARE = Factor(lambda x: x**2)
WAVE = sine(2.5)
UNITS = 4
SINE = "sin 2.5$x$ on U(-1, 1)"


@dataclass(frozen=True)
class Settings:
    """Every sense is measured on products of `orders` inputs, at `rates`.

    Networks, which take longest, are trained at `trained_rates` alone. With `others`, so are
    networks that learn a sine; the units of a layer are masked at `rates`; and the first four
    senses are compared on `cases` at `case_rate`.
    """

    orders: tuple[int, ...] = field(
        default=(1, 2, 3, 4), metadata={"range": "[1, 5]", "empty": True}
    )
    rates: tuple[float, ...] = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
    trained_rates: tuple[float, ...] = (0.25, 0.5)
    case_rate: float = 0.5
    others: bool = True
    repeats: int = 3
    samples: int = 2**16
    width: int = 64
    depth: int = 2
    batch_size: int = 1024
    steps: int = 2000
    learning_rate: float = 5e-3

    def __post_init__(self) -> None:
        if not set(self.trained_rates) <= set(self.rates):
            raise ValueError("trained_rates must be among the rates")


PRESETS = {
    ("controlled", "tiny"): Settings(
        orders=(1, 2),
        rates=(0.0, 0.5),
        trained_rates=(0.5,),
        repeats=2,
        samples=256,
        steps=5,
        batch_size=16,
    ),
    ("controlled", "quick"): Settings(),
    ("controlled", "paper"): Settings(
        orders=(1, 2, 3, 4, 5),
        repeats=5,
        samples=2**20,
        batch_size=2048,
        steps=4000,
    ),
}


def cases() -> dict[str, tuple[int, Planted, Inputs]]:
    """Order, function and inputs: the senses agree on the first, and part on others."""
    centred, shifted = Uniform(-1.0, 1.0, dim=2), Uniform(-0.5, 1.5, dim=2)
    pair = Product((0, 1), scale=3.0)
    return {
        "$x_1 x_2$ on U(-1, 1)": (2, pair, centred),
        "$x_1 x_2$ on U(-½, 1½)": (2, pair, shifted),
        "$(x_1 - ½)(x_2 - ½)$ on U(-½, 1½)": (2, pure(pair, shifted), shifted),
        SINE: (1, Product((0,), factor=WAVE, scale=1.3), centred),
        "sin 2.5$x_1$ sin 2.5$x_2$ on U(-1, 1)": (2, Product((0, 1), 1.7, WAVE), centred),
        "$x^2 - ⅓$ on U(-1, 1)": (1, pure(Product((0,), 3.4, SQUARE), centred), centred),
        "$x_1 x_2 x_3$ on ±1": (3, Product((0, 1, 2)), Rademacher(dim=3)),
    }


def shards(settings: Settings) -> list[Settings]:
    """An order each, and the others."""
    orders = [replace(settings, orders=(k,), others=False) for k in settings.orders]
    return orders + ([replace(settings, orders=())] if settings.others else [])


KEYS = ["part", "sense", "quantity", "order", "rate"]
Row = dict[str, object]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per sense, quantity, order, rate and repeat: the law, and what was measured.

    `part` is "laws" or "cases"; `quantity` says what of the sense is meant, or which case.
    `measured` is empty where a law is drawn without a measurement.
    """
    s = settings
    draws = [_Draws(s.samples, seed) for seed in context.seeds(s.repeats)]
    # The networks of the sine may be those of its case.
    others = 1 + len(cases()) - (s.case_rate in s.trained_rates) if s.others else 0
    steps = (len(s.orders) + others) * s.steps
    rows: list[Row] = []
    with context.progress(steps, "training under input dropout") as advance:
        train = partial(_trained, s=s, context=context, advance=advance)
        for order in s.orders:
            rows += _of_products(order, s, draws, train)
        if s.others:
            rows += _of_others(s, draws, train)
    if s.others:
        for order, rate, law, values in _unit_laws(s, context, draws):
            rows += _rows("laws", "units", "units of a layer", order, rate, law, values)
    return pd.DataFrame(rows)


def _rows(
    part: str, sense: str, quantity: str, order: int, rate: float, law: float, measured: list[float]
) -> Iterator[Row]:
    """A row per repeat, of what was measured beside its law."""
    cell = dict(zip(KEYS, (part, sense, quantity, order, rate), strict=True))
    cell |= {"survival": survival(rate, order), "law": law}
    for repeat, value in enumerate(measured):
        yield {**cell, "repeat": repeat, "measured": float(value)}


Train = Callable[[Planted, Inputs, tuple[float, ...]], dict[float, list[float]]]
"""Maps a target, inputs and rates to the amplitudes that networks keep, by rate."""


def _of_products(order: int, s: Settings, draws: list[_Draws], train: Train) -> Iterator[Row]:
    inputs = Uniform(-1.0, 1.0, dim=order)
    product = Product(tuple(range(order)), scale=3 ** (order / 2))
    for sense, quantity, law, measure in _senses(product, inputs):
        for rate in s.rates:
            values = [measure(d, rate) for d in draws]
            yield from _rows("laws", sense, quantity, order, rate, law(rate), values)
    kept = train(product, inputs, s.trained_rates)
    for rate in s.rates:
        law = amplitude(dilated(product, rate), product, inputs)
        values = kept.get(rate, [math.nan])
        yield from _rows("laws", "trained", "products of x", order, rate, law, values)


def _of_others(s: Settings, draws: list[_Draws], train: Train) -> Iterator[Row]:
    """Networks that learn a sine, then the first four senses on every case."""
    wave, inputs = Product((0,), 1.3, WAVE), Uniform(-1.0, 1.0, dim=1)
    of_sine = train(wave, inputs, s.trained_rates)
    for rate in s.rates:
        law = amplitude(dilated(wave, rate), wave, inputs)
        values = of_sine.get(rate, [math.nan])
        yield from _rows("laws", "trained", "sin 2.5x", 1, rate, law, values)
    r = s.case_rate
    for name, (order, target, inputs) in cases().items():
        for sense, law, measure in (
            ("masked", masked(target, r), _Draws.masked),
            ("resampled", resampled(target, r, inputs), _Draws.resampled),
            ("fitted", product_fit(target, r, inputs), _Draws.fitted),
        ):
            values = [measure(d, target, inputs, r) for d in draws]
            of_law = amplitude(law, target, inputs)
            yield from _rows("cases", sense, name, order, r, of_law, values)
        # On ±1 inputs (1-r) x is no training input, and no law says what networks answer.
        unknown = isinstance(inputs, Rademacher)
        law = math.nan if unknown else amplitude(dilated(target, r), target, inputs)
        known = of_sine.get(r) if name == SINE else None
        values = known or train(target, inputs, (r,))[r]
        yield from _rows("cases", "trained", name, order, r, law, values)


Sense = tuple[str, str, Callable[[float], float], Callable[["_Draws", float], float]]


def _senses(product: Product, inputs: Uniform) -> Iterable[Sense]:
    """Sense, quantity, law and measurement, both by rate, of all but networks."""
    order = inputs.dim
    even = pure(Product(product.features, factor=SQUARE), inputs)
    signs, shifted = Rademacher(dim=order), Uniform(-0.5, 1.5, dim=order)
    centred = pure(product, shifted)

    def spread(rate: float) -> float:
        after = masked(even, rate)
        return math.sqrt(covariance(after, after, inputs) / covariance(even, even, inputs))

    yield (
        "masked",
        "products of x",
        lambda r: amplitude(masked(product, r), product, inputs),
        lambda d, r: d.masked(product, inputs, r),
    )
    yield "masked", "whole variance, x² - ⅓", spread, lambda d, r: d.spread(even, inputs, r)
    yield (
        "resampled",
        "products of x² - ⅓",
        lambda r: amplitude(resampled(even, r, inputs), even, inputs),
        lambda d, r: d.resampled(even, inputs, r),
    )
    yield (
        "fitted",
        "±1 inputs",
        lambda r: amplitude(product_fit(product, r, signs), product, signs),
        lambda d, r: d.fitted(product, signs, r),
    )
    yield (
        "fitted",
        "inputs with a mean",
        lambda r: amplitude(product_fit(centred, r, shifted), centred, shifted),
        lambda d, r: d.fitted(centred, shifted, r),
    )
    for kind in ("classic", "inverted"):
        yield (
            "gradients",
            f"{kind} gradient",
            lambda r, kind=kind: -gradient_at_zero(product, product, inputs, r, kind=kind),
            lambda d, r, kind=kind: d.gradient(product, inputs, r, kind),
        )
        yield (
            "gradients",
            f"{kind} curvature",
            lambda r, kind=kind: curvature(product, inputs, r, kind=kind),
            lambda d, r, kind=kind: d.curvature(product, inputs, r, kind),
        )


@dataclass(frozen=True)
class _Draws:
    """Measurements from points and masks drawn anew from one seed each time."""

    samples: int
    seed: int

    def points(self, inputs: Inputs, rate: float) -> tuple[Tensor, Tensor, torch.Generator]:
        """Points, masks (1 where kept), and the generator to draw more from."""
        generator = torch.Generator().manual_seed(self.seed)
        x = inputs.sample(self.samples, generator=generator)
        return x, keep(x, rate, generator), generator

    def masked(self, f: Planted, inputs: Inputs, rate: float) -> float:
        x, kept, _ = self.points(inputs, rate)
        return _amplitude(f(x * kept), f(x), f, inputs)

    def spread(self, f: Planted, inputs: Inputs, rate: float) -> float:
        """Root of the variance left, from two masks of each point."""
        x, kept, generator = self.points(inputs, rate)
        one, other = f(x * kept), f(x * keep(x, rate, generator))
        left = ((one - one.mean()) * (other - other.mean())).mean().item()
        return math.sqrt(max(left, 0.0) / covariance(f, f, inputs))

    def resampled(self, f: Planted, inputs: Inputs, rate: float) -> float:
        x, kept, generator = self.points(inputs, rate)
        fresh = inputs.sample(self.samples, generator=generator)
        return _amplitude(f(torch.where(kept > 0, x, fresh)), f(x), f, inputs)

    def fitted(self, f: Planted, inputs: Inputs, rate: float) -> float:
        x, kept, _ = self.points(inputs, rate)
        seen, wanted = _products(x * kept / (1 - rate)), f(x)[:, None]
        # Not lstsq, whose rounding differs from process to process.
        weights = torch.linalg.solve(seen.T @ seen, seen.T @ wanted)
        return _amplitude((_products(x) @ weights)[:, 0], f(x), f, inputs)

    def gradient(self, f: Planted, inputs: Inputs, rate: float, kind: str) -> float:
        x, kept, _ = self.points(inputs, rate)
        return (f(x) * f(_as_trained(x, kept, rate, kind))).mean().item()

    def curvature(self, f: Planted, inputs: Inputs, rate: float, kind: str) -> float:
        x, kept, _ = self.points(inputs, rate)
        return f(_as_trained(x, kept, rate, kind)).square().mean().item()

    def masks(self, masks: Tensor, rate: float) -> Tensor:
        """How often each of the masks [m, d] is drawn, as shares [m]."""
        generator = torch.Generator().manual_seed(self.seed)
        kept = keep(masks.new_empty(self.samples, masks.shape[1]), rate, generator)
        which = (kept[:, None] == masks).all(dim=2).double()
        return which.mean(dim=0)


def keep(x: Tensor, rate: float, generator: torch.Generator) -> Tensor:
    """1 where kept, 0 where dropped, of the shape of x."""
    u = torch.rand(x.shape, generator=generator, dtype=x.dtype, device=x.device)
    return (u >= rate).to(x.dtype)


def _as_trained(x: Tensor, kept: Tensor, rate: float, kind: str) -> Tensor:
    return x * kept / (1 - rate) if kind == "inverted" else x * kept


def _amplitude(g: Tensor, f: Tensor, target: Planted, inputs: Inputs) -> float:
    """<g, F> / <F, F> from values at random points; mean and variance of F are known."""
    centred = f - expectation(target, inputs)
    return (g @ centred).item() / len(f) / covariance(target, target, inputs)


def _products(x: Tensor) -> Tensor:
    """All products of the columns, [n, 2^d], the constant first."""
    columns = range(x.shape[1])
    subsets = itertools.chain.from_iterable(
        itertools.combinations(columns, k) for k in range(x.shape[1] + 1)
    )
    return torch.stack([x[:, list(u)].prod(dim=1) for u in subsets], dim=1)


def _trained(
    target: Planted,
    inputs: Inputs,
    rates: tuple[float, ...],
    *,
    s: Settings,
    context: Context,
    advance: Callable[[int], None],
) -> dict[float, list[float]]:
    """By rate: the target's amplitude in every network trained with input dropout."""
    ensemble = MLPEnsemble(
        (inputs.dim, *[s.width] * s.depth, 1),
        seeds=context.seeds(s.repeats) * len(rates),
        dropout=[Dropout(inputs=r) for r in rates for _ in range(s.repeats)],
        device=context.device,
    )
    fit(
        ensemble,
        Stream(inputs, target, s.batch_size),
        steps=s.steps,
        learning_rate=s.learning_rate,
        schedule="cosine",
        progress=advance,
    )
    x = even_points(inputs, 2**14, seed=context.seed).to(context.device, torch.float32)
    with torch.no_grad():
        g = ensemble(x).double()
    kept = amplitudes(g - g.mean(dim=0), target(x.double()))
    return dict(zip(rates, kept.reshape(len(rates), s.repeats).tolist(), strict=True))


def _unit_laws(
    s: Settings, context: Context, draws: list[_Draws]
) -> Iterable[tuple[int, float, float, list[float]]]:
    """Order, rate, law and measured amplitude for the last layers of a network, in its units.

    A network of two inputs with a layer of four units; its units' inputs to the rest are drawn
    from the product of their values at eight points, all 8^4 combinations of which are visited.
    """
    inputs = Uniform(-1.0, 1.0, dim=2)
    whole = MLPEnsemble((2, 16, UNITS, 16, 1), seeds=[context.seed], activation="tanh")
    target = Product((0, 1), scale=3.0)
    fit(whole, Stream(inputs, target, 256), steps=min(s.steps, 500), learning_rate=5e-3)
    whole.double()
    x = inputs.sample(8, generator=context.seed)
    with torch.no_grad():
        for weight, bias in whole.layers()[:2]:
            x = torch.tanh(x @ weight[0] + bias[0])
    tail = MLPEnsemble((UNITS, 16, 1), seeds=[0], activation="tanh").double()
    tail.flat.data.copy_(whole.flat.detach()[:, -tail.flat.shape[1] :])
    tail.eval()

    def rest(units: Tensor) -> Tensor:
        with torch.no_grad():
            return tail(units)[:, 0]

    index = torch.cartesian_prod(*[torch.arange(len(x))] * UNITS)
    grid = torch.gather(x, 0, index)
    shape = [len(x)] * UNITS
    parts = _by_order(rest(grid).reshape(shape))
    masks = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * UNITS)
    under = torch.stack([rest(grid * m) for m in masks])
    for rate in s.rates:
        after = _by_order(Masked(rest, rate)(grid).reshape(shape))
        # Masks are drawn, the units' values all visited: parts of other orders do not disturb.
        drawn = [d.masks(masks, rate) for d in draws]
        for order in range(1, UNITS + 1):
            part = parts[order].flatten()
            if part.square().sum() <= 1e-20 * parts[1].square().sum():
                continue  # Dead units make no part of the highest orders.
            law = (after[order].flatten() @ part / (part @ part)).item()
            left = under @ part / (part @ part)
            yield order, rate, law, [(share @ left).item() for share in drawn]


def _by_order(table: Tensor) -> list[Tensor]:
    """The ANOVA parts of order 0, 1, 2, .. of a table whose axes are independent and uniform."""
    parts = [table]
    for axis in range(table.ndim):
        means = [p.mean(dim=axis, keepdim=True).expand(table.shape) for p in parts]
        zero = torch.zeros_like(table)
        rests = [p - m for p, m in zip(parts, means, strict=True)]
        parts = [m + q for m, q in zip([*means, zero], [zero, *rests], strict=True)]
    return parts


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Means over repeats and standard errors where something was measured."""
    groups = table.dropna(subset="measured").groupby(KEYS, sort=False)
    out = groups[["survival", "law", "measured"]].mean()
    out["standard_error"] = groups["measured"].sem()
    return out.reset_index()
