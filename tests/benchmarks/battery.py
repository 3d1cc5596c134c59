"""Do intervals cover? Sixty functions with closed-form spectra, twenty seeds each, one command.

    python -m tests.benchmarks.battery                     all of it, resumed where it stopped
    python -m tests.benchmarks.battery --family rare       some of it
    python -m tests.benchmarks.battery --seeds 3 --out /some/where.csv --fresh
    python -m tests.benchmarks.battery --show              the summary of the stored table

Every function is measured at default settings. Each run is a row of battery.csv: how many of its
intervals (95%, of the variances, one per order and output) hold the truth. Only runs that claim to
have converged are judged. Where the stated error is below 1e-9 of the total variance the method
does not sample, and its error is rounding: such intervals are counted apart, as `exact`, and are
right when they are off by less than 1e-9 of the total; they do not enter the upper limit on
coverage, which asks that sampled errors are not too wide.
"""

from __future__ import annotations

import os
import platform
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import scipy
import torch
import typer

from interactions import OrderSpectrum, order_spectrum
from tests.benchmarks.battery_cases import FAMILIES, cases

TABLE = Path(__file__).with_name("battery.csv")
ROUNDING = 1e-9
"""Of the total variance: an error stated below is that of arithmetic, not of sampling."""


def main(
    family: str = typer.Option("", help=f"One of {', '.join(FAMILIES)}; all by default."),
    case: str = typer.Option("", help="Only cases whose name holds this."),
    seeds: int = typer.Option(20, help="Seeds of every case."),
    method: str = typer.Option("auto", help="Method of order_spectrum."),
    jobs: int = typer.Option(1, help="Processes."),
    out: Path = typer.Option(TABLE, help="Table to continue."),  # noqa: B008
    fresh: bool = typer.Option(False, "--fresh", help="Start the table anew."),
    show: bool = typer.Option(False, "--show", help="Measure nothing."),
) -> None:
    """Measure what the table does not hold yet, and print its summary."""
    if family not in ("", *FAMILIES):
        raise typer.BadParameter(f"family must be one of {', '.join(FAMILIES)}")
    if fresh:
        out.unlink(missing_ok=True)
    if not show:
        chosen = [c for c in cases(family or None) if case in c.name]
        have = set() if not out.exists() else {(r.case, r.seed) for r in read(out).itertuples()}
        # A seed of every case before the next one: a table cut short still speaks of all of them.
        wanted = [(c.family, c.name, s) for s in range(seeds) for c in chosen]
        wanted = [w for w in wanted if (f"{w[0]}: {w[1]}", w[2]) not in have]
        measure(wanted, method=method, jobs=jobs, out=out)
    print(summary(read(out)))


def measure(wanted: list[tuple[str, str, int]], *, method: str, jobs: int, out: Path) -> None:
    """Add a row to the table for every family, case and seed."""
    # Processes that are spawned are slow to start and share nothing, so one is the loop below.
    if jobs == 1:
        for each in wanted:
            add(out, run(*each, method=method))
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run, *each, method=method) for each in wanted]
        for future in as_completed(futures):
            add(out, future.result())


def run(family: str, name: str, seed: int, *, method: str) -> dict:
    """One measurement beside its truth."""
    case = next(c for c in cases(family) if c.name == name)
    truth = case.truth
    row = {"case": f"{family}: {name}", "family": family, "seed": seed}
    start = time.perf_counter()
    try:
        spectrum = order_spectrum(
            case, case.inputs, max_order=case.max_order, method=method, seed=seed
        )
    except Exception as error:
        # A refusal claims nothing, and a failure should not end the battery: both are kept.
        message = f"{type(error).__name__}: {error}".replace("\n", " ")[:120]
        what = "refused" if isinstance(error, ValueError) else "failed"
        row |= {"method": what, "converged": False, "evaluations": 0}
        return row | {"seconds": time.perf_counter() - start, "note": message}
    row |= {"method": spectrum.method.split(",")[0].split("(")[0].strip()}
    row |= {"converged": spectrum.converged, "evaluations": spectrum.evaluations}
    row |= {"seconds": time.perf_counter() - start}
    return row | judge(spectrum, truth)


