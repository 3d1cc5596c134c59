"""Players of one input: which parts of it they are, what replaces them, and what that measures."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from interactions import Empirical, Rademacher, order_spectrum
from interactions.anova import subset_variances
from interactions.players import masking, patches, taken_out, tokens, unattended

X = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 32.0]], dtype=torch.float64)


def seen(x=X, **options) -> torch.Tensor:
    """What a model is given of two players, for all four sets of those present."""
    given: list[torch.Tensor] = []

    def model(batch):
        given.append(batch)
        return torch.zeros(len(batch))

    function, inputs = masking(model, x, **options)
    assert inputs.dim == 2
    function(torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]))
    return given[0]


def test_absent_players_are_replaced_by_the_baseline() -> None:
    labels = torch.tensor([[0, 0, -1], [1, 1, -1]])
    none, second, first, both = seen(players=labels, baseline=-1.0)
    assert none.tolist() == [[-1, -1, 4], [-1, -1, 32]]
    assert second.tolist() == [[-1, -1, 4], [8, 16, 32]]
    assert first.tolist() == [[1, 2, 4], [-1, -1, 32]]
    assert both.tolist() == X.tolist()
    # The same players as groups of places, and a baseline for each element.
    batch = seen(players=[[0, 1], [3, 4]], baseline=torch.tensor([-1.0, -2.0, -3.0]))
    assert batch[0].tolist() == [[-1, -2, 4], [-1, -2, 32]]


def test_labels_broadcast_to_the_shape_of_the_input() -> None:
    """Pixels of two channels are one player; by default every element is one."""
    image = torch.stack([X, 10 * X])
    batch = seen(image, players=torch.tensor([[0], [1]]).expand(2, 3), baseline=0.0)
    assert batch[1].tolist() == [[[0, 0, 0], [8, 16, 32]], [[0, 0, 0], [80, 160, 320]]]
    assert seen(torch.tensor([3.0, 5.0]), baseline=9.0)[2].tolist() == [3, 9]


def test_a_model_of_arrays_is_given_arrays_and_a_module_its_own_type() -> None:
    function, inputs = masking(lambda a: np.prod(a, axis=1), np.array([2.0, 3.0]), baseline=1.0)
    assert order_spectrum(function, inputs, max_order=2).variance[:2] == pytest.approx([3.25, 0.25])
    network = nn.Sequential(nn.Flatten(), nn.Linear(6, 2)).eval()
    function, inputs = masking(network, X.numpy())
    found = order_spectrum(function, inputs, max_order=1)
    effects = network[1].weight.detach().double() * X.flatten()
    np.testing.assert_allclose(found.variance[:, 0], effects.square().sum(dim=1) / 4, rtol=1e-5)


def test_whole_numbers_are_masked_by_an_id_or_left_unattended() -> None:
    ids = torch.tensor([101, 7, 9, 102])
    players = tokens(ids, always=[101, 102])
    assert players.tolist() == [-1, 0, 1, -1]
    assert seen(ids, players=players, baseline=103)[1].tolist() == [101, 103, 9, 102]

    def model(input_ids, attention_mask):
        assert torch.equal(input_ids, ids.expand(len(input_ids), 4))
        return (input_ids * attention_mask).sum(dim=1).double()

    function, inputs = masking(model, ids, players=players, baseline=unattended)
    found = order_spectrum(function, inputs, max_order=2)
    assert found.variance == pytest.approx([(7**2 + 9**2) / 4, 0, 0])
    # A tuple is the model's arguments in their order.
    function, inputs = masking(
        lambda a, b: (a * b).sum(dim=1), X[0], baseline=lambda x, present: (x, present.double())
    )
    assert order_spectrum(function, inputs, max_order=1).variance[0] == pytest.approx(21 / 4)


class Attended(nn.Module):
    """Tokens and their places, looked up and averaged over those that are there."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        table = torch.randn(2, 9, 6, generator=generator, dtype=torch.float64)
        self.words, self.places = (nn.Embedding.from_pretrained(part) for part in table)
        self.asked: list[tuple[int, ...]] = []
        self.training = False

    def forward(self, input_ids, attention_mask=None, position_ids=None):
        self.asked.append(tuple(input_ids.shape))
        if attention_mask is None:
            attention_mask = torch.ones_like(input_ids)
        if position_ids is None:
            position_ids = torch.arange(input_ids.shape[1])
        weight = attention_mask[..., None].double()
        states = torch.tanh(self.words(input_ids) * self.places(position_ids)) * weight
        return states.sum(dim=1).square() / weight.sum(dim=1)


