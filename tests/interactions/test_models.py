"""Models as they come: what is asked of them, what they are given, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import sparse
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.svm import LinearSVC
from torch import Tensor, nn

from interactions import Empirical, Marginals, Normal, Uniform, order_spectrum
from interactions.anova import (
    mean_order,
    population_spectrum,
    strongest_interactions,
    subset_variances,
    superset_index,
)
from interactions.anova._evaluate import Evaluator
from interactions.models import adapt

RNG = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "age": RNG.integers(20, 60, 80),
        "city": pd.Categorical(RNG.choice(["Bern", "Rome"], 80)),
        "member": RNG.random(80) < 0.5,
    }
)
BOUGHT = np.where((FRAME["age"] > 40) ^ FRAME["member"], "yes", "no")
THREE = RNG.choice(["u", "v", "w"], 80)
PIPELINE = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["city", "member"]), remainder="passthrough"),
    LogisticRegression(max_iter=2000),
).fit(FRAME, BOUGHT)
NUMBERS = FRAME[["age", "member"]]
CUBE = Uniform(-1.0, 1.0, dim=3)


def test_a_classifier_is_measured_by_its_probabilities_and_says_so() -> None:
    s = order_spectrum(PIPELINE, FRAME)
    same = order_spectrum(lambda frame: PIPELINE.predict_proba(frame)[:, 1], Empirical(FRAME))
    np.testing.assert_allclose(s.variance, same.variance)
    assert s.outputs == ("yes",)
    assert "predict_proba of Pipeline, probability of yes" in s.method
    bound = order_spectrum(PIPELINE.predict_proba, FRAME)
    np.testing.assert_array_equal(bound.variance, s.variance)
    assert bound.method == s.method


def test_several_classes_are_outputs_by_name_and_the_other_methods_come_after() -> None:
    forest = RandomForestClassifier(5, random_state=0).fit(NUMBERS, THREE)
    s = order_spectrum(forest, NUMBERS, max_order=2)
    assert s.outputs == ("u", "v", "w")
    assert s.variance.shape == (3, 3)
    support = LinearSVC().fit(NUMBERS, BOUGHT)
    assert "decision_function of LinearSVC" in order_spectrum(support, NUMBERS, max_order=2).method
    regression = LinearRegression().fit(NUMBERS, NUMBERS["age"])
    s = order_spectrum(regression, NUMBERS, max_order=2)
    assert "predict of LinearRegression" in s.method
    assert s.outputs is None
    np.testing.assert_allclose(s.share, [1, 0, 0], atol=1e-12)


class Recorder:
    """An estimator that notes what it is given."""

    feature_names_in_ = np.array(["member", "city", "age"])

    def __init__(self) -> None:
        self.given: list[object] = []

    def predict(self, x: object) -> np.ndarray:
        self.given.append(x)
        return x["age"].to_numpy() * (x["city"] == "Rome")


def test_an_estimator_is_given_frames_as_it_was_fitted_on() -> None:
    recorder = Recorder()
    for inputs in (FRAME.assign(unused=1.0), Empirical(FRAME.assign(unused=1.0))):
        order_spectrum(recorder, inputs)
    for frame in recorder.given:
        assert [*frame] == [*recorder.feature_names_in_]
        assert frame.dtypes.equals(FRAME.dtypes[[*frame]])


@pytest.mark.parametrize("fitted_on", [NUMBERS, NUMBERS.to_numpy(float)], ids=["frame", "array"])
@pytest.mark.parametrize(
    "inputs", [NUMBERS, Empirical(NUMBERS.to_numpy(float))], ids=["frame", "array"]
)
def test_no_warning_speaks_of_feature_names(fitted_on, inputs) -> None:
    """Warnings are errors here."""
    forest = RandomForestRegressor(3, random_state=0).fit(fitted_on, FRAME["age"])
    models = [forest, forest.predict]
    # A function of one's own is given frames only where the inputs have names.
    models += [lambda x: forest.predict(x)] if inputs is NUMBERS else []
    for model in models:
        s = order_spectrum(model, inputs, max_order=1)
        assert s.share[0] == pytest.approx(1, abs=0.05)


def test_boosted_trees_of_other_packages_are_measured_with_their_categories() -> None:
    for package, name, options in (
        ("xgboost", "XGBRegressor", {"enable_categorical": True, "n_jobs": 1}),
        ("lightgbm", "LGBMRegressor", {"verbose": -1, "n_jobs": 1, "min_child_samples": 2}),
    ):
        made = getattr(pytest.importorskip(package), name)(n_estimators=5, **options)
        trees = made.fit(FRAME, FRAME["age"] * (FRAME["city"] == "Rome"))
        booster = getattr(trees, "booster_", None) or trees.get_booster()
        found = subset_variances(trees, FRAME)
        assert max(found, key=found.get) in {("city",), ("age", "city")}
        for subset, variance in subset_variances(booster, FRAME).items():
            assert variance == pytest.approx(found[subset], rel=1e-5, abs=1e-6)


def test_names_come_back_wherever_inputs_have_them() -> None:
    inputs = Marginals({"a": Normal(dim=1), "b": Uniform(-1.0, 1.0, dim=1), "c": [0, 1, 2]})

    def function(x: Tensor) -> Tensor:
        return (2 * x[:, 0] * x[:, 1] + x[:, 2])[:, None]

    assert strongest_interactions(function, inputs, budget=20_000)["subset"][0] == ("a", "b")
    exact = subset_variances(function, inputs)
    assert exact["a", "b"] == pytest.approx(4 / 3, rel=1e-8)
    found = superset_index(function, inputs, [["b", "a"], ["c"], [0]], budget=20_000)
    assert found["subset"].tolist() == [("a", "b"), ("c",), ("a",)]
    assert found["variance"][1] == pytest.approx(2 / 3, rel=0.2)
    assert mean_order(function, inputs, budget=20_000).names == ("a", "b", "c")
    with pytest.warns(UserWarning, match=r"inputs \['a', 'b'\] take part"):
        strongest_interactions(
            lambda x: 3 * x[:, 0] * x[:, 1] * (x[:, 2] - 1), inputs, budget=20_000
        )


def test_a_module_of_one_column_is_measured_subset_by_subset() -> None:
    net = nn.Linear(3, 1).eval()
    weight = net.weight.detach().double().numpy()[0] ** 2 / 3
    assert subset_variances(net, CUBE)[0,] == pytest.approx(weight[0], rel=1e-5)
    index = superset_index(net, CUBE, [[0]], budget=20_000)
    assert index["variance"][0] == pytest.approx(weight[0], rel=0.05)
    top = strongest_interactions(net, CUBE, order=1, count=1, budget=20_000)
    assert top["subset"][0] == (int(weight.argmax()),)


class Several(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"logits": self.head(x), "product": x[:, 0] * x[:, 1]}


class Pair(nn.Module):
    """Numbers and codes, in two arguments; its result is a tuple."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.embed = nn.Embedding(300, 1, dtype=dtype)

    def forward(self, number: Tensor, code: Tensor) -> tuple[Tensor, int]:
        assert number.dtype == self.embed.weight.dtype
        assert code.dtype == torch.long
        return number[:, 0] * self.embed(code)[:, 0, 0], 3


