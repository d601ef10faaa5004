"""Values of elements as text, and checks of raw bytes, without pydicom's conversions.

A conversion would cost most of the time, warn about values that are going to be dropped anyway and
change the data set that it is asked of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from pydicom.config import IGNORE
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.tag import BaseTag

Element = DataElement | RawDataElement

#: Bytes per value of the binary representations.
_WIDTH: Final = {
    "US": 2, "SS": 2, "US or SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "UV": 8, "SV": 8, "FD": 8,
}  # fmt: skip
_BINARY_FORMATS: Final = frozenset(_WIDTH) | {"OV"}
_NUMBER_TEXT: Final = frozenset({"DS", "IS"})
_NUMERIC: Final = _BINARY_FORMATS | _NUMBER_TEXT
_NUMBER: Final = rb" *(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)? *"
_NUMBERS: Final = re.compile(_NUMBER + rb"(?:\\" + _NUMBER + rb")*\0?")
#: Text that a backslash does not split.
_SINGLE_TEXT: Final = frozenset({"LT", "ST", "UT"})


def element_of(dataset: Dataset, tag: BaseTag) -> Element | None:
    """Return the element as it is stored, raw if nobody has converted it yet."""
    element: Element | None = dataset.get_item(tag)
    return element


def texts(element: Element | None) -> list[str]:
    """Values of a text element, without padding.

    Bytes are read as UTF-8 or else as Latin-1: what other character sets garble is neither an
    allowed word nor a date, hence dropped.
    """
    if element is None or element.value is None:
        return []
    value = element.value
    if isinstance(value, bytes):
        text = _decoded(value)
        parts = [text] if element.VR in _SINGLE_TEXT else text.split("\\")
    elif isinstance(value, MultiValue | list | tuple):
        parts = [str(v) for v in value]
    else:
        parts = [str(value)]
    return [part.strip(" \0\t\r\n") for part in parts]


def first_text(dataset: Dataset, tag: BaseTag) -> str:
    """Return the whole text of an element, values joined by a backslash; empty if absent."""
    return "\\".join(texts(element_of(dataset, tag)))


def _decoded(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value.decode("latin-1")


def new_element(tag: int, vr: str, values: Iterable[str]) -> DataElement:
    """Text element with these values, which need no further check."""
    listed = list(values)
    value = listed if len(listed) > 1 else (listed[0] if listed else "")
    return DataElement(tag, vr, value, validation_mode=IGNORE)


def checked_number(element: Element, vr: str, max_values: int | None) -> Element | None:
    """Return a numeric element as it is, or None if it does not hold what it should.

    Parameters
    ----------
    element : DataElement or RawDataElement
        The element.
    vr : str
        Representation that the dictionary asks for.
    max_values : int or None
        Largest number of values; None where open.
    """
    if not isinstance(element, RawDataElement):
        # Set in memory: pydicom has made it a number, or it is none.
        found = vr if element.VR == "UN" else element.VR
        return element if found in _NUMERIC and _is_numeric(element) else None
    if element.value is None:
        return None
    if vr in _NUMBER_TEXT or element.VR in _NUMBER_TEXT:
        fits = _NUMBERS.fullmatch(element.value) is not None
        safe = element if element.VR in _NUMBER_TEXT else element._replace(VR=vr)
    else:
        found = vr if element.VR in {None, "UN"} else str(element.VR)
        longest = len(element.value) if max_values is None else max_values * _WIDTH.get(found, 8)
        fits = found in _BINARY_FORMATS and len(element.value) <= longest
        safe = element._replace(VR=vr) if element.VR == "UN" else element
    return safe if fits else None


def _is_numeric(element: DataElement) -> bool:
    value = element.value
    values = value if isinstance(value, MultiValue | list | tuple) else [value]
    return all(v is None or v == "" or isinstance(v, int | float) or _parses(v) for v in values)


def _parses(value: object) -> bool:
    # Decimal (DS) and numeric strings; everything else is no number.
    return bool(_NUMBERS.fullmatch(str(value).encode("utf-8", "replace")))
