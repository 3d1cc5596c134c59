"""Variance by interaction order: error and cost, beside peers, in one run.

    python -m tests.benchmarks.decomposition            25-input networks fit to noise, all methods
    python -m tests.benchmarks.decomposition --cost     seconds and memory as the problem grows
    python -m tests.benchmarks.decomposition --digits   a classifier of 784 pixels

Peers come with pip install "interactions[xgboost,peers]"; without them their rows are left out.
The networks are those of experiments/pure_noise.py, protocol released, rate 0. Errors are root mean
squares against a long run of mixed differences with a seed of its own, whose standard error is
printed first: an error near it says no more than that. Seconds are median [least - most].
"""

from __future__ import annotations

import importlib.util
import os
import platform
import resource
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import typer
from torch import Tensor, nn

from interactions import (
    Empirical,
    FirstRise,
    MLPEnsemble,
    OrderSpectrum,
    Samples,
    Uniform,
    fit,
    order_spectrum,
    order_spectrum_from_samples,
)
from interactions.anova import mean_order

INPUTS = Uniform(-1.0, 1.0, dim=25)
ORDERS = ["1", "2", "3", ">=4"]
Call = Callable[[MLPEnsemble, int], OrderSpectrum]


def main(
    networks: int = typer.Option(210, help="Networks of the ensemble."),
    references: int = typer.Option(3, help="Networks measured alone and by the reference."),
    repeats: int = typer.Option(3, help="Runs of each row, each with its own seed."),
    reference_budget: int = typer.Option(2**29, help="Evaluations of the reference."),
    peers: bool = typer.Option(True, help="Boosted trees and SALib too."),
    cost: bool = typer.Option(False, "--cost", help="The table of cost instead."),
    digits: bool = typer.Option(False, "--digits", help="The classifier of digits instead."),
    device: str = "cpu",
) -> None:
    """Print what was measured, on what machine."""
    print(machine(device), flush=True)
    if cost:
        cost_table(device)
    elif digits:
        digits_table(device)
    else:
        methods_table(networks, min(references, networks), repeats, reference_budget, peers, device)


def machine(device: str) -> str:
    name = platform.processor()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((s.split(": ")[1] for s in lines if s.startswith("model name")), name)
    gpu = f", {torch.cuda.get_device_name()}" if device.startswith("cuda") else ""
    return (
        f"{name}, {os.cpu_count()} cores, {torch.get_num_threads()} threads{gpu}; "
        f"torch {torch.__version__}, Python {platform.python_version()}"
    )


def timed(call: Callable, *args, **options) -> tuple[Any, float]:
    start = time.perf_counter()
    result = call(*args, **options)  # ends in numpy arrays, so a device has finished
    return result, time.perf_counter() - start


def spread(values: Sequence[float]) -> str:
    return f"{np.median(values):.3g} [{min(values):.3g} - {max(values):.3g}]"


# Methods ------------------------------------------------------------------------------------------


def noise_networks(n: int, device: str) -> MLPEnsemble:
    generator = torch.Generator().manual_seed(0)
    x = INPUTS.sample(1000, generator=generator, dtype=torch.float32)
    y = 5 * torch.randn(1000, generator=generator)
    ensemble = MLPEnsemble((25, 32, 32, 32, 1), seeds=range(n), device=device)
    fit(ensemble, Samples(x[:750], y[:750]), steps=10_000, stop=FirstRise())
    return ensemble


def ours(method: str, **options) -> Call:
    return lambda f, seed: order_spectrum(f, INPUTS, method=method, seed=seed, **options)


def methods_table(
    n: int, references: int, repeats: int, reference_budget: int, peers: bool, device: str
) -> None:
    ensemble, seconds = timed(noise_networks, n, device)
    print(f"{n} networks 25-32-32-32-1 fit to noise in {seconds:.0f} s")
    some = list(range(references))
    reference = ours("differences", tolerance=0.001, budget=reference_budget)
    truth, seconds = timed(reference, ensemble.select(some), 10**6)
    print(f"reference: {truth.method}, {truth.evaluations:,} evaluations, {seconds:.0f} s")
    print("  standard errors of its shares", truth.share_standard_error.max(axis=0).round(4))
    print("  shares of the first network", truth.share[0].round(3))
    alone, everyone = [[i] for i in some], [list(range(n))]
    rows = [
        ("kernel, alone", ours("kernel"), alone, repeats),
        (f"kernel, ensemble of {n}", ours("kernel"), everyone, repeats),
        ("differences, alone", ours("differences", budget=2**28), alone, 1),
    ]
    if peers and importlib.util.find_spec("xgboost"):
        for points in (1000, 20_000):
            trees = ours("distillation", budget=points)
            rows.append((f"boosted trees, {points:,} points", trees, alone, 1))
    table = {name: measure(call, ensemble, *how, truth.share) for name, call, *how in rows}
    print(f"\nShares of order {', '.join(ORDERS)} to a standard error of .01")
    print(pd.DataFrame({name: row["shown"] for name, row in table.items()}).T.to_string())
    print("\nGoals on 2 cores")
    single, together = table["kernel, alone"], table[f"kernel, ensemble of {n}"]
    print(f"  one network          {single['seconds']:8.2f} s (at most 3)")
    print(f"  ensemble, a network  {together['seconds']:8.2f} s (at most 0.4)")
    if trees := table.get("boosted trees, 20,000 points"):
        worse, longer = (trees[k] / together[k] for k in ("error", "seconds"))
        print(f"  trees on 20,000 points: error {worse:.1f} times the kernel's (at least 10)")
        print(f"  and {longer:.1f} times its seconds in the ensemble (at least 10)")
    if peers and importlib.util.find_spec("SALib"):
        second_order(ensemble.select([0]), truth.share[0, 1], repeats=16)


