"""The explorer is one file that shows what is stored, and asks no network for anything."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest

from paper_results import STORED
from paper_results.explorer import build
from paper_results.told.tables import rows, stored

PAGE = (STORED.parent / build.PAGE).read_text(encoding="utf-8")
DATA, SCRIPT = re.findall(r"<script[^>]*>(.*?)</script>", PAGE, flags=re.DOTALL)


def test_the_stored_page_is_what_the_stored_tables_give() -> None:
    assert build.page() == PAGE


def test_it_asks_no_network() -> None:
    assert "http" not in PAGE
    assert not re.search(r"\b(src|href)=\"(?!data:)", PAGE)
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|@import|url\(", PAGE)


def test_its_numbers_are_means_with_their_errors() -> None:
    data = json.loads(DATA)
    told = data["decay"][-1]
    t = stored("decay_law-controlled-paper")
    own = rows(t, target=told["target"], order=told["order"], rate=told["rate"])["amplitude"]
    assert told["mean"] == pytest.approx(own.mean(), rel=1e-3)
    assert told["error"] == pytest.approx(own.sem(), rel=1e-3)
    shares: dict[tuple, float] = {}
    for row in data["noise"]:
        key = (row["width"], row["placement"], row["rate"], row["after"])
        shares[key] = shares.get(key, 0.0) + row["mean"]
    assert all(total == pytest.approx(1.0, abs=0.01) for total in shares.values())


CHECK = """
const near = (a, b, what) => {
  if (!(Math.abs(a - b) < 1e-3)) throw Error(`${what}: ${a}, not ${b}`);
};
near(law(0.5, 3), 0.125, "law");
near(dilation(0.5, 1, 2.5), 0.7651, "dilation");
near(dilation(0, 2, 2.5), 1, "no dropout");
near(binomial(25, 12), 5200300, "binomial");
const data = JSON.parse(require("fs").readFileSync(process.argv[2], "utf8"));
const seen = [];
for (const target of unique(data.decay.map(d => d.target)))
  for (const rate of [0, 0.5, 0.75]) seen.push(decay(data, { rate, target, dim: 25 }));
for (const d of data.noise) if (d.placement !== "none") seen.push(noise(data, d));
for (const d of data.regularizers) if (d.regularizer !== "none") seen.push(regularizers(data, d));
for (const { says, panes } of seen)
  for (const svg of [says, ...Object.values(panes)])
    if (/NaN|undefined|Infinity/.test(svg)) throw Error(`${says} ${svg}`);
console.log(seen[1].says);
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_every_choice_draws_something(tmp_path) -> None:
    (tmp_path / "data.json").write_text(DATA, encoding="utf-8")
    (tmp_path / "check.js").write_text(SCRIPT + CHECK, encoding="utf-8")
    command = ["node", "check.js", "data.json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("At r = 0.5: 50% of order 1, 25% of order 2")
