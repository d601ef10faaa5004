"""Many small series through the real flow: what a series costs, and what the coordinator holds."""

from __future__ import annotations

import multiprocessing
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.series_copies import write_small_series

WORKERS = 2


@dataclass(frozen=True)
class Measured:
    """One lake, filled and looked at again.

    Parameters
    ----------
    n_series, n_files : int
        Taken in.
    first_s, again_s : float
        Wall time of the flow over new, and over unchanged input.
    start_s : float
        Wall time of a flow over one unchanged series in the same process: the fixed part.
    commit_s : float
        Of the first run, in commits.
    n_rows : int
        Rows that these commits published.
    peak_mb : float
        Most memory of the process that runs the flow.
    """

    n_series: int
    n_files: int
    first_s: float
    again_s: float
    commit_s: float
    n_rows: int
    before_mb: float
    peak_mb: float
    peak_again_mb: float


def measure(n_series: int, *, slices: int = 4, workers: int = WORKERS) -> Measured:
    """Fill a new lake with `n_series` in a process of its own; needs a Prefect server."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        write_small_series(place / "dicom", n_series, slices=slices)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(theirs, place, n_series, slices, workers))
        process.start()
        theirs.close()
        try:
            found: Measured = ours.recv()
        finally:
            process.join()
    return found


def _child(answer: Any, place: Path, n_series: int, slices: int, workers: int) -> None:
    from flows.orchestration import embed_prefect

    embed_prefect()
    answer.send(_measured(place, n_series, slices, workers))


def _measured(place: Path, n_series: int, slices: int, workers: int) -> Measured:
    import lake
    from flows.ingest import ingest

    location = str(place / "lake")
    lake.create(location, settings={"key_dir": str(place / "keys")}).close()
    before = _peak_mb()
    with _timed_commits() as commits:
        start = time.perf_counter()
        counts = ingest(location, [str(place / "dicom")], workers=workers)
        first = time.perf_counter() - start
    if counts.get("n_ingested") != n_series * slices:
        raise RuntimeError(f"not all was taken in: {counts}")
    peak = _peak_mb()
    start = time.perf_counter()
    counts = ingest(location, [str(place / "dicom")], workers=workers)
    again = time.perf_counter() - start
    if counts["n_unchanged"] != n_series * slices:
        raise RuntimeError(f"something was taken for new: {counts}")
    with lake.open(location, read_only=True) as lk:
        n_rows = sum(
            int(lk.sql(f"SELECT count(*) FROM {t}").fetchall()[0][0])
            for t in ("files", "series", "volumes", "findings")
        )
    return Measured(
        n_series, n_series * slices, first, again, sum(commits), n_rows, before, peak, _peak_mb()
    )


@contextmanager
def _timed_commits() -> Iterator[list[float]]:
    import lake

    plain: Callable[..., Any] = lake.Lake.commit
    seconds: list[float] = []

    def timed(self: lake.Lake, *args: Any, **kwargs: Any) -> Any:
        start = time.perf_counter()
        try:
            return plain(self, *args, **kwargs)
        finally:
            seconds.append(time.perf_counter() - start)

    lake.Lake.commit = timed  # type: ignore[method-assign]
    try:
        yield seconds
    finally:
        lake.Lake.commit = plain  # type: ignore[method-assign]


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
