"""What is looked at: a stored volume with its regions, its CT, a window and a place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from flows.work.features import RoiSource
from flows.work.regions import Region, regions_on
from flows.work.shown import ShownVolume, Survey, open_shown, survey
from schemas.errors import InvalidInputError
from schemas.geometry import FloatArray, Geometry
from tasks.pictures.canvas import quantity_label
from tasks.pictures.window import EMISSION, usual_window
from tasks.segment.boxes import box_around, corners, sub_grid

#: Values that show that something is there, for cutting air away.
_TISSUE_HU: Final = -300.0
_AIR_SHARE: Final = 0.05
_MARGIN_MM: Final = 20.0
#: Images of which the planes go through the highest values.
_WITH_HOTTEST: Final = EMISSION | {"SEG"}


@dataclass(frozen=True)
class ShowJob:
    """One stored volume and what belongs into its pictures.

    Parameters
    ----------
    title : str
        Pseudonym, centre, modality, tracer.
    volume_path : str
        Of any zone.
    modality : str
        ``PT``, ``NM`` (all SPECT), ``CT``, ``MR``, ``SEG`` ...
    tracer : str or None
        Radiopharmaceutical.
    zone : str
        Of the volume, for the reader.
    rois : tuple of (RoiSource, str or None)
        What is outlined, with coded meanings.
    below_path : str or None
        CT (raw or standard) of the same frame of reference, for the fused planes.
    quantity, frame, frame_kind : str or None
        As `flows.work.shown.open_shown` takes them.
    """

    title: str
    volume_path: str
    modality: str
    tracer: str | None = None
    zone: str = "raw"
    rois: tuple[tuple[RoiSource, str | None], ...] = ()
    below_path: str | None = None
    quantity: str = "suv"
    frame: str | None = None
    frame_kind: str | None = None


@dataclass(frozen=True)
class Look:
    """How to look at it.

    Parameters
    ----------
    views : tuple of str or None
        Of `VIEWS`; None for all that there can be of such an image. What cannot be drawn is left
        out, with the reason.
    window : tuple of float or None
        Lowest and highest value shown; None for what is usual.
    at : str or tuple of float
        Where the planes meet: ``hottest``, ``centre``, label of an ROI, or LPS mm. Empty: the ROI
        with the highest voxel, else the hottest voxel of PET and SPECT, else the centre.
    field_mm : float or None
        Width and height of the planes; None shows all that is not air.
    width_px, height_px : int
        Of the planes together, at most.
    """

    views: tuple[str, ...] | None = None
    window: tuple[float, float] | None = None
    at: str | tuple[float, float, float] = ""
    field_mm: float | None = None
    width_px: int = 1300
    height_px: int = 800


@dataclass(frozen=True, eq=False)
class Scene:
    """All that the views of a volume share."""

    job: ShowJob
    look: Look
    volume: ShownVolume
    seen: Survey
    regions: list[Region]
    window: tuple[float, float]
    centre: FloatArray
    below: ShownVolume | None

    @property
    def is_emission(self) -> bool:
        """PET or SPECT."""
        return self.job.modality in EMISSION

    def corners(self, *, with_below: bool) -> FloatArray:
        """Corners of what is not air, also of the CT below if that is seen."""
        low, high = self.window
        grid = self.volume.geometry
        limit = _TISSUE_HU if self.volume.value_unit == "HU" else low + _AIR_SHARE * (high - low)
        found = self.seen.seen(grid, limit, _MARGIN_MM)
        if not with_below or self.below is None:
            return found
        below = survey(self.below).seen(self.below.geometry, _TISSUE_HU, _MARGIN_MM)
        return corners(sub_grid(grid, box_around(grid, np.concatenate([found, below]), 0.0)))

    def told(self, *more: str) -> str:
        """Zone, quantity, window and frames as the line below the title."""
        low, high = self.window
        unit = quantity_label(self.volume.value_unit)
        shown = f"{unit} from {low:.4g} to {high:.4g}"
        parts = (f"{self.job.zone} zone", shown, self.volume.frame_note, *more)
        return "; ".join(part for part in parts if part)


def open_scene(root: str, job: ShowJob, look: Look) -> Scene:
    """Open a volume and look at it once; errors as in `flows.work.showing.draw_views`."""
    volume = open_shown(
        root, job.volume_path, quantity=job.quantity, frame=job.frame, frame_kind=job.frame_kind
    )
    if job.modality == "SEG":
        volume = replace(volume, value_unit="label")
    seen = survey(volume, find_hottest=job.modality in _WITH_HOTTEST)
    regions = regions_on(root, job.rois, volume.geometry)
    window = look.window or usual_window(seen.sample, volume.value_unit, job.modality, job.tracer)
    if job.modality == "SEG" and look.window is None:
        window = (0.0, max(seen.highest, 1.0))
    below = open_shown(root, job.below_path) if job.below_path else None
    centre = _centre(job, look, volume, seen, regions)
    return Scene(job, look, volume, seen, regions, window, centre, below)


def _centre(
    job: ShowJob, look: Look, volume: ShownVolume, seen: Survey, regions: list[Region]
) -> FloatArray:
    """LPS mm of the point in which the planes meet."""
    if not isinstance(look.at, str):
        return _inside(volume.geometry, np.asarray(look.at, dtype=np.float64))
    named = [region for region in regions if region.label == look.at]
    if named:
        return named[0].centre_lps
    if look.at not in {"", "hottest", "centre"}:
        labels = ", ".join(sorted({region.label for region in regions})) or "none"
        raise InvalidInputError(
            f"no ROI {look.at!r} on this volume; there are: {labels}; or give x,y,z in mm, "
            "hottest or centre"
        )
    if look.at == "" and regions:
        return max(regions, key=lambda r: float(np.max(r.voxels(volume)[1]))).centre_lps
    if look.at == "hottest" or (look.at == "" and job.modality in _WITH_HOTTEST):
        return seen.hottest_lps
    return volume.geometry.to_lps((np.array(volume.geometry.shape[::-1]) - 1) / 2)


def _inside(geometry: Geometry, point: FloatArray) -> FloatArray:
    index = geometry.to_index(point)
    if (index < -0.5).any() or (index > np.array(geometry.shape[::-1]) - 0.5).any():
        ends = np.stack([geometry.to_lps(np.zeros(3)),
                         geometry.to_lps(np.array(geometry.shape[::-1]) - 1.0)])  # fmt: skip
        low, high = ends.min(axis=0), ends.max(axis=0)
        spans = ", ".join(
            f"{n} {a:.0f} to {b:.0f}" for n, a, b in zip("xyz", low, high, strict=True)
        )
        raise InvalidInputError(
            f"that point lies outside the volume, which reaches from {spans} mm"
        )
    return point