def test_one_of_several_outputs_is_chosen_by_key_number_or_function() -> None:
    net = Several().eval()
    by_key = order_spectrum(adapt(net, output="product"), CUBE)
    np.testing.assert_allclose(by_key.share, [0, 1, 0, 0], atol=1e-6)
    assert by_key.outputs == ("product",)
    by_call = order_spectrum(adapt(net, output=lambda out: out["product"]), CUBE)
    np.testing.assert_allclose(by_call.variance, by_key.variance)
    assert by_call.outputs is None
    both = order_spectrum(adapt(net, output=["product", "logits"]), CUBE)
    assert both.outputs == ("product", "logits 0", "logits 1")
    np.testing.assert_allclose(both.share[:2, :2], [[0, 1], [1, 0]], atol=1e-5)
    named = order_spectrum(adapt(net, output="logits", names=["cat", "dog"]), CUBE)
    assert named.outputs == ("cat", "dog")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "arguments", [{"number": ["size"], "code": ["kind"]}, [[0], slice(1, 2)]], ids=["name", "place"]
)
def test_arguments_are_columns_of_types_of_their_own(dtype, arguments) -> None:
    """Codes beyond what half precision tells apart arrive as they are."""
    net = Pair(dtype).eval()
    code = 1 if isinstance(arguments, list) else "code"
    model = adapt(net, arguments=arguments, dtype={code: torch.long}, output=0)
    inputs = Marginals({"size": [-1.0, 0.5, 0.25], "kind": range(300)})
    s = order_spectrum(model, inputs, max_order=2, method="exact")
    table = net.embed.weight.detach().double().numpy()[:, 0]
    size = np.array([-1.0, 0.5, 0.25])
    total = np.outer(size, table).var()
    np.testing.assert_allclose(s.total_variance, total, rtol=1e-2 if dtype.itemsize == 2 else 1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16], ids=str)
