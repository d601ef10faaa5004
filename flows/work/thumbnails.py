"""Worker side of the run report: a small picture of a raw volume, read piece by piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from lake.volumes import open_lazy
from schemas.geometry import Geometry
from tasks.pictures.projections import Flat, projections
from tasks.pictures.thumbnail import emission_thumbnail, planar_thumbnail, planes_thumbnail

#: Voxels of a slab that is held at once: 64 MB as float32.
_SLAB_VOXELS: Final = 16_000_000
#: Frames of planar images in one picture.
_MOST_FRAMES: Final = 4
_EMISSION: Final = frozenset({"PT", "NM"})


@dataclass(frozen=True)
class ThumbnailJob:
    """One raw volume to draw.

    Parameters
    ----------
    volume_path : str
        In the raw zone.
    modality : str
        PT and NM are projected, all else is cut.
    """

    volume_path: str
    modality: str


def draw_thumbnail(volumes_root: str, job: ThumbnailJob) -> bytes:
    """Draw a volume as PNG: projections of PET and SPECT, middle planes of all else.

    Of a dynamic or gated volume the middle frame is shown, of planar images up to four frames side
    by side. Memory is bounded by a slab of 64 MB,
    however large the volume is.
    """
    whole = open_lazy(volumes_root, job.volume_path, quantity="suv")
    if whole.attrs.get("is_planar"):
        return _planar(whole)
    volume = _middle_frame(whole)
    affine = np.asarray(volume.attrs["affine_lps"], dtype=np.float64)
    geometry = Geometry(_shape(volume), affine.reshape(4, 4))
    unit = str(volume.attrs["units"])
    if job.modality in _EMISSION:
        return emission_thumbnail(projections(_slabs(volume)), geometry, unit)
    return planes_thumbnail(_middle_planes(volume), geometry, unit)


def _planar(volume: xr.DataArray) -> bytes:
    """Draw all frames where they are few, otherwise some evenly over them."""
    n = volume.sizes["t"]
    picked = np.unique(np.linspace(0, n - 1, min(n, _MOST_FRAMES)).round().astype(int))
    frames = np.stack([volume[int(t), 0].to_numpy() for t in picked])
    affine = np.asarray(volume.attrs["affine_lps"], dtype=np.float64).reshape(4, 4)
    _, y_mm, x_mm = Geometry(_shape(volume[0]), affine).spacing
    return planar_thumbnail(frames, (y_mm, x_mm), str(volume.attrs["units"]))


def _middle_frame(volume: xr.DataArray) -> xr.DataArray:
    return volume.isel(t=volume.sizes["t"] // 2) if "t" in volume.dims else volume


def _shape(volume: xr.DataArray) -> tuple[int, int, int]:
    z, y, x = volume.shape
    return z, y, x


def _slabs(volume: xr.DataArray) -> Iterator[NDArray[Any]]:
    n_z, n_y, n_x = volume.shape
    step = max(_SLAB_VOXELS // (n_y * n_x), 1)
    for first in range(0, n_z, step):
        yield volume[first : first + step].to_numpy()


def _middle_planes(volume: xr.DataArray) -> Flat:
    z, y, x = (n // 2 for n in volume.shape)
    return (
        volume[z : z + 1].to_numpy(),
        volume[:, y : y + 1].to_numpy(),
        volume[:, :, x : x + 1].to_numpy(),
    )
