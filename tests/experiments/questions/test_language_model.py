"""A sentence encoder's spectrum under token masking, without and with its own dropout."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor, nn

from experiments.errors import MissingDataError, UserError
from experiments.questions import language_model
from experiments.questions.language_model import Embedding, Encoder, FixedDropout
from experiments.running import data
from experiments.running.context import Context
from experiments.running.settings import change
from experiments.tasks import summed
from interactions import order_spectrum
from interactions.players import masking, taken_out, unattended

CONTEXT = Context(quiet=True)


@pytest.fixture(scope="module")
def encoder(minilm: Path) -> Iterator[Encoder]:
    """The real MiniLM of a package that carries its weights, no dependency of ours."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(data.MODEL_VARIABLE, str(minilm))
        yield Encoder(CONTEXT)


def shortened(encoder: Encoder, ids: Tensor, players: Tensor):
    """The embedding with absent tokens taken out, positions as they are: half of the work."""

    def model(**given: Tensor) -> Tensor:
        states = encoder.model(**given).last_hidden_state
        return nn.functional.normalize(states.mean(dim=1), dim=-1)

    return masking(model, ids, players=players, baseline=taken_out)


def test_tokens_that_are_not_attended_to_might_as_well_be_gone(encoder) -> None:
    ids, players = encoder.tokens(language_model.TEXTS[0])
    function, inputs = masking(Embedding(encoder.model), ids, players=players, baseline=unattended)
    other, _ = shortened(encoder, ids, players)
    z = inputs.sample(12, generator=0, dtype=torch.float32)
    with torch.no_grad():
        torch.testing.assert_close(function(z), other(z), atol=1e-5, rtol=0)


def test_masks_of_dropout_stay_whichever_tokens_are_present(encoder) -> None:
    """Attention's own dropout as well: else a batch would not equal a loop."""
    ids, players = encoder.tokens(language_model.TEXTS[0])
    function, inputs = masking(
        encoder.embeddings(0.25, [1, 2]), ids, players=players, baseline=unattended
    )
    z = inputs.sample(5, generator=0, dtype=torch.float32)
    with torch.no_grad():
        together = function(z)
        torch.testing.assert_close(function(z[3:]), together[3:], atol=1e-5, rtol=0)
        assert (together - encoder.embeddings(0.0, [1])(ids[None])).abs().max() > 0.01


def test_the_spectrum_of_a_sentence_is_mostly_of_order_one(encoder) -> None:
    """A planning run found .878 .102 .017 .002 .001 for nine tokens, another sentence's."""
    settings = language_model.Settings(
        texts=("Rain washed the old bridge away.",), rates=(0.0,), absent="mask token"
    )
    table = language_model.run(settings, CONTEXT)
    assert table["order"].tolist() == ["1", "2", "3", "4", ">4"]
    assert set(table["tokens"]) == {7}
    assert (table["standard_error"] == 0).all()
    first, second, *rest = table["share"]
    assert 0.8 < first < 0.95
    assert 0.04 < second < 0.2
    assert sum(rest) < 0.06
    assert table["share"].sum() == pytest.approx(1)


def test_fixed_dropout_is_one_mask_for_all_points_and_its_mean_over_seeds() -> None:
    """Against masks by hand; a functional call, as that of attention, drops as modules do."""
    torch.manual_seed(0)
    hidden = torch.nn.Linear(3, 6)

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.hidden, self.dropout = hidden, torch.nn.Dropout(0.9)

        def forward(self, x):
            h = self.dropout(self.hidden(x))
            return torch.nn.functional.dropout(h**2, p=0.1, training=self.training)

    network, x = Network().eval(), torch.rand(5, 3)
    expected = []
    for seed in (3, 4):
        generator = torch.Generator().manual_seed(seed)
        first, second = (torch.rand(6, generator=generator) >= 0.25 for _ in range(2))
        expected.append((hidden(x) * first / 0.75) ** 2 * second / 0.75)
    dropped = FixedDropout(network, 0.25, [3, 4])
    torch.testing.assert_close(dropped(x), sum(expected) / 2)
    torch.testing.assert_close(dropped(x)[3:], dropped(x[3:]))
    assert not torch.equal(expected[0], expected[1])
    torch.testing.assert_close(FixedDropout(network, 0.0, [3])(x), network(x))
    assert not network.dropout.training


