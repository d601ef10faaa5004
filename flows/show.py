"""Pictures of a series: which volume, which regions and which CT are meant."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np

import lake
from flows.named_series import find_series, series_rows, title_of
from flows.work.features import RoiSource
from flows.work.scene import Look, ShowJob
from flows.work.showing import VIEWS, Drawn, draw_views
from schemas.errors import InvalidInputError, NotFoundInLakeError
from schemas.geometry import FloatArray

#: CT of the same study and frame of reference: the linked one first, then the nearest in time.
_CT: Final = """
SELECT v.volume_path FROM series ct
JOIN volumes v ON v.series_instance_uid = ct.series_instance_uid AND v.shape_t IS NULL
JOIN series e ON e.series_instance_uid = $uid
WHERE ct.modality = 'CT' AND ct.series_kind = 'image' AND v.zone = 'raw'
  AND ct.study_instance_uid = e.study_instance_uid
  AND ct.frame_of_reference_uid = e.frame_of_reference_uid
ORDER BY ct.referenced_series_uid IS NOT DISTINCT FROM $uid DESC,
  abs(epoch(ct.acquisition_datetime) - epoch(e.acquisition_datetime)) NULLS LAST,
  coalesce(v.part_index, 1), ct.series_instance_uid
LIMIT 1
"""

_MEASURED: Final = """
SELECT r.segmentation_series_uid, r.roi_label, v.volume_path, g.property_code
FROM rois r JOIN volumes v ON v.volume_id = r.volume_id
LEFT JOIN segments g ON g.segmentation_series_uid = r.segmentation_series_uid
  AND g.segment_number = r.segment_number
