"""Deflated data sets, inflated within bounds."""

from __future__ import annotations

import struct
import zlib
from typing import Final

from schemas.errors import RejectedObjectError
from tasks.dicom.encoding import EXPLICIT_LITTLE, Layout

#: Inflated data sets up to here are fine; beyond, they may be this many times as large as they came
#: (images reach 10, empty label maps 200, deflate itself ends near 1030).
SMALL_BYTES: Final = 64 * 2**20
MAX_EXPANSION: Final = 400


def inflated(data: bytes, layout: Layout) -> bytes:
    """Rewrite a deflated object in Explicit VR Little Endian.

    Parameters
    ----------
    data : bytes
        The object, or its beginning.
    layout : Layout
        Of the same bytes.

    Returns
    -------
    bytes
        An object with the same data set; cut off where the deflated stream is cut off.

    Raises
    ------
    RejectedObjectError
        ``oversized`` for what expands beyond all measure, ``not_parseable`` for a damaged stream.

    References
    ----------
    DICOM PS3.5 section A.5; RFC 1951.
    """
    packed = memoryview(data)[layout.start :]
    bound = max(SMALL_BYTES, MAX_EXPANSION * len(packed))
    engine = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
    try:
        body = engine.decompress(packed, bound)
    except zlib.error:
        raise RejectedObjectError(
            "not_parseable", "the deflated data set is damaged", ["TransferSyntaxUID"]
        ) from None
    if engine.unconsumed_tail:
        raise RejectedObjectError(
            "oversized",
            f"{len(packed)} deflated bytes expand beyond {bound}",
            ["TransferSyntaxUID"],
        )
    return _HEAD + body


def _head() -> bytes:
    uid = EXPLICIT_LITTLE.encode().ljust((len(EXPLICIT_LITTLE) + 1) // 2 * 2, b"\0")
    return bytes(128) + b"DICM" + struct.pack("<HH2sH", 0x0002, 0x0010, b"UI", len(uid)) + uid


_HEAD: Final = _head()
