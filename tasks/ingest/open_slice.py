"""Open the slices of a series: header values and stored pixels of each.

The quick way walks over the elements of an uncompressed object; anything unusual is parsed by
pydicom. Both give the same (`tests/property/test_slice_paths.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom.dataset import Dataset

from schemas.errors import RejectedObjectError
from tasks.dicom import tags
from tasks.dicom.elements import (
    BytesEndError,
    DatasetElements,
    RawElements,
    UnusualEncodingError,
    find_elements,
)
from tasks.dicom.encoding import read_layout
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import StoredArray, decoded_pixels, native_pixels
from tasks.dicom.slices import PixelFormat, SliceHeader, read_slice_header
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.outcomes import OutcomeBook

_UNDEFINED_LENGTH = 0xFFFFFFFF


@dataclass(frozen=True, slots=True, eq=False)
class OpenSlice:
    """A slice that is ready to be stacked.

    Parameters
    ----------
    loaded : LoadedObject
        The object.
    header : SliceHeader
        Its geometry and pixel format.
    stored : ndarray, (y, x)
        Stored values; may be a view of the object's bytes.
    elements : RawElements or DatasetElements
        Its top-level elements.
    """

    loaded: LoadedObject
    header: SliceHeader
    stored: StoredArray
    elements: RawElements | DatasetElements

    def parse(self) -> Dataset:
        """Parse the whole header with pydicom."""
        if isinstance(self.elements, DatasetElements):
            return self.elements.dataset
        return parse_dataset(self.loaded.data)


def open_slices(
    objects: list[LoadedObject], limits: Limits, book: OutcomeBook, *, fast: bool = True
) -> list[OpenSlice]:
    """Open every object; those that cannot be opened are quarantined one by one.

    Parameters
    ----------
    objects : list of LoadedObject
        Single-frame images.
    limits : Limits
        Sizes.
    book : OutcomeBook
        Takes the outcome of what cannot be opened.
    fast : bool
        False to leave everything to pydicom.
    """
    opened = []
    for loaded in objects:
        try:
            opened.append(_open(loaded, limits, fast=fast))
        except RejectedObjectError as error:
            book.reject(loaded.item, error)
    return opened


def require_size(form: PixelFormat, limits: Limits) -> None:
    """Refuse pixel data beyond the limit before it is decoded.

    Raises
    ------
    RejectedObjectError
        ``oversized``.
    """
    if form.n_bytes > limits.max_pixel_bytes:
        raise RejectedObjectError(
            "oversized",
            f"{form.rows} x {form.columns} x {form.n_frames}: over {limits.max_pixel_bytes} bytes",
        )


def _open(loaded: LoadedObject, limits: Limits, *, fast: bool) -> OpenSlice:
    data, is_cut = loaded.data, False
    layout = read_layout(data)
    if fast and layout is not None and layout.is_native:
        try:
            found = find_elements(data, layout)
        except BytesEndError:
            is_cut = True
        except UnusualEncodingError:
            pass
        else:
            offset, length = found.get(tags.PIXEL_DATA, (0, _UNDEFINED_LENGTH))
            if length != _UNDEFINED_LENGTH:
                elements = RawElements(data, found)
                header = read_slice_header(elements)
                require_size(header.pixels, limits)
                frames = native_pixels(data, offset, length, header.pixels)
                return OpenSlice(loaded, header, _only_frame(frames), elements)
    return _open_parsed(loaded, limits, is_cut=is_cut)


def _open_parsed(loaded: LoadedObject, limits: Limits, *, is_cut: bool) -> OpenSlice:
    dataset = parse_dataset(loaded.data, with_pixels=True)
    if "PixelData" not in dataset:
        if is_cut:
            raise RejectedObjectError("truncated", "the object ends before its pixel data")
        raise RejectedObjectError("missing_attribute", "PixelData is absent")
    parsed = DatasetElements(dataset)
    header = read_slice_header(parsed)
    require_size(header.pixels, limits)
    frames = decoded_pixels(dataset, header.pixels)
    del dataset.PixelData
    return OpenSlice(loaded, header, _only_frame(frames), parsed)


def _only_frame(frames: StoredArray) -> StoredArray:
    if len(frames) != 1:
        raise RejectedObjectError("unsupported_object", f"expected 1 frame, got {len(frames)}")
    frame: StoredArray = frames[0]
    return frame


def stack_pixels(slices: list[OpenSlice]) -> StoredArray:
    """Stack stored values in the order given.

    Returns
    -------
    ndarray, (z, y, x), uint8, int16, uint16 or int32
        The narrowest of these that holds every stored value exactly.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if a value needs more than 32 signed bits.
    """
    dtype = volume_dtype([s.stored for s in slices])
    first = slices[0].stored
    volume = np.empty((len(slices), *first.shape), dtype)
    for plane, item in zip(volume, slices, strict=True):
        plane[...] = item.stored
    return volume


def volume_dtype(arrays: list[StoredArray]) -> np.dtype[np.integer[Any]]:
    """Narrowest stored dtype for arrays of possibly different dtypes.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if a value needs more than 32 signed bits.
    """
    common = np.result_type(*{a.dtype for a in arrays})
    for allowed in (np.uint8, np.int16, np.uint16, np.int32):
        if np.can_cast(common, allowed):
            return np.dtype(allowed)
    if max(int(a.max()) for a in arrays) > np.iinfo(np.int32).max:
        raise RejectedObjectError("invalid_attribute", "stored values need more than 32 bits")
    return np.dtype(np.int32)
