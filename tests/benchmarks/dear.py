"""Where an evaluation is dear: the kernel with and without a surrogate, in one run.

    python -m tests.benchmarks.dear                 evaluations, errors and seconds of 10 networks
    python -m tests.benchmarks.dear --cheap         what `auto` costs where evaluations are cheap

The networks are those of tests/benchmarks/decomposition.py: 25 inputs, fit to noise. Errors are
root mean squares, over networks and seeds, against a long run of the plain kernel for each network,
with points and a basis of its own. Beside it is how far a run of mixed differences, which has
neither basis nor kernel, lies from that one, in standard errors of both. An evaluation of a
millisecond is one that sleeps, so seconds are those of the clock and say what a user waits.
"""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import torch
import typer
from torch import Tensor

from interactions import MLPEnsemble, order_spectrum

from .decomposition import INPUTS, ORDERS, machine, noise_networks, ours, spread, timed

PLAIN = 40_000
"""Evaluations that the kernel gets at least: with fewer than 38,569 it declines."""


def main(
    networks: int = typer.Option(10, help="Networks."),
    seeds: int = typer.Option(2, help="Measurements of each network."),
    reference_budget: int = typer.Option(2**19, help="Evaluations of the reference."),
    slow: int = typer.Option(2, help="Networks measured with evaluations of a millisecond."),
    cheap: bool = typer.Option(False, "--cheap", help="The cost of choosing instead."),
) -> None:
    """Print what was measured, on what machine."""
    print(machine("cpu"), flush=True)
    ensemble = noise_networks(networks, "cpu")
    if cheap:
        choosing(ensemble)
        return
    equal_evaluations(ensemble, seeds, reference_budget)
    waiting(ensemble.select(range(slow)))


def equal_evaluations(ensemble: MLPEnsemble, seeds: int, reference_budget: int) -> None:
    """To .01 with a surrogate, and without one from as many evaluations."""
    off: dict[str, list[np.ndarray]] = {"surrogate": [], "kernel": []}
    counts, seconds, inside, errors, apart = [], [], [], [], []
    for member in range(len(ensemble.seeds)):
        network = ensemble.select([member])
        long = {"tolerance": 0.002, "budget": reference_budget, "memory": 2**31}
        truth = ours("kernel", **long)(network, 10**6)
        other = ours("differences", tolerance=0.0, budget=16 * reference_budget)(network, 10**6)
        errors.append(truth.share_standard_error[0])
        both = np.hypot(errors[-1], other.share_standard_error[0])
        apart.append((other.share[0] - truth.share[0]) / both)
        for seed in range(seeds):
            start = time.process_time()
            found = ours("surrogate")(network, seed)
            seconds.append(time.process_time() - start)
            counts.append(found.evaluations)
            budget = max(found.evaluations, PLAIN)
            plain = ours("kernel", budget=budget)(network, seed)
            off["surrogate"].append(found.share[0] - truth.share[0])
            off["kernel"].append(plain.share[0] - truth.share[0])
            inside.append(np.abs(off["surrogate"][-1]) <= 2 * found.share_standard_error[0])
            print(
                f"  {member} {seed} {counts[-1]:,} {seconds[-1]:.1f} {found.converged}", flush=True
            )
    print("standard errors of the reference", np.mean(errors, axis=0).round(4))
    print("mixed differences apart, in errors of both", _root_mean_square(apart).round(2))
    print(f"\nto a standard error of .01: {spread(counts)} evaluations, {spread(seconds)} CPU s")
    table = {name: _root_mean_square(a) for name, a in off.items()}
    print(f"root mean squared error of the shares, from as many evaluations or {PLAIN:,}")
    frame = pd.DataFrame(table, index=ORDERS).assign(ratio=lambda t: t.surrogate / t.kernel)
    print(frame.round(4).T.to_string())
    print("within two of their own errors:", np.mean(inside, axis=0).round(3))


def _root_mean_square(rows: list[np.ndarray]) -> np.ndarray:
    return np.sqrt((np.array(rows) ** 2).mean(axis=0))


class Slow(torch.nn.Module):
    """A network whose evaluations take a millisecond each."""

    def __init__(self, network: MLPEnsemble) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        time.sleep(1e-3 * len(x))
        return self.network(x)


def waiting(ensemble: MLPEnsemble) -> None:
    """Seconds to .01 where an evaluation takes a millisecond."""
    print("\nseconds to .01 where an evaluation takes 1 ms")
    for member in range(len(ensemble.seeds)):
        taken = {}
        for method in ("surrogate", "auto", "kernel"):
            found, taken[method] = timed(
                order_spectrum, Slow(ensemble.select([member])).eval(), INPUTS, method=method
            )
            print(
                f"  {member} {method} {taken[method]:.1f} s, {found.evaluations:,}, {found.method}"
            )
        print(f"  {taken['surrogate'] / taken['kernel']:.2f} of the kernel's", flush=True)


def choosing(ensemble: MLPEnsemble) -> None:
    """CPU seconds of `auto` and of the kernel, in turns, where an evaluation takes some 60 ns."""
    ratios = []
    for seed in range(6):
        taken = {}
        for method in ("kernel", "auto") if seed % 2 else ("auto", "kernel"):
            start = time.process_time()
            ours(method)(ensemble.select([0]), seed)
            taken[method] = time.process_time() - start
        ratios.append(taken["auto"] / taken["kernel"])
    print(f"auto takes {spread(ratios)} of the kernel's CPU seconds")


if __name__ == "__main__":
    typer.run(main)
