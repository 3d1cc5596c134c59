"""Two exact routes, random pairs and brute force agree; what is not understood is refused."""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingRegressor,
    HistGradientBoostingRegressor,
    RandomForestRegressor,
)
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeRegressor

from interactions import Empirical, Inputs, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova import (
    UnreadableModelError,
    subset_variances,
    tree_spectrum,
    understands,
)
from interactions.anova.trees import _every_pair, _lattice
from interactions.anova.trees._leaves import Leaves, leaves_of, place
from interactions.anova.trees._sampled import sampled_blocks
from interactions.anova.trees._structure import (
    Tree,
    Trees,
    below_in_float32,
    complement,
    single_values,
    up_to_in_float32,
    within,
)

MEMORY = 2**24
DATA = np.array([[0.0, -0.5, 0.25], [1.0, -0.5, 0.5], [2.0, 0.5, 0.5], [0.0, 1.0, 0.75]])
DISTRIBUTIONS = {
    "uniform": (Uniform(-1.0, 2.0, dim=3), lambda x, j: stats.uniform(-1, 3).cdf(x)),
    "normal": (Normal(0.3, 0.8, dim=3), lambda x, j: stats.norm(0.3, 0.8).cdf(x)),
    "signs": (Rademacher(dim=3), lambda x, j: (x >= -1) * 0.5 + (x >= 1) * 0.5),
    "data": (Empirical(DATA), lambda x, j: (DATA[:, j, None] <= x).mean(axis=0)),
}


def random_tree(rng: np.random.Generator, depth: int, outputs: int, pieces: bool) -> Tree:
    """Splits of three inputs at random; with pieces the first is split by sets of values."""
    inner = 2**depth - 1
    nodes = np.arange(2 * inner + 1)
    leaf = (nodes >= inner) | (rng.random(len(nodes)) < 0.1)
    feature = np.where(leaf, -1, rng.integers(3, size=len(nodes)))
    cut = rng.choice(np.linspace(-1.0, 2.0, 13), len(nodes))
    sets = {}
    for node in np.flatnonzero((feature == 0) & pieces & (rng.random(len(nodes)) < 0.7)):
        some = single_values(rng.choice([0.0, 1.0, 2.0, -1.0], 2, replace=False))
        some = np.concatenate([some, [[0.1, 0.9]]])
        sets[int(node)] = complement(some) if rng.random() < 0.5 else some
    return Tree(
        feature=feature,
        left=np.where(leaf, -1, 2 * nodes + 1),
        right=np.where(leaf, -1, 2 * nodes + 2),
        cut=cut,
        missing_left=rng.random(len(nodes)) < 0.5,
        value=rng.normal(size=(len(nodes), outputs)) + 5,
        pieces=sets,
    )


def brute(trees: Trees, below: Callable, missing: dict[int, float]) -> np.ndarray:
    """Variance by order, 1 to 3, from the trees' values on all cells of the three inputs."""
    values, weights = [], []
    for j in range(3):
        here = np.flatnonzero(trees.feature == j)
        ends = [np.ravel(trees.pieces.get(int(n), trees.cut[n])) for n in here]
        ends = np.unique(np.concatenate([*ends, [0.0]]))
        ends = ends[np.isfinite(ends)]
        lost = missing.get(j, 0.0)
        mass = np.diff([0.0, *below(ends, j), 1.0]) * (1 - lost)
        values.append([*ends, ends[-1] + 1, np.nan])
        weights.append([*mass, lost])
    grid = np.stack(np.meshgrid(*values, indexing="ij"), axis=-1)
    table = trees(grid.reshape(-1, 3)).reshape(*grid.shape[:3], -1)
    found = np.zeros((table.shape[-1], 3))
    for k in (1, 2, 3):
        for u in combinations(range(3), k):
            effect = table
            for j, w in enumerate(weights):
                mean = np.expand_dims(np.tensordot(w, effect, axes=(0, j)), j)
                effect = effect - mean if j in u else np.broadcast_to(mean, effect.shape)
            found[:, k - 1] += np.einsum("abcm,a,b,c->m", effect**2, *weights)
    return found


def leaves(trees: Trees, inputs: Inputs, missing: dict[int, float], memory: int) -> Leaves:
    return leaves_of(place(trees, inputs, missing), memory)


