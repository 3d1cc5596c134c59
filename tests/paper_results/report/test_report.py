"""The report: agreement by number, verdicts by rule, and pages that need no network."""

from __future__ import annotations

import html
import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from experiments import discovery
from experiments.running.context import UserError
from experiments.running.stored import Wanted, find
from interactions import Uniform, order_spectrum
from paper_results.evidence import items, numbers
from paper_results.evidence.numbers import Estimate
from paper_results.report import pages as report_
from paper_results.report.agreement import agreement
from paper_results.report.verdicts import Check, Claim, Evidence, judge, read_claims

PUBLISHED = pd.DataFrame(
    {"rate": [0.0, 0.25, 0.5, 0.75], "value": [1.0, 0.5, 0.2, 0.1], "reading": 1e-3}
)
OURS = pd.DataFrame(
    {
        "rate": [0.0, 0.25, 0.5],
        # Within the reading error; within three errors; 0.2 too high.
        "value": [1.0005, 0.53, 0.4],
        "standard_error": [0.0, 0.01, 0.01],
    }
)


def test_agreement_counts_points_within_three_errors_and_names_the_largest_gap() -> None:
    found = agreement(PUBLISHED, OURS, ["rate"])
    assert (found.published, found.compared, found.inside) == (4, 3, 2)
    assert found.share_inside == pytest.approx(2 / 3)
    assert found.largest_gap == pytest.approx(0.2)
    assert found.value_there == 0.2
    assert found.where == "rate 0.5"


def test_what_is_read_exactly_agrees_with_itself_and_with_nothing_else() -> None:
    same = PUBLISHED.assign(standard_error=0.0).drop(columns="reading")
    assert agreement(PUBLISHED, same, ["rate"]).share_inside == 1
    apart = same.assign(value=same["value"] - 0.01)
    assert agreement(PUBLISHED, apart, ["rate"]).share_inside == 0
    assert agreement(PUBLISHED, apart, ["rate"]).largest_gap == pytest.approx(-0.01)


def test_one_run_has_no_error_to_hide_behind() -> None:
    found = agreement(PUBLISHED, OURS.assign(standard_error=math.nan), ["rate"])
    assert found.inside == 1


def test_nothing_in_common_has_no_share_and_no_gap() -> None:
    found = agreement(PUBLISHED, OURS.assign(rate=0.9 + OURS["rate"]), ["rate"])
    assert (found.compared, found.share_inside, found.largest_gap) == (0, None, None)


def test_keys_that_name_two_points_are_refused() -> None:
    with pytest.raises(ValueError, match=r"'ours' has more than one value at .*0\.25"):
        agreement(PUBLISHED, pd.concat([OURS, OURS[1:2]]), ["rate"])


@pytest.mark.parametrize("item", [i for i in items.ALL if i.published], ids=lambda i: i.name)
def test_every_items_published_points_have_keys_of_their_own(item: items.Item) -> None:
    points = item.published()
    assert len(points) >= 12
    assert (points["reading"] > 0).all()
    itself = points.drop(columns="reading").assign(standard_error=0.0)
    assert agreement(points, itself, items.KEYS).share_inside == 1


def test_all_twelve_items_are_there() -> None:
    names = [f"Fig {k}" for k in range(1, 10)] + ["Fig A.1", "Fig C.1", "Table C.1"]
    assert [item.name for item in items.ALL] == names


# Verdicts

AT_MOST_1 = Check(number="ties", says="a number", at_most=1.0)


@pytest.mark.parametrize(
    ("value", "error", "state"),
    [
        (0.5, 0.1, "inside"),
        (0.9, 0.1, "open"),
        (1.1, 0.1, "open"),
        (1.5, 0.1, "outside"),
        (1.0, 0.0, "inside"),
        (0.5, math.nan, "open"),
    ],
)
def test_a_number_must_clear_its_bound_by_its_interval(value, error, state) -> None:
    assert AT_MOST_1.state(Estimate(value, error)) == state


@pytest.mark.parametrize(("repeats", "state"), [(2, "open"), (4, "open"), (10, "inside")])
def test_an_error_of_few_repeats_decides_little(repeats, state) -> None:
    """Four standard errors off: Student's t at 99% asks for 64, 5.8 and 3.2."""
    assert AT_MOST_1.state(Estimate(0.6, 0.1, repeats)) == state


def test_a_number_between_two_bounds_can_leave_on_either_side() -> None:
    check = Check(number="ties", says="a number", at_least=0.0, at_most=1.0)
    states = [check.state(Estimate(v, 0.01)) for v in (-1.0, 0.5, 2.0)]
    assert states == ["outside", "inside", "outside"]
    assert check.bounds == "0 to 1"


