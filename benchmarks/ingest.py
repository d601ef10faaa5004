"""DICOM files to committed volumes of a lake, against dcm2niix and physical limits, on one core."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import dcm2niix  # type: ignore[import-untyped]
import numpy as np

from benchmarks.batch_ingest import BenchLake
from benchmarks.floor import read_files, read_hash_and_compress
from benchmarks.image_series import Stored, write_ct_series, write_pet_series
from benchmarks.rounds import Comparison, compare, run_rounds
from benchmarks.series_copies import read_pattern, write_copies

OURS = "tracerlake"
_DISK = "our wait for the disk, not in ours"


def pet_row(
    *, slices: int = 300, size: int = 200, series: int = 8, rounds: int = 11
) -> list[Comparison]:
    """Compare the whole way of a batch of static whole-body PETs; see `_row`."""
    row = f"DICOM to committed volumes, {series} PETs of {slices} x {size} x {size}"
    return _row(row, lambda folder: write_pet_series(folder, slices, size), series, rounds)


def ct_row(
    *, slices: int = 500, size: int = 512, series: int = 4, rounds: int = 5
) -> list[Comparison]:
    """Compare the whole way of a batch of whole-body CTs of 12 bits; see `_row`."""
    row = f"DICOM to committed volumes, {series} CTs of {slices} x {size} x {size}"
    return _row(row, lambda folder: write_ct_series(folder, slices, size), series, rounds)


def _row(row: str, write: Callable[[Path], Stored], series: int, rounds: int) -> list[Comparison]:
    """Compare the whole way: find, scan, group, de-identify, quantify, verify, write and commit.

    Ours runs in this process, in a thread as the workers do that are already up, into a lake that
    is open and still empty; dcm2niix is a program that starts in milliseconds, and is timed with
    its start. All read from the page cache, and all are kept on one core.
    """
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as name,
        one_core(),
        ThreadPoolExecutor(1) as worker,  # Blosc uses one core in a thread, as in a Dask worker
    ):
        place = Path(name)
        source = place / "dicom"
        expected = write(place / "one")
        write_copies(read_pattern(place / "one"), source, series)
        shutil.rmtree(place / "one")
        disk: list[float] = []
        contestants = {
            OURS: _ours(place, source, worker, disk),
            "dcm2niix -z n": _timed(place, lambda out: _dcm2niix(source, out, "n")),
            "dcm2niix -z y": _timed(place, lambda out: _dcm2niix(source, out, "y")),
            "reading the files": _timed(place, lambda _: read_files(source)),
            "reading, hashing and compressing them": _timed(
                place,
                lambda out: worker.submit(
                    read_hash_and_compress, source, out, expected[0].nbytes
                ).result(),
            ),
        }
        _check(place, source, expected)
        measured = run_rounds(contestants, rounds)
        measured[_DISK] = disk[-rounds:]
    return compare(row, measured, OURS)


@contextmanager
def one_core() -> Iterator[None]:
    """Keep this process, and the programs that it starts, on one core where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(allowed)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, allowed)


def _ours(
    place: Path, source: Path, worker: ThreadPoolExecutor, disk: list[float]
) -> Callable[[], float]:
    """Without the wait for the disk at the commit, which dcm2niix does not do: that goes apart."""

    def run() -> float:
        with BenchLake(place / "lake") as lake:
            start = time.perf_counter()
            worker.submit(lake.take_in, source).result()
            elapsed = time.perf_counter() - start
        disk.append(lake.disk_s)
        return elapsed - lake.disk_s

    return run


def _dcm2niix(source: Path, out: Path, compression: str) -> None:
    command = [dcm2niix.bin, "-b", "y", "-z", compression, "-f", "%j", "-o", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    if len(list(out.glob("*.nii*"))) != len(list(source.iterdir())):
        raise RuntimeError("dcm2niix did not write one image a series")


def _timed(place: Path, work: Callable[[Path], object]) -> Callable[[], float]:
    """Give every run an empty folder, and do not count its removal."""

    def run() -> float:
        out = place / "out"
        out.mkdir()
        start = time.perf_counter()
        work(out)
        elapsed = time.perf_counter() - start
        shutil.rmtree(out)
        return elapsed

    return run


def _check(place: Path, source: Path, expected: Stored) -> None:
    """Fail if what is timed is not the right result."""
    with BenchLake(place / "lake") as lake:
        lake.take_in(source)
        volumes = lake.volumes()
        if len(volumes) != len(list(source.iterdir())):
            raise RuntimeError(f"{len(volumes)} volumes are committed")
        for volume in volumes:
            if not np.array_equal(volume.stored, expected):
                raise RuntimeError("the stored volume differs from the series written")
            if (volume.suv_factor is None) != (volume.value_unit == "HU"):
                raise RuntimeError("expected SUV of the PET, and of the PET only")