def test_tokens_that_are_taken_out_are_those_that_are_not_attended_to() -> None:
    ids, model = torch.tensor([1, 5, 7, 5, 2]), Attended()
    labels = tokens(ids, always=[1, 2])
    every = torch.tensor([*itertools.product([0.0, 1.0], repeat=3)])[torch.randperm(8)]
    answers = []
    for baseline in (unattended, taken_out):
        function, inputs = masking(model, ids, players=labels, baseline=baseline)
        assert f"absent ones replaced by {baseline.__name__}" in inputs.caveat
        answers.append(function(every))
    torch.testing.assert_close(*answers, rtol=0, atol=1e-12)
    # Rows of as many tokens are asked together, and no more than their tokens.
    assert model.asked == [(8, 5), (1, 2), (3, 3), (3, 4), (1, 5)]
    function, _ = masking(model, ids, baseline=taken_out)
    with pytest.raises(ValueError, match=r"no token is left .* always=tokenizer\.all_special_ids"):
        function(torch.zeros(2, 5))


TABLE = pd.DataFrame(
    {
        "age": [40, 20],
        "town": pd.Categorical(["Bern", "Rome"]),
        "member": [True, False],
        "day": pd.to_datetime(["2026-01-05", "2026-01-01"]),
    }
)


def of_rows(frame: pd.DataFrame) -> pd.Series:
    assert frame.dtypes.equals(TABLE.dtypes)
    days = (frame["day"] - pd.Timestamp("2026-01-01")).dt.days
    return frame["age"] * (frame["town"] == "Bern") + 3.0 * frame["member"] * days


def test_columns_of_a_row_are_players_by_name() -> None:
    """Of a product of two players a p and b q at keep k, a and b the steps that they make."""
    k, row, other = 0.3, TABLE.iloc[[0]], TABLE.iloc[[1]]
    parts = subset_variances(*masking(of_rows, row, baseline=other, keep=k))
    v = k * (1 - k)
    # age town = (20 + 20 p) q.
    assert parts["age",] == pytest.approx((20 * k) ** 2 * v)
    assert parts["town",] == pytest.approx((20 + 20 * k) ** 2 * v)
    assert parts["age", "town"] == pytest.approx((20 * v) ** 2)
    assert parts["member", "day"] == pytest.approx((12 * v) ** 2)
    # Columns that go together are one player, the others remain their own.
    grouped = {"club": ["day", "member"]}
    parts = subset_variances(*masking(of_rows, row, baseline=other, keep=k, players=grouped))
    assert [*parts][:3] == [("age",), ("town",), ("club",)]
    assert parts["club",] == pytest.approx(12**2 * v)
    assert sum(parts.values()) == pytest.approx(
        (20 * k) ** 2 * v + (20 + 20 * k) ** 2 * v + (20 * v) ** 2 + 12**2 * v
    )


def test_an_estimator_is_asked_for_a_row_by_its_own_columns() -> None:
    class Fitted:
        feature_names_in_ = np.array(["town", "age"], dtype=object)

        def predict(self, frame: pd.DataFrame) -> np.ndarray:
            assert [*frame] == ["town", "age"]
            return frame["age"].to_numpy() * (frame["town"] == "Bern").to_numpy()

    function, inputs = masking(Fitted(), TABLE.iloc[[0]], baseline=TABLE.iloc[[1]])
    assert inputs.names == tuple(TABLE)
    assert order_spectrum(function, inputs, max_order=2).share[1] == pytest.approx(1 / 11)
    assert "absent ones replaced by another row" in inputs.caveat


@pytest.mark.parametrize(
    ("x", "baseline", "message"),
    [
        (TABLE, TABLE.iloc[[1]], "one row each, as frame.iloc.*they have 2 and 1"),
        (TABLE.iloc[[0]], 0.0, "another row, a data frame as .* got float"),
        (TABLE.iloc[[0]], TABLE.iloc[[1], :3], r"lacks columns \['day'\]"),
        (
            TABLE.iloc[[0]],
            TABLE.iloc[[1]].assign(town=pd.Categorical(["Oslo"]), age=2.5),
            r"columns \['town'\] have other types in the baseline",
        ),
    ],
)
def test_a_row_needs_another_one_like_it(x, baseline, message: str) -> None:
    with pytest.raises((TypeError, ValueError), match=message):
        masking(of_rows, x, baseline=baseline)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
def test_groups_of_a_planted_function_are_its_players(keep: float) -> None:
    """(a + b)(c + d) of two groups and e of a third: by hand, one product and one main effect."""
    x = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0], dtype=torch.float64)
    function, inputs = masking(
        lambda v: (v[:, 0] + v[:, 1]) * (v[:, 2] + v[:, 3]) + v[:, 4],
        x,
        players=[[0, 1], [2, 3], [4]],
        baseline=0.0,
        keep=keep,
    )
    q = keep * (1 - keep)
    truth = {(0,): 441 * keep**2 * q, (1,): 441 * keep**2 * q, (2,): 25 * q, (0, 1): 441 * q * q}
    for subset, variance in subset_variances(function, inputs).items():
        assert variance == pytest.approx(truth.get(subset, 0.0), abs=1e-8)


