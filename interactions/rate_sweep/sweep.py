"""The one call that trains and measures a model of one's own at every strength."""

from __future__ import annotations

import math
import warnings
import weakref
from collections.abc import Callable, Iterable, Sequence
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from ..anova import order_spectrum
from ..dropout import check_rate
from ..inputs import Empirical, Inputs, check_order
from ..progress import Bar
from .data import points_and_targets
from .result import RateSweep
from .training import Loss, Penalty, Training, mean_loss

RATES = (0.0, 0.125, 0.25, 0.375, 0.5)


def sweep_rates(
    factory: Callable[[float], nn.Module],
    x: object,
    y: object,
    *,
    rates: Sequence[float] | None = None,
    values: Sequence[float] | None = None,
    name: str | None = None,
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    loss: str | Loss = "squared",
    optimizer: Callable[[nn.Module, float], Optimizer] | None = None,
    step: Callable[[nn.Module, Optimizer, Tensor, Tensor, float], object] | None = None,
    callback: Callable[[nn.Module, float, int, int], object] | None = None,
    penalty: Callable[[float], Penalty] | None = None,
    epochs: int = 100,
    batch_size: int = 64,
    learning_rate: float | None = None,
    held_out: float = 0.25,
    max_order: int = 3,
    tolerance: float = 0.02,
    budget: int | None = None,
    progress: bool | str = False,
) -> RateSweep:
    """Train a model of your own at every drop rate and measure its held-out error and spectrum.

    A seed stands for a split of the rows, starting weights, batches and masks; the split, the
    batches and, if the factory draws them alike, the starting weights are the same at every rate,
    so rates are compared seed by seed. Every model trains for the same number of epochs: the best
    rate depends on the length of training, so sweep at the length you will use. Nothing is stopped
    early, so that no held-out row has a say in training. Data are used as they are: standardise
    columns of different units yourself.

    Any other strength is swept by `values` in place of `rates`: of Gaussian dropout or DropConnect
    in the factory, of weight decay in the optimizer, of a penalty (`penalty=`).

    Parameters
    ----------
    factory : callable
        `factory(rate)` gives a new torch module that maps points [n, d] to [n] or [n, outputs]. It
        is called after torch's seed is set, and may ignore a strength that the optimizer or the
        step makes use of.
    x : array, tensor or DataFrame of numbers [n, d]
    y : array, tensor or Series [n] or [n, outputs], or a column's name where x is a DataFrame
        Targets, or for "cross_entropy" integer labels [n] from 0 up. They have the module's type;
        with a loss of your own, integers stay integers.
    rates : distinct drop rates in [0, 1), by default 0, .125, .. .5
    values : distinct finite numbers, in place of rates
    name : str, optional
        What the numbers are called in tables and pictures: "rate", or "strength" with `values`.
    seeds : distinct integers from 0 up
    loss : "squared" (mean over rows and outputs), "cross_entropy" (outputs are logits), callable
        What is minimised, and what is reported of the held-out rows. A callable takes outputs and
        targets of a batch and returns their mean loss; where both are a number a row, as [n].
    optimizer : callable, optional
        `optimizer(model, rate)` gives a torch optimizer. By default Adam at `learning_rate`.
    step : callable, optional
        `step(model, optimizer, x, y, rate)` learns from a batch, by default the mean loss. Then
        the loss is only what is reported.
    callback : callable, optional
        `callback(model, rate, seed, epoch)` is called after every epoch, counted from 1, with the
        model in training mode. Random numbers it draws do not change the training.
    penalty : callable, optional
        `penalty(rate)` gives what joins the loss: a callable of the model and a batch's points,
        such as OrderPenalty(Empirical(x), strength=rate, fresh=True).
    batch_size : int
        Rows of a step at most; batches of an epoch differ in size by one row at most.
    learning_rate : float, optional
        Of Adam, by default .001.
    held_out : float
        Share of the rows that are not trained on.
    max_order, tolerance, budget
        Of `order_spectrum`, which measures every trained model in eval mode under the product of
        the marginals of all rows (`Empirical(x)`).
    progress : bool or str
        Shows a bar of epochs (needs tqdm: the extra "progress"); a text stands before the bar.

    Returns
    -------
    RateSweep
        Standard errors are over seeds, whose held-out rows overlap: they cover splitting and
        training, not the drawing of another data set.

    Warns
    -----
    UserWarning
        Where every seed's model came out the same at all rates.

    Raises
    ------
    TypeError, ValueError
        For columns that are not numbers, NaN or infinity, x and y of different lengths, rates
        outside of [0, 1), a factory that is or gives no new module or one without parameters,
        outputs that do not fit y, and training that diverged.
    ImportError
        For `progress` without tqdm.

    Examples
    --------
    >>> import torch
    >>> from interactions import sweep_rates
    >>> x = torch.randn(60, 2, generator=torch.Generator().manual_seed(0))
    >>> def build(rate):
    ...     return torch.nn.Sequential(torch.nn.Dropout(rate), torch.nn.Linear(2, 1))
    >>> options = {"rates": (0.0, 0.5), "seeds": range(2), "epochs": 3, "max_order": 2}
    >>> sweep = sweep_rates(build, x, x[:, 0], **options)
    >>> sweep.to_frame()["rate"].tolist()
    [0.0, 0.5]
    """
    _check_factory(factory)
    rates, name = _strengths(rates, values, name)
    seeds = _seeds(seeds)
    training = Training(
        compare=mean_loss(loss),
        optimizer=optimizer,
        step=step,
        callback=callback,
        penalty=penalty,
        learning_rate=learning_rate,
        epochs=epochs,
        batch_size=batch_size,
    )
    points, targets = points_and_targets(x, y, loss)
    inputs = Empirical(points)
    check_order(max_order, inputs.dim)
    out = round(held_out * len(points))
    if not 0 < out < len(points):
        raise ValueError(f"held_out={held_out} of {len(points)} rows leaves one part empty")
    seen: weakref.WeakSet[nn.Module] = weakref.WeakSet()
    rows, first, same = [], {}, len(rates) > 1
    with Bar(progress, unit="epochs") as bar:
        bar.within(len(rates) * len(seeds) * epochs)
        for rate in rates:
            for seed in seeds:
                order = torch.tensor(np.random.default_rng(seed).permutation(len(points)))
                with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
                    torch.manual_seed(seed)
                    model = _new_model(factory, rate, seen)
                    like = next(model.parameters())
                    own_x = points.to(like)
                    own_y = targets.to(like if targets.is_floating_point() else like.device)
                    train, test = order[out:].to(like.device), order[:out].to(like.device)
                    how = {"rate": rate, "seed": seed, "advance": bar.advance}
                    training.train(model, own_x[train], own_y[train], **how)
                    with torch.no_grad():
                        answers = model(own_x[test])
                        error = training.compare(answers, own_y[test]).item()
                    same = same and torch.equal(first.setdefault(seed, answers), answers)
                    if not math.isfinite(error):
                        raise ValueError(
                            f"training diverged at {name} {rate}, seed {seed}: standardise the "
                            "data or lower learning_rate"
                        )
                    settings = {"max_order": max_order, "tolerance": tolerance, "budget": budget}
                    variances = _variances(model, inputs, seed=seed, **settings)
                rows.append({name: rate, "seed": seed, "error": error} | variances)
    if same:
        warnings.warn(
            f"the {name} had no effect: on every seed all {name}s gave the same network. Does "
            f"factory({name}) use its argument, as in nn.Dropout({name})?",
            stacklevel=2,
        )
    return RateSweep(pd.DataFrame(rows))


