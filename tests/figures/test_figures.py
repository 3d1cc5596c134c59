"""Pictures: what is drawn is what is in the table, in the colours of its orders."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.markers import CARETLEFT

from figures import (
    adaptive,
    best_rate,
    bike_share,
    co_adaptation,
    conditional_mean,
    decay_law,
    digits,
    distillation_accuracy,
    dropout_uncertainty,
    effective_learning_rate,
    error_by_order,
    every_layer,
    four_laws,
    importance,
    language_model,
    learning_curves,
    newsgroups,
    order_penalty,
    peers,
    published,
    pure_noise,
    regularizers,
    style,
    subnetworks,
    surviving_effects,
    verdicts,
    vision,
    weight_decay,
)
from paper_results import published as published_numbers


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
    table = pd.concat([table, table.assign(target="sine", dilation=0.8)])
    product, sine = decay_law.draw(table)["decay_law"].axes
    for ax in (product, sine):
        assert ax.get_yscale() == "log"
        assert ax.get_ylim() == product.get_ylim()
        (points,) = [line for line in ax.lines if line.get_marker() == "o"]
        assert points.get_ydata().tolist() == pytest.approx([1.0, 0.5])
        (low, high) = ax.collections[0].get_segments()[1][:, 1]
        assert (low, high) == pytest.approx((0.3, 0.7))
    lines = [
        [li.get_ydata().tolist() for li in ax.lines if li.get_ls() in "-" or li.get_ls() == "--"]
        for ax in (product, sine)
    ]
    assert lines == [[[1.0, 0.5]], [[1.0, 0.5], [0.8, 0.8]]]


def test_the_decay_plot_is_hollow_where_networks_cannot_learn_what_the_law_leaves() -> None:
    table = pd.DataFrame(
        {"target": "product", "order": 4, "rate": [0.0, 0.75], "law": [1.0, 0.004]}
    ).assign(amplitude=[1.0, 0.1], dilation=1.0)
    table = pd.concat([table.assign(repeat=i) for i in range(2)])
    figure = decay_law.draw(table)["decay_law"]
    points = [line for line in figure.axes[0].lines if line.get_marker() == "D"]
    assert [line.get_xdata().tolist() for line in points] == [[0.0], [0.75]]
    assert [line.get_markerfacecolor() == "white" for line in points] == [False, True]
    (legend,) = figure.legends
    assert "hollow" in legend.get_texts()[-1].get_text()


def test_the_noise_plot_repeats_the_network_without_dropout_in_every_pane() -> None:
    rows = [
        {
            "rule": "equal steps",
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
    assert [ax.get_title() for ax in figure.axes] == ["dropout: input", "dropout: both"]
    for ax in figure.axes:
        assert [t.get_text() for t in ax.get_xticklabels()] == ["0", "0.5"]


def test_the_noise_plot_of_networks_without_dropout_alone_has_one_pane() -> None:
    row = {"placement": "none", "rate": 0.0, "repeat": 0, "measure": "unbiased", "variance": 1.0}
    row |= {"rule": "equal steps", "width": 32, "after": 100}
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


def steps_table() -> pd.DataFrame:
    row = {"order": 2, "rate": 0.25, "amplitude": 0.1, "standard_error": 0.01, "expected": 0.7}
    row |= {"law": 1.0, "moved": 0.75, "norm": 0.8}
    return pd.DataFrame(
        [
            {"part": part, "placement": p, "model": m, "kind": k, "optimizer": o, "repeat": i}
            | row
            | {"data_set": i}
            for part in ("start", "training", "norm")
            for p in ("input", "activation")
            for m in ("products", "depth 1", "depth 2")
            for k in ("classic", "inverted")
            for o in ("sgd", "adam")
            for i in range(2)
        ]
    )


def test_steps_by_dropped_inputs_come_first_each_pane_with_law_and_networks() -> None:
    pictures = effective_learning_rate.draw(steps_table())
    name = "effective_learning_rate"
    assert list(pictures) == [name, f"{name}_hidden", f"{name}_training", f"{name}_norms"]
    assert len(pictures[name].axes) == 3
    assert len(pictures[f"{name}_hidden"].axes) == 6
    for ax in pictures[name].axes:
        heights = [line.get_ydata().tolist() for line in ax.lines]
        assert [1.0] in heights
        assert [0.7] in heights
        networks = [line for line in ax.lines if line.get_marker() == "s"]
        assert [line.get_ydata().tolist() for line in networks] == [[0.75]]
        assert ax.get_ylim() == pictures[name].axes[0].get_ylim()


def test_norms_stand_beside_the_papers_and_alone_where_nothing_else_was_measured() -> None:
    table = steps_table()
    pictures = effective_learning_rate.draw(table[table["part"] == "norm"])
    assert list(pictures) == ["effective_learning_rate"]
    for figure in (
        *pictures.values(),
        effective_learning_rate.draw(table)[f"{next(iter(pictures))}_norms"],
    ):
        (ax,) = figure.axes
        (median,) = (
            published_numbers("fig2").query("order == 2 and dropout_rate == .25").itertuples()
        )
        stars = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "*"]
        assert stars == [[median.median_relative_update_norm]]
        ours = [line.get_ydata().tolist() for line in ax.lines if line.get_marker() == "s"]
        assert ours == [[0.8]]


def test_steps_that_leave_the_axis_are_hollow_at_its_end() -> None:
    table = steps_table()
    training = (table["part"] == "training").to_numpy().nonzero()[0]
    table.loc[training[:3], "moved"] = [-9.0, 9.0, 9.0]
    (ax,) = effective_learning_rate.draw(table)["effective_learning_rate_training"].axes
    hollow = {line.get_marker(): line for line in ax.lines if line.get_mfc() == "white"}
    low, high = ax.get_ylim()
    assert [len(hollow[m].get_ydata()) for m in "v^"] == [1, 2]
    assert low < hollow["v"].get_ydata()[0] < low + 0.2
    assert high - 0.2 < hollow["^"].get_ydata()[0] < high
    (seen,) = [line for line in ax.lines if line.get_marker() == "s"]
    assert len(seen.get_ydata()) == len(training) - 3


def test_noise_is_shown_as_published_then_by_trees_then_unbiased() -> None:
    """Fig 5 at rate 0 and .75: where a total is below .02, bars are pale."""
    orders = ("1", "2", "3", ">3")
    rows = [
        {"rule": rule, "width": 32, "after": 100, "placement": placement, "rate": rate}
        | {"repeat": 0, "order": k, "measure": measure, "share": 0.25, "variance": variance}
        for rule in ("equal steps", "first rise")
        for placement, rate, variance in (("none", 0.0, 0.5), ("both", 0.75, 0.001))
        for measure in ("unbiased", "released")
        for k in orders
    ]
    pictures = pure_noise.draw(pd.DataFrame(rows))
    assert list(pictures) == ["pure_noise", "pure_noise_first_rise"]
    paper, trees, truth = pictures["pure_noise"].axes
    labels = [ax.get_ylabel() for ax in (paper, trees, truth)]
    assert labels == ["Fig 5", "boosted trees", "unbiased spectrum"]
    bars = pure_noise.published_bars(32)
    bars = bars[(bars["placement"] == "both") & (bars["rate"] == 0)].set_index("order")
    drawn = [bar.patches[0].get_height() for bar in paper.containers]
    assert drawn == pytest.approx(bars["share"].loc[list(orders)].tolist())
    assert [t.get_text() for t in paper.texts] == [
        f"{bars['variance'].sum():.2g}",
        "<.01",
        "not shown",
        "PUBLISHED",
    ]
    assert [t.get_text() for t in trees.texts] == ["2", ".25", "<.01", ".25", "REPRODUCED"]
    assert [bar.patches[1].get_alpha() for bar in truth.containers] == [0.3] * 4
    assert [bar.patches[0].get_alpha() for bar in truth.containers] == [None] * 4


def test_published_bars_of_noise_belong_to_their_cells_and_masked_ones_are_none() -> None:
    """Fig 5; of the masked bars of pane f there is nothing to compare."""
    paper = pure_noise.published_bars(32).groupby(["placement", "rate"])[["share", "variance"]]
    assert paper.sum().loc[("activation", 0.5), "variance"] == pytest.approx(1.93, 0.01)
    assert paper.max().loc[("activation", 0.0), "share"] == pytest.approx(0.537, abs=1e-3)
    assert paper.sum().loc[("both", 0.625), "share"] == 0


def test_published_bars_of_weight_decay_are_marked_where_they_end() -> None:
    paper = weight_decay.published_bars().set_index(["strength", "order"])
    rows = [
        {"measure": measure, "regularizer": kind, "strength": s, "repeat": 0, "order": k}
        | {"share": 0.25, "variance": 1.0}
        for measure in ("unbiased", "released")
        for kind, s in (("none", 0.0), ("coupled decay", 0.05))
        for k in ("1", "2", "3", ">3")
    ]
    unbiased, released = weight_decay.draw(pd.DataFrame(rows))["weight_decay"].axes
    (marks,) = (line.get_ydata() for line in released.lines if len(line.get_ydata()))
    ends = [paper.loc[s]["share"].cumsum().tolist() for s in (0.0, 0.05)]
    assert sorted(marks) == pytest.approx(sorted(ends[0] + ends[1]))
    totals = [paper.loc[s]["variance"].sum() for s in (0.0, 0.05)]
    assert [t.get_text() for t in released.texts] == [f"4\n({total:.3g})" for total in totals]
    assert [t.get_text() for t in unbiased.texts] == ["4", "4"]
    # The mark is explained where it is drawn.
    assert "paper: ends of the bars" in legend_of(released.figure)
    alone = pd.DataFrame([row for row in rows if row["measure"] == "unbiased"])
    assert "paper: ends of the bars" not in legend_of(weight_decay.draw(alone)["weight_decay"])


def test_accuracies_stand_beside_the_printed_and_the_logged_ones() -> None:
    row = {"accuracy": 0.5, "accuracy_new": 0.5, "accuracy_old": 0.5, "share_new": 0.3}
    table = pd.DataFrame(
        [row | {"order": k, "rate": r, "repeat": 0} for k in (1, 2) for r in (0.0, 0.375)]
    )
    first, second = newsgroups.draw(table)["newsgroups"].axes
    lines = [line.get_ydata().tolist() for line in first.lines if line.get_marker() in ("D", "s")]
    printed = newsgroups.printed().set_index(["order", "rate"])["mean"]
    assert lines[0] == printed.loc[[(1, 0.0), (1, 0.375)]].tolist() == [0.52, 0.57]
    logged = newsgroups.logged().set_index(["order", "rate"])["mean"]
    assert lines[1] == logged.loc[[(1, 0.0), (1, 0.375)]].tolist()
    # The log holds order 1 alone.
    (_, gone) = [line for line in second.lines if line.get_marker() in ("D", "s")]
    assert len(gone.get_ydata()) == 0


def test_each_width_of_the_noise_networks_has_its_picture() -> None:
    row = {"after": 9, "placement": "none", "rate": 0.0, "repeat": 0, "measure": "unbiased"}
    row |= {"order": "1", "share": 1.0, "variance": 1.0, "rule": "equal steps"}
    table = pd.DataFrame([row | {"width": w} for w in (32, 128)])
    assert list(pure_noise.draw(table)) == ["pure_noise", "pure_noise_128"]


def test_spectra_over_training_are_points_on_the_papers_lines() -> None:
    table = pd.DataFrame(
        [
            {"target": target, "rate": 0.5, "repeat": i, "epoch": e, "order": k}
            | {"quantity": quantity, "value": 0.5}
            for target in ("generator 2 on inputs 2, 3", "pure 1")
            for quantity in ("tree_share", "share", "test_mse")
            for k in ("1", "2")
            for e in (0, 5)
            for i in range(2)
        ]
    )
    pictures = learning_curves.draw(table)
    assert list(pictures) == ["learning_curves", "learning_curves_unbiased"]
    first, _, alone, _ = pictures["learning_curves"].axes
    heights = [line.get_ydata().tolist() for line in first.lines]
    assert [0.5, 0.5] in heights
    read = (
        published_numbers("fig7")
        .set_index(["generator", "dropout_rate", "order", "epoch"])
        .sort_index()
    )
    assert read.loc[(2, 0.5, 1)].loc[[0, 5], "mean"].tolist() in heights
    # Of a target that is not the paper's nothing is published.
    assert len(learning_curves.published_shares("pure 1")) == 0
    assert all(line.get_ydata().tolist() in ([], [0.5, 0.5]) for line in alone.lines[-1:])


def test_amplitudes_have_a_row_for_effects_alone_and_one_for_all_together() -> None:
    table = pd.DataFrame(
        [
            {"target": target, "rate": 0.5, "repeat": i, "epoch": e, "order": k}
            | {"quantity": quantity, "value": 0.5}
            for target, orders in (("pure 1", "1"), ("pure 2", "2"), ("mixture", "12"))
            for k in orders
            for quantity in ("amplitude", "share", "test_mse")
            for e in (0, 5)
            for i in range(2)
        ]
    )
    axes = learning_curves.draw(table)["learning_curves"].axes
    assert [ax.get_title() for ax in axes[::2]] == ["order 1, alone", "order 1, all together"]


def test_decay_is_drawn_against_the_variance_left_where_there_is_dropout() -> None:
    row = {"measure": "unbiased", "repeat": 0, "order": "1"}

    def of(*cells: tuple[str, float, float, float]) -> pd.DataFrame:
        names = ("regularizer", "strength", "variance", "share")
        return pd.DataFrame([row | dict(zip(names, cell, strict=True)) for cell in cells])

    decay = of(("none", 0.0, 8.0, 0.1), ("coupled decay", 0.1, 2.0, 0.3))
    (bars,) = weight_decay.draw(decay)["weight_decay"].axes
    assert len(bars.patches) == 2
    more = of(("input dropout", 0.5, 4.0, 0.2), ("input dropout", 0.9, 0.01, 0.9))
    one, other = weight_decay.draw(pd.concat([decay, more]))["weight_decay"].axes
    assert [ax.get_title() for ax in (one, other)] == ["coupled decay", "input dropout"]
    drawn = [
        (ax.lines[0].get_xdata().tolist(), ax.lines[0].get_ydata().tolist()) for ax in (one, other)
    ]
    assert drawn == [([0.25, 1.0], [0.3, 0.1]), ([0.5, 1.0], [0.2, 0.1])]
    left, right = one.get_xlim()
    assert left < right
    # What is left out is told, and so are the networks that both panes have.
    assert not one.texts
    assert [t.get_text().split(" less")[0] for t in other.texts] == ["not drawn: at 0.9"]
    rings = [
        [line.get_ydata().tolist() for line in ax.lines if line.get_ms() == 12]
        for ax in (one, other)
    ]
    assert rings == [[[0.1]], [[0.1]]]
    assert "no regularizer" in legend_of(one.figure)


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_best_rates_have_a_line_per_noise_and_errors_a_row_of_cells() -> None:
    best = {(1, 0.5): 0.0, (1, 2.0): 0.5, (2, 0.5): 0.0, (2, 2.0): 0.25}
    table = pd.DataFrame(
        [
            {"order": k, "noise": n, "placement": "activation", "steps": steps, "repeat": i}
            | {"rate": r, "error": 1 + abs(r - b)}
            for (k, n), b in best.items()
            for steps in (10, 20)
            for r in (0.0, 0.25, 0.5)
            for i in range(2)
        ]
    )
    pictures = best_rate.draw(table)
    assert list(pictures) == ["best_rate", "best_rate_errors"]
    left, right = pictures["best_rate"].axes
    heights = [line.get_ydata().tolist() for line in right.lines]
    assert [0.0, 0.0] in heights
    assert [0.5, 0.25] in heights
    assert [t.get_text() for t in left.get_yticklabels()] == ["0.00", "0.25", "0.50"]
    *maps, _ = pictures["best_rate_errors"].axes
    assert len(maps) == 2
    names = ["order 1:   noise 0.5", "noise 2", "order 2:   noise 0.5", "noise 2"]
    assert [t.get_text() for t in maps[0].get_yticklabels()] == names
    for ax in maps:
        (stars,) = [line for line in ax.lines if line.get_marker() == "*"]
        rates = [0.0, 0.25, 0.5]
        assert [rates[i] for i in stars.get_xdata()] == list(best.values())
        cells = ax.images[0].get_array().tolist()
        # Errors over those without dropout.
        assert cells[1] == pytest.approx([1, 1.25 / 1.5, 1 / 1.5])
        assert cells[0] == pytest.approx([1, 1.25, 1.5])


def test_subnetworks_are_drawn_over_the_average_and_the_exact_is_said() -> None:
    table = pd.DataFrame(
        [
            {"rate": 0.5, "depth": depth, "repeat": i, "quantity": q, "masks": m, "order": k}
            | {"variance": v}
            for depth, scaled in ((1, 0.0), (2, 0.2))
            for i in range(2)
            for q, m, v in (
                ("average", 0, 2.0),
                ("scaled", 0, scaled),
                ("monte carlo", 1, 4.0),
                ("monte carlo", 8, 0.5),
            )
            for k in (0, 1, 2)
        ]
    )
    one, two = subnetworks.draw(table)["subnetworks"].axes
    assert [t.get_text() for t in one.texts] == ["scaled: exact"]
    assert [line.get_ydata().tolist() for line in one.lines] == [[2.0, 0.25]] * 2
    assert [line.get_ydata()[0] for line in two.lines] == pytest.approx([2.0, 0.1, 2.0, 0.1])


def test_co_adaptation_asks_its_questions_at_the_end_with_the_last_hidden_layer_bold() -> None:
    table = pd.DataFrame(
        [
            {"target": t, "rate": r, "repeat": i, "steps": n, "layer": layer, "quantity": q}
            | {"value": r + n + layer}
            for t in ("noise", "mixture")
            for r in (0.0, 0.5)
            for i in range(2)
            for n in (0, 5, 9)
            for q, layers in (("l2", (1, 2, 3)), ("live_share", (1, 2)), ("correlation", (1, 2)))
            for layer in layers
        ]
    )
    pictures = co_adaptation.draw(table)
    assert list(pictures) == ["co_adaptation", "co_adaptation_all"]
    figure = pictures["co_adaptation"]
    titles = [
        f"{q} Fit to {t}"
        for t in ("noise", "mixture")
        for q in ("Do weights shrink?", "Are units less alike?")
    ]
    assert [ax.get_title() for ax in figure.axes] == titles
    for ax, layers in zip(figure.axes, (3, 2, 3, 2), strict=True):
        curves = [line for line in ax.lines if len(line.get_ydata()) == 2 and line.get_ls() == "-"]
        heights = [line.get_ydata().tolist() for line in curves]
        assert heights == [[9.0 + i, 9.5 + i] for i in range(1, layers + 1)]
        assert [line.get_lw() > 2 for line in curves] == [i == 2 for i in range(1, layers + 1)]
        (start,) = [line for line in ax.lines if line.get_ls() == ":"]
        assert start.get_ydata()[0] == 2
    named = ["layer 1", "layer 2, last hidden", "layer 3, output", "layer 2 at the start"]
    assert legend_of(figure) == named
    assert len(pictures["co_adaptation_all"].axes) == 6


def test_regularizers_are_ranked_by_what_they_select_late_at_half_of_the_variance() -> None:
    row = {"quantity": "selectivity", "target": "products", "theory": None}
    table = pd.DataFrame(
        [
            row | {"regularizer": name, "where": where, "steps": steps, "repeat": i, "value": value}
            for name, late in (("L1", -0.1), ("input dropout", -0.5), ("more data", None))
            for where in ("half", "quarter", "best")
            for steps, value in ((10, 0.2), (20, late))
            for i in range(2)
        ]
    )
    law = (table["regularizer"] == "input dropout") & (table["where"] == "half")
    table["theory"] = table["theory"].astype(float).mask(law & (table["steps"] == 20), -0.6)
    table["bound"] = 1.0 * ((table["regularizer"] == "L1") & (table["repeat"] == 1))
    # One repeat alone could be measured here.
    alone = (table["regularizer"] == "L1") & (table["where"] == "best") & (table["repeat"] == 1)
    table["value"] = table["value"].mask(alone)
    pictures = regularizers.draw(table)
    assert list(pictures) == ["regularizers", "regularizers_10_steps"]
    late, early = (picture.axes[0] for picture in pictures.values())
    for figure in pictures.values():
        assert [ax.get_title() for ax in figure.axes] == list(regularizers.PLACES.values())
        names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
        assert names == ["input dropout", "L1", "more data"]
    points = [line.get_xdata().tolist() for line in late.lines if line.get_marker() in ("^", "|")]
    assert [-0.5] in points
    assert [-0.6] in points
    lower = [line.get_xdata().tolist() for line in late.lines if line.get_marker() == CARETLEFT]
    assert lower == [[-0.1]]
    assert not [
        line for line in early.lines if line.get_marker() == "|" and line.get_color() == "k"
    ]
    # Bars are means over targets; two regularizers have slopes late, three early.
    assert sorted(bar.get_width() for bar in late.patches) == pytest.approx([-0.5, -0.1])
    assert len(early.patches) == 3
    # What is hollow, or points lower, is told.
    best = pictures["regularizers"].axes[2]
    hollow = [line for line in best.lines if line.get_mfc() == "white"]
    assert [line.get_xdata().tolist() for line in hollow] == [[-0.1]]
    told = legend_of(pictures["regularizers"])
    assert {"hollow: a single repeat, no error", "lies lower yet", "theory"} <= set(told)
    whole = regularizers.draw(table[(table["regularizer"] != "L1")])["regularizers"]
    assert not {"hollow: a single repeat, no error", "lies lower yet"} & set(legend_of(whole))


def test_importance_is_shown_as_shares_while_there_is_variance_to_share() -> None:
    row = {"quantity": "variance", "target": "noise", "steps": 10}
    by_rate = {0.0: (1.0, 2.0, 3.0, 2.0), 0.25: (0.4, 0.3, 0.2, 0.1), 0.5: (0.01, 0.02, 0, 0)}
    table = pd.DataFrame(
        [
            row
            | {"regularizer": "activation dropout" if rate else "none", "strength": rate}
            | {"repeat": repeat, "order": order, "value": repeat * value}
            for rate, values in by_rate.items()
            for repeat in (1, 2)
            for order, value in zip(("1", "2", "3", ">3"), values, strict=True)
        ]
    )
    (ax,) = importance.draw(table)["importance"].axes
    lines = {line.get_marker(): line for line in ax.lines if len(line.get_xdata()) == 2}
    assert lines["o"].get_ydata().tolist() == pytest.approx([1 / 8, 0.4])
    assert lines["D"].get_ydata().tolist() == pytest.approx([2 / 8, 0.1])
    texts = [text.get_text() for text in ax.texts]
    assert "orders 1 + 2: 38% at r = 0, 70% at r = 0.25" in texts
    assert {"100%", "12%", "<1%"} <= set(texts)
    assert importance.draw(table[table["regularizer"] == "none"]) == {}


def test_errors_on_bike_sharing_stand_beside_a_constants() -> None:
    row = {"placement": "none", "rate": 0.0, "repeat": 0, "constant": 2.0}
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


def test_bars_that_none_would_see_have_an_axis_of_their_own_and_missing_ones_are_told() -> None:
    whole = paper_points()
    tiny = whole[(whole["pane"] == "right") & (whole["x"] == 0.0)]
    tiny = tiny.assign(value=tiny["value"] / 60)
    left, right = published.draw(tiny, "bars by rate", beside=[whole, tiny]).axes
    # The tallest reaches .1 of 6.3, the axis of the published.
    assert right.get_title() == "right\n(axis 63 times finer)"
    assert right.get_ylim() == pytest.approx((0, 0.11))
    assert [t.get_text() for t in right.texts] == ["no bar"]
    assert left.get_title() == "left"
    assert len(left.texts) == 2
    seen = published.draw(tiny.assign(value=1.0), "bars by rate", beside=[whole, tiny]).axes[1]
    assert seen.get_title() == "right"


def test_every_layer_has_a_line_in_the_pane_of_its_target_and_steps() -> None:
    table = pd.DataFrame(
        [
            {"target": target, "steps": steps, "layer": layer, "rate": rate, "repeat": i}
            | {"order": order, "share": share, "variance": 2 * share}
            for target in ("noise", "mixture")
            for steps in (3, 30)
            for layer in (0, 1)
            for rate, above in ((0.0, 0.5), (0.5, 0.25))
            for i in range(2)
            for order, share in (("1", 1 - above), ("2", above), (">2", 0.0))
        ]
    )
    pictures = every_layer.draw(table)
    assert list(pictures) == ["every_layer", "every_layer_orders"]
    axes = pictures["every_layer"].axes
    titles = [f"{t}, {n} steps" for t in ("noise", "mixture") for n in (3, 30)]
    assert [ax.get_title() for ax in axes] == titles
    assert [line.get_ydata().tolist() for line in axes[0].lines[::3]] == [[0.5, 0.25]] * 2
    bars = pictures["every_layer_orders"].axes
    assert len(bars) == 8
    assert [b.get_height() for b in bars[0].patches[:2]] == pytest.approx([0.5, 0.75])
    assert [t.get_text() for t in bars[0].texts] == ["2", "2"]


def test_an_encoders_orders_are_means_over_texts_in_a_row_per_probability() -> None:
    table = pd.DataFrame(
        [
            {"keep": keep, "rate": rate, "text": text, "order": order}
            | {"share": share, "variance": 2 * share}
            for keep in (0.5, 0.9)
            for rate, above in ((0.0, 0.5), (0.5, 0.25))
            for text, more in (("a", 0.125), ("b", -0.125))
            for order, share in (("1", 1 - above - more), ("2", above + more), (">2", 0.0))
        ]
    )
    axes = language_model.draw(table)["language_model"].axes
    assert [ax.get_title() for ax in axes[::2]] == [
        f"tokens present with probability {keep}" for keep in (0.5, 0.9)
    ]
    assert [b.get_height() for b in axes[0].patches[:4]] == [0.5, 0.75, 0.5, 0.25]
    lines = [container.lines[0] for container in axes[3].containers]
    assert [line.get_ydata().tolist() for line in lines[:2]] == [[1.0, 1.5], [1.0, 0.5]]
    assert axes[3].get_yscale() == "log"


def test_classifiers_of_images_have_a_row_per_kind_and_errors_over_repeats() -> None:
    table = pd.DataFrame(
        [
            {"kind": kind, "rate": rate, "repeat": i, "image": image, "order": order}
            | {"share": share, "variance": share + image + 2 * i}
            for kind in ("convolution", "attention")
            for rate, above in ((0.0, 0.5), (0.5, 0.25))
            for i in range(2)
            for image in range(2)
            for order, share in (("1", 1 - above), (">1", above))
        ]
    )
    axes = vision.draw(table)["vision"].axes
    assert [ax.get_title() for ax in axes[::2]] == ["convolution", "attention"]
    assert [b.get_height() for b in axes[2].patches] == [0.5, 0.75, 0.5, 0.25]
    first = axes[3].containers[0]
    assert first.lines[0].get_ydata().tolist() == [2.0, 2.25]
    # Images first, then the two repeats, which are 2 apart: one standard error is 1.
    low, high = first.lines[2][0].get_segments()[0]
    assert high[1] - low[1] == pytest.approx(4.0)


def digits_table() -> pd.DataFrame:
    row = {"order": None, "epoch": 2}
    errors = {("none", "last"): 0.041, ("none", "stopped"): 0.045}
    return pd.DataFrame(
        [
            row
            | {"variant": v, "repeat": i, "look": look, "quantity": q, "epoch": e}
            | {"value": errors.get((v, look), 0.25 if e == 1 else 1e-5)}
            for v in ("none", "half augmented")
            for i in range(2)
            for look, epochs in (("curve", (1, 2)), ("stopped", (2,)), ("last", (2,)))
            for e in epochs
            for q in ("train_error", "test_error", "train_loss", "test_loss")
        ]
        + [
            {"variant": v, "repeat": i, "look": look, "quantity": q, "order": k, "value": value}
            for v in ("none", "half augmented")
            for i in range(2)
            for look in ("stopped", "last")
            for q in ("share", "variance")
            for k, value in (("1", 0.75), ("2", 0.25), (">2", -0.01))
        ]
    )


def test_digits_have_the_error_of_every_variant_beside_its_orders_a_row_per_look() -> None:
    table = digits_table()
    pictures = digits.draw(table)
    assert list(pictures) == ["digits", "digits_curves"]
    axes = pictures["digits"].axes
    assert len(axes) == 6
    variants = [t.get_text() for t in axes[0].get_yticklabels()]
    assert variants == ["no dropout", "dropout of half,\nmore images"]
    # First what the last epoch left, then what stopped early: dots, and their numbers.
    for ax, error in ((axes[0], 0.041), (axes[3], 0.045)):
        dots = [line for line in ax.lines if line.get_marker() == "o"]
        assert dots[0].get_xdata().tolist() == pytest.approx([error])
        assert ax.texts[0].get_text() == f"{error:.1%}"
    bars = axes[1].patches
    assert [b.get_width() for b in bars] == pytest.approx([0.75, 0.75, 0.25, 0.25, -0.01, -0.01])
    assert [b.get_x() for b in bars[:4]] == pytest.approx([0, 0, 0.75, 0.75])
    # The variance of the highest order is not positive: no point on a log scale.
    points = [line.get_xdata() for line in axes[2].lines if line.get_marker() == "D"]
    assert [list(x[x == x]) for x in points] == [[]]
    without = digits.draw(table[table["look"] != "stopped"])["digits"].axes
    assert len(without) == 3


def test_curves_of_digits_end_at_a_floor_with_stars_where_training_stopped() -> None:
    one, other = digits.draw(digits_table())["digits_curves"].axes
    for ax in (one, other):
        (stars,) = [line for line in ax.lines if line.get_marker() == "*"]
        assert stars.get_xdata().tolist() == [2, 2]
        (training,) = [line for line in ax.lines if line.get_ls() == "--"]
        known = training.get_ydata()
        assert known[known == known].tolist() == [0.25]
        assert ax.get_ylim()[0] == digits.FLOOR


def black(ax, marker: str) -> list[list[float]]:
    """Heights of what is drawn in black with a marker: the paper's numbers."""
    lines = [
        line for line in ax.lines if (line.get_color(), line.get_marker()) == ("black", marker)
    ]
    return [list(line.get_ydata()) for line in lines]


