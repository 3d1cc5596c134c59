"""Imports run one way, as the source says: the library knows no experiment, a question no other."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = ("interactions", "experiments", "figures", "paper_results")

LIBRARY = {
    "arrays": set(),
    "inputs": {"arrays"},
    "players": {"inputs", "models"},
    "dropout": set(),
    # What every result can do: be printed, saved and drawn.
    "printing": set(),
    "saving": set(),
    "plots": set(),
    "sufficient": {"saving"},
    "spectrum": {"printing", "saving", "plots", "sufficient"},
    "planted": {"inputs", "spectrum"},
    "theory": {"inputs", "dropout", "spectrum", "planted"},
    "comparison": {"spectrum", "printing", "saving", "plots"},
    "checks": set(),
    "precision": set(),
    "progress": set(),
    "models": {"arrays", "inputs"},
    "anova": {
        "arrays",
        "checks",
        "inputs",
        "models",
        "precision",
        "progress",
        "spectrum",
        "printing",
        "saving",
        "plots",
    },
    "penalty": {"inputs", "spectrum"},
    "networks": {"inputs", "dropout", "penalty", "printing"},
    "error": {"arrays", "inputs", "precision", "printing", "saving", "plots", "anova"},
    "rate_sweep": {"inputs", "dropout", "progress", "anova", "printing", "saving"},
}
LIBRARY = {
    f"interactions.{room}": {f"interactions.{other}" for other in others}
    for room, others in LIBRARY.items()
}
# The face of the library, which none of its rooms looks at.
LIBRARY["interactions"] = set(LIBRARY)
CONTEXT = {"experiments.running.context", "experiments.running.data"}
ALLOWED = LIBRARY | {
    "experiments": set(),
    "experiments.errors": set(),
    "experiments.output": set(),
    "experiments.found": set(),
    "experiments.discovery": {"experiments.errors"},
    "experiments.running.store": {"experiments.errors"},
    "experiments.running.context": {"experiments.errors"},
    # Neither knows a user or a folder: bytes in, data out; an address in, bytes out.
    "experiments.running.documents": set(),
    "experiments.running.download": set(),
    "experiments.running.data": {
        "experiments.errors",
        "experiments.running.documents",
        "experiments.running.download",
        "experiments.running.store",
    },
    "experiments.running": {
        "experiments.errors",
        "experiments.output",
        "experiments.discovery",
        "experiments.running.store",
        *CONTEXT,
    },
    "experiments.tasks": {*LIBRARY, "experiments.errors", *CONTEXT},
    "experiments.data_sets": {*LIBRARY, "experiments.tasks", *CONTEXT},
    "experiments.questions": {
        *LIBRARY,
        "experiments.errors",
        "experiments.tasks",
        "experiments.data_sets",
        *CONTEXT,
    },
    "experiments.lecture": {
        *LIBRARY,
        *CONTEXT,
        "experiments.errors",
        "experiments.output",
        "experiments.tasks",
        "experiments.questions",
        "experiments.running.store",
        "figures",
    },
    "experiments.tutorial": {*LIBRARY, "experiments.running.store"},
    # Published numbers, which anyone but a question may read.
    "paper_results": set(),
    "figures": {"paper_results"},
    "paper_results.evidence": {
        *LIBRARY,
        "experiments.errors",
        "experiments.tasks",
        "experiments.questions",
        "paper_results",
    },
    "paper_results.report": {
        "experiments.errors",
        "experiments.running",
        "experiments.running.store",
        "figures",
        "paper_results",
        "paper_results.evidence",
    },
    "paper_results.bind": {"experiments.running", "experiments.running.store", "paper_results"},
    "paper_results.redraw": {
        "experiments.discovery",
        "experiments.errors",
        "experiments.running",
        "experiments.running.store",
        "paper_results",
        "paper_results.bind",
    },
    "paper_results.told": {"paper_results"},
    "paper_results.explorer": {"paper_results.told"},
    "paper_results.renew": {
        "experiments.running.store",
        "paper_results.explorer",
        "paper_results.told",
    },
    "experiments.__main__": {
        "experiments.errors",
        "experiments.output",
        "experiments.found",
        "experiments.lecture",
        "experiments.discovery",
        "experiments.running",
        "experiments.running.context",
        "experiments.running.store",
        "paper_results",
        "paper_results.report",
    },
}
"""What each room may import beside itself."""

BY_NAME = {"import_module", "__import__", "exec_module", "run_module", "run_path"}
"""What imports a module whose name no reader of the source can see."""


def files(*folders: str) -> list[Path]:
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {module_of(path): path for path in files(*PACKAGES)}


@cache
def imported(path: Path) -> set[str]:
    """Modules of ours and packages of others that a file imports, wherever in it.

    Those that only its annotations need, under TYPE_CHECKING, are not imported.
    """
    package = module_of(path)
    package = package if path.name == "__init__.py" else package.rpartition(".")[0]
    names = set()
    for node in statements(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            for alias in node.names:
                deeper = f"{source}.{alias.name}"
                names.add(deeper if deeper in MODULES else source)
    return {name if name in MODULES else name.split(".")[0] for name in names}


def statements(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        if not (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"):
            yield child
            yield from statements(child)


def room_of(module: str) -> str:
    while module not in ALLOWED:
        module = module.rpartition(".")[0]
    return module


def test_the_plan_has_no_circle_and_names_every_room() -> None:
    tuple(TopologicalSorter(ALLOWED).static_order())
    assert set().union(*ALLOWED.values()) <= set(ALLOWED)
    assert {room_of(module) for module in MODULES} == set(ALLOWED)
    # What is not a folder's face is in a room of its own, none in the hall.
    for hall in ("experiments", "interactions", "paper_results"):
        assert [module for module in MODULES if room_of(module) == hall] == [hall]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_lies_upstream(room: str) -> None:
    for module, path in MODULES.items():
        if room_of(module) == room:
            ours = imported(path) & set(MODULES)
            beyond = {name for name in ours if room_of(name) not in {room, *ALLOWED[room]}}
            assert not beyond, f"{module} imports {sorted(beyond)}"


def test_no_module_imports_what_imports_it() -> None:
    tuple(TopologicalSorter({m: imported(p) - {m} for m, p in MODULES.items()}).static_order())


@pytest.mark.parametrize("folder", ["experiments/questions", "figures"])
def test_no_question_and_no_figure_imports_another(folder: str) -> None:
    for path in files(folder):
        beside = {name for name in imported(path) if name.startswith(folder.replace("/", "."))}
        # Two pictures are drawn from the table of regularizers, a file each.
        assert beside <= {"figures.style", "figures.importance"}, (
            f"{module_of(path)} imports {sorted(beside)}"
        )


def test_questions_know_no_published_number() -> None:
    for path in files("experiments/questions"):
        assert not [name for name in imported(path) if name.startswith("paper_results")], path


def test_only_the_command_line_knows_evidence_and_report() -> None:
    for path in files("experiments", "interactions", "figures"):
        judged = {n for n in imported(path) if n.startswith("paper_results.")}
        assert not judged or module_of(path) == "experiments.__main__", path


def test_nothing_but_discovery_imports_by_name() -> None:
    """And nothing runs code that no reader sees, but what renders the tutorial."""
    for module, path in MODULES.items():
        nodes = list(ast.walk(ast.parse(path.read_text())))
        names = {node.id for node in nodes if isinstance(node, ast.Name)}
        used = names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}
        used |= {node.name for node in nodes if isinstance(node, ast.alias)}
        # A method .eval() is a network's; the built-in is a name.
        by_name = used & BY_NAME | names & {"exec", "eval"}
        known = {"experiments.discovery", "experiments.tutorial.render"}
        assert not by_name or module in known, f"{module} uses {by_name}"


def test_the_library_needs_no_plotting_or_command_line() -> None:
    """Where a picture or a bar is asked for, it is imported: inside of a function."""
    for path in files("interactions"):
        tree = ast.parse(path.read_text())
        tops = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
        names = {a.name for n in tops if isinstance(n, ast.Import) for a in n.names}
        names |= {n.module or "" for n in tops if isinstance(n, ast.ImportFrom)}
        packages = {name.partition(".")[0] for name in names}
        assert not packages & {"matplotlib", "seaborn", "typer", "tqdm"}, path
        assert not imported(path) & {"seaborn", "typer"}, path


def test_figures_compute_nothing() -> None:
    for path in files("figures"):
        assert not imported(path) & {"torch", "scipy", "numpy"}, path


def test_no_file_is_longer_than_a_reader_holds_in_mind() -> None:
    """Over 400 lines are allowed where the docstring says why: "Longer than ..., for ..."."""
    for path in files(*PACKAGES):
        text = path.read_text()
        words = ast.get_docstring(ast.parse(text)) or ""
        assert text.count("\n") <= 400 or "Longer than" in words, path