@settings(max_examples=40)
@given(
    seed=st.integers(0, 2**32),
    which=st.sampled_from([*DISTRIBUTIONS]),
    missing=st.sampled_from([{}, {0: 0.3}, {1: 0.2, 2: 1.0}, {0: 0.1, 1: 0.4, 2: 0.2}]),
    pieces=st.booleans(),
    outputs=st.integers(1, 2),
    memory=st.sampled_from([2**12, MEMORY]),
)
def test_both_exact_routes_are_the_brute_force(
    seed, which, missing, pieces, outputs, memory
) -> None:
    rng = np.random.default_rng(seed)
    trees = Trees.of([random_tree(rng, 4, outputs, pieces) for _ in range(4)])
    inputs, below = DISTRIBUTIONS[which]
    wanted = brute(trees, below, missing)
    found = leaves(trees, inputs, missing, MEMORY)
    scale = 1e-12 * (1 + wanted.sum())
    for max_order in (1, 3):
        orders = np.zeros((outputs, max_order + 1))
        orders[:, :max_order] = wanted[:, :max_order]
        orders[:, -1] += wanted[:, max_order:].sum(axis=1)
        by_pair = _every_pair.variances(found, max_order)
        by_subset = _lattice.variances(found, max_order, memory)
        np.testing.assert_allclose(by_pair, orders, rtol=0, atol=scale)
        np.testing.assert_allclose(by_subset, orders, rtol=0, atol=scale)


def test_leaves_found_a_few_trees_at_a_time_are_the_same() -> None:
    rng = np.random.default_rng(0)
    trees = Trees.of([random_tree(rng, 4, 1, True) for _ in range(5)])
    whole, parts = (
        leaves(trees, Uniform(-1.0, 2.0, dim=3), {0: 0.2}, memory) for memory in (2**24, 2**13)
    )
    np.testing.assert_array_equal(np.sort(whole.number), np.sort(parts.number))
    np.testing.assert_allclose(
        _every_pair.variances(whole, 3), _every_pair.variances(parts, 3), rtol=1e-12
    )


def test_many_leaves_of_a_subset_are_taken_in_rows(monkeypatch) -> None:
    trees = Trees.of([random_tree(np.random.default_rng(s), 5, 2, False) for s in range(6)])
    found = leaves(trees, Normal(dim=3), {}, MEMORY)
    whole = _lattice.variances(found, 3, MEMORY)
    monkeypatch.setattr(_lattice, "SPLIT", 8)
    monkeypatch.setattr(_lattice, "BLOCK", 64)
    np.testing.assert_allclose(_lattice.variances(found, 3, MEMORY), whole, rtol=1e-12)


@pytest.mark.parametrize("inputs", [Rademacher(dim=4), Empirical(DATA[:, [0, 1, 2, 0]])])
def test_the_tensor_grid_agrees_subset_by_subset(inputs) -> None:
    x = inputs.sample(200, generator=1).numpy()
    y = x[:, 0] * x[:, 1] + x[:, 2] * (x[:, 3] > 0.5) * x[:, 0] + x[:, 3]
    model = RandomForestRegressor(5, random_state=0).fit(x, y)
    subsets = subset_variances(lambda x: model.predict(np.asarray(x)), inputs)
    by_order = [sum(v for u, v in subsets.items() if len(u) == k) for k in range(1, 5)]
    found = tree_spectrum(model, inputs, max_order=4)
    np.testing.assert_allclose(found.variance[:4], by_order, atol=1e-10 * sum(by_order))
    if isinstance(inputs, Empirical):
        assert "these rows" in found.method


