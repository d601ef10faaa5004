"""Results as a page: what was measured, on what kind of machine, and the ratios."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version

from benchmarks.rounds import Comparison

_PACKAGES = ("numpy", "zarr", "pydicom", "duckdb", "pyarrow", "dcm2niix", "neuroCombat")

_HOW_TO_READ = (
    "Ratio = ours / peer, so below 1 means less time (or memory) than the peer. It is the median "
    "over interleaved rounds of the ratio within a round (warm file cache); the range is over "
    "rounds. Absolute numbers hold for this machine only."
)
_WHAT_IS_COMPARED = (
    "Ours in the DICOM rows is the complete way of a batch of series (find, scan, group, "
    "de-identify, derive SUV, check, digest of every file and of every volume, write compressed "
    "volumes, commit the batch) into an open lake in a process that is up, as in a worker; "
    "dcm2niix converts the same folder, is timed with one start of its program, and neither "
    "de-identifies nor derives SUV. Both are kept on one core. Our commit waits until all of it is "
    "on the disk; dcm2niix does not, so that wait has a row of its own. Reading, hashing and "
    "compressing is the same bytes once through the same functions in C, in the processor's cache, "
    "and nothing else. The rows of many small series go through the flow, with Prefect and two "
    "Dask workers that are up. The SQL row asks a lake of four commits through `lake.sql` and a "
    "single file through DuckDB, with the same number of threads. Patlak reads a stored dynamic "
    "series in blocks and makes two images of it, in one process; the peers read the same blocks "
    "and do nothing with them, or multiply frames that lie in memory as float32."
)


def machine() -> str:
    """Describe the machine without naming it."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{cores} cores, {memory:.0f} GiB memory, {platform.system()} {platform.machine()}, "
        f"Python {platform.python_version()}"
    )


def page(found: Sequence[Comparison], command: str, when: datetime | None = None) -> str:
    """Return the results as Markdown."""
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    lines = [
        "# Benchmark results",
        "",
        f"- Date: {(when or datetime.now(UTC)).date().isoformat()}",
        f"- Machine: {machine()}",
        f"- Versions: {packages}",
        f"- Command: `{command}`",
        "",
        _HOW_TO_READ,
        "",
        "| Measured | Peer | Ours | Peer's | Ratio | Range | Rounds |",
        "|---|---|---|---|---|---|---|",
        *map(_line, found),
        "",
        _WHAT_IS_COMPARED,
        "",
    ]
    return "\n".join(lines)


def _line(c: Comparison) -> str:
    return (
        f"| {c.row} | {c.peer} | {_number(c.ours, c.unit)} | {_number(c.theirs, c.unit)} | "
        f"**{_ratio(c.ratio)}** | {c.lowest:.2f} to {c.highest:.2f} | {c.rounds} |"
    )


def _ratio(value: float) -> str:
    return f"{value:.2f}" if value >= 0.1 else f"{value:.3f}"


def _number(value: float, unit: str) -> str:
    return f"{value * 1000:.1f} ms" if unit == "s" else f"{value:.0f} {unit}"
