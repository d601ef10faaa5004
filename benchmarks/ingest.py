"""DICOM to Zarr of one series, against dcm2niix and against reading the files, on one core."""

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

from benchmarks.image_series import Stored, write_ct_series, write_pet_series
from benchmarks.rounds import Comparison, compare, run_rounds

OURS = "tracerlake"


def pet_row(*, slices: int = 300, size: int = 200, rounds: int = 15) -> list[Comparison]:
    """Compare the whole way of a static whole-body PET; see `_row`."""
    row = f"DICOM to Zarr, {slices} x {size} x {size} PET"
    return _row(row, lambda folder: write_pet_series(folder, slices, size), rounds)


def ct_row(*, slices: int = 500, size: int = 512, rounds: int = 9) -> list[Comparison]:
    """Compare the whole way of a whole-body CT of 12 bits; see `_row`."""
    row = f"DICOM to Zarr, {slices} x {size} x {size} CT"
    return _row(row, lambda folder: write_ct_series(folder, slices, size), rounds)


def _row(row: str, write: Callable[[Path], Stored], rounds: int) -> list[Comparison]:
    """Compare the whole way: find, scan, group, de-identify, quantify, verify and write.

    Ours runs in this process, in a thread as the workers do that are already up; dcm2niix is a
    program that starts in milliseconds, and is timed with its start. All read from the page cache,
    and all are kept on one core.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name, _one_core():
        place = Path(name)
        source = place / "dicom"
        expected = write(source)
        contestants = {
            OURS: _timed(place, lambda out: _in_thread(lambda: convert(source, out))),
            "dcm2niix -z n": _timed(place, lambda out: _dcm2niix(source, out, "n")),
            "dcm2niix -z y": _timed(place, lambda out: _dcm2niix(source, out, "y")),
            "reading the files": _timed(place, lambda _: _read(source)),
        }
        _check(source, place / "check", expected)
        measured = run_rounds(contestants, rounds)
    return compare(row, measured, OURS)


@contextmanager
def _one_core() -> Iterator[None]:
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


def _in_thread(work: Callable[[], object]) -> None:
    """Run where Blosc uses one thread, as in a Dask worker."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(work).result()


def convert(source: Path, out: Path) -> str:
    """Convert the series at `source` and store its volume under `out`; returns the path in it."""
    from lake.volumes import write_raw
    from tasks.deidentify.pseudonyms import Pseudonymiser
    from tasks.dicom.grouping import group_series
    from tasks.dicom.scan import scan_object
    from tasks.ingest.convert import Limits, convert_series
    from tasks.sources import ObjectReader, open_source

    with ObjectReader() as reader:
        scanned = [scan_object(ref, reader) for ref in open_source(source).objects()]
        (group,) = group_series(scanned)
        made = convert_series(
            group,
            reader=reader,
            pseudonymiser=Pseudonymiser(b"benchmark only, no secret at all"),
            limits=Limits(),
        )
    if len(made.raw) != 1:
        reasons = sorted({str(row.get("reason_code")) for row in made.rows["files"]})
        raise RuntimeError(f"the benchmark's own series was not converted: {reasons}")
    row = write_raw(str(out), made.series_instance_uid, made.raw[0])
    return str(row["volume_path"])


def _dcm2niix(source: Path, out: Path, compression: str) -> None:
    command = [dcm2niix.bin, "-b", "y", "-z", compression, "-f", "series", "-o", str(out)]
    subprocess.run([*command, str(source)], check=True, capture_output=True)
    if not list(out.glob("series*.nii*")):
        raise RuntimeError("dcm2niix wrote nothing")


def _read(source: Path) -> None:
    for path in sorted(source.iterdir()):
        path.read_bytes()


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


def _check(source: Path, out: Path, expected: Stored) -> None:
    """Fail if what is timed is not the right result."""
    from lake.volumes import read_raw

    out.mkdir()
    volume = read_raw(str(out), convert(source, out))
    if not np.array_equal(volume.stored, expected):
        raise RuntimeError("the stored volume differs from the series written")
    if (volume.suv_factor is None) != (volume.value_unit == "HU"):
        raise RuntimeError("expected SUV of the PET, and of the PET only")
    shutil.rmtree(out)
