"""Parametric maps: each frame becomes a slice, with the mapping that gives its values a meaning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import tags, values
from tasks.dicom.classic_header import FrameElements
from tasks.dicom.elements import DatasetElements
from tasks.dicom.functional_groups import read_groups
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import PixelArray, decoded_pixels, transfer_syntax
from tasks.dicom.slices import PixelFormat, read_pixel_format, time_key
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.open_enhanced import frame_elements, frame_slices
from tasks.ingest.open_slice import OpenSlice, require_size
from tasks.ingest.real_world import Mapping, read_mappings

_MAPPINGS: Final = "RealWorldValueMappingSequence"
#: Pixels as floating point numbers: keyword and bits of each value.
_FLOATS: Final = (("FloatPixelData", 32), ("DoubleFloatPixelData", 64))


def open_parametric(loaded: LoadedObject, limits: Limits) -> list[OpenSlice]:
    """Open a parametric map as slices.

    Parameters
    ----------
    loaded : LoadedObject
        Parametric Map.
    limits : Limits
        Sizes.

    Returns
    -------
    list of OpenSlice
        Slope and intercept are those of the Real World Value Mapping, which stays in the header.
        Frames of different quantities are told apart as kinds of image.

    Raises
    ------
    RejectedObjectError
        Why it cannot be used; ``missing_attribute`` without a mapping.

    References
    ----------
    DICOM PS3.3 A.75 (Parametric Map), C.8.32, C.7.6.24 and C.7.6.25 (Floating Point Image Pixel).
    """
    dataset = parse_dataset(loaded.data, with_pixels=True)
    form, keyword = _pixel_format(dataset)
    require_size(form, limits)
    frames = frame_elements(dataset)
    mapped = _add_mappings(dataset, frames)
    stored = _stored(dataset, form, keyword)
    slices = frame_slices(loaded, form, frames, stored)
    by_frame = dict(zip(map(id, frames), mapped, strict=True))
    return [_mapped(item, by_frame[id(item.elements)]) for item in slices]


def _pixel_format(dataset: Dataset) -> tuple[PixelFormat, str]:
    """Layout of the pixels, and the attribute that holds them."""
    for keyword, bits in _FLOATS:
        if keyword in dataset:
            # Floating point pixels have no sign and no stored bits to speak of.
            plain = Dataset()
            for name in ("Rows", "Columns", "NumberOfFrames", "SamplesPerPixel"):
                if name in dataset:
                    plain[name] = dataset[name]
            plain.BitsAllocated, plain.PixelRepresentation = 32, 1
            form = read_pixel_format(DatasetElements(plain))
            return replace(form, bits_allocated=bits, bits_stored=bits, high_bit=bits - 1), keyword
    return read_pixel_format(DatasetElements(dataset)), "PixelData"


def _stored(dataset: Dataset, form: PixelFormat, keyword: str) -> PixelArray:
    """Decode the stored values (frame, y, x): float32, float64 or integers."""
    if keyword == "PixelData":
        return decoded_pixels(dataset, form)
    data = dataset[keyword].value
    if not isinstance(data, bytes) or len(data) < form.n_bytes:
        raise RejectedObjectError(
            "truncated", f"expected {form.n_bytes} bytes of pixels", [keyword]
        )
    order = "<" if transfer_syntax(dataset).is_little_endian else ">"
    flat = np.frombuffer(data[: form.n_bytes], f"{order}f{form.bits_allocated // 8}")
    shaped = flat.reshape(form.n_frames, form.rows, form.columns)
    return shaped.astype(shaped.dtype.newbyteorder("="), copy=False)


def _add_mappings(dataset: Dataset, frames: Sequence[FrameElements]) -> list[Mapping]:
    """Put the mapping of each frame into its header; give what it says."""
    groups = read_groups(dataset)
    found = []
    for frame, own in zip(frames, groups.per_frame, strict=True):
        holder = next((g for g in (own, groups.shared, dataset) if _MAPPINGS in g), Dataset())
        mappings = read_mappings(holder)
        if not mappings:
            raise RejectedObjectError(
                "missing_attribute", "RealWorldValueMappingSequence has no linear mapping"
            )
        first = values.items(holder, _MAPPINGS)
        frame.own[tags.REAL_WORLD_MAPPING] = DataElement(tags.REAL_WORLD_MAPPING, "SQ", first)
        found.append(mappings[0])
    return found


def _mapped(item: OpenSlice, mapping: Mapping) -> OpenSlice:
    """Rescale by the mapping, and tell quantities apart as kinds of image are told apart."""
    assert isinstance(item.elements, FrameElements)
    quantity = f"{mapping.quantity_code or ''} {mapping.unit}"
    header = replace(
        item.header,
        slope=mapping.slope,
        intercept=mapping.intercept,
        time_key=time_key(item.elements, {tags.IMAGE_TYPE: quantity.replace("|", " ")}),
    )
    return replace(item, header=header)