WHERE r.parent_volume_id = $volume_id ORDER BY r.roi_id
"""

#: What was drawn on a series; if nothing was, what was drawn in its frame of reference.
_DRAWN: Final = """
WITH near AS (
  SELECT g.*, g.referenced_series_uid IS NOT DISTINCT FROM $uid AS is_on_it FROM segments g
  WHERE g.referenced_series_uid = $uid
     OR (g.referenced_series_uid IS NULL AND g.frame_of_reference_uid = $frame)
)
SELECT n.segmentation_series_uid, n.segment_number, n.segment_label, n.property_code, v.volume_path
FROM near n LEFT JOIN volumes v ON v.volume_id = n.volume_id
WHERE n.is_on_it OR NOT EXISTS (SELECT 1 FROM near o WHERE o.is_on_it)
ORDER BY n.segmentation_series_uid, n.segment_number
"""

_CONTOURS: Final = """
SELECT segmentation_series_uid, segment_number, points_lps_mm FROM contours
WHERE geometric_type = 'CLOSED_PLANAR' AND list_contains($series, segmentation_series_uid)
ORDER BY segmentation_series_uid, segment_number, contour_index
"""

_SEGMENTATIONS: Final = frozenset({"segmentation", "contours"})


@dataclass(frozen=True)
class Subject:
    """What is to be shown of a lake.

    Parameters
    ----------
    series : str
        ``series_instance_uid``, the unambiguous beginning of one (with or without ``2.25.``), or a
        ``patient_key`` with one PET or SPECT series.
    zone : str
        ``raw``, ``standard`` or ``parametric``.
    profile : str or None
        ``profile_id`` of a standard or parametric volume, where there are several.
    part : int or None
        ``part_index``, where a series holds several volumes.
    quantity : str
        As `lake.Lake.volume` takes it.
    frame : str or None
        Number of a frame, from 1, or ``sum``.
    rois : tuple of str or None
        Labels of what is outlined; None for all, empty for none.
    parameter : str or None
        ``parameter_name`` of a parametric volume, where there are several.
    """

    series: str
    zone: str = "raw"
    profile: str | None = None
    part: int | None = None
    quantity: str = "suv"
    frame: str | None = None
    rois: tuple[str, ...] | None = None
    parameter: str | None = None


def show(lk: lake.Lake, subject: Subject | str, look: Look | None = None) -> Drawn:
    """Draw a series of a lake.

    Parameters
    ----------
    lk : lake.Lake
        Open; also an older state of it.
    subject : Subject or str
        What to show; a string is the series.
    look : Look, optional
        Views, window and place.

    Returns
    -------
    Drawn
        ``pictures``: PNG files by view; ``left_out``: why other views were not drawn.

    Raises
    ------
    NotFoundInLakeError
        There is no such series, or it has no volume.
    InvalidInputError
        Several series fit, or an option does not.
    """
    wanted = Subject(subject) if isinstance(subject, str) else subject
    chosen = look or Look()
    unknown = [view for view in chosen.views or () if view not in VIEWS]
    if unknown:
        raise InvalidInputError(f"view {unknown[0]!r} is none of {', '.join(VIEWS)}")
    return draw_views(lk.volumes_root, show_job(lk, wanted), chosen)


def show_job(lk: lake.Lake, subject: Subject) -> ShowJob:
    """Find the volume, the regions and the CT; errors as in `show`."""
    series = find_series(lk, subject.series)
    only: str | None = None
    if series["series_kind"] in _SEGMENTATIONS:
        only = str(series["series_instance_uid"])
        image = _image_of(lk, series)
        if image is None:
            return _mask_job(lk, series, subject)
        series = image
    volume = _volume(lk, series, subject)
    uid = str(series["series_instance_uid"])
    modality = "NM" if series["is_spect"] else str(series["modality"])
    is_emission = modality in {"PT", "NM"}
    ct = lk.sql(_CT, {"uid": uid}).fetchone() if is_emission else None
    return ShowJob(
        title=title_of(series),
        volume_path=str(volume["volume_path"]),
        modality=modality,
        tracer=_text(series["radiopharmaceutical"]),
        zone=_zone(volume),
        rois=_rois(lk, series, volume, subject, only),
        below_path=None if ct is None else str(ct[0]),
        quantity=subject.quantity,
        frame=subject.frame,
        frame_kind=_text(volume["frame_kind"]),
    )


def _zone(volume: dict[str, object]) -> str:
    """Zone of a volume as the reader is told; a parametric one says what it shows."""
    if volume["parameter_name"] is None:
        return str(volume["zone"])
    return f"{volume['parameter_name']} of {volume['profile_id']}, {volume['zone']}"


def _image_of(lk: lake.Lake, segmentation: dict[str, object]) -> dict[str, object] | None:
    uid = _text(segmentation["referenced_series_uid"])
    rows = series_rows(lk, "series_instance_uid = $a AND series_kind = 'image'", a=uid or "")
    return rows[0] if rows else None


def _mask_job(lk: lake.Lake, series: dict[str, object], subject: Subject) -> ShowJob:
    """Show the label map itself of a segmentation whose image is not in the lake."""
    uid = str(series["series_instance_uid"])
    rows = lk.sql(
        "SELECT volume_path FROM volumes WHERE zone = 'mask' AND series_instance_uid = $uid "
        "AND parent_volume_id IS NULL ORDER BY coalesce(part_index, 1), volume_path",
        {"uid": uid},
    ).fetchall()
    part = (subject.part or 1) - 1
    if not 0 <= part < len(rows):
        raise NotFoundInLakeError(
            f"series {uid} is drawn on an image that is not in the lake, and has no mask of its own"
        )
    return ShowJob(title_of(series), str(rows[part][0]), "SEG", zone="mask")


def _volume(lk: lake.Lake, series: dict[str, object], subject: Subject) -> dict[str, object]:
    uid = str(series["series_instance_uid"])
    rows: list[dict[str, object]] = lk.sql(
        "SELECT volume_id, volume_path, frame_kind, profile_id, part_index, part_label, zone, "
        "parameter_name "
        "FROM volumes WHERE series_instance_uid = $uid AND zone <> 'mask' "
        "ORDER BY coalesce(part_index, 1), profile_id",
        {"uid": uid},
    ).to_arrow_table().to_pylist()  # fmt: skip
    if not rows:
        raise NotFoundInLakeError(
            f"series {uid} has no volume: it is a {series['series_kind']} ({series['modality']})"
        )
    here = [r for r in rows if r["zone"] == subject.zone]
    if not here:
        zones = ", ".join(sorted({str(r["zone"]) for r in rows}))
        raise NotFoundInLakeError(f"series {uid} has no {subject.zone} volume, but {zones}")
    part = subject.part or 1
    fitting = [
        r for r in here
        if (r["part_index"] or 1) == part and subject.profile in {None, r["profile_id"]}
        and subject.parameter in {None, r["parameter_name"]}
    ]  # fmt: skip
    if not fitting:
        there = ", ".join(
            f"part {r['part_index'] or 1}"
            + (f" of {r['profile_id']}" if r["profile_id"] else "")
            + (f" {r['parameter_name']}" if r["parameter_name"] else "")
            for r in here
        )
        raise NotFoundInLakeError(f"series {uid} has no such {subject.zone} volume; it has {there}")
    if len(fitting) > 1:
        names = ", ".join(
            " ".join(str(r[k]) for k in ("profile_id", "parameter_name") if r[k]) for r in fitting
        )
        raise InvalidInputError(f"series {uid} has volumes of several profiles: {names}; name one")
    return fitting[0]


def _rois(
    lk: lake.Lake,
    series: dict[str, object],
    volume: dict[str, object],
    subject: Subject,
    only: str | None,
) -> tuple[tuple[RoiSource, str | None], ...]:
    """Find what is outlined: on standard volumes as measured, otherwise as drawn."""
    measured = [
        (RoiSource(str(uid or ""), 1, str(label), (), str(path)), _text(code))
        for uid, label, path, code in lk.sql(
            _MEASURED, {"volume_id": volume["volume_id"]}
        ).fetchall()
    ]
    found = measured or _drawn(lk, series)
    labels = {source.label for source, _ in found}
    if subject.rois is not None:
        missing = [name for name in subject.rois if name not in labels]
        if missing:
            there = ", ".join(sorted(labels)) or "none"
            raise InvalidInputError(f"no ROI {missing[0]!r} on this series; there are: {there}")
    return tuple(
        (source, code)
        for source, code in found
        if (subject.rois is None or source.label in subject.rois)
        and (only is None or source.segmentation_series_uid == only)
    )


def _drawn(lk: lake.Lake, series: dict[str, object]) -> list[tuple[RoiSource, str | None]]:
    rows = lk.sql(
        _DRAWN,
        {"uid": series["series_instance_uid"], "frame": series["frame_of_reference_uid"]},
    ).fetchall()
    contours: dict[tuple[str, int], list[FloatArray]] = defaultdict(list)
    for uid, number, points in lk.sql(
        _CONTOURS, {"series": sorted({row[0] for row in rows})}
    ).fetchall():
        contours[uid, number].append(np.asarray(points, dtype=np.float64).reshape(-1, 3))
    return [
        (RoiSource(uid, number, str(label), tuple(contours[uid, number]), path), _text(code))
        for uid, number, label, code, path in rows
        if path is not None or contours[uid, number]
    ]


def _text(value: object) -> str | None:
    return None if value is None else str(value)