def wide(library: str) -> object:
    """A model of 25 inputs."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(500, 25))
    y = x[:, 0] * x[:, 1] + np.sin(x[:, 2] * x[:, 3] * x[:, 4]) + np.abs(x[:, 5:9]).sum(axis=1)
    few = {"max_depth": 6, "random_state": 0}
    if library == "xgboost":
        kind = pytest.importorskip("xgboost").XGBRegressor
        model = kind(n_estimators=15, max_depth=5, n_jobs=1)
    elif library == "lightgbm":
        kind = pytest.importorskip("lightgbm").LGBMRegressor
        model = kind(n_estimators=20, num_leaves=15, n_jobs=1, verbose=-1)
    elif library == "interpret":
        kind = pytest.importorskip("interpret.glassbox").ExplainableBoostingRegressor
        model = kind(interactions=5, max_bins=32, max_rounds=30, outer_bags=1, n_jobs=1)
    else:
        model = {
            "tree": DecisionTreeRegressor(**few),
            "forest": RandomForestRegressor(8, **few),
            "extra": ExtraTreesRegressor(8, **few),
            "boosting": GradientBoostingRegressor(n_estimators=20, max_depth=4),
            "histogram": HistGradientBoostingRegressor(max_iter=15, max_leaf_nodes=15),
        }[library]
    return model.fit(x, y)


LIBRARIES = ["xgboost", "lightgbm", "interpret", "tree", "forest", "extra", "boosting", "histogram"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_pairs_of_points_that_share_inputs_agree_at_25_inputs(library) -> None:
    """Where each input is shared with probability theta, the covariance is sum theta^k V_k."""
    model, inputs, n = wide(library), Normal(dim=25), 2**13
    found = tree_spectrum(model, inputs, max_order=25)
    assert found.variance[1] > 1e-3 * found.total_variance
    rng = np.random.default_rng(5)
    x, fresh = rng.normal(size=(2, n, 25))
    f = model.predict(x)
    f = f - f.mean()
    for theta in (0.2, 0.5, 0.8, 1.0):
        partner = model.predict(np.where(rng.random(x.shape) < theta, x, fresh))
        product = f * (partner - partner.mean())
        wanted = found.variance[:-1] @ theta ** np.arange(1, 26)
        assert abs(product.mean() - wanted) < 3 * product.std() / np.sqrt(n)


@pytest.mark.slow
@pytest.mark.parametrize("library", LIBRARIES)
def test_measured_by_differences_at_25_inputs(library) -> None:
    model, inputs = wide(library), Normal(dim=25)
    exact = tree_spectrum(model, inputs, max_order=2)
    measured = order_spectrum(
        lambda x: model.predict(np.asarray(x)),
        inputs,
        max_order=2,
        method="differences",
        budget=2**22,
        tolerance=0.02,
    )
    assert (abs(measured.variance - exact.variance) < 3 * measured.standard_error).all()


def test_random_pairs_are_unbiased_and_their_errors_cover() -> None:
    rng = np.random.default_rng(1)
    trees = Trees.of([random_tree(rng, 4, 2, True) for _ in range(4)])
    missing = {0: 0.15, 1: 0.3}
    placed = place(trees, Uniform(-1.0, 2.0, dim=3), missing)
    found = leaves_of(placed, MEMORY)
    exact = _every_pair.variances(found, 2)
    scores = []
    for seed in range(20):
        blocks = sampled_blocks(placed, found, max_order=2, pairs=2**13, seed=seed, memory=MEMORY)
        error = blocks.std(axis=0, ddof=1) / np.sqrt(len(blocks))
        scores.append((blocks.mean(axis=0) - exact) / error)
    scores = np.array(scores)
    assert (abs(scores.mean(axis=0)) < 3 / np.sqrt(20)).all()
    assert 0.7 < scores.std() < 1.3


def test_beyond_a_size_pairs_are_drawn_and_the_result_says_so() -> None:
    model, inputs = wide("forest"), Normal(dim=25)
    exact = tree_spectrum(model, inputs)
    drawn = tree_spectrum(model, inputs, most_products=1000, pairs=2**14, seed=1)
    again = tree_spectrum(model, inputs, most_products=1000, pairs=2**14, seed=1)
    assert "random pairs" in drawn.method
    assert "1,000" in drawn.reason
    assert not drawn.converged
    assert exact.converged
    np.testing.assert_array_equal(drawn.variance, again.variance)
    assert (abs(drawn.variance - exact.variance) < 4 * drawn.standard_error).all()
    assert (abs(drawn.share - exact.share) < 4 * drawn.share_standard_error).all()
    assert (drawn.standard_error > 100 * exact.standard_error).all()


def test_a_list_is_the_sum_of_its_models() -> None:
    # Parted at random, the trees of a forest add up to what they were: pieces and roots and all.
    rng = np.random.default_rng(4)
    trees = [random_tree(rng, 3, 1, pieces=True) for _ in range(6)]
    parts = Trees.of([trees[0], Trees.of(trees[1:4]), Trees.of(trees[4:])])
    x = rng.choice(np.linspace(-1.0, 2.0, 13), (200, 3))
    np.testing.assert_allclose(parts(x), Trees.of(trees)(x), rtol=1e-12)

    x = rng.uniform(-1, 1, (300, 3))
    first, second = (
        DecisionTreeRegressor(max_depth=depth, random_state=0).fit(x, x[:, 0] * (1 + x[:, 1]))
        for depth in (2, 4)
    )
    inputs = Empirical(x)
    summed = order_spectrum(lambda z: first.predict(z) + second.predict(z), inputs, method="exact")
    both = tree_spectrum([first, second], inputs)
    assert (np.abs(both.variance - summed.variance) <= 4 * summed.standard_error + 1e-12).all()
    # These two are far from orthogonal, so that their variances do not add up.
    apart = tree_spectrum(first, inputs).variance + tree_spectrum(second, inputs).variance
    assert np.abs(apart - both.variance).max() > 0.05 * both.variance.sum()
    alone = tree_spectrum([second], inputs).variance
    np.testing.assert_array_equal(alone, tree_spectrum(second, inputs).variance)


def test_models_that_cannot_be_added_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(50, 4))
    three, four = (DecisionTreeRegressor(max_depth=1).fit(x[:, :d], x[:, 0]) for d in (3, 4))
    with pytest.raises(ValueError, match=r"3 inputs, 1 outputs.*4 inputs, 1 outputs"):
        tree_spectrum([three, four], Uniform(-1.0, 1.0, dim=3))
    with pytest.raises(ValueError, match="no model in the list"):
        tree_spectrum([], Uniform(-1.0, 1.0, dim=3))


def test_a_constant_model_has_no_shares() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    model = DecisionTreeRegressor().fit(x, np.full(50, 3.0))
    found = tree_spectrum(model, Normal(dim=3))
    assert found.constant
    assert (found.variance == 0).all()


def test_splits_where_no_value_lies_do_not_count() -> None:
    x = np.random.default_rng(0).normal(size=(200, 3))
    model = DecisionTreeRegressor().fit(x, np.sin(9 * x).sum(axis=1))
    found = tree_spectrum(model, Uniform(50.0, 60.0, dim=3))
    assert found.constant


@given(st.floats(-1e30, 1e30), st.booleans())
def test_cuts_in_double_precision_are_those_after_rounding(cut, at_float32) -> None:
    cut = float(np.float32(cut)) if at_float32 else cut

    def rounded(x: np.ndarray) -> float:
        return float(x[0].astype(np.float32))

    last = up_to_in_float32(np.array([cut]))
    assert rounded(last) <= cut < rounded(np.nextafter(last, np.inf))
    cut = float(np.float32(cut))
    last = below_in_float32(np.array([cut]))
    assert rounded(last) < cut <= rounded(np.nextafter(last, np.inf))


def test_pieces_and_their_complement_share_nothing() -> None:
    pieces = np.array([[3.0, 4.0], [-np.inf, 1.0], [1.0, 2.0]])
    x = np.array([-5.0, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 9.0])
    np.testing.assert_array_equal(within(x, complement(pieces)), ~within(x, pieces))


def refused(case: str) -> object:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 3))
    y = x.sum(axis=1)
    if case == "linear booster":
        kind = pytest.importorskip("xgboost").XGBRegressor
        return kind(booster="gblinear", n_estimators=2, n_jobs=1).fit(x, y)
    if case == "vector leaves":
        kind = pytest.importorskip("xgboost").XGBRegressor
        model = kind(multi_strategy="multi_output_tree", n_estimators=2, n_jobs=1)
        return model.fit(x, np.stack([y, -y], axis=1))
    if case == "linear trees":
        kind = pytest.importorskip("lightgbm").LGBMRegressor
        return kind(linear_tree=True, n_estimators=2, n_jobs=1, verbose=-1).fit(x, y)
    if case == "not a constant":
        return GradientBoostingRegressor(n_estimators=2, init=LinearRegression()).fit(x, y)
    if case == "pipeline":
        return make_pipeline(DecisionTreeRegressor()).fit(x, y)
    return LinearRegression().fit(x, y)


@pytest.mark.parametrize(
    "case",
    ["linear booster", "vector leaves", "linear trees", "not a constant", "pipeline", "linear"],
)
def test_what_is_not_understood_is_refused(case) -> None:
    model = refused(case)
    assert not understands(model)
    with pytest.raises(UnreadableModelError):
        tree_spectrum(model, Normal(dim=3))


class Shifted(DecisionTreeRegressor):
    """A tree that answers by a rule of its own."""

    def predict(self, x: np.ndarray) -> np.ndarray:
        return super().predict(x) + 1e-3 * (x[:, 0] > 0)


def test_trees_that_do_not_give_the_model_s_output_are_refused() -> None:
    x = np.random.default_rng(0).normal(size=(100, 3))
    model = Shifted(max_depth=3).fit(x, x.sum(axis=1))
    with pytest.raises(UnreadableModelError, match="differ"):
        tree_spectrum(model, Normal(dim=3))


def test_bad_arguments_are_named() -> None:
    x = np.random.default_rng(0).normal(size=(50, 3))
    model = DecisionTreeRegressor(max_depth=2).fit(x, x[:, 0])
    with pytest.raises(ValueError, match="3 inputs, the distribution 4"):
        tree_spectrum(model, Normal(dim=4))
    with pytest.raises(ValueError, match="max_order"):
        tree_spectrum(model, Normal(dim=3), max_order=4)
    with pytest.raises(ValueError, match="column 5"):
        tree_spectrum(model, Normal(dim=3), missing={5: 0.1})
    with pytest.raises(ValueError, match=r"probability 1\.5"):
        tree_spectrum(model, Normal(dim=3), missing={0: 1.5})
    with pytest.raises(TypeError, match="distribution"):
        tree_spectrum(model, x)
