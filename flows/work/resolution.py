"""Worker side of resolution: estimates from images, and Gaussians into bands of recovery."""

from __future__ import annotations

from dataclasses import dataclass

from lake.volumes import read_raw
from schemas.records import Row
from tasks.standardise.estimate import estimate_resolution
from tasks.standardise.matching import Widths


@dataclass(frozen=True)
class EstimateJob:
    """One image to estimate the resolution of its scanner and reconstruction from."""

    device: tuple[str | None, str | None]
    volume_id: str
    volume_path: str


def estimate_of(volumes_root: str, job: EstimateJob) -> Widths:
    """FWHM (z, y, x) of the point spread function, estimated from one image."""
    return estimate_resolution(read_raw(volumes_root, job.volume_path).quantified()).fwhm_mm
