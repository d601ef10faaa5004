"""Frames of a segmentation object, whatever its encoding."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from schemas.geometry import Geometry
from tasks.dicom import values
from tasks.dicom.elements import DatasetElements
from tasks.dicom.functional_groups import read_frames
from tasks.dicom.pixels import decoded_pixels, transfer_syntax
from tasks.dicom.slices import PixelFormat, read_pixel_format
from tasks.dicom.sparse_stack import sparse_geometry
from tasks.ingest.limits import Limits

#: A voxel of a fractional segmentation belongs to the segment from this fraction on.
FRACTION_LIMIT: Final = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SegmentFrames:
    """Decoded frames of one segmentation.

    Parameters
    ----------
    frames : ndarray, (frame, y, x)
        Bool for binary and fractional, segment numbers for label maps.
    plane : ndarray, (frame,), intp
        Plane of each frame in `geometry`.
    segment_numbers : tuple of int, or None
        Segment of each frame; None for label maps.
    geometry : Geometry
        Smallest grid that holds all frames.
    segmentation_type : str
        BINARY, FRACTIONAL or LABELMAP.
    notes : dict
        How fractions were turned into a mask.
    """

    frames: NDArray[Any]
    plane: NDArray[np.intp]
    segment_numbers: tuple[int, ...] | None
    geometry: Geometry
    segmentation_type: str
    notes: dict[str, object] = field(default_factory=dict)

    @property
    def numbers_found(self) -> list[int]:
        """Segment numbers that occur in the frames."""
        if self.segment_numbers is not None:
            return sorted(set(self.segment_numbers))
        return [int(n) for n in np.unique(self.frames) if n != 0]

    def planes(self) -> Iterator[tuple[int, int, NDArray[np.bool_]]]:
        """Segment number, plane index and mask (y, x) of each frame and segment."""
        for index, frame in enumerate(self.frames):
            plane = int(self.plane[index])
            if self.segment_numbers is not None:
                yield self.segment_numbers[index], plane, frame
                continue
            for number in np.unique(frame[frame != 0]):
                yield int(number), plane, frame == number


def read_segment_frames(dataset: Dataset, limits: Limits) -> SegmentFrames:
    """Decode a segmentation.

    Parameters
    ----------
    dataset : Dataset
        With pixel data.
    limits : Limits
        Sizes.

    Raises
    ------
    RejectedObjectError
        What is missing, contradictory, undecodable or too large.

    References
    ----------
    DICOM PS3.3 C.8.20.2 (Segmentation Image), PS3.5 section 8.1.1 (packing of single bits).
    """
    kind = values.text(dataset, "SegmentationType") or ""
    form = _pixel_format(dataset, kind)
    places = read_frames(dataset)
    plane, geometry = sparse_geometry(places, form.rows, form.columns)
    size = max(form.rows * form.columns * form.n_frames, int(np.prod(geometry.shape)))
    if size > limits.max_pixel_bytes:
        raise RejectedObjectError("oversized", f"over {limits.max_pixel_bytes} voxels")
    if kind == "LABELMAP":
        frames = decoded_pixels(dataset, form)
        return SegmentFrames(frames, plane, None, geometry, kind)
    numbers = [place.segment_number for place in places]
    if any(number is None for number in numbers):
        raise RejectedObjectError("missing_attribute", "ReferencedSegmentNumber is absent")
    notes: dict[str, object] = {}
    masks: NDArray[np.bool_]
    if kind == "BINARY":
        masks = _binary_frames(dataset, form)
    else:
        masks, notes = _fractional_frames(dataset, form)
    return SegmentFrames(
        masks, plane, tuple(n for n in numbers if n is not None), geometry, kind, notes
    )


def _pixel_format(dataset: Dataset, kind: str) -> PixelFormat:
    if kind not in ("BINARY", "FRACTIONAL", "LABELMAP"):
        raise RejectedObjectError("invalid_attribute", "SegmentationType is none of the defined")
    bits = values.number(dataset, "BitsAllocated")
    if kind == "BINARY" and bits == 1:
        sizes = [values.number(dataset, k) for k in ("Rows", "Columns", "NumberOfFrames")]
        rows, columns, n_frames = (int(size or 0) for size in sizes)
        if min(rows, columns, n_frames) < 1:
            raise RejectedObjectError("missing_attribute", "Rows, Columns or NumberOfFrames")
        return PixelFormat(rows, columns, n_frames, 1, 1, 0, is_signed=False)
    return read_pixel_format(DatasetElements(dataset))


def _binary_frames(dataset: Dataset, form: PixelFormat) -> NDArray[np.bool_]:
    """Unpack single bits: frames follow each other without padding, least significant bit first."""
    if form.bits_allocated != 1 or transfer_syntax(dataset).is_compressed:
        return decoded_pixels(dataset, form).astype(np.bool_)
    packed = np.frombuffer(dataset.get("PixelData") or b"", np.uint8)
    count = form.n_frames * form.rows * form.columns
    if packed.size * 8 < count:
        raise RejectedObjectError(
            "truncated", f"expected {-(-count // 8)} bytes of pixels, got {packed.size}"
        )
    bits = np.unpackbits(packed, count=count, bitorder="little")
    return bits.reshape(form.n_frames, form.rows, form.columns).view(np.bool_)


def _fractional_frames(
    dataset: Dataset, form: PixelFormat
) -> tuple[NDArray[np.bool_], dict[str, object]]:
    largest = values.number(dataset, "MaximumFractionalValue")
    if not largest:
        raise RejectedObjectError("missing_attribute", "MaximumFractionalValue is absent or 0")
    frames = decoded_pixels(dataset, form) >= FRACTION_LIMIT * largest
    kind = values.text(dataset, "SegmentationFractionalType")
    return frames, {"fractional_type": kind, "fraction_limit": FRACTION_LIMIT}
