"""Which orders of interaction among patches carry an image classifier's logits, under dropout?

A small convolutional network and a small attention network learn the digits of MNIST, under
dropout at several rates while they are trained: before the convolutional network's last layer, and
in every block of the attention network. Each is then asked about single test images, whose 7x7
patches of 16 pixels are present or blank by themselves. The spectrum is that of the logits less
their mean, which softmax does not see, added up over them. Of one image all networks are measured
on the same sets of patches, so that their differences are not those of samples.

LeCun, Bottou, Bengio & Haffner, Proc. IEEE 86 (1998); Dosovitskiy et al., ICLR 2021, for patches as
tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from interactions import order_spectrum
from interactions.networks import member_seed
from interactions.players import masking, patches

from ..running.context import Context
from ..running.data import mnist
from ..tasks import answers, members_of, of_members, summed

QUESTION = "Which orders among its patches carry an image classifier's logits, under dropout?"
DATA = ("mnist",)
CLASSES = 10
SIDE, PATCH = 28, 4
"""Pixels of an image's side and of a patch's, which has no part in two rows of patches."""
FEATURES = 32
"""Numbers by which the attention network tells a patch."""


@dataclass(frozen=True)
class Settings:
    """Networks of the `kinds` are trained at every rate, `repeats` of each, on images of their own.

    The first `images` of `test_images` are measured, their patches present with probability `keep`
    and blank otherwise.
    """

    kinds: tuple[str, ...] = field(
        default=("convolution", "attention"), metadata={"among": ("convolution", "attention")}
    )
    rates: tuple[float, ...] = (0.0, 0.25, 0.5)
    repeats: int = 5
    samples: int = field(default=10_000, metadata={"range": "[1, 6e4]"})
    epochs: int = 5
    batch_size: int = 128
    learning_rate: float = 2e-3
    images: int = field(default=10, metadata={"range": "[1, 1e4]"})
    test_images: int = field(default=10_000, metadata={"range": "[1, 1e4]"})
    keep: float = field(default=0.5, metadata={"range": "(0, 1)"})
    max_order: int = field(default=3, metadata={"range": "[1, 10]"})
    tolerance: float = 0.02
    budget: int = 2**16

    def __post_init__(self) -> None:
        if self.images > self.test_images:
            raise ValueError(f"{self.images} images cannot be of {self.test_images} test images")


PRESETS = {
    ("controlled", "tiny"): Settings(
        rates=(0.0, 0.5),
        repeats=1,
        samples=64,
        epochs=1,
        images=1,
        test_images=50,
        max_order=2,
        tolerance=0.1,
        budget=2**13,
    ),
    ("controlled", "quick"): Settings(
        repeats=2,
        samples=3000,
        epochs=2,
        images=2,
        test_images=2000,
        max_order=2,
        tolerance=0.03,
        budget=2**14,
    ),
    ("controlled", "paper"): Settings(),
}


def shards(settings: Settings) -> list[Settings]:
    """A kind of network each."""
    return [replace(settings, kinds=(kind,)) for kind in settings.kinds]


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """One row per kind, rate, repeat, image and order; `error` is the share of wrong answers.

    Variances are sums over the logits, with standard errors that are added up: a bound, for the
    logits' errors are not independent. `left_out` bounds the share that is not told apart because
    the measurement passed over patches that hardly matter; it counts as of higher order.
    """
    s = settings
    (x, y), (test, truth) = (
        (torch.as_tensor(images, dtype=torch.float32)[:, None] / 255, torch.as_tensor(digits))
        for images, digits in mnist(context.data_dir)
    )
    test, truth = test[: s.test_images].to(context.device), truth[: s.test_images].long()
    members = members_of(["kind", "rate"], list(product(s.kinds, s.rates)), s.repeats)
    seeds = context.seeds(s.repeats)
    networks, errors = [], []
    with context.progress(len(members), "training on digits") as advance:
        for row in members.itertuples():
            networks.append(trained(row.kind, row.rate, x, y.long(), s, seeds[row.repeat], context))
            wrong = answers(networks[-1], test).argmax(dim=1).cpu() != truth
            errors.append(wrong.double().mean().item())
            advance(1)
    logits, tables = CentredLogits(networks), []
    with context.progress(s.images, "measuring images") as advance:
        for image in range(s.images):
            players = patches((SIDE, SIDE), PATCH)
            function, inputs = masking(logits, test[image], players=players, keep=s.keep)
            spectrum = order_spectrum(
                function,
                inputs,
                max_order=s.max_order,
                method="kernel",
                tolerance=s.tolerance,
                budget=s.budget,
                seed=member_seed(context.seed, f"sets of patches of image {image}"),
            )
            own = of_members(summed(spectrum, CLASSES), members.assign(error=errors))
            tables.append(own.assign(image=image, left_out=spectrum.left_out.max()))
            advance(1)
    keys = ["kind", "rate", "repeat", "error", "image", "order"]
    return pd.concat(tables, ignore_index=True).set_index(keys).reset_index()


def trained(
    kind: str, rate: float, x: Tensor, y: Tensor, s: Settings, seed: int, context: Context
) -> nn.Module:
    """A network that has learned its repeat's images, in eval mode.

    A repeat has the same images in the same order for all kinds and rates.
    """
    generator = torch.Generator().manual_seed(seed)
    mine = torch.randperm(len(x), generator=generator)[: s.samples]
    # Dropout draws from the random state of the process, which is left as it was.
    with torch.random.fork_rng():
        torch.manual_seed(member_seed(seed, "network"))
        network = NETWORKS[kind](rate).to(context.device)
        optimizer = torch.optim.Adam(network.parameters(), lr=s.learning_rate)
        for _ in range(s.epochs):
            order = mine[torch.randperm(len(mine), generator=generator)]
            for rows in order.split(s.batch_size):
                images, digits = (a[rows].to(context.device) for a in (x, y))
                loss = nn.functional.cross_entropy(network(images), digits)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return network.eval()


class Convolution(nn.Sequential):
    """Two convolutions, each halved by the largest of four, dropout, and a linear layer."""

    def __init__(self, rate: float) -> None:
        quarter = (SIDE // 4) ** 2
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(rate),
            nn.Linear(16 * quarter, CLASSES),
        )


class Attention(nn.Module):
    """Patches as tokens, two blocks of attention with dropout, and their mean, a linear layer."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.embed = nn.Conv2d(1, FEATURES, PATCH, stride=PATCH)
        self.place = nn.Parameter(0.1 * torch.randn((SIDE // PATCH) ** 2, FEATURES))
        block = nn.TransformerEncoderLayer(FEATURES, 4, 2 * FEATURES, rate, batch_first=True)
        self.blocks = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
        self.last = nn.Linear(FEATURES, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        tokens = self.embed(images).flatten(2).transpose(1, 2) + self.place
        return self.last(self.blocks(tokens).mean(dim=1))


NETWORKS: dict[str, Callable[[float], nn.Module]] = {
    "convolution": Convolution,
    "attention": Attention,
}


class CentredLogits(nn.Module):
    """Logits of all networks less their mean over the classes: images to [n, networks · 10]."""

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.networks = nn.ModuleList(networks)
        self.eval()

    def forward(self, images: Tensor) -> Tensor:
        logits = torch.stack([network(images) for network in self.networks], dim=1)
        return (logits - logits.mean(dim=-1, keepdim=True)).flatten(1)


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By kind and rate: test error, shares and total variance, means with errors over repeats.

    Of every repeat first the mean over images, which are the same for all. `interactions` is the
    share above order 1, and `change` what it gains over that of the same repeat without dropout
    (missing without rate 0). `measured_to` is the largest standard error of a share.
    """
    keys = ["kind", "rate"]
    shares = table.pivot_table("share", [*keys, "repeat"], "order", sort=False)
    orders = list(shares.columns)
    groups = table.groupby([*keys, "repeat"], sort=False)
    values = shares.assign(interactions=1 - shares["1"], error=groups["error"].first())
    values["total"] = groups["variance"].sum() / table["image"].nunique()
    plain = values["interactions"].unstack("rate")
    plain = plain[0.0] if 0.0 in plain else plain.iloc[:, 0] * np.nan
    values["change"] = (
        values["interactions"] - plain.reindex(values.index.droplevel("rate")).to_numpy()
    )
    over = values.groupby(level=keys, sort=False)
    out, columns = over.mean(), []
    for name in ["error", *orders, "interactions", "change", "total"]:
        out[f"{name} se"] = over[name].sem()
        columns += [name, f"{name} se"]
    out = out[columns]
    out["measured_to"] = table.groupby(keys, sort=False)["share_standard_error"].max()
    return out.reset_index().rename_axis(columns=None)
