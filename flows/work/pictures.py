"""Worker side of the report: one patient's picture from stored volumes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lake.volumes import read_image, read_mask
from schemas.geometry import Geometry
from schemas.volume import ImageVolume, MaskVolume
from tasks.pictures.mip import mip_png
from tasks.pictures.slices import slices_png

J = TypeVar("J")
P = TypeVar("P")


@dataclass(frozen=True)
class PictureJob:
    """One standard volume to draw.

    Parameters
    ----------
    title : str
        Pseudonym, centre, tracer; shown above the picture.
    volume_path : str
        Standard PET or SPECT volume.
    mask_paths : tuple of str
        ROI masks on its grid (bounding boxes).
    ct_path : str or None
        CT on the same grid, for the fused slices.
    with_slices : bool
        Draw the three planes through the hottest ROI, too.
    """

    title: str
    volume_path: str
    mask_paths: tuple[str, ...]
    ct_path: str | None = None
    with_slices: bool = False


@dataclass(frozen=True)
class Pictures:
    """PNG files of one job; `slices` is None if not asked for."""

    mip: bytes
    slices: bytes | None


def draw(volumes_root: str, job: PictureJob) -> Pictures:
    """Draw the maximum intensity projections, and the planes if asked for."""
    image = read_image(volumes_root, job.volume_path)
    masks = [read_mask(volumes_root, p) for p in job.mask_paths]
    mask = union(image.geometry, masks)
    mip = mip_png(image, mask, title=job.title)
    if not job.with_slices:
        return Pictures(mip, None)
    ct = read_image(volumes_root, job.ct_path) if job.ct_path else None
    if ct is not None and ct.values.shape != image.values.shape:
        ct = None
    return Pictures(mip, slices_png(image, _hottest(image, masks), ct, title=job.title))


def second(function: Callable[[J], P], numbered: tuple[int, J]) -> P:
    """Draw one of several jobs; its number is for whoever collects them."""
    return function(numbered[1])


def _hottest(image: ImageVolume, masks: list[MaskVolume]) -> NDArray[np.bool_]:
    """Mask of the ROI with the highest voxel: the planes go through that one."""
    whole = [union(image.geometry, [mask]) for mask in masks]
    return max(
        whole,
        key=lambda mask: float(image.values[mask].max()),
        default=np.zeros(image.geometry.shape, dtype=bool),
    )


def union(grid: Geometry, masks: Iterable[MaskVolume]) -> NDArray[np.bool_]:
    """Put bounding-box masks of the same grid back into one (z, y, x) mask."""
    whole = np.zeros(grid.shape, dtype=bool)
    for mask in masks:
        x, y, z = np.rint(grid.to_index(mask.geometry.affine[:3, 3])).astype(int)
        nz, ny, nx = mask.labels.shape
        whole[z : z + nz, y : y + ny, x : x + nx] |= mask.labels > 0
    return whole
