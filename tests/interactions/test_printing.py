"""Results as text: one line to repr, aligned columns within 100 characters to print."""

from __future__ import annotations

import numpy as np

from interactions import OrderSpectrum, selectivity
from interactions.anova import MeanOrder, purify
from interactions.printing import MOST_ROWS, WIDTH, aligned, html_table, with_error


def logits(count: int, max_order: int = 3, **changes: object) -> OrderSpectrum:
    rng = np.random.default_rng(0)
    variance = rng.normal(size=(count, max_order + 1)) * 10.0 ** rng.integers(
        -3, 3, size=(count, 1)
    )
    known = OrderSpectrum.known(variance, method="ANOVA kernel (8/28/56 products by order)")
    share = np.abs(rng.normal(size=variance.shape))
    values = {f: getattr(known, f) for f in known.__dataclass_fields__}
    values |= {"share": share, "share_standard_error": share / 7, "converged": False}
    values |= {"reason": "a long reason " * 12}
    return OrderSpectrum(**{**values, **changes})


def test_ten_logits_are_ten_aligned_lines_within_the_width() -> None:
    lines = str(logits(10)).splitlines()
    assert max(map(len, lines)) <= WIDTH
    table = lines[-11:]
    assert " ".join(table[0].split()) == "output variance order 1 order 2 order 3 order >3"
    assert [line.split()[0] for line in table[1:]] == [*map(str, range(10))]
    # Every ± stands below the one above it.
    places = [[i for i, c in enumerate(line) if c == "±"] for line in table[1:]]
    assert len(places[0]) == 4
    assert all(place == places[0] for place in places)


def test_orders_that_do_not_fit_beside_each_other_follow_below() -> None:
    lines = str(logits(3, max_order=9)).splitlines()
    assert max(map(len, lines)) <= WIDTH
    heads = [line for line in lines if line.startswith("  output")]
    assert len(heads) > 1
    assert " ".join(heads).count("order ") == 10


def test_outputs_have_their_names_and_a_single_one_no_number() -> None:
    named = logits(2, outputs=("cat", "dog"))
    assert [line.split()[0] for line in str(named).splitlines()[-2:]] == ["cat", "dog"]
    assert named.to_frame()["output"].tolist() == ["cat"] * 4 + ["dog"] * 4
    dog = named.output("dog")
    assert dog.outputs == ("dog",)
    assert str(dog).startswith("OrderSpectrum of dog by")
    np.testing.assert_array_equal(dog.share, named.share[1])
    for single in (logits(1), logits(1).output(0)):
        assert "output" not in str(single)
        assert "order 1" in str(single)


def test_an_unknown_error_is_said_to_be_unknown() -> None:
    unknown = OrderSpectrum.known(
        np.array([2.0, 1.0]), error=np.nan, share_error=np.nan, method="x"
    )
    assert str(unknown).count("± unknown") == 4
    assert (
        len(with_error(0.5, np.nan)) == len(with_error(0.5, 1.234e-5)) == len(with_error(0.5, 0.1))
    )


def test_what_a_constant_has_not_is_undefined() -> None:
    constant = OrderSpectrum.known(np.zeros(2), method="x")
    assert str(constant).count("undefined") == 3
    assert repr(constant) == "OrderSpectrum(shares 1: undefined, >1: undefined; x)"
    assert str(constant.sufficient_order()) == (
        "open: no variation was seen, and a constant has no shares"
    )


def test_repr_is_one_short_line() -> None:
    results = [
        logits(10),
        logits(1),
        logits(1, max_order=20),
        selectivity(logits(10), logits(10)),
        selectivity(logits(1).output(0), logits(1).output(0)),
        purify(np.ones((2, 3))),
        MeanOrder(
            mean_order=np.float64(1.5),
            standard_error=np.float64(0.1),
            total_index=np.ones(3),
            total_index_standard_error=np.ones(3),
            variance=np.float64(1.0),
            evaluations=10,
        ),
    ]
    for result in results:
        assert "\n" not in repr(result)
        assert len(repr(result)) <= WIDTH
        assert max(map(len, str(result).splitlines())) <= WIDTH
        assert repr(result).startswith(type(result).__name__)
        assert result._repr_html_().count("<table>") == 1
        assert len(result.to_frame())


def test_html_holds_the_same_cells_and_escapes_them() -> None:
    page = html_table("a & b", [["x", "<y>"], ["1", "2"]])
    assert "<p>a &amp; b</p>" in page
    assert "<th>&lt;y&gt;</th>" in page
    assert page.count("<td>") == 2
    assert ">order &gt;3<" in logits(2)._repr_html_()


def test_of_very_many_rows_the_last_are_counted() -> None:
    rows = [["name", "value"], *([str(i), "1"] for i in range(MOST_ROWS + 5))]
    lines = aligned(rows)
    assert len(lines) == MOST_ROWS + 2
    assert "5 more" in lines[-1]
    assert "5 more" in html_table("", rows)
    assert not any("more" in line for line in aligned(rows[: MOST_ROWS + 1]))
