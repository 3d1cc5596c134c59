"""Peak memory of a measurement beside its bound, for functions of every kind.

    python -m tests.benchmarks.memory                   every kind, with the default bound
    python -m tests.benchmarks.memory --memory 64       with another, in MiB
    python -m tests.benchmarks.memory --only numpy      one kind

Every kind runs in a process of its own. The peak is what the process held beyond what it held
before the call, when libraries were loaded, inputs and function made and a point drawn: data are
held once more in the type that points are drawn in, which is theirs and not the measurement's.
A bound counts as kept up to one and a half times itself and 64 MiB.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import typer
from torch import Tensor, nn

from interactions import Empirical, Rademacher, Uniform, order_spectrum
from interactions.anova._memory import highest_memory
from interactions.inputs import Inputs

ALLOWANCE = 64 * 2**20
Kind = tuple[Callable, Inputs, dict]


def numpy_network() -> Kind:
    """2000 hidden units in numpy."""
    rng = np.random.default_rng(0)
    w, v = rng.normal(size=(8, 2000)) / 3, rng.normal(size=2000) / 45
    return lambda x: np.tanh(x @ w) @ v, Uniform(-1.0, 1.0, dim=8), {}


def scripted() -> Kind:
    """TorchScript, two hidden layers of 2000."""
    layers = nn.Linear(8, 2000), nn.Tanh(), nn.Linear(2000, 2000), nn.Tanh(), nn.Linear(2000, 1)
    module = torch.jit.script(nn.Sequential(*layers).eval())
    return module, Uniform(-1.0, 1.0, dim=8), {"tolerance": 0.05}


def mapped() -> Kind:
    """torch.vmap of 2000 hidden units."""
    w = torch.randn(8, 2000, dtype=torch.float64) / 3
    return torch.vmap(lambda x: (x @ w).tanh().mean()), Uniform(-1.0, 1.0, dim=8), {}


def scikit_learn() -> Kind:
    """scikit-learn's MLP of 1000 hidden units."""
    from sklearn.neural_network import MLPRegressor

    x = np.random.default_rng(0).uniform(-1, 1, size=(200, 8))
    model = MLPRegressor(hidden_layer_sizes=(1000,), max_iter=300, random_state=0, tol=1e-2)
    return model.fit(x, x[:, 0] + x[:, 1] * x[:, 2]).predict, Uniform(-1.0, 1.0, dim=8), {}


def xgboost() -> Kind:
    """Boosted trees."""
    from xgboost import XGBRegressor

    x = np.random.default_rng(0).uniform(-1, 1, size=(500, 8))
    model = XGBRegressor(n_estimators=50, n_jobs=1).fit(x, x[:, 0] + x[:, 1] * x[:, 2])
    return model.predict, Uniform(-1.0, 1.0, dim=8), {"tolerance": 0.03}


def convolutions() -> Kind:
    """A network with 16 MiB of activations a point."""

    class Network(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(1, 256, 3, padding=1)
            self.last = nn.Linear(256, 1)

        def forward(self, x: Tensor) -> Tensor:
            image = nn.functional.interpolate(x.reshape(-1, 1, 2, 4), size=(128, 128))
            return self.last(self.first(image).amax(dim=(2, 3)))

    return Network().eval(), Rademacher(dim=8), {}


def pixels() -> Kind:
    """784 inputs and 210 functions."""
    module = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 210)).eval()
    options = {"method": "kernel", "max_order": 2, "tolerance": 0.05}
    return module, Uniform(0.0, 1.0, dim=784), options


def thousand() -> Kind:
    """1000 inputs."""
    module = nn.Sequential(nn.Linear(1000, 64), nn.ReLU(), nn.Linear(64, 1)).eval()
    options = {"method": "kernel", "max_order": 2, "tolerance": 0.05}
    return module, Uniform(0.0, 1.0, dim=1000), options


def table() -> Kind:
    """A table of 10^6 rows and 100 columns."""
    data = np.random.default_rng(0).normal(size=(10**6, 100)).astype(np.float32)
    module = nn.Sequential(nn.Linear(100, 64), nn.Tanh(), nn.Linear(64, 1)).eval()
    return module, Empirical(data), {"max_order": 2, "tolerance": 0.03}


KINDS = {
    kind.__name__: kind
    for kind in (
        numpy_network,
        scripted,
        mapped,
        scikit_learn,
        xgboost,
        convolutions,
        pixels,
        thousand,
        table,
    )
}


def main(
    memory: int = typer.Option(256, help="The bound, in MiB."),
    only: str = typer.Option("", help="Kinds whose names hold this."),
) -> None:
    """Print a row per kind."""
    print(f"bound {memory} MiB")
    print(f"{'kind':<44} peak MiB  of the bound  kept  evaluations  seconds", flush=True)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for name in (name for name in KINDS if only in name):
            peak, evaluations, seconds = pool.submit(measure, name, memory * 2**20).result()
            kept = "yes" if peak <= 1.5 * memory * 2**20 + ALLOWANCE else "NO"
            print(
                f"{KINDS[name].__doc__.rstrip('.'):<44} {peak / 2**20:8.0f} "
                f"{peak / 2**20 / memory:13.2f}  {kept:<4} {evaluations:12,} {seconds:8.1f}",
                flush=True,
            )


def measure(name: str, memory: int) -> tuple[float, int, float]:
    """Peak bytes, evaluations and seconds of one kind."""
    torch.manual_seed(0)
    function, inputs, options = KINDS[name]()
    # What torch and the package need for any measurement is not the function's.
    order_spectrum(lambda x: x[:, 0] * x[:, 1], Uniform(-1.0, 1.0, dim=8), tolerance=0.5)
    inputs.sample(1, generator=0, dtype=torch.float32)
    before = held_now()
    start = time.perf_counter()
    spectrum = order_spectrum(function, inputs, memory=memory, **options)
    return highest_memory() - before, spectrum.evaluations, time.perf_counter() - start


def held_now() -> int:
    """Bytes held now, after the record of the highest is reset to it where the system can."""
    status = Path("/proc/self/status")
    if not status.exists():
        return highest_memory()
    Path("/proc/self/clear_refs").write_text("5")
    line = next(row for row in status.read_text().splitlines() if row.startswith("VmRSS"))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    typer.run(main)