def test_conditional_means_of_one_grid_stand_beside_the_papers() -> None:
    row = {"order": 2, "repeat": 0, "mean": 0.5, "law": 0.5, "standard_error": 0.1}
    table = pd.DataFrame(
        [
            row | {"target": target, "rate": rate, "x": x}
            for target in (conditional_mean.ONE_GRID, "independent inputs")
            for rate in (0.0, 0.25)
            for x in (0.1, 0.2)
        ]
    )
    one, other = conditional_mean.draw(table)["conditional_mean"].axes
    read = published_numbers("fig1")
    read = read[(read["order"] == 2) & read["dropout_rate"].isin([0.0, 0.25])]
    assert black(one, ".") == [read["conditional_mean"].tolist()]
    assert black(other, ".") == []


def test_survivors_of_25_inputs_stand_beside_the_papers() -> None:
    def drawn(dim: int) -> list[list[float]]:
        row = {"rate": 0.5, "repeat": 0, "law": 2.0, "counted": 2.0}
        table = pd.DataFrame([row | {"order": k} for k in range(1, dim + 1)])
        return black(surviving_effects.draw(table)["surviving_effects"].axes[1], ".")

    read = published_numbers("fig3").set_index(["pane", "dropout_rate", "order"])["value"]
    assert drawn(25) == [[read["a", 0.5, k] for k in (1, 2, 3, 4)]]
    assert drawn(12) == []


