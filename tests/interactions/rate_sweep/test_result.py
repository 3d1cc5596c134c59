"""What a sweep says of its runs: the best rate, what ties with it, a table and a picture."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt

from interactions import RateSweep
from interactions.rate_sweep import grid_error
from interactions.rate_sweep.text import WIDTH, plus_minus


def sweep_of(errors: dict[float, list[float]]) -> RateSweep:
    rows = [
        {"rate": r, "seed": i, "error": e, "total": 1.0, "share_1": 0.5 + r, "share_>1": 0.5 - r}
        for r, of_rate in errors.items()
        for i, e in enumerate(of_rate)
    ]
    return RateSweep(pd.DataFrame(rows))


def test_the_best_rate_is_as_sure_as_its_seeds_and_its_grid() -> None:
    agreed = sweep_of({0.0: [3, 4, 5], 0.25: [1, 2, 3], 0.5: [2, 3, 4]})
    assert agreed.best_rate == 0.25
    assert agreed.best_rate_error == pytest.approx(0.25 / 12**0.5)
    # Either rate is best on one of two seeds: resampled, .5 wins one time in four.
    split = sweep_of({0.0: [1.0, 3.0], 0.5: [2.5, 2.0]})
    assert split.best_rate == 0.0
    expected = np.hypot(0.5 * (3 / 16) ** 0.5, 0.5 / 12**0.5)
    assert split.best_rate_error == pytest.approx(expected, rel=0.03)
    alone = sweep_of({0.0: [1.0], 0.5: [2.0]})
    assert alone.best_rate == 0.0
    assert np.isnan(alone.best_rate_error)


def test_the_table_by_rate_pairs_seeds() -> None:
    sweep = sweep_of({0.0: [3.0, 5.0], 0.5: [1.0, 2.0]})
    table = sweep.to_frame().set_index("rate")
    assert table.loc[0.0, "error"] == 4.0
    assert table.loc[0.0, "error_se"] == 1.0
    assert table.loc[0.0, "above_best"] == 2.5
    assert table.loc[0.0, "above_best_se"] == 0.5
    assert table.loc[0.5, "above_best"] == 0.0
    assert table.loc[0.5, "share_1"] == 1.0


def noise(rates: int, seeds: int, seed: int, gaps: tuple[float, ...] = ()) -> RateSweep:
    """Errors that vary by seed alone, which is common to the rates, and by chance."""
    generator = np.random.default_rng(seed)
    errors = generator.normal(size=(rates, seeds)) + 10 * generator.normal(size=seeds)
    errors[: len(gaps)] += np.array(gaps)[:, None]
    return sweep_of({i / rates: errors[i].tolist() for i in range(rates)})


def test_the_best_rate_is_found_or_tied_in_19_of_20_sweeps() -> None:
    """Of five rates the first is truly best, by as little as tells most from the others."""
    found, told = [], []
    for seed in range(120):
        sweep = noise(5, 5, seed, gaps=(0.0, 0.2, 0.2, 0.2, 6.0))
        found.append(0.0 in (sweep.best_rate, *sweep.tied))
        told.append(0.8 not in sweep.tied)
    assert np.mean(found) >= 0.95
    assert np.mean(told) > 0.8


def test_ties_are_told_as_such() -> None:
    clear = sweep_of({0.0: [3, 4, 5.1], 0.25: [1, 2, 3], 0.5: [2, 3, 3.9]})
    assert clear.tied == []
    assert str(clear).endswith("best rate 0.25 ± 0.072, told from every other by 3 seeds")
    some = sweep_of({0.0: [3, 4, 5.1], 0.25: [1, 2, 3], 0.5: [2, 2.1, 2.8]})
    assert some.tied == [0.5]
    assert "best rate 0.25 ± " in str(some)
    assert str(some).endswith(", which 3 seeds cannot tell from 0.5")
    same = sweep_of({0.0: [1, 2], 0.25: [1, 2]})
    assert same.tied == [0.25]
    assert str(same).endswith(
        "no best rate: 2 seeds cannot tell the 2 rates apart (the least error is at 0)"
    )
    alone = sweep_of({0.0: [1.0], 0.5: [2.0], 0.25: [3.0]})
    assert alone.tied == [0.25, 0.5]
    assert str(alone).endswith("least error at rate 0: one seed knows no error of it")
    assert "1 ± ?" in str(alone)
    assert sweep_of({0.5: [1, 2]}).tied == []
    assert str(sweep_of({0.5: [1, 2]})).endswith("best rate 0.5 ± 0")


@pytest.mark.parametrize("orders", [1, 3, 12])
@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e12])
def test_the_table_fits_a_line_and_leaves_nothing_out(orders: int, scale: float) -> None:
    generator = np.random.default_rng(0)
    runs = noise(6, 4, 1).runs.drop(columns=["share_1", "share_>1"])
    runs[["error", "total"]] *= scale
    names = [f"share_{k}" for k in range(1, orders + 1)] + [f"share_>{orders}"]
    runs[names] = generator.dirichlet(np.ones(orders + 1), size=len(runs))
    shown = str(RateSweep(runs))
    assert max(map(len, shown.splitlines())) <= WIDTH == 100
    for heading in ("error", "above best", "variance", *(n.removeprefix("share_") for n in names)):
        assert heading in shown
    assert shown.count("rate  ") == shown.count("\n\n") + 1
    if scale == 1:
        assert (shown.count("\n\n") == 0) == (orders <= 3)
    table = RateSweep(runs).to_frame()
    first = plus_minus(100 * table["share_1"][0], 100 * table["share_1_se"][0], most=2)
    assert first in shown


def test_a_number_is_as_long_as_its_error_lets_it_be() -> None:
    assert plus_minus(1.23456, 0.0123) == "1.235 ± 0.012"
    assert plus_minus(1.23456, 0.0423) == "1.23 ± 0.04"
    assert plus_minus(1.23456, 0.0961) == "1.235 ± 0.096"
    assert plus_minus(-12.3456, 3.21) == "-12.3 ± 3.2"
    assert plus_minus(1234.5, 45.0) == "1234 ± 45"
    assert plus_minus(0.0312, 0.0004, most=2) == "0.03 ± 0.01"
    assert plus_minus(0.5, 0.0) == "0.5"
    assert plus_minus(0.5, np.nan) == "0.5 ± ?"
    assert plus_minus(np.nan, np.nan) == "?"
    assert plus_minus(1e9, 1e7) == "1e+09 ± 1.0e+07"


def test_a_name_of_its_own_goes_through_table_words_and_picture() -> None:
    runs = noise(3, 4, 0, gaps=(50.0, 0.0, 50.0)).runs.rename(columns={"rate": "weight decay"})
    sweep = RateSweep(runs)
    assert sweep.name == "weight decay"
    assert sweep.to_frame().columns[0] == "weight decay"
    assert repr(sweep) == "RateSweep(3 weight decays, 4 seeds, best weight decay 0.333333)"
    assert "best weight decay 0.333333 ± " in str(sweep)
    left, right = sweep.plot()
    assert left.get_xlabel() == right.get_xlabel() == "weight decay"
    plt.close(left.figure)


def test_a_picture_holds_errors_shares_and_what_ties() -> None:
    sweep = noise(4, 5, 3, gaps=(0.0, 0.0, 50.0, 50.0))
    table = sweep.to_frame()
    _, axes = plt.subplots(2)
    drawn = sweep.plot(axes)
    assert drawn.tolist() == axes.tolist()
    left, right = drawn
    (bars,) = left.containers
    line, _, (whiskers,) = bars
    assert [*line.get_ydata()] == pytest.approx(table["error"].tolist())
    heights = [np.ptp(segment[:, 1]) for segment in whiskers.get_segments()]
    assert heights == pytest.approx(2 * table["error_se"])
    (rings,) = [line for line in left.lines if "best" in str(line.get_label())]
    assert sorted(rings.get_xdata()) == sorted([sweep.best_rate, *sweep.tied])
    assert set(rings.get_xdata()) == {0.0, 0.25}
    shares = [bars[0].get_ydata() for bars in right.containers]
    assert np.array(shares) == pytest.approx(table[["share_1", "share_>1"]].to_numpy().T)
    assert [t.get_text() for t in right.get_legend().get_texts()] == ["1", ">1"]
    plt.close(left.figure)
    with pytest.raises(ValueError, match="on two axes, got 1"):
        sweep.plot(plt.figure().add_subplot())
    plt.close()


def test_a_grid_of_rates_rounds_by_its_widest_step_and_less_the_more_repeats() -> None:
    assert grid_error((0.5, 0.0, 0.125, 0.5)) == pytest.approx(0.375 / 12**0.5)
    assert grid_error((0.0, 0.25), 4) == pytest.approx(0.25 / 48**0.5)
    assert grid_error((0.25,)) == 0
    # Rates spread evenly, each rounded to the nearest of the grid.
    rates = np.linspace(0, 1, 100_001)
    assert (rates - rates.round(1)).std() == pytest.approx(grid_error((0.0, 0.1, 0.2)), rel=1e-3)
