"""Agreement with other packages where both are right.

SciPy is a dependency; interpret and SALib come with the extra `peers`. What was seen of them:

- interpret 0.7.8 purifies tables of any dimension, but where weights are strongly dependent or
  uneven it stops early without a word (impurities of 3 % of the table at a correlation of .99).
  Where zero weights leave the parts undetermined both are pure, and differ by convention.
- SALib 1.6.0 gives second-order indices without bias, drowned in noise where inputs are many
  (see the benchmark); its intervals take a seed of 0 for none.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from interactions import MLPEnsemble, Uniform, order_spectrum
from interactions.anova import mean_order, purify
from interactions.planted import ishigami

REPEATS = 16


def assert_agree(ours, our_error, theirs: np.ndarray) -> None:
    """Within 4 standard errors of the difference; `theirs` are independent repeats [r, ...]."""
    error = np.sqrt(our_error**2 + theirs.var(axis=0, ddof=1) / len(theirs))
    z = (ours - theirs.mean(axis=0)) / error
    assert np.isfinite(z).all()
    assert np.abs(z).max() < 4


def test_first_order_and_total_indices_agree_with_scipy(trained: MLPEnsemble) -> None:
    inputs, network = Uniform(-1.0, 1.0, dim=5), trained.select([1])

    def columns(x: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return network(torch.as_tensor(x.T, dtype=torch.float32)).numpy().T

    peers = [
        stats.sobol_indices(
            func=columns, n=2**11, dists=[stats.uniform(-1, 2)] * 5, rng=np.random.default_rng(s)
        )
        for s in range(REPEATS)
    ]
    first = np.array([p.first_order for p in peers]).sum(axis=1)
    total = np.array([p.total_order for p in peers])
    assert 0.1 < first.mean() < 0.9 < total.mean(axis=0).sum()
    assert first.std() < 0.03
    for method in ("differences", "kernel"):
        ours = order_spectrum(network, inputs, method=method, tolerance=0.004).output(0)
        assert_agree(ours.share[0], ours.share_standard_error[0], first)
    ours = mean_order(network, inputs)
    variance = order_spectrum(network, inputs, method="exact").total_variance
    assert_agree(ours.total_index[0], ours.total_index_standard_error[0], total * variance)
    assert_agree(ours.mean_order[0], ours.standard_error[0], total.sum(axis=1))


def test_second_order_indices_agree_with_salib() -> None:
    pytest.importorskip("SALib")
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sampling

    problem = {"num_vars": 3, "names": list("abc"), "bounds": [[-math.pi, math.pi]] * 3}
    first, second = [], []
    for seed in range(1, REPEATS + 1):
        x = sampling.sample(problem, 2**9, calc_second_order=True, seed=seed)
        y = ishigami()(torch.as_tensor(x)).numpy()
        found = analysis.analyze(problem, y, num_resamples=2, seed=seed)
        first.append(found["S1"].sum())
        second.append(np.nansum(found["S2"]))
    inputs = Uniform(-math.pi, math.pi, dim=3)
    ours = order_spectrum(ishigami(), inputs, method="differences", max_order=2, tolerance=0.005)
    theirs = np.array([first, second]).T
    assert theirs[:, 1].std() < 0.05
    assert_agree(ours.share[:2], ours.share_standard_error[:2], theirs)


@pytest.mark.parametrize("shape", [(4, 5), (16, 16), (3, 4, 5), (3, 3, 3)])
@pytest.mark.parametrize("zeros", [0, 2])
def test_parts_of_dependent_tables_agree_with_interpret(shape, zeros: int) -> None:
    peer = pytest.importorskip("interpret.utils")
    rng = np.random.default_rng(len(shape) + zeros)
    table, weights = rng.normal(size=shape), rng.random(shape) + 0.05
    weights.flat[:zeros] = 0
    pure, others, constant = peer.purify(table.copy(), weights.copy())
    theirs = {tuple(range(len(shape))): pure, (): constant[0], **dict(others)}
    ours = purify(table, weights).parts
    assert ours.keys() == theirs.keys()
    assert min(np.abs(part).max() for part in ours.values()) > 1e-3
    for subset, part in ours.items():
        np.testing.assert_allclose(part, theirs[subset], atol=1e-10)