def test_shares_by_staged_trees_alone_stand_beside_the_papers() -> None:
    table = pd.DataFrame(
        [
            {"measure": m, "samples": 100, "true_order": 2, "repeat": 0, "order": k, "share": 0.3}
            for m in ("staged", "exact")
            for k in (1, 2, 3)
        ]
    )
    staged, exact = distillation_accuracy.draw(table)["distillation_accuracy"].axes
    read = published_numbers("fig4").query("n_distill_samples == 100 and true_order == 2")
    assert black(staged, "D") == [read["normalized_effect_mean"].tolist()]
    assert black(exact, "D") == []
    (points,) = [line for line in staged.lines if line.get_marker() == "D"]
    assert list(points.get_xdata()) == [1.75, 2.0, 2.25]


@pytest.mark.parametrize(("widest", "curves"), [(0.04, 1), (0.5, 0)])
def test_densities_as_released_stand_beside_the_papers(widest: float, curves: int) -> None:
    row = {"label": "and", "order": 2, "repeat": 0, "steps": 5, "value": 1.0}
    table = pd.DataFrame(
        [
            row | {"regime": regime, "quantity": quantity, "x": x}
            for regime in ("dropout", "none")
            for quantity, end in (("prediction", 1.0), ("uncertainty", widest))
            for x, quantity in ((0.0, f"density of {quantity}"), (end, f"density of {quantity}"))
        ]
    )
    axes = dropout_uncertainty.draw(table)["dropout_uncertainty_densities"].axes
    for ax in axes:
        assert len([line for line in ax.lines if line.get_linestyle() == ":"]) == curves
    assert axes[2].get_yscale() == ("linear" if curves else "log")