def test_a_text_has_two_words_that_may_interact() -> None:
    with pytest.raises(UserError, match="texts must have two words at least, got 'Bread'"):
        change(language_model.Settings(), ["texts=Bread"])
    own = change(language_model.Settings(), ["texts=Good bread,Bad soup"])
    assert own.texts == ("Good bread", "Bad soup")


def test_words_that_a_tokenizer_does_not_know_may_be_absent(encoder) -> None:
    ids, players = encoder.tokens("bread \U000118a0 soup")
    assert encoder.tokenizer.unk_token_id in ids.tolist()
    assert players.tolist() == [-1, 0, 1, 2, -1]


def test_the_summary_compares_a_text_with_itself() -> None:
    table = pd.DataFrame(
        [
            {"text": text, "keep": 0.5, "rate": rate, "order": order, "share": share}
            | {"variance": 2 * share, "share_standard_error": 0.01 * k}
            for k, (rate, more) in enumerate(((0.0, 0.0), (0.5, 0.125)))
            for text, above in (("a", 0.25), ("b", 0.5))
            for order, share in (("1", 1 - above - more), (">1", above + more))
        ]
    )
    plain, dropped = language_model.summary(table).to_dict("records")
    assert (plain["interactions"], plain["change"], plain["texts"]) == (0.375, 0.0, 2)
    assert (dropped["change"], dropped["change se"], dropped["total"]) == (0.125, 0.0, 2.0)
    assert dropped["measured_to"] == 0.01
    assert plain["1 se"] == pytest.approx(0.125)
    (alone,) = language_model.summary(table[table["rate"] > 0]).to_dict("records")
    assert np.isnan(alone["change"])


def test_without_a_model_the_question_says_what_to_name(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv(data.MODEL_VARIABLE, raising=False)
    tiny = language_model.PRESETS["controlled", "tiny"]
    with pytest.raises(MissingDataError, match="INTERACTIONS_MODEL"):
        language_model.run(tiny, Context(data_dir=tmp_path, quiet=True))


def by_table(encoder: Encoder, text: str, count: int = 8):
    """The leading components of a text's embedding, looked up where they were computed once.

    Components along which present and absent tokens move it most: few outputs for most of it.
    """
    ids, players = encoder.tokens(text)
    function, inputs = shortened(encoder, ids, players)
    states = torch.tensor([*itertools.product([0.0, 1.0], repeat=inputs.dim)])
    with torch.no_grad():
        table = torch.cat([function(some) for some in states.split(2**10)])
    table = (table - table.mean(dim=0)).double()
    table = table @ torch.linalg.eigh(table.T @ table)[1][:, -count:]
    place = 2 ** torch.arange(inputs.dim - 1, -1, -1)
    return (lambda z: table[(z.long() * place).sum(dim=1)]), inputs


@pytest.mark.slow
def test_the_kernel_agrees_with_the_exact_spectrum_of_twenty_sentences(encoder) -> None:
    """Within two standard errors in 95% of the orders, and as often for single components."""
    assert len(language_model.TEXTS) == 20
    within, own = [], []
    for text in language_model.TEXTS:
        function, inputs = by_table(encoder, text)
        exact = order_spectrum(function, inputs, max_order=3)
        assert "exact grid of every value" in exact.method
        kernel = order_spectrum(function, inputs, max_order=3, method="kernel")
        one, other = (summed(s, 8).iloc[:3] for s in (exact, kernel))
        off = (one["share"] - other["share"]).abs()
        within.append(off <= 2 * other["share_standard_error"])
        apart = np.abs(exact.share - kernel.share) / kernel.share_standard_error
        own.append((apart <= 2)[:, :3])
    assert np.mean(within) >= 0.95, within
    # Of the components' own errors, 480 in number: neither too narrow nor too wide.
    assert 0.92 <= np.mean(own) <= 0.99, own
