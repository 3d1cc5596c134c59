"""Classifiers of digits: their images, early stopping and spectra."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.errors import UserError
from experiments.questions import digits
from experiments.running.context import Context
from experiments.running.settings import change
from interactions import MLPEnsemble, OrderSpectrum, Patience, Samples, fit

CONTEXT = Context(quiet=True)


def dot(row: int, column: int) -> torch.Tensor:
    image = torch.zeros(28, 28)
    image[row, column] = 1.0
    return image.flatten()


def middles(images: torch.Tensor) -> torch.Tensor:
    """Centres of mass [n, 2] of images [n, 784], in pixels from the images' middle."""
    place = torch.arange(28) - 13.5
    images = images.view(-1, 28, 28) / images.sum(dim=1).view(-1, 1, 1)
    return torch.stack([(images.sum(2) * place).sum(1), (images.sum(1) * place).sum(1)], dim=1)


def test_digits_are_shifted_and_turned_as_far_as_they_say() -> None:
    images = torch.stack([dot(14, 14), dot(14, 20)]).repeat(200, 1)

    def moved(shift: float, degrees: float) -> torch.Tensor:
        return digits.moved(images, shift, degrees, torch.Generator().manual_seed(1))

    torch.testing.assert_close(moved(0.0, 0.0), images, atol=1e-4, rtol=0)
    shifts = (middles(moved(2.0, 0.0)) - middles(images)).abs()
    assert shifts.max() < 2.01
    assert (shifts.max(dim=0).values > 1.9).all()
    places = middles(moved(0.0, 30.0))[1::2]
    # Interpolation moves a single pixel's centre of mass by a fraction of a pixel.
    assert (places.norm(dim=1) - middles(images)[1].norm()).abs().max() < 0.3
    angles = torch.rad2deg(torch.atan2(places[:, 0], places[:, 1]))
    assert 25 < angles.max() - angles.mean() < 33
    torch.testing.assert_close(moved(2.0, 30.0), moved(2.0, 30.0))


def test_only_augmented_variants_see_copies_and_rates_follow_widths() -> None:
    s = replace(digits.Settings(), variants=("none", "half augmented"), copies=3)
    x, y = torch.stack([dot(9, 9), dot(4, 5)]), torch.tensor([3, 7])
    samples = digits.training_set(x, y, s, 0)
    assert samples.sizes == [2, 8]
    torch.testing.assert_close(samples.x[:2], x)
    assert samples.y.tolist() == [3, 7] * 4
    assert digits.DROPOUTS["by width"]((128, 64)).rates(2) == (0.0, 0.5, 0.25)
    with pytest.raises(UserError, match="unknown variants 'third'"):
        change(s, ["variants=third"])


def test_early_stopping_read_off_the_curves_is_that_of_training() -> None:
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(120, 5, generator=generator)
    y = (x[:, 0] + torch.randn(120, generator=generator) > 0).long()
    train, validation = (x[:60], y[:60]), (x[60:], y[60:])
    epochs, epoch = 30, 4

    def trained(**options) -> tuple[MLPEnsemble, object]:
        ensemble = MLPEnsemble((5, 16, 2), seeds=[0, 1, 2])
        options |= {"steps": epochs * epoch, "loss": "cross_entropy", "learning_rate": 0.01}
        return ensemble, fit(ensemble, Samples(*train, batch_size=16), **options)

    ensemble, result = trained(snapshots=range(epoch, (epochs + 1) * epoch, epoch))
    snapshots = torch.stack(list(result.snapshots.values()))
    losses = digits._curves(ensemble, snapshots, {"validation": validation})["validation_loss"]
    rule = Patience(Samples(*validation), patience=2, every=epoch)
    _, stopped = trained(stop=rule)
    assert stopped.reason == ["patience"] * 3
    best = digits.best_epochs(losses, Samples(*validation), 2)
    assert [epoch * e for e in best] == stopped.weights_from.tolist()
    assert best[0] < epochs


def test_spectra_of_logits_are_sums_over_each_networks_own() -> None:
    variance = np.random.default_rng(0).uniform(size=(20, 3))
    spectrum = OrderSpectrum.known(variance, error=0.1, share_error=0.02, method="known")
    table = pd.DataFrame(digits._spectra(spectrum, [{"repeat": 0}, {"repeat": 1}]))
    found = table.pivot_table(["value", "standard_error"], ["repeat", "quantity"], "order")
    second = variance[10:].sum(axis=0)
    assert found.loc[(1, "variance"), ("value", "2")] == pytest.approx(second[1])
    assert found.loc[(1, "share"), ("value", ">2")] == pytest.approx(second[2] / second.sum())
    assert found.loc[(0, "variance"), ("standard_error", "1")] == pytest.approx(1.0)
    assert found.loc[(0, "share"), ("standard_error", "1")] == pytest.approx(0.02)


def test_what_all_logits_share_is_not_measured() -> None:
    ensemble = MLPEnsemble((4, 3, 10), seeds=[0, 1]).eval()
    x = torch.randn(7, 4, generator=torch.Generator().manual_seed(0))
    logits = digits.CentredLogits(ensemble)(x).detach()
    assert logits.shape == (7, 20)
    torch.testing.assert_close(logits.unflatten(1, (2, 10)).sum(dim=2), torch.zeros(7, 2))
    own = ensemble.select([1])(x)
    torch.testing.assert_close(logits[:, 10:].softmax(dim=1), own.softmax(dim=1))


def test_the_summary_has_means_over_repeats_of_ends_and_no_curves() -> None:
    row = {"variant": "none", "order": None, "standard_error": None}
    table = pd.DataFrame(
        [
            row | {"repeat": i, "look": look, "epoch": e, "quantity": q, "value": e + i}
            for look, e in (("curve", 1), ("stopped", 3))
            for q in ("train_error", "test_error", "test_loss")
            for i in (0, 2)
        ]
        + [
            row
            | {"repeat": i, "look": "stopped", "quantity": "share", "order": "1"}
            | {"value": 0.5 + 0.1 * i, "standard_error": 0.01 + i}
            for i in (0, 2)
        ]
    )
    (found,) = digits.summary(table).to_dict("records")
    assert (found["look"], found["epoch"]) == ("stopped", 3)
    assert (found["test_error"], found["test_error se"]) == (4, 1)
    assert found["share 1"] == pytest.approx(0.6)
    assert found["measured_to"] == pytest.approx(2.01)
