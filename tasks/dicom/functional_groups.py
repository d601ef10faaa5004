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
_SLIDE: Final = "PlanePositionSlideSequence"


@dataclass(frozen=True, slots=True, eq=False)
class FunctionalGroups:
    """What a multi-frame object says about its frames.

    Parameters
    ----------
    shared : Dataset
        Groups that hold for every frame.
    per_frame : list of Dataset
        Groups of each frame, in the order of the frames.
    """

    shared: Dataset
    per_frame: list[Dataset]


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


def read_groups(dataset: Dataset) -> FunctionalGroups:
    """Read the functional groups, one item for each frame.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` if there are none, ``invalid_attribute`` if there are not as many as
        frames, ``unsupported_object`` for slides.

    References
    ----------
    DICOM PS3.3 C.7.6.16.
    """
    shared = values.first_item(dataset, "SharedFunctionalGroupsSequence")
    per_frame = values.items(dataset, "PerFrameFunctionalGroupsSequence")
    n_frames = values.number(dataset, "NumberOfFrames")
    if not per_frame:
        raise RejectedObjectError(
            "missing_attribute", "PerFrameFunctionalGroupsSequence is absent or empty"
        )
    if n_frames != len(per_frame):
        raise RejectedObjectError(
            "invalid_attribute",
            f"{len(per_frame)} functional groups, {n_frames} frames",
            ["NumberOfFrames", "PerFrameFunctionalGroupsSequence"],
        )
    if _SLIDE in shared or any(_SLIDE in own for own in per_frame):
        raise RejectedObjectError("unsupported_object", "frames of a slide, not of a patient")
    return FunctionalGroups(shared, per_frame)


def read_frames(dataset: Dataset) -> list[Frame]:
    """Read where all frames lie; what is shared is given to each.

    Raises
    ------
    RejectedObjectError
        As `read_groups`; ``missing_attribute`` or ``invalid_attribute``, naming the attribute.

    References
    ----------
    DICOM PS3.3 C.7.6.16.
    """
    groups = read_groups(dataset)
    return [_frame(item, groups.shared) for item in groups.per_frame]


def _frame(own: Dataset, shared: Dataset) -> Frame:
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
