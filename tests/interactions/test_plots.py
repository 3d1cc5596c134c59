"""What pictures of results hold: estimates as they are, intervals where errors are known."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.axes import Axes
from matplotlib.container import ErrorbarContainer

from interactions import OrderSpectrum, selectivity
from interactions.anova import MeanOrder, purify
from interactions.plots import plot_orders


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    pyplot.close("all")


def made(share: list[float] | np.ndarray, error: float = 0.02, **changes: object) -> OrderSpectrum:
    share = np.asarray(share, dtype=float)
    known = np.full_like(share, error)
    values = {
        "variance": 2 * share,
        "standard_error": 2 * known,
        "share": share,
        "share_standard_error": known,
        "degrees_of_freedom": np.full_like(share, np.inf),
        "share_degrees_of_freedom": np.full_like(share, np.inf),
        "method": "test",
        "evaluations": 1,
        "converged": True,
    }
    return OrderSpectrum(**{**values, **changes})


def intervals(ax: Axes) -> list[np.ndarray]:
    """Ends [points, 2] of the intervals of every line or of the bars."""
    lines = [c for c in ax.containers if isinstance(c, ErrorbarContainer)]
    return [np.array([s[:, 1] for s in line[2][0].get_segments()]) for line in lines]


def test_bars_are_shares_with_their_intervals_below_zero_too() -> None:
    spectrum = made([0.8, 0.25, -0.05])
    ax = spectrum.plot()
    assert [bar.get_height() for bar in ax.patches] == [0.8, 0.25, -0.05]
    low, high, _ = spectrum.interval(of="share")
    np.testing.assert_allclose(intervals(ax)[0], np.column_stack([low, high]))
    assert ax.get_ylim()[0] < -0.05
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["1", "2", ">2"]
    assert ax.get_title() == ""
    assert made([1.0, 0.0], outputs=("price",)).plot().get_title() == "price"


def test_an_unknown_error_is_a_question_mark_and_an_exact_value_needs_none() -> None:
    ax = made([0.7, 0.3], share_standard_error=np.array([0.1, np.nan])).plot()
    assert len(intervals(ax)[0]) == 1
    assert [text.get_text() for text in ax.texts] == ["?"]
    assert not OrderSpectrum.known(np.array([1.0, 1.0]), method="closed form").plot().texts


def test_several_outputs_are_a_line_each_named_as_they_are() -> None:
    ax = made([[0.8, 0.2], [0.4, 0.6], [1.1, -0.1]], outputs=("cat", "dog", "bird")).plot()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["cat", "dog", "bird"]
    lines = [container[0].get_ydata() for container in ax.containers]
    np.testing.assert_array_equal(lines, [[0.8, 0.2], [0.4, 0.6], [1.1, -0.1]])
    many = made(np.tile([0.8, 0.2], (20, 1))).plot()
    assert many.get_legend() is None
    assert "20 lines" in many.get_title()
    constant = OrderSpectrum.known(np.array([[1.0, 1.0], [0.0, 0.0]]), method="closed form").plot()
    assert "output 1 (constant: no shares)" in constant.get_legend().get_texts()[1].get_text()


def test_spectra_by_a_rate_are_a_line_per_order_stacked_or_one_by_one() -> None:
    rows = [[0.7, 0.3], [0.8, 0.2], [0.95, 0.05]]
    rates = [0.0, 0.25, 0.5]
    for spectra in (made(rows), [made(row) for row in rows]):
        ax = plot_orders(spectra, rates, xlabel="rate")
        lines = [container[0] for container in ax.containers]
        np.testing.assert_array_equal([line.get_xdata() for line in lines], [rates, rates])
        np.testing.assert_array_equal([line.get_ydata() for line in lines], np.transpose(rows))
        names = [text.get_text() for text in ax.get_legend().get_texts()]
        assert names == ["order 1", "order >1"]
        assert (ax.get_xlabel(), ax.get_ylabel()) == ("rate", "share of variance")
    variance = plot_orders(made(rows), rates, of="variance", ax=ax)
    assert variance is ax
    np.testing.assert_array_equal(ax.containers[2][0].get_ydata(), [1.4, 1.6, 1.9])
    with pytest.raises(ValueError, match="3 spectra cannot lie at 2 places"):
        plot_orders(made(rows), [0.0, 0.5])
    with pytest.raises(ValueError, match=r"same orders, got \[1, 2\]"):
        plot_orders([made([1.0, 0.0]), made([1.0, 0.0, 0.0])], [0.0, 0.5])
    with pytest.raises(ValueError, match="of one output"):
        plot_orders([made(rows), made(rows)], [0.0, 0.5])


def test_selectivity_is_drawn_as_log_ratios_and_their_slope() -> None:
    plain, strong = made([0.5, 0.3, 0.15, 0.05]), made([0.25, 0.075, 0.01875, 0.0], 0.001)
    ax = selectivity(strong, plain).plot()
    points, line = ax.lines[0], ax.lines[1]
    # Half, a quarter, an eighth of each order is left: a slope of -log 2.
    np.testing.assert_allclose(points.get_ydata(), np.log([1 / 2, 1 / 4, 1 / 8]))
    np.testing.assert_allclose(line.get_ydata(), points.get_ydata())
    assert "slope -0.693" in ax.get_legend().get_texts()[0].get_text()


def test_total_indices_and_parts_of_a_table_are_bars() -> None:
    order = MeanOrder(
        mean_order=np.float64(1.5),
        standard_error=np.float64(0.1),
        total_index=np.array([1.0, 0.5, 0.0]),
        total_index_standard_error=np.array([0.1, 0.05, np.nan]),
        variance=np.float64(1.0),
        evaluations=10,
    )
    ax = order.plot()
    assert [bar.get_height() for bar in ax.patches] == [1.0, 0.5, 0.0]
    np.testing.assert_allclose(intervals(ax)[0][0], [1 - 0.1959964, 1 + 0.1959964])
    pure = purify(np.arange(6.0).reshape(2, 3) ** 2)
    bars = pure.plot().patches
    subsets = [(0,), (1,), (0, 1)]
    assert [bar.get_height() for bar in bars] == [pure.variance(u) for u in subsets]
    assert [t.get_text() for t in bars[0].axes.get_xticklabels()] == ["0", "1", "0, 1"]


def test_without_matplotlib_a_plot_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match="a plot needs matplotlib: pip install matplotlib"):
        made([0.8, 0.2]).plot()
