"""What each slice of a series says about itself: position, pixel format, rescaling."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from schemas.errors import RejectedObjectError
from tasks.dicom import tags
from tasks.dicom.elements import Elements

#: What may differ between slices at the same place if they belong to different times, gates,
#: echoes, acquisitions or kinds of image.
_TIME_TAGS: Final = (
    tags.ACQUISITION_DATE,
    tags.ACQUISITION_TIME,
    tags.ACQUISITION_DATETIME,
    tags.ACQUISITION_NUMBER,
    tags.TEMPORAL_POSITION,
    tags.TRIGGER_TIME,
    tags.FRAME_REFERENCE_TIME,
    tags.ECHO_TIME,
    tags.ACTUAL_FRAME_DURATION,
    tags.STACK_ID,
    tags.IMAGE_TYPE,
    tags.DIFFUSION_B_VALUE,
)
_TIME_TAG_SET: Final = frozenset(_TIME_TAGS)
#: What a sibling must have in common with another slice to take over its structure.
_STRUCTURE_TAGS: Final = frozenset(
    {
        tags.SAMPLES_PER_PIXEL, tags.PHOTOMETRIC_INTERPRETATION, tags.NUMBER_OF_FRAMES, tags.ROWS,
        tags.COLUMNS, tags.PIXEL_SPACING, tags.BITS_ALLOCATED, tags.BITS_STORED, tags.HIGH_BIT,
        tags.PIXEL_REPRESENTATION, tags.IMAGE_ORIENTATION,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class PixelFormat:
    """How the stored pixel values are laid out.

    Parameters
    ----------
    rows, columns, n_frames : int
        Size.
    bits_allocated, bits_stored, high_bit : int
        Of each value; bits outside ``high_bit - bits_stored + 1 ... high_bit`` are not image.
    is_signed : bool
        Pixel Representation.
    """

    rows: int
    columns: int
    n_frames: int
    bits_allocated: int
    bits_stored: int
    high_bit: int
    is_signed: bool

    @property
    def dtype(self) -> np.dtype[np.integer[Any]]:
        """Little-endian dtype of the allocated bits."""
        kind = "i" if self.is_signed else "u"
        return np.dtype(f"<{kind}{self.bits_allocated // 8}")

    @property
    def n_bytes(self) -> int:
        """Bytes of the decoded pixel data."""
        return self.rows * self.columns * self.n_frames * self.bits_allocated // 8


@dataclass(frozen=True, slots=True)
class SliceHeader:
    """One slice as its header describes it; lengths in mm, patient coordinates LPS.

    Parameters
    ----------
    sop_instance_uid : str
        Original.
    pixels : PixelFormat
        Layout of the stored values.
    position : tuple of float
        Image Position (Patient): centre of the first voxel.
    orientation : tuple of float
        Image Orientation (Patient): direction of rows (x), then of columns (y).
    pixel_spacing : tuple of float
        Between rows, between columns.
    slope, intercept : float
        Rescale Slope and Intercept; 1 and 0 where absent.
    time_key : str
        Differs between slices of different time frames, gates or echoes.
    modality : str
        Modality.
    """

    sop_instance_uid: str
    pixels: PixelFormat
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    pixel_spacing: tuple[float, ...]
    slope: float
    intercept: float
    time_key: str
    modality: str


def read_slice_header(elements: Elements, pixels: PixelFormat | None = None) -> SliceHeader:
    """Read the header of a single-frame image, or the classic header of a frame.

    Parameters
    ----------
    elements : Elements
        Of the image.
    pixels : PixelFormat or None
        Layout of its stored values, where it is known already; None: read it, too.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` or ``invalid_attribute``, naming the attribute.
    """
    uid = elements.text(tags.SOP_INSTANCE_UID)
    if not uid:
        raise RejectedObjectError("missing_attribute", "SOPInstanceUID is absent or empty")
    spacing = numbers(elements, tags.PIXEL_SPACING, 2, "PixelSpacing")
    if min(spacing) <= 0:
        raise RejectedObjectError("invalid_attribute", "PixelSpacing must be positive")
    slope, intercept = read_rescale(elements)
    return SliceHeader(
        sop_instance_uid=uid,
        pixels=read_pixel_format(elements) if pixels is None else pixels,
        position=numbers(elements, tags.IMAGE_POSITION, 3, "ImagePositionPatient"),
        orientation=numbers(elements, tags.IMAGE_ORIENTATION, 6, "ImageOrientationPatient"),
        pixel_spacing=spacing,
        slope=slope,
        intercept=intercept,
        time_key=time_key(elements),
        modality=elements.text(tags.MODALITY) or "",
    )


def read_sibling_header(
    elements: Elements, differing: Collection[int], base: SliceHeader
) -> SliceHeader:
    """Read the header of a slice of which only some elements differ from another.

    Parameters
    ----------
    elements : Elements
        Of the slice.
    differing : collection of int
        Tags that may differ.
    base : SliceHeader
        Header of the other slice.

    Raises
    ------
    RejectedObjectError
        As `read_slice_header`.
    """
    uid = elements.text(tags.SOP_INSTANCE_UID)
    if not uid or not _STRUCTURE_TAGS.isdisjoint(differing):
        return read_slice_header(elements)
    slope, intercept = read_rescale(elements)
    same_time = _TIME_TAG_SET.isdisjoint(differing)
    return SliceHeader(
        sop_instance_uid=uid,
        pixels=base.pixels,
        position=numbers(elements, tags.IMAGE_POSITION, 3, "ImagePositionPatient"),
        orientation=base.orientation,
        pixel_spacing=base.pixel_spacing,
        slope=slope,
        intercept=intercept,
        time_key=base.time_key if same_time else _sibling_time_key(elements, differing, base),
        modality=base.modality,
    )


def read_rescale(elements: Elements) -> tuple[float, float]:
    """Rescale Slope and Intercept, 1 and 0 where absent.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if the slope is 0 or either is no finite number.
    """
    slope = _optional_number(elements, tags.RESCALE_SLOPE, 1.0, "RescaleSlope")
    if slope == 0:
        raise RejectedObjectError("invalid_attribute", "RescaleSlope is 0")
    return slope, _optional_number(elements, tags.RESCALE_INTERCEPT, 0.0, "RescaleIntercept")


def read_pixel_format(elements: Elements) -> PixelFormat:
    """Read the layout of the stored values of a grey-scale image.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute``, ``invalid_attribute``, or ``unsupported_object`` for colour.
    """
    samples = elements.integer(tags.SAMPLES_PER_PIXEL) or 1
    photometric = elements.text(tags.PHOTOMETRIC_INTERPRETATION) or "MONOCHROME2"
    if samples != 1 or not photometric.startswith("MONOCHROME"):
        raise RejectedObjectError(
            "unsupported_object",
            "colour image, expected MONOCHROME",
            ["SamplesPerPixel", "PhotometricInterpretation"],
        )
    allocated = _count(elements, tags.BITS_ALLOCATED, "BitsAllocated")
    stored = elements.integer(tags.BITS_STORED) or allocated
    high_bit = elements.integer(tags.HIGH_BIT)
    high_bit = stored - 1 if high_bit is None else high_bit
    sign = elements.integer(tags.PIXEL_REPRESENTATION)
    if allocated not in (8, 16, 32) or not stored - 1 <= high_bit < allocated:
        raise RejectedObjectError(
            "invalid_attribute",
            f"bits allocated {allocated}, stored {stored}, high bit {high_bit} do not fit",
            ["BitsAllocated", "BitsStored", "HighBit"],
        )
    if sign is None:
        raise RejectedObjectError("missing_attribute", "PixelRepresentation is absent or empty")
    return PixelFormat(
        rows=_count(elements, tags.ROWS, "Rows"),
        columns=_count(elements, tags.COLUMNS, "Columns"),
        n_frames=_frames(elements),
        bits_allocated=allocated,
        bits_stored=stored,
        high_bit=high_bit,
        is_signed=bool(sign),
    )


def numbers(elements: Elements, tag: int, count: int, name: str) -> tuple[float, ...]:
    """Read exactly `count` finite numbers of a DS element.

    Raises
    ------
    RejectedObjectError
        ``missing_attribute`` or ``invalid_attribute``.
    """
    text = elements.text(tag)
    if text is None:
        raise RejectedObjectError("missing_attribute", f"{name} is absent or empty")
    return _parsed(text, count, name)


def _parsed(text: str, count: int, name: str) -> tuple[float, ...]:
    try:
        values = tuple([float(part) for part in text.split("\\")])
    except ValueError:
        raise RejectedObjectError("invalid_attribute", f"{name} is not numeric") from None
    if len(values) != count or not all(map(math.isfinite, values)):
        raise RejectedObjectError("invalid_attribute", f"{name}: expected {count} finite numbers")
    return values


def vectors(headers: list[SliceHeader], name: str) -> NDArray[np.float64]:
    """One attribute of all slices as an array (slice, component), float64."""
    return np.array([getattr(header, name) for header in headers], dtype=np.float64)


def time_values(header: SliceHeader) -> dict[int, str]:
    """Values by tag behind a slice's `time_key`; empty if they cannot be told apart."""
    parts = header.time_key.split("|")
    return dict(zip(_TIME_TAGS, parts, strict=True)) if len(parts) == len(_TIME_TAGS) else {}


def time_key(elements: Elements, own: Mapping[int, str] = MappingProxyType({})) -> str:
    """Join what tells slices at one place apart; `own` stands before what the elements say."""
    return "|".join([own[tag] if tag in own else elements.text(tag) or "" for tag in _TIME_TAGS])


def _sibling_time_key(elements: Elements, differing: Collection[int], base: SliceHeader) -> str:
    """Take over from the other slice what cannot differ."""
    parts = base.time_key.split("|")
    if len(parts) != len(_TIME_TAGS):
        return time_key(elements)
    return "|".join(
        [
            elements.text(tag) or "" if tag in differing else part
            for tag, part in zip(_TIME_TAGS, parts, strict=True)
        ]
    )


def _optional_number(elements: Elements, tag: int, default: float, name: str) -> float:
    text = elements.text(tag)
    return default if text is None else _parsed(text, 1, name)[0]


def _count(elements: Elements, tag: int, name: str) -> int:
    value = elements.integer(tag)
    if not value:
        raise RejectedObjectError("missing_attribute", f"{name} is absent, empty or 0")
    return value


def _frames(elements: Elements) -> int:
    text = elements.text(tags.NUMBER_OF_FRAMES)
    if text is None:
        return 1
    value = text.split("\\")[0].strip()
    # An IS has 12 characters at most; Python refuses to convert thousands of digits.
    if not value.isdecimal() or len(value) > 12 or int(value) < 1:
        raise RejectedObjectError("invalid_attribute", "NumberOfFrames is no positive integer")
    return int(value)