def measure(
    call: Call, ensemble: MLPEnsemble, groups: list[list[int]], repeats: int, truth: np.ndarray
) -> dict:
    """Errors, over the networks with a reference, and seconds a network."""
    off, claimed, seconds, evaluations = [], [], [], []
    for group in groups:
        for seed in range(repeats):
            spectrum, taken = timed(call, ensemble.select(group), seed)
            known = [row for row, member in enumerate(group) if member < len(truth)]
            off.append(spectrum.share[known] - truth[[group[row] for row in known]])
            claimed.append(spectrum.share_standard_error[known])
            seconds.append(taken / len(group))
            evaluations.append(spectrum.evaluations)
    off, claimed = (np.sqrt((np.concatenate(a) ** 2).mean(axis=0)) for a in (off, claimed))
    shown = {"evaluations": f"{np.median(evaluations):,.0f}", "s a network": spread(seconds)}
    shown |= {f"error {k}": f"{e:.4f}" for k, e in zip(ORDERS, off, strict=True)}
    shown["claimed"] = " ".join(f"{e:.4f}" for e in claimed)
    shown["runs"] = len(seconds)
    rms = float(np.sqrt((off**2).mean()))
    return {"shown": shown, "error": rms, "seconds": np.median(seconds)}


def second_order(network: MLPEnsemble, truth: float, *, repeats: int) -> None:
    """Evaluations at which the sum of second-order indices is right to .01."""
    print(f"\nSum of second-order indices to .01, from the spread of {repeats} runs; {truth:.3f}")
    rows = []
    runs = [("SALib", salib, 2 * INPUTS.dim + 2, (8, 10, 12))]
    runs += [("kernel, plain samples", kernel, 1, (12, 13, 14, 15, 16))]
    for name, call, price, sizes in runs:
        for n in (2**log2 for log2 in sizes):
            found, seconds = zip(
                *(timed(call, network, n, s + 1) for s in range(repeats)), strict=True
            )
            rows.append((name, price * n, np.array(found), np.median(seconds)))
    for name, points, found, seconds in rows:
        error = np.sqrt(np.mean((found - truth) ** 2))
        print(
            f"  {name:<22} {points:>10,} evaluations  mean {found.mean():7.3f}  "
            f"spread {found.std(ddof=1):.4f}  error {error:.4f}  {seconds:.2f} s"
        )
    # Each size of SALib's says what it needs, its spread falling as the root of the evaluations;
    # the kernel's falls faster at first, so a power law is fit to its errors.
    needed = np.mean([p * (f.std(ddof=1) / 0.01) ** 2 for _, p, f, _ in rows[:3]])
    errors = [np.log(np.mean((f - truth) ** 2)) / 2 for *_, f, _ in rows[3:]]
    law = np.polyfit(errors, np.log([p for _, p, *_ in rows[3:]]), 1)
    enough = np.exp(np.polyval(law, np.log(0.01)))
    print(
        f"  to .01 SALib needs {needed:.2g} evaluations, the kernel {enough:,.0f}: "
        f"{needed / enough:,.0f} times fewer (at least 100,000)"
    )
    chosen = ours("kernel", max_order=2)(network, 0)
    print(f"  order_spectrum, stopping by itself, {chosen.evaluations:,}, all shares within .01")


def salib(network: MLPEnsemble, n: int, seed: int) -> float:
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    names = [str(j) for j in range(INPUTS.dim)]
    problem = {"num_vars": INPUTS.dim, "names": names, "bounds": [[-1, 1]] * INPUTS.dim}
    x = sampling.sample(problem, n, calc_second_order=True, seed=seed)
    y = values(network, torch.as_tensor(x, dtype=torch.float32, device=network.flat.device))
    # Two bootstrap samples instead of its 100: the least it takes, in its favour.
    found = analysis.analyze(problem, y[:, 0].double().cpu().numpy(), num_resamples=2, seed=seed)
    return float(np.nansum(found["S2"]))


def kernel(network: MLPEnsemble, n: int, seed: int) -> float:
    generator = torch.Generator(network.flat.device).manual_seed(seed)
    x = INPUTS.sample(n, generator=generator, dtype=torch.float32)
    spectrum = order_spectrum_from_samples(x, values(network, x), INPUTS, max_order=2)
    return float(spectrum.share[0, 1])