def test_a_batch_equals_a_loop() -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 2)).eval()
    image = torch.rand(1, 6, 6)
    function, inputs = masking(network, image, players=patches((6, 6), 3))
    z = inputs.sample(9, generator=0, dtype=torch.float32)
    one_by_one = [function(row[None]) for row in z]
    torch.testing.assert_close(function(z), torch.cat(one_by_one))
    by_hand = image * z[0].view(2, 2).repeat_interleave(3, 0).repeat_interleave(3, 1)
    torch.testing.assert_close(function(z[:1]), network(by_hand[None]))


@pytest.mark.parametrize("keep", [0.1, 0.9])
def test_sixteen_players_are_measured_exactly(keep: float) -> None:
    function, inputs = masking(lambda x: x.prod(dim=1), torch.full((16,), 2.0), keep=keep)
    found = order_spectrum(function, inputs, max_order=16)
    assert "exact grid of every value" in found.method
    ratio = (1 - keep) / keep  # variance of a factor over its squared mean
    share = [torch.tensor(1.0 * ratio**k).item() for k in range(1, 17)]
    counts = np.array([1.0 * v for v in np.poly(-np.ones(16))[1:]]) * share
    np.testing.assert_allclose(found.share[:16], counts / counts.sum(), atol=1e-8)


def test_patches_tile_an_image_row_by_row() -> None:
    labels = patches((28, 28), 4)
    assert labels.unique().tolist() == [*range(49)]
    assert labels[4, 27] == 13
    assert labels.unique(return_counts=True)[1].tolist() == [16] * 49
    assert patches((3, 5), 2).tolist() == [[0, 0, 1, 1, 2]] * 2 + [[3, 3, 4, 4, 5]]


def test_a_result_says_what_its_answer_depends_on() -> None:
    function, inputs = masking(lambda x: x.sum(dim=1), X[0], baseline=2.0, keep=0.25)
    said = order_spectrum(function, inputs, max_order=1).method
    assert "players present with probability 0.25, absent ones replaced by 2" in said
    assert "depends on both" in said
    function, inputs = masking(
        lambda x: x.sum(dim=1), X[0], baseline=X[0] / 2, keep=(0.1, 0.2, 0.6)
    )
    said = order_spectrum(function, inputs, max_order=1).method
    assert "probabilities from 0.1 to 0.6, absent ones replaced by an array" in said
    ids = torch.tensor([1, 2])
    assert "replaced by unattended" in masking(len, ids, baseline=unattended)[1].caveat
    assert Rademacher(dim=2).caveat == ""
    assert "product of the columns' marginals" in Empirical(X).caveat


def test_names_and_probabilities_are_the_players_own() -> None:
    _, inputs = masking(len, X[0], keep=[0.2, 0.3, 0.4], names=["a", "b", "c"])
    assert inputs.names == ("a", "b", "c")
    assert inputs.probabilities.tolist() == [0.2, 0.3, 0.4]


def test_a_module_in_training_mode_is_refused() -> None:
    function, inputs = masking(nn.Sequential(nn.Flatten(), nn.Linear(6, 1)), X)
    with pytest.raises(ValueError, match="training mode"):
        order_spectrum(function, inputs, max_order=1)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"players": torch.tensor([0.0, 1.0, 1.0])}, TypeError, "integer labels"),
        ({"players": torch.tensor([0, 1])}, ValueError, "do not broadcast"),
        ({"players": torch.tensor([0, 2, 2])}, ValueError, "none left out"),
        ({"players": torch.tensor([-2, 0, 1])}, ValueError, "none left out"),
        ({"players": torch.tensor([-1, -1, -1])}, ValueError, "none left out"),
        ({"players": [[0, 1], [1]]}, ValueError, "player 1 holds a place that another"),
        ({"players": [[0], []]}, ValueError, "player 1 must hold places"),
        ({"players": [[0], [3]]}, ValueError, "outside of x, which has 3"),
        ({"baseline": torch.zeros(2)}, ValueError, "baseline of shape"),
        ({"keep": 1.0}, ValueError, "above 0 and below 1"),
        ({"keep": [0.5, 0.5]}, ValueError, "2 probabilities for 3 players"),
        ({"names": ["a"]}, ValueError, "1 names for 3"),
        ({"x": [1.0, 2.0]}, TypeError, "a tensor or an array"),
        ({"x": torch.tensor([1, 2, 3]), "baseline": 0.5}, ValueError, "so must the baseline"),
        ({"model": "bert"}, TypeError, "model must be callable"),
    ],
)
def test_mistakes_are_told(options, error, message: str) -> None:
    arguments = {"model": len, "x": torch.ones(3), **options}
    model, x = arguments.pop("model"), arguments.pop("x")
    with pytest.raises(error, match=message):
        masking(model, x, **arguments)


def test_patches_take_an_image_of_two_dimensions() -> None:
    with pytest.raises(ValueError, match="height and width"):
        patches((1, 28, 28), 4)
