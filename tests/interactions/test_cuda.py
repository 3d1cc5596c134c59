"""On a GPU everything says what it says on a CPU; skipped without one.

What is drawn at random on the device is drawn by its own generator: those answers agree within
their errors. The rest agrees within rounding.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

from interactions import (
    Dropout,
    Empirical,
    FirstRise,
    MaskedStream,
    MLPEnsemble,
    Normal,
    OrderPenalty,
    Patience,
    Rademacher,
    Samples,
    Stream,
    Tolerance,
    Uniform,
    error_by_order,
    fit,
    order_spectrum,
    order_spectrum_from_samples,
    sweep_rates,
)
from interactions.anova import (
    interaction_terms,
    mean_order,
    strongest_interactions,
    subset_variances,
    superset_index,
)
from interactions.anova._evaluate import Evaluator
from interactions.networks import blocks
from interactions.penalty import weights_for_survival, weights_from_order

DEVICE = "cuda"
pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")

LAWS = {
    "uniform": Uniform(-1.0, 1.0, dim=5),
    "normal": Normal(dim=5),
    "bits": Rademacher(dim=5),
    "rows": Empirical(torch.randn(200, 5, generator=torch.Generator().manual_seed(1)).double()),
}


def network(dim: int = 5, outputs: int = 1, seed: int = 0) -> nn.Module:
    """A wide network whose parts of every order are worth measuring."""
    generator = torch.Generator().manual_seed(seed)
    net = nn.Sequential(nn.Linear(dim, 64), nn.Tanh(), nn.Linear(64, 64), nn.ReLU())
    net.append(nn.Linear(64, outputs))
    for p in net.parameters():
        p.data = torch.randn(p.shape, generator=generator) / (p.shape[-1] ** 0.5) * 1.5
    return net.eval()


def both(model: nn.Module) -> tuple[nn.Module, nn.Module]:
    """A model on the CPU, and a copy on the GPU."""
    return model, copy.deepcopy(model).to(DEVICE)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("method", ["auto", "exact", "kernel", "differences", "surrogate"])
def test_spectra_of_a_module_are_those_of_the_cpu(law: str, method: str) -> None:
    here, there = both(network(outputs=2))
    options = {"method": method, "tolerance": 0.02, "seed": 3}
    cpu = order_spectrum(here, LAWS[law], **options)
    gpu = order_spectrum(there, LAWS[law], **options)
    # How many functions a basis takes depends on what is drawn.
    assert gpu.method.split(" (")[0] == cpu.method.split(" (")[0]
    error = np.hypot(gpu.share_standard_error, cpu.share_standard_error)
    assert np.all(np.abs(gpu.share - cpu.share) < 4 * error + 1e-5)


def test_a_callable_is_measured_on_the_device_asked_for() -> None:
    seen = set()

    def product(x: torch.Tensor) -> torch.Tensor:
        seen.add(x.device.type)
        return x[:, 0] * x[:, 1] + x[:, 2]

    found = order_spectrum(product, Uniform(-1.0, 1.0, dim=12), device=DEVICE, tolerance=0.02)
    assert seen == {torch.device(DEVICE).type}
    assert np.all(np.abs(found.share[:2] - [0.75, 0.25]) < 4 * found.share_standard_error[:2])


def test_convolutions_are_measured_to_more_than_ten_bits() -> None:
    # Convolutions use TF32 unless told not to: ten bits, and other ones in batches of other sizes.
    class Convolved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = nn.Sequential(nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 32, 3))
            self.head = nn.Linear(32 * 4, 1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.head(torch.relu(self.net(x.reshape(-1, 1, 6, 6))).flatten(1))[:, 0]

    torch.manual_seed(0)
    here, there = both(Convolved().eval())
    law = Uniform(-1.0, 1.0, dim=36)
    options = {"method": "kernel", "tolerance": 0.05, "max_order": 2, "seed": 0}
    cpu, gpu = order_spectrum(here, law, **options), order_spectrum(there, law, **options)
    error = np.hypot(gpu.standard_error, cpu.standard_error)
    assert np.all(np.abs(gpu.variance - cpu.variance) < 4 * error)
    x = law.sample(64, generator=0, dtype=torch.float32)
    exact = copy.deepcopy(here).double()(x.double())
    bar = 2e-5 * exact.std()
    measured = Evaluator(there, law, seed=0)
    assert ((measured(x.to(DEVICE)) + measured.offset)[:, 0].cpu() - exact).abs().max() < bar


@pytest.mark.parametrize(
    "ask",
    [
        lambda f, law: mean_order(f, law, seed=1).mean_order,
        lambda f, law: superset_index(f, law, [(0, 1), (1, 2, 3)], seed=1)["share"],
        lambda f, law: list(subset_variances(f, law).values()),
        lambda f, law: strongest_interactions(f, law, seed=1).sort_values("subset")["share"],
    ],
    ids=["mean order", "superset index", "subset variances", "strongest"],
)
def test_other_answers_are_those_of_the_cpu(ask: Callable) -> None:
    here, there = (ask(model, LAWS["uniform"]) for model in both(network()))
    np.testing.assert_allclose(there, here, rtol=0.03, atol=0.01)


def test_the_terms_of_a_sum_of_products_are_found() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return x[:, 0] * x[:, 1] + 2 * x[:, 2] * x[:, 3] * x[:, 4]

    found = interaction_terms(function, LAWS["uniform"], max_order=3, device=DEVICE)
    assert found == [(0, 1), (2, 3, 4)]


DATA = {
    "samples": lambda dev: Samples(X.to(dev), Y.to(dev), batch_size=16),
    "all rows": lambda dev: Samples(X.to(dev), Y.to(dev)),
    "stream": lambda dev: Stream(Uniform(-1.0, 1.0, dim=4), lambda x: x[:, 0] * x[:, 1], 32, 0.1),
}
X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = torch.randn(64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_training_without_anything_random_is_that_of_the_cpu(optimizer: str) -> None:
    found = []
    for device in ("cpu", DEVICE):
        ensemble = MLPEnsemble((4, 16, 16, 1), seeds=[0, 1, 2], device=device, dtype=torch.float64)
        data = Samples(X.double().to(device), Y.double().to(device))
        options = {"optimizer": optimizer, "weight_decay": [0.0, 0.01, 0.1]}
        fit(ensemble, data, steps=20, learning_rate=1e-2, **options)
        found.append(ensemble(X.double().to(device)).detach().cpu())
    torch.testing.assert_close(found[1], found[0], rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("dropout", [Dropout(inputs=0.25), Dropout(hidden=0.5)], ids=["in", "hid"])
def test_recorded_training_is_training_step_by_step(
    data: str, dropout: Dropout, monkeypatch
) -> None:
    def trained() -> torch.Tensor:
        ensemble = MLPEnsemble(
            (4, 16, 16, 1), seeds=[0, 1, 2], dropout=dropout, device=DEVICE, dtype=torch.float64
        )
        options = {"learning_rate": 1e-2, "input_noise": 0.1}
        fit(ensemble, DATA[data](DEVICE), steps=20, **options)
        return ensemble(X.double().to(DEVICE)).detach()

    recorded = trained()
    monkeypatch.setattr(blocks, "Recorded", lambda function: function)
    torch.testing.assert_close(trained(), recorded, rtol=1e-9, atol=1e-12)


PENALTIES = {
    "noise sensitivity": {"rho": 0.25},
    "from order 2": {"weights": weights_from_order(2)},
    "survival": {"weights": weights_for_survival(0.5, 3)},
}


@pytest.mark.parametrize("name", PENALTIES)
def test_order_penalties_leave_on_the_gpu_what_they_leave_on_the_cpu(name: str) -> None:
    law = Uniform(-1.0, 1.0, dim=4)
    kept = []
    for device in ("cpu", DEVICE):
        ensemble = MLPEnsemble((4, 32, 32, 1), seeds=range(6), device=device)
        target = Stream(law, lambda x: 3 * x[:, 0] * x[:, 1] + x[:, 2] * 3**0.5, 256)
        penalty = OrderPenalty(law, **PENALTIES[name])
        options = {"learning_rate": 5e-3, "schedule": "cosine", "order_penalty": penalty}
        fit(ensemble, target, steps=800, **options)
        kept.append(order_spectrum(ensemble, law, max_order=2).variance[:, :2])
    error = np.hypot(*(v.std(axis=0) for v in kept)) / 6**0.5
    assert np.all(np.abs(kept[0].mean(axis=0) - kept[1].mean(axis=0)) < 4 * error + 0.01)


def test_a_batch_of_networks_is_each_network_alone() -> None:
    def trained(seeds: list[int]) -> torch.Tensor:
        ensemble = MLPEnsemble(
            (4, 16, 1),
            seeds=seeds,
            dropout=Dropout(hidden=0.25),
            device=DEVICE,
            dtype=torch.float64,
        )
        penalty = OrderPenalty(Uniform(-1.0, 1.0, dim=4), rho=0.5)
        data = Samples(X.to(DEVICE), Y.to(DEVICE), batch_size=16)
        fit(ensemble, data, steps=30, learning_rate=1e-2, order_penalty=penalty)
        return ensemble(X.double().to(DEVICE)).detach()

    together = trained([5, 6, 7])
    for i, seed in enumerate((5, 6, 7)):
        torch.testing.assert_close(trained([seed])[:, 0], together[:, i], rtol=1e-8, atol=1e-10)


def test_networks_stop_where_they_stop_on_the_cpu() -> None:
    steps = []
    for device in ("cpu", DEVICE):
        ensemble = MLPEnsemble((4, 16, 1), seeds=[0, 1], device=device, dtype=torch.float64)
        data = Samples(X.double().to(device), Y.double().to(device))
        result = fit(ensemble, data, steps=200, learning_rate=3e-2, stop=FirstRise(every=5))
        steps.append(result.steps.cpu().tolist())
    assert steps[0] == steps[1]


@pytest.mark.parametrize("rule", [Patience, Tolerance])
def test_other_rules_stop_on_the_gpu_too(rule: type) -> None:
    steps = []
    for device in ("cpu", DEVICE):
        data = Samples(X.double().to(device), Y.double().to(device))
        stop = Tolerance(0.05) if rule is Tolerance else Patience(data, patience=3, least=1e-4)
        ensemble = MLPEnsemble((4, 16, 1), seeds=[0, 1], device=device, dtype=torch.float64)
        result = fit(ensemble, data, steps=500, learning_rate=1e-2, stop=stop)
        steps.append(result.steps.cpu().tolist())
    assert steps[0] == steps[1]


def test_masked_streams_teach_what_is_shown() -> None:
    ensemble = MLPEnsemble((2, 32, 1), seeds=[0, 1], dropout=Dropout(inputs=0.5), device=DEVICE)
    law = Uniform(-1.0, 1.0, dim=2)
    stream = MaskedStream(law, lambda x, kept: 2 * (x * kept).sum(dim=-1), 256, by_importance=True)
    fit(ensemble, stream, steps=1000, learning_rate=5e-3, schedule="cosine")
    x = law.sample(256, generator=0, dtype=torch.float32).to(DEVICE)
    # Inverted dropout: kept inputs are doubled in training, so at test time half is left.
    gap = ensemble(x).detach() - x.sum(dim=1, keepdim=True)
    assert gap.square().mean().sqrt().item() < 0.05


@pytest.mark.parametrize("fresh", [False, True])
def test_the_penalty_is_that_of_the_cpu_and_has_a_gradient(fresh: bool) -> None:
    found = []
    for model in both(network().double()):
        device = next(model.parameters()).device
        penalty = OrderPenalty(LAWS["uniform"], rho=0.5, fresh=fresh)
        torch.manual_seed(0)
        x = LAWS["uniform"].sample(4096, generator=4).to(device)
        value = penalty(model, x)
        value.backward()
        assert value.device.type == device.type
        found.append(value.item())
        assert all(torch.isfinite(p.grad).all() for p in model.parameters())
    # Draws may be other ones there, of 4,096 rows each.
    assert found[1] == pytest.approx(found[0], rel=0.1)


def test_the_error_by_order_is_that_of_the_cpu() -> None:
    found = []
    for device in ("cpu", DEVICE):
        ensemble = MLPEnsemble((4, 16, 1), seeds=[0, 1, 2, 3], device=device)
        fit(ensemble, Samples(X.to(device), Y.to(device)), steps=20, learning_rate=1e-2)
        law = Uniform(-1.0, 1.0, dim=4)
        found.append(error_by_order(ensemble, lambda x: x[:, 0] * x[:, 1], law, max_order=3))
    for of in ("error", "bias", "variance"):
        a, b = (getattr(f, of) for f in found)
        np.testing.assert_allclose(b, a, atol=0.02 * found[0].test_error)


def test_labels_and_samples_may_lie_on_the_gpu() -> None:
    law = LAWS["uniform"]
    x = law.sample(2000, generator=0)
    y = x[:, 0] * x[:, 1] + x[:, 2]
    cpu = order_spectrum_from_samples(x, y, law, max_order=2)
    gpu = order_spectrum_from_samples(x.to(DEVICE), y.to(DEVICE), law, max_order=2)
    np.testing.assert_allclose(gpu.share, cpu.share, atol=1e-6)
    here, there = both(network())
    a = error_by_order([here, here], y, law, x=x)
    b = error_by_order([there, there], y.to(DEVICE), law, x=x.to(DEVICE))
    np.testing.assert_allclose(b.error, a.error, atol=1e-4 * a.test_error)


def test_rates_of_anyones_module_are_swept_on_the_gpu() -> None:
    def factory(rate: float) -> nn.Module:
        return nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Dropout(rate), nn.Linear(8, 1)).to(
            DEVICE
        )

    sweep = sweep_rates(
        factory, X.to(DEVICE), Y.to(DEVICE), rates=[0.0, 0.5], seeds=range(3), epochs=5
    )
    assert len(sweep.runs) == 2 * 3
    assert np.isfinite(sweep.to_frame()["error"]).all()
