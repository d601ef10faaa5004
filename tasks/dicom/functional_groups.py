"""Per-frame facts of multi-frame objects: position, orientation, spacing, segment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import tags, values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.slices import numbers

_PLANE_POSITION: Final = "PlanePositionSequence"
_PLANE_ORIENTATION: Final = "PlaneOrientationSequence"
_PIXEL_MEASURES: Final = "PixelMeasuresSequence"
_SEGMENT: Final = "SegmentIdentificationSequence"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where a frame lies; mm, LPS.

    Parameters
    ----------
    position, orientation, pixel_spacing : tuple of float
        Image Position, Image Orientation, Pixel Spacing.
    spacing_between_slices, slice_thickness : float or None
        As declared.
    segment_number : int or None
        Referenced Segment Number; None in label maps.
    """

    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    spacing_between_slices: float | None
    slice_thickness: float | None
    segment_number: int | None


def read_frames(dataset: Dataset) -> list[Frame]:
    """Read the functional groups of all frames; what is shared is given to each.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` or ``invalid_attribute``; ``unsupported_object`` for slides.

    References
    ----------
    DICOM PS3.3 C.7.6.16.
    """
    shared = values.first_item(dataset, "SharedFunctionalGroupsSequence")
    per_frame = values.items(dataset, "PerFrameFunctionalGroupsSequence")
    n_frames = values.number(dataset, "NumberOfFrames")
    if n_frames != len(per_frame):
        raise RejectedObjectError(
            "invalid_attribute",
            f"{len(per_frame)} functional groups, {n_frames} frames",
            ["NumberOfFrames", "PerFrameFunctionalGroupsSequence"],
        )
    return [_frame(item, shared) for item in per_frame]


def _frame(own: Dataset, shared: Dataset) -> Frame:
    if "PlanePositionSlideSequence" in own or "PlanePositionSlideSequence" in shared:
        raise RejectedObjectError("unsupported_object", "frames of a slide, not of a patient")
    position = DatasetElements(_group(own, shared, _PLANE_POSITION))
    orientation = DatasetElements(_group(own, shared, _PLANE_ORIENTATION))
    measures = _group(own, shared, _PIXEL_MEASURES)
    spacing = numbers(DatasetElements(measures), tags.PIXEL_SPACING, 2, "PixelSpacing")
    if min(spacing) <= 0:
        raise RejectedObjectError("invalid_attribute", "PixelSpacing must be positive")
    segment = values.number(_group(own, shared, _SEGMENT), "ReferencedSegmentNumber")
    return Frame(
        position=numbers(position, tags.IMAGE_POSITION, 3, "ImagePositionPatient"),
        orientation=numbers(orientation, tags.IMAGE_ORIENTATION, 6, "ImageOrientationPatient"),
        pixel_spacing=spacing,
        spacing_between_slices=values.number(measures, "SpacingBetweenSlices"),
        slice_thickness=values.number(measures, "SliceThickness"),
        segment_number=None if segment is None else int(segment),
    )


def _group(own: Dataset, shared: Dataset, keyword: str) -> Dataset:
    return values.first_item(own if keyword in own else shared, keyword)