def test_uncertainty_by_order_stands_beside_the_error_after_the_last_steps() -> None:
    table = pd.DataFrame(
        [
            {"label": label, "order": k, "regime": regime, "repeat": i, "steps": steps, "x": 0.0}
            | {"quantity": quantity, "value": scale * k * steps + i}
            for label in ("and", "sign")
            for k in (1, 2)
            for regime, scale in (("dropout", 3), ("none", 1))
            for steps in (5, 7)
            for i in range(2)
            for quantity in ("uncertainty", "test_mse", "density of uncertainty")
        ]
    )
    axes = dropout_uncertainty.draw(table)["dropout_uncertainty"].axes
    assert [ax.get_title().partition(":")[0] for ax in axes] == [
        "uncertainty reported",
        "error made",
    ] * 2
    for ax in axes:
        heights = {
            m: next(li for li in ax.lines if li.get_marker() == m).get_ydata().tolist()
            for m in "os"
        }
        assert heights == {"o": [21.5, 42.5], "s": [7.5, 14.5]}
        assert ax.get_ylim() == axes[0].get_ylim()


@pytest.mark.parametrize(("held_out", "known"), [(False, True), (True, False)])
def test_errors_on_bike_sharing_stand_beside_the_papers(held_out: bool, known: bool) -> None:
    row = {"placement": "both", "rate": 0.5, "repeat": 0, "constant": 2.0, "value": 0.5}
    quantities = ("train_mse", "test_mse", "share", *["validation_mse"] * held_out)
    table = pd.DataFrame(
        [
            row | {"epoch": e, "quantity": q, "order": "1" if q == "share" else None}
            for e in (0, 5)
            for q in quantities
        ]
    )
    ax = bike_share.draw(table)["bike_share"].axes[1]
    read = published_numbers("fig6").set_index(["quantity", "dropout_rate", "epoch"])["mean"]
    heights = [list(line.get_ydata()) for line in ax.lines]
    assert ([read["test_mse", 0.5, e] for e in (0, 5)] in heights) == known


