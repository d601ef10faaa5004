"""Parametric images: Patlak over a stored 4-D volume, against reading and the bare product."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import zarr
from numpy.typing import NDArray

from benchmarks.rounds import Comparison, compare, peak_megabytes, run_rounds, silent
from lake.volumes import write_raw
from lake.volumes.blocks import DynamicVolume, block_windows
from schemas.geometry import Geometry
from schemas.kinetics import KINETIC_PROFILES
from schemas.volume import FrameAxis, RawVolume
from tasks.kinetics.compartments import TwoTissue, feng_input, frames_of
from tasks.kinetics.frames import FrameTimes, frame_weights
from tasks.kinetics.input_function import input_of_curve
from tasks.kinetics.models import Supply
from tasks.kinetics.voxelwise import VoxelModel, voxel_model

OURS = "tracerlake"
_READ = "Zarr, reading the same blocks"
_PRODUCT = "NumPy, the bare product in memory"
_FLOAT = "the frames as float32"


def patlak_row(
    *, shape: tuple[int, int, int] = (96, 160, 160), rounds: int = 5
) -> list[Comparison]:
    """Compare Patlak Ki of all voxels of a 39-frame volume, in one process without Dask.

    Ours reads the stored integers block by block, rescales, multiplies and puts the two images
    together. Memory is the peak that Python and NumPy allocate, against the frames of the linear
    part as float32.
    """
    times = frames_of(((12, 10.0), (8, 15.0), (6, 30.0), (3, 60.0), (10, 300.0)))
    plasma = input_of_curve(times, feng_input().frame_means(times))
    supply = Supply(times, frame_weights(times, "duration", None), plasma)
    model = voxel_model(KINETIC_PROFILES["patlak/1"], supply)
    with tempfile.TemporaryDirectory() as root:
        row = write_raw(root, "1.2", _volume(times, shape))
        path = str(row["volume_path"])
        plain = zarr.open_group(Path(root) / path, mode="r")["stored"]
        frames = DynamicVolume(root, path).read((slice(None),) * 3, model.frames)
        flat = frames.reshape(frames.shape[0], -1)
        expected = model(flat)

        def ours() -> NDArray[np.float32]:
            return patlak_images(root, path, model)

        def read() -> None:
            for window in block_windows((times.n, *shape)):
                np.asarray(plain[(model.frames, *window)])

        np.testing.assert_allclose(ours().reshape(2, -1), expected, rtol=1e-4, atol=1e-6)
        seconds = run_rounds(
            {OURS: silent(ours), _READ: read, _PRODUCT: silent(lambda: model(flat))}, rounds
        )
        megabytes = {OURS: [peak_megabytes(ours)], _FLOAT: [frames.nbytes / 1e6]}
    name = f"Patlak, {times.n} frames of {' x '.join(map(str, shape))}"
    return [
        *compare(f"{name}: time", seconds, OURS),
        *compare(f"{name}: peak memory", megabytes, OURS, unit="MB"),
    ]


def patlak_images(root: str, path: str, model: VoxelModel) -> NDArray[np.float32]:
    """Images (p, z, y, x) of a stored volume, block by block."""
    volume = DynamicVolume(root, path)
    found = np.empty((2, *volume.shape[1:]), dtype=np.float32)
    for window in block_windows(volume.shape):
        curves = volume.read(window, model.frames)
        values = model(curves.reshape(curves.shape[0], -1))
        found[(slice(None), *window)] = values.reshape(-1, *curves.shape[1:])
    return found


def _volume(times: FrameTimes, shape: tuple[int, int, int]) -> RawVolume:
    """Tissue with more uptake towards one side, and noise as of PET."""
    rng = np.random.default_rng(0)
    tissue = TwoTissue(0.1, 0.15, 0.05, 0.0, 0.05).curve(feng_input()).frame_means(times)
    share = np.linspace(0.1, 1.0, shape[2])
    stored = np.empty((times.n, *shape), dtype=np.int16)
    for frame, value in enumerate(tissue):
        clean = np.broadcast_to(value * share, shape)
        noise = rng.normal(size=shape).astype(np.float32) * 0.1 * value
        stored[frame] = np.clip((clean + noise) * 300, 0, 32767)
    slopes = np.full((times.n, shape[0]), 1 / 300)
    grid = Geometry(shape, np.diag([4.0, 4.0, 4.0, 1.0]))
    axis = FrameAxis("time", times.n, times.start_s, times.duration_s)
    return RawVolume(stored, slopes, np.zeros_like(slopes), grid, "Bq/ml", frames=axis)
