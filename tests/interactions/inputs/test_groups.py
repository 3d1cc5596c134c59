"""Groups of columns are one input: drawn as whole rows, counted once."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from interactions import Empirical, order_spectrum
from interactions.anova import strongest_interactions, subset_variances
from interactions.inputs.groups import in_order
from interactions.models import one_hot_groups

RNG = np.random.default_rng(0)
GROUPS = {"pair": [0, 3], "other pair": [1, 2]}


def planted(data: np.ndarray) -> tuple:
    """A function of two groups and a column, and its variance by order under their product."""

    def parts(x) -> list:
        a = x[:, 0] * x[:, 3] + x[:, 3]
        b = x[:, 1] * x[:, 2]
        return [a, b, x[:, 4]]

    rows = parts(data)
    means, variances = [p.mean() for p in rows], [p.var() for p in rows]

    def function(x):
        a, b, c = (p - m for p, m in zip(parts(x), means, strict=True))
        return 2 * a + a * b + a * b * c + c

    a, b, c = variances
    return function, np.array([4 * a + c, a * b, a * b * c, 0.0])


@pytest.mark.parametrize("rows", [30, 300])
def test_orders_count_groups_of_a_planted_function(rows: int) -> None:
    """Exactly where the whole space is a grid, and within the errors where points are drawn."""
    data = np.random.default_rng(rows).uniform(-1.5, 1.5, size=(rows, 5))
    function, truth = planted(data)
    inputs = Empirical(data, groups=GROUPS)
    assert inputs.dim == 3
    if rows == 30:
        exact = order_spectrum(function, inputs, method="exact")
        np.testing.assert_allclose(exact.variance, truth, rtol=1e-8, atol=1e-8)
        assert exact.method.startswith("exact grid of every value")
    for method in ("differences", "kernel"):
        s = order_spectrum(function, inputs, method=method, tolerance=0.05, seed=1)
        off = np.abs(s.share - truth / truth.sum())
        # The basis may leave something out of every order, and says how much.
        assert (off <= 4 * s.share_standard_error + np.nan_to_num(s.left_out)).all(), method
        assert s.converged or s.reason


def test_a_rough_function_of_groups_of_many_rows_is_measured_or_doubted() -> None:
    """No order of the rows makes it smooth: the kernel says so, and auto goes without a basis."""
    data = RNG.normal(size=(300, 4))
    table = RNG.normal(size=(300, 2))

    def function(x):
        at = [np.argmin(np.abs(np.asarray(x)[:, i][:, None] - data[:, i]), axis=1) for i in (0, 2)]
        return table[at[0], 0] * table[at[1], 1]

    inputs = Empirical(data, groups={"a": [0, 1], "b": [2, 3]})
    (a, b), (m, n) = table.var(axis=0), table.mean(axis=0) ** 2
    truth = np.array([a * n + b * m, a * b]) / (a * n + b * m + a * b)
    kernel = order_spectrum(function, inputs, max_order=2, method="kernel", tolerance=0.05)
    assert not kernel.converged
    # What is left out is large, or not even known.
    assert not kernel.left_out <= 0.1
    best = order_spectrum(function, inputs, max_order=2, tolerance=0.05)
    assert (np.abs(best.share[:2] - truth) <= 4 * best.share_standard_error[:2] + 1e-9).all()


def test_columns_of_a_group_are_drawn_as_whole_rows_by_name() -> None:
    frame = pd.DataFrame(
        {
            "street": RNG.choice(["Long", "Short", "Old"], 40),
            "rooms": RNG.integers(1, 5, 40),
            "city": RNG.choice(["Bern", "Rome"], 40),
        }
    )
    frame = frame[~((frame["street"] == "Old") & (frame["city"] == "Rome"))]
    inputs = Empirical(frame, groups={"address": ["city", "street"]})
    assert inputs.names == ("address", "rooms")
    assert inputs.groups == {"address": (2, 0)}
    drawn = inputs.frame(inputs.expand(inputs.sample(500, generator=0)).numpy())
    assert [*drawn] == [*frame]
    there = set(zip(frame["street"], frame["city"], strict=True))
    assert set(zip(drawn["street"], drawn["city"], strict=True)) == there
    # Rows of a group come as often as in the data.
    often = (frame["street"] == "Long").mean()
    assert (drawn["street"] == "Long").mean() == pytest.approx(often, abs=0.1)
    found = subset_variances(lambda f: (f["street"] == "Old") * f["rooms"], inputs)
    assert set(found) == {("address",), ("rooms",), ("address", "rooms")}


def test_rows_of_a_group_come_as_often_as_in_the_data() -> None:
    """Also where they are many, and stand in an order of their own."""
    data = RNG.normal(size=(200, 2))
    often = np.vstack([data, np.tile(data[7], (200, 1))])
    inputs = Empirical(often, groups={"both": [0, 1]})
    drawn = inputs.expand(inputs.sample(2000, generator=0)).numpy()
    assert (drawn == data[7]).all(axis=1).mean() == pytest.approx(201 / 400, abs=0.05)


def test_arrays_have_groups_by_number() -> None:
    inputs = Empirical(RNG.normal(size=(50, 4)), groups={"left": [1, 0]})
    assert inputs.names == ("left", "column 2", "column 3")
    x = inputs.expand(inputs.sample(20, generator=0, dtype=torch.float32))
    assert x.shape == (20, 4)
    top = strongest_interactions(lambda x: x[:, 1] * x[:, 2], inputs, count=1, budget=20_000)
    assert top["subset"][0] == ("left", "column 2")


def test_rows_stand_beside_rows_that_are_like_them() -> None:
    line = RNG.normal(size=500)
    order = in_order(np.outer(line, [1.0, 2.0, -3.0]))
    steps = np.diff(line[order])
    assert (steps > 0).all() or (steps < 0).all()
    plane = np.random.default_rng(0).normal(size=(2000, 2))
    order = in_order(plane)
    assert sorted(order) == [*range(2000)]
    apart = np.linalg.norm(np.diff(plane[order], axis=0), axis=1).mean()
    by_chance = np.linalg.norm(np.diff(plane, axis=0), axis=1).mean()
    assert apart < by_chance / 13


FRAME = pd.DataFrame({"street": ["a", "b"], "city": ["c", "d"]})
REFUSED = {
    "misspelt": ({"address": ["stret"]}, "no column 'stret' .* did you mean 'street'"),
    "twice": ({"a": ["city"], "b": ["city"]}, "column 'city' is in groups 'a' and 'b'"),
    "taken name": ({"city": ["street"]}, r"called \['city'\] more than once"),
    "no dict": ([["city"]], "dict of columns by name"),
    "one text": ({"a": "city"}, "must be a list of columns, got 'city'"),
    "empty": ({"a": []}, "group 'a' has no columns"),
}


@pytest.mark.parametrize(("groups", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_impossible_groups_are_refused_with_the_reason(groups, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        Empirical(FRAME, groups=groups)
    with pytest.raises(ValueError, match=r"'a' has column 2, the data have 0 \.\. 1"):
        Empirical(np.ones((3, 2)), groups={"a": [2]})


@pytest.mark.parametrize(
    "options",
    [{}, {"drop": "first"}, {"drop": "if_binary"}, {"min_frequency": 20}, {"max_categories": 2}],
    ids=str,
)
def test_one_hot_blocks_are_found_in_a_fitted_encoder(options: dict) -> None:
    frame = pd.DataFrame(
        {
            "age": RNG.normal(size=80),
            "sex": RNG.choice(["f", "m"], 80),
            "city": RNG.choice([*"aaabbcde"], 80),
        }
    )
    encoder = make_pipeline(OneHotEncoder(sparse_output=False, **options))
    both = make_column_transformer((StandardScaler(), ["age"]), (encoder, ["city", "sex"]))
    encoded = both.fit_transform(frame)
    groups = one_hot_groups(both)
    assert [*groups] == ["city", "sex"]
    names = both.get_feature_names_out()
    for name, columns in groups.items():
        assert all(f"__{name}_" in names[j] for j in columns)
    assert sum(map(len, groups.values())) == encoded.shape[1] - 1
    assert Empirical(encoded, groups=groups).names == ("column 0", "city", "sex")
    with pytest.raises(TypeError, match="no fitted OneHotEncoder"):
        one_hot_groups(OneHotEncoder())
