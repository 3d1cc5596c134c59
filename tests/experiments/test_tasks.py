"""What several questions share: data, dropout by placement, networks by cell, and their answers."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from experiments import tasks
from experiments.questions import learning_curves, pure_noise, weight_decay
from experiments.running.context import Context
from experiments.running.data import bike_sharing
from experiments.running.shards import split
from interactions import MLPEnsemble, Normal, OrderSpectrum, Samples, Uniform, fit
from interactions.planted import PlantedInteractions, Product, SumOfProducts, covariance
from interactions.theory import amplitude, dilated

CONTEXT = Context(quiet=True)


def test_dropout_is_where_its_placement_says() -> None:
    placed = {
        name: (dropout.inputs, dropout.hidden)
        for name in ("none", "input", "inputs", "activation", "hidden", "both")
        for dropout in [tasks.dropout_at(name, 0.25)]
    }
    assert placed["none"] == (0.0, 0.0)
    assert placed["input"] == placed["inputs"] == (0.25, 0.0)
    assert placed["activation"] == placed["hidden"] == (0.0, 0.25)
    assert placed["both"] == (0.25, 0.25)
    with pytest.raises(ValueError, match="unknown placement 'layers': choose from"):
        tasks.dropout_at("layers", 0.25)


def test_placements_are_one_network_at_rate_zero() -> None:
    cells = tasks.dropout_cells(("input", "both"), (0.0, 0.5))
    assert cells == [("none", 0.0), ("input", 0.5), ("both", 0.5)]
    assert tasks.dropout_cells(("input",), (0.5,)) == [("input", 0.5)]


def test_members_are_cell_by_cell_and_what_is_measured_is_joined_to_them() -> None:
    members = tasks.members_of(["rate"], [(0.0,), (0.5,)], 2)
    assert members["rate"].tolist() == [0.0, 0.0, 0.5, 0.5]
    assert members["repeat"].tolist() == [0, 1, 0, 1]
    measured = tasks.long_by_order(np.array([[1.0, 2.0], [3.0, 4.0]]), ("1", ">1"), [3, 0])
    rows = tasks.of_members(measured, members)
    assert list(rows.columns) == ["order", "value", "rate", "repeat"]
    assert rows["value"].tolist() == [1.0, 2.0, 3.0, 4.0]
    assert rows["order"].tolist() == ["1", ">1", "1", ">1"]
    assert rows["rate"].tolist() == [0.5, 0.5, 0.0, 0.0]
    assert rows["repeat"].tolist() == [1, 1, 0, 0]


def test_a_spectrum_in_long_form_has_shares_and_variances_with_their_own_errors() -> None:
    variance = np.array([[3.0, 1.0], [2.0, 6.0]])
    spectrum = OrderSpectrum.known(variance, error=0.5, share_error=0.25, method="known")
    rows = tasks.shares_and_variances(spectrum)
    assert rows["quantity"].tolist() == ["share", "variance"] * 4
    assert rows["output"].tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    by = rows.set_index("quantity")
    assert by.loc["share", "value"].tolist() == [0.75, 0.25, 0.25, 0.75]
    assert by.loc["variance", "value"].tolist() == variance.flatten().tolist()
    assert set(by.loc["share", "standard_error"]) == {0.25}
    assert set(by.loc["variance", "standard_error"]) == {0.5}


def test_noise_is_that_of_a_networks_seed() -> None:
    inputs = Uniform(-1.0, 1.0, dim=25)
    x, y = tasks.noise_data(inputs, [0, 1, 0, 1], samples=1000, noise=5.0)
    assert x.shape == (4, 1000, 25)
    assert torch.equal(x[0], x[2])
    assert not torch.equal(x[0], x[1])
    assert torch.equal(y[1], y[3])
    assert y.std().item() == pytest.approx(5, rel=0.1)


def test_planted_data_are_the_noises_points_with_the_target_of_the_repeat_on_top() -> None:
    inputs = Uniform(-1.0, 1.0, dim=4)
    targets = [PlantedInteractions(inputs, {2: 1.0}, seed=seed) for seed in (7, 8)]
    x, y = tasks.planted_data(targets, inputs, [7, 8], samples=50, noise=0.5)
    points, noise = tasks.noise_data(inputs, [7, 8], samples=50, noise=0.5)
    torch.testing.assert_close(x, points)
    for i, target in enumerate(targets):
        torch.testing.assert_close(y[i] - noise[i], target(x[i]))


def test_errors_of_a_planted_task_are_against_the_truth_without_noise() -> None:
    inputs = Uniform(-1.0, 1.0, dim=3)
    targets = [PlantedInteractions(inputs, {1: 1.0}, seed=seed) for seed in (0, 1)]
    task = tasks.planted_task(targets, inputs, CONTEXT, samples=40, noise=2.0, fresh=30)
    assert (task.x.shape, task.y.shape) == ((2, 40, 3), (2, 40))
    assert (task.fresh.shape, task.truth.shape) == ((30, 3), (30, 2))
    torch.testing.assert_close(task.truth[:, 1], targets[1](task.fresh))


def test_effects_to_be_learned_are_pure_and_of_variance_one() -> None:
    inputs = Uniform(-1.0, 1.0, dim=5)
    for order in (1, 2, 3):
        (effect,) = tasks.pure_effects(f"pure {order}", inputs).values()
        np.testing.assert_allclose(
            effect.spectrum(inputs, 3).variance, np.eye(4)[order - 1], atol=1e-12
        )
    parts = tasks.pure_effects("mixture", inputs)
    assert list(parts) == [1, 2, 3]
    whole = tasks.sum_of(parts)
    assert covariance(whole, parts[2], inputs) == pytest.approx(1)
    np.testing.assert_allclose(whole.spectrum(inputs, 3).variance, [1, 1, 1, 0], atol=1e-12)
    assert tasks.pure_effects("generator 1", inputs) == {}
    assert tasks.sum_of({}) == SumOfProducts(())


def test_bike_sharing_is_split_and_standardised_as_released(data_dir) -> None:
    (x_train, y_train), (x_test, y_test) = tasks.bike_hours(bike_sharing(data_dir))
    assert x_train.shape == (13_003, 13)
    assert len(x_train) + len(x_test) == 17_379
    np.testing.assert_allclose(x_train.mean(dim=0), 0, atol=1e-4)
    np.testing.assert_allclose(x_train.std(dim=0), 1, atol=1e-3)
    assert y_train.var().item() == pytest.approx(1, rel=1e-3)
    # The published notebook prints 1.8671 for the variance of the test target.
    assert y_test.double().var(correction=0).item() == pytest.approx(1.867103, rel=1e-4)


def test_answers_do_not_depend_on_how_many_are_computed_at_once() -> None:
    ensemble = MLPEnsemble((3, 5, 1), seeds=[0, 1]).eval()
    other = MLPEnsemble((3, 4, 4, 1), seeds=[2]).eval()
    x = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    together = tasks.Together([ensemble, other])
    whole = tasks.answers(together, x)
    torch.testing.assert_close(tasks.answers(together, x, chunk=3), whole)
    assert not whole.requires_grad
    torch.testing.assert_close(whole[:, :2], ensemble(x).detach())
    torch.testing.assert_close(whole[:, 2:], other(x).detach())


def test_sampled_amplitudes_are_those_theory_knows() -> None:
    inputs = Uniform(-1.0, 2.0, dim=2)
    effect = Product((0, 1))
    x = inputs.sample(200_000, generator=0)
    after = dilated(effect, 0.25)
    values = torch.stack([after(x) + 5, 3 * effect(x) - 1], dim=1)
    found = tasks.amplitudes(values, effect(x))
    assert found[0].item() == pytest.approx(amplitude(after, effect, inputs), abs=1e-9)
    assert found[1].item() == pytest.approx(3)
    other = tasks.amplitudes(x[:, :1] - x[:, 1:], effect(x))
    assert other.item() == pytest.approx(0, abs=0.01)


def test_what_networks_share_by_their_points_is_small_at_even_points() -> None:
    inputs = Uniform(-1.0, 1.0, dim=5)
    effect = Product((0, 1), scale=3.0)
    # A network that holds .5 of the effect, and as much of another that is orthogonal to it.
    network = lambda x: 0.5 * effect(x) + 0.5 * Product((1, 2), scale=3.0)(x)  # noqa: E731

    def off(x: torch.Tensor) -> float:
        values = network(x)
        return abs(tasks.amplitudes((values - values.mean())[:, None], effect(x)).item() - 0.5)

    even = [off(tasks.even_points(inputs, 2**14, seed=seed)) for seed in range(5)]
    drawn = [off(inputs.sample(2**14, generator=seed)) for seed in range(5)]
    assert max(even) < 1e-4
    assert np.mean(drawn) > 1e-3
    first, second = (tasks.even_points(inputs, 2**10, seed=3) for _ in range(2))
    assert torch.equal(first, second)
    assert first.shape == (2**10, 5)
    unbounded = tasks.even_points(Normal(dim=3), 2**14, seed=0)
    assert unbounded.isfinite().all()
    assert abs(unbounded.var() - 1) < 1e-3


def test_shares_by_boosted_trees_are_of_the_first_three_orders(monkeypatch) -> None:
    measured = SimpleNamespace(variance=np.array([1.0, 2.0, 5.0, 8.0]))
    monkeypatch.setattr(tasks, "released_distillation", lambda x, y, tree_method: measured)
    network = MLPEnsemble((3, 4, 1), seeds=[0]).eval()
    np.testing.assert_allclose(tasks.tree_shares(network, torch.zeros(4, 3)), [0.125, 0.25, 0.625])


@pytest.mark.parametrize(
    ("module", "protocol", "field", "wanted", "without"),
    [
        (pure_noise, "released", "boosted_trees", True, False),
        (weight_decay, "text", "boosted_trees", True, False),
        (learning_curves, "released", "tree_epochs", (0, 2), ()),
    ],
)
def test_a_shard_without_boosted_trees_is_not_that_with_them(
    module, protocol, field, wanted, without, monkeypatch, capsys
) -> None:
    """Without XGBoost shards say so in their settings, so their names differ, and are made."""
    settings = replace(module.PRESETS[protocol, "tiny"], **{field: wanted})
    name = module.__name__.rpartition(".")[2]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: object())
    have = split(name, settings, seed=0)
    assert {getattr(shard.settings, field) for shard in have} == {wanted}
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    lack = split(name, settings, seed=0)
    assert {getattr(shard.settings, field) for shard in lack} == {without}
    assert "XGBoost is missing, so nothing is measured by boosted trees" in capsys.readouterr().err
    assert not {shard.name for shard in have} & {shard.name for shard in lack}
    never = split(name, replace(settings, **{field: without}), seed=0)
    assert [shard.name for shard in never] == [shard.name for shard in lack]
    assert capsys.readouterr().err == ""
    table = pd.concat([module.run(shard.settings, CONTEXT) for shard in lack[:1]])
    measures = table["measure"] if "measure" in table else table["quantity"]
    assert not set(measures) & {"released", "tree_share"}


def test_spectra_of_several_outputs_are_summed_function_by_function() -> None:
    variance = np.array([[3.0, 1.0], [1.0, 1.0], [0.0, 0.0], [2.0, 0.0]])
    spectrum = OrderSpectrum.known(variance, error=0.1, share_error=[0.02, 0.04], method="known")
    table = tasks.summed(spectrum, 2)
    assert table["output"].tolist() == [0, 0, 1, 1]
    assert table["order"].tolist() == ["1", ">1"] * 2
    assert table["variance"].tolist() == [4, 2, 2, 0]
    assert table["share"].tolist() == pytest.approx([4 / 6, 2 / 6, 1, 0])
    assert table["standard_error"].tolist() == pytest.approx([0.2] * 4)
    # A constant output has no share, and no part in the error.
    assert table["share_standard_error"].tolist() == pytest.approx([0.02, 0.04] * 2)


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
def test_a_loop_trains_as_fit_does(schedule: str) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 20, 2, generator=generator, dtype=torch.float64)
    samples = Samples(x, x[..., 0] * x[..., 1], batch_size=5)
    by_fit, by_loop = (
        MLPEnsemble((2, 4, 1), seeds=[0, 0, 1], dtype=torch.float64) for _ in range(2)
    )
    how = {"steps": 12, "learning_rate": 1e-2, "schedule": schedule, "snapshots": (0, 4, 12)}
    result = fit(by_fit, samples, **how)
    kept = tasks.fit_in_a_loop(by_loop, samples, seed=0, **how)
    assert list(kept) == [0, 4, 12]
    for step, parameters in kept.items():
        torch.testing.assert_close(parameters, result.snapshots[step], rtol=0, atol=1e-10)


@pytest.mark.parametrize("rows", [None, 3])
def test_a_penalty_in_the_loop_asks_every_member_at_points_of_its_own(rows: int | None) -> None:
    """Members alone are trained alike, and what one is asked of others' rows does not matter."""
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 10, 2, generator=generator, dtype=torch.float64)
    samples = Samples(x, x[..., 0])

    given = []

    def penalty(model, points):
        given.append(len(points))
        both = model(torch.cat([points, 2 * points])).unflatten(0, (2, -1))
        return (both[1] - both[0]).square().mean()

    ensemble = MLPEnsemble((2, 4, 1), seeds=[0, 1], dtype=torch.float64)
    alone = [ensemble.select([i]) for i in range(2)]
    how = {"steps": 5, "learning_rate": 1e-2, "seed": 0, "penalty": penalty, "snapshots": (5,)}
    how["penalty_rows"] = rows
    together = tasks.fit_in_a_loop(ensemble, samples, **how)[5]
    assert set(given) == {2 * (rows or 10)}
    for i, network in enumerate(alone):
        own = tasks.fit_in_a_loop(network, Samples(x[i], x[i, :, 0]), **how)[5]
        torch.testing.assert_close(own[0], together[i], rtol=0, atol=1e-10)


def test_mixed_batches_are_learned_in_the_loop() -> None:
    x = torch.linspace(-1, 1, 40)[None, :, None].expand(2, -1, -1)
    samples = Samples(x, x[..., 0], batch_size=10)
    ensemble = MLPEnsemble((1, 8, 1), seeds=[0, 1])
    how = {"steps": 200, "learning_rate": 1e-2}
    tasks.fit_in_a_loop(ensemble, samples, seed=0, mix=1.0, **how)
    with torch.no_grad():
        assert (ensemble(x[0]) - x[0]).abs().mean() < 0.15