def values(network: nn.Module, x: Tensor) -> Tensor:
    with torch.no_grad():
        return torch.cat([network(part) for part in x.split(2**16)])


# Cost ---------------------------------------------------------------------------------------------


def cost_table(device: str) -> None:
    """One thing varied at a time around d = 25, N = 2^13, m = 10, K = 3; the bound, at m = 210."""
    base = {"d": 25, "N": 2**13, "m": 10, "K": 3, "bound": 2**28}
    varied = {
        "d": (10, 25, 100, 784),
        "N": (2**11, 2**15, 2**17),
        "m": (1, 210),
        "K": (2,),
        "bound": (2**26, 2**30),
    }
    print("\norder_spectrum_from_samples of N points in d inputs, m functions, orders 1 .. K;")
    print("peak memory beyond the points, the values and what a small call needs")
    print("    d       N    m  K  bound MiB  seconds  peak MiB", flush=True)
    # A process per cell, as the largest memory a process ever used never falls again.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), max_tasks_per_child=1) as pool:
        for name, options in varied.items():
            for option in options:
                cell = {**base, name: option}
                if name == "bound":
                    cell["m"] = 210
                seconds, peak = pool.submit(cost_cell, **cell, device=device).result()
                *sizes, bound = cell.values()
                shown = "{:5} {:7,} {:4} {:2}".format(*sizes)
                print(f"{shown} {bound / 2**20:10.0f} {seconds:8.2f} {peak:9.0f}", flush=True)


def cost_cell(d: int, N: int, m: int, K: int, bound: int, device: str) -> tuple[float, float]:
    inputs = Uniform(-1.0, 1.0, dim=d)
    generator = torch.Generator(device).manual_seed(0)
    x = inputs.sample(N, generator=generator, dtype=torch.float32)
    w = torch.randn(d, m, generator=generator, device=device) * (6 / d) ** 0.5
    y = torch.cos(x @ w + 1)
    order_spectrum_from_samples(x[:512], y[:512], inputs, max_order=K, memory=bound)
    before = peak_memory(device)
    _, seconds = timed(order_spectrum_from_samples, x, y, inputs, max_order=K, memory=bound)
    return seconds, (peak_memory(device) - before) / 2**20


def peak_memory(device: str) -> float:
    if device.startswith("cuda"):
        return torch.cuda.max_memory_allocated()
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# Digits -------------------------------------------------------------------------------------------


def digit_images() -> tuple[str, Tensor, Tensor]:
    """MNIST's training images in [0, 1] and their labels, or sparse pixels of a made-up kind."""
    path = Path(os.environ.get("INTERACTIONS_DATA", ".")) / "mnist" / "mnist.npz"
    if path.exists():
        with np.load(path) as data:
            x, y = data["x_train"].reshape(-1, 784) / 255, data["y_train"]
        return "MNIST", torch.as_tensor(x, dtype=torch.float32), torch.as_tensor(y).long()
    generator = torch.Generator().manual_seed(0)
    place = torch.linspace(-2, 2, 28)
    lit = 0.6 * torch.exp(-(place[:, None] ** 2) - place[None] ** 2).flatten()
    on = torch.rand(60_000, 784, generator=generator) < lit
    x = on * torch.rand(60_000, 784, generator=generator)
    return "sparse pixels", x, (x @ torch.randn(784, 10, generator=generator)).argmax(dim=1)


def digits_table(device: str) -> None:
    name, x, y = digit_images()
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(784, 64), nn.ReLU(), nn.Linear(64, 10))
    optimizer = torch.optim.Adam(network.parameters())
    for _ in range(3):
        for rows in torch.randperm(len(x)).split(128):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(x[rows]), y[rows]).backward()
            optimizer.step()
    network.eval().to(device)
    inputs, seconds = timed(Empirical, x)
    print(f"logits of a 784-64-10 classifier of {name}; marginals sorted in {seconds:.1f} s")
    # Mixed differences visit all 306,936 pairs, so they check the first order only.
    for method, order in (("kernel", 2), ("differences", 1)):
        options = {"max_order": order, "method": method, "tolerance": 0.05}
        spectrum, seconds = timed(order_spectrum, network, inputs, **options)
        each = zip(spectrum.order_names, spectrum.share.mean(axis=0), strict=True)
        print(
            f"  {method}, orders to {order}: " + ", ".join(f"V_{k} {s:.3f}" for k, s in each),
            f"(± {spectrum.share_standard_error.max(axis=0).round(3)}),",
            f"{spectrum.evaluations:,} evaluations, {seconds:.0f} s, {spectrum.converged=},",
            f"left out at most {np.max(spectrum.left_out):.3f}",
            flush=True,
        )
    mean, seconds = timed(mean_order, network, inputs)
    print(
        f"  mean order {mean.mean_order.mean():.3f} (± {mean.standard_error.max():.3f}),",
        f"{mean.evaluations:,} evaluations, {seconds:.0f} s",
    )
    print("  shares are means over the ten logits, errors the largest of them")


if __name__ == "__main__":
    typer.run(main)
