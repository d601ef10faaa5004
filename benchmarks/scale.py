"""Many small series through the real flow: what a series costs, and what the coordinator holds."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from benchmarks.rounds import Comparison
from benchmarks.series_copies import write_small_series

_SLICES = 4
_WARM_UP = 8


@dataclass(frozen=True)
class Measured:
    """One lake, filled and looked at again.

    Parameters
    ----------
    n_series, n_rows : int
        Taken in, and published for them.
    first_s, again_s, commit_s : float
        Wall time of the flow over new input, over the same again, and of the commits of the first.
    peak_mb : float
        Most memory of the process that runs the flow.
    """

    n_series: int
    n_rows: int
    first_s: float
    again_s: float
    commit_s: float
    peak_mb: float


def scale_rows(sizes: Sequence[int] = (100, 1000, 5000), workers: int = 2) -> list[Comparison]:
    """Compare lakes of many series with the smallest: time and memory should not notice.

    A process of its own fills each lake, on workers that are up; no start is counted. Input are
    series of four slices of 16 x 16: all that is not pixels, which is what could grow.
    """
    with _prefect_server():
        found = [measure(n, workers) for n in sizes]
    least, most = found[0], found[-1]
    compared = [_growth(m, least) for m in found[1:]]
    return [
        *(c for group in zip(*compared, strict=True) for c in group),
        _ratio(
            f"Second run over {most.n_series:,} unchanged series", "the first run", "s",
            most.again_s, most.first_s,
        ),
    ]  # fmt: skip


def measure(n_series: int, workers: int) -> Measured:
    """Fill a new lake with `n_series` in a process of its own; needs a Prefect server."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        write_small_series(place / "dicom", n_series, slices=_SLICES)
        write_small_series(place / "warm-up", _WARM_UP, slices=_SLICES)
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe(duplex=False)
        process = context.Process(target=_child, args=(theirs, place, n_series, workers))
        process.start()
        theirs.close()
        try:
            found: Measured = ours.recv()
        finally:
            process.join()
    return found


def _growth(many: Measured, few: Measured) -> tuple[Comparison, ...]:
    peer = f"{few.n_series:,} series"
    row = f"Ingest of {many.n_series:,} small series"
    return (
        _ratio(f"{row}: time of one", peer, "s",
               many.first_s / many.n_series, few.first_s / few.n_series),
        _ratio(f"{row}: memory of the coordinator", peer, "MB", many.peak_mb, few.peak_mb),
        _ratio(f"{row}: rows committed", peer, "rows/s",
               many.n_rows / many.commit_s, few.n_rows / few.commit_s),
    )  # fmt: skip


def _ratio(row: str, peer: str, unit: str, ours: float, theirs: float) -> Comparison:
    ratio = ours / theirs
    return Comparison(row, peer, unit, ours, theirs, ratio, ratio, ratio, 1)


def _prefect_server() -> AbstractContextManager[object]:
    from flows.orchestration import embed_prefect

    embed_prefect()
    if os.environ.get("PREFECT_API_URL"):
        return nullcontext()
    from flows.serving import local_server

    return local_server()


def _child(answer: Connection, place: Path, n_series: int, workers: int) -> None:
    from flows.cluster import open_cluster
    from flows.orchestration import embed_prefect

    embed_prefect()
    with open_cluster(workers=workers) as client:
        address = str(client.scheduler.address)
        _fill(place / "first", place / "warm-up", address)
        shutil.rmtree(place / "first")
        answer.send(_measured(place, n_series, address))


def _measured(place: Path, n_series: int, address: str) -> Measured:
    import lake

    location = place / "lake"
    with _timed_commits() as commits:
        first_s, counts = _fill(location, place / "dicom", address)
    if counts["n_ingested"] != n_series * _SLICES:
        raise RuntimeError(f"not all was taken in: {counts}")
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    again_s, counts = _fill(location, place / "dicom", address)
    if counts["n_unchanged"] != n_series * _SLICES:
        raise RuntimeError(f"something was taken for new: {counts}")
    with lake.open(location, read_only=True) as lk:
        n_rows = sum(
            len(lk.sql(f"FROM {table}")) for table in ("files", "series", "volumes", "findings")
        )
    return Measured(n_series, n_rows, first_s, again_s, sum(commits), peak_mb)


def _fill(location: Path, source: Path, address: str) -> tuple[float, dict[str, int]]:
    import lake
    from flows.ingest import ingest

    if not location.exists():
        lake.create(location, settings={"key_dir": f"{location}-keys"}).close()
    start = time.perf_counter()
    counts = ingest(str(location), [str(source)], dask_address=address)
    return time.perf_counter() - start, counts


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
