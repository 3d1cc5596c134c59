"""Which orders of interaction among its tokens carry what a sentence encoder says of a sentence?

A pretrained encoder of the user's (INTERACTIONS_MODEL names its folder, or its name on the Hugging
Face hub) is asked for the embedding of one sentence after another, with each token absent or
present by itself, and the embedding's variance is told apart by order. Its components are as many
outputs: variances are added up over them. Up to 16 tokens the spectrum is exact, of longer texts it
is sampled.

With dropout on, the model's own dropout modules are in training mode, each at the rate, with masks
that are drawn once and stay what they are whichever tokens are present. What is measured is the
mean embedding over these masks. Masks leave noise in a mean over few of them, so that more masks
are part of the answer, not of its error alone.

The mean of the last hidden states over the tokens that are attended to, brought to length 1, is
the embedding, as in Reimers & Gurevych, EMNLP 2019.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from interactions import order_spectrum
from interactions.networks import member_seed
from interactions.players import masking, tokens, unattended

from ..errors import MissingDataError, UserError
from ..running.context import Context
from ..running.data import sentence_encoder
from ..tasks import summed

QUESTION = "Which orders among its tokens carry an encoder's answer, without and with dropout?"
DATA = ("sentence_encoder",)
ABSENT = ("unattended", "mask token")
TEXTS = (
    "Good bread needs some time.",
    "My uncle sells used cars.",
    "The bridge closed after heavy rain.",
    "Her brother never liked cold soup.",
    "Rain washed the old bridge away.",
    "Nobody expected the small team to win.",
    "Most of the guests left before midnight.",
    "He sold his house to a painter.",
    "The museum lends paintings to village schools.",
    "He sold the house but kept the garden.",
    "Not every letter that she wrote arrived.",
    "The doctor told him to stop smoking at once.",
    "A late frost killed half of the apple blossoms.",
    "Without her glasses she could not read it.",
    "The committee did not approve the new budget last week.",
    "She plays the violin better than anyone else in town.",
    "Without her glasses she could not read the timetable at all.",
    "The film was slow, yet I was never bored.",
    "The train to Vienna leaves at noon, not in the evening.",
    "The film was rather long, yet I was never bored by it.",
)
"""Sentences of 8 to 16 tokens of a usual vocabulary, with the two that mark both ends."""
MEMORY = 2**30
"""Bytes for a grid: 2^16 points of an embedding of some 384 numbers, held three times."""


@dataclass(frozen=True)
class Settings:
    """`keeps` are probabilities that a token is present.

    Absent tokens are "unattended", or replaced by the "mask token". `rates` are those of dropout,
    and `masks` the masks over which an embedding is averaged.
    """

    texts: tuple[str, ...] = TEXTS
    keeps: tuple[float, ...] = field(default=(0.5,), metadata={"range": "(0, 1)"})
    absent: str = field(default="unattended", metadata={"among": ABSENT})
    rates: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    masks: int = field(default=8, metadata={"range": "[1, 1e4]"})
    max_order: int = field(default=4, metadata={"range": "[1, 10]"})
    tolerance: float = 0.01
    budget: int = 2**17

    def __post_init__(self) -> None:
        for text in self.texts:
            if len(text.split()) < 2:
                raise ValueError(f"texts must have two words at least, got {text[:40]!r}")


PRESETS = {
    ("controlled", "tiny"): Settings(texts=TEXTS[:2], rates=(0.0, 0.1), masks=2, max_order=2),
    ("controlled", "quick"): Settings(texts=TEXTS[:6], masks=4),
    ("controlled", "paper"): Settings(texts=TEXTS[:16], masks=16),
}


def shards(settings: Settings) -> list[Settings]:
    """A text each."""
    return [replace(settings, texts=(text,)) for text in settings.texts]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per text, keep, rate and order.

    `tokens` are those that may be absent. Variances are sums over the embedding's components, with
    standard errors that are added up: a bound, for the components' errors are not independent.
    """
    s = settings
    encoder = Encoder(context)
    cells = [(keep, rate) for keep in s.keeps for rate in s.rates]
    tables = []
    with context.progress(len(s.texts) * len(cells), "asking the encoder") as advance:
        for text in s.texts:
            for keep, rate in cells:
                table = _of_text(encoder, text, keep, rate, s, context)
                tables.append(table.assign(text=text, keep=keep, rate=rate))
                advance(1)
    keys = ["text", "tokens", "keep", "rate", "order"]
    return pd.concat(tables, ignore_index=True).set_index(keys).reset_index()


def _of_text(
    encoder: Encoder, text: str, keep: float, rate: float, s: Settings, context: Context
) -> pd.DataFrame:
    ids, players = encoder.tokens(text)
    count = int(players.max()) + 1
    baseline = unattended if s.absent == "unattended" else encoder.mask_token
    # Seeds follow from the text, so that a shard draws the masks it has in the whole.
    seeds = [member_seed(context.seed, f"masks {i} of {text}") for i in range(s.masks)]
    function, inputs = masking(
        encoder.embeddings(rate, seeds), ids, players=players, baseline=baseline, keep=keep
    )
    spectrum = order_spectrum(
        function,
        inputs,
        max_order=min(s.max_order, count),
        tolerance=s.tolerance,
        budget=s.budget,
        memory=MEMORY,
        seed=member_seed(context.seed, f"points of {text}"),
    )
    table = summed(spectrum, len(spectrum.variance)).drop(columns="output")
    return table.assign(tokens=count, evaluations=spectrum.evaluations)


