"""What does dropout do to a classifier of handwritten digits, and to the order of its logits?

The lecture's network on MNIST: two hidden ReLU layers, trained without dropout, with 50%, with a
rate per layer (20% of the pixels, 50% of the units) and with rates in proportion to the layers'
widths; on the images, or on shifted and rotated copies of them as well. All take the same number
of steps. Early stopping is read off the validation losses of the same training. Nothing is chosen
by the test images: their curves are shown, and what stops early is tested where it stopped.

The spectrum is that of the logits, less their mean, which softmax does not see, under the product
of the pixels' own marginals: every pixel is drawn by itself, so the points are no digits.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from interactions import (
    Dropout,
    Empirical,
    MLPEnsemble,
    OrderSpectrum,
    Patience,
    Samples,
    fit,
    order_spectrum,
)
from interactions.networks import member_seed

from ..running.context import Context
from ..running.data import mnist
from ..tasks import summed

QUESTION = "What does dropout do to a classifier of digits, and to the order of its logits?"
DATA = ("mnist",)
DROPOUTS = {
    "none": lambda widths: Dropout(),
    "half": lambda widths: Dropout(hidden=0.5),
    "per layer": lambda widths: Dropout(inputs=0.2, hidden=0.5),
    "by width": lambda widths: Dropout(hidden=[0.5 * w / max(widths) for w in widths]),
}
VARIANTS = (*DROPOUTS, *(f"{name} augmented" for name in DROPOUTS))
LOOKS = ("stopped", "last")
CLASSES = 10
MARGINALS = 10_000
"""Training images whose pixels give the marginals, the same for every repeat."""


def _kind(variant: str) -> str:
    return variant.removesuffix(" augmented")


@dataclass(frozen=True)
class Settings:
    """`variants` are kinds of dropout, where wanted with " augmented".

    Every repeat draws its training and validation images. An epoch has as many steps for all
    variants. Augmented ones draw from the images and `copies` of each, shifted by up to `shift`
    pixels and turned by up to `degrees`. Networks are looked at where early stopping with
    `patience` epochs would have stopped them, restored to the best epoch, and after the last one;
    their spectra are measured at `looks`, which may be fewer.
    """

    variants: tuple[str, ...] = field(
        default=(*DROPOUTS, "none augmented", "half augmented"), metadata={"among": VARIANTS}
    )
    repeats: int = 5
    samples: int = 10_000
    validation: int = 2000
    test_images: int = field(default=10_000, metadata={"range": "[1, 1e4]"})
    widths: tuple[int, ...] = field(default=(128, 64), metadata={"twice": True})
    epochs: int = 30
    patience: int = 3
    batch_size: int = 128
    learning_rate: float = 1e-3
    copies: int = 4
    shift: float = field(default=2.0, metadata={"range": "[0, 28]"})
    degrees: float = field(default=15.0, metadata={"range": "[0, 180]"})
    looks: tuple[str, ...] = field(default=LOOKS, metadata={"among": LOOKS})
    tolerance: float = 0.03
    budget: int = 2**20

    def __post_init__(self) -> None:
        if self.samples + self.validation > 60_000:
            raise ValueError("MNIST has 60,000 images to train and validate on")


PRESETS = {
    ("controlled", "tiny"): Settings(
        variants=("none", "half augmented"),
        repeats=2,
        samples=100,
        validation=50,
        test_images=50,
        widths=(8, 4),
        epochs=2,
        copies=1,
        looks=("last",),
        tolerance=1.0,
    ),
    ("controlled", "quick"): Settings(
        repeats=2,
        samples=3000,
        validation=1000,
        test_images=2000,
        widths=(96, 48),
        epochs=25,
        looks=("last",),
        tolerance=0.04,
    ),
    ("controlled", "paper"): Settings(),
}


def run(settings: Settings, context: Context) -> pd.DataFrame:
    """Long table: variant, repeat, look, epoch, quantity, order, value, standard_error.

    Looks: "curve", after every epoch, "stopped" and "last". Quantities: loss and error on
    training images (without copies), validation and test images; variance and share by order,
    summed over the logits, whose standard errors are added up: a bound, for their errors are not
    independent.
    """
    s = settings
    (x, y), test = (
        (torch.as_tensor(images, dtype=torch.float32).flatten(1) / 255, torch.as_tensor(digits))
        for images, digits in mnist(context.data_dir)
    )
    y, test = y.long(), (test[0][: s.test_images], test[1][: s.test_images].long())
    rows: list[dict[str, object]] = []
    kept: dict[str, list[Tensor]] = {look: [] for look in s.looks}
    epoch = math.ceil(s.samples / s.batch_size)
    with context.progress(s.repeats * s.epochs * epoch, "training on digits") as advance:
        for repeat, seed in enumerate(context.seeds(s.repeats)):
            order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
            mine, held_out = order[: s.samples], order[s.samples : s.samples + s.validation]
            parts = {"train": (x[mine], y[mine]), "validation": (x[held_out], y[held_out])}
            parts["test"] = test
            ensemble = _ensemble(s, seed, context)
            result = fit(
                ensemble,
                training_set(*parts["train"], s, seed),
                steps=s.epochs * epoch,
                loss="cross_entropy",
                learning_rate=s.learning_rate,
                snapshots=range(epoch, (s.epochs + 1) * epoch, epoch),
                progress=advance,
            )
            snapshots = torch.stack([result.snapshots[step] for step in sorted(result.snapshots)])
            curves = _curves(ensemble, snapshots, parts)
            ends = {"last": [s.epochs] * len(s.variants)}
            ends["stopped"] = best_epochs(
                curves["validation_loss"], Samples(*parts["validation"]), s.patience
            )
            looks = [("curve", [e] * len(s.variants)) for e in range(1, s.epochs + 1)]
            for look, epochs in [*looks, *ends.items()]:
                rows += _rows(curves, s.variants, epochs, {"repeat": repeat, "look": look})
            for look in s.looks:
                members = range(len(s.variants))
                kept[look].append(snapshots[[e - 1 for e in ends[look]], members])
    # One sample measures every network, so that their differences are not those of samples.
    networks = ensemble.with_parameters(torch.stack([f for look in s.looks for f in kept[look]]))
    spectrum = order_spectrum(
        CentredLogits(networks),
        Empirical(x[:MARGINALS]),
        max_order=2,
        method="kernel",
        tolerance=s.tolerance,
        budget=s.budget,
        seed=context.seed,
    )
    keys = [
        {"variant": variant, "repeat": repeat, "look": look}
        for look in s.looks
        for repeat in range(s.repeats)
        for variant in s.variants
    ]
    rows += _spectra(spectrum, keys)
    columns = ["variant", "repeat", "look", "epoch", "quantity", "order", "value"]
    return pd.DataFrame(rows, columns=[*columns, "standard_error"])


def _ensemble(s: Settings, seed: int, context: Context) -> MLPEnsemble:
    return MLPEnsemble(
        (784, *s.widths, CLASSES),
        seeds=[seed] * len(s.variants),
        dropout=[DROPOUTS[_kind(v)](s.widths) for v in s.variants],
        device=context.device,
    )


def training_set(x: Tensor, y: Tensor, s: Settings, seed: int) -> Samples:
    """The images [n, 784], then their copies, which are augmented variants' only."""
    augmented = [v.endswith(" augmented") for v in s.variants]
    copies = s.copies if any(augmented) else 0
    generator = torch.Generator().manual_seed(member_seed(seed, "copies"))
    more = [moved(x, s.shift, s.degrees, generator) for _ in range(copies)]
    return Samples(
        torch.cat([x, *more]),
        y.repeat(1 + copies),
        batch_size=s.batch_size,
        sizes=[len(x) * (1 + copies * a) for a in augmented],
    )