def test_verdicts_are_marks_by_claim_cut_at_the_ends_of_the_axis() -> None:
    numbers = pd.DataFrame(
        {
            "claim": ["C1  one", "C1  one", "C2  two"],
            "verdict": ["holds", "holds", "open"],
            "state": ["inside", "outside", "few"],
            "place": [math.inf, -2.0, 0.5],
            "is_condition": [False, True, False],
            "is_deciding": [True, False, True],
        }
    )
    (ax,) = verdicts.draw(numbers).axes
    marks = [line for line in ax.lines if line.get_marker() in ("o", "D")]
    places = [(line.get_xdata()[0], line.get_ydata()[0]) for line in marks]
    assert places == [(20, 0), (-2.0, 0), (0.5, 1)]
    assert [line.get_marker() for line in marks] == ["o", "D", "o"]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["C1  one", "C2  two"]
    assert [t.get_text() for t in ax.texts] == ["holds", "open"]


def test_what_a_penalty_reaches_stands_over_what_it_asks() -> None:
    table = pd.DataFrame(
        {
            "target": "sines",
            "profile": ["none", "survival .5", "survival .5", "input dropout 0.5"],
            "order": [1, 1, 1, 1],
            "repeat": [0, 0, 1, 0],
            "asked": [1.0, 0.5, 0.5, 0.5],
            "law": [1.0, 0.5, 0.5, 0.765],
            "reached": [1.0, 0.45, 0.49, 0.75],
        }
    )
    (ax,) = order_penalty.draw(table)["order_penalty"].axes
    marked = {line.get_marker(): line.get_xydata().tolist() for line in ax.lines}
    assert marked["o"] == [pytest.approx([0.5, 0.47])]
    assert marked["s"] == [pytest.approx([0.5, 0.75])]
    assert marked["_"] == [pytest.approx([0.5, 0.765])]