class Encoder:
    """A sentence encoder of the user's: its tokens, and its embeddings under dropout.

    Raises MissingDataError where there is none, or no `transformers` to read it with.
    """

    def __init__(self, context: Context) -> None:
        folder = sentence_encoder(context.data_dir)
        try:
            from transformers import AutoModel, AutoTokenizer
        except ImportError as error:
            raise MissingDataError(
                'a sentence encoder needs transformers: pip install "interactions[language]"'
            ) from error
        only = {"local_files_only": True}
        self.tokenizer = AutoTokenizer.from_pretrained(folder, **only)
        # Attention in single steps, for the dropout inside of a fused one is out of reach.
        self.model = AutoModel.from_pretrained(
            folder, **only, use_safetensors=True, attn_implementation="eager"
        )
        self.model.to(context.device).eval()

    def tokens(self, text: str) -> tuple[Tensor, Tensor]:
        """Ids [T] of a text's tokens, and their players [T]: all but the special ones."""
        ids = torch.tensor(self.tokenizer(text, truncation=True).input_ids)
        # The token of unknown words stands for a word, and so may be absent.
        always = {*self.tokenizer.all_special_ids} - {self.tokenizer.unk_token_id}
        players = tokens(ids, always=always)
        return ids.to(self.model.device), players

    @property
    def mask_token(self) -> int:
        if self.tokenizer.mask_token_id is None:
            raise UserError("this encoder has no mask token: choose absent=unattended")
        return self.tokenizer.mask_token_id

    def embeddings(self, rate: float, seeds: list[int]) -> nn.Module:
        """The mean embedding over dropout masks, as a function of a batch of tokens."""
        return FixedDropout(Embedding(self.model), rate, seeds)


class Embedding(nn.Module):
    """Token ids [n, T] and, where some are not attended to, their mask, to embeddings [n, h]."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model
        self.training = False

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        states = self.model(input_ids=input_ids, attention_mask=mask).last_hidden_state
        weight = mask.unsqueeze(-1).to(states)
        mean = (states * weight).sum(dim=1) / weight.sum(dim=1)
        return nn.functional.normalize(mean, dim=-1)


class FixedDropout(nn.Module):
    """A network's mean answer over a few masks of its own dropout, the same for every point.

    Its dropout modules drop at `rate` as in training, and everything else is as in evaluation. A
    seed draws one mask for each of them, in the shape of a point's part of the batch, so that the
    answer is a function of the points. What is met are calls of `torch.nn.functional.dropout`, as
    modules make them; at rate 0 the network is asked once, as it is.
    """

    def __init__(self, network: nn.Module, rate: float, seeds: Sequence[int]) -> None:
        super().__init__()
        self.network, self.rate, self.seeds = network, rate, tuple(seeds)
        self.training = False

    def forward(self, *args: object, **options: object) -> Tensor:
        if self.rate == 0:
            return self.network(*args, **options)
        total: Tensor | float = 0.0
        for seed in self.seeds:
            with _SameMasks(self.rate, seed):
                total = total + self.network(*args, **options)
        return total / len(self.seeds)


class _SameMasks(TorchFunctionMode):
    """Within it, dropout keeps or drops the same units of every point of a batch."""

    def __init__(self, rate: float, seed: int) -> None:
        super().__init__()
        self.rate = rate
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_function__(
        self, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ) -> object:
        if function is not nn.functional.dropout:
            return function(*args, **(kwargs or {}))
        x = args[0] if args else kwargs["input"]
        kept = torch.rand(x.shape[1:], generator=self.generator) >= self.rate
        return x * (kept / (1 - self.rate)).to(x)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """Shares by keep and rate, means over texts with standard errors over them.

    `interactions` is the share above order 1, and `change` what it gains over that of the same text
    without dropout (missing without rate 0). `total` is the variance of the embedding of length 1.
    `measured_to` is the largest standard error of a text's share, 0 where all is exact.
    """
    keys = ["keep", "rate"]
    values = table.pivot_table("share", [*keys, "text"], "order", sort=False)
    orders = list(values.columns)
    values["interactions"] = 1 - values["1"]
    without = values["interactions"].xs(0.0, level="rate") if 0.0 in set(table["rate"]) else None
    values["change"] = np.nan
    if without is not None:
        values["change"] = (
            values["interactions"] - without.reindex(values.index.droplevel("rate")).to_numpy()
        )
    values["total"] = table.groupby([*keys, "text"], sort=False)["variance"].sum()
    groups = values.groupby(level=keys, sort=False)
    out = groups.mean()
    columns = []
    for name in [*orders, "interactions", "change", "total"]:
        out[f"{name} se"] = groups[name].sem()
        columns += [name, f"{name} se"]
    out = out[columns]
    out.insert(0, "texts", groups.size())
    out["measured_to"] = table.groupby(keys, sort=False)["share_standard_error"].max()
    return out.reset_index().rename_axis(columns=None)
