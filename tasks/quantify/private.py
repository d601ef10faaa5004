"""Values of private elements, found through their creator and decoded from any transfer syntax."""

from __future__ import annotations

import math
import struct
from typing import Final

from pydicom.dataset import Dataset
from pydicom.tag import Tag

GE_PETD: Final = "GEMS_PETD_01"
PHILIPS_PET: Final = "Philips PET Private Group"
SIEMENS_PT: Final = "SIEMENS MED PT"


def private_value(ds: Dataset, group: int, creator: str, element: int) -> object | None:
    """Raw value of a private element.

    The block is found through its creator. De-identifiers drop creators, so block 0x10 is tried
    when nobody else has reserved it.

    Parameters
    ----------
    ds : Dataset
        Header of one object.
    group, element : int
        Odd group and the low byte of the element, such as 0x0009 and 0x0D.
    creator : str
        Private creator; compared without case and padding.

    Returns
    -------
    object or None
        As pydicom holds it: bytes where the value representation was not known.

    References
    ----------
    DICOM PS3.5 section 7.8.1.

    Examples
    --------
    >>> ds = Dataset()
    >>> ds.private_block(0x7053, PHILIPS_PET, create=True).add_new(0x09, "DS", "1.5")
    >>> private_number(ds, 0x7053, PHILIPS_PET, 0x09)
    1.5
    """
    wanted = creator.casefold()
    # Shifts and masks because pydicom compares tags in Python, and keys() because values decode.
    of_group = [tag for tag in ds.keys() if tag >> 16 == group]  # noqa: SIM118
    if not of_group:
        return None
    for tag in (tag for tag in of_group if 0x10 <= tag & 0xFFFF <= 0xFF):
        if _text(ds[tag].value).casefold() == wanted:
            found = _element(ds, group, ((tag & 0xFF) << 8) | element)
            if found is not None:
                return found
    if Tag(group, 0x0010) in ds and _text(ds[group, 0x0010].value).casefold() != wanted:
        return None
    return _element(ds, group, 0x1000 | element)


def has_creator(ds: Dataset, group: int, creator: str) -> bool:
    """Tell whether `creator` has reserved a block in `group`."""
    tags = [t for t in ds.keys() if t >> 16 == group and 0x10 <= t & 0xFFFF <= 0xFF]  # noqa: SIM118
    return any(_text(ds[t].value).casefold() == creator.casefold() for t in tags)


def _element(ds: Dataset, group: int, element: int) -> object | None:
    tag = Tag(group, element)
    if tag not in ds:
        return None
    value: object = ds[tag].value
    return None if value is None or value in ("", b"") else value


def _text(value: object) -> str:
    text = value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)
    return text.strip(" \x00")


def private_text(ds: Dataset, group: int, creator: str, element: int) -> str | None:
    """Text (DT, LO ...) of a private element; UN bytes are decoded as ASCII."""
    value = private_value(ds, group, creator, element)
    return None if value is None else _text(value) or None


def private_number(ds: Dataset, group: int, creator: str, element: int) -> float | None:
    """Finite number of a private element: DS text, FL/FD, or UN bytes of one of them."""
    value = private_value(ds, group, creator, element)
    if value is None:
        return None
    try:
        number = float(_text(value))
    except ValueError:
        number = _binary(value)
    return number if math.isfinite(number) else None


def _binary(value: object) -> float:
    if isinstance(value, bytes) and len(value) in {4, 8}:
        (number,) = struct.unpack("<f" if len(value) == 4 else "<d", value)
        return float(number)
    return math.nan
