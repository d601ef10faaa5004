"""What compressed frames say about their own size, before a decoder believes it.

Decoders allocate what the code stream announces, not what Rows and Columns say: a few bytes that
announce 60,000 x 60,000 samples would cost gigabytes.
"""

from __future__ import annotations

import struct
from typing import Final

from pydicom.encaps import generate_fragments

from schemas.errors import RejectedObjectError
from tasks.dicom.slices import PixelFormat

#: Decoded bytes that are always allowed, and how many times the encoded bytes beyond that. (An
#: empty slice of 512 x 512 x 2 bytes takes some 200 bytes in JPEG 2000: 2,600 times.)
_SMALL_BYTES: Final = 64 * 2**20
_MAX_EXPANSION: Final = 4096

_JPEG_START: Final = b"\xff\xd8"
_JPEG_2000_START: Final = b"\xff\x4f\xff\x51"
_JP2_START: Final = b"\0\0\0\x0cjP  "
#: Start Of Frame of JPEG (ISO 10918-1 Table B.1) and JPEG-LS; C4, C8 and CC are no frames.
_FRAME_MARKERS: Final = (frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}) | {0xF7}
#: Markers without a length.
_BARE_MARKERS: Final = frozenset(range(0xD0, 0xD9)) | {0x01}


def require_honest_frames(encapsulated: bytes, form: PixelFormat) -> None:
    """Refuse pixel data whose code streams are of another size than the header says.

    Parameters
    ----------
    encapsulated : bytes
        Value of Pixel Data (7FE0,0010).
    form : PixelFormat
        As the header says.

    Raises
    ------
    RejectedObjectError
        ``undecodable_pixels``.

    References
    ----------
    DICOM PS3.5 annex A.4; ISO 10918-1 B.2.2, ISO 14495-1 C.2.2, ISO 15444-1 A.5.1.
    """
    if form.n_bytes > _SMALL_BYTES + _MAX_EXPANSION * len(encapsulated):
        detail = f"{len(encapsulated)} encoded bytes for {form.n_bytes} bytes of pixels"
        raise RejectedObjectError("undecodable_pixels", detail, _SIZE_ATTRIBUTES)
    for fragment in generate_fragments(encapsulated):
        size = announced_size(fragment)
        if size is not None and size != (form.rows, form.columns, 1):
            detail = (
                f"the code stream holds {size[0]} x {size[1]} x {size[2]} samples, expected "
                f"{form.rows} x {form.columns} x 1"
            )
            raise RejectedObjectError("undecodable_pixels", detail, _SIZE_ATTRIBUTES)


_SIZE_ATTRIBUTES: Final = ("Rows", "Columns", "NumberOfFrames", "PixelData")


def announced_size(fragment: bytes) -> tuple[int, int, int] | None:
    """Rows, columns and components that a code stream announces; None if it starts none.

    Examples
    --------
    >>> announced_size(bytes.fromhex("ffd8 ffc3 000b 10 0005 0007 01 011100"))
    (5, 7, 1)
    """
    if fragment.startswith(_JPEG_START):
        return _jpeg_size(fragment)
    if fragment.startswith(_JPEG_2000_START):
        return _jpeg_2000_size(fragment, 0)
    if fragment.startswith(_JP2_START):
        at = fragment.find(_JPEG_2000_START)
        return None if at < 0 else _jpeg_2000_size(fragment, at)
    return None


def _jpeg_size(data: bytes) -> tuple[int, int, int] | None:
    position = 2
    while position + 4 <= len(data):
        if data[position] != 0xFF:
            return None  # the decoder will find out what this is
        marker = data[position + 1]
        if marker == 0xFF or marker in _BARE_MARKERS:
            position += 1 if marker == 0xFF else 2
            continue
        if marker in _FRAME_MARKERS and position + 10 <= len(data):
            rows, columns, components = struct.unpack_from(">HHB", data, position + 5)
            return rows, columns, components
        position += 2 + int.from_bytes(data[position + 2 : position + 4], "big")
    return None


def _jpeg_2000_size(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Read the SIZ segment: the image is what lies between its offset and its extent."""
    if len(data) < at + 42:
        return None
    x, y, x_offset, y_offset = struct.unpack_from(">IIII", data, at + 8)
    (components,) = struct.unpack_from(">H", data, at + 40)
    return y - y_offset, x - x_offset, components
