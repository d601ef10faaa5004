"""Retain Safe Private: the few private elements that SUV needs, by creator and element.

References
----------
DICOM PS3.15 E.3.10 and Table E.3.10-1; conformance statements of the vendors.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag, Tag

from tasks.deidentify.dates import shift_dt
from tasks.deidentify.descriptors import clean_words
from tasks.deidentify.elements import Element, element_of, new_element, texts

_DECIMAL: Final = re.compile(r" *[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)? *")
_MANUFACTURER: Final = Tag(0x0008, 0x0070)


class _Block(NamedTuple):
    """Safe elements (VR by element) of one private creator, and words that name its maker."""

    creator: str
    group: int
    elements: dict[int, str]
    makers: tuple[str, ...]


SAFE_PRIVATE: Final = (
    _Block("Philips PET Private Group", 0x7053, {0x00: "DS", 0x09: "DS"}, ("philips",)),
    _Block(
        "GEMS_PETD_01",
        0x0009,
        {
            0x0D: "DT",  # scan
            0x36: "LO",  # tracer
            0x38: "FL",  # activity measured
            0x39: "DT",
            0x3A: "FL",  # volume
            0x3B: "DT",  # administration
            0x3C: "FL",  # activity left
            0x3D: "DT",
            0x3E: "SH",  # radionuclide
            0x3F: "FL",  # half-life
            0x40: "FL",  # positron fraction
        },
        ("ge",),
    ),
    _Block("SIEMENS MED PT", 0x0071, {0x22: "DT"}, ("siemens", "cps", "cti")),
)
_GROUPS: Final = frozenset(block.group for block in SAFE_PRIVATE)


def is_candidate(tag: int) -> bool:
    """Say whether a private tag lies in a group that has safe elements."""
    return (tag >> 16) in _GROUPS


def safe_private(dataset: Dataset, tags: Iterable[BaseTag], days: int) -> Iterator[DataElement]:
    """Safe private elements with their creators, dates shifted.

    Values are accepted only in the form that their element has by definition (a date-time, a
    number, allowed words), also when they come as UN. Objects that have lost their creators (other
    de-identifiers drop them) are read as if the creator stood in the first block, provided that
    the manufacturer fits.

    Parameters
    ----------
    dataset : Dataset
        The original data set or sequence item.
    tags : iterable of BaseTag
        Its private tags for which `is_candidate` holds.
    days : int
        Days to add to dates.

    Yields
    ------
    DataElement
        Creator and elements, with the VR of their definition.
    """
    listed = list(tags)
    creators = {
        tag: text[0]
        for tag in listed
        if 0x10 <= tag.element <= 0xFF and (text := texts(element_of(dataset, tag)))
    }
    for block in SAFE_PRIVATE:
        in_group = [tag for tag in listed if tag.group == block.group]
        for number in _block_numbers(block, in_group, creators, dataset):
            kept = [
                element
                for tag in in_group
                if tag.element >> 8 == number and (vr := block.elements.get(tag.element & 0xFF))
                if (element := _safe_value(element_of(dataset, tag), tag, vr, days))
            ]
            if kept:
                yield new_element(Tag(block.group, number), "LO", [block.creator])
                yield from kept


def _block_numbers(
    block: _Block, tags: list[BaseTag], creators: dict[BaseTag, str], dataset: Dataset
) -> list[int]:
    own = [tag.element for tag in tags if creators.get(tag) == block.creator]
    if own or not tags or any(tag in creators for tag in tags):
        return own
    maker = " ".join(texts(element_of(dataset, _MANUFACTURER))).lower().split()
    return [0x10] if any(word in maker for word in block.makers) else []


def _safe_value(element: Element | None, tag: BaseTag, vr: str, days: int) -> DataElement | None:
    if element is None or element.value in (None, "", b""):
        return None
    if vr == "FL":
        number = _float32(element)
        return None if number is None else DataElement(tag, "FL", number)
    text = "\\".join(texts(element))
    if vr == "DT":
        text = shift_dt(text, days)
    elif vr == "DS":
        text = text if _DECIMAL.fullmatch(text) else ""
    else:
        text = " ".join(clean_words(text))[: 16 if vr == "SH" else 64]
    return new_element(tag, vr, [text]) if text else None


def _float32(element: Element) -> float | None:
    value = element.value
    if isinstance(value, int | float):
        return float(value)
    if isinstance(value, bytes) and len(value) == 4:
        # UN is always little endian (PS3.5 section 6.2.2 note 2).
        little = getattr(element, "is_little_endian", True) or element.VR == "UN"
        number: float = struct.unpack("<f" if little else ">f", value)[0]
        return number
    return None