def test_errors_by_order_are_drawn_at_the_least_test_error() -> None:
    rows = []
    for strength, error in ((0.0, 0.9), (0.1, 0.5), (0.2, 0.7)):
        name = "none" if strength == 0 else "input dropout"
        key = {"part": "regularizers", "target": "mixture", "regularizer": name}
        key |= {"strength": strength, "width": 32, "steps": 10, "standard_error": 0.01}
        for order in ("0", "1", ">1"):
            rows += [
                key | {"order": order, "quantity": q, "value": error * part}
                for q, part in (("bias", 0.25), ("variance", 0.75))
            ]
        rows.append(key | {"order": "all", "quantity": "test_error", "value": error})
    table = pd.DataFrame(rows)
    pictures = error_by_order.draw(table)
    assert list(pictures) == ["error_by_order", "error_by_order_training"]
    (ax,) = pictures["error_by_order"].axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels == ["none", "input dropout 0.1"]
    # Variance of order 1, then of those above, then the biases, hatched: the error without the
    # mean's, which has no order.
    longs = [bar.get_width() for bar in ax.patches]
    assert longs == pytest.approx([0.675, 0.375] * 2 + [0.225, 0.125] * 2)
    starts = [bar.get_x() for bar in ax.patches]
    assert starts == pytest.approx([0, 0, 0.675, 0.375, 1.35, 0.75, 1.575, 0.875])
    assert [bool(bar.get_hatch()) for bar in ax.patches] == [False] * 4 + [True] * 4
    widths = error_by_order.draw(table.assign(part="widths"))
    assert list(widths) == ["error_by_order"]