def moved(x: Tensor, shift: float, degrees: float, generator: torch.Generator) -> Tensor:
    """Images [n, 784], each turned about its middle and shifted, what is left blank being 0.

    By angles and by shifts in both directions that are uniform up to these; interpolated linearly.
    A shift is a crop of the image with a blank margin.
    """
    turn, right, down = 2 * torch.rand(3, len(x), generator=generator) - 1
    turn = math.radians(degrees) * turn
    # From places in the new image, which run from -1 to 1 over 28 pixels, to those in the old one.
    right, down = (shift / 14 * right, shift / 14 * down)
    cos, sin = turn.cos(), turn.sin()
    places = torch.stack([cos, -sin, right, sin, cos, down], dim=1).view(-1, 2, 3)
    images = x.view(-1, 1, 28, 28)
    grid = functional.affine_grid(places, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False).flatten(1)


def _curves(
    ensemble: MLPEnsemble, snapshots: Tensor, parts: dict[str, tuple[Tensor, Tensor]]
) -> dict[str, np.ndarray]:
    """Mean loss and share of wrong answers on every part after every epoch, [epochs, E] each."""
    curves: dict[str, list[Tensor]] = {f"{p}_{q}": [] for p in parts for q in ("loss", "error")}
    for flat in snapshots:
        then = ensemble.with_parameters(flat)
        for part, (x, y) in parts.items():
            losses, wrong = [], []
            for images, digits in zip(x.split(2**10), y.split(2**10), strict=True):
                with torch.no_grad():
                    logits = then.outputs(images.to(then.flat)).double().cpu()
                log_p = logits.log_softmax(dim=-1)
                losses.append(-log_p[:, torch.arange(len(digits)), digits])
                wrong.append((logits.argmax(dim=-1) != digits).double())
            curves[f"{part}_loss"].append(torch.cat(losses, dim=1).mean(dim=1))
            curves[f"{part}_error"].append(torch.cat(wrong, dim=1).mean(dim=1))
    return {name: torch.stack(values).numpy() for name, values in curves.items()}


