"""Enhanced and Legacy Converted Enhanced PET, CT and MR: each frame becomes a slice."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import tags
from tasks.dicom.classic_header import (
    CommonElements,
    FrameElements,
    frame_attributes,
    object_attributes,
)
from tasks.dicom.elements import DatasetElements
from tasks.dicom.enhanced_pet import add_classic_corrections
from tasks.dicom.functional_groups import read_groups
from tasks.dicom.kinds import PROJECTIONS
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import PixelArray, decoded_pixels
from tasks.dicom.slices import (
    PixelFormat,
    read_pixel_format,
    read_slice_header,
)
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_slice import OpenSlice, require_size
from tasks.ingest.real_world import add_pet_units
from tasks.quantify.times import parse_offset

_MAPPINGS: Final = "RealWorldValueMappingSequence"


def open_enhanced(loaded: LoadedObject, limits: Limits) -> list[OpenSlice]:
    """Open an enhanced multi-frame image as slices with classic headers.

    Frames that are projections are left out, as localizers are among classic slices.

    Parameters
    ----------
    loaded : LoadedObject
        Enhanced or Legacy Converted Enhanced PET, CT or MR Image.
    limits : Limits
        Sizes.

    Raises
    ------
    RejectedObjectError
        Why it cannot be used.

    References
    ----------
    DICOM PS3.3 C.7.6.16 (functional groups), A.36, A.38, A.56, A.70 to A.72.
    """
    dataset = parse_dataset(loaded.data, with_pixels=True)
    form = read_pixel_format(DatasetElements(dataset))
    require_size(form, limits)
    frames = frame_elements(dataset)
    stored = decoded_pixels(dataset, form)
    return frame_slices(loaded, form, frames, stored)


def frame_elements(dataset: Dataset) -> list[FrameElements]:
    """Classic headers of the frames of a multi-frame object.

    Raises
    ------
    RejectedObjectError
        As `tasks.dicom.functional_groups.read_groups`.
    """
    groups = read_groups(dataset)
    flat = object_attributes(dataset, groups.shared)
    common = CommonElements(flat)
    local = parse_offset(dataset.get("TimezoneOffsetFromUTC"))
    frames = [FrameElements(common, frame_attributes(own, local)) for own in groups.per_frame]
    if common.text(tags.MODALITY) == "PT":
        add_classic_corrections(flat)
        for frame, own in zip(frames, groups.per_frame, strict=True):
            add_pet_units(frame, own if _MAPPINGS in own else groups.shared)
    return frames


def frame_slices(
    loaded: LoadedObject, form: PixelFormat, frames: list[FrameElements], stored: PixelArray
) -> list[OpenSlice]:
    """Make slices of frames and their stored values (frame, y, x).

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` or ``invalid_attribute``, naming the attribute; ``localizer`` if there
        are projections only.
    """
    # The bytes hold the pixels once more; nothing reads them again.
    emptied, plane = loaded.beginning(0), replace(form, n_frames=1)
    slices = [
        OpenSlice(emptied, read_slice_header(frame, plane), pixels, frame)
        for frame, pixels in zip(frames, stored, strict=True)
        if not _is_projection(frame)
    ]
    if not slices:
        raise RejectedObjectError("localizer", "all frames are projections", ["FrameType"])
    return slices


def _is_projection(frame: FrameElements) -> bool:
    kinds = (frame.text(tags.IMAGE_TYPE) or "").upper().split("\\")
    return not PROJECTIONS.isdisjoint(kinds)
