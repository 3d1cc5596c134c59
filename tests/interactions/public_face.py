"""Every public name as a user writes it, for a strict type checker: never run, only read by one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

import interactions.anova as anova
from interactions import (
    Bernoulli,
    Dropout,
    Empirical,
    ErrorByOrder,
    FirstRise,
    FitResult,
    Inputs,
    Marginals,
    MaskedStream,
    MLPEnsemble,
    Normal,
    OrderPenalty,
    OrderSpectrum,
    Patience,
    Rademacher,
    RateSweep,
    Samples,
    Selectivity,
    Stream,
    Tolerance,
    Uniform,
    error_by_order,
    fit,
    order_spectrum,
    order_spectrum_from_samples,
    selectivity,
    sweep_rates,
)
from interactions.anova import Method
from interactions.penalty import InputGradient, weights_for_survival
from interactions.plots import plot_orders
from interactions.sufficient import Sufficient


def function(x: Tensor) -> Tensor:
    return x[:, 0] * x[:, 1]


def on_arrays(x: np.ndarray) -> np.ndarray:
    answer: np.ndarray = np.sin(x[:, 0])
    return answer


def factory(rate: float) -> nn.Module:
    return nn.Sequential(nn.Linear(4, 8), nn.Dropout(rate), nn.Linear(8, 1))


def measured() -> list[OrderSpectrum]:
    data = np.zeros((500, 4))
    distributions: list[Inputs] = [
        Uniform(-1.0, 1.0, dim=4),
        Normal(dim=4),
        Rademacher(dim=4),
        Empirical(data),
        Bernoulli(0.5, dim=4),
        Marginals({"a": [0.0, 1.0], "b": np.zeros(9), "c": {"x": 0.25}, "d": [1, 2]}),
    ]
    spectra = [order_spectrum(function, inputs, max_order=2) for inputs in distributions]
    spectra.append(order_spectrum(on_arrays, distributions[0], method="exact", budget=10_000))
    spectra.append(order_spectrum(factory(0.5).eval(), distributions[0], tolerance=0.05, seed=3))
    x = torch.rand(1000, 4)
    spectra.append(order_spectrum_from_samples(x, function(x), distributions[0]))
    spectra.append(anova.population_spectrum(on_arrays, data))
    spectra.append(anova.held_out_distillation(x, function(x)))
    spectra.append(anova.released_distillation(x, function(x), tree_method="hist"))
    trees = anova.released_trees(x.numpy(), function(x).numpy(), depth=2)
    spectra.append(anova.tree_spectrum([trees, trees], distributions[0], max_order=2))
    return spectra


def read(spectrum: OrderSpectrum) -> tuple[float, str]:
    low, high, method = spectrum.interval(0.9, of="share")
    width: np.ndarray = high - low
    enough: Sufficient = spectrum.output(0).sufficient_order(share=0.9)
    order: int = enough.order or spectrum.max_order
    again = OrderSpectrum.from_json(spectrum.to_json())
    Path("spectrum.json").write_text(again.to_json())
    axes = spectrum.plot()
    plot_orders([spectrum, again], [0.0, 0.5], of="variance", ax=axes)
    print(spectrum.to_frame(), spectrum.mean_order, spectrum.total_variance, enough)
    return float(width.max()) * order, method


def compared(spectra: list[OrderSpectrum]) -> Selectivity:
    slopes = selectivity(spectra[0], spectra[1], orders=[1, 2])
    slopes.plot()
    return Selectivity.from_json(slopes.to_json())


def parts(inputs: Inputs) -> list[tuple[int | str, ...]]:
    order = anova.mean_order(function, inputs, budget=10_000)
    again: anova.MeanOrder = anova.MeanOrder.from_json(order.to_json())
    again.plot()
    pure: anova.Purified = anova.purify(np.ones((2, 3)))
    print(pure.variance((0, 1)), pure.to_frame(), again.to_frame())
    try:
        part: float = anova.subset_variances(function, inputs)[0, 1]
    except anova.GridTooLargeError:
        part = 0.0
    print(part, anova.superset_index(function, inputs, [(0, 1)]))
    print(anova.strongest_interactions(function, inputs, order=2, count=3))
    return anova.interaction_terms(function, inputs, max_order=2)


def of_trees(model: object, inputs: Inputs) -> OrderSpectrum | None:
    try:
        return anova.tree_spectrum(model, inputs) if anova.understands(model) else None
    except anova.UnreadableModelError:
        return None


def own_method(method: Method) -> None:
    anova.METHODS["mine"] = method


def trained() -> FitResult:
    ensemble = MLPEnsemble((4, 16, 1), seeds=[0, 1], dropout=[Dropout(), Dropout(hidden=0.5)])
    x = torch.rand(100, 4)
    samples = Samples(x, function(x))
    rules: list[FirstRise | Tolerance | Patience] = []
    results = [fit(ensemble, samples, steps=10, stop=rule) for rule in rules]
    return results[0]


def penalised(inputs: Inputs) -> Tensor:
    model, x = factory(0.0), torch.rand(100, 4)
    penalty = OrderPenalty(inputs, weights=weights_for_survival(0.5, 3), strength=0.1)
    ensemble = MLPEnsemble((4, 16, 1), seeds=[0])
    fit(ensemble, Stream(inputs, function, 16), steps=2, order_penalty=penalty)
    loss: Tensor = penalty(model, x) + InputGradient()(model, x)
    return loss


def errors_of(models: list[nn.Module], inputs: Inputs) -> ErrorByOrder:
    result = error_by_order(models, function, inputs, max_order=2)
    low, high = result.interval(of="bias")
    print(result.to_frame(), low, high, result.total - result.test_error)
    return error_by_order(models, torch.rand(500), inputs, x=torch.rand(500, 4))


def kinds_of_data() -> tuple[type[Stream], type[MaskedStream]]:
    return Stream, MaskedStream


def swept() -> RateSweep:
    sweep = sweep_rates(
        factory, np.zeros((100, 4)), np.zeros(100), rates=(0.0, 0.5), seeds=range(3)
    )
    best: float = sweep.best_rate
    print(best, sweep.to_frame())
    return RateSweep.from_json(sweep.to_json())
