"""Variance by interaction order, and what dropout does to each order."""

from .anova import order_spectrum, order_spectrum_from_samples
from .dropout import Dropout
from .inputs import Empirical, Inputs, Normal, Rademacher, Uniform
from .networks import MLPEnsemble
from .rate_sweep import RateSweep, sweep_rates
from .samples import Samples, Stream
from .selectivity import Selectivity, selectivity
from .spectrum import OrderSpectrum
from .stopping import FirstRise, Patience, Tolerance
from .training import FitResult, fit

__version__ = "0.1.0"

__all__ = [
    "Dropout",
    "Empirical",
    "FirstRise",
    "FitResult",
    "Inputs",
    "MLPEnsemble",
    "Normal",
    "OrderSpectrum",
    "Patience",
    "Rademacher",
    "RateSweep",
    "Samples",
    "Selectivity",
    "Stream",
    "Tolerance",
    "Uniform",
    "fit",
    "order_spectrum",
    "order_spectrum_from_samples",
    "selectivity",
    "sweep_rates",
]
