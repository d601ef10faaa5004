"""Worker side of standardisation: one raw volume to its standard grid."""

from __future__ import annotations

from dataclasses import dataclass

from lake.volumes import read_raw, write_standard
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.records import Row
from schemas.volume import WHOLE, Part
from tasks.standardise import standardise


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
    """

    series_instance_uid: str
    volume_id: str
    volume_path: str
    profile: StandardProfile
    like: Geometry | None
    input_digest: str
    part: Part = WHOLE


def standardise_and_store(volumes_root: str, job: StandardiseJob) -> Row:
    """Standardise and write one volume; return its `volumes` row."""
    raw = read_raw(volumes_root, job.volume_path)
    standard = standardise(raw, job.profile, like=job.like)
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