def _variances(
    model: nn.Module,
    inputs: Inputs,
    *,
    max_order: int,
    tolerance: float,
    budget: int | None,
    seed: int,
) -> dict[str, float]:
    """A trained model's variance, summed over outputs, and its shares by order."""
    # Each model on points of its own, so that standard errors over seeds know of them.
    spectrum = order_spectrum(
        model, inputs, max_order=max_order, tolerance=tolerance, budget=budget, seed=seed
    )
    by_order = spectrum.variance.reshape(-1, max_order + 1).sum(axis=0)
    total = by_order.sum()
    shares = by_order / total if total > 0 else np.full_like(by_order, np.nan)
    names = [f"share_{order}" for order in spectrum.order_names]
    return {"total": total, **dict(zip(names, shares, strict=True))}


def _check_factory(factory: object) -> None:
    if isinstance(factory, nn.Module) or not callable(factory):
        raise TypeError(
            "factory must be a function that builds a new module for a rate, such as lambda rate: "
            "Sequential(Linear(8, 64), ReLU(), Dropout(rate), Linear(64, 1)); got "
            f"{'the module' if isinstance(factory, nn.Module) else 'a'} {type(factory).__name__}"
        )


def _new_model(
    factory: Callable[[float], nn.Module], rate: float, seen: weakref.WeakSet[nn.Module]
) -> nn.Module:
    model = factory(rate)
    if not isinstance(model, nn.Module):
        raise TypeError(f"factory(rate) must give a torch.nn.Module, got {type(model).__name__}")
    if next(model.parameters(), None) is None:
        raise ValueError("factory(rate) gave a module without parameters: nothing can be trained")
    if model in seen:
        raise ValueError("factory(rate) must build a new module every time, it gave one twice")
    seen.add(model)
    return model


def _strengths(rates: object, values: object, name: str | None) -> tuple[list[float], str]:
    """The numbers to sweep and what they are called."""
    if rates is not None and values is not None:
        raise ValueError("give rates (drop rates) or values (any other strength), not both")
    name = ("rate" if values is None else "strength") if name is None else name
    taken = ("", "seed", "error", "total", "above_best")
    if not isinstance(name, str) or name in taken or name.startswith("share_"):
        raise ValueError(f"name must be that of a column which the table has not yet, got {name!r}")
    if values is None:
        given = _distinct("rates", RATES if rates is None else rates, "(0.0, 0.25, 0.5)", Real)
        return [check_rate(rate) for rate in given], name
    given = [float(v) for v in _distinct("values", values, "(0.0, 0.01, 0.1)", Real)]
    if not all(map(math.isfinite, given)):
        raise ValueError(f"values must be finite, got {given}")
    return given, name


def _seeds(seeds: object) -> list[int]:
    example = f"range({seeds if isinstance(seeds, Integral) and seeds > 0 else 5})"
    given = _distinct("seeds", seeds, example, Integral)
    if min(given) < 0:
        raise ValueError(f"seeds must not be negative, got {min(given)}")
    return [int(seed) for seed in given]


def _distinct(name: str, values: object, example: str, of: type) -> list[Any]:
    """Several numbers, none of them twice."""
    one = isinstance(values, str) or not isinstance(values, Iterable)
    if one or getattr(values, "ndim", 1) != 1:
        raise TypeError(f"{name} must be several numbers, as in {name}={example}; got {values!r}")
    values = values.tolist() if isinstance(values, Tensor | np.ndarray) else list(values)
    bad = [v for v in values if isinstance(v, bool) or not isinstance(v, of)]
    if bad:
        what = "integers" if of is Integral else "numbers"
        raise TypeError(f"{name} must be {what}, as in {name}={example}; got {bad[0]!r}")
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name} must be distinct, and at least one; got {values}")
    return values
