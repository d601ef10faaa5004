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
from tasks.dicom.classic_header import FrameElements
from tasks.dicom.elements import (
    BytesEndError,
    DatasetElements,
    RawElements,
    UnusualEncodingError,
    find_elements,
)
from tasks.dicom.encoding import Layout, read_layout
from tasks.dicom.parse import parse_dataset
from tasks.dicom.pixels import PixelArray, StoredArray, decoded_pixels, native_pixels
from tasks.dicom.siblings import Template
from tasks.dicom.slices import (
    PixelFormat,
    SliceHeader,
    read_sibling_header,
    read_slice_header,
)
from tasks.ingest.limits import Limits
from tasks.ingest.load import LoadedObject
from tasks.ingest.planes import PlaneStore

_UNDEFINED_LENGTH = 0xFFFFFFFF
#: Slices of a series differ in which optional elements they have; more kinds are not worth it.
_MAX_TEMPLATES = 6


@dataclass(frozen=True, slots=True, eq=False)
class OpenSlice:
    """A slice that is ready to be stacked.

    Parameters
    ----------
    loaded : LoadedObject
        The object, of which only the header may be left.
    header : SliceHeader
        Its geometry and pixel format.
    stored : ndarray, (y, x)
        Stored values.
    elements : RawElements, DatasetElements or FrameElements
        Its top-level elements.
    place : int or None
        Of the stored values in the `PlaneStore`, if they are there.
    """

    loaded: LoadedObject
    header: SliceHeader
    stored: PixelArray
    elements: RawElements | DatasetElements | FrameElements
    place: int | None = None

    def parse(self) -> Dataset:
        """Parse the whole header with pydicom."""
        if not isinstance(self.elements, RawElements):
            return self.elements.dataset
        return parse_dataset(self.loaded.data)


class SliceOpener:
    """Opens the slices of one series; what the first ones showed speeds up the others.

    Parameters
    ----------
    limits : Limits
        Sizes.
    planes : PlaneStore
        Takes the pixels.
    """

    def __init__(self, limits: Limits, planes: PlaneStore) -> None:
        self._limits = limits
        self._planes = planes
        self._templates: list[tuple[Template, SliceHeader]] = []

    def open(self, loaded: LoadedObject) -> OpenSlice:
        """Open one slice.

        Raises
        ------
        RejectedObjectError
            Why it cannot be used.
        """
        layout = read_layout(loaded.data)
        is_cut = False
        if layout is not None and layout.is_native:
            try:
                return self._open_native(loaded, layout)
            except BytesEndError:
                is_cut = True
            except UnusualEncodingError:
                pass
        return _open_parsed(loaded, self._limits, is_cut=is_cut)

    def _open_native(self, loaded: LoadedObject, layout: Layout) -> OpenSlice:
        elements, header = self._read_header(loaded.data, layout)
        place = elements.found.get(tags.PIXEL_DATA)
        if place is None or place[1] == _UNDEFINED_LENGTH:
            raise UnusualEncodingError("no plain pixel data")
        require_size(header.pixels, self._limits)
        frame = _only_frame(native_pixels(loaded.data, *place, header.pixels))
        stored, number = self._planes.keep(frame)
        beginning = loaded.beginning(place[0])
        elements.data = beginning.data
        return OpenSlice(beginning, header, stored, elements, number)

    def _read_header(self, data: bytes, layout: Layout) -> tuple[RawElements, SliceHeader]:
        for place, (template, base) in enumerate(self._templates):
            sibling = template.match(data, layout)
            if sibling is not None:
                if place:  # neighbours are alike: try this one first next time
                    self._templates.insert(0, self._templates.pop(place))
                return sibling, read_sibling_header(sibling, sibling.found, base)
        elements = RawElements(data, find_elements(data, layout))
        header = read_slice_header(elements)
        known = any(template.learn(elements) for template, _ in self._templates)
        if not known and len(self._templates) < _MAX_TEMPLATES:
            self._templates.insert(0, (Template(layout, elements), header))
        return elements, header


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
            ["Rows", "Columns", "NumberOfFrames"],
        )


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


def stack_pixels(slices: list[OpenSlice], planes: PlaneStore) -> PixelArray:
    """Stack stored values in the order given.

    Parameters
    ----------
    slices : list of OpenSlice
        In slice order.
    planes : PlaneStore
        That they were opened with.

    Returns
    -------
    ndarray, (z, y, x), uint8, int16, uint16, int32, float32 or float64
        The narrowest integers that hold every stored value exactly; floating point as it is.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if a value needs more than 32 signed bits.
    """
    dtype = volume_dtype([s.stored for s in slices])
    first = slices[0].stored
    places = [s.place for s in slices if s.place is not None]
    if len(places) == len(slices) and first.dtype == dtype:
        return planes.ordered(places)
    volume = np.empty((len(slices), *first.shape), dtype)
    for plane, item in zip(volume, slices, strict=True):
        plane[...] = item.stored
    return volume


def volume_dtype(arrays: list[PixelArray]) -> np.dtype[np.number[Any]]:
    """Narrowest stored dtype for arrays of possibly different dtypes.

    Raises
    ------
    RejectedObjectError
        ``invalid_attribute`` if a value needs more than 32 signed bits.
    """
    common = np.result_type(*{a.dtype for a in arrays})
    if common.kind == "f":
        return common
    for allowed in (np.uint8, np.int16, np.uint16, np.int32):
        if np.can_cast(common, allowed):
            return np.dtype(allowed)
    if max(int(a.max()) for a in arrays) > np.iinfo(np.int32).max:
        raise RejectedObjectError("invalid_attribute", "stored values need more than 32 bits")
    return np.dtype(np.int32)
