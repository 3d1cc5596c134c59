"""What tests share: where real data lies, and small trained networks."""

from __future__ import annotations

import os
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from hypothesis import settings

from interactions import Dropout, MLPEnsemble, Samples, Uniform, fit

mpl.use("Agg")
# Slow machines are not failures.
settings.register_profile("tests", deadline=None)
settings.load_profile("tests")


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real data sets, by the variable the loaders use; tests skip without them."""
    if "INTERACTIONS_DATA" not in os.environ:
        pytest.skip("real data: set INTERACTIONS_DATA to the folder that holds hour.csv")
    return Path(os.environ["INTERACTIONS_DATA"])


@pytest.fixture(scope="session")
def trained() -> MLPEnsemble:
    """Three networks of 5 inputs fit to noise, with different rates and so different spectra."""
    generator = torch.Generator().manual_seed(5)
    x = Uniform(-1.0, 1.0, dim=5).sample(200, generator=generator, dtype=torch.float32)
    y = 3 * torch.randn(200, generator=generator)
    rates = [Dropout(), Dropout(inputs=0.25), Dropout(hidden=0.25)]
    ensemble = MLPEnsemble((5, 24, 24, 1), seeds=[0, 1, 2], dropout=rates)
    fit(ensemble, Samples(x, y), steps=300, learning_rate=5e-3)
    return ensemble
