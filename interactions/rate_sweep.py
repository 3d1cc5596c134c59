"""Which drop rate suits a model and data of one's own, and what each rate makes of its spectrum."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from .anova import order_spectrum
from .dropout import check_rate
from .inputs import Empirical, check_order
from .saving import Saved

LOSSES = {"squared": functional.mse_loss, "cross_entropy": functional.cross_entropy}
BOOTSTRAPS = 2000


@dataclass(frozen=True)
class RateSweep(Saved):
    """What `sweep_rates` found.

    Attributes
    ----------
    runs : DataFrame
        One row per rate and seed: `rate`, `seed`, `error` (held-out mean loss), `total` (variance
        of the trained model, summed over outputs) and its shares by order, "share_1", .. and
        "share_>k". Shares of a constant model are NaN.
    """

    runs: pd.DataFrame

    @property
    def best_rate(self) -> float:
        """The rate of the least mean held-out error."""
        return float(self.runs.groupby("rate")["error"].mean().idxmin())

    @property
    def best_rate_error(self) -> float:
        """Standard error of `best_rate`: of drawing other seeds, and of the grid of rates.

        The first is the standard deviation of the best rate over resampled seeds (bootstrap), the
        second `grid_error`. NaN for a single seed.
        """
        errors = self.runs.pivot_table(index="seed", columns="rate", values="error")
        rates, seeds = errors.columns.to_numpy(), len(errors)
        if seeds == 1:
            return float("nan")
        drawn = np.random.default_rng(0).integers(seeds, size=(BOOTSTRAPS, seeds))
        best = rates[errors.to_numpy()[drawn].mean(axis=1).argmin(axis=1)]
        return float(np.hypot(best.std(), grid_error(rates)))

    def to_frame(self) -> pd.DataFrame:
        """One row per rate: means over seeds and, in columns "..._se", their standard errors.

        `above_best` is the error above that at the best rate, on the same seed: rates where it
        is no more than twice its standard error cannot be told from the best.
        """
        errors = self.runs.pivot_table(index="seed", columns="rate", values="error")
        above = errors.sub(errors[self.best_rate], axis=0).stack().rename("above_best")
        runs = self.runs.join(above, on=["seed", "rate"]).drop(columns="seed")
        groups = runs.groupby("rate")
        columns = ["error", "above_best", "total", *runs.filter(like="share_").columns]
        mean, error = groups.mean()[columns], groups.sem()[columns].add_suffix("_se")
        return mean.join(error)[[c + end for c in columns for end in ("", "_se")]].reset_index()

    def __str__(self) -> str:
        table = self.to_frame().to_string(index=False, float_format=lambda v: f"{v:.4g}")
        return f"{table}\nbest rate {self.best_rate:g} ± {self.best_rate_error:.2g}"


def grid_error(rates: Sequence[float], repeats: int = 1) -> float:
    """Standard error that a grid of rates adds to a best rate, the mean over `repeats` of theirs.

    A best rate is known to the nearest of the rates tried: rounding to a grid of this step, the
    widest there is, has variance step^2 / 12. Repeats round on their own. 0 for a single rate.
    """
    step = np.diff(np.unique(rates)).max(initial=0.0)
    return float(step / np.sqrt(12 * repeats))


def sweep_rates(
    factory: Callable[[float], nn.Module],
    x: object,
    y: object,
    *,
    rates: Sequence[float] = (0.0, 0.125, 0.25, 0.375, 0.5),
    seeds: Sequence[int] = (0, 1, 2, 3, 4),
    loss: str = "squared",
    epochs: int = 100,
    batch_size: int = 64,
    learning_rate: float = 1e-3,
    held_out: float = 0.25,
    max_order: int = 3,
    tolerance: float = 0.02,
    budget: int | None = None,
) -> RateSweep:
    """Train a model of your own at every drop rate and measure its held-out error and spectrum.

    A seed stands for a split of the rows, starting weights, batches and masks; the split, the
    batches and, if the factory draws them alike, the starting weights are the same at every rate,
    so rates are compared seed by seed. Every model trains for the same number of epochs, with Adam:
    the best rate depends on the length of training, so sweep at the length you will use. Nothing
    is stopped early, so that no held-out row has a say in training. Data are used as they are:
    standardise columns of different units yourself.

    Parameters
    ----------
    factory : callable
        `factory(rate)` gives a new torch module that maps points [n, d] to [n] or [n, outputs]. It
        is called after torch's seed is set, and may ignore the rate.
    x : array, tensor or DataFrame of numbers [n, d]
    y : array, tensor or Series [n] or [n, outputs], or a column's name where x is a DataFrame
        Targets, or for "cross_entropy" integer labels [n] from 0 up.
    rates, seeds : distinct drop rates in [0, 1), distinct integers
    loss : "squared" (mean over rows and outputs) or "cross_entropy" (outputs are logits)
        What is minimised, and what is reported of the held-out rows.
    batch_size : int
        Rows of a step at most; batches of an epoch differ in size by one row at most.
    held_out : float
        Share of the rows that are not trained on.
    max_order, tolerance, budget
        Of `order_spectrum`, which measures every trained model in eval mode under the product of
        the marginals of all rows (`Empirical(x)`).

    Returns
    -------
    RateSweep
        Standard errors are over seeds, whose held-out rows overlap: they cover splitting and
        training, not the drawing of another data set.

    Raises
    ------
    TypeError, ValueError
        For columns that are not numbers, NaN or infinity, x and y of different lengths, rates
        outside of [0, 1), a factory that gives no module, one without parameters or the same one
        twice, outputs that do not fit y, and training that diverged.
    """
    points, targets = _data(x, y, loss)
    inputs = Empirical(points)
    check_order(max_order, inputs.dim)
    rates = [check_rate(rate) for rate in _distinct("rates", rates)]
    seeds = _distinct("seeds", seeds)
    if epochs < 1 or batch_size < 1:
        raise ValueError(f"epochs and batch_size must be positive, got {epochs} and {batch_size}")
    out = round(held_out * len(points))
    if not 0 < out < len(points):
        raise ValueError(f"held_out={held_out} of {len(points)} rows leaves one part empty")
    compare = _loss(loss)
    seen: weakref.WeakSet[nn.Module] = weakref.WeakSet()
    rows = []
    for rate in rates:
        for seed in seeds:
            order = torch.tensor(np.random.default_rng(seed).permutation(len(points)))
            with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
                torch.manual_seed(seed)
                model = _new_model(factory, rate, seen)
                like = next(model.parameters())
                own_x = points.to(like)
                own_y = targets.to(like if loss == "squared" else like.device)
                train, test = order[out:].to(like.device), order[:out].to(like.device)
                _train(
                    model,
                    own_x[train],
                    own_y[train],
                    compare,
                    epochs=epochs,
                    batch_size=batch_size,
                    learning_rate=learning_rate,
                    generator=torch.Generator().manual_seed(seed),
                )
                with torch.no_grad():
                    error = compare(model(own_x[test]), own_y[test]).item()
                if not np.isfinite(error):
                    raise ValueError(
                        f"training diverged at rate {rate}, seed {seed}: standardise the data or "
                        "lower learning_rate"
                    )
                # Each model on points of its own, so that standard errors over seeds know of them.
                spectrum = order_spectrum(
                    model,
                    inputs,
                    max_order=max_order,
                    tolerance=tolerance,
                    budget=budget,
                    seed=seed,
                )
            by_order = spectrum.variance.reshape(-1, max_order + 1).sum(axis=0)
            total = by_order.sum()
            shares = by_order / total if total > 0 else np.full_like(by_order, np.nan)
            row = {"rate": rate, "seed": seed, "error": error, "total": total}
            names = [f"share_{order}" for order in spectrum.order_names]
            rows.append(row | dict(zip(names, shares, strict=True)))
    return RateSweep(pd.DataFrame(rows))


def _train(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    compare: Callable[[Tensor, Tensor], Tensor],
    *,
    epochs: int,
    batch_size: int,
    learning_rate: float,
    generator: torch.Generator,
) -> None:
    """Minimise the mean loss with Adam; leaves the model in eval mode."""
    optimizer = torch.optim.Adam(model.parameters(), lr=learning_rate)
    model.train()
    for _ in range(epochs):
        order = torch.randperm(len(x), generator=generator)
        # A last batch of one row would be too few for batch normalisation.
        for rows in order.to(x.device).tensor_split(-(-len(x) // batch_size)):
            optimizer.zero_grad()
            compare(model(x[rows]), y[rows]).backward()
            optimizer.step()
    model.eval()


def _loss(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    """A mean loss that refuses outputs which do not fit, where torch would broadcast."""

    def compare(outputs: Tensor, y: Tensor) -> Tensor:
        if not isinstance(outputs, Tensor):
            raise TypeError(f"the module must return a tensor, got {type(outputs).__name__}")
        if name == "squared":
            if outputs.numel() == len(y) and y.numel() == len(y):
                outputs, y = outputs.flatten(), y.flatten()
            if outputs.shape != y.shape:
                raise ValueError(
                    f"the module's outputs {list(outputs.shape)} do not fit y {list(y.shape)}"
                )
        elif outputs.ndim != 2 or len(outputs) != len(y) or outputs.shape[1] <= int(y.max()):
            raise ValueError(
                "cross_entropy needs an output for every label from 0 up: got outputs "
                f"{list(outputs.shape)} and labels up to {int(y.max())}"
            )
        return LOSSES[name](outputs, y)

    return compare


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


def _data(x: object, y: object, loss: str) -> tuple[Tensor, Tensor]:
    """Points [n, d] in float64 and targets in float64 or, as labels, long."""
    if loss not in LOSSES:
        raise ValueError(f"loss must be one of {list(LOSSES)}, got {loss!r}")
    if isinstance(y, str):
        if not isinstance(x, pd.DataFrame) or y not in x.columns:
            raise ValueError(f"y names a column, and x is no DataFrame with a column {y!r}")
        x, y = x.drop(columns=y), x[y]
    points, targets = _numbers("x", x), _numbers("y", y)
    if points.ndim != 2 or targets.ndim not in (1, 2) or len(points) != len(targets):
        raise ValueError(
            "needs x [n, d] and y [n] or [n, outputs] of as many rows, got "
            f"{list(points.shape)} and {list(targets.shape)}"
        )
    if loss == "cross_entropy":
        if targets.ndim != 1 or (targets != targets.round()).any() or (targets < 0).any():
            raise ValueError("cross_entropy needs y [n] of integer labels from 0 up")
        targets = targets.long()
    return points, targets


def _numbers(name: str, values: object) -> Tensor:
    """Finite numbers as a float64 tensor."""
    if isinstance(values, pd.Series):
        return _numbers(name, values.to_frame())[:, 0]
    if isinstance(values, pd.DataFrame):
        bad = [c for c, d in values.dtypes.items() if not pd.api.types.is_numeric_dtype(d)]
        if bad:
            raise TypeError(f"columns {bad} of {name} are not numbers: encode or drop them")
        frame = values.astype(np.float64)
        bad = frame.columns[~np.isfinite(frame).all()].tolist()
        if bad:
            raise ValueError(f"{name} has NaN or infinite values in columns {bad}")
        return torch.tensor(frame.to_numpy())
    if not isinstance(values, Tensor):
        values = np.asarray(values)
        if not np.issubdtype(values.dtype, np.number) and values.dtype != bool:
            raise TypeError(f"{name} must hold numbers, got {values.dtype}")
        values = torch.tensor(values)
    values = values.detach().cpu().double()
    if not torch.isfinite(values).all():
        raise ValueError(f"{name} has NaN or infinite values")
    return values


def _distinct(name: str, values: Sequence[Any]) -> list[Any]:
    values = list(values)
    if not values or len(set(values)) < len(values):
        raise ValueError(f"{name} must be distinct, and at least one; got {values}")
    return values
