"""The top-level elements of a data set, found without interpreting them.

Siblings of a slice differ in a handful of elements. Walking over the element headers and decoding
only those is many times quicker than building a full data set; anything unusual raises, and the
caller parses the object with pydicom instead.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from tasks.dicom.encoding import LONG_VR, Layout

PIXEL_DATA: Final = 0x7FE00010
_UNDEFINED: Final = 0xFFFFFFFF
_ITEM: Final = 0xFFFEE000
_ITEM_END: Final = 0xFFFEE00D
_SEQUENCE_END: Final = 0xFFFEE0DD
_MAX_DEPTH: Final = 32
#: Top-level elements of a quickly read header; images have up to a few thousand.
_MAX_ELEMENTS: Final = 50_000

_IMPLICIT = struct.Struct("<HHI").unpack_from
_EXPLICIT = struct.Struct("<HH2sH").unpack_from
_LONG = struct.Struct("<I").unpack_from


class UnusualEncodingError(Exception):
    """The elements cannot be walked over; pydicom has to look at them."""


class BytesEndError(UnusualEncodingError):
    """The bytes end inside an element; more of them may help.

    Parameters
    ----------
    found : mapping
        The elements that were complete: tag to (offset, length) of the value.
    """

    def __init__(self, found: Mapping[int, tuple[int, int]]) -> None:
        super().__init__("the bytes end inside an element")
        self.found = dict(found)


class Elements(Protocol):
    """Values of top-level elements by tag."""

    def text(self, tag: int) -> str | None:
        """Text as in the file, values separated by backslash; None if absent or empty."""
        ...

    def integer(self, tag: int) -> int | None:
        """First value of a US element; None if absent or empty."""
        ...

    def __contains__(self, tag: int) -> bool: ...


def find_elements(
    data: bytes, layout: Layout, stop: int = PIXEL_DATA
) -> dict[int, tuple[int, int]]:
    """Walk over the top-level elements up to and including `stop`.

    Parameters
    ----------
    data : bytes
        The object, or its beginning.
    layout : Layout
        Of the same bytes; little endian, not deflated.
    stop : int
        Tag at which to stop; its value need not be there.

    Returns
    -------
    dict
        Tag to (offset, length) of the value; length 0xFFFFFFFF if undefined.

    Raises
    ------
    UnusualEncodingError
        Tags out of order, unknown lengths.
    BytesEndError
        The bytes end before `stop` although an element announced more.
    """
    found: dict[int, tuple[int, int]] = {}
    position, end, last = layout.start, len(data), 0
    explicit, vr = layout.is_explicit, b""
    while position + 8 <= end:
        if explicit:
            group, element, vr, length = _EXPLICIT(data, position)
            value = position + 8
            if vr in LONG_VR:
                if value + 4 > end:
                    raise BytesEndError(found)
                length = _LONG(data, value)[0]
                value += 4
        else:
            group, element, length = _IMPLICIT(data, position)
            value = position + 8
        tag = group << 16 | element
        if tag <= last:
            raise UnusualEncodingError("elements are out of order")
        last = tag
        if tag >= stop:
            found[tag] = (value, length)
            return found
        if len(found) > _MAX_ELEMENTS:
            raise UnusualEncodingError("more elements than images have")
        if length == _UNDEFINED:
            # UN of undefined length is a sequence in implicit VR (PS3.5 6.2.2).
            inner = explicit and vr != b"UN"
            position = _end_of_sequence(data, value, explicit=inner, depth=0, found=found)
            found[tag] = (value, position - value)
            continue
        position = value + length
        if position > end:
            raise BytesEndError(found)
        found[tag] = (value, length)
    if position != end:
        raise BytesEndError(found)
    return found


def _end_of_sequence(
    data: bytes, position: int, *, explicit: bool, depth: int, found: Mapping[int, tuple[int, int]]
) -> int:
    """Offset behind the delimiter of a sequence of undefined length."""
    end = len(data)
    if depth > _MAX_DEPTH:
        raise UnusualEncodingError("sequences nested too deeply")
    while position + 8 <= end:
        group, element, length = _IMPLICIT(data, position)
        tag = group << 16 | element
        position += 8
        if tag == _SEQUENCE_END:
            return position
        if tag != _ITEM:
            raise UnusualEncodingError("no item where one is due")
        if length == _UNDEFINED:
            position = _end_of_item(data, position, explicit=explicit, depth=depth, found=found)
        else:
            position += length
    raise BytesEndError(found)


def _end_of_item(
    data: bytes, position: int, *, explicit: bool, depth: int, found: Mapping[int, tuple[int, int]]
) -> int:
    """Offset behind the delimiter of an item of undefined length."""
    end = len(data)
    while position + 8 <= end:
        group, element, length = _IMPLICIT(data, position)
        if group << 16 | element == _ITEM_END:
            return position + 8
        value, inner = position + 8, explicit
        if explicit:
            vr, length = data[position + 4 : position + 6], length >> 16
            inner = vr != b"UN"
            if vr in LONG_VR:
                if value + 4 > end:
                    break
                length = _LONG(data, value)[0]
                value += 4
        if length == _UNDEFINED:
            position = _end_of_sequence(data, value, explicit=inner, depth=depth + 1, found=found)
        else:
            position = value + length
    raise BytesEndError(found)


class RawElements:
    """Values decoded on demand from the bytes of a little-endian object.

    Parameters
    ----------
    data : bytes
        The object.
    found : mapping
        From `find_elements`.
    """

    __slots__ = ("data", "found")

    def __init__(self, data: bytes, found: Mapping[int, tuple[int, int]]) -> None:
        self.data = data
        self.found = found

    def __contains__(self, tag: int) -> bool:
        return tag in self.found

    def value(self, tag: int) -> bytes | None:
        """Bytes of an element; None if absent."""
        place = self.found.get(tag)
        if place is None:
            return None
        offset, length = place
        return self.data[offset : offset + length]

    def tags(self) -> Iterable[int]:
        """Tags of all elements, ascending."""
        return self.found

    def text(self, tag: int) -> str | None:
        """Text as in the file, without padding; None if absent or empty."""
        value = self.value(tag)
        return value.decode("latin-1").strip(" \0") or None if value else None

    def integer(self, tag: int) -> int | None:
        """First unsigned 16-bit value; None if absent or empty."""
        value = self.value(tag)
        return int.from_bytes(value[:2], "little") if value and len(value) > 1 else None

    def key(self, tags: frozenset[int]) -> bytes:
        """Join the bytes of those of `tags` that are there, to tell headers apart."""
        return b"\x1e".join(
            tag.to_bytes(4, "big") + (self.value(tag) or b"")
            for tag in self.tags()
            if tag in tags or (tag & 0x00010000 and is_private_quantity(tag))
        )

    def short_key(self, tags: frozenset[int]) -> tuple[int, bytes]:
        """Return a key that is quicker to make; equal ones mean equal keys, not the other way."""
        return 0, self.key(tags)


def is_private_quantity(tag: int) -> bool:
    """Private elements that SUV rules look at (GE 0009, Philips 7053, Siemens 0071)."""
    group, low = tag >> 16, tag & 0xFF
    if group == 0x0009:
        return low in (0x0D, 0x38, 0x39, 0x3B, 0x3C, 0x3D, 0x3F)
    return group in (0x7053, 0x0071)


class DatasetElements:
    """The same access to a data set that pydicom parsed."""

    __slots__ = ("dataset",)

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __contains__(self, tag: int) -> bool:
        return tag in self.dataset

    def text(self, tag: int) -> str | None:
        """Text, values joined by backslash; None if absent or empty."""
        if tag not in self.dataset:
            return None
        value = self.dataset[tag].value
        if value is None:
            return None
        values = value if isinstance(value, (MultiValue, list, tuple)) else [value]
        return "\\".join(_original_text(v) for v in values).strip(" \0") or None

    def integer(self, tag: int) -> int | None:
        """First value as an integer; None if absent, empty or no number."""
        if tag not in self.dataset:
            return None
        value = self.dataset[tag].value
        first = value[0] if isinstance(value, (MultiValue, list, tuple)) and value else value
        return int(first) if isinstance(first, int) else None

    def short_key(self, tags: frozenset[int]) -> tuple[int, bytes]:  # noqa: ARG002 - same interface
        """Return a key for the data set itself: frames that share it share everything in it."""
        return id(self.dataset), b""

    def key(self, tags: frozenset[int]) -> bytes:
        """Join the text of those of `tags` that are there, to tell headers apart."""
        return b"\x1e".join(
            int(tag).to_bytes(4, "big") + str(self.dataset[tag].value).encode()
            for tag in self.dataset.keys()  # noqa: SIM118 - a data set iterates over elements
            if int(tag) in tags or (int(tag) & 0x00010000 and is_private_quantity(int(tag)))
        )


def _original_text(value: object) -> str:
    """Return a DS or IS as it was written, everything else by ``str``."""
    original = getattr(value, "original_string", None)
    return original if isinstance(original, str) else "" if value is None else str(value)
