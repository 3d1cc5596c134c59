"""The test error of trained models by interaction order: bias, variance and noise."""

from .measure import error_by_order
from .result import ErrorByOrder

__all__ = ["ErrorByOrder", "error_by_order"]
