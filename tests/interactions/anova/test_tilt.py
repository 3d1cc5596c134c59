"""Points drawn oftener where values are rare, and what the first look makes of them."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch

from interactions import Empirical, Normal, Rademacher, Uniform, order_spectrum
from interactions.anova import _tilt
from interactions.anova._doubt import STABILITY, Stability, _disagreement, doubted, stability
from interactions.anova._evaluate import Evaluator
from interactions.anova._pilot import first_look
from interactions.anova._prepare import draw, prepare
from interactions.anova._tilt import PLAIN, Tilt, rare_values, towards
from interactions.inputs import Bernoulli
from interactions.planted import PlantedInteractions
from interactions.spectrum import OrderSpectrum

COLUMNS = np.random.default_rng(0).normal(size=(300, 4)) ** 3
COLUMNS[:, 3] = np.arange(300) % 50 == 0
KINDS = [
    Uniform(-1.0, 2.0, dim=4),
    Normal(dim=4),
    Rademacher(dim=4),
    Bernoulli((0.02, 0.3, 0.5, 0.9)),
    Empirical(COLUMNS),
]
LIKE = {"dtype": torch.float64}


def tilts(inputs):
    rare = rare_values(inputs, torch.device("cpu"))
    carried = torch.rand(rare.odds.shape, generator=torch.Generator().manual_seed(1), **LIKE)
    return rare, towards(rare, carried * (rare.edges.diff(dim=1) > 0))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("which", [0, 1], ids=["rare", "towards"])
@pytest.mark.parametrize("plain", [0.0, PLAIN])
@pytest.mark.parametrize("inputs", KINDS, ids=lambda i: type(i).__name__)
def test_weights_make_up_for_the_tilt(inputs, plain: float, which: int) -> None:
    drawn = tilts(inputs)[which].draw(40_000, plain, generator=generator(), **LIKE)
    truth = inputs.sample(400_000, generator=3)
    for g in (torch.sin, torch.cos, torch.tanh):
        a, b = g(drawn.x).sum(dim=1) * g(drawn.x[:, 0]), g(truth).sum(dim=1) * g(truth[:, 0])
        off = (drawn.weight * a).mean() - b.mean()
        error = ((drawn.weight * a).var() / len(a) + b.var() / len(b)).sqrt()
        assert abs(off) < 4 * error + 1e-9
    error = drawn.weight.std() / len(drawn.weight) ** 0.5
    assert abs(drawn.weight.mean() - 1) < 4 * error + 1e-9
    if plain:
        assert drawn.weight.max() <= 1 / plain


def test_a_tilt_is_the_mean_over_the_inputs_it_may_move() -> None:
    """By enumeration of all subsets of every size."""
    rare, every = tilts(Normal(dim=4))
    bins = rare.draw(50, 0.0, generator=generator(), **LIKE).bins
    odds = np.stack([rare.odds[j][bins[:, j].long()].numpy() for j in range(4)], axis=1)
    by_size = [
        np.mean([odds[:, list(u)].prod(axis=1) for u in itertools.combinations(range(4), k)], 0)
        for k in rare.sizes
    ]
    np.testing.assert_allclose(rare.ratio(bins), np.mean(by_size, axis=0))
    odds[:, 2] = 1.0
    by_size = [
        np.mean([odds[:, list(u)].prod(axis=1) for u in itertools.combinations(range(4), k)], 0)
        for k in rare.sizes
    ]
    np.testing.assert_allclose(rare.ratio(bins, without=2), np.mean(by_size, axis=0))
    odds = np.stack([every.odds[j][bins[:, j].long()].numpy() for j in range(4)], axis=1)
    np.testing.assert_allclose(every.ratio(bins), odds.prod(axis=1))


def test_all_bins_are_alike_probable_where_an_input_is_tilted() -> None:
    tilt = rare_values(Normal(dim=1), torch.device("cpu"))
    bins = tilt.draw(42_000, 0.0, generator=generator(), **LIKE).bins.flatten()
    counts = np.bincount(bins.numpy(), minlength=tilt.odds.shape[1])
    some = counts[tilt.edges[0].diff().numpy() > 0]
    expected = len(bins) / len(some)
    assert abs((some - expected) / expected**0.5).max() < 4.5
    # Rare in truth: a tail as small as one in ten thousand is seen.
    assert (tilt.edges[0].diff()[tilt.edges[0].diff() > 0]).min() < 2e-4


@pytest.mark.parametrize("inputs", KINDS, ids=lambda i: type(i).__name__)
def test_quantiles_along_an_input_stand_for_the_whole_of_it(inputs) -> None:
    for tilt in tilts(inputs):
        for j in range(inputs.dim):
            u = (torch.arange(20_000, **LIKE) + 0.5) / 20_000
            inside, mass = tilt.along(j, u)
            mass = mass / mass.mean()
            # A sum over them is the integral over the uniform quantile.
            assert (mass * inside).mean() == pytest.approx(1 / 2, abs=2e-3)
            assert (mass * inside**2).mean() == pytest.approx(1 / 3, abs=2e-3)


def test_pieces_change_nothing_but_the_memory(monkeypatch) -> None:
    rare, _ = tilts(Uniform(0.0, 1.0, dim=4))
    drawn = rare.draw(1000, PLAIN, generator=generator(), **LIKE)
    weight = rare.weight(drawn.bins, PLAIN)
    monkeypatch.setattr(_tilt, "PIECE", 4 * 64)
    torch.testing.assert_close(rare.weight(drawn.bins, PLAIN), weight)
    pieces = rare.draw(1000, PLAIN, generator=generator(), **LIKE)
    assert pieces.x.shape == (1000, 4)
    torch.testing.assert_close(rare.weight(pieces.bins, PLAIN), pieces.weight)
    # The first piece is drawn as it was, the others go on from there.
    assert len(pieces.x.unique(dim=0)) == 1000


def test_the_look_knows_mean_and_variance_whatever_it_drew() -> None:
    """[x0 > .99] 10 + x1 on (0, 1): mean .6, variance .99 + 1 / 12, fourth moment by hand."""
    inputs = Uniform(0.0, 1.0, dim=6)
    evaluate = Evaluator(lambda x: 10.0 * (x[:, 0] > 0.99) + x[:, 1], inputs, seed=0)
    look, _ = first_look(evaluate, 4096, 10**6, generator())
    centre = look.centre + evaluate.offset
    assert float(centre) == pytest.approx(0.6, abs=0.05)
    assert float(look.total) == pytest.approx(0.99 + 1 / 12, rel=0.1)
    # E (y - .1)^4 of the event is about 96, six mixed terms add .5: over the variance squared.
    variance = 0.99 + 1 / 12
    event = 0.01 * 9.9**4 + 0.99 * 0.1**4
    fourth = (event + 6 * 0.99 / 12 + 1 / 80) / variance**2
    assert look.fourth() == pytest.approx(fourth, rel=0.2)
    assert look.uneven
    # The tilt shares the variance over more points than plain ones do.
    assert look.tilt is not None
    assert look.fourth(look.tilt) < look.fourth() / 3


def test_points_are_chosen_as_they_carry_the_variance() -> None:
    evaluate = Evaluator(lambda x: x[:, 0] ** 3, Normal(dim=2), seed=0)
    look, _ = first_look(evaluate, 4096, 50_000, generator())
    chosen = look.where_it_varies(4000, generator())
    mass = look.weight * look.square
    extreme = look.weight * look.square**2
    density = mass / mass.sum() / 2 + extreme / extreme.sum() / 2
    top = look.square.argsort(descending=True)[:500]
    expected = float(density[top].sum())
    got = float(torch.isin(chosen, top).double().mean())
    assert got == pytest.approx(expected, abs=0.01)


def prepared(f, inputs):
    evaluate = Evaluator(f, inputs, seed=0)
    settings = {"max_order": 3, "tolerance": 0.01, "budget": 2**20}
    ready = prepare(evaluate, **settings, seed=0)
    return evaluate, ready, draw(evaluate, ready, 512)


def test_stability_is_the_noise_operator() -> None:
    """Covariance at points that share each input with probability s: the sum of s^k V_k."""
    inputs = Normal(dim=5)
    f = PlantedInteractions(inputs, {1: 1.0, 2: 2.0, 3: 1.0}, seed=1)
    evaluate, ready, sample = prepared(f, inputs)
    route = stability(evaluate, ready.look, sample, 2**15, ready.generator)
    truth = (STABILITY + 2 * STABILITY**2 + STABILITY**3) / 4
    assert abs(route.share[0] - truth) < 4 * route.error[0]
    assert route.error[0] < 0.03
    assert route.pairs == 2**15


def spectrum_of(shares: list[float], error: float, left_out: float = 0.0) -> OrderSpectrum:
    share = np.array([shares])
    known = OrderSpectrum.known(share, method="closed form")
    error = np.full_like(share, error)
    return replace(known, share_standard_error=error, left_out=np.array([left_out]))


def test_routes_contradict_only_beyond_their_errors() -> None:
    right = STABILITY * 0.5 + STABILITY**2 * 0.5
    shares = [0.5, 0.5, 0.0, 0.0]

    def off(share: float, **of) -> float:
        route = Stability(np.array([share]), np.array([0.01]), 1000)
        return float(_disagreement(spectrum_of(shares, 0.0, **of), route)[0])

    assert off(right) == 0
    assert off(right + 0.039) == 0
    assert off(right + 0.05) == pytest.approx(0.01)
    assert off(right - 0.05) == pytest.approx(0.01)
    # What the basis is known to leave out may be of order 1 at most.
    assert off(right + 0.05, left_out=0.1) == 0
    # What lies above the orders may be of order 4 or of the highest.
    shares[:] = [0.5, 0.2, 0.0, 0.3]
    least = STABILITY * 0.5 + STABILITY**2 * 0.2
    assert off(least + 0.3 * STABILITY**4) == 0
    assert off(least) == 0
    assert off(least + 0.3 * STABILITY**4 + 0.05) == pytest.approx(0.01)


def test_few_telling_points_are_said_and_not_claimed() -> None:
    """A sample in which one point carries everything knows neither its orders nor their errors."""
    inputs = Uniform(0.0, 1.0, dim=5)
    _, ready, sample = prepared(lambda x: x[:, 0], inputs)
    fine = spectrum_of([1.0, 0.0, 0.0, 0.0], 0.001)
    assert doubted(fine, ready.look, sample, None, 0.01).converged
    alone = torch.zeros_like(sample.f)
    alone[0, 0] = 1.0
    result = doubted(fine, ready.look, sample._replace(f=alone), None, 0.01)
    assert not result.converged
    assert "rare points carry the variance" in result.reason
    assert np.isnan(result.left_out).all()


def test_a_large_part_left_out_is_no_convergence() -> None:
    inputs = Uniform(0.0, 1.0, dim=5)
    _, ready, sample = prepared(lambda x: x[:, 0], inputs)
    for left_out, converged in ((0.019, True), (0.021, False)):
        spectrum = spectrum_of([1.0, 0.0, 0.0, 0.0], 0.001, left_out)
        assert doubted(spectrum, ready.look, sample, None, 0.01).converged == converged


def test_the_pilot_keeps_to_the_memory() -> None:
    """Hundreds of inputs are seen at as many points as a quarter of the memory holds."""
    inputs = Uniform(0.0, 1.0, dim=200)
    evaluate = Evaluator(lambda x: x[:, 0] + x[:, 1], inputs, seed=0, memory=2**24)
    ready = prepare(evaluate, max_order=1, tolerance=0.1, budget=320_000, seed=0)
    held = sum(a.numel() * a.element_size() for a in (ready.look.x, ready.look.bins, ready.look.f))
    assert held <= 2**24 / 4


def test_an_even_function_has_no_weights_found_for_each_of_its_inputs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They take time in proportion to the inputs, and so for all inputs to their square."""
    asked = []
    ratio = Tilt.ratio

    def counted(self: Tilt, bins: torch.Tensor, **options: int | None) -> torch.Tensor:
        asked.append(len(bins))
        return ratio(self, bins, **options)

    monkeypatch.setattr(Tilt, "ratio", counted)
    inputs = Uniform(-1.0, 1.0, dim=30)
    order_spectrum(lambda x: x.sum(dim=1), inputs, method="kernel", max_order=1, budget=60_000)
    assert 0 < len(asked) < 10
