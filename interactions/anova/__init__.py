"""Ways of measuring variance by interaction order, one per file, behind `order_spectrum`."""

from .distillation import released_distillation
from .exact import GridTooLargeError, subset_variances
from .measure import order_spectrum, order_spectrum_from_samples
from .purification import Purified, purify

__all__ = [
    "GridTooLargeError",
    "Purified",
    "order_spectrum",
    "order_spectrum_from_samples",
    "purify",
    "released_distillation",
    "subset_variances",
]