def verdict_on(monkeypatch: pytest.MonkeyPatch, *checks: tuple[float, str | None]) -> str:
    """The verdict on a claim whose checks come out at these numbers, of at most 1; None: no run."""
    values = iter([value for value, _ in checks])
    monkeypatch.setattr(numbers, "ties", lambda: Estimate(next(values), 0.01))
    made = tuple(
        Check(
            number="ties",
            says="",
            of=() if value is not None else (Wanted("decay_law", "released"),),
            at_most=1.0,
            only_if=only_if,
        )
        for value, only_if in checks
    )
    return judge(Claim("C0", "A sentence.", "nowhere", made), []).text


def test_the_rule_can_give_every_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdict_on(monkeypatch, (0.5, None)) == "holds"
    assert verdict_on(monkeypatch, (1.5, None)) == "does not hold"
    assert verdict_on(monkeypatch, (1.01, None)).startswith("not decided")
    assert verdict_on(monkeypatch, (None, None)) == "not run"
    assert verdict_on(monkeypatch, (0.5, None), (1.5, "it rains")) == "holds only if it rains"
    both = verdict_on(monkeypatch, (0.5, None), (1.5, "it rains"), (2.0, "it pours"))
    assert both == "holds only if it rains, and only if it pours"
    assert verdict_on(monkeypatch, (0.5, None), (0.5, "it rains")) == "holds"
    assert verdict_on(monkeypatch, (0.5, None), (None, "it rains")) == "not run"
    # What fails fails, whatever has not been run.
    assert verdict_on(monkeypatch, (1.5, None), (None, None)) == "does not hold"


def test_every_claim_and_contradiction_has_its_checks() -> None:
    claims = read_claims(report_.CLAIMS)
    assert [c.name for c in claims] == [f"C{i}" for i in range(1, 12)] + [
        f"E{i}" for i in range(1, 15)
    ]
    for claim in claims:
        assert any(check.only_if is None for check in claim.checks), claim.name


def test_a_claim_that_asks_for_no_such_number_is_named(tmp_path: Path) -> None:
    text = '[[claim]]\nname = "C1"\nsentence = "s"\nwhere = "w"\n[[claim.check]]\nsays = "x"\n'
    path = tmp_path / "claims.toml"
    path.write_text(text + 'number = "nonsense"\nat_most = 1.0\n')
    with pytest.raises(UserError, match=r"claim C1: .*no function 'nonsense'"):
        read_claims(path)
    path.write_text(text + 'number = "ties"\n')
    with pytest.raises(UserError, match=r"claim C1: .*at_least or at_most"):
        read_claims(path)


# Numbers

FOUR = np.repeat(range(4), 2)


def noise_table(shares: dict[tuple[str, float], list[float]]) -> pd.DataFrame:
    """Four repeats of two orders per cell; the share of order 4+ as given, totals 2 and 4."""
    parts = []
    for (placement, rate), high in shares.items():
        part = pd.DataFrame({"repeat": FOUR, "order": ["1", ">3"] * 4, "measure": "unbiased"})
        part["share"] = np.ravel([[1 - s, s] for s in high])
        part["variance"] = part["share"] * (2.0 if rate else 4.0)
        part["steps"] = 100 if rate else 200
        parts.append(part.assign(placement=placement, rate=rate, width=32, after=200))
    return pd.concat(parts)


def test_numbers_of_noise_networks_pair_repeats() -> None:
    base = [0.1, 0.2, 0.3, 0.4]
    table = noise_table({("none", 0.0): base, ("input", 0.25): [s + 0.1 for s in base]})
    gained = numbers.high_share_gained(table, placement="input", rate=0.25)
    assert gained.value == pytest.approx(0.1)
    assert gained.standard_error == pytest.approx(0, abs=1e-12)
    assert numbers.total_over_none(table, placement="input", rate=0.25).value == pytest.approx(0.5)
    assert numbers.steps_over_none(table, placement="input", rate=0.25).value == 0.5
    unpaired = numbers.mean_total(table, measure="unbiased")
    assert unpaired == Estimate(4.0, 0.0, 4)


def test_the_error_of_a_number_is_that_of_its_mean_over_repeats() -> None:
    table = noise_table({("none", 0.0): [0.1] * 4, ("input", 0.25): [0.1, 0.2, 0.3, 0.4]})
    gained = numbers.high_share_gained(table, placement="input", rate=0.25)
    assert gained.value == pytest.approx(0.15)
    assert gained.standard_error == pytest.approx(np.std([0, 1, 2, 3], ddof=1) / 20)