def test_errors_of_peers_are_drawn_against_evaluations_and_seconds() -> None:
    rows = [
        {"function": f, "method": m, "budget": b, "evaluations": b - 7, "cpu_seconds": b / 500}
        | {"error": None if m.startswith("GPJax") else 10 / b}
        for f in ("a network", "another")
        for m in ("this package, surrogate", "GPJax, orthogonal additive kernel")
        for b in (4000, 1000)
    ]
    axes = peers.draw(pd.DataFrame(rows)).axes
    assert [ax.get_title() for ax in axes] == ["a network", "another", "", ""]
    for ax, costs in ((axes[0], [993, 3993]), (axes[3], [2, 8])):
        # What has no error has no line, and no place in the legend.
        (line,) = ax.lines
        assert line.get_label() == "this package, surrogate"
        assert line.get_xdata().tolist() == costs
        assert line.get_ydata().tolist() == pytest.approx([0.01, 0.0025])
        assert (ax.get_xscale(), ax.get_yscale()) == ("log", "log")


def test_ranks_and_ratios_to_dropout_are_means_over_tables_and_the_control_is_a_cross() -> None:
    """Two tables with ratios 4 and 1 of "none" to dropout: 2 in the mean, ranks 2 and 1.5."""
    errors = {"one": (4.0, 1.0), "two": (1.0, 1.0), adaptive.CONTROL: (9.0, 1.0)}
    table = pd.DataFrame(
        [
            {"table": name, "stopped": stopped, "method": method, "repeat": i}
            | {"test_error": error * (0.5 + i)}
            for name, of in errors.items()
            for stopped in (True, False)
            for method, error in zip(("none", "dropout"), of, strict=True)
            for i in range(2)
        ]
    )
    figure = adaptive.draw(table)["adaptive"]
    ranks, ratios = figure.axes
    names = [label.get_text() for label in ranks.get_yticklabels()]
    assert names == ["no regularizer", "dropout"]
    assert [line.get_xdata().tolist() for line in ranks.lines if line.get_marker() == "o"] == [
        [1.75],
        [1.25],
    ]
    by_marker = {
        m: next(line.get_xdata().tolist() for line in ratios.lines if line.get_marker() == m)
        for m in "o.x"
    }
    assert by_marker == {"o": [pytest.approx(2.0)], ".": [4.0, 1.0], "x": [9.0]}
    (low, high) = ratios.containers[0].lines[2][0].get_segments()[0][:, 0]
    assert (low, high) == pytest.approx((0.5, 8.0))
    assert "control: order 1 alone" in legend_of(figure)
    alone = adaptive.draw(table[table["table"] == "one"])["adaptive"]
    assert "control: order 1 alone" not in legend_of(alone)
