"""What the peers are measured on: three trained networks and two planted functions, with truths.

Every function maps points [n, d] in (-1, 1)^d to values [n], all arrays of numpy's. The truth of a
planted function is a closed form. That of a network is found in two ways: by a long run of this
package, which may share the faults of the method that is compared, and by a plain Monte Carlo mean
that knows no basis and is code of its own. There V_u is 2^-|u| times the mean, over pairs of
backgrounds of the other inputs, of the product of the mixed differences of f on u before either
(Liu & Owen, J. Am. Stat. Assoc. 101, 2006), and a random u of k inputs stands for all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from interactions import FirstRise, MLPEnsemble, Samples, Uniform, fit
from interactions.planted import PlantedInteractions, g_function

Function = Callable[[np.ndarray], np.ndarray]

ORDERS = ("1", "2", "3", ">3")
"""What shares are told of."""
BACKGROUNDS = {1: 16, 2: 16, 3: 64}
"""Backgrounds of a mixed difference by order: more take out the noise of the other inputs."""
PIECE = 2**8
"""Mixed differences that are taken at once."""
PLAIN = 2**20
"""Plain points for the total variance."""
MOST = 2**26
"""Evaluations for one order at most."""


class Shares(NamedTuple):
    """Shares of variance of orders 1, 2, 3 and above, [4], and what is stated of their errors.

    NaN where nothing is told.
    """

    share: np.ndarray
    error: np.ndarray = np.full(4, np.nan)


class Counted:
    """A function that counts its evaluations."""

    def __init__(self, function: Function) -> None:
        self.function, self.evaluations = function, 0

    def __call__(self, x: np.ndarray) -> np.ndarray:
        self.evaluations += len(x)
        return self.function(x)


@dataclass(frozen=True)
class Network:
    """A trained network on arrays; it can be sent to another process."""

    modules: nn.Sequential

    def __call__(self, x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            parts = torch.as_tensor(x, dtype=torch.float32).split(2**14)
            return torch.cat([self.modules(part)[:, 0] for part in parts]).double().numpy()


def network(dim: int) -> Network:
    """A network of `dim` inputs, trained for some seconds by this package.

    That of 25 inputs on noise, as the paper's are; the others on interactions of orders 1 to 3,
    which so few data let it learn only roughly.
    """
    inputs = Uniform(-1.0, 1.0, dim=dim)
    generator = torch.Generator().manual_seed(dim)
    x = inputs.sample(1000, generator=generator, dtype=torch.float32)
    if dim == 25:
        sizes, stop = (dim, 32, 32, 32, 1), FirstRise()
        y = 5 * torch.randn(len(x), generator=generator)
    else:
        sizes, stop = (dim, 64, 64, 1), None
        y = PlantedInteractions(inputs, {1: 1.0, 2: 1.0, 3: 1.0}, {1: 8, 2: 8, 3: 8}, seed=dim)(x)
    networks = MLPEnsemble(sizes, seeds=[dim])
    fit(networks, Samples(x, y), steps=STEPS[dim], stop=stop)
    return Network(networks.member(0))


STEPS = {10: 1000, 25: 10_000, 64: 300}
"""Steps of training at most; that on noise ends where its loss first rises."""

PLANTED = PlantedInteractions(
    Uniform(-1.0, 1.0, dim=25),
    {1: 1.0, 2: 1.0, 3: 1.0, 4: 0.5},
    {1: 10, 2: 10, 3: 10, 4: 5},
)
KINKED = g_function((0.0, 0.5, 1.0, 1.0, 4.5, 9.0, 99.0, 99.0))


def planted(x: np.ndarray) -> np.ndarray:
    return PLANTED(torch.as_tensor(x)).numpy()


def kinked(x: np.ndarray) -> np.ndarray:
    return KINKED(torch.as_tensor((x + 1) / 2)).numpy()


@dataclass(frozen=True)
class Case:
    """A function, and the shares that are known of it.

    Of a network they are found to tolerances: of a long run, and of mixed differences.
    """

    dim: int
    make: Callable[[], Function]
    known: Callable[[], np.ndarray] | None = None
    tolerances: tuple[float, float] = (0.0, 0.0)


CASES = {
    "network of 10 inputs": Case(10, partial(network, 10), tolerances=(0.002, 0.005)),
    "network of 25 inputs, fit to noise": Case(25, partial(network, 25), tolerances=(0.005, 0.004)),
    "network of 64 inputs": Case(64, partial(network, 64), tolerances=(0.01, 0.003)),
    "planted products of 25 inputs": Case(
        25, lambda: planted, lambda: PLANTED.spectrum(PLANTED.inputs, 3).share
    ),
    "Sobol's G of 8 inputs": Case(
        8, lambda: kinked, lambda: KINKED.spectrum(Uniform(0.0, 1.0, dim=8), 3).share
    ),
}


def mixed_differences(
    function: Function, dim: int, *, order: int, n: int, rng: np.random.Generator
) -> np.ndarray:
    """Estimates of the variance of one order, without bias, [n]: each of one random subset.

    Takes `BACKGROUNDS` · 2^order evaluations each.
    """
    corners = np.array(list(np.ndindex(*[2] * order)), dtype=bool)
    signs = (-1.0) ** corners.sum(axis=1)
    backgrounds = BACKGROUNDS[order]
    found = []
    for start in range(0, n, PIECE):
        m = min(PIECE, n - start)
        subset = np.argsort(rng.random((m, dim)), axis=1)[:, :order]
        ends = rng.uniform(-1, 1, (2, m, order))
        x = np.empty((len(corners), backgrounds, m, dim))
        x[:] = rng.uniform(-1, 1, (backgrounds, m, dim))
        for at, corner in zip(x, corners, strict=True):
            at[:, np.arange(m)[:, None], subset] = np.where(corner, ends[1], ends[0])
        y = function(x.reshape(-1, dim)).reshape(len(corners), backgrounds, m)
        difference = np.tensordot(signs, y, axes=1)
        pairs = difference.sum(axis=0) ** 2 - (difference**2).sum(axis=0)
        found.append(pairs / (backgrounds * (backgrounds - 1) * 2**order))
    return math.comb(dim, order) * np.concatenate(found)


def by_differences(function: Function, dim: int, *, tolerance: float, seed: int = 0) -> Shares:
    """Shares by mixed differences and `PLAIN` points, and their standard errors.

    As many as bring orders 1 to 3 to the tolerance, or take `MOST` evaluations an order.
    """
    rng = np.random.default_rng(seed)
    square = function(rng.uniform(-1, 1, (PLAIN, dim)))
    square = (square - square.mean()) ** 2
    total = square.mean()
    share, error = np.empty(3), np.empty(3)
    for k in (1, 2, 3):
        n, most = 4 * PIECE, MOST // (BACKGROUNDS[k] * 2**k)
        found = mixed_differences(function, dim, order=k, n=n, rng=rng) / total
        while (off := found.std() / math.sqrt(len(found))) > tolerance and len(found) < most:
            # Double at most, for the error is rough where few subsets carry much.
            n = min(len(found), most - len(found))
            more = mixed_differences(function, dim, order=k, n=n, rng=rng) / total
            found = np.append(found, more)
        share[k - 1], error[k - 1] = found.mean(), off
    relative = square.std() / math.sqrt(len(square)) / total
    # The total's error is common to all of them.
    above = np.sqrt((error**2).sum() + (share.sum() * relative) ** 2)
    error = np.sqrt(error**2 + (share * relative) ** 2)
    return Shares(np.append(share, 1 - share.sum()), np.append(error, above))