def judge(spectrum: OrderSpectrum, truth: np.ndarray) -> dict:
    """Count the intervals, those that are sampled and those that state rounding only."""
    total = truth.sum(axis=-1, keepdims=True)
    off = np.abs(spectrum.variance - truth)
    exact = spectrum.standard_error <= ROUNDING * total
    low, high, _ = spectrum.interval()
    held = (low <= truth) & (truth <= high)
    share_low, share_high, _ = spectrum.interval(of="share")
    share = truth / total
    share_held = (share_low <= share) & (share <= share_high)
    half = np.where(exact, np.nan, (high - low) / 2)
    worst = np.nan if exact.all() else float(np.nanmax(off / half))
    return {
        "sampled": int((~exact).sum()),
        "covered": int((held & ~exact).sum()),
        "shares_covered": int((share_held & ~exact).sum()),
        "exact": int(exact.sum()),
        "right": int((exact & (off <= ROUNDING * total)).sum()),
        "largest_error": float((off / total).max()),
        "worst": worst,
        "left_out": float(np.max(np.nan_to_num(spectrum.left_out, nan=-1.0))),
    }


COLUMNS = [
    *("case", "family", "seed", "method", "converged", "evaluations", "seconds"),
    *("sampled", "covered", "shares_covered", "exact", "right"),
    *("largest_error", "worst", "left_out", "note"),
]


def add(out: Path, row: dict) -> None:
    """Append one row; a new table first says on what it was measured."""
    if not out.exists():
        out.write_text(f"# {made_with()}\n{','.join(COLUMNS)}\n")
    frame = pd.DataFrame([row]).reindex(columns=COLUMNS)
    with out.open("a") as file:
        frame.to_csv(file, header=False, index=False, float_format="%.4g")
    print(
        f"{row['case']}, seed {row['seed']}: {row['method']}, "
        f"{'converged' if row['converged'] else 'not converged'}, "
        f"{row.get('covered', 0)}/{row.get('sampled', 0)} covered, "
        f"{row.get('right', 0)}/{row.get('exact', 0)} exact, "
        f"{row['evaluations']:,} evaluations, {row['seconds']:.1f} s",
        flush=True,
    )


def made_with() -> str:
    return (
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC; "
        f"{platform.machine()}; {os.cpu_count()} cores; {torch.get_num_threads()} threads a run; "
        f"Python {platform.python_version()}; torch {torch.__version__}; "
        f"numpy {np.__version__}; scipy {scipy.__version__}"
    )


def read(table: Path) -> pd.DataFrame:
    return pd.read_csv(table, comment="#")


def summary(rows: pd.DataFrame) -> str:
    """Coverage of what converged by family and over all, with its cost."""
    lines = [
        "family       runs  converged  covered             sampled      exact  evaluations  seconds"
    ]
    groups = [(f, rows[rows.family == f]) for f in FAMILIES if (rows.family == f).any()]
    for name, group in [*groups, ("all", rows)]:
        done = group[group.converged]
        share, error, sampled = coverage(done)
        lines.append(
            f"{name:<10} {len(group):6} {len(done) / len(group):10.0%} "
            f"{share:8.1%} ± {error:5.1%} {sampled:19.1%} "
            f"{int(done.right.sum()):5}/{int(done.exact.sum()):<5} "
            f"{group.evaluations.median():10,.0f} {group.seconds.median():8.2f}"
        )
    poor = rows[rows.converged].groupby("case", sort=False).apply(_case, include_groups=False)
    if len(poor) and len(poor := poor[poor < 0.85]):
        lines.append("cases below 85%: " + ", ".join(f"{k} {v:.0%}" for k, v in poor.items()))
    return "\n".join(lines)


def _case(rows: pd.DataFrame) -> float:
    return coverage(rows)[0]


def coverage(done: pd.DataFrame) -> tuple[float, float, float]:
    """Mean over runs of the share of intervals that are right, its error, and of sampled ones.

    A run counts once, whatever its number of outputs; its intervals depend on each other, and so
    the binomial error is taken over runs.
    """
    if done.empty:
        return np.nan, np.nan, np.nan
    each = (done.covered + done.right) / (done.sampled + done.exact)
    some = done[done.sampled > 0]
    share = each.mean()
    sampled = (some.covered / some.sampled).mean() if len(some) else np.nan
    return share, float(np.sqrt(share * (1 - share) / len(done))), sampled


if __name__ == "__main__":
    typer.run(main)
