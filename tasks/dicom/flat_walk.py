"""All elements of a data set, nested ones too, one after the other without recursion."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from pydicom.datadict import dictionary_VR

from tasks.dicom.encoding import EXPLICIT_BIG, LONG_VR, Layout

UNDEFINED_LENGTH: Final = 0xFFFFFFFF
_DELIMITERS: Final = frozenset({0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD})
_PIXEL_GROUP: Final = 0x7FE0


@dataclass(frozen=True, slots=True)
class ElementPlace:
    """Where an element lies.

    Parameters
    ----------
    tag : int
        Group and element; items and delimiters (FFFE,xxxx) count as elements.
    vr : bytes
        As stated; empty in implicit VR and for items.
    start, value, length : int
        Offset of the tag and of the value; length as stated.
    """

    tag: int
    vr: bytes
    start: int
    value: int
    length: int


def walk_flat(data: bytes, layout: Layout) -> Iterator[ElementPlace]:
    """Walk over all elements up to the pixel data, in the order of their bytes.

    Sequences and items are entered instead of skipped, so that nesting costs nothing. Elements that
    announce more bytes than there are end the walk.

    Parameters
    ----------
    data : bytes
        The object.
    layout : Layout
        Of the same bytes; not deflated.

    References
    ----------
    DICOM PS3.5 section 7.
    """
    order = "big" if layout.transfer_syntax_uid == EXPLICIT_BIG else "little"
    explicit, position, end = layout.is_explicit, layout.start, len(data)
    while position + 8 <= end:
        place = _element(data, position, explicit, order)
        yield place
        if place.tag >> 16 == _PIXEL_GROUP:
            return
        position = place.value if _is_entered(place) else place.value + place.length


def _element(data: bytes, start: int, explicit: bool, order: str) -> ElementPlace:
    big = order == "big"
    number = int.from_bytes
    tag = number(data[start : start + 2], "big" if big else "little") << 16
    tag |= number(data[start + 2 : start + 4], "big" if big else "little")
    vr = data[start + 4 : start + 6] if explicit and tag not in _DELIMITERS else b""
    if not vr:
        at, size = start + 4, 4
    elif vr in LONG_VR:
        at, size = start + 8, 4
    else:
        at, size = start + 6, 2
    length = number(data[at : at + size], "big" if big else "little")
    return ElementPlace(tag, vr, start, at + size, length)


def _is_entered(place: ElementPlace) -> bool:
    if place.length == UNDEFINED_LENGTH or place.tag in _DELIMITERS or place.vr == b"SQ":
        return True
    return not place.vr and bool(is_sequence(place.tag))


@lru_cache(maxsize=4096)
def is_sequence(tag: int) -> bool | None:
    """Tell by the dictionary, as every reader of implicit VR has to; None if it has no such tag.

    Examples
    --------
    >>> is_sequence(0x00540016), is_sequence(0x00280010), is_sequence(0x00091001)
    (True, False, None)
    """
    try:
        return dictionary_VR(tag) == "SQ"
    except KeyError:
        return None
