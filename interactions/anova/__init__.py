"""Ways of measuring variance by interaction order, one per file, behind `order_spectrum`."""

from .distillation import released_distillation
from .exact import GridTooLargeError, subset_variances
from .measure import order_spectrum

__all__ = ["GridTooLargeError", "order_spectrum", "released_distillation", "subset_variances"]
