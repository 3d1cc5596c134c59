"""Variance by interaction order, and what dropout does to each order."""

from .anova import order_spectrum, order_spectrum_from_samples
from .dropout import Dropout
from .inputs import Empirical, Inputs, Normal, Rademacher, Uniform
from .networks import MLPEnsemble
from .spectrum import OrderSpectrum
from .training import FirstRise, FitResult, Samples, Stream, fit

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
    "Rademacher",
    "Samples",
    "Stream",
    "Uniform",
    "fit",
    "order_spectrum",
    "order_spectrum_from_samples",
]