def test_integers_are_given_to_what_takes_nothing_else(dtype) -> None:
    net = nn.Sequential(
        nn.Embedding(300, 2, dtype=dtype), nn.Flatten(), nn.Linear(4, 1, dtype=dtype)
    )
    inputs = Empirical(RNG.integers(0, 300, (40, 2)))
    s = order_spectrum(net.eval(), inputs, max_order=2, method="exact")
    assert s.share[0, 0] == pytest.approx(1, abs=1e-4)
    table = torch.arange(300.0) ** 2
    s = order_spectrum(lambda x: table[x[:, 0]] + x[:, 1], inputs, max_order=2)
    np.testing.assert_allclose(s.share, [1, 0, 0], atol=1e-9)


def test_a_model_written_in_float32_and_answered_in_float64_is_not_random() -> None:
    """Its sums may come out in another order from call to call."""
    generator = torch.Generator().manual_seed(0)

    def function(x: Tensor) -> Tensor:
        noise = 6e-8 * torch.randn(len(x), generator=generator, dtype=x.dtype)
        return (x[:, 0] * x[:, 1] + 2) * (1 + noise)

    s = order_spectrum(function, CUBE)
    np.testing.assert_allclose(s.share, [0, 1, 0, 0], atol=1e-5)
    assert Evaluator(function, CUBE, seed=0).precision >= torch.finfo(torch.float32).eps
    with pytest.raises(ValueError, match="two answers"):
        order_spectrum(lambda x: x[:, 0] + 1e-2 * torch.randn(len(x), generator=generator), CUBE)


class OtherFrame:
    """A data frame of a library that is not pandas, as far as one has to know it."""

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame

    def to_pandas(self) -> pd.DataFrame:
        return self.frame


def test_data_frames_of_other_libraries_are_those_of_pandas() -> None:
    own = order_spectrum(PIPELINE, FRAME)
    np.testing.assert_array_equal(order_spectrum(PIPELINE, OtherFrame(FRAME)).share, own.share)
    assert Empirical(OtherFrame(FRAME), groups={"who": ["age", "member"]}).names == ("who", "city")
    whole, other = (
        population_spectrum(lambda x: x[:, 0] * x[:, 1], data, max_order=1)
        for data in (NUMBERS, OtherFrame(NUMBERS))
    )
    np.testing.assert_array_equal(other.standard_error, whole.standard_error)


def test_columns_of_several_levels_keep_their_names() -> None:
    frame = NUMBERS.set_axis(pd.MultiIndex.from_tuples([("who", "age"), ("who", "member")]), axis=1)
    s = order_spectrum(lambda f: f["who", "age"] * f["who"]["member"], frame)
    plain = order_spectrum(lambda f: f["age"] * f["member"], NUMBERS)
    np.testing.assert_allclose(s.share, plain.share, atol=1e-12)
    assert Empirical(frame).names == ("('who', 'age')", "('who', 'member')")


