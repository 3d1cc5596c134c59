"""Which strength of a regularizer suits a model of one's own, and what each makes of it."""

from .result import RateSweep, grid_error
from .sweep import sweep_rates

__all__ = ["RateSweep", "grid_error", "sweep_rates"]