def test_a_number_whose_rows_are_not_there_says_so() -> None:
    table = noise_table({("none", 0.0): [0.1] * 4})
    with pytest.raises(numbers.NotInTableError, match="placement"):
        numbers.high_share_gained(table, placement="both", rate=0.25)


def test_the_gap_to_the_law_is_the_largest_of_all_cells() -> None:
    row = {"part": "laws", "sense": "masked", "quantity": "q", "repeat": [0, 1]}
    table = pd.concat(
        [
            pd.DataFrame(row | {"order": k, "rate": 0.5, "survival": 0.5**k, "measured": measured})
            for k, measured in ((1, [0.5, 0.52]), (2, [0.1, 0.2]))
        ]
    )
    gap = numbers.gap_to_survival(table, sense="masked", quantity="q")
    assert gap.value == pytest.approx(0.1)
    assert gap.standard_error == pytest.approx(0.05)


def test_the_nearest_setting_of_a_sweep_leaves_what_it_does_not_match() -> None:
    """One setting has the published shares and half the total, the other the total alone."""
    bars = pd.DataFrame(
        [
            {"pane": pane, "dropout_rate": 0.5, "order": order, "mean": mean}
            for pane, values in {"a": (3.0, 1.0), "d": (0.75, 0.25)}.items()
            for order, mean in zip(("1", "4+"), values, strict=True)
        ]
    )
    cell = {"measure": "released", "placement": "activation", "rate": 0.5, "width": 32, "after": 9}
    table = pd.DataFrame(
        [
            cell | {"look": look, "repeat": i, "order": k, "share": share, "variance": v}
            for look, high, total in ((1, 0.25, 2.0), (10, 0.65, 4.0))
            for i in range(2)
            for k, share, v in (("1", 1 - high, (1 - high) * total), (">3", high, high * total))
        ]
    )
    for nearest, left in (("shares", 0.5), ("totals", 0.4)):
        found = numbers.left_by_nearest_setting(table, bars, fields=["look"], nearest=nearest)
        assert found == Estimate(pytest.approx(left), pytest.approx(0, abs=1e-12), 2)


def test_the_bike_number_takes_the_best_positive_rate_and_each_networks_best_epoch() -> None:
    errors = {0.0: [[3.0, 1.0], [3.0, 2.0]], 0.25: [[2.0, 2.5], [2.5, 3.5]], 0.5: [[9, 9], [9, 9]]}
    table = pd.DataFrame(
        [
            {"rate": r, "repeat": i, "epoch": e, "value": value}
            for r, repeats in errors.items()
            for i, values in enumerate(repeats)
            for e, value in enumerate(values)
        ]
    )
    placement = table["rate"].gt(0).map({True: "both", False: "none"})
    table = table.assign(placement=placement, quantity="test_mse")
    # 2 - 1 and 2.5 - 2.
    found = numbers.error_gained_by_dropout(table)
    assert found == Estimate(0.75, pytest.approx(0.25), 2)


def test_the_best_rate_of_a_repeat_is_chosen_by_the_others() -> None:
    """Each rate is good in one repeat by luck: choosing by it would make dropout look harmless."""
    errors = {0.0: [1.0, 1.0], 0.25: [1.0, 3.0], 0.5: [3.0, 1.0]}
    table = pd.DataFrame(
        [
            {"placement": "both" if r else "none", "rate": r, "repeat": i, "value": value}
            for r, values in errors.items()
            for i, value in enumerate(values)
        ]
    ).assign(epoch=0, quantity="test_mse")
    assert numbers.error_gained_by_dropout(table) == Estimate(2.0, 0.0, 2)
    with pytest.raises(numbers.NotInTableError, match="two repeats"):
        numbers.error_gained_by_dropout(table[table["repeat"] == 0])


def test_a_best_rate_that_never_varies_is_known_to_its_grid_only() -> None:
    best = {1: 0.5, 3: 0.25}
    table = pd.DataFrame(
        [
            {"order": k, "rate": r, "repeat": i, "accuracy": 1 - abs(r - best[k])}
            for k in best
            for r in (0.0, 0.25, 0.5)
            for i in range(6)
        ]
    )
    lost = numbers.best_rate_lost(table, low=1, high=3, score="accuracy", best="max")
    assert lost == Estimate(0.25, pytest.approx(0.25 / 6), 6)


