"""Which raw volumes become which standard volumes: grids, resolutions, digests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import lake
from flows.derive import geometry_of, input_digest
from flows.targets import Targets
from flows.work.features import RoiSource
from flows.work.standardise import StandardiseJob
from schemas.geometry import Geometry
from schemas.profiles import StandardProfile
from schemas.volume import Part
from tasks.standardise import grid_for
from tasks.standardise.matching import Match

#: Changes of the algorithm itself; part of every input digest.
_ALGORITHM: Final = "standardise/2"

#: Raw volumes with what decides about their grid and resolution. Dynamic and gated volumes stay as
#: they are. A PET may have several CTs; the one acquired with it is the first by its name.
_RAW: Final = """
WITH grids AS (
  SELECT series_instance_uid, shape_z, shape_y, shape_x, affine_lps FROM volumes
  WHERE zone = 'raw' AND coalesce(part_index, 1) = 1
), ct AS (
  SELECT s.referenced_series_uid, g.* FROM series s JOIN grids g USING (series_instance_uid)
  WHERE s.modality = 'CT' AND s.series_kind = 'image' AND s.referenced_series_uid IS NOT NULL
  QUALIFY row_number() OVER (
    PARTITION BY s.referenced_series_uid ORDER BY s.series_instance_uid) = 1
)
SELECT v.series_instance_uid, v.volume_id, v.volume_path, s.modality,
       coalesce(v.part_index, 1), v.part_label, s.scanner_key, s.reconstruction_key, s.patient_key,
       s.centre, s.frame_of_reference_uid, v.shape_z, v.shape_y, v.shape_x, v.affine_lps,
       e.shape_z, e.shape_y, e.shape_x, e.affine_lps,
       ct.shape_z, ct.shape_y, ct.shape_x, ct.affine_lps
FROM volumes v
JOIN series s USING (series_instance_uid)
LEFT JOIN grids e ON s.modality = 'CT' AND e.series_instance_uid = s.referenced_series_uid
LEFT JOIN ct ON s.modality IN ('PT', 'NM') AND ct.referenced_series_uid = s.series_instance_uid
WHERE v.zone = 'raw' AND s.series_kind = 'image' AND s.modality IN ('PT', 'NM', 'CT', 'MR')
  AND v.shape_t IS NULL
ORDER BY v.volume_id
"""


@dataclass(frozen=True)
class RawImage:
    """A raw volume that can be standardised.

    Parameters
    ----------
    modality : str
        As of `StandardProfile`, where SPECT is ``PT``; `dicom_modality` tells them apart.
    emission, ct : Geometry or None
        Grid of the PET or SPECT that a CT belongs to; of the CT that belongs to a PET or SPECT.
    """

    series_instance_uid: str
    volume_id: str
    volume_path: str
    dicom_modality: str
    part: Part
    scanner_key: str | None
    reconstruction_key: str | None
    patient_key: str | None
    centre: str | None
    frame_of_reference_uid: str | None
    geometry: Geometry
    emission: Geometry | None
    ct: Geometry | None

    @property
    def modality(self) -> str:
        """Modality that profiles name."""
        return "PT" if self.dicom_modality == "NM" else self.dicom_modality


@dataclass(frozen=True)
class Planned:
    """A raw volume and a profile of its modality.

    Parameters
    ----------
    match : Match or None
        None where the profile has no target.
    job : StandardiseJob or None
        None where the match, or the calibration, is refused.
    lacks_calibration : bool
        The profile asks for a calibration factor that nobody measured.
    lacks_reference : bool
        The profile's scale of intensity refers to a ROI that nobody drew.
    """

    image: RawImage
    profile: StandardProfile
    match: Match | None
    job: StandardiseJob | None
    lacks_calibration: bool = False
    lacks_reference: bool = False


def raw_images(lk: lake.Lake) -> list[RawImage]:
    """All raw volumes that can be standardised."""
    return [_image(row) for row in lk.sql(_RAW).fetchall()]


def _image(row: tuple[object, ...]) -> RawImage:
    uid, volume_id, path, modality, part, label, *texts = row[:11]
    grids = list(row[11:])
    own = _geometry(grids[:4])
    if own is None:
        raise ValueError(f"raw volume {volume_id} has no grid")
    return RawImage(
        str(uid),
        str(volume_id),
        str(path),
        str(modality),
        Part(int(str(part)), _text(label)),
        _text(texts[0]),
        _text(texts[1]),
        _text(texts[2]),
        _text(texts[3]),
        _text(texts[4]),
        own,
        _geometry(grids[4:8]),
        _geometry(grids[8:]),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _geometry(columns: list[object]) -> Geometry | None:
    z, y, x, affine = columns
    if z is None:
        return None
    shape = (int(str(z)), int(str(y)), int(str(x)))
    return geometry_of(shape, list(affine))  # type: ignore[call-overload]


#: Drawn ROIs with a digest of their content, by series or frame of reference.
Drawn = Mapping[str, list[tuple[str, RoiSource]]]


def planned(
    images: Iterable[RawImage],
    profiles: Iterable[StandardProfile],
    targets: Targets,
    drawn: Drawn,
) -> list[Planned]:
    """Every raw volume with every profile of its modality."""
    chosen = list(profiles)
    return [
        _plan(image, profile, targets, _reference(image, profile, drawn))
        for image in images
        for profile in chosen
        if profile.modality == image.modality
    ]


def _reference(
    image: RawImage, profile: StandardProfile, drawn: Drawn
) -> list[tuple[str, RoiSource]]:
    """ROIs of the series with the label that the profile's scale refers to."""
    if profile.reference_roi is None:
        return []
    wanted = _plain(profile.reference_roi)
    of_frame = drawn.get(image.frame_of_reference_uid or "", [])
    rois = drawn.get(image.series_instance_uid) or of_frame
    return [(digest, roi) for digest, roi in rois if _plain(roi.label or "") == wanted]


def _plain(label: str) -> str:
    return " ".join(label.replace("_", " ").casefold().split())


def _plan(
    image: RawImage,
    profile: StandardProfile,
    targets: Targets,
    reference: list[tuple[str, RoiSource]],
) -> Planned:
    match = targets.match(image, profile)
    if profile.reference_roi is not None and not reference:
        return Planned(image, profile, match, None, lacks_reference=True)
    factor = targets.calibration(image) if profile.correct_calibration else None
    lacks = profile.correct_calibration and factor is None
    unmatched = match is not None and not match.is_matched
    if (unmatched or lacks) and profile.unmatched == "refuse":
        return Planned(image, profile, match, None, lacks)
    like = _other_grid(image, profile)
    grid = None if like is None else like.digest()
    digest = input_digest(
        _ALGORITHM, image.volume_id, profile.digest(), grid, match, factor,
        [digest for digest, _ in reference],
    )  # fmt: skip
    job = StandardiseJob(
        image.series_instance_uid, image.volume_id, image.volume_path, profile, like, digest,
        image.part, match, factor, tuple(roi for _, roi in reference),
    )  # fmt: skip
    return Planned(image, profile, match, job, lacks)


def _other_grid(image: RawImage, profile: StandardProfile) -> Geometry | None:
    """Grid over another volume, where the profile wants it and there is one."""
    other = {"own": None, "emission": image.emission, "ct": image.ct}[profile.grid]
    return None if other is None else grid_for(other, profile)
