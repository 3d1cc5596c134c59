"""How fast is a sweep as one network, against the same networks one by one in plain torch?

Run `python tests/benchmarks/training.py` (about 2 minutes on 2 cores), with `--fig5` for the whole
training behind the paper's Fig 5 as well (10 minutes). Every comparison is made in one process,
the two sides taking turns; printed are medians over repeats with the least and the most. The
floor is the time of the matrix products alone, of the same shapes, batched over all members.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from torch import nn

from interactions import Dropout, FirstRise, MLPEnsemble, Samples, Tolerance, Uniform, fit

RATES = (0.0, 0.125, 0.25, 0.375, 0.5, 0.625, 0.75)
EVERY_STEP = Tolerance(0.0, of="loss")
"""Looks at the loss after every step, and stops nobody."""


def data(device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """750 of 1000 points of the paper's pure noise."""
    x = Uniform(-1.0, 1.0, dim=25).sample(1000, generator=0, dtype=torch.float32)
    y = 5 * torch.randn(1000, generator=torch.Generator().manual_seed(0))
    return x[:750].to(device), y[:750].to(device)


def sweep(width: int, device: str, placements: tuple[str, ...] = ("hidden",)) -> MLPEnsemble:
    """Ten networks for each rate and placement."""
    cells = [(p, r) for p in placements for r in RATES for _ in range(10)]
    return MLPEnsemble(
        (25, width, width, width, 1),
        seeds=range(len(cells)),
        dropout=[
            Dropout(
                inputs=r if p in ("inputs", "both") else 0.0,
                hidden=r if p in ("hidden", "both") else 0.0,
            )
            for p, r in cells
        ],
        device=device,
    )