def test_best_rates_are_compared_at_one_level_of_noise() -> None:
    best = {(1, 1.0): 0.5, (3, 1.0): 0.25, (1, 2.0): 0.5, (3, 2.0): 0.5}
    table = pd.DataFrame(
        [
            {"order": k, "noise": n, "rate": r, "repeat": i, "error": abs(r - b)}
            for (k, n), b in best.items()
            for r in (0.0, 0.25, 0.5)
            for i in range(6)
        ]
    )
    wanted = {"low": 1, "high": 3, "score": "error", "best": "min"}
    lost = [numbers.best_rate_lost(table, **wanted, noise=n).value for n in (1.0, 2.0)]
    assert lost == [0.25, 0.0]


def test_the_generators_of_fig_7_are_of_lower_order_than_they_look() -> None:
    mean_cosine, mean_square = math.sin(1), 0.5 + math.sin(2) / 4
    expected = mean_cosine**2 / mean_square
    pair = numbers.generators_share(generator=2, order=1)
    three = numbers.generators_share(generator=3, order=2)
    assert pair.value == pytest.approx(expected)
    assert three.value == pytest.approx(expected)


def test_a_class_where_three_columns_are_high_is_mostly_main_effects() -> None:
    """Against mixed differences of the class itself."""
    threshold = discovery.load("newsgroups").THRESHOLDS["even"](3)
    spectrum = order_spectrum(
        lambda x: (x > threshold).all(dim=1).double(),
        Uniform(0.0, 1.0, dim=3),
        max_order=3,
        method="differences",
    )
    shares = [numbers.planted_class_share(planted=3, order=k).value for k in (1, 2, 3)]
    assert sum(shares) == pytest.approx(1)
    assert shares[0] > 0.6
    gaps = np.abs(spectrum.share[:3] - shares)
    assert (gaps <= 4 * spectrum.share_standard_error[:3]).all()


# Runs found


def write_run(folder: Path, preset: str, *, steps: int, **more: object) -> Path:
    """A run's folder as left by the command line, with its record and an empty table."""
    run = folder / f"decay_law-controlled-{preset}"
    run.mkdir(parents=True)
    record = {"experiment": "decay_law", "protocol": "controlled", "preset": preset, "seed": 0}
    record |= {"settings": {"steps": steps, "products": [1]}, "device": "CPU", "seconds": 60}
    (run / "record.json").write_text(json.dumps(record | {"commit": "abc"} | more))
    (run / "table.csv").write_text("target,order\n")
    return run


def test_the_first_folder_counts_and_in_it_the_larger_preset(tmp_path: Path) -> None:
    wanted = Wanted("decay_law", "controlled")
    assert find(wanted, [tmp_path]) is None
    quick = write_run(tmp_path / "mine", "quick", steps=10)
    write_run(tmp_path / "stored", "paper", steps=10)
    folders = [tmp_path / "mine", tmp_path / "stored"]
    assert find(wanted, folders).folder == quick
    paper = write_run(tmp_path / "mine", "paper", steps=10)
    assert find(wanted, folders).folder == paper
    assert find(Wanted("decay_law", "released"), folders) is None


def test_a_table_may_be_kept_compressed_until_it_is_run_anew(tmp_path: Path) -> None:
    wanted = Wanted("decay_law", "controlled")
    folder = write_run(tmp_path, "quick", steps=10)
    (folder / "table.csv").unlink()
    pd.DataFrame({"order": [1, 2]}).to_csv(folder / "table.csv.gz", index=False)
    assert find(wanted, [tmp_path]).table["order"].tolist() == [1, 2]
    pd.DataFrame({"order": [3]}).to_csv(folder / "table.csv", index=False)
    assert find(wanted, [tmp_path]).table["order"].tolist() == [3]


def test_a_runs_command_states_what_differs_from_its_preset(tmp_path: Path) -> None:
    usual = discovery.load("decay_law").PRESETS["controlled", "quick"].steps
    write_run(tmp_path, "quick", steps=usual + 1, seed=3)
    command = find(Wanted("decay_law", "controlled"), [tmp_path]).command
    assert command == (
        "python -m experiments run decay_law --protocol controlled --preset quick "
        f"--set steps={usual + 1} --set products=1, --seed 3"
    )


def test_sweeps_are_not_runs_and_broken_records_are_named(tmp_path: Path) -> None:
    run = write_run(tmp_path, "quick", steps=10, grid=["steps=1,2"])
    assert find(Wanted("decay_law", "controlled"), [tmp_path]) is None
    (run / "record.json").write_text("{")
    with pytest.raises(UserError, match=r"record\.json is not the record of a run"):
        find(Wanted("decay_law", "controlled"), [tmp_path])


