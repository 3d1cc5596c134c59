"""The headline in sentences: what is told is what the tables hold."""

from __future__ import annotations

import itertools

import pandas as pd

from experiments import discovery, found


def test_the_decay_law_is_told_at_half_beside_the_law() -> None:
    cells = itertools.product(("product", "sin(2.5 x)"), (1, 2), (0.0, 0.25, 0.5), (0, 1))
    t = pd.DataFrame(cells, columns=["target", "order", "rate", "repeat"])
    t["law"] = (1 - t["rate"]) ** t["order"]
    t["amplitude"] = t["law"] + 0.01 * t["repeat"] + (t["target"] != "product")
    assert found.sentence("decay_law", t) == (
        "Trained with 0.5 of the inputs dropped, networks keep 0.505, 0.255 of products of 1, 2 "
        "inputs. (1-r)^k is 0.500, 0.250."
    )
    assert found.sentence("decay_law", t[t["rate"] == 0]) == ""


def test_noise_is_told_without_dropout_and_with() -> None:
    rows = [
        ("none", 0.0, 100, "1", 0.1),
        ("none", 0.0, 100, ">1", 0.9),
        ("activation", 0.5, 100, "1", 0.6),
        ("activation", 0.5, 100, ">1", 0.4),
        ("activation", 0.5, 10, "1", 0.3),
        ("input", 0.5, 100, "1", 0.2),
    ]
    t = pd.DataFrame(rows, columns=["placement", "rate", "after", "order", "share"])
    t = t.assign(measure="unbiased", width=32, rule="equal steps")
    assert found.sentence("pure_noise", t) == (
        "Of what networks learn of pure noise, orders 1, >1 are 10%, 90% without dropout; "
        "60%, 40% with activation dropout at 0.5."
    )


def test_bike_sharing_is_told_by_its_least_error() -> None:
    rows = [(0.0, 1, 0.9), (0.0, 2, 0.5), (0.25, 2, 0.4), (0.5, 2, 0.6), (0.5, 1, 0.1)]
    t = pd.DataFrame(rows, columns=["rate", "epoch", "value"]).assign(quantity="test_mse")
    assert found.sentence("bike_share", t) == (
        "On bike sharing the test error after 2 epochs is 0.500, 0.400, 0.600 at rates 0, 0.25, "
        "0.5: least at 0.25."
    )
    assert found.sentence("bike_share", t[t["rate"] == 0]) == ""


def test_every_question_of_the_headline_has_its_sentence() -> None:
    assert set(found.SENTENCES) == set(discovery.HEADLINE)
    assert found.sentence("digits", pd.DataFrame()) == ""
