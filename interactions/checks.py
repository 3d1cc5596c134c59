"""Numbers that a measurement is given, checked before it starts."""

from __future__ import annotations

import math
from numbers import Real


def whole_number(name: str, value: object, *, least: int) -> int:
    """Return a whole number as an int, 10000.0 too.

    TypeError for what is none, ValueError where it is below the least.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if not math.isfinite(value) or value != int(value):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    if value < least:
        what = {0: "not be negative", 1: "be positive"}.get(least, f"be at least {least}")
        raise ValueError(f"{name} must {what}, got {value!r}")
    return int(value)


def check_tolerance(tolerance: object) -> None:
    """Refuse a tolerance that is no number (TypeError) or below 0 (ValueError)."""
    if isinstance(tolerance, bool) or not isinstance(tolerance, Real):
        raise TypeError(f"tolerance must be a number such as 0.01, got {tolerance!r}")
    if not tolerance >= 0:
        raise ValueError(f"tolerance must not be negative, got {tolerance}")
