"""Raw volume on disk to standard volume on disk, against scipy on arrays in memory; peak memory."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from scipy.ndimage import affine_transform, gaussian_filter

from benchmarks.ingest import one_core
from benchmarks.rounds import Comparison, compare, run_rounds
from flows.work.standardise import StandardiseJob, standardise_and_store
from lake.volumes import write_raw
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.records import Row
from schemas.volume import RawVolume
from tasks.standardise import grid_for, standardise
from tasks.standardise.kernels import FWHM_PER_SIGMA
from tasks.standardise.source import Values

OURS = "tracerlake"
_PEER = "scipy.ndimage in memory"
_SERIES = "1.2.3"
_FWHM_MM = 5.0
#: As of a large-field PET: slices of 3 mm, pixels of 4.07 mm.
_PET_MM = (3.0, 4.07283, 4.07283)
#: As of a whole-body CT.
_CT_MM = (1.0, 0.9766, 0.9766)


def standardise_rows(*, slices: int = 300, size: int = 200, rounds: int = 5) -> list[Comparison]:
    """Compare a PET onto 2 mm with a Gaussian of 5 mm, linear and cubic, on one core.

    Ours opens the raw volume, reads, quantifies, smooths, resamples, and writes the compressed
    volume with its two lower resolutions and its digest. scipy smooths and resamples an array of
    SUV that is in memory, and leaves the result there.
    """
    found = []
    for order, kind in ((1, "linear"), (3, "cubic")):
        seconds = json.loads(_in_child("time", slices, size, order, rounds))
        title = f"PET of {slices} x {size} x {size} smoothed and onto 2 mm ({kind}), Zarr to Zarr"
        found += compare(title, seconds, OURS)
    return found


def _timed(slices: int, size: int, order: int, rounds: int) -> dict[str, list[float]]:
    profile = StandardProfile(
        "bench/1", "PT", (2.0, 2.0, 2.0), order, resolution_fwhm_mm=(_FWHM_MM,) * 3
    )
    raw = _pet(slices, size)
    values = raw.quantified().values
    _check(raw, values, profile)
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as root,
        one_core(),
        ThreadPoolExecutor(1) as worker,  # Blosc uses one core in a thread, as in a Dask worker
    ):
        row = write_raw(root, _SERIES, raw)

        def ours() -> None:
            shutil.rmtree(Path(root) / "standard", ignore_errors=True)
            worker.submit(standardise_and_store, root, _job(row, profile)).result()

        def theirs() -> None:
            _scipy(values, raw.geometry, profile)

        return run_rounds({OURS: ours, _PEER: theirs}, rounds)


def memory_row(*, slices: int = 1200, size: int = 512, spacing_mm: float = 1.0) -> list[Comparison]:
    """Compare the peak memory of a process that standardises a large CT with 1 GiB."""
    with tempfile.TemporaryDirectory(prefix="bench-") as root:
        row = write_raw(root, _SERIES, _ct(slices, size))
        peak = float(_in_child("peak", root, row["volume_id"], row["volume_path"], spacing_mm))
    title = (
        f"CT of {slices} x {size} x {size} onto {spacing_mm:g} mm (cubic): peak memory of a worker"
    )
    return compare(title, {OURS: [peak], "1 GiB": [2**30 / 1e6]}, OURS, unit="MB")


def _in_child(*arguments: object) -> str:
    """Run `_child` in a process of its own, with one thread for linear algebra as in a worker."""
    command = [sys.executable, "-m", "benchmarks.standardise", *map(str, arguments)]
    single = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | single
    )
    return done.stdout


def _child(what: str, *arguments: str) -> None:
    if what == "time":
        slices, size, order, rounds = map(int, arguments)
        print(json.dumps(_timed(slices, size, order, rounds)))
        return
    root, volume_id, path, spacing_mm = arguments
    s = float(spacing_mm)
    profile = StandardProfile("bench/1", "CT", (s, s, s), 3, fill_value=-1024.0)
    row: Row = {"volume_id": volume_id, "volume_path": path}
    standardise_and_store(root, _job(row, profile))
    print(_peak_bytes() / 1e6)


def _peak_bytes() -> int:
    """Peak memory of this process; `getrusage` would count that of its parent before the start."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def _job(row: Row, profile: StandardProfile) -> StandardiseJob:
    place = str(row["volume_id"]), str(row["volume_path"])
    return StandardiseJob(_SERIES, *place, profile, None, "bench")


def _scipy(values: Values, geometry: Geometry, profile: StandardProfile) -> Values:
    """Smooth and resample as a script would."""
    grid = grid_for(geometry, profile)
    sigma = [_FWHM_MM / FWHM_PER_SIGMA / s for s in geometry.spacing]
    smooth = gaussian_filter(values, sigma, mode="nearest")
    relation = np.linalg.inv(geometry.affine) @ grid.affine
    scale = np.diag(relation[:3, :3])[::-1]
    offset = relation[:3, 3][::-1]
    return affine_transform(  # type: ignore[call-overload,no-any-return]
        smooth, scale, offset, grid.shape, order=profile.interpolation_order, mode="nearest"
    )


def _check(raw: RawVolume, values: Values, profile: StandardProfile) -> None:
    """Both do the same: they differ only by how scipy samples its Gaussian."""
    ours, theirs = standardise(raw, profile).values, _scipy(values, raw.geometry, profile)
    if np.abs(ours - theirs).max() > 0.05 * values.max():
        raise RuntimeError("the two ways give different results")


def _pet(slices: int, size: int) -> RawVolume:
    rng = np.random.default_rng(0)
    noise = gaussian_filter(rng.standard_normal((slices, size, size), dtype=np.float32), 1.0)
    y, x = np.indices((size, size)) / size - 0.5
    body = 3000.0 * np.exp(-(((y / 0.35) ** 4) + ((x / 0.25) ** 4)))
    stored = np.clip(body * (1 + 0.5 * noise), 0, 32000).astype(np.int16)
    slope = np.linspace(1.0, 2.0, slices)
    geometry = Geometry((slices, size, size), np.diag([*_PET_MM[::-1], 1.0]))
    return RawVolume(stored, slope, np.zeros(slices), geometry, "Bq/ml", np.full(slices, 1e-4))


def _ct(slices: int, size: int) -> RawVolume:
    rng = np.random.default_rng(0)
    plane = rng.integers(0, 1500, (size, size), dtype=np.int16)
    stored = np.stack([np.roll(plane, z, axis=0) for z in range(slices)])
    geometry = Geometry((slices, size, size), np.diag([*_CT_MM[::-1], 1.0]))
    return RawVolume(stored, np.ones(slices), np.full(slices, -1024.0), geometry, "HU")


if __name__ == "__main__":
    _child(*sys.argv[1:])