def synchronise(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def batched(width: int, batch_size: int | None, steps: int, device: str) -> float:
    """Seconds per network and step of `fit`."""
    x, y = data(device)
    net = sweep(width, device)
    samples = Samples(x, y, batch_size)
    stop = EVERY_STEP if batch_size is None else None
    fit(net, samples, steps=2, stop=stop)
    synchronise(device)
    start = time.perf_counter()
    result = fit(net, samples, steps=steps, stop=stop)
    synchronise(device)
    seconds = time.perf_counter() - start
    return seconds / result.steps.sum().item()


def sequential(width: int, batch_size: int | None, steps: int, device: str) -> float:
    """Seconds per network and step of a plain loop, over one network for each rate."""
    x, y = data(device)
    seconds = 0.0
    for rate in RATES:
        layers: list[nn.Module] = []
        for i, (fan_in, fan_out) in enumerate(pairwise((25, width, width, width, 1))):
            layers += [nn.ReLU(), nn.Dropout(rate)] if i > 0 else []
            layers += [nn.Linear(fan_in, fan_out)]
        net = nn.Sequential(*layers).to(device)
        optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
        taken = -2  # the first two warm up
        while taken < steps:
            n = len(x)
            batches = [None] if batch_size is None else torch.randperm(n, device=x.device)
            for rows in batches if batch_size is None else batches.split(batch_size):
                if taken == 0:
                    synchronise(device)
                    start = time.perf_counter()
                xs, ys = (x, y) if rows is None else (x[rows], y[rows])
                net.train()
                optimizer.zero_grad()
                (net(xs).squeeze(-1) - ys).square().mean().backward()
                optimizer.step()
                if batch_size is None:
                    net.eval()
                    with torch.no_grad():
                        (net(x).squeeze(-1) - y).square().mean().item()
                taken += 1
                if taken == steps:
                    break
        synchronise(device)
        seconds += time.perf_counter() - start
    return seconds / (steps * len(RATES))


def floor(width: int, batch_size: int | None, steps: int, device: str) -> float:
    """Seconds per network and step of the matrix products: forward, backward and evaluation."""
    members, rows = 10 * len(RATES), batch_size or 750
    products = []
    for i, (fan_in, fan_out) in enumerate(pairwise((25, width, width, width, 1))):
        h, w, d = (
            torch.randn(members, *shape, device=device)
            for shape in ((rows, fan_in), (fan_in, fan_out), (rows, fan_out))
        )
        products.append((h, w, torch.empty_like(d)))
        products.append((h.transpose(1, 2), d, torch.empty_like(w)))
        if i > 0:
            products.append((d, w.transpose(1, 2), torch.empty_like(h)))
        if batch_size is None:
            # Without dropout the evaluation is the next step's forward pass.
            drops = members - 10
            products.append((h[:drops], w[:drops], torch.empty_like(d)[:drops]))
    for a, b, out in products:
        torch.bmm(a, b, out=out)
    synchronise(device)
    start = time.perf_counter()
    for _ in range(steps):
        for a, b, out in products:
            torch.bmm(a, b, out=out)
    synchronise(device)
    return (time.perf_counter() - start) / (steps * members)


def milliseconds(values: list[float]) -> str:
    low, middle, high = (1e3 * f(values) for f in (min, statistics.median, max))
    return f"{middle:8.4f} ({low:.4f} to {high:.4f})"


def compare(name: str, sides: dict[str, Callable[[], float]], repeats: int) -> None:
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for _ in range(repeats):
        for side, run in sides.items():
            seconds[side].append(run())
    print(f"\n{name}: ms per network and step, median (least to most) of {repeats}")
    for side, values in seconds.items():
        print(f"  {side:12s}{milliseconds(values)}")
    ratios = [b / a for a, b in zip(seconds["batched"], seconds["sequential"], strict=True)]
    share = statistics.median(seconds["floor"]) / statistics.median(seconds["batched"])
    spread = f"({min(ratios):.1f} to {max(ratios):.1f})"
    print(f"  batched is {statistics.median(ratios):.1f} times faster {spread}")
    print(f"  the floor of the matrix products is {share:.0%} of its time", flush=True)


def fig5(steps: int, stop: FirstRise | None, device: str) -> None:
    x, y = data(device)
    net = sweep(32, device, ("hidden", "inputs", "both"))
    start = time.perf_counter()
    result = fit(net, Samples(x, y), steps=steps, stop=stop)
    synchronise(device)
    seconds = time.perf_counter() - start
    taken = result.steps.sum().item()
    reasons = {reason: result.reason.count(reason) for reason in sorted(set(result.reason))}
    print(
        f"\nFig 5, {net.members} networks, {reasons}: {seconds:.1f} s, "
        f"{taken} network steps, {1e3 * seconds / taken:.4f} ms each",
        flush=True,
    )


def machine(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    info = Path("/proc/cpuinfo")
    models = [line for line in info.read_text().splitlines() if "model name" in line] or [":"]
    return models[0].split(":")[1].strip() or platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--fig5", action="store_true", help="train the networks of Fig 5 too")
    options = parser.parse_args()
    device = options.device
    print(
        f"{machine(device)}, {torch.get_num_threads()} threads, torch {torch.__version__}, "
        f"Python {platform.python_version()}"
    )
    for name, width, batch_size, steps, steps_one in (
        ("3 x 32, full batch, evaluation each step", 32, None, 100, 40),
        ("3 x 128, full batch, evaluation each step", 128, None, 10, 10),
        ("3 x 32, batches of 32", 32, 32, 400, 100),
    ):
        compare(
            f"70 networks of {name}",
            {
                "batched": lambda w=width, b=batch_size, s=steps: batched(w, b, s, device),
                "sequential": lambda w=width, b=batch_size, s=steps_one: sequential(
                    w, b, s, device
                ),
                "floor": lambda w=width, b=batch_size, s=steps: floor(w, b, s, device),
            },
            options.repeats,
        )
    if options.fig5:
        fig5(10_000, FirstRise(), device)
        fig5(4000, None, device)


if __name__ == "__main__":
    main()