class Called:
    """A model that is called and has a predict as well, as those of Keras."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.asarray(x)[:, :1] * np.asarray(x)[:, 1:2]

    def predict(self, x: np.ndarray) -> np.ndarray:
        raise AssertionError("draws bars of progress")


def test_a_model_that_can_be_called_is_called() -> None:
    for inputs in (NUMBERS, CUBE):
        assert order_spectrum(Called(), inputs, max_order=2).share[0, 1] > 0.05


@pytest.mark.parametrize(
    "answer",
    [
        lambda x: sparse.csr_array(np.asarray(x)[:, :2]),
        lambda x: pd.DataFrame(np.asarray(x)[:, :2]).astype("Float64"),
        lambda x: np.asarray(x)[:, :2].astype(object),
        lambda x: [[float(row[0]), float(row[1])] for row in x],
    ],
    ids=["sparse", "nullable", "objects", "lists"],
)
def test_numbers_are_taken_in_whatever_they_come(answer) -> None:
    s = order_spectrum(answer, CUBE, max_order=1)
    np.testing.assert_allclose(s.variance[:, 0], [1 / 3, 1 / 3], rtol=1e-9)


@dataclass
class Answer:
    logits: Tensor
    hidden: Tensor


class Named(NamedTuple):
    logits: Tensor
    hidden: Tensor


class Wrapped(nn.Module):
    def forward(self, x: Tensor) -> Answer:
        return Answer(x[:, 0] * x[:, 1], x)


def test_a_part_of_an_object_is_measured_by_its_name() -> None:
    for model in (Wrapped().eval(), lambda x: Named(x[:, 0] * x[:, 1], x)):
        s = order_spectrum(adapt(model, output="logits"), CUBE)
        np.testing.assert_allclose(s.share, [0, 1, 0, 0], atol=1e-9)


UNCLEAR = {
    "frame with NaN": (
        lambda: order_spectrum(PIPELINE, FRAME.astype({"age": float}).where(FRAME["age"] != 20)),
        "NaN or missing values in columns",
    ),
    "dict": (
        lambda: order_spectrum(Several().eval(), CUBE),
        r"dict of \['logits', 'product'\].*adapt\(model, output='logits'\)",
    ),
    "tuple": (
        lambda: order_spectrum(lambda x: (x[:, 0], x[:, 1]), CUBE),
        r"tuple of \[0, 1\].*adapt\(model, output=0\)",
    ),
    "key": (
        lambda: order_spectrum(adapt(Several().eval(), output="logit"), CUBE),
        r"no output 'logit': it returns \['logits', 'product'\]",
    ),
    "output of one tensor": (
        lambda: order_spectrum(adapt(nn.Linear(3, 1).eval(), output=0), CUBE),
        "no output 0: it returns a Tensor",
    ),
    "two arguments": (
        lambda: order_spectrum(Pair().eval(), CUBE),
        r"say which columns are which.*adapt\(model, arguments=\[\[0, 1\], \[2\]\]\)",
    ),
    "argument": (
        lambda: order_spectrum(adapt(Pair().eval(), arguments=[["a"], [1]]), CUBE),
        "column 'a', the inputs have no names",
    ),
    "argument text": (lambda: adapt(Pair(), arguments={"number": "a"}), "list of columns"),
    "type of no argument": (
        lambda: adapt(Pair(), arguments=[[0]], dtype={"code": torch.long}),
        r"dtype is for arguments \[0\], got \['code'\]",
    ),
    "embedding of numbers": (
        lambda: order_spectrum(nn.Sequential(nn.Embedding(3, 1), nn.Flatten()).eval(), CUBE),
        r"wants integers.*Empirical\(codes\)",
    ),
    "class of estimators": (
        lambda: order_spectrum(LinearRegression, FRAME),
        r"LinearRegression is a class: fit one",
    ),
    "not fitted": (lambda: order_spectrum(LinearRegression(), NUMBERS, max_order=1), "not fitted"),
    "neither": (lambda: order_spectrum("model", FRAME), "callable, or an estimator; got str"),
    "missing column": (
        lambda: order_spectrum(PIPELINE, NUMBERS),
        r"fitted on columns that are missing: \['city'\]",
    ),
    "labels": (
        lambda: order_spectrum(PIPELINE.predict, FRAME),
        "numbers, it returned.*measure predict_proba",
    ),
    "several targets": (
        lambda: order_spectrum(
            MultiOutputClassifier(LogisticRegression()).fit(NUMBERS, np.stack([BOUGHT, THREE], 1)),
            NUMBERS,
            max_order=1,
        ),
        r"a table for each of its targets.*predict_proba\(frame\)\[0\]",
    ),
    "object": (
        lambda: order_spectrum(Wrapped().eval(), CUBE),
        r"Answer of \['logits', 'hidden'\].*adapt\(model, output='logits'\)",
    ),
    "named tuple": (
        lambda: order_spectrum(lambda x: Named(x[:, 0], x), CUBE),
        r"Named of \['logits', 'hidden'\].*adapt\(model, output='logits'\)",
    ),
    "list of outputs": (
        lambda: order_spectrum(lambda x: [x[:, 0], x[:, 1]], CUBE),
        r"list of \[0, 1\].*adapt\(model, output=0\)",
    ),
    "generator": (
        lambda: order_spectrum(lambda x: (float(row[0]) for row in x), CUBE),
        "must return numbers, it returned a generator$",
    ),
    "no weights": (
        lambda: order_spectrum(nn.Linear(3, 1, device="meta").eval(), CUBE),
        "on the meta device, where it has no weights",
    ),
    "image": (
        lambda: order_spectrum(nn.Conv2d(1, 1, 2).eval(), CUBE),
        r"nn.Sequential\(nn.Unflatten\(1, \(1, 28, 28\)\), model\)",
    ),
    "other width": (
        lambda: order_spectrum(nn.Linear(4, 1).eval(), CUBE),
        r"Is d what the model takes\? It is given rows \[n, d\]",
    ),
    "series for inputs": (
        lambda: order_spectrum(lambda x: x[:, 0], FRAME["age"]),
        r"got Series: give Empirical\(series.to_frame\(\)\)",
    ),
    "dict for inputs": (
        lambda: order_spectrum(lambda x: x[:, 0], {"age": [1, 2]}),
        "got dict: give Marginals of it",
    ),
    "list for inputs": (
        lambda: order_spectrum(lambda x: x[:, 0], [CUBE, CUBE]),
        "got list: give Marginals",
    ),
    "class for inputs": (
        lambda: order_spectrum(lambda x: x[:, 0], Uniform),
        "got the class Uniform itself",
    ),
    "frame for marginals": (lambda: Marginals(NUMBERS), r"give Empirical\(frame\)"),
    "sparse data": (
        lambda: Empirical(sparse.eye(4).tocsr()),
        r"got a sparse one: give Empirical data.toarray\(\)",
    ),
    "dict of data": (
        lambda: Empirical({"age": [1.0, 2.0]}),
        r"an array or a data frame: give pandas.DataFrame",
    ),
    "records": (lambda: Empirical(NUMBERS.to_records()), r"give pandas.DataFrame"),
    "masked data": (
        lambda: Empirical(np.ma.masked_greater(NUMBERS.to_numpy(float), 30)),
        "masked values, which are missing ones",
    ),
    "array for inputs": (
        lambda: order_spectrum(lambda x: x[:, 0], np.ones((3, 2))),
        r"Empirical\(data\), or a data frame; got ndarray",
    ),
    "name of no input": (
        lambda: superset_index(lambda x: x[:, 0], NUMBERS, [["agee"]]),
        r"no input is called 'agee'.*'age', 'member'",
    ),
    "name without names": (
        lambda: superset_index(lambda x: x[:, 0], CUBE, [["age"]]),
        "'age': they have no names",
    ),
    "part of an input": (
        lambda: superset_index(lambda x: x[:, 0], CUBE, [[0.5]]),
        "name or number",
    ),
}


@pytest.mark.parametrize(("ask", "message"), UNCLEAR.values(), ids=UNCLEAR.keys())
def test_what_cannot_be_measured_is_answered_with_what_to_do(ask, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        ask()
