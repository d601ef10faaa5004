"""Worker side of standardisation: one raw volume to its standard grid."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass

import numpy as np

from flows.work.features import RoiSource, roi_mask
from lake.volumes import open_raw, write_standard
from lake.volumes.slabs import RawSlabs
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.records import Row
from schemas.volume import WHOLE, Attributes, ImageBlocks, Part
from tasks.segment.masks import label_box
from tasks.standardise import standardised_blocks
from tasks.standardise.grid import crop_grid
from tasks.standardise.matching import Match
from tasks.standardise.normalise import NoReferenceError, Reference, normalised, reference_of
from tasks.standardise.source import VoxelSource, divided, quantified_source
from tasks.standardise.white_stripe import foreground, white_stripe


@dataclass(frozen=True)
class StandardiseJob:
    """One raw volume to bring to a standard grid.

    Parameters
    ----------
    series_instance_uid, volume_id, volume_path : str
        The raw volume.
    profile : StandardProfile
        Grid, interpolation, resolution.
    like : Geometry or None
        Grid to use instead of the profile's own (a CT on its PET's grid).
    input_digest : str
        Digest of all of the above.
    part : Part
        Which of the volumes of its series.
    match : Match or None
        How its resolution is brought to the profile's target; None without a target.
    calibration_factor : float or None
        Measured over true activity, to divide by; None where the profile does not ask for it.
    reference : tuple of RoiSource
        ROI that the profile's scale of intensity refers to; none for a white stripe in all voxels.
    """

    series_instance_uid: str
    volume_id: str
    volume_path: str
    profile: StandardProfile
    like: Geometry | None
    input_digest: str
    part: Part = WHOLE
    match: Match | None = None
    calibration_factor: float | None = None
    reference: tuple[RoiSource, ...] = ()


def standardise_and_store(volumes_root: str, job: StandardiseJob) -> Row:
    """Standardise and write one volume, a few slices at a time; return its `volumes` row."""
    raw = open_raw(volumes_root, job.volume_path)
    source, unit = quantified_slabs(raw)
    attributes = {**raw.attributes, **_about_match(job.match)}
    if job.calibration_factor is not None:
        source = divided(source, job.calibration_factor)
        attributes["divided_by_calibration_factor"] = job.calibration_factor
    widths = None if job.match is None else job.match.filter_fwhm_mm

    def standard_on(grid: Geometry | None) -> ImageBlocks:
        return standardised_blocks(
            source, unit, attributes, job.profile, like=grid, matching_fwhm_mm=widths
        )

    standard = standard_on(job.like)
    if job.profile.normalisation != "none":
        found = _reference(volumes_root, job, standard.geometry, standard_on)
        of = job.profile
        standard = normalised(standard, of.normalisation, of.reference_roi, found, of.contrast)
    row = write_standard(
        volumes_root,
        job.series_instance_uid,
        standard,
        profile_id=job.profile.profile_id,
        profile_digest=job.profile.digest(),
        parent_volume_id=job.volume_id,
        part=job.part,
    )
    return {**row, "input_digest": job.input_digest}


def _reference(
    root: str, job: StandardiseJob, grid: Geometry, standard_on: Callable[[Geometry], ImageBlocks]
) -> Reference:
    """Intensities of the reference; only the box around its ROI is standardised for that.

    A white stripe without a ROI is looked for in the whole image, which is held in memory then.
    """
    if job.profile.reference_roi is None:
        image = standard_on(grid).collected().values
        return white_stripe(foreground(image), job.profile.contrast or "")
    mask = np.zeros(grid.shape, dtype=np.bool_)
    for source in job.reference:
        mask |= roi_mask(root, source, grid, job.profile.mask_order, job.profile.mask_threshold)
    box = label_box(mask)
    if box is None:
        raise NoReferenceError("the reference region covers no voxel of the image")
    values = standard_on(crop_grid(grid, box)).collected().values
    if job.profile.contrast is not None:
        return white_stripe(values[mask[box]], job.profile.contrast)
    return reference_of(values, mask[box])


def _about_match(match: Match | None) -> Attributes:
    return {} if match is None else {"resolution_match": asdict(match)}


def quantified_slabs(raw: RawSlabs) -> tuple[VoxelSource, str]:
    """Source of a stored raw volume and its unit: SUVbw where a factor exists."""
    lines = (raw.rescale_slope, raw.rescale_intercept, raw.suv_factor)
    source = quantified_source(raw.geometry, raw.stored, lines, raw.chunk)
    return source, raw.value_unit if raw.suv_factor is None else "SUVbw"
