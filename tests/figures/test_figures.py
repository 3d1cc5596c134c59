"""Pictures: what is drawn is what is in the table, in the colours of its orders."""

from __future__ import annotations

import pandas as pd
import pytest
from matplotlib.figure import Figure

from figures import (
    bike_share,
    decay_law,
    effective_learning_rate,
    four_laws,
    learning_curves,
    published,
    pure_noise,
    style,
    weight_decay,
)


def test_an_order_has_one_colour_and_orders_differ() -> None:
    assert style.order_colour(2) == style.order_colour("2")
    assert len({style.order_colour(k) for k in (1, 2, 3, 4, ">4")}) == 5
    assert style.order_label(">3") == "order 4 and above"


def test_stacked_bars_stand_on_each_other_and_negative_ones_hang() -> None:
    ax = Figure().subplots()
    style.stacked_shares(ax, ["0", ".5"], {"1": [0.6, 0.7], "2": [0.5, -0.1], ">2": [-0.1, 0.4]})
    assert [b.get_y() for b in ax.patches] == pytest.approx([0, 0, 0.6, 0, 0, 0.7])
    assert [b.get_height() for b in ax.patches] == pytest.approx([0.6, 0.7, 0.5, -0.1, -0.1, 0.4])


def test_the_decay_plot_shows_law_and_means_on_a_log_scale() -> None:
    table = pd.DataFrame(
        {
            "target": "product",
            "order": [1, 1, 1, 1],
            "rate": [0.0, 0.0, 0.5, 0.5],
            "repeat": [0, 1, 0, 1],
            "amplitude": [1.0, 1.0, 0.4, 0.6],
            "root_variance_ratio": [1.0, 1.0, 0.4, 0.6],
            "law": [1, 1, 0.5, 0.5],
            "dilation": [1, 1, 0.5, 0.5],
        }
    )
    ax = decay_law.draw(table)["decay_law"].axes[0]
    assert ax.get_yscale() == "log"
    heights = [line.get_ydata().tolist() for line in ax.lines]
    assert [1.0, 0.5] in heights


def test_the_noise_plot_repeats_the_network_without_dropout_in_every_pane() -> None:
    rows = [
        {
            "width": 32,
            "after": 100,
            "placement": p,
            "rate": r,
            "repeat": 0,
            "measure": "unbiased",
            "order": k,
            "share": s,
            "variance": s,
        }
        for p, r in (("none", 0.0), ("input", 0.5), ("both", 0.5))
        for k, s in (("1", 0.7), (">1", 0.3))
    ]
    figure = pure_noise.draw(pd.DataFrame(rows))["pure_noise"]
    assert [ax.get_title() for ax in figure.axes] == ["input dropout", "both dropout"]
    for ax in figure.axes:
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "0.5"]


def test_the_noise_plot_of_networks_without_dropout_alone_has_one_pane() -> None:
    row = {"placement": "none", "rate": 0.0, "repeat": 0, "measure": "unbiased", "variance": 1.0}
    row |= {"width": 32, "after": 100}
    table = pd.DataFrame([row | {"order": "1", "share": 0.7}, row | {"order": ">1", "share": 0.3}])
    assert len(pure_noise.draw(table)["pure_noise"].axes) == 1


def test_the_laws_have_a_pane_per_sense_and_the_cases_a_line_each() -> None:
    row = {"order": 2, "rate": 0.5, "survival": 0.25, "law": 0.25, "measured": 0.24}
    table = pd.DataFrame(
        [
            {"part": "laws", "sense": sense, "quantity": quantity, "repeat": i, **row}
            for sense, (_, quantities) in four_laws.PANES.items()
            for quantity in quantities
            for i in range(2)
        ]
        + [
            {"part": "cases", "sense": sense, "quantity": case, "repeat": i, **row}
            for case in ("one", "other")
            for sense in four_laws.SENSES
            for i in range(2)
        ]
    )
    pictures = four_laws.draw(table)
    assert list(pictures) == ["four_laws", "four_laws_cases"]
    assert len(pictures["four_laws"].axes) == 6
    ticks = pictures["four_laws_cases"].axes[0].get_yticklabels()
    assert [t.get_text() for t in ticks] == ["one", "other"]


def test_the_steps_have_a_row_per_placement_and_panes_for_training_and_norms() -> None:
    row = {"order": 2, "rate": 0.25, "amplitude": 0.1, "standard_error": 0.01, "expected": 0.7}
    row |= {"law": 1.0, "moved": 0.75, "norm": 0.8, "own_norm": 0.8, "published": 0.9}
    table = pd.DataFrame(
        [
            {"part": part, "placement": p, "model": m, "kind": k, "optimizer": o, "repeat": i} | row
            for part in ("start", "training", "norm")
            for p in ("input", "activation")
            for m in ("products", "depth 1", "depth 2")
            for k in ("classic", "inverted")
            for o in ("sgd", "adam")
            for i in range(2)
        ]
    )
    axes = effective_learning_rate.draw(table)["effective_learning_rate"].axes
    assert len(axes) == 8
    heights = [line.get_ydata().tolist() for line in axes[1].lines]
    assert [1.0] in heights
    assert [0.7] in heights


