"""How the bytes of a DICOM object are laid out: preamble, file meta information, syntax."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

IMPLICIT_LITTLE: Final = "1.2.840.10008.1.2"
EXPLICIT_LITTLE: Final = "1.2.840.10008.1.2.1"
DEFLATED: Final = "1.2.840.10008.1.2.1.99"
EXPLICIT_BIG: Final = "1.2.840.10008.1.2.2"

#: Enough to tell DICOM from anything else.
MAGIC_BYTES: Final = 132

#: VRs whose length is stated in 4 bytes after 2 reserved ones (PS3.5 Table 7.1-1).
LONG_VR: Final = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV".split())
_SHORT_VR: Final = frozenset(
    b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split()
)
_ANY_VR: Final = LONG_VR | _SHORT_VR
_ELEMENT = struct.Struct("<HH2sH").unpack_from
_LENGTH = struct.Struct("<I").unpack_from


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the data set starts and how its elements are encoded.

    Parameters
    ----------
    transfer_syntax_uid : str
        As the file says; guessed from the first element where there is no file meta information.
    start : int
        Offset of the first element of the data set.
    media_class_uid : str
        Media Storage SOP Class UID, empty if absent.
    has_magic : bool
        True if the 128-byte preamble and ``DICM`` are there.
    """

    transfer_syntax_uid: str
    start: int
    media_class_uid: str = ""
    has_magic: bool = True

    @property
    def is_explicit(self) -> bool:
        """True if each element states its VR."""
        return self.transfer_syntax_uid != IMPLICIT_LITTLE

    @property
    def is_native(self) -> bool:
        """True for uncompressed little-endian data sets, which the fast path reads."""
        return self.transfer_syntax_uid in (IMPLICIT_LITTLE, EXPLICIT_LITTLE)

    @property
    def is_scannable(self) -> bool:
        """True if elements up to the pixel data are little-endian and not deflated."""
        return self.transfer_syntax_uid not in (DEFLATED, EXPLICIT_BIG)


def read_layout(data: bytes) -> Layout | None:
    """Find the data set in the first bytes of an object.

    Parameters
    ----------
    data : bytes
        The object from its start; a few hundred bytes suffice.

    Returns
    -------
    Layout or None
        None if the bytes are not DICOM.

    References
    ----------
    DICOM PS3.10 section 7.1.
    """
    if data[128:132] == b"DICM":
        return _after_meta(data, 132, has_magic=True)
    if data[:2] == b"\x02\x00" and data[4:6] in _SHORT_VR:
        return _after_meta(data, 0, has_magic=False)
    if _looks_like_data_set(data):
        explicit = data[4:6] in _ANY_VR
        return Layout(EXPLICIT_LITTLE if explicit else IMPLICIT_LITTLE, 0, has_magic=False)
    return None


def _looks_like_data_set(data: bytes) -> bool:
    """Tell whether the first element is a plausible one of group 0008, with its value in reach."""
    if len(data) < 16 or data[:2] != b"\x08\x00" or data[2] > 0x18 or data[3] != 0:
        return False
    if data[4:6] in _SHORT_VR:
        return int.from_bytes(data[6:8], "little") < 256
    return int.from_bytes(data[4:8], "little") < 256


def _text(data: bytes, offset: int, length: int) -> str:
    return data[offset : offset + min(length, 128)].rstrip(b"\0 ").decode("ascii", "replace")


def _after_meta(data: bytes, offset: int, *, has_magic: bool) -> Layout | None:
    """Walk through group 0002, which is always explicit little endian."""
    syntax = media_class = ""
    position, end = offset, len(data)
    while data[position : position + 2] == b"\x02\x00":
        if position + 12 > end:
            return None
        _, element, vr, length = _ELEMENT(data, position)
        value = position + 8
        if vr in LONG_VR:
            length, value = _LENGTH(data, value)[0], value + 4
        if element == 0x0010:
            syntax = _text(data, value, length)
        elif element == 0x0002:
            media_class = _text(data, value, length)
        position = value + length
    if not syntax:
        syntax = (
            EXPLICIT_LITTLE if data[position + 4 : position + 6] in _ANY_VR else IMPLICIT_LITTLE
        )
    return Layout(syntax, position, media_class, has_magic)
