"""Classifiers of images: how they are trained, and what their table says by kind and rate."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.errors import UserError
from experiments.questions import vision
from experiments.running.context import Context
from experiments.running.settings import change
from interactions import order_spectrum
from interactions.players import masking, patches

CONTEXT = Context(quiet=True)
FEW = replace(vision.PRESETS["controlled", "tiny"], samples=40, epochs=2, batch_size=20)


def images() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(60, 1, 28, 28, generator=generator), torch.arange(60) % 10


@pytest.mark.parametrize("kind", vision.NETWORKS)
def test_a_network_follows_its_seed_and_rate_and_leaves_the_random_state(kind: str) -> None:
    x, y = images()

    def logits(rate: float, seed: int) -> torch.Tensor:
        network = vision.trained(kind, rate, x, y, FEW, seed, CONTEXT)
        assert not any(module.training for module in network.modules())
        with torch.no_grad():
            return network(x[:3])

    before = torch.get_rng_state()
    first = logits(0.5, 1)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    torch.testing.assert_close(logits(0.5, 1), first, rtol=0, atol=0)
    assert not torch.equal(logits(0.0, 1), first)
    assert not torch.equal(logits(0.5, 2), first)


def test_what_all_logits_share_is_not_measured_and_no_patch_is_in_two() -> None:
    networks = [vision.Convolution(0.0), vision.Attention(0.0)]
    logits = vision.CentredLogits(networks)
    x, _ = images()
    with torch.no_grad():
        found = logits(x[:2])
    assert found.shape == (2, 20)
    torch.testing.assert_close(found.unflatten(1, (2, 10)).sum(dim=2), torch.zeros(2, 2))
    own = networks[1](x[:2]).softmax(dim=1)
    torch.testing.assert_close(found[:, 10:].softmax(dim=1), own)
    # The attention network embeds each patch by itself: with its blocks away, all is of order 1.
    networks[1].blocks = torch.nn.Identity()
    labels = patches((28, 28), 4)
    labels = torch.where(labels < 8, labels, -1)
    function, inputs = masking(vision.CentredLogits(networks[1:]), x[0], players=labels)
    assert order_spectrum(function, inputs, max_order=1).share[:, 0] == pytest.approx(1, abs=1e-6)


def test_the_summary_takes_errors_over_repeats_of_means_over_images() -> None:
    table = pd.DataFrame(
        [
            {"kind": "attention", "rate": rate, "repeat": i, "error": 0.1 * i, "image": image}
            | {"order": order, "share": share, "variance": share, "share_standard_error": 0.01}
            for rate, gain in ((0.0, 0.0), (0.5, 0.125))
            for i in range(2)
            for image in range(2)
            for above in [0.25 * image + 0.125 * i + gain]
            for order, share in (("1", 1 - above), (">1", above))
        ]
    )
    plain, dropped = vision.summary(table).to_dict("records")
    assert plain["interactions"] == pytest.approx(0.1875)
    assert plain["interactions se"] == pytest.approx(0.0625)
    assert (dropped["change"], dropped["change se"]) == (pytest.approx(0.125), pytest.approx(0))
    assert (plain["error"], plain["total"], plain["measured_to"]) == (0.05, 1.0, 0.01)
    assert np.isnan(vision.summary(table[table["rate"] > 0])["change"]).all()


def test_images_that_are_measured_are_test_images() -> None:
    with pytest.raises(UserError, match="20 images cannot be of 10 test images"):
        change(FEW, ["images=20", "test_images=10"])
