"""Variance by interaction order, and what dropout does to each order."""

from .anova import order_spectrum, order_spectrum_from_samples
from .comparison import Selectivity, selectivity
from .dropout import Dropout
from .error import ErrorByOrder, error_by_order
from .inputs import Bernoulli, Empirical, Inputs, Marginals, Normal, Rademacher, Uniform
from .networks import (
    FirstRise,
    FitResult,
    MaskedStream,
    MLPEnsemble,
    Patience,
    Samples,
    Stream,
    Tolerance,
    fit,
)
from .penalty import OrderPenalty
from .rate_sweep import RateSweep, sweep_rates
from .spectrum import OrderSpectrum

__version__ = "0.1.0"

__all__ = [
    "Bernoulli",
    "Dropout",
    "Empirical",
    "ErrorByOrder",
    "FirstRise",
    "FitResult",
    "Inputs",
    "MLPEnsemble",
    "Marginals",
    "MaskedStream",
    "Normal",
    "OrderPenalty",
    "OrderSpectrum",
    "Patience",
    "Rademacher",
    "RateSweep",
    "Samples",
    "Selectivity",
    "Stream",
    "Tolerance",
    "Uniform",
    "error_by_order",
    "fit",
    "order_spectrum",
    "order_spectrum_from_samples",
    "selectivity",
    "sweep_rates",
]
