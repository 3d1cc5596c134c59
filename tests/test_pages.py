"""Pages are short, lead where they say, and run as they stand."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest
import typer

from experiments import __main__ as command_line
from experiments import discovery
from experiments.running.settings import grid

ROOT = Path(__file__).parents[1]
WRITTEN = {"paper_results/REPORT.md"}
"""Not by hand."""
LIMITS = {"README.md": 900, "interactions/LAWS.md": 2400}
"""Words of a page; a list of proofs is read one at a time."""
PAGES = [
    path
    for path in (*ROOT.glob("*.md"), *ROOT.glob("[a-z]*/**/*.md"))
    if not {"results", "build", "dist"} & set(path.relative_to(ROOT).parts)
]
PAGES = {str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in sorted(PAGES)}
LINK = re.compile(r"\]\(([^)\s#]+)[^)]*\)")
SHELL = [
    (page, re.sub(r"\s+#.*", "", line).strip())
    for page, text in PAGES.items()
    for block in re.findall(r"```sh\n(.*?)```", text, flags=re.DOTALL)
    for line in block.replace("\\\n", " ").splitlines()
]
MODULE = re.compile(r"(?:\S*python|\S*python3) -m (\S+)(.*)")
TOOLS = {"build", "mypy", "pdoc"}
"""Modules of a page's commands that its reader installs for them."""
EXTRAS = {"ruff", "dask"}
"""Modules that requirements.txt brings, and a library's own environment may lack."""
OWN = {"README.md", "EXTENDING.md", "interactions/README.md", "experiments/tutorial/README.md"}
"""Pages with code of their own tests, below or in test_extending.py."""


def code(page: str) -> list[str]:
    return re.findall(r"```python\n(.*?)```", PAGES[page], flags=re.DOTALL)


@pytest.mark.parametrize("page", [page for page in PAGES if page not in WRITTEN])
def test_a_page_is_short(page: str) -> None:
    assert len(PAGES[page].split()) <= LIMITS.get(page, 1500)


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_lead_to_what_is_there(page: str) -> None:
    for target in LINK.findall(PAGES[page]):
        if "://" not in target:
            assert (ROOT / page).parent.joinpath(target).exists(), target


def test_every_page_is_linked_from_another() -> None:
    linked = {
        (ROOT / page).parent.joinpath(target).resolve()
        for page, text in PAGES.items()
        for target in LINK.findall(text)
        if "://" not in target
    }
    for page in PAGES:
        assert page == "README.md" or (ROOT / page).resolve() in linked, page


@pytest.mark.parametrize(("page", "line"), SHELL)
def test_a_command_is_one_that_there_is(page: str, line: str) -> None:
    """What is typed is taken: modules are there, options known, and plans can be made."""
    found = MODULE.search(line.removesuffix(" &&"))
    if found is None:
        assert line.startswith((".venv/bin/pip", "pip install")), line
        return
    module, rest = found[1], shlex.split(found[2])
    if module in EXTRAS:
        pytest.importorskip(module, reason=f"{module} is an extra")
    assert module in TOOLS or importlib.util.find_spec(module) is not None, line
    if module != "experiments":
        return
    name, *arguments = rest
    command = typer.main.get_command(command_line.app).commands[name]
    values = command.make_context(name, list(arguments)).params
    if name in {"run", "sweep", "show"} and values["name"] != "sampling_error":
        plan = command_line._plan(
            values["name"], values["preset"], values["protocol"], None, values.get("set_"), "0"
        )
        assert grid(plan.settings, values.get("grid") or [])


def test_the_ten_lines_that_measure_a_model_print_what_the_front_page_shows(capsys) -> None:
    (block,) = code("README.md")
    assert len(block.splitlines()) <= 10
    exec(block, {})
    number = re.compile(r"\d[\d.,]*(?:e-?\d+)?")
    (shown,) = re.findall(r"```\n(OrderSpectrum.*?)```", PAGES["README.md"], flags=re.DOTALL)
    printed = capsys.readouterr().out
    assert number.sub("", printed).split() == number.sub("", shown).split()
    values = [
        [float(value.replace(",", "")) for value in number.findall(text)]
        for text in (printed, shown)
    ]
    # In the last digits arithmetic differs between processors.
    assert values[0] == pytest.approx(values[1], rel=0.05)


def test_the_lines_that_measure_and_sweep_run(capsys) -> None:
    measure, sweep = code("interactions/README.md")
    namespace: dict = {}
    exec(measure, namespace)
    assert (namespace["low"] <= namespace["high"]).all()
    exec(sweep, namespace)
    assert len(sweep.splitlines()) <= 10
    assert "best rate" in capsys.readouterr().out
    table = namespace["table"]
    assert table["rate"].tolist() == [0.0, 0.25, 0.5]
    # Main effects gain on the pair as the rate grows.
    assert table["share_1"].is_monotonic_increasing
    assert namespace["best"] in table["rate"].to_numpy()
    assert namespace["error"] > 0


def test_every_page_with_code_has_its_test() -> None:
    """Below, in test_models_page.py, test_extending.py and experiments/test_tutorial.py."""
    with_code = {page for page in PAGES if code(page)}
    assert with_code == OWN | {"interactions/MODELS.md"}


def test_every_question_has_its_line() -> None:
    for name in discovery.NAMES:
        assert f"| `{name}` |" in PAGES["experiments/README.md"]
