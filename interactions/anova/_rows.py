"""What a spectrum under columns of data must say of them."""

from __future__ import annotations

from dataclasses import replace

from ..inputs import Empirical, Inputs
from ..spectrum import OrderSpectrum

OF_THESE_ROWS = "intervals of these rows, not of their population"


def with_distribution(spectrum: OrderSpectrum, inputs: Inputs) -> OrderSpectrum:
    """Say what is easily forgotten: that columns of data were taken as independent, and as all."""
    if not isinstance(inputs, Empirical):
        return spectrum
    how = f"under the product of the columns' marginals, {OF_THESE_ROWS}"
    return replace(spectrum, method=f"{spectrum.method}, {how}")
