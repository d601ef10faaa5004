"""RTSTRUCT: regions as contours in patient space."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import FloatArray
from schemas.records import Row
from tasks.deidentify.descriptors import clean_label
from tasks.dicom import values
from tasks.dicom.parse import CONTOUR_DATA
from tasks.dicom.references import only
from tasks.findings.row import series_finding
from tasks.ingest.codes import coded_text
from tasks.ingest.context import Context, Conversion
from tasks.ingest.documents import read_documents
from tasks.ingest.findings import partial_series_findings
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.series_row import common_row

#: Parts that the row of the series does not need.
_BULK: Final = ("ROIContourSequence", "StructureSetROISequence", "RTROIObservationsSequence")


@dataclass(slots=True)
class _Regions:
    """Rows of the regions of one series as they grow, object by object."""

    segments: list[Row] = field(default_factory=list)
    contours: list[Row] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    references: list[str] = field(default_factory=list)

    @property
    def offset(self) -> int:
        """Added to the numbers of a further object, so that they stay unique in the series."""
        return max((int(str(s["segment_number"])) for s in self.segments), default=0)


def convert_contours(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the RT Structure Sets of a series.

    Numbers of the second and later objects of a series are raised by the highest number before, so
    that series and segment number stay a key.

    Parameters
    ----------
    objects : iterable of LoadedObject
        RTSTRUCT objects of one series.
    context : Context
        Pseudonyms, limits, profile.
    book : OutcomeBook
        Takes the outcome of objects that cannot be used.

    Raises
    ------
    RejectedObjectError
        If none can be used.

    References
    ----------
    DICOM PS3.3 C.8.8.5 and C.8.8.6.
    """
    regions = _Regions()
    used = read_documents(
        objects, book, "ROIContourSequence", lambda ds: _add_object(ds, context, regions), _BULK
    )
    if not used.headers:
        raise RejectedObjectError("missing_attribute", "no usable structure set in the series")
    header = used.headers[0]
    row = common_row(header, context.clean(header), "contours", used.digests, context)
    row["referenced_series_uid"] = only(regions.references)
    findings = partial_series_findings(row, book.reasons(), None, len(used.headers))
    findings += [
        series_finding(row, "ingest.unusable_contours", "fail", message)
        for message in dict.fromkeys(regions.problems)
    ]
    return Conversion(
        rows={
            "series": [row],
            "segments": regions.segments,
            "contours": regions.contours,
            "findings": findings,
        },
        identity=identity_of(header, row),
    )


def _add_object(dataset: Dataset, context: Context, regions: _Regions) -> None:
    described = values.items(dataset, "StructureSetROISequence")
    if not described:
        raise RejectedObjectError("missing_attribute", "StructureSetROISequence is absent or empty")
    offset = regions.offset
    series = context.uid(values.text(dataset, "SeriesInstanceUID"))
    drawn = {
        values.number(item, "ReferencedROINumber"): item
        for item in values.items(dataset, "ROIContourSequence")
    }
    observed = {
        values.number(item, "ReferencedROINumber"): item
        for item in values.items(dataset, "RTROIObservationsSequence")
    }
    references = _referenced_series(dataset)
    regions.references += [uid for uid in map(context.uid, references) if uid]
    for roi in described:
        number = values.number(roi, "ROINumber")
        if number is None:
            raise RejectedObjectError("missing_attribute", "ROINumber is absent or empty")
        key: Row = {"segmentation_series_uid": series, "segment_number": int(number) + offset}
        contours = _contour_rows(drawn.get(number, Dataset()), key, regions.problems)
        regions.contours += contours
        regions.segments.append(
            {
                **key,
                "segment_label": clean_label(values.text(roi, "ROIName") or ""),
                "segment_kind": "contours",
                "property_code": coded_text(
                    observed.get(number, Dataset()), "RTROIIdentificationCodeSequence"
                ),
                "n_contours": len(contours),
                "referenced_series_uid": context.uid(only(references)),
                "frame_of_reference_uid": context.uid(
                    values.text(roi, "ReferencedFrameOfReferenceUID")
                ),
            }
        )


def _contour_rows(drawn: Dataset, key: Row, problems: list[str]) -> list[Row]:
    """Rows of one region; none if one of its contours is unusable (half a region would mislead)."""
    rows: list[Row] = []
    for index, contour in enumerate(values.items(drawn, "ContourSequence")):
        points = _points(contour)
        if points is None:
            problems.append(
                f"Segment {key['segment_number']}: contour {index} is no list of finite points; "
                "the segment is kept without contours."
            )
            return []
        rows.append(
            {
                **key,
                "contour_index": index,
                "geometric_type": values.text(contour, "ContourGeometricType"),
                "points_lps_mm": points.tolist(),
            }
        )
    return rows


def _points(contour: Dataset) -> FloatArray | None:
    """Contour Data (3006,0050) as x, y, z of each point in turn; None if it is unusable."""
    raw: object = contour.get_item(CONTOUR_DATA) if CONTOUR_DATA in contour else None
    try:
        if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
            # Many times quicker than one DS object a number.
            text = raw.value.rstrip(b" \0")
            points = np.array(text.split(b"\\") if text else [], dtype=np.float64)
        else:
            points = np.array(values.values_of(contour, "ContourData"), dtype=np.float64)
    except (ValueError, TypeError):
        return None
    usable = points.size > 0 and points.size % 3 == 0 and bool(np.isfinite(points).all())
    return points if usable else None


def _referenced_series(dataset: Dataset) -> list[str]:
    """Original UIDs of the image series that the contours were drawn on."""
    return [
        uid
        for frame in values.items(dataset, "ReferencedFrameOfReferenceSequence")
        for study in values.items(frame, "RTReferencedStudySequence")
        for series in values.items(study, "RTReferencedSeriesSequence")
        if (uid := values.text(series, "SeriesInstanceUID"))
    ]