def best_epochs(losses: np.ndarray, validation: Samples, patience: int) -> list[int]:
    """The epoch to which early stopping would have restored every network, from 1.

    `losses` [epochs, E] are on the validation images. Training that stops is training that went
    on, cut off, so `Patience` judges the losses afterwards.
    """
    rule = Patience(validation, patience=patience)
    nothing = torch.zeros(1, 1, dtype=torch.float64)
    best = []
    for column in torch.as_tensor(losses).T:
        state = rule.start(nothing)
        for epoch, loss in enumerate(column, start=1):
            if rule.judge(state, loss[None], nothing, torch.tensor([epoch])):
                break
        best.append(int(state["best_step"]))
    return best


def _rows(
    curves: dict[str, np.ndarray], variants: Sequence[str], epochs: Sequence[int], key: dict
) -> Iterator[dict[str, object]]:
    for i, (variant, epoch) in enumerate(zip(variants, epochs, strict=True)):
        for quantity, values in curves.items():
            value = values[epoch - 1, i]
            yield {"variant": variant, **key, "epoch": epoch, "quantity": quantity, "value": value}


class CentredLogits(nn.Module):
    """Logits of all members less their mean over the classes: points [n, d] to [n, E · classes]."""

    def __init__(self, ensemble: MLPEnsemble) -> None:
        super().__init__()
        self.ensemble = ensemble
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        logits = self.ensemble.outputs(x)
        return (logits - logits.mean(dim=-1, keepdim=True)).transpose(0, 1).flatten(1)


def _spectra(spectrum: OrderSpectrum, keys: Sequence[dict]) -> Iterator[dict[str, object]]:
    """Sums over the logits of each network, whose logits are next to each other."""
    for row in summed(spectrum, CLASSES).itertuples():
        own = {**keys[row.output], "order": row.order}
        for quantity, value, error in (
            ("variance", row.variance, row.standard_error),
            ("share", row.share, row.share_standard_error),
        ):
            yield own | {"quantity": quantity, "value": value, "standard_error": error}


def summary(table: pd.DataFrame) -> pd.DataFrame:
    """By look and variant: epochs, errors, losses, shares and variances, means over repeats.

    `.. se` is the standard error over repeats. All networks are measured on the
    same points: `measured_to` is the largest standard error of a share that comes of these.
    """
    ends = table[table["look"] != "curve"].copy()
    keys = ["look", "variant"]
    spectral = ends["quantity"].isin(["share", "variance"])
    ends["name"] = ends["quantity"].where(~spectral, ends["quantity"] + " " + ends["order"])
    values = ends.pivot_table("value", [*keys, "repeat"], "name", sort=False)
    values["epoch"] = ends.groupby([*keys, "repeat"], sort=False)["epoch"].max()
    groups = values.groupby(level=keys, sort=False)
    out = groups.mean()
    shown = ["train_error", "test_error", "test_loss"]
    shown += [name for name in values if name.startswith(("share", "variance"))]
    columns = ["epoch"]
    for name in shown:
        out[f"{name} se"] = groups[name].sem()
        columns += [name, f"{name} se"]
    shares = ends[ends["quantity"] == "share"]
    out["measured_to"] = shares.groupby(keys, sort=False)["standard_error"].max()
    return out[[*columns, "measured_to"]].reset_index().rename_axis(columns=None)
