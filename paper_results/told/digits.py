"""Numbers within a text: found, and put in again to as many digits as stand there."""

from __future__ import annotations

import re
from collections.abc import Sequence

NUMBER = re.compile(r"(?<![\w.])-?(?:\d*\.\d+(?:e-?\d+)?|\d+e-?\d+|\d+%)")
"""Decimals and percentages; whole numbers count orders, steps and repeats."""
SETTING = re.compile(r"r = [\d., ]*\d")
"""What says where a number was taken, and is none."""


def found(text: str) -> list[re.Match[str]]:
    """The numbers of a text, in order, without those that say where others were taken."""
    settings = [setting.span() for setting in SETTING.finditer(text)]
    return [
        number
        for number in NUMBER.finditer(text)
        if not any(start <= number.start() < end for start, end in settings)
    ]


def renewed(text: str, values: Sequence[float]) -> str:
    """The text with these values in place of its numbers.

    Raises ValueError where it has more numbers or fewer.
    """
    numbers = found(text)
    if len(numbers) != len(values):
        said = [number[0] for number in numbers]
        raise ValueError(f"{text!r} has the numbers {said}, and these are computed: {values}")
    for number, value in reversed([*zip(numbers, values, strict=True)]):
        text = text[: number.start()] + printed(value, number[0]) + text[number.end() :]
    return text


def printed(value: float, like: str) -> str:
    """A value to the digits of another, with its 0 before the point or without."""
    if like.endswith("%"):
        return f"{100 * value:.0f}%"
    mantissa, _, power = like.partition("e")
    digits = len(mantissa.partition(".")[2])
    if power:
        shown, _, exponent = f"{value:.{digits}e}".partition("e")
        return f"{shown}e{int(exponent)}"
    shown = f"{value:.{digits}f}"
    if float(shown) == 0:
        shown = shown.removeprefix("-")
    bare = mantissa.lstrip("-").startswith(".")
    return re.sub(r"^(-?)0\.", r"\1.", shown) if bare else shown
