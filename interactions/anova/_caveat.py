"""What a spectrum must say of the inputs it was measured under."""

from __future__ import annotations

from dataclasses import replace

from ..inputs import Inputs
from ..spectrum import OrderSpectrum


def with_caveat(spectrum: OrderSpectrum, inputs: Inputs) -> OrderSpectrum:
    """Say what is easily forgotten of the inputs, such as that columns are taken as independent."""
    if not inputs.caveat:
        return spectrum
    return replace(spectrum, method=f"{spectrum.method}, {inputs.caveat}")
