"""DICOM to Zarr of one PET series, against dcm2niix and against reading the files."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import dcm2niix  # type: ignore[import-untyped]
import numpy as np

from benchmarks.pet_series import write_series
from benchmarks.rounds import Comparison, compare, run_rounds

OURS = "tracerlake"


def ingest_row(*, slices: int = 300, size: int = 200, rounds: int = 15) -> list[Comparison]:
    """Compare the whole way: find, scan, group, de-identify, quantify, verify and write.

    Ours runs in this process, as in a worker that is already up; dcm2niix is a program that starts
    in milliseconds, and is timed with its start. All read from the page cache, all use one process.
    """
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        place = Path(name)
        source = place / "dicom"
        expected = write_series(source, slices, size)
        contestants = {
            OURS: _timed(place, lambda out: convert(source, out)),
            "dcm2niix -z n": _timed(place, lambda out: _dcm2niix(source, out, "n")),
            "dcm2niix -z y": _timed(place, lambda out: _dcm2niix(source, out, "y")),
            "reading the files": _timed(place, lambda _: _read(source)),
        }
        _check(source, place / "check", expected)
        measured = run_rounds(contestants, rounds)
    return compare(f"DICOM to Zarr, {slices} x {size} x {size} PET", measured, OURS)


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


def _check(
    source: Path, out: Path, expected: np.ndarray[tuple[int, ...], np.dtype[np.int16]]
) -> None:
    """Fail if what is timed is not the right result."""
    from lake.volumes import read_raw

    out.mkdir()
    volume = read_raw(str(out), convert(source, out))
    if not np.array_equal(volume.stored, expected) or volume.suv_factor is None:
        raise RuntimeError("the stored volume differs from the series written, or has no SUV")
    shutil.rmtree(out)
