"""Worker side of standardisation: one raw volume to its standard grid."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from lake.volumes import open_raw, write_standard
from lake.volumes.slabs import RawSlabs
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.records import Row
from schemas.volume import WHOLE, Attributes, Part
from tasks.standardise import standardised_blocks
from tasks.standardise.matching import Match
from tasks.standardise.source import VoxelSource, divided, quantified_source


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


def standardise_and_store(volumes_root: str, job: StandardiseJob) -> Row:
    """Standardise and write one volume, a few slices at a time; return its `volumes` row."""
    raw = open_raw(volumes_root, job.volume_path)
    source, unit = quantified_slabs(raw)
    attributes = {**raw.attributes, **_about_match(job.match)}
    if job.calibration_factor is not None:
        source = divided(source, job.calibration_factor)
        attributes["divided_by_calibration_factor"] = job.calibration_factor
    standard = standardised_blocks(
        source,
        unit,
        attributes,
        job.profile,
        like=job.like,
        matching_fwhm_mm=None if job.match is None else job.match.filter_fwhm_mm,
    )
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


def _about_match(match: Match | None) -> Attributes:
    return {} if match is None else {"resolution_match": asdict(match)}


def quantified_slabs(raw: RawSlabs) -> tuple[VoxelSource, str]:
    """Source of a stored raw volume and its unit: SUVbw where a factor exists."""
    lines = (raw.rescale_slope, raw.rescale_intercept, raw.suv_factor)
    source = quantified_source(raw.geometry, raw.stored, lines, raw.chunk)
    return source, raw.value_unit if raw.suv_factor is None else "SUVbw"