def test_published_bars_are_marked_where_they_end() -> None:
    rows = [
        {"width": 32, "after": 100, "placement": "none", "rate": 0.0, "repeat": 0, "order": k}
        | {"measure": "released", "share": s, "variance": 2 * s}
        | {"published": p, "published_variance": 3 * p}
        for k, s, p in (("1", 0.7, 0.6), (">1", 0.3, 0.4))
    ]
    (ax,) = pure_noise.draw(pd.DataFrame(rows))["pure_noise"].axes
    assert ax.lines[0].get_ydata().tolist() == pytest.approx([0.6, 1.0])
    assert [t.get_text() for t in ax.texts] == ["2\n(3)"]


def test_each_width_of_the_noise_networks_has_its_picture() -> None:
    row = {"after": 9, "placement": "none", "rate": 0.0, "repeat": 0, "measure": "unbiased"}
    row |= {"order": "1", "share": 1.0, "variance": 1.0}
    table = pd.DataFrame([row | {"width": w} for w in (32, 128)])
    assert list(pure_noise.draw(table)) == ["pure_noise", "pure_noise_128"]


def test_spectra_over_training_are_points_on_the_papers_lines() -> None:
    table = pd.DataFrame(
        [
            {"target": "generator 1", "rate": 0.5, "repeat": i, "epoch": e, "order": k}
            | {"quantity": quantity, "value": 0.5, "published": 0.4 if published else None}
            for quantity, published in (("tree_share", True), ("share", False), ("test_mse", False))
            for k in ("1", "2")
            for e in (0, 5)
            for i in range(2)
        ]
    )
    pictures = learning_curves.draw(table)
    assert list(pictures) == ["learning_curves", "learning_curves_unbiased"]
    ax = pictures["learning_curves"].axes[0]
    heights = [line.get_ydata().tolist() for line in ax.lines]
    assert [0.5, 0.5] in heights
    assert [0.4, 0.4] in heights


def test_amplitudes_have_a_row_for_effects_alone_and_one_for_all_together() -> None:
    table = pd.DataFrame(
        [
            {"target": target, "rate": 0.5, "repeat": i, "epoch": e, "order": k}
            | {"quantity": quantity, "value": 0.5, "published": None}
            for target, orders in (("pure 1", "1"), ("pure 2", "2"), ("mixture", "12"))
            for k in orders
            for quantity in ("amplitude", "share", "test_mse")
            for e in (0, 5)
            for i in range(2)
        ]
    )
    axes = learning_curves.draw(table)["learning_curves"].axes
    assert [ax.get_title() for ax in axes[::2]] == ["order 1, alone", "order 1, all together"]


def test_decay_is_drawn_against_total_variance_where_there_is_dropout() -> None:
    row = {"measure": "unbiased", "repeat": 0, "order": "1", "share": 1.0}
    table = pd.DataFrame(
        [
            row | {"regulariser": kind, "strength": s, "variance": v}
            for kind, s, v in (("none", 0.0, 8.0), ("coupled decay", 0.1, 2.0))
        ]
    )
    (bars,) = weight_decay.draw(table)["weight_decay"].axes
    assert len(bars.patches) == 2
    more = row | {"regulariser": "input dropout", "strength": 0.5, "variance": 4.0}
    table = pd.concat([table, pd.DataFrame([more])])
    (ax,) = weight_decay.draw(table)["weight_decay"].axes
    assert [line.get_xdata().tolist() for line in ax.lines[::3]] == [[8.0, 2.0], [8.0, 4.0]]


def test_errors_on_bike_sharing_stand_beside_a_constants() -> None:
    row = {"placement": "none", "rate": 0.0, "repeat": 0, "constant": 2.0, "published": None}
    table = pd.DataFrame(
        [
            row | {"epoch": e, "quantity": q, "value": 0.5, "order": "1" if q == "share" else None}
            for e in (0, 5)
            for q in ("train_mse", "test_mse", "share")
        ]
    )
    first = bike_share.draw(table)["bike_share"].axes[0]
    assert [2.0, 2.0] in [list(line.get_ydata()) for line in first.lines]


def paper_points() -> pd.DataFrame:
    """Two panes of two series at two places, as the report draws items of the paper."""
    rows = [
        {"pane": pane, "series": f"order {k}", "x": x, "value": k * scale}
        for pane, scale in (("left", 1.0), ("right", 2.0))
        for k in (1, 2)
        for x in (0.5, 0.0)
    ]
    return pd.DataFrame(rows)


def test_points_of_the_paper_are_drawn_as_lines_or_as_bars_on_each_other() -> None:
    left, right = published.draw(paper_points(), "epochs").axes
    assert [line.get_ydata().tolist() for line in right.lines] == [[2, 2], [4, 4]]
    left, right = published.draw(paper_points(), "bars by rate").axes
    assert [t.get_text() for t in left.get_xticklabels()] == ["0", "0.5"]
    assert [(b.get_y(), b.get_height()) for b in left.patches] == [(0, 1), (0, 1), (1, 2), (1, 2)]


@pytest.mark.parametrize("look", ["epochs", "bars by rate"])
def test_pictures_that_stand_beside_each_other_have_the_same_axes(look: str) -> None:
    whole = paper_points()
    part = whole[(whole["pane"] == "left") & (whole["x"] == 0.0)].assign(value=3.0)
    pair = [published.draw(p, look, beside=[whole, part]) for p in (whole, part)]
    for one, other in zip(*(figure.axes for figure in pair), strict=True):
        assert one.get_title() == other.get_title()
        assert one.get_xlim() == pytest.approx(other.get_xlim())
        assert one.get_ylim() == pytest.approx(other.get_ylim())
    legends = [[t.get_text() for t in figure.legends[0].get_texts()] for figure in pair]
    assert legends == [["order 1", "order 2"]] * 2
