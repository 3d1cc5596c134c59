"""Variance by interaction order, measured by this package and its peers at equal budgets.

    python -m tests.benchmarks.peers                    all of it, resumed where it stopped
    python -m tests.benchmarks.peers --method chaospy   some of it
    python -m tests.benchmarks.peers --show             the summary of the stored table
    python -m tests.benchmarks.peers --renew            its picture and the table of the page, too

Peers come with pip install "interactions[xgboost,peers]"; those that are absent are left out. All
of it takes half an hour on two cores. Every run is a row of peers.csv; what failed, was refused or
not run is a row that says so. An error is the root mean square, over seeds and the orders that a
method tells, of its shares against the truth: a closed form, or of a network the mean of mixed
differences and of a long run of this package (`peer_functions`), with its standard error. Seconds
are of the processor, whatever else the machine does; importing a peer is not among them.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import os
import re
import resource
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from importlib.metadata import packages_distributions, version
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
import torch
import typer

from figures.peers import draw
from interactions import Uniform, order_spectrum
from tests.benchmarks.decomposition import machine
from tests.benchmarks.peer_errors import TRUTHS, errors, networks, rivals, truths
from tests.benchmarks.peer_functions import CASES, ORDERS, Counted, Function, by_differences
from tests.benchmarks.peer_methods import METHODS, on_tensors

TABLE = Path(__file__).with_name("peers.csv")
BUDGETS = (250, 1000, 4000, 16_000)
TOLD = 4000
"""The budget that the page tells of."""
SECONDS_OF_FIVE = 30
"""Of the processor: where two runs take longer, no more are made."""
MEMORY = 6 * 2**30
"""Bytes that a method may take."""
COLUMNS = [
    *("function", "method", "budget", "seed", "evaluations", "cpu_seconds", "wall_seconds"),
    *(f"share_{k}" for k in ORDERS),
    *(f"error_{k}" for k in ORDERS),
    "note",
]
"""Of the table; error is what a method states of its own."""


def main(
    case: str = typer.Option("", help="Only functions whose name holds this."),
    method: str = typer.Option("", help="Only methods whose name holds this."),
    seeds: int = typer.Option(5, help="Runs of every method, function and budget."),
    jobs: int = typer.Option(2, help="Processes."),
    out: Path = typer.Option(TABLE, help="Table to continue."),  # noqa: B008
    fresh: bool = typer.Option(False, "--fresh", help="Start the table anew."),
    show: bool = typer.Option(False, "--show", help="Measure nothing."),
    renew: bool = typer.Option(False, "--renew", help="Picture and page anew; measure nothing."),
) -> None:
    """Measure what the table does not hold yet, and print its summary."""
    if fresh:
        out.unlink(missing_ok=True)
    if not (show or renew):
        # For this process and those it starts: two runs at a time, a core each.
        os.environ |= {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false"}
        torch.set_num_threads(1)
        table = Table(out)
        functions = {name: c.make() for name, c in CASES.items() if case in name}
        find_truths(table, functions, differences, jobs=jobs)
        measure(table, functions, [m for m in METHODS if method in m], seeds=seeds, jobs=jobs)
        find_truths(table, functions, long_run, jobs=jobs)
    rows = read(out)
    print(summary(rows))
    if renew:
        renew_page(rows)


# The table ----------------------------------------------------------------------------------------


class Table:
    """A file of rows, each written once it is known."""

    def __init__(self, path: Path) -> None:
        self.path, self.lock = path, threading.Lock()
        if not path.exists():
            path.write_text(",".join(COLUMNS) + "\n")
        with path.open("a") as file:
            file.write(f"# {made_with()}\n")

    def rows(self, **wanted: object) -> pd.DataFrame:
        """Those with the values wanted."""
        with self.lock:
            rows = read(self.path)
        for column, value in wanted.items():
            rows = rows[rows[column] == value]
        return rows

    def add(self, row: dict) -> None:
        frame = pd.DataFrame([row]).reindex(columns=COLUMNS)
        with self.lock:
            with self.path.open("a") as file:
                frame.to_csv(file, header=False, index=False, float_format="%.5g")
            told = [f"{row[key]:.4f}" for key in COLUMNS if key.startswith("share") and key in row]
            print(*(row.get(key, "") for key in COLUMNS[:6]), *told, row["note"], flush=True)


def made_with() -> str:
    known = packages_distributions()
    peers = [
        f"{known[m.module][0]} {version(known[m.module][0])}"
        for m in METHODS.values()
        if is_there(m.module)
    ]
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; {machine('cpu')}; numpy {np.__version__}; "
        + "; ".join(dict.fromkeys(peers))
    )


def is_there(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def read(path: Path) -> pd.DataFrame:
    """The table, by function; a note that is not there is "", a number NaN."""
    text = ("function", "method", "note")
    rows = pd.read_csv(path, comment="#", dtype=dict.fromkeys(text, str))
    rows = rows.fillna(dict.fromkeys(text, ""))
    places = {name: place for place, name in enumerate(CASES)}
    return rows.sort_values(
        "function", key=lambda names: names.map(places), kind="stable", ignore_index=True
    )


def shares(values: np.ndarray, kind: str) -> dict[str, float]:
    return {f"{kind}_{k}": float(v) for k, v in zip(ORDERS, values, strict=True)}


# Truths -------------------------------------------------------------------------------------------


def find_truths(
    table: Table, functions: dict[str, Function], way: Callable[[str, Function], dict], *, jobs: int
) -> None:
    """Add the truths of functions in one way, where they are not there: of planted ones their own.

    Raises ValueError where those that are there are of a network that was trained elsewhere.
    """
    stored = table.rows()
    stored = stored[stored["method"].isin(TRUTHS)]
    wanted = {}
    for name, function in functions.items():
        here = closed_form if CASES[name].known is not None else way
        there = stored[stored["function"] == name]
        if not there["note"].str.contains(known_by(name, function), regex=False).all():
            raise ValueError(
                f"the {name} is not the one that the table has: networks differ between machines "
                "after hundreds of steps. Measure anew: --fresh"
            )
        if WAYS[here] not in set(there["method"]):
            wanted[name] = here
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        found = [pool.submit(here, name, functions[name]) for name, here in wanted.items()]
        for future in as_completed(found):
            table.add(future.result())


def known_by(name: str, function: Function) -> str:
    x = np.random.default_rng(0).uniform(-1, 1, (1000, CASES[name].dim))
    return f"variance of 1000 points {function(x).var():.4g}"


def closed_form(name: str, function: Function) -> dict:
    row = {"function": name, "method": WAYS[closed_form], "seed": 0, "evaluations": 0}
    row |= shares(CASES[name].known(), "share") | shares(np.zeros(4), "error")
    return row | {"note": known_by(name, function)}


def long_run(name: str, function: Function) -> dict:
    torch.set_num_threads(1)
    start = time.process_time()
    found = order_spectrum(
        on_tensors(function),
        Uniform(-1.0, 1.0, dim=CASES[name].dim),
        max_order=3,
        method="surrogate",
        tolerance=CASES[name].tolerances[0],
        memory=2**31,
        seed=10**6,
    )
    row = {"function": name, "method": WAYS[long_run], "seed": 0}
    row |= shares(found.share, "share") | shares(found.share_standard_error, "error")
    row |= {"evaluations": found.evaluations, "cpu_seconds": time.process_time() - start}
    return row | {"note": known_by(name, function)}


def differences(name: str, function: Function) -> dict:
    torch.set_num_threads(1)
    start, counted = time.process_time(), Counted(function)
    found = by_differences(counted, CASES[name].dim, tolerance=CASES[name].tolerances[1])
    row = {"function": name, "method": WAYS[differences], "seed": 0}
    row |= shares(found.share, "share") | shares(found.error, "error")
    row |= {"evaluations": counted.evaluations, "cpu_seconds": time.process_time() - start}
    return row | {"note": known_by(name, function)}


WAYS = dict(zip((closed_form, long_run, differences), TRUTHS, strict=True))
"""What the rows of each way are called."""


# Runs ---------------------------------------------------------------------------------------------


def measure(
    table: Table, functions: dict[str, Function], methods: list[str], *, seeds: int, jobs: int
) -> None:
    """Add a row for every method that is there, function, budget and seed that the table lacks."""
    there = [m for m in methods if is_there(METHODS[m].module)]
    if absent := sorted({METHODS[m].module for m in methods} - {METHODS[m].module for m in there}):
        print(f"not installed, and left out: {', '.join(absent)}")
    # Small budgets first, for a table cut short; those that may take longest last.
    every = [(f, m, b) for b in BUDGETS for m in there for f in functions]
    groups = iter(sorted(every, key=lambda group: METHODS[group[1]].seconds))
    taking = threading.Lock()

    def work() -> None:
        with Worker(functions) as worker:
            while True:
                with taking:
                    group = next(groups, None)
                if group is None:
                    return
                for row in runs(table, worker, *group, seeds=seeds):
                    table.add(row)

    with ThreadPoolExecutor(jobs) as pool:
        for done in [pool.submit(work) for _ in range(jobs)]:
            done.result()


def runs(
    table: Table, worker: Worker, function: str, method: str, budget: int, *, seeds: int
) -> Iterator[dict]:
    """The rows that are wanted of one method, function and budget.

    Where time ended a smaller budget, a note says so and nothing is run.
    """
    row = {"function": function, "method": method, "budget": budget}
    of_method = table.rows(function=function, method=method)
    have = of_method[of_method["budget"] == budget]
    smaller = of_method[of_method["budget"] < budget].sort_values("budget")
    slow = smaller[smaller["note"].str.match("not run: [0-9]|stopped")]
    if slow.size and have.empty:
        first = slow.iloc[0]
        note = f"not run: at {first['budget']:,.0f} evaluations {first['note']}"
        yield row | {"seed": 0, "note": note}
        return
    for seed in range(len(have), seeds):
        if have["note"].any():
            return
        # The first may compile what the second finds compiled.
        if seed > 1 and have["cpu_seconds"].min() > SECONDS_OF_FIVE:
            note = f"not run: {have['cpu_seconds'].min():.0f} s a run"
            yield row | {"seed": seed, "note": note}
            return
        yield row | {"seed": seed} | worker.run(function, method, budget, seed)
        have = table.rows(function=function, method=method, budget=budget)


class Worker:
    """A process that runs methods one after another, and another one after each that it lost."""

    def __init__(self, functions: dict[str, Function]) -> None:
        self.functions = functions

    def __enter__(self) -> Worker:
        context = multiprocessing.get_context("spawn")
        self.pipe, end = context.Pipe()
        self.process = context.Process(target=serve, args=(end, self.functions), daemon=True)
        self.process.start()
        end.close()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()

    def run(self, *cell: object) -> dict:
        """What one run found, or a note on what ended it."""
        self.pipe.send(cell)
        try:
            return self.pipe.recv()
        except EOFError:
            self.process.join()
            code = self.process.exitcode
            self.__exit__()
            self.__enter__()
        if code == -signal.SIGPROF:
            return {"note": f"stopped: over {METHODS[cell[1]].seconds} s"}
        return {"note": f"failed: its process ended with code {code}"}


def serve(pipe: Connection, functions: dict[str, Function]) -> None:
    """Answer with a row to every function, method, budget and seed that the pipe asks for."""
    hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, hard))
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    while True:
        try:
            function, method, budget, seed = pipe.recv()
        except EOFError:
            return
        pipe.send(run(functions[function], CASES[function].dim, method, budget, seed))


def run(function: Function, dim: int, method: str, budget: int, seed: int) -> dict:
    """One run: what it told, and what it cost."""
    importlib.import_module(METHODS[method].module)
    counted = Counted(function)
    # Its signal ends the process, be it in Python or not.
    signal.setitimer(signal.ITIMER_PROF, METHODS[method].seconds)
    cpu, wall = time.process_time(), time.perf_counter()
    try:
        told = METHODS[method].call(counted, dim, budget, seed)
    except Exception as error:
        message = f"{type(error).__name__}: {error}".replace("\n", " ").replace("#", "no. ")[:120]
        what = "refused" if isinstance(error, ValueError) else "failed"
        return {"note": f"{what}: {message}"}
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
    cost = {"cpu_seconds": time.process_time() - cpu, "wall_seconds": time.perf_counter() - wall}
    row = {"evaluations": counted.evaluations, **cost, "note": ""}
    return row | shares(told.share, "share") | shares(told.error, "error")


# What it says -------------------------------------------------------------------------------------


def summary(rows: pd.DataFrame) -> str:
    """Truths, errors and seconds of every method by budget, and who is ahead on networks."""
    table = errors(rows)
    lines = ["truths, their standard errors, and how far two ways to them differ"]
    lines.append(truths(rows).to_string(index=False, float_format="%.4f", na_rep=""))
    for function, group in table.groupby("function", sort=False):
        lines.append(f"\n{function}: error ± its own, seconds of the processor, evaluations taken")
        told = group.assign(cell=[_cell(row) for _, row in group.iterrows()])
        cells = told.pivot(index="method", columns="budget", values="cell").fillna("")
        lines.append(cells.loc[[*dict.fromkeys(group["method"])]].to_string())
    lines.append(
        "\nnetworks: ours, the nearest peer that tells all orders, and whose error is less"
    )
    lines.append(rivals(table).to_string(index=False, float_format="%.4g"))
    return "\n".join(lines)


def _cell(row: pd.Series) -> str:
    if np.isnan(row["error"]):
        return row["note"][:40]
    told = "" if row["told"] == ", ".join(ORDERS) else f" ({row['told']} only)"
    cost = f"{row['cpu_seconds']:.2g} s, {row['evaluations']:,.0f}"
    return f"{row['error']:.4f} ± {row['spread']:.4f}{told}, {cost}"


PAGE = TABLE.with_name("README.md")
PICTURE = TABLE.parents[2] / "paper_results" / "pictures" / "peers.png"
BLOCK = re.compile(r"(?<=<!-- peers -->\n).*(?=\n<!-- end -->)", re.DOTALL)
"""What stands on the page between its two marks."""


def renew_page(rows: pd.DataFrame) -> None:
    """Draw the picture and put the tables into the page, from the rows as they are."""
    table = errors(rows)
    figure = draw(table[table["function"].isin(networks())])
    figure.savefig(PICTURE, dpi=130)
    text = PAGE.read_text(encoding="utf-8")
    PAGE.write_text(BLOCK.sub(lambda _: page_tables(table), text), encoding="utf-8")


def page_tables(table: pd.DataFrame) -> str:
    """Two tables in Markdown: who is ahead on networks, and all methods at one budget."""
    lines = ["| network | evaluations | ours | nearest peer | its error | times ours |"]
    lines.append("|---|---|---|---|---|---|")
    for r in rivals(table).to_dict("records"):
        ours = f"{_short(r['error'])} in {r['cpu_seconds']:.2g} s"
        peer = f"{_short(r['peer_error'])} in {r['peer_cpu_seconds']:.2g} s"
        tie = "" if r["ahead"] else " (a tie)"
        name = r["function"].removeprefix("network of ")
        cells = [name, f"{r['budget']:,}", ours, r["peer"], peer, f"{r['times']:.1f}{tie}"]
        lines.append("| " + " | ".join(cells) + " |")
    functions = [*dict.fromkeys(table["function"])]
    lines += ["", f"| error from {TOLD:,} evaluations | " + " | ".join(functions) + " |"]
    lines.append("|---" * (len(functions) + 1) + "|")
    some = table[table["budget"] == TOLD].set_index(["method", "function"])
    for method in dict.fromkeys(table["method"]):
        cells = [
            _page_cell(some.loc[method, f]) if (method, f) in some.index else "" for f in functions
        ]
        lines.append("| " + " | ".join([method, *cells]) + " |")
    return "\n".join(lines)


def _page_cell(row: pd.Series) -> str:
    if np.isnan(row["error"]):
        return row["note"].split(":")[0]
    told = "" if row["told"] == ", ".join(ORDERS) else "*"
    return f"{_short(row['error'])}{told}, {row['cpu_seconds']:.2g} s"


def _short(error: float) -> str:
    return f"{error:.4f}".removeprefix("0")


if __name__ == "__main__":
    typer.run(main)