# The pages


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> tuple[report_.Report, Path]:
    """The report on the stored runs, and the folder it was written to."""
    folder = tmp_path_factory.mktemp("report")
    content = report_.build([report_.STORED])
    report_.write(content, folder)
    return content, folder


class Links(HTMLParser):
    """Collects what a page refers to, and the tags it leaves open."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [v for name, v in attrs if name in ("src", "href") and v is not None]
        if tag not in ("meta", "img", "br", "link"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self.open and self.open[-1] == tag:
            self.open.pop()


def test_the_page_needs_no_network(written) -> None:
    _, folder = written
    page = Links()
    text = (folder / "report.html").read_text()
    page.feed(text)
    assert page.open == []
    assert len(page.links) > 20
    assert all(link.startswith(("data:image/webp;base64,", "#")) for link in page.links)
    assert not re.search(r"@import|url\(|<script|<link", text)


def test_both_texts_name_every_item_claim_and_contradiction(written) -> None:
    content, folder = written
    for name in ("REPORT.md", "report.html"):
        text = (folder / name).read_text()
        for item in items.ALL:
            assert f"{item.name}: {item.title}" in text
        for verdict in content.verdicts:
            assert verdict.text in html.unescape(text)
            assert re.search(rf"\b{verdict.claim.name}\b", text)


def test_what_has_not_been_run_says_how_to_run_it(written) -> None:
    content, folder = written
    missing = [shown.missing for s in content.sections for shown in s.shown if not shown.run]
    for name in ("REPORT.md", "report.html"):
        text = html.unescape((folder / name).read_text())
        assert all(reason in text for reason in missing)
    said = Wanted("pure_noise", "text").missing()
    assert said == "not run: python -m experiments run pure_noise --protocol text --preset paper"


def test_a_sweep_is_found_apart_from_runs_and_tells_its_command(tmp_path: Path) -> None:
    record = {"experiment": "decay_law", "protocol": "controlled", "preset": "quick"}
    record |= {"settings": {"width": 8}, "grid": ["rates=0,0.5"], "seeds": [0, 1]}
    folder = tmp_path / "sweep"
    folder.mkdir()
    (folder / "record.json").write_text(json.dumps(record))
    (folder / "table.csv").write_text("order\n")
    assert find(Wanted("decay_law", "controlled"), [tmp_path]) is None
    assert find(Wanted("decay_law", "controlled", swept=True), [tmp_path]).command == (
        "python -m experiments sweep decay_law --protocol controlled --preset quick "
        "--set width=8 --grid rates=0,0.5 --seeds 0,1"
    )


def test_pictures_named_in_the_markdown_are_there(written) -> None:
    _, folder = written
    named = re.findall(r"!\[.*?\]\((.*?)\)", (folder / "REPORT.md").read_text())
    assert len(named) >= 12
    assert all((folder / name).is_file() for name in named)


def test_rows_of_a_markdown_table_have_as_many_cells_as_its_head(written) -> None:
    _, folder = written
    head = None
    for line in (folder / "REPORT.md").read_text().splitlines():
        if not line.startswith("|"):
            head = None
            continue
        cells = line.count("|")
        head = head or cells
        assert cells == head, line


def test_stored_noise_networks_are_laid_beside_every_published_bar(written) -> None:
    content, _ = written
    section = next(s for s in content.sections if s.item.name == "Fig 5")
    (released,) = (s for s in section.shown if s.protocol == "released")
    for _, found in released.agreements:
        assert found.compared == found.published > 70


def test_a_verdict_follows_the_table_it_is_read_from() -> None:
    """The trees' share of order 1, moved as far below the unbiased one, is not overstated."""
    run = find(Wanted("pure_noise", "released"), [report_.STORED])
    claim = next(c for c in read_claims(report_.CLAIMS) if c.name == "C4")
    check = claim.checks[0]
    before = numbers.trees_overstate(run.table, **check.options)
    assert check.state(before) == "outside"
    moved = run.table.copy()
    trees = (moved["measure"] == "released") & (moved["order"] == "1")
    moved.loc[trees, "share"] -= 2 * before.value
    assert check.state(numbers.trees_overstate(moved, **check.options)) == "inside"


def test_evidence_from_runs_tells_their_commands() -> None:
    run = find(Wanted("pure_noise", "released"), [report_.STORED])
    none = Evidence(AT_MOST_1, "inside", Estimate(0.0, 0.0), (), ())
    one = Evidence(AT_MOST_1, "inside", Estimate(0.0, 0.0), (run,), ())
    assert none.commands == ["python -m experiments report"]
    assert one.commands == [run.command]
