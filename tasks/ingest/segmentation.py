"""DICOM SEG: masks and label maps on their own grid."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import Geometry
from schemas.records import Row
from schemas.volume import MaskVolume
from tasks.deidentify.descriptors import clean_label
from tasks.dicom import values
from tasks.dicom.parse import parse_dataset
from tasks.dicom.references import only, referenced_series
from tasks.dicom.variants import without
from tasks.ingest.codes import coded_text
from tasks.ingest.context import Context, Conversion
from tasks.ingest.findings import partial_series_findings
from tasks.ingest.identity import identity_of
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook
from tasks.ingest.segment_frames import SegmentFrames, read_segment_frames
from tasks.ingest.series_row import common_row

#: Parts of a SEG that its row in `series` does not need.
_BULK: Final = (
    "PerFrameFunctionalGroupsSequence", "SharedFunctionalGroupsSequence", "SegmentSequence",
    "DimensionIndexSequence", "PixelData",
)  # fmt: skip
#: Columns of the series row that each mask repeats.
_REPEATED: Final = (
    "series_instance_uid", "study_instance_uid", "frame_of_reference_uid",
    "referenced_series_uid", "deidentification", "input_digest",
)  # fmt: skip
Labels = NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True, slots=True)
class _Opened:
    """One SEG object with its masks and rows."""

    loaded: LoadedObject
    header: Dataset
    segments: list[Row]
    masks: list[MaskVolume]
    reference: str | None


def convert_segmentation(
    objects: Iterable[LoadedObject], context: Context, book: OutcomeBook
) -> Conversion:
    """Convert the segmentation objects of a series.

    Each object becomes one label map whose values are segment numbers, or one mask per segment
    where segments overlap; the attributes ``segment_numbers`` say which are in it. Numbers of the
    second and later objects of a series are raised by the highest number before.

    Parameters
    ----------
    objects : iterable of LoadedObject
        SEG objects of one series.
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
    DICOM PS3.3 C.8.20.
    """
    opened: list[_Opened] = []
    for loaded in objects:
        offset = max((n for o in opened for n in _numbers(o.segments)), default=0)
        try:
            opened.append(_open(loaded, offset, context))
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
    if not opened:
        raise RejectedObjectError("missing_attribute", "no usable segmentation in the series")
    header = opened[0].header
    digests = [o.loaded.digest for o in opened]
    row = common_row(header, context.clean(header), "segmentation", digests, context)
    row["referenced_series_uid"] = only(o.reference for o in opened)
    masks = [_with_series(mask, row) for o in opened for mask in o.masks]
    return Conversion(
        rows={
            "series": [row],
            "segments": [segment for o in opened for segment in o.segments],
            "findings": partial_series_findings(row, book.reasons(), None, len(opened)),
        },
        masks=tuple(masks),
        identity=identity_of(header, row),
    )


def _open(loaded: LoadedObject, offset: int, context: Context) -> _Opened:
    dataset = parse_dataset(loaded.data, with_pixels=True)
    frames = read_segment_frames(dataset, context.limits)
    reference = referenced_series(dataset)
    segments = _segment_rows(dataset, offset, context, reference)
    if not segments:
        raise RejectedObjectError("missing_attribute", "SegmentSequence is absent or empty")
    numbers = _numbers(segments)
    unknown = set(frames.numbers_found) - {n - offset for n in numbers}
    if unknown:
        raise RejectedObjectError(
            "invalid_attribute",
            f"frames of {len(unknown)} segments that are not described",
            ["SegmentSequence", "ReferencedSegmentNumber"],
        )
    return _Opened(
        loaded=loaded,
        header=without(dataset, _BULK),
        segments=segments,
        masks=_masks(frames, numbers, offset),
        reference=context.uid(reference),
    )


def _masks(frames: SegmentFrames, numbers: list[int], offset: int) -> list[MaskVolume]:
    """One label map, or one mask per segment where segments overlap."""
    dtype = np.uint8 if max(numbers) <= np.iinfo(np.uint8).max else np.uint16
    shared = np.zeros(frames.geometry.shape, dtype)
    overlap = False
    for number, plane, mask in frames.planes():
        labels = shared[plane]
        overlap = overlap or bool((labels[mask] != 0).any())
        labels[mask] = number + offset
    base = {"segmentation_type": frames.segmentation_type, **frames.notes}
    if not overlap:
        return [_mask(shared, frames.geometry, numbers, {**base, "encoding": "label_map"})]
    return [
        _mask(
            _single(frames, number - offset, number, dtype),
            frames.geometry,
            [number],
            {**base, "encoding": "mask"},
        )
        for number in numbers
    ]


def _single(frames: SegmentFrames, wanted: int, value: int, dtype: type) -> Labels:
    labels: Labels = np.zeros(frames.geometry.shape, dtype)
    for number, plane, mask in frames.planes():
        if number == wanted:
            labels[plane][mask] = value
    return labels


def _mask(
    labels: Labels, geometry: Geometry, numbers: Iterable[int], attributes: dict[str, object]
) -> MaskVolume:
    return MaskVolume(labels, geometry, {**attributes, "segment_numbers": list(numbers)})


def _with_series(mask: MaskVolume, row: Row) -> MaskVolume:
    known = {name: row[name] for name in _REPEATED if row.get(name) is not None}
    return MaskVolume(mask.labels, mask.geometry, {**mask.attributes, **known})


def _segment_rows(
    dataset: Dataset, offset: int, context: Context, reference: str | None
) -> list[Row]:
    rows: list[Row] = []
    for segment in values.items(dataset, "SegmentSequence"):
        number = values.number(segment, "SegmentNumber")
        if number == 0 and _is_background(segment):
            continue
        if number is None or number < 1:
            raise RejectedObjectError("invalid_attribute", "SegmentNumber is absent or below 1")
        rows.append(
            {
                "segmentation_series_uid": context.uid(values.text(dataset, "SeriesInstanceUID")),
                "segment_number": int(number) + offset,
                "segment_label": clean_label(values.text(segment, "SegmentLabel") or ""),
                "segment_kind": "mask",
                "property_code": coded_text(segment, "SegmentedPropertyTypeCodeSequence"),
                "referenced_series_uid": context.uid(reference),
                "frame_of_reference_uid": context.uid(values.text(dataset, "FrameOfReferenceUID")),
            }
        )
    return rows


def _is_background(segment: Dataset) -> bool:
    """Label maps may describe 0 as background; nothing else may have number 0."""
    code = coded_text(segment, "SegmentedPropertyTypeCodeSequence")
    return code in ("DCM:125040", None)


def _numbers(segments: list[Row]) -> list[int]:
    return [int(str(s["segment_number"])) for s in segments]
