"""How this package and each peer tell the shares of orders 1, 2, 3 and above from a bounded budget.

A method takes a function of points [n, d] in (-1, 1)^d, its number of inputs, the evaluations it
may take and a seed; it returns shares, NaN where it tells none, and raises ValueError where the
budget does not suffice. Each peer is used as its own documentation does, and where there is a
choice in its favour: bases as rich as its points allow, bootstraps as small as it takes. What a
polynomial chaos leaves unexplained, by degrees of freedom, counts as above its orders.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import itertools
import math
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse.linalg import lsmr

from interactions import OrderSpectrum, Uniform, order_spectrum, order_spectrum_from_samples
from tests.benchmarks.peer_functions import Function, Shares

MOST_TERMS = 4000
"""Terms of OpenTURNS' chaos at most: more take minutes and gigabytes."""
MOST_EXPANDED = 500
"""Terms of chaospy's, which holds each as a polynomial of all inputs."""
TERMS_TO_POINTS = 1 / 3
"""Terms of a regression to its points at most: as many as points leave no error to choose by."""
ITERATIONS = 60
"""Steps by which the scales of the Gaussian process are fit."""
REACHED = 1.5
"""Our tolerance, for which a basis is chosen: so much over the root of the budget."""


def uniform(n: int, dim: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(-1, 1, (n, dim))


def on_tensors(f: Function) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda x: torch.as_tensor(f(x.numpy()))


# This package -------------------------------------------------------------------------------------


def surrogate(f: Function, dim: int, budget: int, seed: int) -> Shares:
    return _ours(f, dim, budget, seed, "surrogate")


def kernel(f: Function, dim: int, budget: int, seed: int) -> Shares:
    return _ours(f, dim, budget, seed, "kernel")


def boosted_trees(f: Function, dim: int, budget: int, seed: int) -> Shares:
    return _ours(f, dim, budget, seed, "distillation")


def _ours(f: Function, dim: int, budget: int, seed: int, method: str) -> Shares:
    return _told(
        order_spectrum(
            on_tensors(f),
            Uniform(-1.0, 1.0, dim=dim),
            max_order=3,
            method=method,
            tolerance=REACHED / math.sqrt(budget),
            budget=budget,
            seed=seed,
        )
    )


def samples(f: Function, dim: int, budget: int, seed: int) -> Shares:
    x = uniform(budget, dim, seed)
    return _told(order_spectrum_from_samples(x, f(x), Uniform(-1.0, 1.0, dim=dim), seed=seed))


def _told(spectrum: OrderSpectrum) -> Shares:
    return Shares(spectrum.share, spectrum.share_standard_error)


# Sobol' designs -----------------------------------------------------------------------------------


def salib(f: Function, dim: int, budget: int, seed: int) -> Shares:
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    n = _power_of_two(budget, 2 * dim + 2)
    names = [str(j) for j in range(dim)]
    problem = {"num_vars": dim, "names": names, "bounds": [[-1, 1]] * dim}
    # It takes a seed of 0 for none.
    x = sampling.sample(problem, n, calc_second_order=True, seed=seed + 1)
    # Two bootstrap samples instead of its 100: the least it takes, in its favour.
    found = analysis.analyze(problem, f(x), num_resamples=2, seed=seed + 1)
    return Shares(np.array([found["S1"].sum(), np.nansum(found["S2"]), np.nan, np.nan]))


def scipy_sobol(f: Function, dim: int, budget: int, seed: int) -> Shares:
    from scipy import stats

    n = _power_of_two(budget, dim + 2)
    found = stats.sobol_indices(
        func=lambda x: f(x.T), n=n, dists=[stats.uniform(-1, 2)] * dim, rng=seed
    )
    return Shares(np.array([found.first_order.sum(), np.nan, np.nan, np.nan]))


def _power_of_two(budget: int, price: int) -> int:
    """Points of a Sobol' sequence, each for so many evaluations: 4 at least."""
    if budget < 4 * price:
        raise ValueError(f"needs {4 * price:,} evaluations at least")
    return 2 ** int(math.log2(budget / price))


# Polynomial chaos ---------------------------------------------------------------------------------


def openturns_full(f: Function, dim: int, budget: int, seed: int) -> Shares:
    return _openturns(f, dim, budget, seed, sparse=False)


def openturns_sparse(f: Function, dim: int, budget: int, seed: int) -> Shares:
    return _openturns(f, dim, budget, seed, sparse=True)


def _openturns(f: Function, dim: int, budget: int, seed: int, *, sparse: bool) -> Shares:
    import openturns as ot

    ot.TBB.Disable()
    x = uniform(budget, dim, seed)
    y = f(x)
    most = min(MOST_TERMS, budget * TERMS_TO_POINTS)
    size = math.comb(dim + _degree(dim, most), dim)
    terms = ot.LinearEnumerateFunction(dim)
    law = ot.JointDistribution([ot.Uniform(-1, 1)] * dim)
    basis = ot.OrthogonalProductPolynomialFactory([ot.LegendreFactory()] * dim, terms)
    selection = ot.LeastSquaresMetaModelSelectionFactory(ot.LARS(), ot.CorrectedLeaveOneOut())
    fitted = ot.FunctionalChaosAlgorithm(
        x,
        y[:, None],
        law,
        ot.FixedStrategy(basis, size),
        ot.LeastSquaresStrategy(selection) if sparse else ot.LeastSquaresStrategy(),
    )
    fitted.run()
    result = fitted.getResult()
    orders = np.array([np.count_nonzero(terms(i)) for i in result.getIndices()])
    left = np.array(result.getSampleResiduals())[:, 0]
    return _by_order(np.array(result.getCoefficients())[:, 0], orders, left)


def numpy_chaos(f: Function, dim: int, budget: int, seed: int) -> Shares:
    """The same regression as OpenTURNS' full chaos, by iterations of least squares."""
    x = uniform(budget, dim, seed)
    y = f(x)
    degree = _degree(dim, min(MOST_TERMS, budget * TERMS_TO_POINTS))
    one = np.polynomial.legendre.legvander(x, degree) * np.sqrt(2 * np.arange(degree + 1) + 1)
    terms = [()]
    columns = [np.ones(budget)]
    for inputs, powers in _terms(dim, degree):
        terms.append(inputs)
        columns.append(math.prod(one[:, j, p] for j, p in zip(inputs, powers, strict=True)))
    basis = np.array(columns)
    centre = y.mean()
    coefficients = lsmr(basis.T, y - centre, atol=1e-9, btol=1e-9, maxiter=1000)[0]
    left = y - centre - coefficients @ basis
    return _by_order(coefficients, np.array([len(t) for t in terms]), left)


def _terms(dim: int, degree: int) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Inputs and powers of every product of total degree 1 to `degree`."""
    for order in range(1, min(dim, degree) + 1):
        shapes = [
            p for p in itertools.product(range(1, degree + 1), repeat=order) if sum(p) <= degree
        ]
        for inputs in itertools.combinations(range(dim), order):
            for powers in shapes:
                yield inputs, powers


def chaospy_chaos(f: Function, dim: int, budget: int, seed: int) -> Shares:
    import chaospy
    import numpoly

    x = uniform(budget, dim, seed)
    y = f(x)
    degree = _degree(dim, min(MOST_EXPANDED, budget * TERMS_TO_POINTS))
    law = chaospy.Iid(chaospy.Uniform(-1, 1), dim)
    basis = chaospy.generate_expansion(degree, law, normed=True)
    _, coefficients, terms = chaospy.fit_regression(basis, x.T, y, retall=2)
    # A term's order is that of its leading monomial.
    exponents = np.array([numpoly.lead_exponent(term, graded=True) for term in basis])
    orders = np.count_nonzero(exponents.reshape(len(exponents), -1), axis=1)
    return _by_order(coefficients, orders, y - terms @ coefficients)


def _degree(dim: int, most: float) -> int:
    """Largest total degree whose polynomials are at most so many."""
    degree = 0
    while math.comb(dim + degree + 1, dim) <= most:
        degree += 1
    if degree == 0:
        raise ValueError(f"needs {(dim + 1) / TERMS_TO_POINTS:,.0f} evaluations at least")
    return degree


def _by_order(coefficients: np.ndarray, orders: np.ndarray, left: np.ndarray) -> Shares:
    """Shares of an orthonormal basis's squared coefficients; what was left [n] is above."""
    squares = np.bincount(np.minimum(orders, 4), coefficients**2, minlength=5)[1:]
    squares[3] += (left**2).sum() / max(len(left) - len(coefficients), 1)
    return Shares(squares / squares.sum())


# Other surrogates ---------------------------------------------------------------------------------


def tensor_train(f: Function, dim: int, budget: int, seed: int) -> Shares:
    """Cross interpolation on a grid of Gauss's nodes, two sweeps; its dimension distribution."""
    import tntorch

    nodes, weights = np.polynomial.legendre.leggauss(5)
    # Every sweep goes both ways, and takes rank^2 evaluations a node; 100 points end it.
    price = 2 * 2 * dim * len(nodes)
    if budget < price + 100:
        raise ValueError(f"needs {price + 100:,} evaluations at least")
    torch.manual_seed(seed)
    np.random.seed(seed)
    with contextlib.redirect_stdout(io.StringIO()), in_float64():
        train = tntorch.cross(
            function=on_tensors(f),
            domain=[torch.as_tensor(nodes)] * dim,
            function_arg="matrix",
            ranks_tt=int(math.sqrt((budget - 100) / price)),
            kickrank=None,
            max_iter=2,
            val_size=100,
            verbose=False,
            suppress_warnings=True,
        )
        marginals = [torch.as_tensor(weights / 2)] * dim
        shares = tntorch.dimension_distribution(train, marginals=marginals).numpy()
    return Shares(np.append(shares[:3], 1 - shares[:3].sum()))


@contextlib.contextmanager
def in_float64() -> Iterator[None]:
    """Its own constants are of torch's default type, and may not differ from the function's."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


def gaussian_process(f: Function, dim: int, budget: int, seed: int) -> Shares:
    """Orthogonal additive kernel up to order 4, of inputs made normal one by one."""
    import gpjax
    import jax
    from gpjax.kernels.additive.sobol import sobol_indices
    from gpjax.kernels.base import val
    from scipy import stats

    jax.config.update("jax_enable_x64", True)
    # What was compiled for one seed is there for the next.
    jax.config.update("jax_compilation_cache_dir", _kept())
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
    x = uniform(budget, dim, seed)
    y = f(x)
    data = gpjax.Dataset(
        X=jax.numpy.asarray(stats.norm.ppf((x + 1) / 2)),
        y=jax.numpy.asarray((y - y.mean()) / y.std())[:, None],
    )
    kernels = [gpjax.kernels.RBF(active_dims=[j], lengthscale=2.0) for j in range(dim)]
    additive = gpjax.kernels.OrthogonalAdditiveKernel(kernels, max_order=min(4, dim))
    prior = gpjax.gps.Prior(mean_function=gpjax.mean_functions.Zero(), kernel=additive)
    fitted, _ = gpjax.fit_scipy(
        model=prior * gpjax.likelihoods.Gaussian(),
        objective=lambda model, d: -gpjax.objectives.conjugate_mll(model, d),
        train_data=data,
        max_iters=ITERATIONS,
        verbose=False,
    )
    noise = float(val(fitted.likelihood.obs_stddev)) ** 2
    shares = np.asarray(sobol_indices(fitted.prior.kernel, data.X, data.y, noise))
    return Shares(np.pad(shares, (0, 4 - len(shares))))


@functools.cache
def _kept() -> str:
    """A folder of this process."""
    folder = tempfile.TemporaryDirectory(prefix="peers")
    atexit.register(folder.cleanup)
    return folder.name


@dataclass(frozen=True)
class Method:
    """A way of measuring, the module that it needs, and the seconds after which it is ended.

    Those are of the processor.
    """

    call: Callable[[Function, int, int, int], Shares]
    module: str = "interactions"
    seconds: int = 20


METHODS = {
    "this package, surrogate": Method(surrogate, seconds=60),
    "this package, from samples": Method(samples),
    "this package, kernel": Method(kernel),
    "full chaos, by numpy": Method(numpy_chaos),
    "OpenTURNS, sparse chaos": Method(openturns_sparse, "openturns"),
    "OpenTURNS, full chaos": Method(openturns_full, "openturns"),
    "tntorch, cross interpolation": Method(tensor_train, "tntorch"),
    "SALib, Sobol' design": Method(salib, "SALib"),
    "scipy, sobol_indices": Method(scipy_sobol, "scipy"),
    "chaospy, regression": Method(chaospy_chaos, "chaospy"),
    "boosted trees, as released": Method(boosted_trees, "xgboost"),
    "GPJax, orthogonal additive kernel": Method(gaussian_process, "gpjax", seconds=60),
}
"""By name; the chaos by numpy is there because OpenTURNS' takes minutes at large budgets."""
